//! From what somebody has, a name, a number or a log line, to the errno in it.
//!
//! Holds the spellings. Must not know what an errno means.
//! Units: none. Errors: [`NotAnErrno`]; it blames who asked.
//! Tests: here.

use std::collections::BTreeSet;

use miette::Diagnostic;
use rig_protocol::Errno;
use thiserror::Error;

use super::catalogue::Catalogue;
use super::name::{MOST, Named};
use crate::document::{self, did_you_mean};

/// Why something names no errno.
#[derive(Debug, Error, Diagnostic, PartialEq, Eq)]
pub enum NotAnErrno {
    /// A number that no call leaves in errno.
    #[error("{number} is not an errno")]
    Number {
        /// Which.
        number: i64,
        /// What it may be instead.
        #[help]
        advice: String,
    },
    /// Nothing in it is one.
    #[error("there is no errno in `{asked}`")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What to try.
        #[help]
        advice: String,
    },
    /// It names more than one.
    #[error("`{asked}` has several errnos: {}", .found.join(", "))]
    #[diagnostic(help("ask for one of them: `rig explain {}`", .found[0]))]
    Several {
        /// What was asked for.
        asked: String,
        /// Their names.
        found: Vec<String>,
    },
}

/// The errno that is meant: by its name in any case (`enoent`), its number (`2`, `-2`, `errno 2`), the text that a program prints
/// (`No such file or directory`), or a line in which one of them stands (`select: No such file or directory`).
///
/// # Errors
/// [`NotAnErrno`]
pub fn find(asked: &str) -> Result<Errno, NotAnErrno> {
    let asked = asked.trim();
    if let Ok(number) = asked.parse() {
        return of_number(number);
    }
    let mut found: BTreeSet<i32> = names_in(asked).collect();
    let numbers: Result<Vec<Errno>, NotAnErrno> = numbers_in(asked).map(of_number).collect();
    found.extend(numbers?.into_iter().map(|errno| errno.0));
    // A text is the weakest sign: `connect: Connection refused (errno 111)` says it twice, and `ENOENT` needs no text.
    if found.is_empty() {
        found = texts_in(asked);
    }
    match Vec::from_iter(found).as_slice() {
        [] => Err(NotAnErrno::Unknown { asked: asked.to_owned(), advice: hint(asked) }),
        [one] => Ok(Errno(*one)),
        several => Err(NotAnErrno::Several {
            asked: asked.to_owned(),
            found: several.iter().map(|number| Named::of(Errno(*number)).word()).collect(),
        }),
    }
}

/// The kernel returns an errno as a negative number; -1 is what the C library returns for all of them.
fn of_number(number: i64) -> Result<Errno, NotAnErrno> {
    let advice = match number {
        0 => "errno 0 means that nothing has failed yet: errno is only defined after a call that returned -1, errno(3)".to_owned(),
        -1 => "-1 is what every call returns that failed: look for errno, a name like ENOENT or a text behind it".to_owned(),
        _ => match i32::try_from(number.unsigned_abs()) {
            Ok(positive) if positive <= MOST => return Ok(Errno(positive)),
            Ok(_) | Err(_) => format!("an errno is a number from 1 to {MOST}"),
        },
    };
    Err(NotAnErrno::Number { number, advice })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn names_in(line: &str) -> impl Iterator<Item = i32> + '_ {
    words(line).filter_map(Named::by_name).map(|named| named.number)
}

/// Numbers behind the words that say that it is one: `errno 2`, `errno=2`, `[Errno 2]`, `(os error 2)`.
fn numbers_in(line: &str) -> impl Iterator<Item = i64> {
    let words: Vec<String> = words(line).map(str::to_lowercase).collect();
    let is_before = |place: usize| match words[..place] {
        [.., ref one] if one == "errno" => true,
        [.., ref os, ref error] => os == "os" && error == "error",
        _ => false,
    };
    let numbers = words.iter().enumerate().filter(|(place, _)| is_before(*place));
    numbers.filter_map(|(_, word)| word.parse().ok()).collect::<Vec<_>>().into_iter()
}

