//! The generated parts of `docs/matrix.md` and `docs/configurations.md`: every table of the matrix file but that of paths.
//!
//! Made of `matrix::keys`. Must not know how a file is read. Units: as the rows say. Errors: none. Tests: below.

use rig::matrix::keys::{CONFIGURATION_WORDS, KeyRow, KeyTable, TABLES, Unsaid, ValueKind};

use crate::markdown::{code, codes, head, row, sentence};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[
    Part { topic: "matrix", name: "tables", make: tables },
    Part { topic: "configurations", name: "keys", make: configuration_keys },
    Part { topic: "configurations", name: "words", make: configuration_words },
];

/// The table with a page of its own.
const CONFIGURATION: &str = "[configuration.NAME]";

fn tables() -> String {
    let sections = TABLES.iter().filter(|table| table.head != CONFIGURATION).map(|table| {
        let title = if table.head.starts_with('[') {
            code(table.head)
        } else {
            sentence(table.head).replace('.', "")
        };
        let more = table.more.map(|more| format!("\nAlso a key: {more}.\n")).unwrap_or_default();
        format!("### {title}\n\n{}\n\n{}{more}", sentence(table.about), rows(table))
    });
    sections.collect::<Vec<_>>().join("\n")
}

fn configuration() -> &'static KeyTable {
    TABLES.iter().find(|table| table.head == CONFIGURATION).expect("the matrix file has configurations")
}

fn configuration_keys() -> String {
    rows(configuration())
}

fn configuration_words() -> String {
    let mut text = String::new();
    head(&mut text, &["key", "word", "meaning", "what it needs"]);
    for word in CONFIGURATION_WORDS {
        row(&mut text, &[&code(word.key), &code(word.word), word.about, word.needs]);
    }
    text
}

fn rows(table: &KeyTable) -> String {
    let mut text = String::new();
    head(&mut text, &["key", "value", "if left out", "meaning"]);
    for key in table.rows() {
        row(&mut text, &[&code(key.name), &value(key), &unsaid(key), key.about]);
    }
    text
}

fn value(key: &KeyRow) -> String {
    match key.kind {
        ValueKind::Word(words) => codes(words()),
        ValueKind::Text => "text".to_owned(),
        ValueKind::Values => "one value or a list".to_owned(),
        ValueKind::Count { least, most, unit } => format!("{unit}, {least} to {most}"),
        ValueKind::Fraction => "a number between 0 and 1".to_owned(),
        ValueKind::Flag => codes([true, false]),
        ValueKind::Time => "time, `\"5min\"`".to_owned(),
        ValueKind::Rate => "share of the trials, `\"0.1%\"`".to_owned(),
        ValueKind::Table => "table".to_owned(),
        ValueKind::Named => format!("tables {}", code(format!("[{}.NAME]", key.name))),
        ValueKind::Tables => format!("tables {}", code(format!("[[{}]]", key.name))),
    }
}

fn unsaid(key: &KeyRow) -> String {
    match key.unsaid {
        Unsaid::Required { .. } => "required".to_owned(),
        Unsaid::Count(count) => code(count),
        Unsaid::Fraction(fraction) => code(fraction),
        Unsaid::Flag(flag) => code(flag),
        Unsaid::Word(word) => code(word),
        Unsaid::Seconds(seconds) => format!("{seconds} s"),
        Unsaid::Means(meaning) => meaning.to_owned(),
    }
}

#[test]
fn every_key_of_every_table_and_every_word_is_on_a_page() {
    let (matrix, configurations) = (page("matrix"), page("configurations"));
    for table in TABLES {
        let page = if table.head == CONFIGURATION { &configurations } else { &matrix };
        assert!(page.to_lowercase().contains(&table.head.to_lowercase()), "{}", table.head);
        for key in table.rows() {
            let line = format!("| `{}` | {} |", key.name, value(key));
            assert!(page.contains(&line), "{line} of {}", table.head);
        }
    }
    for word in CONFIGURATION_WORDS {
        let line = format!("| `{}` | `{}` | {} |", word.key, word.word, word.about);
        assert!(configurations.contains(&line), "{line}");
    }
}
