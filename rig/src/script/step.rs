//! Reading one step by the protocol's table of operations: a new operation needs no change here.
//!
//! Holds the keys that every step has, and the reading of a field by its kind; must not name an operation.
//! Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests.rs` (every operation can be written), `tests/diagnostics.rs`.

use rig_protocol::{FieldKind, FieldSchema, OpSchema, schema_of, schemas};
use serde_json::Value as Json;

use super::reader::ScenarioReader;
use super::template::{FieldTemplate, Input, StepTemplate};
use crate::document::{Node, Table, Value, hint};

impl ScenarioReader {
    /// One step.
    pub(super) fn step(&mut self, node: &Node) -> Option<StepTemplate> {
        let table = self.findings.table(node, "a step")?;
        let schema = self.operation(table)?;
        let what = format!("step `{}`", schema.name);
        let mut known: Vec<&str> = vec!["op"];
        known.extend(schema.fields.iter().map(|field| field.name));
        known.extend(["verdict", "outcome", "may_fail"]);
        self.findings.refuse_unknown_keys(table, &what, &known);
        let before = self.findings.len();
        let fields: Vec<FieldTemplate> =
            schema.fields.iter().filter_map(|field| self.field(table, schema, field)).collect();
        let flag = |reader: &mut Self, name: &str| {
            table.get(name).and_then(|node| reader.findings.boolean(node, &format!("`{name}`")))
        };
        let verdict = flag(self, "verdict").unwrap_or(false);
        let outcome = flag(self, "outcome");
        let may_fail = flag(self, "may_fail").unwrap_or(false);
        let step = StepTemplate {
            schema,
            span: table.span.clone(),
            fields,
            verdict,
            outcome,
            may_fail,
            fixed: None,
        };
        if schema.takes(FieldKind::Sockets)
            && step.sockets().next().is_none()
            && self.findings.len() == before
        {
            let message = format!("this {} watches nothing", schema.name);
            self.findings.report(table.span.clone(), message, "no `read`, `write` or `except`").help(
                "add read = [\"conn\"]; to wait for a time only, use { op = \"sleep\", for = \"5ms\" }",
            );
        }
        Some(step)
    }

    fn operation(&mut self, table: &Table) -> Option<&'static OpSchema> {
        let Some(node) = table.get("op") else {
            self.dropped = true;
            self.findings.missing(table.span.clone(), "this step", "op", "op = \"connect\"");
            return None;
        };
        let name = self.findings.string(node, "`op`")?;
        let schema = schema_of(name);
        if schema.is_none() {
            self.dropped = true;
            let help = hint(name, schemas().iter().map(|schema| schema.name), "the operations");
            self.findings
                .report(node.span.clone(), format!("unknown operation `{name}`"), "not an operation")
                .help(help);
        }
        schema
    }

    fn field(
        &mut self,
        table: &Table,
        schema: &OpSchema,
        field: &'static FieldSchema,
    ) -> Option<FieldTemplate> {
        let Some(node) = table.get(field.name) else {
            if field.default.is_none() {
                let what = format!("step `{}`", schema.name);
                let example = format!("{} = {}", field.name, example(field.kind));
                self.findings
                    .report(
                        table.span.clone(),
                        format!("{what} has no `{}`", field.name),
                        format!("`{}` is missing", field.name),
                    )
                    .help(format!("add {example}"));
            }
            return None;
        };
        let what = format!("`{}` of step `{}`", field.name, schema.name);
        let input = match field.kind {
            FieldKind::Socket | FieldKind::Mark => {
                self.refuse_parameter(node, &what)?;
                Input::Given(self.name_index(field.kind, node)?)
            }
            FieldKind::Sockets => self.socket_list(node, &what)?,
            FieldKind::Delay
            | FieldKind::Text
            | FieldKind::Count { .. }
            | FieldKind::Rate
            | FieldKind::Errno
            | FieldKind::Choice(_) => self.input(field.kind, node, &what)?,
        };
        Some(FieldTemplate { schema: field, span: node.span.clone(), input })
    }

    fn socket_list(&mut self, node: &Node, what: &str) -> Option<Input> {
        if let Value::String(name) = &node.value {
            self.findings
                .report(node.span.clone(), format!("{what} must be a list of sockets"), "this is a string")
                .help(format!("write [\"{name}\"]"));
            return None;
        }
        let items = self.findings.list(node, what)?;
        let mut indices = Vec::with_capacity(items.len());
        for item in items {
            self.refuse_parameter(item, what)?;
            indices.push(self.name_index(FieldKind::Socket, item)?);
        }
        Some(Input::Given(Json::Array(indices)))
    }
}

/// A value of the kind, for hints.
fn example(kind: FieldKind) -> String {
    match kind {
        FieldKind::Socket => "\"conn\"".to_owned(),
        FieldKind::Sockets => "[\"conn\"]".to_owned(),
        FieldKind::Delay => "\"5ms\"".to_owned(),
        FieldKind::Text => "\"ABCD\"".to_owned(),
        FieldKind::Count { low, .. } => low.to_string(),
        FieldKind::Rate => "\"1%\"".to_owned(),
        FieldKind::Errno => "\"ENOENT\"".to_owned(),
        FieldKind::Choice(words) => format!("\"{}\"", words.first().copied().unwrap_or_default()),
        FieldKind::Mark => "\"connected\"".to_owned(),
    }
}
