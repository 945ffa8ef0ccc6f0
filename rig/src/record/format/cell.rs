//! A cell of the plan, as it is stored.
//!
//! Own shape: names, words and trees, so that a record can be read by a rig that does not know every operation, part of a path or kind of hardware; in memory it is
//! a [`Cell`], which knows all of them. An id is read, never computed anew. Must not know how a cell is played.
//! Units: in the keys. Errors: a sentence, for a cell that this rig does not understand. Tests: here, `tests/golden/recorded.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rig_protocol::{Lane, Op, Script, Step, TimeClass, TimeRange, Timing};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::program::PlannedProgram;
use super::words::{errno_of, errno_word};
use crate::matrix::{Cell, CellId, Control, Subject};

/// A cell of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRecord {
    /// The cell.
    pub cell: Cell,
    /// Why it is not run, if it is not.
    pub skipped: Option<String>,
    /// What this host lacks for it, in one word (`vhost-net`), if it is not run.
    pub lack: Option<String>,
}

/// A cell of the plan: one point of the matrix, with everything that a block of it needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlannedCell {
    /// 12 hex digits: what is measured, hashed when the run was planned. Stable when the matrix is re-ordered.
    id: String,
    /// Name of the scenario.
    scenario: String,
    /// The scenario's one-line title.
    #[serde(default)]
    title: String,
    /// The scenario's parameters with their values, as a scenario file spells them.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// Where the target's kernel runs.
    configuration: PlannedConfiguration,
    /// Name of the image (`6.1`), or `host`.
    #[serde(default)]
    kernel: String,
    /// What lies between target and peer.
    path: PlannedPath,
    /// What is played.
    script: PlannedScript,
    /// Ids of the claims that the scenario tests.
    #[serde(default)]
    claims: Vec<String>,
    /// Of a cell whose answer is known before the run.
    #[serde(default)]
    control: Option<PlannedControl>,
    /// Whether a difference between this cell and its bare-metal cell is news; not where threads of the application race.
    #[serde(default = "yes")]
    alert: bool,
    /// Why it is known that its trials end otherwise than the scenario expects: then that is shown, and raises no alert. Null where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<String>,
    /// Id of the cell that this one plays a second time under another configuration's name (A/A pair); null where it is no second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeats: Option<String>,
    /// Trials wanted over all its blocks.
    #[serde(default)]
    trials: u64,
    /// Blocks wanted.
    #[serde(default)]
    blocks: u32,
    /// Trials under way at once.
    #[serde(default)]
    in_flight: u32,
    /// Kernel counters that must rise by at least the number of trials, or a block is void.
    #[serde(default)]
    proof: Vec<String>,
    /// Why it is not run; null where it is.
    #[serde(default)]
    skipped: Option<String>,
    /// What the host lacks for it, in one word (`vhost-net`, `nft`): the words of `--deny-skips`. Null where it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lack: Option<String>,
}

fn yes() -> bool {
    true
}

/// Where the target's kernel runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedConfiguration {
    /// Its name in the matrix.
    name: String,
    /// `host`: a network namespace of the host; `qemu`: a guest.
    kind: String,
    /// Of a guest, the keys of its `[configuration.NAME]` with all defaults filled in: `accelerator`, `machine`, `vcpus`, `memory_mib`, `nic` (`model`, `backend`,
    /// `queues`), `localtime`, `timezone`. Of a host, `localtime` and `timezone`. A `timezone` that is not set is not written, nor a host's `localtime` where it is `present`.
    #[serde(default)]
    hardware: Map<String, Value>,
}

/// What lies between target and peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedPath {
    /// Its name in the matrix.
    name: String,
    /// Maximum transmission unit of every link, in bytes.
    mtu_bytes: u32,
    /// `link`: a layer-2 link; `loopback`: the target's own.
    #[serde(default = "link")]
    medium: String,
    /// What is more than a link, by kind (`impairments`, `actions`, `firewall`, `ips`, `balancer`, `haproxy`, `rules`, `faults`), as its `[path.NAME]` declares it, complete,
    /// times in nanoseconds. Empty for a plain link.
    #[serde(default)]
    parts: Map<String, Value>,
}

fn link() -> String {
    "link".to_owned()
}

/// A scenario with all parameters filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedScript {
    /// The scenario's name.
    name: String,
    /// Names of the sockets; steps name them by index.
    #[serde(default)]
    sockets: Vec<String>,
    /// Names of the marks; steps name them by index.
    #[serde(default)]
    marks: Vec<String>,
    /// What each thread plays.
    lanes: Vec<PlannedLane>,
    /// Outcomes that the scenario expects; `*` stands for one label, a last `**` for any rest. All others are anomalies.
    #[serde(default)]
    expect: Vec<String>,
    /// The same of the peer lane; empty where the scenario expects nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expect_peer: Vec<String>,
    /// How long a trial may last, in nanoseconds, where the scenario says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ns: Option<u64>,
    /// The user's program that is the client, in place of the steps of the target's lane. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<PlannedProgram>,
}

