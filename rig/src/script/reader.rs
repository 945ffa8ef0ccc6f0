//! What is known of a scenario file while it is being read: its problems so far, its parameters, and the names that its steps define.
//!
//! Holds the reading of a value that may be a parameter's, and of a name; must not know the keys of a file or of a step.
//! Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests/diagnostics.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use miette::NamedSource;
use rig_protocol::FieldKind;
use serde_json::{Value as Json, json};

use super::template::{Input, Parameter, ProgramTemplate};
use super::value::from_node;
use crate::document::{Findings, Node, Span, Value, hint};

/// A parameter while the file is being read.
#[derive(Debug)]
pub(super) struct ParameterDraft {
    pub(super) parameter: Parameter,
    pub(super) name_span: Span,
    pub(super) default_span: Span,
    /// Where it is used, and as what.
    pub(super) uses: Vec<(FieldKind, Span)>,
}

/// What is known of the file while it is being read.
#[derive(Debug)]
pub(super) struct ScenarioReader {
    pub(super) findings: Findings,
    /// The text that is read.
    pub(super) source: Arc<NamedSource<String>>,
    /// From where it names other files: an absolute path.
    pub(super) folder: PathBuf,
    /// The lane that is a program.
    pub(super) program: Option<Box<ProgramTemplate>>,
    pub(super) parameters: Vec<ParameterDraft>,
    pub(super) sockets: Vec<String>,
    pub(super) marks: Vec<String>,
    /// In the order of the file.
    pub(super) lane_names: Vec<String>,
    /// What the peer lane expects, with its places.
    pub(super) expect_peer: Vec<(Input, Span)>,
    /// A step or value could not be read at all, so that what seems unused may only be unread.
    pub(super) dropped: bool,
}

/// What a text says about parameters.
enum ParameterReference<'t> {
    /// Nothing.
    None,
    /// It is `${name}`.
    Whole(&'t str),
    /// It contains one, among other text.
    Part,
}

/// Looks for `${name}` in a text.
fn reference(text: &str) -> ParameterReference<'_> {
    if !text.contains("${") {
        return ParameterReference::None;
    }
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if !name.contains(['$', '{', '}']) => ParameterReference::Whole(name),
        Some(_) | None => ParameterReference::Part,
    }
}

impl ScenarioReader {
    /// Nothing is known yet.
    pub(super) fn new(findings: Findings, source: Arc<NamedSource<String>>, folder: PathBuf) -> Self {
        Self {
            findings,
            source,
            folder,
            program: None,
            parameters: Vec::new(),
            sockets: Vec::new(),
            marks: Vec::new(),
            lane_names: Vec::new(),
            expect_peer: Vec::new(),
            dropped: false,
        }
    }

    /// A value of the file that may stand for a parameter's.
    pub(super) fn input(&mut self, kind: FieldKind, node: &Node, what: &str) -> Option<Input> {
        if let Value::String(text) = &node.value {
            match reference(text) {
                ParameterReference::None => {}
                ParameterReference::Part => {
                    self.dropped = true;
                    self.findings
                        .report(
                            node.span.clone(),
                            format!("{what} mixes a parameter with other text"),
                            "a parameter replaces the whole value",
                        )
                        .help("write \"${name}\" alone, and put the rest into the parameter's value");
                    return None;
                }
                ParameterReference::Whole(name) => return self.use_parameter(name, kind, node, what),
            }
        }
        match from_node(kind, node) {
            Ok(json) => Some(Input::Given(json)),
            Err(wrong) => {
                self.findings
                    .report(node.span.clone(), format!("{what} is wrong"), wrong.label)
                    .maybe_help(wrong.help);
                None
            }
        }
    }

    fn use_parameter(&mut self, name: &str, kind: FieldKind, node: &Node, what: &str) -> Option<Input> {
        if matches!(kind, FieldKind::Socket | FieldKind::Sockets | FieldKind::Mark | FieldKind::Lane) {
            self.findings
                .report(
                    node.span.clone(),
                    format!("{what} cannot be a parameter"),
                    "names a socket, a mark or a lane",
                )
                .help("a parameter can vary a value, not the shape of the script; write a second scenario");
            return None;
        }
        let Some(draft) = self.parameters.iter_mut().find(|draft| draft.parameter.name == name) else {
            let names: Vec<&str> =
                self.parameters.iter().map(|draft| draft.parameter.name.as_str()).collect();
            let help = if names.is_empty() {
                format!("declare it: [parameters] {name} = \"...\"")
            } else {
                hint(name, names.iter().copied(), "the parameters of this scenario")
            };
            self.findings
                .report(
                    node.span.clone(),
                    format!("unknown parameter `{name}`"),
                    "not declared in [parameters]",
                )
                .help(help);
            return None;
        };
        draft.uses.push((kind, node.span.clone()));
        Some(Input::Parameter(name.to_owned()))
    }

    /// Names give the script its shape, which is checked once for all values of its parameters.
    pub(super) fn refuse_parameter(&mut self, node: &Node, what: &str) -> Option<()> {
        match &node.value {
            Value::String(text) if !matches!(reference(text), ParameterReference::None) => {
                self.input(FieldKind::Socket, node, what);
                None
            }
            _ => Some(()),
        }
    }

    /// Index of a name that some step defines.
    pub(super) fn name_index(&mut self, kind: FieldKind, node: &Node) -> Option<Json> {
        let (what, definer) = match kind {
            FieldKind::Mark => ("mark", "add { op = \"mark\", mark = ... } to another lane"),
            FieldKind::Lane => ("lane", "a lane is a table [lane.NAME] of the file"),
            _ => ("socket", "`connect`, `accept`, `socket`, `listen`, `accept_from` and `dup` make one"),
        };
        let name = self.findings.string(node, &format!("a {what}"))?;
        let names = match kind {
            FieldKind::Mark => &self.marks,
            FieldKind::Lane => &self.lane_names,
            _ => &self.sockets,
        };
        if let Some(index) = names.iter().position(|known| known == name) {
            return Some(json!(index));
        }
        let help = if names.is_empty() {
            format!("there is no {what} yet: {definer}")
        } else {
            hint(name, names.iter().map(String::as_str), &format!("{definer}; there are"))
        };
        let label = match kind {
            FieldKind::Mark => "no step sets this mark",
            FieldKind::Lane => "the file has no such lane",
            _ => "no step makes this socket",
        };
        self.findings.report(node.span.clone(), format!("unknown {what} `{name}`"), label).help(help);
        None
    }
}
