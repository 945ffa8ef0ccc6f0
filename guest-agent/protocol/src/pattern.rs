//! Patterns of outcomes: how `expect` is held against what a trial came to.
//!
//! Holds the parts of a label, and the comparison label by label; must not know which labels an operation has (the table does).
//! A pattern's label is a label, or has `*` for any one label, `data=*` and `data=1..60000` for numbers, `ok:*` for any time. A last `**`
//! stands for any rest.
//! Units: labels. Errors: none. Tests: below.

use crate::{Errno, schema_of};

/// The label of a call that the trial's deadline cut.
pub(crate) const DEADLINE: &str = "deadline";

/// The parts of a label, or of a pattern's label: `data=14480:slow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelParts<'t> {
    /// Before the number and the time: `data`.
    pub word: &'t str,
    /// Between `=` and `:`.
    pub number: Option<&'t str>,
    /// Behind `:`; of a step that failed before the verdict (`connect:ECONNREFUSED`) its errno.
    pub time: Option<&'t str>,
}

impl<'t> LabelParts<'t> {
    /// Takes a label apart.
    pub fn of(label: &'t str) -> Self {
        let (head, time) = label.split_once(':').map_or((label, None), |(head, time)| (head, Some(time)));
        let (word, number) = head.split_once('=').map_or((head, None), |(word, number)| (word, Some(number)));
        Self { word, number, time }
    }
}

/// The labels of an outcome's (or a pattern's) own steps, in order: all but those of other steps that failed or were cut
/// (`connect:ECONNREFUSED`, `read:deadline`; in a pattern also `read:*`, `*:ECONNRESET`, `*:*`).
pub fn own_labels(outcome: &str) -> impl Iterator<Item = &str> {
    outcome.split(',').filter(|label| !is_of_another_step(label))
}

fn is_of_another_step(label: &str) -> bool {
    let LabelParts { word, number, time } = LabelParts::of(label);
    let failed = |time: &str| time == "*" || time == DEADLINE || time.parse::<Errno>().is_ok();
    number.is_none() && time.is_some_and(failed) && (word == "*" || schema_of(word).is_some())
}

/// The smallest and the largest number that a pattern's `4`, `1..60000` or `*` stands for; `None` where it is none of them.
pub fn numbers(pattern: &str) -> Option<(u64, u64)> {
    // `u64::from_str` takes a sign, which no label has.
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match pattern.split_once("..") {
        _ if pattern == "*" => Some((0, u64::MAX)),
        Some((low, high)) => Some((number(low)?, number(high)?)),
        None => number(pattern).map(|only| (only, only)),
    }
}

/// Whether an outcome is as a pattern says. Labels are compared one by one; `*` stands for any one label, a last `**` for any rest.
pub fn matches_outcome(pattern: &str, outcome: &str) -> bool {
    let mut labels = outcome.split(',');
    for wanted in pattern.split(',') {
        match (wanted, labels.next()) {
            ("**", _) => return true,
            (wanted, Some(label)) if matches_label(wanted, label) => {}
            _ => return false,
        }
    }
    labels.next().is_none()
}

fn matches_label(pattern: &str, label: &str) -> bool {
    if pattern == "*" || pattern == label {
        return true;
    }
    let (wanted, found) = (LabelParts::of(pattern), LabelParts::of(label));
    let number = match (wanted.number, found.number) {
        (None, None) => true,
        (Some(wanted), Some(found)) => wanted == found || holds(wanted, found),
        (None, Some(_)) | (Some(_), None) => false,
    };
    let time = match (wanted.time, found.time) {
        (None, None) => true,
        (Some(wanted), Some(found)) => wanted == "*" || wanted == found,
        (None, Some(_)) | (Some(_), None) => false,
    };
    let word =
        wanted.word == found.word || (wanted.word == "*" && wanted.number.is_none() && number_free(found));
    word && number && time
}

/// `*:slow` stands for labels without a number, as `*=*:slow` would for those with one.
fn number_free(found: LabelParts<'_>) -> bool {
    found.number.is_none()
}

/// Whether the number of a label is one of those of a pattern.
fn holds(pattern: &str, number: &str) -> bool {
    pattern == "*"
        || numbers(pattern)
            .zip(number.parse().ok())
            .is_some_and(|((low, high), number): (_, u64)| (low..=high).contains(&number))
}

/// The outcome without its numbers: each is as the first of the patterns that the outcome matches says it (`data=1..60000`), or `*`. What
/// matched a pattern still does, and what did not does not begin to.
pub(crate) fn without_numbers(patterns: &[String], outcome: &str) -> String {
    let expected = patterns.iter().find(|pattern| matches_outcome(pattern, outcome));
    let mut wanted = expected.map(|pattern| pattern.split(','));
    let mut open = false;
    let mut out = String::with_capacity(outcome.len());
    for (index, label) in outcome.split(',').enumerate() {
        let wanted = wanted.as_mut().and_then(Iterator::next).filter(|wanted| {
            open |= *wanted == "**";
            !open
        });
        if index > 0 {
            out.push(',');
        }
        push_without_number(&mut out, label, wanted.and_then(|wanted| LabelParts::of(wanted).number));
    }
    out
}