/// A sequence of steps that one thread plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedLane {
    /// Its name in the scenario file.
    name: String,
    /// `target` or `peer`.
    side: String,
    /// In order.
    steps: Vec<PlannedStep>,
}

/// One system call, sleep or wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedStep {
    /// The operation's name in a scenario file.
    operation: String,
    /// Its fields by the names of a scenario file; sockets and marks as indices, times in nanoseconds.
    #[serde(default)]
    arguments: Map<String, Value>,
    /// The one step whose return the cell counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    verdict: bool,
    /// Whether its label is part of the outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    outcome: bool,
    /// Whether the scenario says that it may fail. Of no effect since format 2.1; before, its failure was an observation, and not a void trial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_fail: bool,
    /// Whether its label has the number that it returned: `data=14480`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    count: bool,
    /// The times outside of which its label ends with `:early` or `:late`. Null where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<PlannedTimes>,
    /// The classes of times of which its label says one (`ok:slow`), or `:other`; the first that has a time counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    time: Vec<PlannedClass>,
}

/// A range of times; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedTimes {
    /// Smallest, in nanoseconds.
    low_ns: u64,
    /// Largest, in nanoseconds.
    high_ns: u64,
}

/// A class of times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedClass {
    /// What a label says.
    name: String,
    /// Which times.
    range: PlannedTimes,
}

impl From<TimeRange> for PlannedTimes {
    fn from(TimeRange { low_ns, high_ns }: TimeRange) -> Self {
        Self { low_ns, high_ns }
    }
}

impl From<PlannedTimes> for TimeRange {
    fn from(PlannedTimes { low_ns, high_ns }: PlannedTimes) -> Self {
        Self { low_ns, high_ns }
    }
}

/// A cell whose answer is known before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct PlannedControl {
    /// Its name in the matrix.
    name: String,
    /// The errno that must be found, by name.
    errno: String,
    /// In this share of the trials (of 1), exactly known: 0 for a negative control.
    expected_rate: f64,
}

impl Serialize for CellRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PlannedCell::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CellRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let planned = PlannedCell::deserialize(deserializer)?;
        let id = planned.id.clone();
        Self::try_from(planned).map_err(|what| serde::de::Error::custom(format!("cell {id:?}: {what}")))
    }
}

impl JsonSchema for CellRecord {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        PlannedCell::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        PlannedCell::json_schema(generator)
    }
}

impl From<&CellRecord> for PlannedCell {
    fn from(record: &CellRecord) -> Self {
        let CellRecord { cell, skipped, lack } = record;
        let subject = &cell.subject;
        let control = |control: &Control| PlannedControl {
            name: control.name.clone(),
            errno: errno_word(control.errno),
            expected_rate: control.expected_rate,
        };
        Self {
            id: cell.id.0.clone(),
            scenario: subject.scenario.clone(),
            title: cell.title.clone(),
            parameters: subject.parameters.clone(),
            configuration: configuration(subject),
            kernel: subject.kernel.clone(),
            path: path(subject),
            script: script(&subject.script),
            claims: cell.claims.clone(),
            control: cell.control.as_ref().map(control),
            alert: cell.alert,
            known: cell.known.clone(),
            repeats: cell.repeats.as_ref().map(|id| id.0.clone()),
            trials: cell.trials,
            blocks: cell.blocks,
            in_flight: cell.in_flight,
            proof: cell.proof.clone(),
            skipped: skipped.clone(),
            lack: lack.clone(),
        }
    }
}

/// The tree of something that is declared: plain data, so this cannot fail.
fn tree(declared: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(declared) {
        Ok(Value::Object(tree)) => tree,
        Ok(_) | Err(_) => unreachable!("a declared thing is a struct of plain data with string keys"),
    }
}

