//! Reading one step by the protocol's schema table: a new operation needs no change here.

use rig_protocol::{FieldKind, FieldSchema, OpSchema, schema_of};
use serde_json::Value as Json;

use super::read::Reader;
use super::{FieldTemplate, Input, StepTemplate};
use crate::document::{Node, Table, Value, hint};

/// What a text says about parameters.
pub(super) enum ParameterReference<'t> {
    /// Nothing.
    None,
    /// It is `${name}`.
    Whole(&'t str),
    /// It contains one, among other text.
    Part,
}

/// Looks for `${name}` in a text.
pub(super) fn reference(text: &str) -> ParameterReference<'_> {
    if !text.contains("${") {
        return ParameterReference::None;
    }
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if !name.contains(['$', '{', '}']) => ParameterReference::Whole(name),
        Some(_) | None => ParameterReference::Part,
    }
}

impl Reader {
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
        if schema.name == "select" && step.sockets().next().is_none() && self.findings.len() == before {
            self.findings
                .report(table.span.clone(), "this select watches nothing", "no `read`, `write` or `except`")
                .help(
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
            let help = hint(name, Self::operations(), "the operations");
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
            if field.required {
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

    /// Names give the script its shape, which is checked once for all values of its parameters.
    fn refuse_parameter(&mut self, node: &Node, what: &str) -> Option<()> {
        match &node.value {
            Value::String(text) if !matches!(reference(text), ParameterReference::None) => {
                self.input(FieldKind::Socket, node, what);
                None
            }
            _ => Some(()),
        }
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
