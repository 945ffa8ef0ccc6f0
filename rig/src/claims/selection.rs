//! Reads a selection of cells.
//!
//! Must not know which part or rule it belongs to. Units: none. Errors: findings of the file. Tests: `tests.rs`.

use std::collections::BTreeMap;

use super::cells::{Cells, Words};
use super::keys::{self, names};
use crate::document::{Findings, Node, Value};

/// A selection of cells: `{ scenario = "rst", path = ["direct", "rtt-*"] }`.
pub(super) fn selection(node: &Node, findings: &mut Findings, what: &str) -> Option<Cells> {
    let table = findings.table(node, what)?;
    findings.refuse_unknown_keys(table, what, &names(keys::CELLS));
    if table.get("scenario").is_none() {
        findings.missing(
            node.span.clone(),
            what,
            "scenario",
            "`scenario = \"rst\"`, or `\"*\"` for all that name the claim",
        );
    }
    let mut parameters = BTreeMap::new();
    if let Some(node) = table.get("parameters")
        && let Some(given) = findings.table(node, "`parameters`")
    {
        for (key, node) in &given.entries {
            if let Some(words) = words(node, findings, &format!("parameter `{}`", key.name)) {
                parameters.insert(key.name.clone(), words);
            }
        }
    }
    let mut axis = |key: &str| {
        table.get(key).and_then(|node| words(node, findings, &format!("`{key}`"))).unwrap_or_default()
    };
    Some(Cells {
        scenario: axis("scenario"),
        path: axis("path"),
        configuration: axis("configuration"),
        kernel: axis("kernel"),
        parameters,
    })
}

/// One word or a list of words.
fn words(node: &Node, findings: &mut Findings, what: &str) -> Option<Words> {
    let words: Vec<String> = match &node.value {
        Value::String(one) => vec![one.clone()],
        Value::Array(_) => findings.strings(node, what)?.into_iter().map(|(word, _)| word).collect(),
        _ => return findings.mismatch(node, what, "a string, or a list of strings"),
    };
    if words.is_empty() || words.iter().any(|word| word.trim_start_matches('!').is_empty()) {
        let help = "leave it out for all of them, or write `\"*\"`";
        findings.report(node.span.clone(), format!("{what} names nothing"), "empty").help(help);
    }
    Some(Words(words))
}
