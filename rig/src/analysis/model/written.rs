//! How typed parts of the model are written: as the words that a reader gets.
//!
//! Holds the serializers that several parts share, and the grammar of an errno's name. Must not know what is said.
//! Units: none. Errors: the serializer's. Tests: the golden reports (`tests/golden/shape.rs`, against the schema).

use std::fmt::Display;

use serde::Serializer;

use super::reason::told;

/// How an errno is written: its name (errno(3)), or `errno 4095` where it has none.
pub(super) const ERRNO_NAME: &str = "^(E[A-Z0-9]+|errno [0-9]+)$";

pub(super) fn as_name<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Empty where there is nothing to say.
pub(super) fn as_words<S: Serializer>(
    reason: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&told(reason))
}

pub(super) fn as_sentences<S: Serializer>(all: &[impl Display], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().map(ToString::to_string))
}
