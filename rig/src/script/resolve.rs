//! From a template and the values of its parameters to the protocol's script.
//!
//! [`Scenario::resolve`] is the whole way: admit each value, complete them by the defaults, fill them in, and look for what only values can
//! break. The steps of that way follow in this order. Must not know where a value was written.
//! Units: values are texts as a file spells them. Errors: [`Unresolved`], which blames whoever gave a parameter its value.
//! Tests: `tests.rs`.

use std::collections::BTreeMap;

use rig_protocol::{
    Errno, FieldKind, Lane, Op, Script, Step, TimeClass, TimeRange, Timing, UnreachableInjection,
};
use serde_json::{Map, Value as Json};

use super::outcome::{Impossible, Possible};
use super::program::fill::{self, Fault};
use super::program::outcome::ProgramPossible;
use super::template::{Input, LaneTemplate, Resolved, Scenario, StepTemplate, TimingTemplate};
use super::timing::{TimingFault, deadline_fault, overlap};
use super::value::from_text;
use crate::document::{Wrong, hint};

/// Why a scenario cannot be resolved with these parameters; blames whoever gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// Which parameter.
    pub parameter: String,
    /// What is wrong, as a sentence's fragment.
    pub message: String,
    /// For the place of the value.
    pub label: String,
    /// What to try.
    pub help: Option<String>,
}

