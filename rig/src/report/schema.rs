//! The JSON Schemas of what is written, one row per kind of file.
//!
//! Holds the list and how a schema is made of a type: as it is written, in draft 2020-12, keys sorted. Must not describe a field: the types' own
//! comments do.
//! Units: none. Errors: none; a name that is not in the list has no schema.
//! Tests: here, `tests/golden/shape.rs`, `tests/golden/dictionary.rs`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::json::pretty;
use crate::analysis::model::{Replay, ReportModel, RunComparison, ScenarioRun};
use crate::history::History;
use crate::record::JournalLine;
use crate::record::format::{BlockRecord, Lock, RunRecord, TrialsLine};

/// The schema of a kind of file.
#[derive(Debug, Clone, Copy)]
pub struct FileSchema {
    /// What a user calls it (`rig report --schema=NAME`).
    pub name: &'static str,
    /// The files that it describes, under the run's folder; or the command whose answer it describes.
    pub files: &'static str,
    make: fn() -> Value,
}

/// The kinds of files that have a schema. A new one is its row here; `docs/record.md` then has its section.
const ALL: &[FileSchema] = &[
    FileSchema { name: "report", files: "report.json", make: schema_of::<ReportModel> },
    FileSchema { name: "run", files: "run.json", make: schema_of::<RunRecord> },
    FileSchema { name: "journal", files: "journal.jsonl", make: schema_of::<JournalLine> },
    FileSchema { name: "block", files: "blocks/*.json", make: schema_of::<BlockRecord> },
    FileSchema { name: "trial", files: "anomalies/*.jsonl", make: schema_of::<TrialsLine> },
    FileSchema {
        name: "scenario-run",
        files: "rig scenario run --format json",
        make: schema_of::<ScenarioRun>,
    },
    FileSchema { name: "replay", files: "rig replay --format json", make: schema_of::<Replay> },
    FileSchema { name: "comparison", files: "rig compare --format json", make: schema_of::<RunComparison> },
    FileSchema { name: "history", files: "rig history --format json", make: schema_of::<History> },
    FileSchema { name: "lock", files: "rig matrix plan --lock FILE", make: schema_of::<Lock> },
];

impl FileSchema {
    /// All of them.
    pub const ALL: &'static [Self] = ALL;
    /// The one of a report.
    pub const REPORT: Self = ALL[0];

    /// The schema of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|schema| schema.name == name)
    }

    /// The schema, JSON Schema 2020-12. What it does not name is allowed: fields are added.
    pub fn schema(self) -> Value {
        (self.make)()
    }

    /// The schema as text, the same bytes everywhere. Ends with a newline.
    pub fn text(self) -> String {
        let mut schema = self.schema();
        schema.sort_all_objects();
        pretty(&schema)
    }
}

/// As the type is written, not as it is read: what is always written is required.
fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_schema_has_a_name_of_its_own_and_is_the_same_each_time() {
        let names: BTreeSet<&str> = ALL.iter().map(|schema| schema.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(FileSchema::REPORT.name, "report");
        assert!(FileSchema::from_name("raport").is_none());
        for schema in ALL {
            let text = schema.text();
            assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), schema.schema());
            assert_eq!(text, schema.text());
        }
    }
}