fn push_without_number(out: &mut String, label: &str, number: Option<&str>) {
    let parts = LabelParts::of(label);
    out.push_str(parts.word);
    if parts.number.is_some() {
        out.push('=');
        out.push_str(number.unwrap_or("*"));
    }
    if let Some(time) = parts.time {
        out.push(':');
        out.push_str(time);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn outcome_patterns_match_label_by_label() {
        assert!(matches_outcome("readable,data,ECONNRESET", "readable,data,ECONNRESET"));
        assert!(matches_outcome("readable,*", "readable,eof"));
        assert!(!matches_outcome("readable,*", "readable"));
        assert!(!matches_outcome("readable", "readable,data"));
        assert!(matches_outcome("readable,**", "readable"));
        assert!(matches_outcome("readable,**", "readable,data,ECONNRESET"));
        assert!(!matches_outcome("EBADF,**", "readable,data"));
    }

    #[test]
    fn numbers_are_single_ranges_with_both_ends_or_any() {
        for (pattern, matching, others) in [
            ("data=4", &["data=4"][..], &["data", "data=5", "data=4:slow", "short=4", "data=*"][..]),
            (
                "data=1..60000",
                &["data=1", "data=60000", "data=1..60000"],
                &["data=0", "data=60001", "data=*"],
            ),
            ("data=*", &["data=0", "data=9", "data=*", "data=1..60000"], &["data", "eof", "data=9:late"]),
            ("data", &["data"], &["data=4", "data:late"]),
            ("*", &["data=4", "data=4:slow", "eof"], &[]),
        ] {
            matching.iter().for_each(|label| assert!(matches_label(pattern, label), "{pattern} {label}"));
            others.iter().for_each(|label| assert!(!matches_label(pattern, label), "{pattern} {label}"));
        }
        assert_eq!(numbers("4"), Some((4, 4)));
        assert_eq!(numbers("1..60000"), Some((1, 60_000)));
        assert_eq!(numbers("*"), Some((0, u64::MAX)));
        for text in ["", "x", "-1", "+1", "1..", "..2", "1..x", "1...2", "1,2"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }

    #[test]
    fn times_and_failing_steps_are_words_behind_a_colon() {
        for (pattern, matching, others) in [
            ("ok:slow", &["ok:slow"][..], &["ok", "ok:fast", "data:slow"][..]),
            ("ok:*", &["ok:slow", "ok:other"], &["ok", "EPIPE:slow"]),
            ("*:slow", &["ok:slow", "EPIPE:slow"], &["ok:fast", "ok", "data=4:slow"]),
            ("data=1..9:*", &["data=4:slow"], &["data=4", "data=10:slow"]),
            ("ok", &["ok"], &["ok:early", "ok:late"]),
            ("connect:*", &["connect:ECONNREFUSED"], &["connect", "write:ECONNREFUSED"]),
            ("*:EPIPE", &["write:EPIPE"], &["EPIPE"]),
        ] {
            matching.iter().for_each(|label| assert!(matches_label(pattern, label), "{pattern} {label}"));
            others.iter().for_each(|label| assert!(!matches_label(pattern, label), "{pattern} {label}"));
        }
    }

    #[test]
    fn a_label_of_another_step_has_an_operation_and_how_it_failed_and_each_may_be_an_asterisk() {
        let own = |label: &str| own_labels(&format!("{label},EBADF")).map(str::to_owned).collect::<Vec<_>>();
        let others = ["read:ECONNRESET", "read:deadline", "read:*", "*:ECONNRESET", "*:deadline", "*:*"];
        for label in others {
            assert_eq!(own(label), ["EBADF"], "{label}");
        }
        for label in
            ["ok:*", "ok:slow", "*:slow", "data=*:*", "pending=4:*", "deadline", "ECONNRESET", "*", "**"]
        {
            assert_eq!(own(label), [label, "EBADF"], "{label}");
        }
    }

    #[test]
    fn an_outcome_without_numbers_has_those_of_its_pattern_or_any() {
        let patterns = ["readable,data=1..9,**", "readable,*,eof", "timeout,**"].map(str::to_owned);
        for (outcome, without) in [
            ("readable,data=4,data=7:slow", "readable,data=1..9,data=*:slow"),
            ("readable,data=12,eof", "readable,data=*,eof"),
            ("timeout,data=3", "timeout,data=*"),
            ("data=3,data=4", "data=*,data=*"),
            ("connect:EPIPE,eof", "connect:EPIPE,eof"),
        ] {
            assert_eq!(without_numbers(&patterns, outcome), without);
        }
    }

    fn label() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => (0..12_u64).prop_map(|n| format!("data={n}")),
            1 => (0..12_u64).prop_map(|n| format!("data={n}:slow")),
            1 => prop::sample::select(vec!["eof", "ok:slow", "EPIPE"]).prop_map(str::to_owned),
        ]
    }

    fn pattern_label() -> impl Strategy<Value = String> {
        prop_oneof![
            2 => label(),
            2 => (0..6_u64, 0..6_u64).prop_map(|(low, more)| format!("data={low}..{}", low + more)),
            1 => prop::sample::select(vec!["*", "data=*", "data=*:*", "*:slow"]).prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn without_numbers_as_much_is_expected_as_with_them(
            outcome in prop::collection::vec(label(), 1..4),
            patterns in prop::collection::vec((prop::collection::vec(pattern_label(), 1..4), any::<bool>()), 1..4),
        ) {
            let outcome = outcome.join(",");
            let patterns: Vec<String> = patterns
                .into_iter()
                .map(|(labels, open)| labels.join(",") + if open { ",**" } else { "" })
                .collect();
            let expected = |outcome: &str| patterns.iter().any(|pattern| matches_outcome(pattern, outcome));
            let without = without_numbers(&patterns, &outcome);
            prop_assert_eq!(expected(&without), expected(&outcome), "{} {:?}", without, patterns);
        }
    }
}
