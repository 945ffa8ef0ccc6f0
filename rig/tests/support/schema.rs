//! Holds what is written against its JSON Schema.
//!
//! Must not know a field: the schemas are the product's own. A surprise names the place in the file and what is wrong there.

use boon::{Compiler, Draft, Schemas};
use rig::report::FileSchema;
use serde_json::Value;

/// A name for the schema inside the validator; nothing is fetched.
const NAME: &str = "mem:///schema";

/// Fails where `instance`, the file or value that `what` names, is not what the schema says. The schema itself is held against that of
/// JSON Schema 2020-12 first.
pub(crate) fn assert_valid(schema: &Value, instance: &Value, what: &str) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.set_default_draft(Draft::V2020_12);
    compiler.add_resource(NAME, schema.clone()).expect("a name and a value");
    let compiled = compiler.compile(NAME, &mut schemas);
    let schema = compiled.unwrap_or_else(|error| panic!("{what}: its schema is none: {error:#}"));
    if let Err(error) = schemas.validate(instance, schema) {
        panic!("{what} is not as its schema says: {error}");
    }
}

/// Fails where a report in JSON is not what `rig report --schema` says.
pub(crate) fn assert_report(json: &Value) {
    assert_valid(&FileSchema::REPORT.schema(), json, "the report");
}
