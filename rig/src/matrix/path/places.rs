//! Where the keys of a path stand, kept for what is found out only on a host: it cannot do what a key asks for.
//!
//! Must not know hosts; a [`Lack`] says what is missing. Units: none. Errors: none of its own. Tests: `tests.rs`.

use std::collections::BTreeMap;

use super::link::IMPAIRMENTS;
use crate::document::{Findings, Key, Span, Table};
use crate::path::Lack;

/// Places of one path.
#[derive(Debug, Clone)]
pub(in crate::matrix) struct Places {
    name: Span,
    keys: BTreeMap<String, Span>,
}

impl Places {
    /// Of `[path.KEY]`: every key of it, `impairments` (the first that impairs), and `action.NAME`, `rule.NAME`, `fault.NAME`.
    pub(super) fn of(key: &Key, table: &Table) -> Self {
        let mut keys = BTreeMap::new();
        for (key, node) in &table.entries {
            let whole = if key.name == "mechanism" {
                key.span.start..node.span.end.max(key.span.end)
            } else {
                key.span.clone()
            };
            if IMPAIRMENTS.contains(&key.name.as_str()) {
                keys.entry("impairments".to_owned()).or_insert_with(|| whole.clone());
            }
            keys.insert(key.name.clone(), whole);
            if let Some(inner) = node.value.as_table()
                && ["action", "rule", "fault"].contains(&key.name.as_str())
            {
                for (part, _) in &inner.entries {
                    keys.insert(format!("{}.{}", key.name, part.name), part.span.clone());
                }
            }
        }
        Self { name: key.span.clone(), keys }
    }

    /// Where the key stands; the path's name where it stands nowhere.
    fn find(&self, key: &str) -> Span {
        self.keys.get(key).unwrap_or(&self.name).clone()
    }

    /// Reports what a host, or a configuration, cannot do of this path.
    pub(in crate::matrix) fn report(&self, findings: &mut Findings, path: &str, lack: &Lack) {
        let Lack { key, why } = lack;
        let kind = key.split('.').next().unwrap_or_default();
        let (who, label, help) = match kind {
            "mechanism" => (
                "this host",
                "demanded here",
                format!(
                    "{why}\nwrite mechanism = \"auto\" and the own middlebox does it; `rig doctor` says what this host has"
                ),
            ),
            "rule" | "haproxy" => (
                "this host",
                "asked for here",
                format!("{why}\n`rig doctor` says what is missing and what to do about it"),
            ),
            // No host lacks it: it does not go together.
            _ => (
                "a configuration",
                "asked for here",
                format!(
                    "{why}\nleave these cells out: [[exclude]] with path = \"{path}\" and the configuration"
                ),
            ),
        };
        findings
            .report(self.find(key), format!("{who} cannot do what path `{path}` asks for"), label)
            .help(help);
    }
}