impl Scenario {
    /// The script with these parameters; those that are not given have their defaults.
    ///
    /// # Errors
    /// Every parameter that the scenario does not have or whose value is of the wrong kind.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<Resolved, Vec<Unresolved>> {
        let wrong: Vec<Unresolved> =
            given.iter().filter_map(|(name, value)| self.admit(name, value).err()).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let values = self.complete(given);
        let resolved = self.fill_in(&values);
        if let Some((lane, fault)) = unreachable_injection(&resolved.script) {
            return Err(vec![self.blame_injection(&self.lanes[lane], fault, &values)]);
        }
        let mut wrong = self.blame_program(&values);
        // A text that is no regular expression has no outcomes to speak of.
        if wrong.is_empty() {
            wrong = self.blame_expectations(&resolved.script);
            wrong.extend(self.blame_times(&resolved.script));
        }
        if wrong.is_empty() { Ok(resolved) } else { Err(wrong) }
    }

    /// Whether `value` can be a value of the parameter `name`.
    ///
    /// # Errors
    /// There is no such parameter, or the value is of the wrong kind.
    pub fn admit(&self, name: &str, value: &str) -> Result<(), Unresolved> {
        let Some(parameter) = self.parameter(name) else {
            let names = self.parameters.iter().map(|parameter| parameter.name.as_str());
            return Err(Unresolved {
                parameter: name.to_owned(),
                message: format!("scenario `{}` has no parameter `{name}`", self.name),
                label: "not a parameter of this scenario".to_owned(),
                help: Some(hint(name, names, "its parameters")),
            });
        };
        for kind in &parameter.kinds {
            from_text(*kind, value).map_err(|Wrong { label, help }| Unresolved {
                parameter: name.to_owned(),
                message: format!(
                    "`{value}` is not a valid value for parameter `{name}` of scenario `{}`",
                    self.name
                ),
                label,
                help,
            })?;
        }
        Ok(())
    }

    /// All parameters with their values: those given, and the defaults of the others.
    pub fn complete(&self, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.parameters
            .iter()
            .map(|parameter| {
                let value = given.get(&parameter.name).unwrap_or(&parameter.default);
                (parameter.name.clone(), value.clone())
            })
            .collect()
    }

    /// Fills in values that were all admitted.
    pub(super) fn fill_in(&self, values: &BTreeMap<String, String>) -> Resolved {
        let verdict_lane = self.lanes.iter().position(|lane| lane.steps.iter().any(|step| step.verdict));
        let lanes = self
            .lanes
            .iter()
            .enumerate()
            .map(|(index, lane)| {
                let verdict =
                    lane.steps.iter().position(|step| step.verdict).filter(|_| verdict_lane == Some(index));
                let steps = lane
                    .steps
                    .iter()
                    .enumerate()
                    .map(|(position, step)| build(step, verdict.is_some_and(|v| position > v), values))
                    .collect();
                Lane { name: lane.name.clone(), side: lane.side, steps }
            })
            .collect();
        let texts = |inputs: &[Input]| inputs.iter().map(|input| input.text(values)).collect();
        let deadline = self.deadline.as_ref().map(|input| input.json(FieldKind::Duration, values));
        let control = self.control.as_ref().map(|control| {
            let errno = control.errno.json(FieldKind::Errno, values).as_i64().unwrap_or_default();
            let rate = control.rate.json(FieldKind::Rate, values).as_u64().unwrap_or_default();
            (Errno(errno as i32), rate as u32)
        });
        let script = Script {
            name: self.name.clone(),
            sockets: self.sockets.clone(),
            marks: self.marks.clone(),
            lanes,
            expect: texts(&self.expect),
            expect_peer: texts(&self.expect_peer),
            deadline_ns: deadline.and_then(|json| json.as_u64()),
            program: self.program.as_ref().map(|program| Box::new(fill::build(program, values))),
        };
        Resolved { script, control }
    }

    /// Builds the operations in which no parameter is. Only where the whole file was found sound.
    pub(super) fn build_fixed_steps(&mut self) {
        for step in self.lanes.iter_mut().flat_map(|lane| &mut lane.steps) {
            if step.fields.iter().all(|field| matches!(field.input, Input::Given(_))) {
                step.fixed = Some(build_op(step, &BTreeMap::new()));
            }
        }
    }

    /// Whether two values of a parameter mean the same (`0ms` and `0s`).
    pub fn same_value(&self, name: &str, one: &str, other: &str) -> bool {
        one == other || self.meaning_of_value(name, one) == self.meaning_of_value(name, other)
    }

    /// What a value of a parameter means, as a text: values that mean the same have the same. A value that means nothing is its own.
    pub fn meaning_of_value(&self, name: &str, value: &str) -> String {
        let kinds = self.parameter(name).map_or(&[][..], |parameter| &parameter.kinds);
        let meanings: Result<Vec<String>, Wrong> =
            kinds.iter().map(|kind| from_text(*kind, value).map(|json| json.to_string())).collect();
        match meanings {
            Ok(meanings) if !meanings.is_empty() => meanings.join(" "),
            // No meaning begins so.
            Ok(_) | Err(_) => format!("?{value}"),
        }
    }

    /// Values of a program that its kind alone does not decide on.
    fn blame_program(&self, values: &BTreeMap<String, String>) -> Vec<Unresolved> {
        let faults = self.program.iter().flat_map(|program| fill::faults(program, values));
        let blame = |fault: Fault| {
            let Fault { parameter, message, label, help, .. } = fault;
            let message = format!("scenario `{}`: {message}", self.name);
            Unresolved { parameter, message, label, help }
        };
        faults.map(blame).collect()
    }

    /// Outcomes that a parameter expects and no trial can have.
    fn blame_expectations(&self, script: &Script) -> Vec<Unresolved> {
        let blame = |inputs: &[Input], patterns: &[String], refuse: &dyn Fn(&str) -> Option<Impossible>| {
            let wrong = |(input, pattern): (&Input, &String)| {
                let parameter = input.parameter()?.to_owned();
                let Impossible { message, label, help } = refuse(pattern)?;
                Some(Unresolved { parameter, message, label: label.to_owned(), help: Some(help) })
            };
            inputs.iter().zip(patterns).filter_map(wrong).collect::<Vec<_>>()
        };
        let (target, peer) = (Possible::of_target(script), Possible::of_peer(script));
        let program = self.program.as_ref().zip(script.program.as_ref());
        let program = program.map(|(template, program)| ProgramPossible::of(template, program));
        let refuse = |pattern: &str| match &program {
            Some(program) => program.refuse(pattern),
            None => target.refuse(pattern),
        };
        let mut wrong = blame(&self.expect, &script.expect, &refuse);
        wrong.extend(blame(&self.expect_peer, &script.expect_peer, &|pattern| peer.refuse(pattern)));
        wrong
    }

    /// Times that values of parameters bring against each other.
    fn blame_times(&self, script: &Script) -> Vec<Unresolved> {
        let blame = |parameter, fault: TimingFault| Unresolved {
            parameter,
            message: format!("scenario `{}`: {}", self.name, fault.message),
            label: fault.label,
            help: Some(fault.help.to_owned()),
        };
        let late = deadline_fault(script).and_then(|fault| {
            let sleeps = self.lanes.iter().flat_map(|lane| &lane.steps).flat_map(|step| &step.fields);
            let delays = sleeps.filter(|field| field.schema.kind == FieldKind::Delay);
            let named = first_parameter(self.deadline.iter().chain(delays.map(|field| &field.input)))?;
            Some(blame(named, fault))
        });
        let overlapping = overlap(script).and_then(|(lane, step, fault)| {
            let Some(TimingTemplate::Classes(classes)) = &self.lanes[lane].steps[step].timing else {
                return None;
            };
            Some(blame(first_parameter(classes.iter().map(|(_, input)| input))?, fault))
        });
        late.into_iter().chain(overlapping).collect()
    }

    fn blame_injection(
        &self,
        lane: &LaneTemplate,
        fault: UnreachableInjection,
        values: &BTreeMap<String, String>,
    ) -> Unresolved {
        let parameter = fault
            .select
            .and_then(|at| lane.steps[at].fields.iter().find(|field| field.schema.name == "call"))
            .and_then(|field| match &field.input {
                Input::Parameter(name) => Some(name.clone()),
                Input::Given(_) => None,
            })
            .expect("a given call was checked when the file was read; only a parameter can change it");
        let value = &values[&parameter];
        Unresolved {
            message: format!(
                "scenario `{}` injects an errno into select, but `{parameter}` is `{value}`",
                self.name
            ),
            label: "the injection does not reach this call".to_owned(),
            help: Some("the filter is armed for the `select` system call only: use `select` here".to_owned()),
            parameter,
        }
    }
}

