//! The reference of a path's keys, as text for `docs/paths.md`.
//!
//! Made of the list of keys and of what excludes what. Must not know how a key is read. Units: none. Errors: none. Tests: below.

use std::fmt::Write as _;

use rig::matrix::path_keys::{Kind, LINK, Omitted, PathKey, SECTIONS, Section};
use rig::path::Work;

use crate::markdown::{codes, head, row};
use crate::part::Part;

pub(crate) const PARTS: &[Part] = &[Part { topic: "paths", name: "keys", make: reference }];

/// Every key of a path, table by table, in Markdown.
fn reference() -> String {
    let mut text = String::from("## `[path.NAME]`: the link\n\n");
    keys(&mut text, LINK.iter().map(|row| (row, None)));
    for section in SECTIONS {
        describe(&mut text, section);
    }
    text.push_str("\n## What does not go together\n\n");
    head(&mut text, &["on one path", "why"]);
    for (one, other, why) in Work::exclusions() {
        row(&mut text, &[&format!("{} and {}", one.words(), other.words()), why]);
    }
    text
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
        text.push('\n');
        head(text, &["`do`", "by", "meaning"]);
        for word in *words {
            row(text, &[&format!("`{}`", word.word), word.by, word.about]);
        }
    }
}

/// A table of keys, each with the words of `do` that alone have it.
fn keys<'r>(text: &mut String, rows: impl IntoIterator<Item = (&'r PathKey, Option<String>)>) {
    head(text, &["key", "value", "if left out", "meaning"]);
    for (key, of) in rows {
        let about = of.map_or(key.about.to_owned(), |words| format!("{}; of {words} only", key.about));
        row(text, &[&format!("`{}`", key.name), &written(&key.kind), &left_out(key.omitted), &about]);
        for inner in key.inner {
            let name = format!("`{}.{}`", key.name, inner.name);
            row(text, &[&name, &written(&inner.kind), &left_out(inner.omitted), inner.about]);
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
        Kind::Towards => codes(["to_peer", "to_target", "both"]),
        Kind::Word(words) => codes(*words),
        Kind::Do => "see below".to_owned(),
        Kind::Words(words) => format!("list of {}", codes(*words)),
        Kind::Directed(kind) => format!("by direction: {}", written(kind)),
        Kind::Table => "table".to_owned(),
    }
}

#[test]
fn every_key_and_every_deed_is_on_the_page() {
    let text = crate::part::page("paths");
    let on_page = |shown: String| assert!(text.contains(&shown), "{shown} is not in the reference");
    let rows = |rows: &[PathKey]| {
        for row in rows {
            on_page(format!("| `{}` |", row.name));
            row.inner.iter().for_each(|inner| on_page(format!("| `{}.{}` |", row.name, inner.name)));
        }
    };
    rows(LINK);
    for section in SECTIONS {
        let own_name = if section.named { ".NAME" } else { "" };
        on_page(format!("[path.NAME.{}{own_name}]", section.name));
        rows(section.keys);
        for word in section.words {
            on_page(format!("| `{}` |", word.word));
            rows(word.keys);
        }
    }
}
