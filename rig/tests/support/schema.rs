//! Holds what is written against its JSON Schema.
//!
//! Must not know a field: the schemas are the product's own. A surprise names the place in the file and what is wrong there.

use std::fs;
use std::path::Path;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use rig::report::FileSchema;
use serde_json::Value;

/// A name for the schema inside the validator; nothing is fetched.
const NAME: &str = "mem:///schema";

/// A schema, ready to be held against many values.
pub(crate) struct Checker {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Checker {
    /// The schema itself is held against that of JSON Schema 2020-12 first.
    pub(crate) fn new(schema: &Value, what: &str) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource(NAME, schema.clone()).expect("a name and a value");
        let compiled = compiler.compile(NAME, &mut schemas);
        let schema = compiled.unwrap_or_else(|error| panic!("{what}: its schema is none: {error:#}"));
        Self { schemas, schema }
    }

    /// Fails where `instance`, the file or value that `what` names, is not what the schema says.
    pub(crate) fn check(&self, instance: &Value, what: &str) {
        if let Err(error) = self.schemas.validate(instance, self.schema) {
            panic!("{what} is not as its schema says: {error}");
        }
    }

    /// The same of every line of a file, or of the whole file.
    fn check_file(&self, path: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read =
            |text: &str| serde_json::from_str(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for (index, line) in text.lines().enumerate() {
                self.check(&read(line), &format!("line {} of {}", index + 1, path.display()));
            }
        } else {
            self.check(&read(&text), &path.display().to_string());
        }
    }
}

/// Fails where a file of a run of the present format, which ended in order, is not what its schema says. Gives the number of files.
pub(crate) fn assert_run(folder: &Path) -> usize {
    let mut checked = 0;
    for file in FileSchema::ALL {
        let checker = Checker::new(&file.schema(), file.files);
        let (place, name) = file.files.rsplit_once('/').unwrap_or(("", file.files));
        for entry in fs::read_dir(folder.join(place)).expect("a folder of the run") {
            let path = entry.expect("readable").path();
            let found = path.file_name().unwrap_or_default().to_string_lossy();
            let fits = match name.strip_prefix('*') {
                Some(ending) => found.ends_with(ending),
                None => found == name,
            };
            if fits {
                checker.check_file(&path);
                checked += 1;
            }
        }
    }
    checked
}
