//! From a scenario's tree to its template: keys, types, names. What the steps mean together is `check`'s matter.
//!
//! The keys are those of `keys`; must not know the fields of an operation (`step` reads them by the protocol's table).
//! Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests/diagnostics.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rig_protocol::{FieldKind, Side, schema_of};

use super::check::{self, Places};
use super::keys;
use super::reader::{ParameterDraft, ScenarioReader};
use super::template::{ControlTemplate, Input, LaneTemplate, Parameter, Scenario};
use super::value::{from_text, spelled};
use crate::document::{Document, Findings, Key, Node, Problems, Span, Table, Value, hint};

/// Words that mean something else where a matrix or a filter names parameters.
const RESERVED: &[&str] = &[
    "scenario",
    "configuration",
    "kernel",
    "path",
    "claim",
    "control",
    "file",
    "trials",
    "blocks",
    "in_flight",
    "parameters",
];

impl Scenario {
    /// Validates the text of a scenario file; `origin` is what diagnostics call it.
    ///
    /// # Errors
    /// All problems of the text at once.
    pub fn parse(name: &str, origin: &str, text: &str) -> Result<Self, Problems> {
        Self::parse_in(Path::new("."), name, origin, text)
    }

    /// [`Scenario::parse`], where paths in the text are seen from `folder`.
    ///
    /// # Errors
    /// All problems of the text at once.
    pub fn parse_in(folder: &Path, name: &str, origin: &str, text: &str) -> Result<Self, Problems> {
        let (document, findings) = Document::parse(origin, text)?;
        read(name, folder, &document, findings)
    }

    /// Reads a scenario file; its name is the file's stem.
    ///
    /// # Errors
    /// The file cannot be read, or all problems of its text at once.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let (document, findings) = Document::read(path)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        read(&name, path.parent().unwrap_or(Path::new(".")), &document, findings)
    }
}

