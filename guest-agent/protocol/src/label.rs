//! Labels: the words that stand for what a step returned, and that make up an outcome.
//!
//! Holds the one place where a return value, and what was ready, becomes a word. Must not count, and knows no operation: rows of the table choose from here.
//! The words are part of the scenario language: `expect` patterns are written with them.
//! Units: none. Errors: none; an errno is a label like any other.
//! Tests: below.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::Errno;

/// Which of the verdict call's descriptors were ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// At least one descriptor of the read set.
    pub readable: bool,
    /// At least one of the write set.
    pub writable: bool,
    /// At least one of the exceptional set.
    pub exceptional: bool,
}

/// The words for a step's success. A failure's word is the name of its errno, for every operation.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Every word that can be written, besides names of errnos. Several kinds of readiness are joined by `+`.
    pub words: &'static [&'static str],
    write: fn(&mut String, i64, Readiness),
}

impl Labels {
    /// `ok`, whatever was returned.
    pub const OK: Self = Self { words: &["ok"], write: |out, _, _| out.push_str("ok") };

    /// By the number of bytes that were read: `data`, or `eof` for none.
    pub const BYTES: Self = Self {
        words: &["data", "eof"],
        write: |out, returned, _| out.push_str(if returned == 0 { "eof" } else { "data" }),
    };

    /// By the errno that the call read as its value: its name, or `ok` for none.
    pub const PENDING_ERRNO: Self = Self {
        words: &["ok"],
        write: |out, returned, _| if returned == 0 { out.push_str("ok") } else { write_errno(out, returned) },
    };

    /// By what was ready: `readable`, `writable`, `exceptional` or several joined by `+`, or `timeout`.
    pub const READINESS: Self =
        Self { words: &["readable", "writable", "exceptional", "timeout", "none"], write: write_readiness };

    /// Writes the label of a step that returned `returned`.
    pub fn write(&self, out: &mut String, returned: i64, ready: Option<Readiness>) {
        match Errno::of_return(returned) {
            Some(Errno(number)) => write_errno(out, i64::from(number)),
            None => (self.write)(out, returned, ready.unwrap_or_default()),
        }
    }
}

fn write_readiness(out: &mut String, returned: i64, ready: Readiness) {
    if returned == 0 {
        return out.push_str("timeout");
    }
    let before = out.len();
    let words =
        [(ready.readable, "readable"), (ready.writable, "writable"), (ready.exceptional, "exceptional")];
    for (_, word) in words.into_iter().filter(|(set, _)| *set) {
        if out.len() > before {
            out.push('+');
        }
        out.push_str(word);
    }
    if out.len() == before {
        // A positive return with three empty sets: nothing that Linux does, so it must not look like something that it does.
        out.push_str("none");
    }
}

fn write_errno(out: &mut String, number: i64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", Errno(number as i32));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn label(labels: Labels, returned: i64, ready: [bool; 3]) -> String {
        let [readable, writable, exceptional] = ready;
        let mut out = String::new();
        labels.write(&mut out, returned, Some(Readiness { readable, writable, exceptional }));
        out
    }

    #[test]
    fn each_kind_of_labels_has_its_words() {
        let nothing = [false; 3];
        assert_eq!(label(Labels::READINESS, 1, [true, false, false]), "readable");
        assert_eq!(label(Labels::READINESS, 2, [true, true, false]), "readable+writable");
        assert_eq!(label(Labels::READINESS, 3, [true; 3]), "readable+writable+exceptional");
        assert_eq!(label(Labels::READINESS, 0, [true, false, false]), "timeout");
        assert_eq!(label(Labels::READINESS, 1, nothing), "none");
        assert_eq!(label(Labels::READINESS, -9, [true, false, false]), "EBADF");
        assert_eq!(label(Labels::BYTES, 0, nothing), "eof");
        assert_eq!(label(Labels::BYTES, 4, nothing), "data");
        assert_eq!(label(Labels::BYTES, -104, nothing), "ECONNRESET");
        assert_eq!(label(Labels::PENDING_ERRNO, 0, nothing), "ok");
        assert_eq!(label(Labels::PENDING_ERRNO, 104, nothing), "ECONNRESET");
        assert_eq!(label(Labels::PENDING_ERRNO, -9, nothing), "EBADF");
        assert_eq!(label(Labels::OK, 0, nothing), "ok");
        assert_eq!(label(Labels::OK, 7, nothing), "ok");
        assert_eq!(label(Labels::OK, -4095, nothing), "errno 4095");
    }

    /// What an expected outcome may be written with is what the agent writes: no word more, none less.
    #[test]
    fn the_words_are_those_that_successes_are_written_with() {
        for labels in crate::schemas().iter().map(|schema| schema.labels) {
            let mut written = BTreeSet::new();
            for returned in [0, 1, 2, 104] {
                for bits in 0..8 {
                    let label = label(labels, returned, [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0]);
                    written.extend(label.split('+').map(str::to_owned));
                }
            }
            written.retain(|word| word.parse::<Errno>().is_err());
            assert_eq!(written, labels.words.iter().map(|word| (*word).to_owned()).collect());
        }
    }
}