fn taken(tree: &mut Map<String, Value>, key: &str) -> String {
    tree.remove(key).and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn configuration(subject: &Subject) -> PlannedConfiguration {
    let mut hardware = tree(&subject.configuration.target);
    let kind = taken(&mut hardware, "kind");
    PlannedConfiguration { name: subject.configuration.name.clone(), kind, hardware }
}

fn path(subject: &Subject) -> PlannedPath {
    let mut parts = tree(&subject.path);
    let name = taken(&mut parts, "name");
    parts.remove("mtu_bytes");
    let medium = if parts.contains_key("medium") { taken(&mut parts, "medium") } else { link() };
    PlannedPath { name, mtu_bytes: subject.path.mtu_bytes, medium, parts }
}

fn script(script: &Script) -> PlannedScript {
    let step = |step: &Step| {
        let mut arguments = tree(&step.op);
        let operation = taken(&mut arguments, "op");
        let Step { verdict, outcome, may_fail, count, .. } = *step;
        let (within, time) = times(step.timing.as_ref());
        PlannedStep { operation, arguments, verdict, outcome, may_fail, count, within, time }
    };
    let lane = |lane: &Lane| PlannedLane {
        name: lane.name.clone(),
        side: word(&lane.side),
        steps: lane.steps.iter().map(step).collect(),
    };
    PlannedScript {
        name: script.name.clone(),
        sockets: script.sockets.clone(),
        marks: script.marks.clone(),
        lanes: script.lanes.iter().map(lane).collect(),
        expect: script.expect.clone(),
        expect_peer: script.expect_peer.clone(),
        deadline_ns: script.deadline_ns,
        program: script.program.as_deref().map(PlannedProgram::from),
    }
}

fn times(timing: Option<&Timing>) -> (Option<PlannedTimes>, Vec<PlannedClass>) {
    let class = |class: &TimeClass| PlannedClass { name: class.name.clone(), range: class.range.into() };
    match timing {
        Some(Timing::Within(range)) => (Some((*range).into()), vec![]),
        Some(Timing::Classes(classes)) => (None, classes.iter().map(class).collect()),
        None => (None, vec![]),
    }
}

fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("a choice is a word"),
    }
}

/// Reads something that is declared; what of it this rig does not know is named after `what`.
fn declared<T: DeserializeOwned>(what: &str, tree: Value) -> Result<T, String> {
    serde_json::from_value(tree).map_err(|error| format!("{what}: {error}"))
}

impl TryFrom<PlannedCell> for CellRecord {
    type Error = String;

    fn try_from(planned: PlannedCell) -> Result<Self, String> {
        let PlannedConfiguration { name, kind, mut hardware } = planned.configuration;
        hardware.insert("kind".into(), json!(kind));
        let configuration = declared("its configuration", json!({ "name": name, "target": hardware }))?;
        let PlannedPath { name, mtu_bytes, medium, mut parts } = planned.path;
        parts.extend([
            ("name".to_owned(), json!(name)),
            ("mtu_bytes".to_owned(), json!(mtu_bytes)),
            ("medium".to_owned(), json!(medium)),
        ]);
        let subject = Subject {
            scenario: planned.scenario,
            parameters: planned.parameters,
            configuration,
            kernel: planned.kernel,
            kernel_at: None,
            path: declared("its path", Value::Object(parts))?,
            machine: None,
            script: Arc::new(planned.script.try_into()?),
        };
        let control = |control: PlannedControl| {
            let PlannedControl { name, errno, expected_rate } = control;
            Ok::<_, String>(Control { name, errno: errno_of(&errno)?, expected_rate })
        };
        let cell = Cell {
            id: CellId(planned.id),
            subject,
            title: planned.title,
            claims: planned.claims,
            control: planned.control.map(control).transpose()?,
            alert: planned.alert,
            known: planned.known,
            repeats: planned.repeats.map(CellId),
            trials: planned.trials,
            blocks: planned.blocks,
            in_flight: planned.in_flight,
            proof: planned.proof,
        };
        Ok(Self { cell, skipped: planned.skipped, lack: planned.lack })
    }
}

impl TryFrom<PlannedScript> for Script {
    type Error = String;

    fn try_from(planned: PlannedScript) -> Result<Self, String> {
        let lanes = planned.lanes.into_iter().map(|lane| {
            let PlannedLane { name, side, steps } = lane;
            let side = declared("a lane's side", json!(side))?;
            let steps = steps.into_iter().map(Step::try_from).collect::<Result<_, String>>()?;
            Ok(Lane { name, side, steps })
        });
        Ok(Self {
            lanes: lanes.collect::<Result<_, String>>()?,
            name: planned.name,
            sockets: planned.sockets,
            marks: planned.marks,
            expect: planned.expect,
            expect_peer: planned.expect_peer,
            deadline_ns: planned.deadline_ns,
            program: planned
                .program
                .map(|program| Ok::<_, String>(Box::new(program.try_into()?)))
                .transpose()?,
        })
    }
}

impl TryFrom<PlannedStep> for Step {
    type Error = String;

