//! What the parts of a path have in common: a table with a name, whose keys depend on one word.
//!
//! Must not know any part. Units: none. Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`.

use super::keys::{Omitted, PathKey, Section, WordRow, names};
use crate::document::{Findings, Key, Node, Span, Table};
use crate::middlebox::{MiddleboxError, MiddleboxSpec};

/// A part of a path while it is read.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    pub(super) key: &'t Key,
    pub(super) table: &'t Table,
    /// For people: "action `overtake`".
    pub(super) what: String,
}

impl<'t> Piece<'t> {
    /// `[path.PATH.NAME]`, where it is there and a table.
    pub(super) fn of(findings: &mut Findings, path: &'t Table, name: &str) -> Option<Self> {
        let (key, node) = path.entry(name)?;
        let what = format!("`{name}`");
        let table = findings.table(node, &what)?;
        Some(Self { key, table, what })
    }

    /// Where a key's value stands; the piece's own name where it does not say it.
    pub(super) fn place(&self, name: &str) -> Span {
        self.table.get(name).map_or(self.key.span.clone(), |node| node.span.clone())
    }

    /// Asks the middlebox about this piece alone, so that the problems of all pieces are seen at once.
    pub(super) fn check(&self, findings: &mut Findings, alone: &MiddleboxSpec) {
        let Err(error) = alone.check() else { return };
        let (span, message, label) = match error {
            MiddleboxError::Spec { key, what, .. } => {
                let name = key.trim_end_matches("_ns").trim_end_matches("_ppm");
                let span = place_within(self.table, name).unwrap_or(self.key.span.clone());
                (span, format!("`{name}` of {} has no valid value", self.what), what.to_owned())
            }
            MiddleboxError::UnknownAction { .. }
            | MiddleboxError::NoBox { .. }
            | MiddleboxError::Socket { .. }
            | MiddleboxError::Stopped { .. }
            | MiddleboxError::Silent { .. } => {
                let message = format!("{} is not valid", self.what);
                (self.key.span.clone(), message, error.to_string())
            }
        };
        findings.report(span, message, label);
    }
}

/// The value of a key of this table, or of a table in it.
fn place_within(table: &Table, name: &str) -> Option<Span> {
    table
        .get(name)
        .map(|node| node.span.clone())
        .or_else(|| table.entries.iter().find_map(|(_, node)| place_within(node.value.as_table()?, name)))
}

/// The value of a key that must be written.
pub(super) fn required<T>(
    findings: &mut Findings,
    of: &Piece<'_>,
    rows: &[PathKey],
    name: &str,
    read: impl FnOnce(&mut Findings, &Node) -> Option<T>,
) -> Option<T> {
    if let Some(node) = of.table.get(name) {
        return read(findings, node);
    }
    let example = rows.iter().find(|row| row.name == name).map(|row| row.omitted);
    if let Some(Omitted::Required(example)) = example {
        findings.missing(of.key.span.clone(), &of.what, name, example);
    }
    None
}

/// Every `[path.PATH.KIND.NAME]`, in file order.
pub(super) fn each<T>(
    findings: &mut Findings,
    path: &Table,
    kind: &str,
    mut read: impl FnMut(&mut Findings, &Piece<'_>) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    let Some((outer, node)) = path.entry(kind) else { return all };
    let Some(table) = findings.table(node, &format!("`{kind}`")) else { return all };
    if table.entries.is_empty() {
        findings
            .report(outer.span.clone(), format!("`{kind}` is empty"), "declares nothing")
            .help(format!("give each a name: [path.NAME.{kind}.NAME]"));
    }
    // Where the name was forgotten, one word about that is enough.
    if let Some((key, node)) = table.entries.iter().find(|(_, node)| node.value.as_table().is_none()) {
        nameless(findings, outer, key, node, kind);
        return all;
    }
    for (key, node) in &table.entries {
        let what = format!("{kind} `{}`", key.name);
        let Some(table) = findings.table(node, &what) else { continue };
        check_name(findings, key, kind);
        all.extend(read(findings, &Piece { key, table, what }));
    }
    all
}

fn name_of(kind: &str) -> String {
    let article = if kind.starts_with('a') { "an" } else { "a" };
    format!("the name of {article} {kind}")
}

/// `[path.p.action]` with the keys of an action: the name was forgotten.
fn nameless(findings: &mut Findings, outer: &Key, key: &Key, node: &Node, kind: &str) {
    findings
        .report(
            key.span.clone(),
            format!("`{}` is written where {} is expected", key.name, name_of(kind)),
            format!("its value is {}, not a table", node.value.kind()),
        )
        .also(outer.span.clone(), "the name is missing here")
        .help(format!("give each a name: [path.NAME.{kind}.NAME]"));
}

/// Names appear between the dots of counters: `action.NAME.matched`.
fn check_name(findings: &mut Findings, key: &Key, kind: &str) {
    let formed = key.name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.name.len() <= 40
        && key.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !formed {
        findings
            .report(key.span.clone(), format!("`{}` cannot be {}", key.name, name_of(kind)), "not a name")
            .help("a name is made of at most 40 letters, digits, `-` and `_`: it appears in the names of counters");
    }
}

/// The word of `do`, after every key was reported that this word does not have.
pub(super) fn read_do(
    findings: &mut Findings,
    piece: &Piece<'_>,
    section: &'static Section,
) -> Option<&'static WordRow> {
    let Piece { table, what, .. } = piece;
    let (common, words) = (names(section.keys), section.words);
    let word =
        required(findings, piece, section.keys, "do", |findings, node| known_word(findings, node, words));
    for (key, _) in &table.entries {
        let name = key.name.as_str();
        let has = |word: &WordRow| word.keys.iter().any(|row| row.name == name);
        if common.contains(&name) || word.is_some_and(has) {
            continue;
        }
        let of: Vec<&str> = words.iter().filter(|word| has(word)).map(|word| word.word).collect();
        match word {
            Some(word) if of.is_empty() => {
                let known: Vec<&str> = common.iter().copied().chain(names(word.keys)).collect();
                findings.unknown_key(key, &format!("{what} with do = \"{}\"", word.word), &known);
            }
            Some(word) => refuse_foreign_key(findings, piece, key, word.word, &of),
            None if of.is_empty() => {
                let all = words.iter().flat_map(|word| names(word.keys));
                let mut known: Vec<&str> = Vec::new();
                for name in common.iter().copied().chain(all) {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
                findings.unknown_key(key, what, &known);
            }
            // Which keys there are is not known before the word is.
            None => {}
        }
    }
    word
}

fn refuse_foreign_key(findings: &mut Findings, piece: &Piece<'_>, key: &Key, word: &str, of: &[&str]) {
    let those = match of {
        [first, _, _, ..] => format!("do = \"{first}\" and others"),
        few => few.iter().map(|word| format!("do = \"{word}\"")).collect::<Vec<_>>().join(" or "),
    };
    findings
        .report(
            key.span.clone(),
            format!("`{}` has no meaning in {}", key.name, piece.what),
            format!("belongs to {those}"),
        )
        .also(piece.place("do"), format!("this is `{word}`"))
        .help("leave it out");
}

/// A value of `do`.
fn known_word(findings: &mut Findings, node: &Node, words: &'static [WordRow]) -> Option<&'static WordRow> {
    let word = findings.string(node, "`do`")?;
    if let Some(known) = words.iter().find(|known| known.word == word) {
        return Some(known);
    }
    let help = findings.hint(word, words.iter().map(|known| known.word), "there are");
    findings
        .report(node.span.clone(), format!("`do` cannot be `{word}`"), "not one of the allowed words")
        .maybe_help(help);
    None
}
