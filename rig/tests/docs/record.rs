//! The generated parts of the data dictionary, `docs/record.md`: made of the schemas, the columns and the labels.
//!
//! Must not know how a run is written. Units: none. Errors: none. Tests: below.

use std::collections::BTreeSet;

use rig::report::{Column, FileSchema};
use rig_protocol::Errno;
use serde_json::{Value, json};

use crate::fields::{self, tables};
use crate::markdown::{code, codes, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[
    Part { topic: "record", name: "fields", make: of_files },
    Part { topic: "record", name: "columns", make: of_columns },
    Part { topic: "record", name: "labels", make: of_labels },
];

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
    let mut text = String::new();
    head(&mut text, &["column", "meaning"]);
    for column in Column::ALL {
        row(&mut text, &[&code(column.name), column.about]);
    }
    text
}

fn of_labels() -> String {
    let mut text = String::new();
    head(&mut text, &["operation", "labels of its success"]);
    for operation in rig_protocol::schemas() {
        row(&mut text, &[&code(operation.name), &codes(operation.labels.words)]);
    }
    text.push('\n');
    head(&mut text, &["errno", "number"]);
    for name in Errno::names() {
        let Errno(number) = name.parse().expect("a name of the table");
        row(&mut text, &[&code(name), &number.to_string()]);
    }
    text
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
    let page = page("record");
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
