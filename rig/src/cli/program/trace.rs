//! `rig program trace`: one run of a program on this host, its calls and packets in one time line.
//!
//! Holds its arguments and its flow; played as a block of `rig matrix run` is (`campaign/once.rs`), with one trial. Units: as users type them.
//! Errors: [`Failure`]. Tests: `tests/cli_input.rs` (wrong input).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nix::time::{ClockId, clock_gettime};
use rig_protocol::{Errno, Network, ProgramTrial, Script, TrialRecord, Witness, watched_calls};
use serde_json::json;

use super::check::{check_network, check_parameters, check_program, read_scenario, working_directory};
use super::files;
use super::ladder::{self, Rung};
use super::options::{Client, WitnessWord, usage_of_trace};
use crate::campaign::{Alone, Once, play_once};
use crate::cli::image::Format;
use crate::cli::output::print;
use crate::cli::scenario::{place, watch};
use crate::cli::{Exit, Failure, called, width};
use crate::matrix::{Cell, HOST_KERNEL, Packer, Subject};
use crate::path::{Addressing, Medium};
use crate::record::format::{BlockId, BlockStatus, CaptureWhen};
use crate::record::{Seen, segments};
use crate::report::Page;
use crate::runner::Attempt;
use crate::script::describe_lane;

/// Arguments of `rig program trace`.
#[derive(Debug, clap::Parser)]
#[command(override_usage = usage_of_trace(&called::name()))]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    client: Client,
    /// Who records its calls
    #[arg(long, value_enum, value_name = "WITNESS", default_value = "ptrace")]
    witness: WitnessWord,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = &arguments.client;
    let folder = working_directory()?;
    check_network(client)?;
    check_program(client, &folder)?;
    let attempt = attempt(arguments, &folder)?;
    let unseen = unseen_packets(&attempt.cell.subject);
    let capture = if unseen.is_none() { CaptureWhen::Always } else { CaptureWhen::Never };
    let mut person = watch::Person::of(&attempt.cell);
    let once = play_once(
        Alone { attempt: attempt.clone(), keep: 1, capture, keep_core: false, keep_guest: false },
        &mut person,
    )?;
    let traced = Traced::of(once, packets_ahead_ns());
    print(&match arguments.format {
        Format::Json => traced.json(&attempt.cell),
        Format::Text => traced.text(&attempt.cell, unseen),
    })?;
    Ok(if traced.trial.is_some() { Exit::Done } else { Exit::Short })
}

/// Why no packets can be captured, where none can.
fn unseen_packets(subject: &Subject) -> Option<&'static str> {
    let own = subject.script.program.as_ref().is_some_and(|program| program.network == Network::Own);
    match (own, subject.path.medium) {
        (true, _) => Some("not counted: the packets stay in the trial's own network"),
        (false, Medium::Loopback) => Some("not counted: the packets of this path stay in this host's kernel"),
        (false, Medium::Link) => None,
    }
}

/// One trial on this host as it is.
fn attempt(arguments: &Arguments, folder: &Path) -> Result<Attempt, Failure> {
    let client = &arguments.client;
    check_parameters(client, folder)?;
    let stem = files::stem(client.program());
    let text = files::scenario(client, folder, &["**".to_owned()], arguments.witness.word());
    let scenario = read_scenario(&stem, folder, &text)?;
    let parameters = scenario.complete(&BTreeMap::new());
    let mut script = scenario.resolve(&BTreeMap::new()).expect("it was resolved when it was read").script;
    Packer::default().pack(&scenario, &parameters, &mut script).map_err(Failure::input)?;
    let path = Some(client.path.as_str()).filter(|path| *path != "direct" || client.matrix.is_some());
    let subject = Subject {
        scenario: stem,
        parameters,
        configuration: place::this_host().configuration,
        kernel: HOST_KERNEL.to_owned(),
        kernel_at: None,
        path: place::path(path, client.matrix.as_deref())?,
        machine: None,
        script: Arc::new(script),
    };
    let cell = Cell { title: scenario.title, alert: false, ..Cell::of(subject) };
    Ok(Attempt::alone(BlockId::of(&cell.id, None, 0), cell, 0, 1))
}

/// How far the clock of packets (since 1970) is ahead of the one of calls (since the boot).
fn packets_ahead_ns() -> i128 {
    let now = |clock| {
        let time = clock_gettime(clock).expect("Linux has both clocks (clock_gettime(2))");
        i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec())
    };
    now(ClockId::CLOCK_REALTIME) - now(ClockId::CLOCK_MONOTONIC)
}

/// What came of the one trial.
struct Traced {
    /// Why there is no trial, where there is none.
    void: String,
    outcome: String,
    trial: Option<ProgramTrial>,
    rungs: Vec<Rung>,
    resets: usize,
    unseen: Vec<String>,
}