fn first_parameter<'i>(mut inputs: impl Iterator<Item = &'i Input>) -> Option<String> {
    inputs.find_map(Input::parameter).map(str::to_owned)
}

fn build(template: &StepTemplate, after_verdict: bool, values: &BTreeMap<String, String>) -> Step {
    let op = template.fixed.clone().unwrap_or_else(|| build_op(template, values));
    let default = after_verdict && template.schema.follow_up;
    Step {
        verdict: template.verdict,
        outcome: template.verdict || template.outcome.unwrap_or(default),
        may_fail: template.may_fail,
        count: template.count,
        timing: template.timing.as_ref().map(|timing| build_timing(timing, values)),
        ..Step::of(op)
    }
}

fn build_timing(template: &TimingTemplate, values: &BTreeMap<String, String>) -> Timing {
    let range = |input: &Input| -> TimeRange {
        serde_json::from_value(input.json(FieldKind::TimeRange, values))
            .expect("a range was admitted as a range")
    };
    match template {
        TimingTemplate::Within(input) => Timing::Within(range(input)),
        TimingTemplate::Classes(classes) => {
            let class =
                |(name, input): &(String, Input)| TimeClass { name: name.clone(), range: range(input) };
            Timing::Classes(classes.iter().map(class).collect())
        }
    }
}

fn build_op(template: &StepTemplate, values: &BTreeMap<String, String>) -> Op {
    let mut object = Map::with_capacity(template.fields.len() + 1);
    object.insert("op".to_owned(), Json::from(template.schema.name));
    for field in &template.fields {
        let json = field.input.json(field.schema.kind, values);
        object.insert(field.schema.wire.to_owned(), json);
    }
    serde_json::from_value(Json::Object(object))
        .expect("fields were checked against the schema, which the protocol holds together with its type")
}

/// The first `inject` that reaches no call, and the index of its lane.
pub(super) fn unreachable_injection(script: &Script) -> Option<(usize, UnreachableInjection)> {
    let mut lanes = script.lanes.iter().enumerate();
    lanes.find_map(|(index, lane)| Some((index, lane.unreachable_injection()?)))
}
