//! A scenario as its file says it, with parameters still open: what `read` makes and `resolve` fills in.
//!
//! Holds plain data; must not know how it is spelled or what is wrong with it.
//! Units: values are in the protocol's JSON form (nanoseconds, parts per million). Errors: none.
//! Tests: in `tests.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use miette::NamedSource;
use rig_protocol::{Errno, FieldKind, FieldSchema, Op, OpSchema, Script, Side};
use serde_json::Value as Json;

use super::value::from_text;
use crate::document::Span;

/// One scenario file, validated: every step has a meaning whatever admissible values its parameters take.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's stem.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it shows and why; plain text.
    pub about: String,
    /// Ids of the claims that it tests: `H01`.
    pub claims: Vec<String>,
    /// Kernel counters that prove that its fault bit: `peer.Tcp.OutRsts`.
    pub proof: Vec<String>,
    /// Its rates depend on timing: a difference between configurations is a finding about timing, not an alert.
    pub race: bool,
    /// With their defaults, in file order.
    pub parameters: Vec<Parameter>,
    pub(super) expect: Vec<Input>,
    /// Of the peer lane.
    pub(super) expect_peer: Vec<Input>,
    /// Of a trial.
    pub(super) deadline: Option<Input>,
    pub(super) control: Option<ControlTemplate>,
    pub(super) lanes: Vec<LaneTemplate>,
    /// The program that is the target's only lane; that has no steps then.
    pub(super) program: Option<Box<ProgramTemplate>>,
    pub(super) sockets: Vec<String>,
    pub(super) marks: Vec<String>,
}

/// Something that a cell can vary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as in `"${name}"`.
    pub name: String,
    /// Its value where the matrix says nothing.
    pub default: String,
    /// What it means; may be empty.
    pub about: String,
    /// What its value must be, at every place where it is used.
    pub kinds: Vec<FieldKind>,
}

/// A scenario with all parameters filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What the agents play.
    pub script: Script,
    /// What a control must find, if the scenario is one: the errno, and its rate in parts per million of the trials.
    pub control: Option<(Errno, u32)>,
}

impl Scenario {
    /// The parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The parameter that says in what share of the trials a control's errno is due, where one does.
    pub fn rate_parameter(&self) -> Option<&str> {
        match &self.control.as_ref()?.rate {
            Input::Parameter(name) => Some(name),
            Input::Given(_) => None,
        }
    }

    /// Whether its answer is known before the run.
    pub fn is_control(&self) -> bool {
        self.control.is_some()
    }
}

/// A value of the file: given, or standing for a parameter's.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// In the form from which the protocol builds it.
    Given(Json),
    /// `"${name}"`
    Parameter(String),
}

impl Input {
    /// The value, where every value was admitted for every kind of its uses.
    pub(super) fn json(&self, kind: FieldKind, values: &BTreeMap<String, String>) -> Json {
        match self {
            Self::Given(json) => json.clone(),
            Self::Parameter(name) => {
                from_text(kind, &values[name]).expect("every value was admitted for every kind of its uses")
            }
        }
    }

    /// The value of a text, a word of a choice, or an outcome.
    pub(super) fn text(&self, values: &BTreeMap<String, String>) -> String {
        match self {
            Self::Given(json) => json.as_str().unwrap_or_default().to_owned(),
            Self::Parameter(name) => values[name].clone(),
        }
    }

