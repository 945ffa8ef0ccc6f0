//! The form for people: one line per step, as packetdrill has it.
//!
//! Holds the printing of scripts and of the table of operations; must not name an operation: fields print by their kind.
//! Units: as the file spells them. Errors: none of its own.
//! Tests: `tests.rs`, `tests/cli` (`scenario show`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rig_protocol::{Delay, Errno, FieldKind, Lane, Op, Script, Step, TimeRange, Timing, schemas};
use serde_json::Value as Json;

use super::keys::{ScenarioTable, TABLES};
use super::program::text::{command_line, facts as program_facts};
use super::resolve::Unresolved;
use super::template::Scenario;

/// The whole scenario with these parameters (defaults for the others; a value that it does not admit is shown as it is).
pub(super) fn render(scenario: &Scenario, script: &Script, values: &BTreeMap<String, String>) -> String {
    let mut out = format!("{}: {}\n", scenario.name, scenario.title);
    if !scenario.about.is_empty() {
        out.push('\n');
        for line in scenario.about.lines() {
            let _ = writeln!(out, "{}", format!("  {line}").trim_end());
        }
    }
    out.push('\n');
    steps(&mut out, script);
    parameters(&mut out, scenario, values);
    facts(&mut out, scenario, script);
    out
}

fn steps(out: &mut String, script: &Script) {
    let width = script.lanes.iter().map(|lane| lane.name.len()).max().unwrap_or(0).max(4);
    let _ = writeln!(out, "  {:width$}  step", "lane");
    for lane in &script.lanes {
        if let Some(program) = script.program.as_ref().filter(|_| lane.steps.is_empty()) {
            let _ = writeln!(out, "  {:width$}        {}", lane.name, command_line(program));
        }
        for (index, step) in lane.steps.iter().enumerate() {
            let _ =
                writeln!(out, "  {:width$}  {:>4}  {}", lane.name, index + 1, describe_step(script, step));
        }
    }
}

fn parameters(out: &mut String, scenario: &Scenario, values: &BTreeMap<String, String>) {
    if scenario.parameters.is_empty() {
        return;
    }
    let name_width = scenario.parameters.iter().map(|p| p.name.len()).max().unwrap_or(0);
    let value_width = values.values().map(String::len).max().unwrap_or(0);
    out.push_str("\n  parameters\n");
    for parameter in &scenario.parameters {
        let value = values.get(&parameter.name).unwrap_or(&parameter.default);
        let note = if *value == parameter.default {
            String::new()
        } else {
            format!(" (default {})", parameter.default)
        };
        let line =
            format!("    {:name_width$}  {value:value_width$}  {}{note}", parameter.name, parameter.about);
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn facts(out: &mut String, scenario: &Scenario, script: &Script) {
    out.push('\n');
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:8}  {value}");
        }
    };
    if let Some(program) = &script.program {
        program_facts(program).iter().for_each(|(name, words)| fact(name, words));
    }
    fact("expects", &script.expect.join(" | "));
    fact("of peer", &script.expect_peer.join(" | "));
    let deadline = script.deadline_ns.map(|ns| Delay::Fixed { ns }.to_string());
    fact("deadline", &deadline.unwrap_or_default());
    fact("tests", &scenario.claims.join(" "));
    fact("proof", &scenario.proof.join(" "));
    if scenario.race {
        fact("race", "its rates depend on timing; a difference raises no alert");
    }
}

/// What a lane does, line by line: its steps, or its program's command line.
pub fn describe_lane(script: &Script, lane: &Lane) -> Vec<String> {
    match &script.program {
        Some(program) if lane.steps.is_empty() => vec![command_line(program)],
        Some(_) | None => lane.steps.iter().map(|step| describe_step(script, step)).collect(),
    }
}

/// One step: `select read={conn} timeout=5s  <- verdict`.
pub fn describe_step(script: &Script, step: &Step) -> String {
    let mut line = describe_op(script, &step.op);
    if step.count {
        line.push_str(" count");
    }
    match &step.timing {
        Some(Timing::Within(range)) => line.push_str(&format!(" within={range}")),
        Some(Timing::Classes(classes)) => {
            let classes: Vec<String> =
                classes.iter().map(|class| format!("{}: {}", class.name, class.range)).collect();
            line.push_str(&format!(" time={{{}}}", classes.join(", ")));
        }
        None => {}
    }
    if step.verdict {
        line.push_str("  <- verdict");
    } else if step.outcome {
        line.push_str("  <- outcome");
    }
    if step.may_fail {
        line.push_str("  (may fail)");
    }
    line
}

