//! The rows are the keys that the parser takes: no more, no fewer, and with the defaults and bounds that they say.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::configuration::{self, CONFIGURATION, CONFIGURATION_INJECT, CONFIGURATION_LOGIN};
use super::file::{CONTROL, FILE, INCLUDE, RUN};
use super::{KeyRow, KeyTable, TABLES, Unsaid, ValueKind};
use crate::configuration::TargetSpec;
use crate::matrix::{Matrix, Selection};

/// A sound file whose tables of interest can be added.
const SOUND: &str = r#"
[axes]
scenario = "fin"
configuration = "n"
kernel = "6.1"
path = "direct"
[path.direct]
"#;

/// The messages of all problems of a file that has this table with this line.
fn problems(table: &KeyTable, key: &str, value: &str) -> Vec<String> {
    let others: &[(&str, &str)] = match table.head {
        head if head == CONFIGURATION.head => &[("kind", "\"qemu\"")],
        head if head == CONTROL.head => &[("scenario", "\"control-negative\"")],
        head if head == INCLUDE.head => &[("scenario", "\"fin\"")],
        _ => &[],
    };
    let above = match table.head {
        head if head == CONFIGURATION_INJECT.head => "[configuration.n]\nkind = \"host\"\n",
        head if head == CONFIGURATION_LOGIN.head => "[configuration.n]\nkind = \"qemu\"\ndisk = \"d\"\n",
        _ => "",
    };
    let head = if table.head == FILE.head { String::new() } else { table.head.replace("NAME", "n") };
    let others = others.iter().filter(|(other, _)| *other != key);
    let others: String = others.map(|(other, value)| format!("{other} = {value}\n")).collect();
    let text = format!("{above}{head}\n{others}{key} = {value}\n");
    match Matrix::parse("m", &text, Path::new(".")) {
        Ok(_) => panic!("no file is whole with so little:\n{text}"),
        Err(problems) => problems.into_iter().map(|problem| problem.to_string()).collect(),
    }
}

fn is_unknown(table: &KeyTable, key: &str) -> bool {
    problems(table, key, "true").iter().any(|message| message.starts_with(&format!("unknown key `{key}` in")))
}

/// A value that a key of this kind cannot have.
fn wrong(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Values => "[[1]]",
        ValueKind::Flag => "1",
        ValueKind::Word(_)
        | ValueKind::Text
        | ValueKind::Count { .. }
        | ValueKind::Fraction
        | ValueKind::Time
        | ValueKind::Rate
        | ValueKind::Table
        | ValueKind::Named
        | ValueKind::Tables => "true",
    }
}

/// Whoever reads a key says that its value is wrong.
#[test]
fn every_row_is_read() {
    for table in TABLES {
        for KeyRow { name, kind, .. } in table.rows() {
            let messages = problems(table, name, wrong(*kind));
            let about_value = |message: &String| {
                (message.contains(&format!("{name}`")) || message.contains(&format!("{name}]")))
                    && (message.contains(" must be ") || message.ends_with(" is wrong"))
            };
            assert!(messages.iter().any(about_value), "{} {name}: {messages:#?}", table.head);
        }
    }
}

#[test]
fn what_is_no_row_is_no_key() {
    let mut names: BTreeSet<&str> = TABLES.iter().flat_map(KeyTable::names).collect();
    names.insert("no-such-key");
    for table in TABLES {
        let rows = table.names();
        for name in &names {
            // Of a table with further keys, what else is one depends on scenarios.
            if rows.contains(name) || table.more.is_none() {
                assert_eq!(is_unknown(table, name), !rows.contains(name), "{} {name}", table.head);
            }
        }
    }
}

#[test]
fn no_table_has_a_key_twice_and_every_row_says_what_it_is() {
    for table in TABLES {
        let names = table.names();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{}", table.head);
        assert!(table.rows().all(|row| !row.about.is_empty()) && !table.about.is_empty(), "{}", table.head);
    }
}

#[test]
fn counts_are_refused_just_outside_their_bounds() {
    for table in TABLES {
        for row in table.rows() {
            let ValueKind::Count { least, most, .. } = row.kind else { continue };
            let refused = |value: i128| {
                let wanted = format!("`{}` is out of range", row.name);
                problems(table, row.name, &value.to_string()).contains(&wanted)
            };
            let outside = [i128::from(least) - 1, i128::from(most) + 1];
            assert!(outside.into_iter().all(refused), "{} {}", table.head, row.name);
            assert!(!refused(least.into()) && !refused(most.into()), "{} {}", table.head, row.name);
        }
    }
}