    fn try_from(planned: PlannedStep) -> Result<Self, String> {
        let PlannedStep { operation, mut arguments, verdict, outcome, may_fail, count, within, time } =
            planned;
        let what = format!("operation {operation:?}");
        arguments.insert("op".into(), json!(operation));
        let op: Op = declared(&what, Value::Object(arguments))?;
        let class = |class: PlannedClass| TimeClass { name: class.name, range: class.range.into() };
        let timing = match within {
            Some(range) => Some(Timing::Within(range.into())),
            None if time.is_empty() => None,
            None => Some(Timing::Classes(time.into_iter().map(class).collect())),
        };
        Ok(Self { op, verdict, outcome, may_fail, count, timing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Matrix, Selection};

    fn shipped() -> Vec<CellRecord> {
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let cells = matrix.cells(&Selection::default()).expect("valid");
        cells.into_iter().map(|cell| CellRecord { cell, skipped: None, lack: None }).collect()
    }

    #[test]
    fn every_shipped_cell_is_the_same_after_disk() {
        for record in shipped() {
            let text = serde_json::to_string(&record).expect("plain data");
            let read: CellRecord = serde_json::from_str(&text).expect("its own words");
            assert_eq!(read, record);
            assert_eq!(read.cell.subject.id(), read.cell.id, "nothing that the id is made of is lost");
        }
    }

    /// Every key that no shipped scenario has.
    const SCRIPTED: &str = r#"
title = "t"
expect = ["ok=60000:slow,data=1..60000,**", "ok=60000:other,deadline"]
deadline = "3min"
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", bytes = 60000, verdict = true, count = true, time = { fast = "0ms..1ms", slow = "1ms..2s" } },
    { op = "read", socket = "c", bytes = 65536, count = true },
    { op = "tcp_state", socket = "c", outcome = true, within = "0ms..5ms" },
]
[lane.peer]
expect = ["data=60000", "unfinished"]
steps = [ { op = "accept", socket = "c" }, { op = "read", socket = "c", bytes = 65536, count = true } ]
"#;

    #[test]
    fn a_cell_with_every_key_of_the_language_is_the_same_after_disk() {
        let scenario = crate::script::Scenario::parse("t", "t.toml", SCRIPTED).expect("sound");
        let script = Arc::new(scenario.resolve(&BTreeMap::new()).expect("no parameters").script);
        let mut record = shipped().remove(0);
        record.cell = Cell::of(Subject { script, ..record.cell.subject });
        let tree = serde_json::to_value(&record).expect("plain data");
        let read: CellRecord = serde_json::from_value(tree.clone()).expect("its own words");
        assert_eq!(read, record);
        assert_eq!(read.cell.subject.id(), read.cell.id, "nothing that the id is made of is lost");
        let step = &tree["script"]["lanes"][0]["steps"][1];
        assert_eq!(step["arguments"], json!({ "socket": 0, "bytes": 60_000 }));
        assert_eq!(step["count"], json!(true));
        let slow = json!({ "name": "slow", "range": { "low_ns": 1_000_000, "high_ns": 2_000_000_000_u64 } });
        assert_eq!(step["time"][1], slow);
        let step = &tree["script"]["lanes"][0]["steps"][3];
        assert_eq!(step["within"], json!({ "low_ns": 0, "high_ns": 5_000_000 }));
        assert_eq!(tree["script"]["expect_peer"], json!(["data=60000", "unfinished"]));
        assert_eq!(tree["script"]["deadline_ns"], json!(180_000_000_000_u64));
    }

    #[test]
    fn what_this_rig_does_not_know_is_named() {
        let record = shipped().remove(0);
        let unknown = |change: &dyn Fn(&mut Value)| {
            let mut tree = serde_json::to_value(&record).expect("plain data");
            change(&mut tree);
            serde_json::from_value::<CellRecord>(tree).expect_err("not known").to_string()
        };
        let id = &record.cell.id.0;
        let words = unknown(&|cell| cell["script"]["lanes"][0]["steps"][0]["operation"] = json!("levitate"));
        assert!(
            words.starts_with(&format!("cell {id:?}: operation \"levitate\": unknown variant")),
            "{words}"
        );
        let words = unknown(&|cell| cell["configuration"]["kind"] = json!("abacus"));
        assert!(
            words.starts_with(&format!("cell {id:?}: its configuration: unknown variant `abacus`")),
            "{words}"
        );
        let words = unknown(&|cell| cell["path"]["medium"] = json!("aether"));
        assert!(words.contains("its path: unknown variant `aether`"), "{words}");
    }

    #[test]
    fn an_id_is_read_and_never_computed_anew() {
        let mut tree = serde_json::to_value(shipped().remove(0)).expect("plain data");
        tree["id"] = json!("of another age");
        let read: CellRecord = serde_json::from_value(tree).expect("read");
        assert_eq!(read.cell.id.0, "of another age");
    }
}
