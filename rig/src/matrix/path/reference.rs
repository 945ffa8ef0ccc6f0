//! The reference of a path's keys, as text for `docs/paths.md`.
//!
//! Pure: made of the list of keys and of what excludes what. Must not know how a key is read. Units: none. Errors: none.
//! Tests: `tests/reference.rs`, which also writes the page.

use std::fmt::Write;

use super::keys::{Kind, LINK, Omitted, PathKey, SECTIONS, Section};
use crate::path::Work;

/// Every key of a path, table by table, in Markdown.
pub fn reference() -> String {
    let mut text = String::from("## `[path.NAME]`: the link\n\n");
    keys(&mut text, LINK.iter().map(|row| (row, None)));
    for section in SECTIONS {
        describe(&mut text, section);
    }
    text.push_str("\n## What does not go together\n\n| on one path | why |\n|---|---|\n");
    for (one, other, why) in Work::exclusions() {
        line(&mut text, &[&format!("{} and {}", one.words(), other.words()), why]);
    }
    text
}

/// One row of a table. Writing to a string cannot fail.
fn line(text: &mut String, cells: &[&str]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn describe(text: &mut String, section: &Section) {
    let Section { name, named, by, about, keys: common, words } = section;
    let own_name = if *named { ".NAME" } else { "" };
    let _ = write!(text, "\n## `[path.NAME.{name}{own_name}]` ({by})\n\n{about}\n\n");
    let mut rows: Vec<(&PathKey, Option<String>)> = common.iter().map(|row| (row, None)).collect();
    for word in *words {
        for row in word.keys {
            let of = format!("`{}`", word.word);
            match rows.iter_mut().find(|(known, _)| known.name == row.name) {
                Some((_, Some(words))) => words.push_str(&format!(" {of}")),
                Some((_, None)) => {}
                None => rows.push((row, Some(of))),
            }
        }
    }
    keys(text, rows);
    if !words.is_empty() {
        text.push_str("\n| `do` | by | meaning |\n|---|---|---|\n");
        for word in *words {
            line(text, &[&format!("`{}`", word.word), word.by, word.about]);
        }
    }
}

/// A table of keys, each with the words of `do` that alone have it.
fn keys<'r>(text: &mut String, rows: impl IntoIterator<Item = (&'r PathKey, Option<String>)>) {
    text.push_str("| key | value | if left out | meaning |\n|---|---|---|---|\n");
    for (row, of) in rows {
        let about = of.map_or(row.about.to_owned(), |words| format!("{}; of {words} only", row.about));
        line(text, &[&format!("`{}`", row.name), &written(&row.kind), &left_out(row.omitted), &about]);
        for inner in row.inner {
            let name = format!("`{}.{}`", row.name, inner.name);
            line(text, &[&name, &written(&inner.kind), &left_out(inner.omitted), inner.about]);
        }
    }
}

fn left_out(omitted: Omitted) -> String {
    match omitted {
        Omitted::Required(_) => "required".to_owned(),
        Omitted::Same(value) => format!("`{}`", value.trim_matches('"')),
        Omitted::Means(meaning) => meaning.to_owned(),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}

fn written(kind: &Kind) -> String {
    match kind {
        Kind::Count(least, u32::MAX, unit) => format!("{unit}, from {least}"),
        Kind::Count(least, most, unit) => format!("{unit}, {least} to {most}"),
        Kind::Time => "time".to_owned(),
        Kind::Share => "share".to_owned(),
        Kind::Rate => "`bit` `kbit` `mbit` `gbit` per second".to_owned(),
        Kind::Port => "port".to_owned(),
        Kind::Flag => "`true` `false`".to_owned(),
        Kind::Bytes => "bytes as text".to_owned(),
        Kind::Name => "a name".to_owned(),
        Kind::Towards => listed(&["to_peer", "to_target", "both"]),
        Kind::Word(words) => listed(words),
        Kind::Do => "see below".to_owned(),
        Kind::Words(words) => format!("list of {}", listed(words)),
        Kind::Directed(kind) => format!("by direction: {}", written(kind)),
        Kind::Table => "table".to_owned(),
    }
}
