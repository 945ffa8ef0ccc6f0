//! `peer = "rst"`: the peer lane of another scenario, with the parameters that it uses.
//!
//! Must not know what is in a lane. Units: none. Errors: findings that blame the scenario file; those of the other file follow them.
//! Tests: `tests.rs`, `tests/diagnostics.rs`.

use rig_protocol::{FieldKind, Side};

use crate::document::{Document, Findings, Node, Span};
use crate::script::catalogue::{is_path, shipped, shipped_names};
use crate::script::reader::{ParameterDraft, ScenarioReader};
use crate::script::template::{Input, LaneTemplate, Scenario, StepTemplate, TimingTemplate};

impl ScenarioReader {
    /// The peer lane of the scenario that `node` names; everything of it stands where it is named.
    pub(in crate::script) fn peer_of_another(&mut self, node: &Node) -> Option<LaneTemplate> {
        let word = self.findings.string(node, "`peer`")?.to_owned();
        let other =
            if is_path(&word) { self.read_peer(&word, node)? } else { self.shipped_peer(&word, node)? };
        let Some(lane) = other.lanes.iter().find(|lane| lane.side == Side::Peer) else {
            self.findings
                .report(
                    node.span.clone(),
                    format!("scenario `{word}` has no peer lane"),
                    "nothing to take over",
                )
                .help("name a scenario whose peer answers: \"rst\"");
            return None;
        };
        self.sockets.clone_from(&other.sockets);
        self.marks.clone_from(&other.marks);
        let placed = |input: &Input| (input.clone(), node.span.clone());
        self.expect_peer = other.expect_peer.iter().map(placed).collect();
        let uses = lane
            .steps
            .iter()
            .flat_map(uses_of)
            .chain(other.expect_peer.iter().map(|input| (input, FieldKind::Text)));
        for (input, kind) in uses {
            if let Some(name) = input.parameter() {
                self.take_parameter(&other, name, kind, &node.span);
            }
        }
        let steps = lane.steps.iter().map(|step| moved(step, &node.span)).collect();
        Some(LaneTemplate { name: lane.name.clone(), span: node.span.clone(), side: Side::Peer, steps })
    }

    fn shipped_peer(&mut self, word: &str, node: &Node) -> Option<Scenario> {
        let found = shipped(word);
        if found.is_none() {
            let help = self.findings.hint(word, shipped_names(), "there are");
            self.findings
                .report(node.span.clone(), format!("there is no scenario `{word}`"), "not a scenario")
                .maybe_help(
                    help.map(|help| {
                        format!("{help}\ngive a file of your own by its path: \"./{word}.toml\"")
                    }),
                );
        }
        found
    }

    fn read_peer(&mut self, word: &str, node: &Node) -> Option<Scenario> {
        let path = self.folder.join(word).components().collect::<std::path::PathBuf>();
        let refuse = |findings: &mut Findings, help: &str| {
            findings
                .report(
                    node.span.clone(),
                    format!("the peer of scenario `{word}` cannot be used"),
                    "named here",
                )
                .help(help);
        };
        // One that takes its own peer from elsewhere, this very file for example, would have no end.
        let takes_its_own =
            Document::read(&path).is_ok_and(|(document, _)| document.root.get("peer").is_some());
        if takes_its_own {
            refuse(
                &mut self.findings,
                "that scenario has a `peer` of its own: name the scenario where the lane is written",
            );
            return None;
        }
        match Scenario::read(&path) {
            Ok(scenario) => Some(scenario),
            Err(problems) => {
                refuse(&mut self.findings, "its own problems are listed besides this one");
                self.findings.absorb(problems);
                None
            }
        }
    }

    /// A parameter of the lane: this file's where it has one of that name, otherwise the other's.
    fn take_parameter(&mut self, other: &Scenario, name: &str, kind: FieldKind, span: &Span) {
        let at = self.parameters.iter().position(|draft| draft.parameter.name == name).or_else(|| {
            let parameter = other.parameter(name)?.clone();
            let parameter = crate::script::Parameter { kinds: Vec::new(), ..parameter };
            let (name_span, default_span) = (span.clone(), span.clone());
            self.parameters.push(ParameterDraft { parameter, name_span, default_span, uses: Vec::new() });
            Some(self.parameters.len() - 1)
        });
        if let Some(at) = at {
            self.parameters[at].uses.push((kind, span.clone()));
        }
    }
}

/// The values of a step, each with what it must be.
fn uses_of(step: &StepTemplate) -> Vec<(&Input, FieldKind)> {
    let fields = step.fields.iter().map(|field| (&field.input, field.schema.kind));
    let times = match &step.timing {
        None => Vec::new(),
        Some(TimingTemplate::Within(input)) => vec![input],
        Some(TimingTemplate::Classes(classes)) => classes.iter().map(|(_, input)| input).collect(),
    };
    fields.chain(times.into_iter().map(|input| (input, FieldKind::TimeRange))).collect()
}

/// The step, as if it stood at `span`.
fn moved(step: &StepTemplate, span: &Span) -> StepTemplate {
    let mut step = step.clone();
    step.span = span.clone();
    step.fields.iter_mut().for_each(|field| field.span = span.clone());
    step.label_keys.iter_mut().for_each(|(_, place)| *place = span.clone());
    step
}
