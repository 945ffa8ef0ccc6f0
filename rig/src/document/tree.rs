//! The tree of a TOML text with the span of every key and value, in file order.
//!
//! Plain data. Must not know how it is parsed or what it means. Units: byte offsets. Errors: none. Tests: in `parse.rs`.

use super::problem::Span;

/// A key and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Unquoted.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where.
    pub span: Span,
    /// What.
    pub value: Value,
    /// As the file spells it, for numbers and dates (empty otherwise): `1_000`, `0.010`.
    pub spelled: String,
}

/// A TOML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string of any form.
    String(String),
    /// A number without a point; `None` where it does not fit 64 bits.
    Integer(Option<i64>),
    /// A number with a point, `inf` or `nan`.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or a time.
    Datetime,
    /// `[ ... ]` or `[[ ... ]]`
    Array(Vec<Node>),
    /// `{ ... }` or `[ ... ]` as a header.
    Table(Table),
}

impl Value {
    /// What people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The table that it is, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::String(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Datetime
            | Self::Array(_) => None,
        }
    }

    /// The items that it is, if it is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match self {
            Self::Array(items) => Some(items),
            Self::String(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Datetime
            | Self::Table(_) => None,
        }
    }

    /// The string that it is, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Integer(_)
            | Self::Float(_)
            | Self::Boolean(_)
            | Self::Datetime
            | Self::Array(_)
            | Self::Table(_) => None,
        }
    }
}

/// Keys and values, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Where: its braces, or its header.
    pub span: Span,
    /// In file order.
    pub entries: Vec<(Key, Node)>,
}

impl Table {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Key and value of `name`.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Node)> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }
}

/// A key as a TOML text has it: bare where that is allowed.
pub fn key_text(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}
