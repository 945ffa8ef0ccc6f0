//! What a row of the list of keys says: name, kind of value, what is meant without it, one line about it.
//!
//! Plain data. Must not know any key. Units: none. Errors: none. Tests: `tests/reference.rs`.

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number from, to, and of what.
    Count(u32, u32, &'static str),
    /// `"5ms"`
    Time,
    /// `"1%"`
    Share,
    /// `"10mbit"`
    Rate,
    /// A TCP port.
    Port,
    /// `true` or `false`
    Flag,
    /// Bytes as text.
    Bytes,
    /// The name of another part of the path.
    Name,
    /// `"to_peer"`, `"to_target"` or `"both"`
    Towards,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of the section's words.
    Do,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A table with one value of this kind per direction: `{ to_target = VALUE }`.
    Directed(&'static Kind),
    /// A table of further keys.
    Table,
}

/// What is meant where the key is not written.
#[derive(Debug, Clone, Copy)]
pub enum Omitted {
    /// It must be written; this is what the reader is told to add.
    Required(&'static str),
    /// The same as this value.
    Same(&'static str),
    /// Nothing that a value could say.
    Means(&'static str),
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct PathKey {
    /// As it is written.
    pub name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// What is meant where it is not written.
    pub omitted: Omitted,
    /// One line about it.
    pub about: &'static str,
    /// The keys in its table, beside directions.
    pub inner: &'static [PathKey],
}

/// What `do` can be.
#[derive(Debug)]
pub struct WordRow {
    /// As it is written.
    pub word: &'static str,
    /// The keys that only this word has.
    pub keys: &'static [PathKey],
    /// Who does it.
    pub by: &'static str,
    /// One line about it.
    pub about: &'static str,
}

/// A table of the file.
#[derive(Debug)]
pub struct Section {
    /// `firewall` in `[path.NAME.firewall]`.
    pub name: &'static str,
    /// Whether each has a name of its own: `[path.NAME.rule.NAME]`.
    pub named: bool,
    /// Who does it.
    pub by: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// The keys of each.
    pub keys: &'static [PathKey],
    /// What its `do` can be; empty where it has none.
    pub words: &'static [WordRow],
}

/// The names of these keys, in order.
pub(in crate::matrix::path) fn names(rows: &[PathKey]) -> Vec<&'static str> {
    rows.iter().map(|row| row.name).collect()
}

pub(super) const fn key(name: &'static str, kind: Kind, omitted: Omitted, about: &'static str) -> PathKey {
    PathKey { name, kind, omitted, about, inner: &[] }
}

pub(super) const fn with(row: PathKey, inner: &'static [PathKey]) -> PathKey {
    PathKey { inner, ..row }
}

pub(super) const ANY: Omitted = Omitted::Means("any");
pub(super) const BOTH: Omitted = Omitted::Same("\"both\"");
pub(super) const NOTHING: Omitted = Omitted::Means("none");