/// The default of a row as it is written in a file.
fn written(row: &KeyRow) -> Option<String> {
    match row.unsaid {
        Unsaid::Count(count) => Some(count.to_string()),
        Unsaid::Fraction(fraction) => Some(fraction.to_string()),
        Unsaid::Flag(flag) => Some(flag.to_string()),
        Unsaid::Word(word) => Some(format!("\"{word}\"")),
        Unsaid::Seconds(seconds) => Some(format!("\"{seconds}s\"")),
        Unsaid::Required { .. } | Unsaid::Means(_) => None,
    }
}

fn whole(run: &str, configuration: &str) -> Matrix {
    let text = format!(
        "{SOUND}[run]\n{run}\n[configuration.n]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\n{configuration}\n"
    );
    Matrix::parse("m", &text, Path::new(".")).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn a_default_that_is_written_changes_nothing_and_another_value_does() {
    let settings = |matrix: &Matrix| matrix.select(&Selection::default()).expect("cells").settings;
    let unsaid = whole("", "");
    let mut tried = 0;
    for row in RUN.rows() {
        let Some(value) = written(row) else { continue };
        assert_eq!(
            settings(&whole(&format!("{} = {value}", row.name), "")),
            settings(&unsaid),
            "{}",
            row.name
        );
        let other = match row.unsaid {
            Unsaid::Count(count) => (count + 1).to_string(),
            Unsaid::Fraction(_) => "0.75".to_owned(),
            Unsaid::Flag(flag) => (!flag).to_string(),
            _ => "\"77s\"".to_owned(),
        };
        assert_ne!(
            settings(&whole(&format!("{} = {other}", row.name), "")),
            settings(&unsaid),
            "{}",
            row.name
        );
        tried += 1;
    }
    for row in CONFIGURATION.rows() {
        let Some(value) = written(row) else { continue };
        let same = whole("", &format!("{} = {value}", row.name));
        assert_eq!(same.configurations, unsaid.configurations, "{}", row.name);
        tried += 1;
    }
    assert!(tried > 10, "{tried} rows have a default");
}

/// What is stored of a configuration is spelled as in the file.
#[test]
fn words_of_a_configuration_are_those_of_the_record() {
    fn check<T: Serialize>(list: &[(&str, T)]) {
        for (word, value) in list {
            assert_eq!(serde_json::to_value(value).expect("plain data"), *word);
        }
    }
    check(configuration::MODELS);
    check(configuration::BACKENDS);
    check(configuration::ACCELERATORS);
    check(configuration::LOCALTIMES);
}

/// A word that a row takes is explained, once and under its key, and no other is.
#[test]
fn every_word_of_a_configuration_is_explained() {
    let words = |row: &KeyRow| match row.kind {
        ValueKind::Word(words) => words(),
        _ => Vec::new(),
    };
    let rows = configuration::CONFIGURATION.rows();
    let taken: Vec<(&str, &str)> =
        rows.flat_map(|row| words(row).into_iter().map(move |word| (row.name, word))).collect();
    let explained: Vec<(&str, &str)> =
        configuration::CONFIGURATION_WORDS.iter().map(|row| (row.key, row.word)).collect();
    assert_eq!(explained, taken);
}

/// What `rig matrix check` takes is what a plan can boot: the bounds of the rows lie within those of the machines.
#[test]
fn no_configuration_that_is_valid_is_one_that_cannot_be_booted() {
    let ends = |row: &KeyRow| match row.kind {
        ValueKind::Count { least, most, .. } => vec![least.to_string(), most.to_string()],
        ValueKind::Word(words) => words().iter().map(|word| format!("\"{word}\"")).collect(),
        _ => Vec::new(),
    };
    let mut tried = 0;
    for row in configuration::GUEST {
        for value in ends(row) {
            let others = "vcpus = 16\nnic = \"virtio-net\"\nbackend = \"tap\"\n";
            let others: String = others
                .lines()
                .filter(|line| !line.starts_with(row.name))
                .map(|line| format!("{line}\n"))
                .collect();
            let text = format!("{SOUND}[configuration.n]\nkind = \"qemu\"\n{others}{} = {value}\n", row.name);
            let matrix =
                Matrix::parse("m", &text, Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
            let TargetSpec::Qemu(spec) = &matrix.configurations[0].target else { panic!("a guest") };
            assert_eq!(crate::configuration::check(spec), Ok(()), "{text}");
            tried += 1;
        }
    }
    assert!(tried > 12, "{tried} values");
}