impl Traced {
    fn of(once: Once, ahead_ns: i128) -> Self {
        let void = match &once.record.status {
            BlockStatus::Complete => String::new(),
            BlockStatus::Void { reason } => reason.to_string(),
            BlockStatus::Aborted { reason } => reason.clone(),
        };
        let client = Addressing::default().target;
        let is_own = |seen: &Seen| [seen.source.ip(), seen.destination.ip()].contains(&&client);
        let own = |file: &[u8]| segments(file).into_iter().filter(is_own).collect::<Vec<_>>();
        let mut ends = once.packets.iter().map(|(_, file)| own(file));
        // As the runner hands them over: next to the program, then next to the peer.
        let (wire, peer) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
        let unseen = once.record.tally.program.as_ref().map(|sums| sums.unseen.keys().cloned().collect());
        let played = once.trials.into_iter().next();
        let void = match &played {
            Some(trial) if trial.void => trial.outcome.clone(),
            Some(_) => void,
            None if void.is_empty() => "the agent kept nothing of the trial".to_owned(),
            None => void,
        };
        let outcome = played.as_ref().map(|trial| trial.outcome.clone()).unwrap_or_default();
        let trial = played
            .and_then(|TrialRecord { void, program, .. }| program.filter(|_| !void))
            .map(|trial| *trial);
        let rungs = trial
            .as_ref()
            .map(|trial| ladder::ladder(trial, [&wire, &peer], client, ahead_ns))
            .unwrap_or_default();
        let resets = wire.iter().filter(|seen| seen.resets).count();
        Self { void, outcome, trial, rungs, resets, unseen: unseen.unwrap_or_default() }
    }

    fn json(&self, cell: &Cell) -> String {
        let names: Vec<&str> = watched_calls().iter().map(|call| call.name).collect();
        let whole = json!({
            "format": 1,
            "program": cell.title,
            "path": cell.subject.path.name,
            "witness": cell.subject.script.program.as_ref().map(|program| program.witness),
            "void": self.void,
            "outcome": self.outcome,
            "resets": self.resets,
            "ladder": self.rungs,
            "trial": self.trial,
            "unseen": self.unseen,
            "watched": names,
        });
        format!("{whole:#}\n")
    }

    fn text(&self, cell: &Cell, unseen_packets: Option<&str>) -> String {
        let mut page = Page::new(width::for_text(), called::worded);
        page.wrap("", &format!("{} on this host, over path {}", cell.title, cell.subject.path.name), 2);
        let Some(trial) = &self.trial else {
            page.wrap("", &format!("VOID: the program was not run to its end: {}", self.void), 2);
            return rig_protocol::plain_lines(&page.into_text());
        };
        page.push_str("\n");
        page.push_str(&ladder::text(&self.rungs, width::for_text()));
        page.push_str("\n");
        let row = |page: &mut Page, name: &str, words: &str| {
            if !words.is_empty() {
                page.wrap(&format!("{name:<10}"), words, 10);
            }
        };
        row(&mut page, "outcome", &self.outcome);
        row(&mut page, "said", &said(trial));
        let resets = || format!("{} RST on the wire at the program", self.resets);
        row(&mut page, "resets", &unseen_packets.map_or_else(resets, str::to_owned));
        row(&mut page, "peer", &peer(&cell.subject.script));
        row(&mut page, "left out", &left_out(trial));
        let nobody =
            cell.subject.script.program.as_ref().is_some_and(|program| program.witness == Witness::None);
        row(&mut page, "watched", &watched(nobody));
        row(&mut page, "unwatched", &unwatched(nobody, &self.unseen));
        if !trial.output.trim().is_empty() {
            page.push_str("\nWhat it printed:\n");
            trial.output.lines().for_each(|line| page.push_str(&format!("  {line}\n")));
        }
        rig_protocol::plain_lines(&page.into_text())
    }
}

/// What it said about its verdict call.
fn said(trial: &ProgramTrial) -> String {
    let Some(said) = &trial.said else { return String::new() };
    let mut words = vec![format!("{:?}", said.line)];
    words.extend(said.returned.map(|returned| format!("returned {returned}")));
    words.extend(said.errno.map(errno));
    words.extend(said.held.map(|held| format!("libc held {} when it wrote that", errno(held))));
    words.join(", ")
}

/// `errno 0`, `errno EBADF`
fn errno(errno: Errno) -> String {
    if errno.0 == 0 { "errno 0".to_owned() } else { format!("errno {errno}") }
}

/// The steps of the peer's lane.
fn peer(script: &Script) -> String {
    let lane = script.lanes_of(rig_protocol::Side::Peer).next();
    lane.map(|lane| describe_lane(script, lane).join("; ")).unwrap_or_default()
}

fn left_out(trial: &ProgramTrial) -> String {
    if trial.left_out == 0 { String::new() } else { format!("{} more calls", trial.left_out) }
}

fn watched(nobody: bool) -> String {
    let names = watched_calls().iter().map(|call| call.name);
    if nobody { "nothing: the witness is none".to_owned() } else { names.collect::<Vec<_>>().join(" ") }
}

fn unwatched(nobody: bool, unseen: &[String]) -> String {
    if nobody {
        return String::new();
    }
    let mut words = "every other system call; what io_uring does, and calls that never enter the kernel (vDSO, clock_gettime for \
                     instance), no witness can see"
        .to_owned();
    if !unseen.is_empty() {
        words.push_str(&format!(". This program used some: {}", unseen.join(", ")));
    }
    words
}
