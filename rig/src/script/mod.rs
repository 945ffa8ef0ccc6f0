//! The scenario language: TOML file -> validated scenario -> compiled `rig_protocol::Script`, and its one-line text form.
//!
//! Must not know matrices or how steps are carried out. Units: nanoseconds inside, `5ms` outside.
//! Errors: diagnostics with file, line, column, label and hint; they blame the scenario file.
//! Tests: beside the modules; wrong files in `tests/diagnostics.rs`.

mod catalogue;
mod check;
mod outcome;
mod read;
mod resolve;
mod step;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::path::Path;

use rig_protocol::{Errno, FieldKind, Op, OpSchema, Script, Side};
use serde_json::Value as Json;

use crate::document::{Document, Problems, Span};

pub use crate::document::Wrong;
pub use catalogue::{Catalogue, is_path, shipped, shipped_names};
pub(crate) use read::spelled;
pub use resolve::Unresolved;
pub use text::{describe_operations, describe_step};
pub(crate) use value::parse_share;
pub use value::{parse_delay, parse_errno, parse_rate};

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
    expect: Vec<Input>,
    control: Option<ControlTemplate>,
    lanes: Vec<LaneTemplate>,
    sockets: Vec<String>,
    marks: Vec<String>,
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
    /// Validates the text of a scenario file; `origin` is what diagnostics call it.
    ///
    /// # Errors
    /// All problems of the text at once.
    pub fn parse(name: &str, origin: &str, text: &str) -> Result<Self, Problems> {
        let (document, findings) = Document::parse(origin, text)?;
        read::read(name, &document, findings)
    }

    /// Reads a scenario file; its name is the file's stem.
    ///
    /// # Errors
    /// The file cannot be read, or all problems of its text at once.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let (document, findings) = Document::read(path)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        read::read(&name, &document, findings)
    }

    /// The parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Whether its answer is known before the run.
    pub fn is_control(&self) -> bool {
        self.control.is_some()
    }
}

/// A value of the file: given, or standing for a parameter's.
#[derive(Debug, Clone, PartialEq)]
enum Input {
    /// In the form from which the protocol builds it.
    Given(Json),
    /// `"${name}"`
    Parameter(String),
}

/// What a control must find.
#[derive(Debug, Clone)]
struct ControlTemplate {
    errno: Input,
    rate: Input,
}

/// A lane before its parameters are filled in.
#[derive(Debug, Clone)]
struct LaneTemplate {
    name: String,
    span: Span,
    side: Side,
    steps: Vec<StepTemplate>,
}

/// A step before its parameters are filled in.
#[derive(Debug, Clone)]
struct StepTemplate {
    schema: &'static OpSchema,
    span: Span,
    fields: Vec<FieldTemplate>,
    verdict: bool,
    /// `None`: the default, which depends on where the verdict is.
    outcome: Option<bool>,
    may_fail: bool,
    /// The operation, where no parameter is in it: a matrix fills a scenario in thousands of times.
    fixed: Option<Op>,
}

/// One value of a step.
#[derive(Debug, Clone)]
struct FieldTemplate {
    schema: &'static rig_protocol::FieldSchema,
    span: Span,
    input: Input,
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

    fn sockets(&self) -> impl Iterator<Item = (usize, bool, &Span)> {
        self.references(|kind| matches!(kind, FieldKind::Socket | FieldKind::Sockets))
    }

    fn marks(&self) -> impl Iterator<Item = (usize, bool, &Span)> {
        self.references(|kind| kind == FieldKind::Mark)
    }
}