    /// The parameter that it stands for.
    pub(super) fn parameter(&self) -> Option<&str> {
        match self {
            Self::Given(_) => None,
            Self::Parameter(name) => Some(name),
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) input: Input,
    pub(super) span: Span,
}

/// A lane that is a program, before its parameters are filled in. What is `None` is not written.
#[derive(Debug, Clone)]
pub(super) struct ProgramTemplate {
    /// The lane that it is.
    pub(super) lane: String,
    /// The file that says it: what is wrong with the program itself is only seen where it is packed.
    pub(super) source: Arc<NamedSource<String>>,
    /// An absolute path: the folder of that file.
    pub(super) folder: PathBuf,
    pub(super) program: Placed,
    pub(super) directory: Option<Placed>,
    pub(super) arguments: Vec<Placed>,
    pub(super) environment: Vec<(String, Placed)>,
    pub(super) before: Vec<Placed>,
    pub(super) input: Option<Placed>,
    pub(super) with: Vec<Placed>,
    pub(super) says: Option<Placed>,
    pub(super) calls: Option<Vec<Placed>>,
    pub(super) nth: Option<Placed>,
    pub(super) outcome: Option<Vec<Placed>>,
    pub(super) witness: Option<Placed>,
    pub(super) redirect: Option<RedirectTemplate>,
    /// Whether each trial has a network of its own.
    pub(super) own_network: bool,
    pub(super) terminal: bool,
    pub(super) inject: Option<InjectTemplate>,
}

impl ProgramTemplate {
    /// Where `redirect` stands.
    pub(super) fn redirect_span(&self) -> Option<Span> {
        match self.redirect.as_ref()? {
            RedirectTemplate::Word(word) => Some(word.span.clone()),
            RedirectTemplate::Only(all) => all.first().map(|first| first.span.clone()),
        }
    }
}

/// Which connections of a program are led to the peer.
#[derive(Debug, Clone)]
pub(super) enum RedirectTemplate {
    /// `"all"`, `"none"`, or one address.
    Word(Placed),
    /// Addresses.
    Only(Vec<Placed>),
}

/// What a program's verdict call returns in place of its own return.
#[derive(Debug, Clone)]
pub(super) struct InjectTemplate {
    pub(super) span: Span,
    pub(super) errno: Placed,
    pub(super) rate: Placed,
}

/// What a control must find.
#[derive(Debug, Clone)]
pub(super) struct ControlTemplate {
    pub(super) errno: Input,
    pub(super) rate: Input,
}

/// A lane before its parameters are filled in.
#[derive(Debug, Clone)]
pub(super) struct LaneTemplate {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) side: Side,
    pub(super) steps: Vec<StepTemplate>,
}

/// A step before its parameters are filled in.
#[derive(Debug, Clone)]
pub(super) struct StepTemplate {
    pub(super) schema: &'static OpSchema,
    pub(super) span: Span,
    pub(super) fields: Vec<FieldTemplate>,
    pub(super) verdict: bool,
    /// `None`: the default, which depends on where the verdict is.
    pub(super) outcome: Option<bool>,
    pub(super) may_fail: bool,
    /// `count = true`
    pub(super) count: bool,
    pub(super) timing: Option<TimingTemplate>,
    /// The keys for the label, with their places.
    pub(super) label_keys: Vec<(&'static str, Span)>,
    /// The operation, where no parameter is in it: a matrix fills a scenario in thousands of times.
    pub(super) fixed: Option<Op>,
}

/// What a step's label says of its time.
#[derive(Debug, Clone)]
pub(super) enum TimingTemplate {
    /// `within = "950ms..1100ms"`
    Within(Input),
    /// `time = { fast = "0ms..10ms" }`: names and ranges, in file order.
    Classes(Vec<(String, Input)>),
}

/// One value of a step.
#[derive(Debug, Clone)]
pub(super) struct FieldTemplate {
    pub(super) schema: &'static FieldSchema,
    pub(super) span: Span,
    pub(super) input: Input,
}

impl StepTemplate {
    /// Indices of the sockets or marks that the fields of this kind name, with their places.
    fn references(&self, wanted: fn(FieldKind) -> bool) -> impl Iterator<Item = (usize, bool, &Span)> {
        self.fields.iter().filter(move |field| wanted(field.schema.kind)).flat_map(|field| {
            let indices = match &field.input {
                Input::Given(Json::Array(items)) => items.iter().filter_map(Json::as_u64).collect(),
                Input::Given(json) => json.as_u64().into_iter().collect::<Vec<_>>(),
                Input::Parameter(_) => Vec::new(),
            };
            indices.into_iter().map(|index| (index as usize, field.schema.defines, &field.span))
        })
    }

    /// Index, whether this step makes it, and place of every socket that it names.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (usize, bool, &Span)> {
        self.references(|kind| matches!(kind, FieldKind::Socket | FieldKind::Sockets))
    }

    /// Whether it calls this one, of those that a connect can call.
    pub(super) fn calls(&self, callee: &str) -> bool {
        let Some(schema) = self.schema.fields.iter().find(|field| field.name == "to") else { return false };
        let given = self.fields.iter().find(|field| field.schema.name == schema.name);
        match given.map(|field| &field.input) {
            Some(Input::Given(word)) => word == callee,
            // A parameter may take any of them.
            Some(Input::Parameter(_)) => false,
            None => schema.default == Some(callee),
        }
    }

    /// Index, whether this step sets it, and place of the mark that it names.
    pub(super) fn marks(&self) -> impl Iterator<Item = (usize, bool, &Span)> {
        self.references(|kind| kind == FieldKind::Mark)
    }
}
