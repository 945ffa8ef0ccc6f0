//! The data dictionary, `docs/record.md`: its tables are made of the schemas, the columns and the labels, and are what these say now.

#[path = "dictionary/fields.rs"]
mod fields;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rig::report::{Column, FileSchema};
use rig_protocol::Errno;
use serde_json::{Value, json};

use fields::{row, tables};

/// The name of a generated part of the page, in its first and last lines, and what stands between these.
type Part = (&'static str, fn() -> String);

const PARTS: [Part; 3] = [("fields", of_files), ("columns", of_columns), ("labels", of_labels)];

fn of_files() -> String {
    let sections = FileSchema::ALL.iter().map(|file| {
        let schema = file.schema();
        let about = schema["description"].as_str().expect("every file is described");
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, files) = (file.name, file.files);
        let tables = tables(&fields::fields(&schema));
        format!("### `{files}`\n\n{about} Its schema: `rig report --schema={name}`.\n\n{tables}")
    });
    sections.collect::<Vec<_>>().join("\n")
}

fn of_columns() -> String {
    let mut text = String::from("| column | meaning |\n|---|---|\n");
    for column in Column::ALL {
        row(&mut text, &[&format!("`{}`", column.name), column.about]);
    }
    text
}

fn of_labels() -> String {
    let mut text = String::from("| operation | labels of its success |\n|---|---|\n");
    for operation in rig_protocol::schemas() {
        let words: Vec<String> = operation.labels.words.iter().map(|word| format!("`{word}`")).collect();
        row(&mut text, &[&format!("`{}`", operation.name), &words.join(" ")]);
    }
    text.push_str("\n| errno | number |\n|---|---|\n");
    for name in Errno::names() {
        let Errno(number) = name.parse().expect("a name of the table");
        row(&mut text, &[&format!("`{name}`"), &number.to_string()]);
    }
    text
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/record.md")
}

fn written() -> String {
    fs::read_to_string(page()).expect("the page is there")
}

/// `RIG_WRITE_DOCS=1` writes the page.
#[test]
fn the_page_says_what_the_code_says() {
    let old = written();
    let mut new = old.clone();
    for (name, make) in PARTS {
        let begin = format!(
            "<!-- {name}: generated; `RIG_WRITE_DOCS=1 cargo test -p rig --test golden dictionary` writes it -->\n"
        );
        let end = format!("<!-- end of {name} -->\n");
        let (before, rest) = new.split_once(&begin).unwrap_or_else(|| panic!("no part {name}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("part {name} has no end"));
        new = format!("{before}{begin}\n{}\n{end}{after}", make());
    }
    if std::env::var_os("RIG_WRITE_DOCS").is_some() {
        fs::write(page(), new).expect("the page can be written");
    } else {
        assert!(
            new == old,
            "docs/record.md is not what the code says; the first lines of its generated parts say how to write it"
        );
    }
}

/// The names of the properties of a schema, wherever they stand in it: found without the walk that makes the tables.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(named) = schema["properties"].as_object() {
        found.extend(named.keys().cloned());
    }
    let inner: Vec<&Value> = match schema {
        Value::Object(object) => object.values().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    inner.into_iter().for_each(|value| properties(value, found));
}

#[test]
fn every_property_of_every_schema_is_on_the_page_and_described() {
    let page = written();
    for file in FileSchema::ALL {
        let mut names = BTreeSet::new();
        properties(&file.schema(), &mut names);
        assert!(names.len() > 1, "{}", file.name);
        for name in names {
            let ends = [format!("| `{name}` |"), format!(".{name}` |")];
            let lines: Vec<&str> =
                page.lines().filter(|line| ends.iter().any(|end| line.contains(end))).collect();
            assert!(!lines.is_empty(), "{name} of {} is not on the page", file.name);
            assert!(lines.iter().all(|line| !line.contains("|  |")), "without a meaning: {lines:?}");
        }
    }
}

#[test]
fn every_column_is_described_once() {
    let names: BTreeSet<&str> = Column::ALL.iter().map(|column| column.name).collect();
    assert_eq!(names.len(), Column::ALL.len());
    assert!(Column::ALL.iter().all(|column| column.about.ends_with('.')));
}

/// What the schemas of the record have and that of a report may not: cases of a tagged choice, null, maps of lists, a type that holds itself.
#[test]
fn a_schema_of_every_kind_becomes_a_table() {
    let schema = json!({
        "properties": {
            "id": { "type": "string", "description": "Its\n name." },
            "inner": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
            "lists": { "type": "object", "additionalProperties": { "type": "array", "items": { "$ref": "#/$defs/Inner" } } },
            "word": { "$ref": "#/$defs/Word", "description": "Which." },
        },
        "required": ["word", "id", "inner"],
        "oneOf": [
            { "properties": { "status": { "const": "done", "type": "string", "description": "All." } }, "required": ["status"] },
            {
                "properties": {
                    "reason": { "type": "string", "description": "Why." },
                    "status": { "const": "void", "type": "string", "description": "None." },
                },
                "required": ["status", "reason"],
            },
        ],
        "$defs": {
            "Inner": {
                "type": "object",
                "description": "A thing.",
                "properties": {
                    "self": { "type": "array", "items": { "$ref": "#/$defs/Inner" } },
                    "share": { "type": "number", "minimum": 0, "maximum": 1 },
                },
                "required": ["share"],
            },
            "Word": { "oneOf": [{ "const": "a", "description": "First." }, { "enum": ["b"], "type": "string" }] },
        },
    });
    insta::assert_snapshot!("dictionary_of_every_kind", tables(&fields::fields(&schema)));
}
