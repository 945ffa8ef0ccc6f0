//! What a report must say, as far as it was computed anew: a tree in the shape of the report.
//!
//! Plain data. Must not know how a figure came about. Units: as in the report. Errors: none. Tests: `held.rs`.

use super::number::Bounds;
use super::sums::Counts;

/// One figure, or several under their keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Figure {
    Count(u64),
    Real(f64),
    Word(String),
    Flag(bool),
    /// `null`.
    Nothing,
    /// The key is left out.
    Absent,
    List(Vec<Figure>),
    /// An object of which some keys were computed.
    Part(Vec<(String, Figure)>),
    /// An object with these keys and no others.
    Whole(Vec<(String, Figure)>),
    /// What was computed from some files.
    From(Vec<String>, Box<Figure>),
}

impl Figure {
    pub(super) fn word(word: impl Into<String>) -> Self {
        Self::Word(word.into())
    }

    pub(super) fn part<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Part(entries.map(|(key, figure)| (key.to_owned(), figure)).into())
    }

    pub(super) fn counts(counts: &Counts) -> Self {
        Self::Whole(counts.iter().map(|(key, count)| (key.clone(), Self::Count(*count))).collect())
    }

    /// The same; absent where there is none.
    pub(super) fn counts_if_any(counts: &Counts) -> Self {
        if counts.is_empty() { Self::Absent } else { Self::counts(counts) }
    }

    pub(super) fn real_or_nothing(value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, Self::Real)
    }

    /// With the files that it comes from.
    pub(super) fn with_files(self, files: Vec<String>) -> Self {
        Self::From(files, Box::new(self))
    }

    /// With these figures too: of a [`Self::Part`].
    #[must_use]
    pub(super) fn and<const N: usize>(self, more: [(&str, Self); N]) -> Self {
        match (self, Self::part(more)) {
            (Self::Part(mut entries), Self::Part(more)) => {
                entries.extend(more);
                Self::Part(entries)
            }
            (first, _) => first,
        }
    }

    /// Without the figures under these keys.
    #[must_use]
    pub(super) fn without(self, keys: &[&str]) -> Self {
        match self {
            Self::From(files, inner) => Self::From(files, Box::new(inner.without(keys))),
            Self::Part(mut entries) => {
                entries.retain(|(key, _)| !keys.contains(&key.as_str()));
                Self::Part(entries)
            }
            other => other,
        }
    }

    /// The figure under a key of an object.
    fn at(&self, key: &str) -> Option<&Self> {
        match self {
            Self::From(_, inner) => inner.at(key),
            Self::Part(entries) | Self::Whole(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, figure)| figure)
            }
            _ => None,
        }
    }

    /// The word under a key.
    pub(super) fn word_at(&self, key: &str) -> Option<&str> {
        match self.at(key)? {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The number under a key.
    pub(super) fn real_at(&self, key: &str) -> Option<f64> {
        match self.at(key)? {
            Self::Real(value) => Some(*value),
            _ => None,
        }
    }

    /// Bounds under two keys.
    #[must_use]
    pub(super) fn and_bounds(self, keys: [&str; 2], bounds: Bounds) -> Self {
        self.and([(keys[0], Self::Real(bounds.low)), (keys[1], Self::Real(bounds.high))])
    }
}
