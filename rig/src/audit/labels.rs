//! Outcomes against the patterns that a scenario expects.
//!
//! Must not know which labels an operation has. Units: labels. Errors: none. Tests: below; the language is described in `rig docs scenarios`.

use std::collections::BTreeSet;

/// Whether one of these patterns is an outcome's: label by label, `*` for any one, a last `**` for any rest.
pub(super) fn expects(patterns: &[&str], outcome: &str) -> bool {
    patterns.iter().any(|pattern| is_as(pattern, outcome))
}

fn is_as(pattern: &str, outcome: &str) -> bool {
    let (wanted, found): (Vec<&str>, Vec<&str>) =
        (pattern.split(',').collect(), outcome.split(',').collect());
    let open = wanted.iter().position(|label| *label == "**");
    let length = open.unwrap_or(wanted.len());
    let long_enough = if open.is_some() { found.len() >= length } else { found.len() == length };
    long_enough && wanted[..length].iter().zip(&found).all(|(wanted, found)| is_label(wanted, found))
}

/// `word=number:time`
fn parts(label: &str) -> (&str, Option<&str>, Option<&str>) {
    let (head, time) = label.split_once(':').map_or((label, None), |(head, time)| (head, Some(time)));
    let (word, number) = head.split_once('=').map_or((head, None), |(word, number)| (word, Some(number)));
    (word, number, time)
}

fn is_label(pattern: &str, label: &str) -> bool {
    if pattern == "*" || pattern == label {
        return true;
    }
    let ((word, number, time), (its_word, its_number, its_time)) = (parts(pattern), parts(label));
    let numbers = match (number, its_number) {
        (None, None) => true,
        (Some(range), Some(number)) => range == number || lies_in(range, number),
        _ => false,
    };
    let times = match (time, its_time) {
        (None, None) => true,
        (Some(wanted), Some(found)) => wanted == "*" || wanted == found,
        _ => false,
    };
    // `*:ECONNRESET` takes any word, `*=4` none.
    let words = word == its_word || (word == "*" && number.is_none() && its_number.is_none());
    words && numbers && times
}

/// `4`, `1..60000`, `*`: both ends belong to it.
fn lies_in(range: &str, number: &str) -> bool {
    let whole =
        |text: &str| if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<u64>().ok() } else { None };
    let Some(number) = whole(number) else { return false };
    match range.split_once("..") {
        _ if range == "*" => true,
        Some((low, high)) => {
            whole(low).is_some_and(|low| low <= number) && whole(high).is_some_and(|high| number <= high)
        }
        None => whole(range) == Some(number),
    }
}

/// The word of the label at this place among the labels of an outcome's own steps; those of other steps that failed or were cut (`connect:ECONNREFUSED`) are passed over.
pub(super) fn own_word<'o>(outcome: &'o str, place: usize, operations: &BTreeSet<&str>) -> Option<&'o str> {
    let is_own = |label: &&str| {
        let (word, number, time) = parts(label);
        let failed = |time: &str| matches!(time, "*" | "deadline") || is_errno(time);
        number.is_some() || !time.is_some_and(failed) || !(word == "*" || operations.contains(word))
    };
    outcome.split(',').filter(is_own).nth(place).map(|label| parts(label).0)
}

/// `EBADF`
fn is_errno(word: &str) -> bool {
    word.len() > 1
        && word.starts_with('E')
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let is = |pattern: &str, outcome: &str| expects(&[pattern], outcome);
        assert!(
            is("readable,data,ECONNRESET", "readable,data,ECONNRESET") && !is("readable", "readable,data")
        );
        assert!(
            is("readable,*,eof", "readable,data,eof") && is("readable,**", "readable") && is("**", "a,b")
        );
        assert!(!is("readable,data,**", "readable") && !is("a,*", "a"));
        assert!(is("data=1..9:*", "data=4:slow") && !is("data=1..9", "data=10") && !is("data=*", "data"));
        assert!(is("*:ECONNRESET", "read:ECONNRESET") && !is("ok:late", "ok:early"));
    }

    #[test]
    fn the_verdicts_word_is_found_among_steps_that_failed() {
        let operations = ["connect", "select"].into();
        assert_eq!(own_word("connect:ECONNREFUSED,EBADF", 0, &operations), Some("EBADF"));
        assert_eq!(own_word("ok:slow,EBADF:late", 1, &operations), Some("EBADF"));
        assert_eq!(own_word("readable", 1, &operations), None);
    }
}
