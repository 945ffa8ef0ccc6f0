//! Reading of single values as their rows say.
//!
//! Must not know what a value is for. Units: as the rows say.
//! Errors: problems at the value, or at the table's name where a key is missing. Tests: `keys/tests.rs`, `tests/diagnostics.rs`.

use super::keys::file::KNOWN;
use super::keys::{self, KeyRow};
use crate::document::{Findings, Key, Node, Table};

/// The count that a key says, where it says one.
pub(super) fn count(findings: &mut Findings, table: &Table, row: &KeyRow) -> Option<u64> {
    findings.count(table.get(row.name)?, &row.quoted(), &row.bounds())
}

/// [`count`], of a row whose counts are small.
pub(super) fn small(findings: &mut Findings, table: &Table, row: &KeyRow) -> Option<u32> {
    count(findings, table, row).and_then(|count| u32::try_from(count).ok())
}

/// What a key says, or the default of its row; `None` where it says something wrong.
pub(super) fn small_or_default(findings: &mut Findings, table: &Table, row: &KeyRow) -> Option<u32> {
    if table.get(row.name).is_none() { Some(row.default_small()) } else { small(findings, table, row) }
}

/// The number between 0 and 1 that a key says, where it says one.
pub(super) fn fraction(findings: &mut Findings, table: &Table, row: &KeyRow) -> Option<f64> {
    findings.fraction(table.get(row.name)?, &row.quoted())
}

/// What the word means that a key says, or that of the default of its row; `None` where it says something wrong.
pub(super) fn word_or_default<T: Copy>(
    findings: &mut Findings,
    table: &Table,
    row: &KeyRow,
    words: &[(&str, T)],
) -> Option<T> {
    match table.get(row.name) {
        Some(node) => choice(findings, node, &row.quoted(), words),
        None => words.iter().find(|(word, _)| *word == row.default_word()).map(|(_, value)| *value),
    }
}

/// The value of a key that must be written. `key` is the table's name, `what` is how problems call the table.
pub(super) fn required<'t>(
    findings: &mut Findings,
    table: &'t Table,
    (key, what): (&Key, &str),
    row: &KeyRow,
) -> Option<&'t Node> {
    let found = table.get(row.name);
    if found.is_none() {
        findings.missing(key.span.clone(), what, row.name, row.example());
    }
    found
}

/// What the word means that a key says, which must be written.
pub(super) fn required_word<T: Copy>(
    findings: &mut Findings,
    table: &Table,
    name: (&Key, &str),
    row: &KeyRow,
    words: &[(&str, T)],
) -> Option<T> {
    let node = required(findings, table, name, row)?;
    choice(findings, node, &row.quoted(), words)
}

/// One of a closed list of words, each with its meaning.
pub(super) fn choice<T: Copy>(
    findings: &mut Findings,
    node: &Node,
    what: &str,
    words: &[(&str, T)],
) -> Option<T> {
    let word = findings.string(node, what)?;
    let found = words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    if found.is_none() {
        let help = findings.hint(word, words.iter().map(|(name, _)| *name), "there are");
        findings
            .report(node.span.clone(), format!("{what} cannot be `{word}`"), "not one of the allowed words")
            .maybe_help(help);
    }
    found
}

/// The value of a key that need not be said.
pub(super) fn optional<T>(
    table: &Table,
    name: &str,
    default: T,
    read: impl FnOnce(&Node) -> Option<T>,
) -> Option<T> {
    match table.get(name) {
        Some(node) => read(node),
        None => Some(default),
    }
}

/// A key of a table of errnos: the name of one, or `any_error`. `table` is how problems call it.
pub(super) fn check_errno(findings: &mut Findings, key: &Key, table: &str) {
    let any = keys::file::ANY_ERROR.name;
    if key.name != any && key.name.parse::<rig_protocol::Errno>().is_err() {
        let known = std::iter::once(any).chain(rig_protocol::Errno::names());
        let help = findings.hint(&key.name, known, &format!("its keys are `{any}` and the names of errnos"));
        findings
            .report(key.span.clone(), format!("unknown key `{}` in {table}", key.name), "not an errno")
            .maybe_help(help);
    }
}

/// Names appear in filters, ids and file names.
pub(super) fn check_name(findings: &mut Findings, key: &Key, what: &str) {
    let formed = key.name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !formed {
        findings
            .report(key.span.clone(), format!("`{}` cannot be the name of a {what}", key.name), "not a name")
            .help(
                "a name is made of letters, digits, `-`, `_` and `.`: it appears in filters and file names",
            );
    }
}

/// `known`, in words.
pub(super) fn read_known(findings: &mut Findings, table: &Table) -> Option<String> {
    let node = table.get(KNOWN.name)?;
    let words = findings.string(node, &KNOWN.quoted())?.trim();
    if words.is_empty() {
        findings
            .report(node.span.clone(), "`known` is wrong", "no reason")
            .help("it is shown in the report: say in a few words why trials end otherwise here");
        return None;
    }
    Some(words.to_owned())
}
