//! A block of an inline scenario on a path, played by the real runner on the host's own kernel.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use rig::configuration::{Configuration, TargetSpec};
use rig::matrix::{Cell, HOST_KERNEL, Subject};
use rig::path::{Mechanisms, PathSpec};
use rig::record::format::{BlockRecord, BlockStatus};
use rig::runner::{Laboratory, Player, Stopper};
use rig::script::Scenario;
use rig::testbed::probe;
use tokio::sync::mpsc::unbounded_channel;

use crate::laboratory::{attempt, laboratory};

const READ: &str = r#"{ op = "read", socket = "c", bytes = 64 }"#;
const READ_IF_THERE: &str = r#"{ op = "read", socket = "c", bytes = 64, may_fail = true }"#;
const ANSWER: &str = r#"{ op = "write", socket = "c", data = "CDEF" }"#;
const ANSWER_IF_POSSIBLE: &str = r#"{ op = "write", socket = "c", data = "CDEF", may_fail = true }"#;
/// close(2) resets the connection then (SO_LINGER of socket(7)).
const RESET: &str = r#"{ op = "linger", socket = "c", seconds = 0 }"#;

/// A scenario of one connection, over which the client says `ABCD` before anything else happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inline {
    title: &'static str,
    expect: &'static [&'static str],
    /// What the client does between its question and close(2).
    client: &'static [&'static str],
    /// What the peer does between accept(2) and close(2).
    peer: &'static [&'static str],
}

impl Inline {
    fn to_toml(self) -> String {
        let Self { title, expect, client, peer } = self;
        format!(
            r#"
title = "{title}"
expect = {expect:?}
[lane.client]
steps = [
    {{ op = "connect", socket = "c" }},
    {{ op = "write", socket = "c", data = "ABCD" }},
    {client}
    {{ op = "close", socket = "c" }},
]
[lane.peer]
steps = [
    {{ op = "accept", socket = "c" }},
    {peer}
    {{ op = "close", socket = "c" }},
]
"#,
            client = steps(client),
            peer = steps(peer)
        )
    }
}

fn steps(steps: &[&str]) -> String {
    steps.iter().map(|step| format!("{step}, ")).collect()
}

/// The peer answers and resets; the client calls select() before the answer can be there.
pub(crate) const OVERTAKEN: Inline = Inline {
    title: "data, then a reset",
    expect: &["readable,data,ECONNRESET"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "5s", verdict = true }"#, READ, READ],
    peer: &[READ, ANSWER, RESET],
};

