//! A block of an inline scenario on a path, played by the real runner on the host's own kernel.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::configuration::{Configuration, TargetSpec};
use rig::configuration::{Engine, Resolved};
use rig::matrix::{Cell, HOST_KERNEL, Subject};
use rig::path::{Mechanisms, PathSpec};
use rig::record::Layout;
use rig::record::format::{BlockId, BlockRecord, BlockStatus, CaptureWhen, PlannedBlock};
use rig::runner::{Attempt, Laboratory, Player, Stopper};
use rig::script::Scenario;
use rig::testbed::probe;
use tokio::sync::mpsc::unbounded_channel;

/// The peer answers and resets; the client calls select() before the answer can be there.
pub(crate) const OVERTAKEN: &str = r#"
title = "data, then a reset"
expect = ["readable,data,ECONNRESET"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "5s", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "linger", socket = "c", seconds = 0 },
    { op = "close", socket = "c" },
]
"#;

/// The same, with a pause of the peer that is longer than the link is down.
pub(crate) const RESET_LATE: &str = r#"
title = "data, then a reset, on a link that flaps"
expect = ["readable,data,ECONNRESET"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "sleep", for = "800ms" },
    { op = "select", read = ["c"], timeout = "5s", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "sleep", for = "500ms" },
    { op = "linger", socket = "c", seconds = 0 },
    { op = "close", socket = "c" },
]
"#;

/// The peer answers and waits: whoever resets is on the way.
pub(crate) const RESET_BY_PATH: &str = r#"
title = "the path resets"
expect = ["readable,data,ECONNRESET"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "5s", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "close", socket = "c" },
]
"#;

/// The peer is silent until it is asked again.
pub(crate) const TALKS_ON: &str = r#"
title = "is the connection still alive?"
expect = ["timeout,ok,data", "readable,ECONNRESET,eof"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "300ms", verdict = true },
    { op = "write", socket = "c", data = "MORE", may_fail = true, outcome = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "write", socket = "c", data = "CDEF", may_fail = true },
    { op = "close", socket = "c" },
]
"#;

/// The peer never reads: its host refuses the data.
pub(crate) const SERVER_STAYS: &str = r#"
title = "the server's host refuses the data"
expect = ["readable,ECONNRESET"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "2s", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "sleep", for = "200ms" },
    { op = "close", socket = "c" },
]
"#;

/// The client's host refuses the answer, and resets the server.
pub(crate) const SERVER_RESET: &str = r#"
title = "the client's host refuses the answer"
expect = ["timeout"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "400ms", verdict = true },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "close", socket = "c" },
]
"#;

/// The peer resets without a word.
pub(crate) const RST_ONLY: &str = r#"
title = "a reset and nothing else"
expect = ["timeout", "readable"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "select", read = ["c"], timeout = "300ms", verdict = true },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "linger", socket = "c", seconds = 0 },
    { op = "close", socket = "c" },
]
"#;

/// A block that was played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) record: BlockRecord,
    pub(crate) trials: u64,
}

impl Played {
    pub(crate) fn reason(&self) -> Option<&str> {
        match &self.record.status {
            BlockStatus::Complete => None,
            BlockStatus::Void { reason } => Some(reason),
        }
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        *self.record.path.counters.get(name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}

pub(crate) fn say_skipped(what: &str, why: &str) {
    // Past libtest, which keeps what a passing test prints to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED tier netns: {what}: {why}");
}

pub(crate) fn skipped(what: &str) -> bool {
    let lacking = probe::netns().err();
    if let Some(why) = &lacking {
        say_skipped(what, why);
    }
    lacking.is_some()
}

pub(crate) fn play(path: &PathSpec, scenario: &str, trials: u64) -> Played {
    play_cell(cell(path, scenario, trials))
}

/// A cell of an inline scenario on the host's own kernel.
pub(crate) fn cell(path: &PathSpec, scenario: &str, trials: u64) -> Cell {
    let scenario = Scenario::parse("inline", "inline", scenario).expect("a sound scenario");
    let script = scenario.resolve(&BTreeMap::new()).expect("no parameters").script;
    let subject = Subject {
        scenario: scenario.name.clone(),
        parameters: BTreeMap::new(),
        configuration: Configuration { name: "bare-metal".into(), target: TargetSpec::Host },
        kernel: HOST_KERNEL.into(),
        path: path.clone(),
        script: std::sync::Arc::new(script),
    };
    Cell {
        id: subject.id(),
        subject,
        title: scenario.title.clone(),
        claims: vec![],
        control: None,
        alert: false,
        trials,
        blocks: 1,
        in_flight: u32::try_from(trials).expect("few"),
        proof: vec![],
    }
}

/// All trials of a cell in one block.
pub(crate) fn play_cell(cell: Cell) -> Played {
    let results = tempfile::tempdir().expect("a folder");
    play_in(&laboratory(results.path()), cell)
}

/// A laboratory of the host alone, which logs into this folder.
pub(crate) fn laboratory(results: &Path) -> Laboratory {
    for folder in Layout::FOLDERS {
        fs_err::create_dir(results.join(folder)).expect("a folder");
    }
    let private = tempfile::tempdir().expect("a folder");
    let mechanisms = Mechanisms {
        netem: probe::netem(),
        nft: probe::nft(),
        bridge_conntrack: probe::bridge_conntrack(),
        haproxy: probe::haproxy(),
    };
    Laboratory {
        images: HashMap::new(),
        accelerator: Resolved { engine: Engine::Tcg, reason: "no guest was asked for".into() },
        mechanisms,
        qemu: PathBuf::from("qemu-system-x86_64"),
        keys: rig::image::GuestKeys::generate(),
        agent: rig::agent::install(private.path()).expect("a file"),
        private,
        results: results.to_owned(),
        block_deadline: Duration::from_secs(120),
        boot_deadline: Duration::from_secs(120),
        keep_examples: 2,
        keep_anomalies: 10,
        capture: CaptureWhen::Never,
    }
}

/// All trials of a cell in one block.
pub(crate) fn play_in(laboratory: &Laboratory, cell: Cell) -> Played {
    let (id, trials) = (cell.id.clone(), cell.trials);
    let block = PlannedBlock { id: BlockId(format!("{id}-0")), cell: id, index: 0, seed: 7, trials };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let record = runtime.block_on(async {
        let (_stopper, stop) = Stopper::new();
        let (events, _spine) = unbounded_channel();
        let attempt = Attempt { cell, block, attempt: 1 };
        laboratory.play(attempt, events, stop).await.expect("nobody stops it").0
    });
    Played { record, trials }
}
