//! Reading one step by the protocol's table of operations: a new operation needs no change here.
//!
//! Holds the reading of a field by its kind; must not name an operation.
//! Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests.rs` (every operation can be written), `tests/diagnostics.rs`.

use rig_protocol::{FieldKind, FieldSchema, OpSchema, Timing, schema_of, schemas};
use serde_json::Value as Json;

use super::keys;
use super::reader::ScenarioReader;
use super::template::{FieldTemplate, Input, StepTemplate, TimingTemplate};
use crate::document::{Key, Node, Table, Value, hint};

impl ScenarioReader {
    /// One step.
    pub(super) fn step(&mut self, node: &Node) -> Option<StepTemplate> {
        let table = self.findings.table(node, "a step")?;
        let schema = self.operation(table)?;
        let what = format!("step `{}`", schema.name);
        let mut known: Vec<&str> = vec!["op"];
        known.extend(schema.fields.iter().map(|field| field.name));
        known.extend(keys::STEP.names());
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
        let (count, timing) = (self.count(table, schema), self.timing(table));
        let label_keys = ["count", "within", "time"].into_iter();
        let label_keys = label_keys.filter_map(|key| Some((key, table.get(key)?.span.clone()))).collect();
        let step = StepTemplate {
            schema,
            span: table.span.clone(),
            fields,
            verdict,
            outcome,
            may_fail,
            count,
            timing,
            label_keys,
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
            if let Some(other) = field.alternative {
                self.neither(table, schema, field, other);
            } else if field.default.is_none() {
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
        if let Some(other) = field.alternative.and_then(|other| table.get(other))
            && other.span.start < node.span.start
        {
            let message = format!("step `{}` has two keys that exclude each other", schema.name);
            self.findings
                .report(node.span.clone(), message, "the second")
                .also(other.span.clone(), "the first")
                .help("keep one of them");
        }
        let what = format!("`{}` of step `{}`", field.name, schema.name);
        let input = match field.kind {
            FieldKind::Socket | FieldKind::Mark | FieldKind::Lane => {
                self.refuse_parameter(node, &what)?;
                Input::Given(self.name_index(field.kind, node)?)
            }
            FieldKind::Sockets => self.socket_list(node, &what)?,
            FieldKind::Delay
            | FieldKind::Text
            | FieldKind::Count { .. }
            | FieldKind::Rate
            | FieldKind::Errno
            | FieldKind::Duration
            | FieldKind::TimeRange
            | FieldKind::Number { .. }
            | FieldKind::Flag
            | FieldKind::Words(_)
            | FieldKind::Choice(_) => self.input(field.kind, node, &what)?,
        };
        Some(FieldTemplate { schema: field, span: node.span.clone(), input })
    }

    /// None of two fields of which one must be given; said once, at the first.
    fn neither(&mut self, table: &Table, schema: &OpSchema, field: &FieldSchema, other: &str) {
        let Some(second) = schema
            .fields
            .iter()
            .skip_while(|known| known.name != field.name)
            .find(|known| known.name == other)
        else {
            return;
        };
        if table.get(other).is_some() {
            return;
        }
        let example = |field: &FieldSchema| format!("{} = {}", field.name, example(field.kind));
        let message = format!("step `{}` has no `{}` and no `{other}`", schema.name, field.name);
        self.findings.report(table.span.clone(), message, "one of the two is missing").help(format!(
            "add {} or {}",
            example(field),
            example(second)
        ));
    }

    /// `count = true`, of an operation that has something to count.
    fn count(&mut self, table: &Table, schema: &OpSchema) -> bool {
        let Some(node) = table.get("count") else { return false };
        let count = self.findings.boolean(node, "`count`").unwrap_or(false);
        let name = schema.name;
        if count && schema.labels.always {
            self.findings
                .report(
                    node.span.clone(),
                    format!("the label of `{name}` always has its number"),
                    "says nothing",
                )
                .help("remove `count`");
        } else if count && schema.labels.counted.is_empty() {
            let counting =
                schemas().iter().filter(|schema| !schema.labels.counted.is_empty() && !schema.labels.always);
            let names: Vec<String> = counting.map(|schema| format!("`{}`", schema.name)).collect();
            self.findings
                .report(node.span.clone(), format!("`{name}` returns no number of bytes"), "nothing to count")
                .help(format!("`count` belongs to {}", names.join(" and ")));
        }
        count
    }

    /// `within` or `time`.
    fn timing(&mut self, table: &Table) -> Option<TimingTemplate> {
        if let (Some(within), Some(time)) = (table.get("within"), table.get("time")) {
            self.findings
                .report(time.span.clone(), "a step has both `within` and `time`", "the one")
                .also(within.span.clone(), "the other")
                .help("keep one: a label ends with one word for its time");
            return None;
        }
        if let Some(node) = table.get("within") {
            return self.input(FieldKind::TimeRange, node, "`within`").map(TimingTemplate::Within);
        }
        let node = table.get("time")?;
        let classes = self.findings.table(node, "`time`")?;
        if classes.entries.is_empty() {
            self.findings
                .report(node.span.clone(), "`time` is empty", "no range of times")
                .help("name the ranges: time = { fast = \"0ms..10ms\", slow = \"950ms..1100ms\" }");
            return None;
        }
        let classes = classes.entries.iter().filter_map(|(key, node)| {
            self.class_name(key);
            let what = format!("`time.{}`", key.name);
            Some((key.name.clone(), self.input(FieldKind::TimeRange, node, &what)?))
        });
        Some(TimingTemplate::Classes(classes.collect()))
    }

    fn class_name(&mut self, key: &Key) {
        let name = &key.name;
        let formed = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        let message = || format!("`{name}` cannot be the name of a range of times");
        if !formed {
            self.findings
                .report(key.span.clone(), message(), "not a name")
                .help("a name is made of a-z, 0-9, - and _, and begins with a letter");
        } else if name == Timing::OTHER {
            self.findings
                .report(key.span.clone(), message(), "has a meaning of its own")
                .help("a time in none of the ranges is `:other`; take another name");
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
        FieldKind::Count { low, .. } => low.to_string(),
        FieldKind::Words(words) => words.first().map(|word| format!("[\"{word}\"]")).unwrap_or_default(),
        FieldKind::Choice(words) => {
            words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
        }
        FieldKind::Socket
        | FieldKind::Sockets
        | FieldKind::Delay
        | FieldKind::Text
        | FieldKind::Rate
        | FieldKind::Errno
        | FieldKind::Mark
        | FieldKind::Lane
        | FieldKind::Number { .. }
        | FieldKind::Flag
        | FieldKind::Duration
        | FieldKind::TimeRange => kind.examples().first().copied().unwrap_or_default().to_owned(),
    }
}