/// The same, with a pause of the peer that is longer than the link is down.
pub(crate) const RESET_LATE: Inline = Inline {
    title: "data, then a reset, on a link that flaps",
    expect: &["readable,data,ECONNRESET"],
    client: &[
        r#"{ op = "sleep", for = "800ms" }"#,
        r#"{ op = "select", read = ["c"], timeout = "5s", verdict = true }"#,
        READ,
        READ,
    ],
    peer: &[READ, ANSWER, r#"{ op = "sleep", for = "500ms" }"#, RESET],
};

/// The peer answers and waits: whoever resets is on the way.
pub(crate) const RESET_BY_PATH: Inline = Inline {
    title: "the path resets",
    expect: &["readable,data,ECONNRESET"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "5s", verdict = true }"#, READ, READ],
    peer: &[READ, ANSWER, READ_IF_THERE],
};

/// The peer is silent until it is asked again.
pub(crate) const TALKS_ON: Inline = Inline {
    title: "is the connection still alive?",
    expect: &["timeout,ok,data", "readable,ECONNRESET,eof"],
    client: &[
        r#"{ op = "select", read = ["c"], timeout = "300ms", verdict = true }"#,
        r#"{ op = "write", socket = "c", data = "MORE", may_fail = true, outcome = true }"#,
        READ,
    ],
    peer: &[READ, READ_IF_THERE, ANSWER_IF_POSSIBLE],
};

/// The peer never reads: its host refuses the data.
pub(crate) const SERVER_STAYS: Inline = Inline {
    title: "the server's host refuses the data",
    expect: &["readable,ECONNRESET"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "2s", verdict = true }"#, READ],
    peer: &[r#"{ op = "sleep", for = "200ms" }"#],
};

/// The client's host refuses the answer, and resets the server.
pub(crate) const SERVER_RESET: Inline = Inline {
    title: "the client's host refuses the answer",
    expect: &["timeout"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "400ms", verdict = true }"#],
    peer: &[READ, ANSWER, READ_IF_THERE],
};

/// The peer resets without a word, and the client waits for it.
pub(crate) const RESET_AT_ONCE: Inline = Inline {
    title: "a reset instead of an answer",
    expect: &["readable,ECONNRESET"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "5s", verdict = true }"#, READ],
    peer: &[READ, RESET],
};

/// The peer resets without a word.
pub(crate) const RST_ONLY: Inline = Inline {
    title: "a reset and nothing else",
    expect: &["timeout", "readable"],
    client: &[r#"{ op = "select", read = ["c"], timeout = "300ms", verdict = true }"#],
    peer: &[READ, RESET],
};

/// A block that was played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) record: BlockRecord,
    pub(crate) trials: u64,
}

impl Played {
    pub(crate) fn reason(&self) -> Option<String> {
        match &self.record.status {
            BlockStatus::Complete => None,
            BlockStatus::Void { reason } => Some(reason.to_string()),
            BlockStatus::Aborted { reason } => Some(reason.clone()),
        }
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        *self.record.path.counters.get(name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}

pub(crate) fn say_skipped(what: &str, why: &impl std::fmt::Display) {
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

pub(crate) fn play(path: &PathSpec, scenario: Inline, trials: u64) -> Played {
    play_cell(&cell(path, scenario, trials))
}

/// A cell of an inline scenario on the host's own kernel.
pub(crate) fn cell(path: &PathSpec, scenario: Inline, trials: u64) -> Cell {
    let scenario = Scenario::parse("inline", "inline", &scenario.to_toml()).expect("a sound scenario");
    cell_of(path, &scenario, &BTreeMap::new(), trials)
}

/// A cell of a scenario with these parameters on the host's own kernel.
pub(crate) fn cell_of(
    path: &PathSpec,
    scenario: &Scenario,
    given: &BTreeMap<String, String>,
    trials: u64,
) -> Cell {
    let script = scenario.resolve(given).expect("admissible values").script;
    let subject = Subject {
        scenario: scenario.name.clone(),
        parameters: scenario.complete(given),
        configuration: Configuration { name: "bare-metal".into(), target: TargetSpec::plain_host() },
        kernel: HOST_KERNEL.into(),
        kernel_at: None,
        path: path.clone(),
        machine: None,
        script: std::sync::Arc::new(script),
    };
    Cell {
        id: subject.id(),
        subject,
        title: scenario.title.clone(),
        claims: vec![],
        control: None,
        alert: false,
        known: None,
        repeats: None,
        trials,
        blocks: 1,
        in_flight: u32::try_from(trials).expect("few"),
        proof: vec![],
    }
}

/// All trials of a cell in one block.
pub(crate) fn play_cell(cell: &Cell) -> Played {
    let results = tempfile::tempdir().expect("a folder");
    play_in(&host_laboratory(results.path()), cell)
}

/// A laboratory with the mechanisms that this host has, which logs into this folder.
pub(crate) fn host_laboratory(results: &Path) -> Laboratory {
    let mechanisms = Mechanisms {
        netem: probe::netem(),
        nft: probe::nft(),
        bridge_conntrack: probe::bridge_conntrack(),
        haproxy: probe::haproxy(),
        nat: probe::translation(),
    };
    Laboratory { mechanisms, keep_examples: 2, ..laboratory(results) }
}

/// All trials of a cell in one block.
pub(crate) fn play_in(laboratory: &Laboratory, cell: &Cell) -> Played {
    let runtime = rig::process::start_runtime().expect("a runtime");
    let record = runtime.block_on(async {
        let (_stopper, stop) = Stopper::new();
        let (events, _spine) = unbounded_channel();
        laboratory.play(attempt(cell, cell.trials), events, stop).await.expect("nobody stops it").0
    });
    Played { record, trials: cell.trials }
}