/// What the longest texts in the line mean: `No such device or address` is not `No such device`.
fn texts_in(line: &str) -> BTreeSet<i32> {
    let line = line.to_lowercase();
    let mut known: Vec<(String, i32)> = texts().map(|(text, errno)| (text.to_lowercase(), errno.0)).collect();
    known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    let mut taken = vec![false; line.len()];
    let mut found = BTreeSet::new();
    for (text, number) in &known {
        for (at, part) in line.match_indices(text.as_str()) {
            let whole = &mut taken[at..at + part.len()];
            if is_apart(&line, at, part.len()) && whole.iter().all(|byte| !*byte) {
                whole.fill(true);
                found.insert(*number);
            }
        }
    }
    found
}

/// Whether no letter or digit stands right before or behind a part of the line.
fn is_apart(line: &str, at: usize, bytes: usize) -> bool {
    let before = line[..at].chars().next_back();
    let behind = line[at + bytes..].chars().next();
    ![before, behind].into_iter().flatten().any(char::is_alphanumeric)
}

fn texts() -> impl Iterator<Item = (&'static str, Errno)> {
    let other = Catalogue::shipped()
        .iter()
        .flat_map(|(errno, known)| known.also_printed.iter().map(move |text| (text.as_str(), errno)));
    Named::all().map(|named| (named.text.as_str(), named.errno())).chain(other)
}

/// What was probably meant; or what an errno can look like, and for a single word the names that are most like it.
fn hint(asked: &str) -> String {
    let names = || Named::all().filter_map(|named| named.name.as_deref());
    if let Some(meant) = did_you_mean(asked, texts().map(|(text, _)| text)) {
        return meant;
    }
    if did_you_mean(asked, names()).is_some() || is_like_a_name(asked) {
        return document::hint(asked, names(), "the names");
    }
    "give a name (ENOENT), a number (2), or the text that the program printed (No such file or directory)"
        .to_owned()
}

/// `EFOO`: an E, and letters and digits behind it.
fn is_like_a_name(asked: &str) -> bool {
    asked.starts_with(['E', 'e']) && asked.chars().all(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_number_and_text_is_found() {
        for named in Named::all() {
            let (errno, name) = (named.errno(), named.word());
            for spelled in [
                name.clone(),
                name.to_lowercase(),
                named.number.to_string(),
                format!("errno {}", named.number),
                format!("[Errno {}]", named.number),
                format!("-1 {name} ({})", named.text),
                named.text.clone(),
                format!("select: {}", named.text),
                format!("dial tcp 192.0.2.1:443: {}\n", named.text.to_lowercase()),
                format!("{} (os error {})", named.text, named.number),
            ] {
                assert_eq!(find(&spelled), Ok(errno), "{spelled}");
            }
            // As the kernel returns it; -1 is what the C library returns for all of them.
            assert_eq!(find(&format!("-{}", named.number)).is_ok(), named.number > 1, "{name}");
        }
        for (text, errno) in texts() {
            assert_eq!(find(text), Ok(errno), "{text}");
        }
    }

    #[test]
    fn what_is_no_errno_says_what_to_try() {
        let help = |asked: &str| match find(asked) {
            Err(error) => error.help().expect("every one says what to try").to_string(),
            Ok(errno) => panic!("{asked} is {errno}"),
        };
        assert!(help("ENONET2").starts_with("did you mean `ENONET`?\nthe names: "));
        assert!(help("enoentt").starts_with("did you mean `ENOENT`?\nthe names: "));
        let strange = help("EFOO");
        assert!(
            strange.contains("\nthe names: ") && strange.contains("`EIO`") && strange.contains(" more"),
            "{strange}"
        );
        assert_eq!(help("No such file or direktory"), "did you mean `No such file or directory`?");
        assert!(help("banana").contains("the text that the program printed"));
        assert!(help("").contains("the text that the program printed"));
        assert!(help("0").contains("nothing has failed yet"));
        assert!(help("-1").contains("look for errno"));
        assert!(help("errno=0").contains("nothing has failed yet"));
        assert!(help("4096").contains("from 1 to 4095"));
        assert_eq!(find("-4095"), Ok(Errno(4095)));
        assert_eq!(help("read: EBADF, close: EIO"), "ask for one of them: `rig explain EIO`");
        assert_eq!(
            find("subject Invalid arguments"),
            find("banana").map_err(|_| NotAnErrno::Unknown {
                asked: "subject Invalid arguments".into(),
                advice: hint("subject Invalid arguments"),
            })
        );
    }
}