/// Reads a whole scenario: its keys, then what they mean together.
/// Whether a word can be the id of a claim: `H01`, or one of the reader's own.
pub fn is_claim_id(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.len() <= 16
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn read(name: &str, folder: &Path, document: &Document, findings: Findings) -> Result<Scenario, Problems> {
    let root = &document.root;
    let mut reader = ScenarioReader::new(findings, Arc::clone(&document.source), absolute(folder));
    reader.findings.refuse_unknown_keys(root, "a scenario file", &keys::FILE.names());
    let title = reader.title(root);
    let about = reader.optional_string(root, "about");
    let claims = reader.claims(root);
    let proof = reader.proof(root);
    let race = root.get("race").and_then(|node| reader.findings.boolean(node, "`race`")).unwrap_or(false);
    reader.read_parameters(root);
    let expect = reader.expect(root);
    let deadline = root
        .get("deadline")
        .and_then(|node| Some((reader.input(FieldKind::Duration, node, "`deadline`")?, node.span.clone())));
    let control = root.get("control").and_then(|node| reader.control(node));
    let lanes = reader.lanes(root);
    reader.settle_parameters();
    let ScenarioReader { mut findings, parameters, sockets, marks, expect_peer, program, .. } = reader;
    let inputs = |places: &[(Input, Span)]| places.iter().map(|(input, _)| input.clone()).collect();
    let mut scenario = Scenario {
        name: name.to_owned(),
        title,
        about,
        claims,
        proof,
        race,
        parameters: parameters.into_iter().map(|draft| draft.parameter).collect(),
        expect: inputs(&expect),
        expect_peer: inputs(&expect_peer),
        deadline: deadline.as_ref().map(|(input, _)| input.clone()),
        control,
        lanes,
        program,
        sockets,
        marks,
    };
    let places = Places { expect, expect_peer, deadline: deadline.map(|(_, span)| span) };
    check::check(&scenario, &mut findings, &places);
    if findings.is_empty() {
        scenario.build_fixed_steps();
    }
    findings.finish(Some(scenario))
}

/// Where the folder cannot be told (the working directory is gone), it stays as it is.
fn absolute(folder: &Path) -> PathBuf {
    // The folder of a file that is named alone.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).components().collect()
}

impl ScenarioReader {
    fn title(&mut self, root: &Table) -> String {
        let Some(node) = root.get("title") else {
            self.findings.missing(0..0, "the scenario", "title", "title = \"RST before select()\"");
            return String::new();
        };
        let title = self.findings.string(node, "`title`").unwrap_or("?");
        if title.trim().is_empty() || title.contains('\n') {
            self.findings
                .report(node.span.clone(), "`title` must be one line of text", "this is not one line")
                .help("put the long text into `about`");
        }
        title.to_owned()
    }

    fn optional_string(&mut self, root: &Table, key: &str) -> String {
        root.get(key)
            .and_then(|node| self.findings.string(node, &format!("`{key}`")))
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    }

    fn claims(&mut self, root: &Table) -> Vec<String> {
        let given =
            root.get("claims").and_then(|node| self.findings.strings(node, "`claims`")).unwrap_or_default();
        let mut claims: Vec<String> = Vec::new();
        for (claim, span) in given {
            if !is_claim_id(&claim) {
                self.findings
                    .report(span, format!("`{claim}` is not the id of a claim"), "not a claim id")
                    .help("a claim id is a capital letter with capitals and digits behind it: \"H01\", or \"U1\" of your own");
            } else if claims.contains(&claim) {
                self.findings
                    .report(span, format!("claim `{claim}` is named twice"), "named before")
                    .help("once is enough");
            } else {
                claims.push(claim);
            }
        }
        claims
    }

    /// `peer.Tcp.OutRsts`: a side, a group of /proc/net/snmp or /proc/net/netstat, a counter; or `path.action.overtake.held`: a counter
    /// of what lies on the way.
    fn proof(&mut self, root: &Table) -> Vec<String> {
        let given =
            root.get("proof").and_then(|node| self.findings.strings(node, "`proof`")).unwrap_or_default();
        for (counter, span) in &given {
            if !is_counter(counter) {
                self.findings
                    .report(span.clone(), format!("`{counter}` is not the name of a counter"), "not a counter")
                    .help("a counter is SIDE.GROUP.NAME as in /proc/net/snmp and /proc/net/netstat, \"peer.Tcp.OutRsts\", or one of the path: \"path.ips.matched\"");
            } else if let Some(name) = of_tcp(counter).filter(|name| !TCP.contains(name)) {
                self.findings
                    .report(span.clone(), format!("no kernel counts `{counter}`"), "it would never rise")
                    .help(hint(name, TCP, "/proc/net/snmp has of Tcp"));
            }
        }
        given.into_iter().map(|(counter, _)| counter).collect()
    }

    fn read_parameters(&mut self, root: &Table) {
        let Some(table) = root.get("parameters").and_then(|node| self.findings.table(node, "`parameters`"))
        else {
            return;
        };
        for (key, node) in &table.entries {
            self.parameter(key, node);
        }
    }

    fn parameter(&mut self, key: &Key, node: &Node) {
        let formed = key.name.starts_with(|c: char| c.is_ascii_lowercase())
            && key.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !formed {
            self.findings
                .report(
                    key.span.clone(),
                    format!("`{}` cannot be a parameter's name", key.name),
                    "not a name",
                )
                .help("a name is made of a-z, 0-9 and _, and begins with a letter");
        }
        if RESERVED.contains(&key.name.as_str()) {
            self.findings
                .report(
                    key.span.clone(),
                    format!("`{}` cannot be a parameter's name", key.name),
                    "has a meaning of its own",
                )
                .help("matrix files and filters use this word for something else; choose another");
        }
        let (default, about) = match &node.value {
            Value::Table(table) => {
                let what = format!("parameter `{}`", key.name);
                self.findings.refuse_unknown_keys(table, &what, &keys::PARAMETER.names());
                let about =
                    table.get("about").and_then(|node| self.findings.string(node, "`about`")).unwrap_or("");
                let Some(default) = table.get("default") else {
                    self.findings.missing(key.span.clone(), &what, "default", "default = \"0ms\"");
                    return;
                };
                (default, about)
            }
            _ => (node, ""),
        };
        let Some(text) = spelled(default) else {
            let found = default.value.kind();
            self.findings.report(
                default.span.clone(),
                format!("parameter `{}` must be a single value, not {found}", key.name),
                "expected a string or a number",
            );
            return;
        };
        self.parameters.push(ParameterDraft {
            parameter: Parameter {
                name: key.name.clone(),
                default: text.to_owned(),
                about: about.to_owned(),
                kinds: Vec::new(),
            },
            name_span: key.span.clone(),
            default_span: default.span.clone(),
            uses: Vec::new(),
        });
    }

    fn expect(&mut self, root: &Table) -> Vec<(Input, Span)> {
        let Some(node) = root.get("expect") else {
            self.findings.missing(0..0, "the scenario", "expect", "expect = [\"readable,data,ECONNRESET\"]");
            return Vec::new();
        };
        self.outcomes(node)
    }

    /// A list of outcomes, with their places.
    fn outcomes(&mut self, node: &Node) -> Vec<(Input, Span)> {
        let Some(items) = self.findings.list(node, "`expect`") else { return Vec::new() };
        if items.is_empty() {
            self.findings
                .report(node.span.clone(), "`expect` is empty", "no outcome is expected")
                .help("name the outcomes that are not anomalies; \"**\" expects any");
        }
        items
            .iter()
            .filter_map(|item| {
                self.input(FieldKind::Text, item, "an expected outcome")
                    .map(|input| (input, item.span.clone()))
            })
            .collect()
    }

    fn control(&mut self, node: &Node) -> Option<ControlTemplate> {
        let table = self.findings.table(node, "`control`")?;
        self.findings.refuse_unknown_keys(table, "`control`", &keys::CONTROL.names());
        let field = |reader: &mut Self, key: &str, kind: FieldKind, example: &str| {
            let Some(node) = table.get(key) else {
                reader.findings.missing(node.span.clone(), "`control`", key, example);
                return None;
            };
            reader.input(kind, node, &format!("`control.{key}`"))
        };
        let errno = field(self, "errno", FieldKind::Errno, "errno = \"EBADF\"");
        let rate = field(self, "rate", FieldKind::Rate, "rate = \"1%\"; 0 is a negative control");
        Some(ControlTemplate { errno: errno?, rate: rate? })
    }

    fn lanes(&mut self, root: &Table) -> Vec<LaneTemplate> {
        let Some(node) = root.get("lane") else {
            self.findings
                .report(0..0, "the scenario has no lanes", "nothing is played")
                .help("add [lane.client] with its steps, and [lane.peer]");
            return Vec::new();
        };
        let Some(table) = self.findings.table(node, "`lane`") else { return Vec::new() };
        self.collect_names(table);
        let mut lanes: Vec<LaneTemplate> =
            table.entries.iter().filter_map(|(key, node)| self.lane(key, node)).collect();
        if let Some((key, node)) = root.entry("peer") {
            lanes.extend(self.peer(key, node, &lanes));
        }
        lanes
    }

    /// `peer`: the lane of another scenario.
    fn peer(&mut self, key: &Key, node: &Node, lanes: &[LaneTemplate]) -> Option<LaneTemplate> {
        if let Some(own) = lanes.iter().find(|lane| lane.side == Side::Peer) {
            self.findings
                .report(key.span.clone(), "two peers", "the lane of another scenario")
                .also(own.span.clone(), "and a lane of this one")
                .help("keep one of them");
            return None;
        }
        if self.program.is_none() {
            if !self.dropped {
                self.findings
                    .report(key.span.clone(), "`peer` without a program", "no lane of this file is a program")
                    .help("write [lane.peer] with its steps: `rig scenario show NAME --format toml` prints those of another scenario");
            }
            return None;
        }
        self.peer_of_another(node)
    }

    /// Sockets and marks that some step defines, before any step is read: a lane may name what a later lane defines.
    fn collect_names(&mut self, lanes: &Table) {
        for (key, lane) in &lanes.entries {
            self.lane_names.push(key.name.clone());
            let Value::Table(lane) = &lane.value else { continue };
            let Some(Value::Array(steps)) = lane.get("steps").map(|node| &node.value) else { continue };
            for step in steps {
                let Value::Table(step) = &step.value else { continue };
                let Some(Value::String(op)) = step.get("op").map(|node| &node.value) else { continue };
                let Some(schema) = schema_of(op) else { continue };
                for field in schema.fields.iter().filter(|field| field.defines) {
                    let Some(Value::String(name)) = step.get(field.name).map(|node| &node.value) else {
                        continue;
                    };
                    let names =
                        if field.kind == FieldKind::Mark { &mut self.marks } else { &mut self.sockets };
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
            }
        }
    }

    fn lane(&mut self, key: &Key, node: &Node) -> Option<LaneTemplate> {
        let what = format!("lane `{}`", key.name);
        let table = self.findings.table(node, &what)?;
        let is_program = table.get("program").is_some();
        if !is_program {
            self.refuse_keys_of_a_lane(table, &what);
        }
        let side = match table.get("side") {
            None if key.name == "peer" => Some(Side::Peer),
            None => Some(Side::Target),
            Some(node) => self.side(node),
        };
        match (table.get("expect"), side) {
            (Some(node), Some(Side::Peer)) => self.expect_peer = self.outcomes(node),
            (Some(node), Some(Side::Target)) => {
                let message = format!("{what} has its own `expect`, and runs on the target");
                self.findings
                    .report(node.span.clone(), message, "only the peer's lane can have one")
                    .help("the `expect` at the top of the file is for all lanes of the target together");
            }
            (Some(_), None) | (None, _) => {}
        }
        if is_program {
            return self.program(key, table, side?);
        }
        let Some(steps) = table.get("steps") else {
            self.dropped = true;
            self.findings.missing(
                key.span.clone(),
                &what,
                "steps",
                "steps = [ { op = \"connect\", socket = \"conn\" } ]",
            );
            return None;
        };
        let items = self.findings.list(steps, &format!("the steps of {what}"))?;
        if items.is_empty() {
            self.findings
                .report(steps.span.clone(), format!("{what} has no steps"), "empty")
                .help("a lane plays at least one step");
        }
        let steps = items.iter().filter_map(|item| self.step(item)).collect();
        Some(LaneTemplate { name: key.name.clone(), span: key.span.clone(), side: side?, steps })
    }

    /// A key that only a program has is said to be that.
    fn refuse_keys_of_a_lane(&mut self, table: &Table, what: &str) {
        let known = keys::LANE.names();
        for (key, _) in table.entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            if keys::PROGRAM.names().contains(&key.name.as_str()) {
                self.findings
                    .report(
                        key.span.clone(),
                        format!("`{}` of {what}, which is not a program", key.name),
                        "a key of a program",
                    )
                    .help("add program = \"./client3\" in place of `steps`, or remove this key");
            } else {
                self.findings.unknown_key(key, what, &[known.as_slice(), &["program"]].concat());
            }
        }
    }

    /// A lane that is a program: it has no steps.
    fn program(&mut self, key: &Key, table: &Table, side: Side) -> Option<LaneTemplate> {
        let what = format!("lane `{}`", key.name);
        let (program, _) = table.entry("program")?;
        if let Some((steps, _)) = table.entry("steps") {
            self.findings
                .report(steps.span.clone(), format!("{what} has `steps` and `program`"), "the one")
                .also(program.span.clone(), "the other")
                .help("a lane plays steps or is a program: keep one of the two");
        }
        if side == Side::Peer {
            self.findings
                .report(program.span.clone(), "a program on the peer", "not on the measured kernel")
                .help("rig measures the kernel of the target: the program is [lane.client]; the peer's steps answer it");
        }
        let template = self.program_lane(table, (&key.name, &what));
        self.dropped |= template.is_none();
        match &self.program {
            Some(first) => {
                let place = first.program.span.clone();
                self.findings
                    .report(program.span.clone(), "two programs", "the second one")
                    .also(place, "the first one")
                    .help("one program is the client; what it starts belongs to it");
            }
            None => self.program = template.map(Box::new),
        }
        Some(LaneTemplate { name: key.name.clone(), span: key.span.clone(), side, steps: Vec::new() })
    }

    fn side(&mut self, node: &Node) -> Option<Side> {
        match self.findings.string(node, "`side`")? {
            "target" => Some(Side::Target),
            "peer" => Some(Side::Peer),
            other => {
                let help = hint(other, ["target", "peer"], "the sides");
                self.findings
                    .report(node.span.clone(), format!("unknown side `{other}`"), "not a side")
                    .help(help);
                None
            }
        }
    }

    /// Every parameter is used, and its default is a value of every kind that its uses ask for.
    fn settle_parameters(&mut self) {
        for draft in &mut self.parameters {
            let name = &draft.parameter.name;
            if draft.uses.is_empty() && !self.dropped {
                self.findings
                    .report(
                        draft.name_span.clone(),
                        format!("parameter `{name}` is never used"),
                        format!("no value is \"${{{name}}}\""),
                    )
                    .help(format!("use it as a whole value, \"${{{name}}}\", or remove it"));
            }
            for (kind, place) in &draft.uses {
                if draft.parameter.kinds.contains(kind) {
                    continue;
                }
                draft.parameter.kinds.push(*kind);
                if let Err(wrong) = from_text(*kind, &draft.parameter.default) {
                    self.findings
                        .report(
                            draft.default_span.clone(),
                            format!("the default of parameter `{name}` is wrong"),
                            wrong.label,
                        )
                        .also(place.clone(), "it is used here")
                        .maybe_help(wrong.help);
                }
            }
        }
    }
}

/// Whether a counter can have this name.
/// What /proc/net/snmp counts of TCP, in every kernel (RFC 4022; net/ipv4/proc.c, snmp4_tcp_list).
const TCP: [&str; 15] = [
    "RtoAlgorithm",
    "RtoMin",
    "RtoMax",
    "MaxConn",
    "ActiveOpens",
    "PassiveOpens",
    "AttemptFails",
    "EstabResets",
    "CurrEstab",
    "InSegs",
    "OutSegs",
    "RetransSegs",
    "InErrs",
    "OutRsts",
    "InCsumErrors",
];

fn of_tcp(counter: &str) -> Option<&str> {
    counter.split_once('.')?.1.strip_prefix("Tcp.")
}

fn is_counter(name: &str) -> bool {
    let words = |rest: &str, fits: fn(u8) -> bool| {
        rest.split('.').all(|word| !word.is_empty() && word.bytes().all(fits))
    };
    match name.split_once('.') {
        Some(("peer" | "target", rest)) => {
            rest.split('.').count() == 2 && words(rest, |b| b.is_ascii_alphanumeric())
        }
        // As names in the matrix are made, which stand in the middle of them.
        Some(("path", rest)) => {
            words(rest, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        }
        Some(_) | None => false,
    }
}