fn describe_op(script: &Script, op: &Op) -> String {
    let schema = op.schema();
    let json = serde_json::to_value(op).expect("plain data serialises");
    let mut line = schema.name.to_owned();
    for field in schema.fields {
        let Some(value) = json.get(field.wire) else { continue };
        let _ = match field.kind {
            // The subject of a step needs no key: `close conn`.
            FieldKind::Socket => write!(line, " {}", name(&script.sockets, value)),
            FieldKind::Mark => write!(line, " {}", name(&script.marks, value)),
            FieldKind::Flag if value.as_bool() == Some(false) => Ok(()),
            FieldKind::Flag => write!(line, " {}", field.name),
            // A word that would stand there anyway says nothing.
            FieldKind::Choice(_) if field.default == value.as_str() => Ok(()),
            kind => write!(line, " {}={}", field.name, spell(script, kind, value)),
        };
    }
    line
}

/// What the script calls the socket or mark of this index.
fn name(names: &[String], index: &Json) -> String {
    index.as_u64().and_then(|i| names.get(i as usize)).cloned().unwrap_or_else(|| "?".to_owned())
}

/// A field's value as a scenario file spells it.
fn spell(script: &Script, kind: FieldKind, value: &Json) -> String {
    let each = || value.as_array().into_iter().flatten();
    match kind {
        FieldKind::Socket => name(&script.sockets, value),
        FieldKind::Mark => name(&script.marks, value),
        FieldKind::Sockets => {
            let sockets: Vec<String> = each().map(|index| name(&script.sockets, index)).collect();
            format!("{{{}}}", sockets.join(", "))
        }
        FieldKind::Words(_) => {
            format!("{{{}}}", each().filter_map(Json::as_str).collect::<Vec<_>>().join(", "))
        }
        FieldKind::Delay => {
            serde_json::from_value::<Delay>(value.clone()).map(|delay| delay.to_string()).unwrap_or_default()
        }
        FieldKind::Duration => Delay::Fixed { ns: value.as_u64().unwrap_or_default() }.to_string(),
        FieldKind::TimeRange => serde_json::from_value::<TimeRange>(value.clone())
            .map(|range| range.to_string())
            .unwrap_or_default(),
        FieldKind::Text => format!("{:?}", value.as_str().unwrap_or_default()),
        FieldKind::Rate => format!("{}%", value.as_f64().unwrap_or_default() / 10_000.0),
        FieldKind::Errno => Errno(value.as_i64().unwrap_or_default() as i32).to_string(),
        FieldKind::Choice(_) => value.as_str().unwrap_or_default().to_owned(),
        FieldKind::Lane => {
            let lane = value.as_u64().and_then(|index| script.lanes.get(index as usize));
            lane.map_or_else(|| "?".to_owned(), |lane| lane.name.clone())
        }
        FieldKind::Flag | FieldKind::Count { .. } | FieldKind::Number { .. } => value.to_string(),
    }
}

/// Every operation of the language, its fields and one line about it; then the keys of steps, lanes and files.
pub fn describe_operations() -> String {
    let mut lines: Vec<(String, String)> = schemas()
        .iter()
        .map(|schema| {
            let mut usage = schema.name.to_owned();
            for field in schema.fields {
                let _ = match (field.default, field.alternative) {
                    (None, None) => write!(usage, " {}", field.name),
                    // The second of two alternatives stands behind the first.
                    (_, Some(other)) if usage.ends_with(other) => write!(usage, "|{}", field.name),
                    (None, Some(_)) => write!(usage, " {}", field.name),
                    (Some(_), _) => write!(usage, " [{}]", field.name),
                };
            }
            (usage, schema.about.to_owned())
        })
        .collect();
    for ScenarioTable { head, lead, keys } in TABLES {
        lines.push((String::new(), String::new()));
        lines.push(((*head).to_owned(), (*lead).to_owned()));
        lines.extend(keys.iter().map(|key| {
            let required = if key.unsaid.is_none() { "; required" } else { "" };
            (format!("  {}", key.name), format!("{}{required}", key.about))
        }));
    }
    let width = lines.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    lines.iter().fold(String::new(), |mut out, (usage, about)| {
        let _ = writeln!(out, "{}", format!("  {usage:width$}  {about}").trim_end());
        out
    })
}

impl Scenario {
    /// One line per step, parameters, expectations, claims.
    ///
    /// # Errors
    /// As [`Scenario::resolve`].
    pub fn render(&self, given: &BTreeMap<String, String>) -> Result<String, Vec<Unresolved>> {
        let resolved = self.resolve(given)?;
        Ok(render(self, &resolved.script, &self.complete(given)))
    }
}
