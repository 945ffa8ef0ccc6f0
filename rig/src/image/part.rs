//! The tables of a recipe's file: what keys there are, and how a table is read by them.
//!
//! Must not know which keys a recipe has (`recipe.rs`). Units: none. Errors: findings at the places of the file. Tests: in `recipe.rs`.

use crate::document::{Findings, Node, Span, Table};

/// What a text must be like; the rule that it breaks.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text(Check),
    /// Of texts, none of them twice.
    List(Check),
    /// A table with keys of its own.
    Section(&'static Section),
}

/// Whether a key must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It must.
    Yes,
    /// It must, unless the table names a kernel of one's own.
    OrOwn,
    /// It need not.
    No,
}

/// A row of the table of keys.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What stands behind it.
    pub kind: Kind,
    /// Whether it must be written.
    pub required: Required,
    /// As a person would write it.
    pub example: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
}

impl Key {
    /// A line that could be added, and what it says.
    pub(super) fn proposal(&self) -> String {
        format!("`{}`: {}", self.example, self.about)
    }
}

/// A table of the file and its keys.
#[derive(Debug)]
pub struct Section {
    /// As people call it.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

pub(super) const fn text(
    name: &'static str,
    check: Check,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::Text(check), required, example, about }
}

pub(super) const fn list(
    name: &'static str,
    check: Check,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::List(check), required, example, about }
}

pub(super) const fn section(
    name: &'static str,
    section: &'static Section,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::Section(section), required, example, about }
}

/// A table of the file beside what it should hold. What cannot be read is `None`, and there is a finding for it; so is an optional key that is
/// not there, without one.
pub(super) struct Part<'a> {
    pub(super) section: &'static Section,
    pub(super) table: &'a Table,
    /// Where what is missing is told.
    place: Span,
}

impl<'a> Part<'a> {
    /// Reports keys that are unknown, and at `place` those that are missing.
    pub(super) fn open(
        findings: &mut Findings,
        section: &'static Section,
        table: &'a Table,
        place: Span,
    ) -> Self {
        let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
        findings.refuse_unknown_keys(table, section.what, &known);
        let part = Self { section, table, place };
        part.require(findings, Required::Yes);
        part
    }

    /// Reports keys that are missing, of a table that names no kernel of one's own.
    pub(super) fn require_but_for_own(&self, findings: &mut Findings) {
        self.require(findings, Required::OrOwn);
    }

    fn require(&self, findings: &mut Findings, required: Required) {
        for key in self.section.keys {
            if key.required == required && self.table.get(key.name).is_none() {
                findings.missing(self.place.clone(), self.section.what, key.name, &key.proposal());
            }
        }
    }

    /// What the table of keys says of a key, and where the file has it.
    fn find(&self, name: &str) -> Option<(Kind, Span, &'a Node)> {
        let row = self.section.keys.iter().find(|key| key.name == name);
        let kind = row.expect("what is read stands in the table of keys").kind;
        self.table.entry(name).map(|(key, node)| (kind, key.span.clone(), node))
    }

    pub(super) fn text(&self, findings: &mut Findings, name: &str) -> Option<String> {
        let (Kind::Text(check), _, node) = self.find(name)? else { return None };
        checked(findings, node, name, &format!("`{name}`"), check)
    }

    pub(super) fn list(&self, findings: &mut Findings, name: &str) -> Option<Vec<String>> {
        let (Kind::List(check), _, node) = self.find(name)? else { return None };
        let mut items: Vec<String> = Vec::new();
        let mut complete = true;
        for item in findings.list(node, &format!("`{name}`"))? {
            match checked(findings, item, name, &format!("each value of `{name}`"), check) {
                Some(text) if items.contains(&text) => {
                    findings.report(
                        item.span.clone(),
                        format!("`{name}` names {text:?} twice"),
                        "again here",
                    );
                }
                Some(text) => items.push(text),
                None => complete = false,
            }
        }
        complete.then_some(items)
    }

    pub(super) fn part(&self, findings: &mut Findings, name: &str) -> Option<Part<'a>> {
        let (Kind::Section(section), place, node) = self.find(name)? else { return None };
        let table = findings.table(node, &format!("`{name}`"))?;
        Some(Part::open(findings, section, table, place))
    }
}

/// A string that keeps the rule of its key.
fn checked(findings: &mut Findings, node: &Node, key: &str, what: &str, check: Check) -> Option<String> {
    let text = findings.string(node, what)?;
    match check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(rule) => {
            findings.report(node.span.clone(), format!("`{key}` cannot be {text:?}"), rule);
            None
        }
    }
}
