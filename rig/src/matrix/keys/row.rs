//! What a row of a table of keys says: name, kind of value, unit, what holds where the key is not written, one line about it.
//!
//! Parser, did-you-mean and reference page read the same rows. Must not know what a key is used for. Units: as the row says.
//! Errors: none; a row that is asked for a default of another kind is a mistake in this room, found when it is compiled.
//! Tests: `keys/tests.rs`.

use std::ops::RangeInclusive;

/// One key of a table of the file.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: ValueKind,
    /// What holds where it is not written.
    pub unsaid: Unsaid,
    /// One line about it.
    pub about: &'static str,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A string.
    Text,
    /// A string or a number, or a list of them.
    Values,
    /// A whole number.
    Count {
        /// Smallest that is taken.
        least: u64,
        /// Largest that is taken.
        most: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A number between 0 and 1, both excluded.
    Fraction,
    /// `true` or `false`.
    Flag,
    /// A time with its unit: `"5min"`.
    Time,
    /// A share of all trials: `"0.1%"`.
    Rate,
    /// A table with keys of its own.
    Table,
    /// A table of tables: `[kind.NAME]`.
    Named,
    /// A list of tables: `[[name]]`.
    Tables,
}

/// What holds where a key is not written.
#[derive(Debug, Clone, Copy)]
pub enum Unsaid {
    /// The key must be written.
    Required {
        /// A line that could be added.
        example: &'static str,
    },
    /// This number.
    Count(u64),
    /// This number between 0 and 1.
    Fraction(f64),
    /// This of `true` and `false`.
    Flag(bool),
    /// This word.
    Word(&'static str),
    /// This time, in seconds.
    Seconds(u64),
    /// What this sentence says.
    Means(&'static str),
}

impl KeyRow {
    /// As problems call it.
    pub(in crate::matrix) fn quoted(&self) -> String {
        format!("`{}`", self.name)
    }

    /// The smallest and the largest count that is taken.
    pub(in crate::matrix) const fn bounds(&self) -> RangeInclusive<u64> {
        match self.kind {
            ValueKind::Count { least, most, .. } => RangeInclusive::new(least, most),
            _ => panic!("the row is of no count"),
        }
    }

    /// A line that could be added, for a key that must be written.
    pub(in crate::matrix) const fn example(&self) -> &'static str {
        match self.unsaid {
            Unsaid::Required { example } => example,
            _ => panic!("the row need not be written"),
        }
    }

    /// The number that holds where the key is not written.
    pub(in crate::matrix) const fn default_count(&self) -> u64 {
        match self.unsaid {
            Unsaid::Count(count) => count,
            _ => panic!("the row has no count as its default"),
        }
    }

    /// The same, of a row whose numbers are small.
    pub(in crate::matrix) const fn default_small(&self) -> u32 {
        let count = self.default_count();
        assert!(count <= u32::MAX as u64, "the row's default is too large");
        count as u32
    }

    /// The number between 0 and 1 that holds where the key is not written.
    pub(in crate::matrix) const fn default_fraction(&self) -> f64 {
        match self.unsaid {
            Unsaid::Fraction(fraction) => fraction,
            _ => panic!("the row has no fraction as its default"),
        }
    }

    /// Which of `true` and `false` holds where the key is not written.
    pub(in crate::matrix) const fn default_flag(&self) -> bool {
        match self.unsaid {
            Unsaid::Flag(flag) => flag,
            _ => panic!("the row has no flag as its default"),
        }
    }

    /// The word that holds where the key is not written.
    pub(in crate::matrix) const fn default_word(&self) -> &'static str {
        match self.unsaid {
            Unsaid::Word(word) => word,
            _ => panic!("the row has no word as its default"),
        }
    }

    /// The time, in seconds, that holds where the key is not written.
    pub(in crate::matrix) const fn default_seconds(&self) -> u64 {
        match self.unsaid {
            Unsaid::Seconds(seconds) => seconds,
            _ => panic!("the row has no time as its default"),
        }
    }
}

/// The keys of one table of the file.
#[derive(Debug, Clone, Copy)]
pub struct KeyTable {
    /// As its head is written: `[run]`.
    pub head: &'static str,
    /// Its rows, in the order in which people are told of them.
    pub parts: &'static [&'static [KeyRow]],
    /// What else is a key of it, where that cannot be listed; `None`: nothing else is.
    pub more: Option<&'static str>,
    /// One line about it.
    pub about: &'static str,
}

impl KeyTable {
    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static KeyRow> + use<> {
        self.parts.iter().copied().flatten()
    }

    /// The names of all keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.rows().map(|row| row.name).collect()
    }
}

/// The words of a list of words with their meanings.
pub(super) fn words_of<T>(list: &[(&'static str, T)]) -> Vec<&'static str> {
    list.iter().map(|(word, _)| *word).collect()
}
