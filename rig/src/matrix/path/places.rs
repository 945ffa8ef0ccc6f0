//! Where the keys of a path stand, kept for what is found out only on a host: it cannot do what a key asks for.
//!
//! Must not know hosts; a [`Lack`] says what is missing. Units: none. Errors: none of its own. Tests: `tests.rs`.

use std::collections::BTreeMap;

use crate::configuration::{AskedBy, Lack};
use crate::document::{Findings, Key, Span, Table};

/// Places of one path.
#[derive(Debug, Clone)]
pub(in crate::matrix) struct Places {
    name: Span,
    keys: BTreeMap<String, Span>,
}

impl Places {
    /// Of `[path.KEY]`: every key of it, and `rule.NAME`, `fault.NAME`.
    pub(super) fn of(key: &Key, table: &Table) -> Self {
        let mut keys = BTreeMap::new();
        for (key, node) in &table.entries {
            let whole = if key.name == "mechanism" {
                key.span.start..node.span.end.max(key.span.end)
            } else {
                key.span.clone()
            };
            keys.insert(key.name.clone(), whole);
            if let Some(inner) = node.value.as_table()
                && ["rule", "fault"].contains(&key.name.as_str())
            {
                for (part, _) in &inner.entries {
                    keys.insert(format!("{}.{}", key.name, part.name), part.span.clone());
                }
            }
        }
        Self { name: key.span.clone(), keys }
    }

    /// Where what asks for something stands; the path's name where it stands nowhere.
    fn find(&self, asked_by: AskedBy<'_>) -> Span {
        let key = match asked_by {
            AskedBy::Mechanism => Some("mechanism".to_owned()),
            AskedBy::HaProxy => Some("haproxy".to_owned()),
            AskedBy::Nat => Some("nat".to_owned()),
            AskedBy::Rule(name) => Some(format!("rule.{name}")),
            AskedBy::Fault(name) => Some(format!("fault.{name}")),
            AskedBy::Configuration | AskedBy::Path => None,
        };
        key.and_then(|key| self.keys.get(&key)).unwrap_or(&self.name).clone()
    }

    /// Reports what a host, or a configuration, cannot do of this path.
    pub(in crate::matrix) fn report(&self, findings: &mut Findings, path: &str, lack: &Lack) {
        let (who, label, help) = match lack.asked_by() {
            AskedBy::Mechanism => (
                "this host",
                "demanded here",
                format!(
                    "{lack}\nwrite mechanism = \"auto\" and rig's own middlebox does it; `rig doctor` says what this host has"
                ),
            ),
            AskedBy::Rule(_) | AskedBy::HaProxy | AskedBy::Nat => (
                "this host",
                "asked for here",
                format!("{lack}\n`rig doctor` says what is missing and what to do about it"),
            ),
            // No host lacks it: it does not go together.
            AskedBy::Path | AskedBy::Fault(_) | AskedBy::Configuration => (
                "a configuration",
                "asked for here",
                format!(
                    "{lack}\nleave these cells out: [[exclude]] with path = \"{path}\" and the configuration"
                ),
            ),
        };
        findings
            .report(self.find(lack.asked_by()), format!("{who} cannot do what path `{path}` asks for"), label)
            .help(help);
    }
}
