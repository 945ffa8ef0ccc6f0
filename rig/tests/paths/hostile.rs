//! One run with hostile agents among honest ones: each hostile cell is void for its reason, and all others are measured and reported.
//!
//! A hostile agent is a script that says prepared frames in the agent's place.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rig::agent::build_id;
use rig::analysis::analyse;
use rig::analysis::model::{CellStatus, ReportModel};
use rig::event::{Event, Phase};
use rig::matrix::{Cell, CellId};
use rig::path::PathSpec;
use rig::record::format::{BlockRecord, BlockStatus, CellRecord, RunRecord};
use rig::record::{Reader, Writer};
use rig::report::Format;
use rig::runner::{Attempt, Dispatcher, Laboratory, Player, Stop, Stopper, Why, schedule};
use rig_protocol::{FrameWriter, PROTOCOL_VERSION, TrialRecord};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::play::{OVERTAKEN, cell, host_laboratory, skipped};

const TRIALS: u64 = 100;
const HONEST: usize = 3;

/// Plays the cells of `hostile` with their own agents.
struct Mixed {
    honest: Laboratory,
    hostile: Vec<(CellId, Laboratory)>,
}

impl Player for Mixed {
    async fn play(
        &self,
        attempt: Attempt,
        events: UnboundedSender<Event>,
        stop: Stop,
    ) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        let hostile = self.hostile.iter().find(|(id, _)| *id == attempt.cell.id);
        hostile.map_or(&self.honest, |(_, laboratory)| laboratory).play(attempt, events, stop).await
    }
}

/// A program that says these frames and then nothing, for as long as it is let.
fn agent(folder: &Path, frames: &[Json]) -> PathBuf {
    let said = folder.join("frames");
    let mut writer = FrameWriter::new(fs::File::create(&said).expect("a file"));
    frames.iter().for_each(|frame| writer.write(frame).expect("written"));
    script(folder, &format!("/bin/cat {}\nexec /bin/sleep 1000\n", said.display()))
}

fn script(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("agent");
    fs::write(&file, format!("#!/bin/sh\n{text}")).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("ours");
    file
}

fn hello() -> Json {
    json!({ "hello": {
        "protocol_version": PROTOCOL_VERSION, "build_id": build_id(), "kernel_release": "6.1.0", "kernel_version": "#1",
        "hypervisor": false, "clocksource": "tsc", "cpus": 1, "localtime": true, "sysctls": {}
    } })
}

fn sound_end() -> [Json; 2] {
    let tally = json!({
        "trials": TRIALS, "voids": {}, "returns": {"1": TRIALS}, "outcomes": {"readable,data,ECONNRESET": TRIALS}, "anomalies": 0,
        "state_before": {}, "stale_errno": {}, "errno_after_localtime": {}, "injected": {}, "latency": {}, "counters": {}
    });
    let fin = json!({ "frames": 3, "trials": TRIALS, "void": 0, "records": 0 });
    [json!({ "tally": tally }), json!({ "fin": fin })]
}

/// What an agent says from its start on, where it says `body` in its place.
fn frames(body: &Json) -> Vec<Json> {
    let ready = json!({ "ready": { "listening": "" } });
    match body.get("hello") {
        Some(_) => {
            let mut hello = body.clone();
            hello["hello"]["protocol_version"] = PROTOCOL_VERSION.into();
            hello["hello"]["build_id"] = build_id().into();
            // As the configuration has it.
            hello["hello"]["localtime"] = true.into();
            [hello, ready].into_iter().chain(sound_end()).collect()
        }
        None => vec![hello(), ready, body.clone(), sound_end()[1].clone()],
    }
}

struct Cast {
    _folders: Vec<TempDir>,
    player: Mixed,
    run: RunRecord,
    /// The hostile cells, by the name of the case.
    cases: Vec<(String, CellId)>,
}

fn cast() -> Cast {
    let folder = || tempfile::tempdir().expect("a folder");
    let nth = |number: usize| {
        let mut nth = cell(&PathSpec::plain(&format!("direct-{number}"), 1500), OVERTAKEN, TRIALS);
        nth.in_flight = 20;
        nth
    };
    let results = folder();
    let honest = host_laboratory(results.path());
    let mut cells: Vec<Cell> = (0..HONEST).map(nth).collect();
    let (mut folders, mut hostile, mut cases) = (vec![results], vec![], vec![]);
    for line in include_str!("../agent/contradictions.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("a case a line");
        let cell = nth(cells.len());
        let results = folder();
        let agents = folder();
        let agent = agent(agents.path(), &frames(&case["body"]));
        hostile.push((cell.id.clone(), Laboratory { agent, ..host_laboratory(results.path()) }));
        cases.push((case["case"].as_str().expect("a name").to_owned(), cell.id.clone()));
        cells.push(cell);
        folders.extend([results, agents]);
    }
    let run = RunRecord {
        seed: 7,
        blocks: schedule(&cells, 7, None),
        cells: cells.into_iter().map(|cell| CellRecord { cell, skipped: None, lack: None }).collect(),
        ..RunRecord::new("run".into())
    };
    Cast { _folders: folders, player: Mixed { honest, hostile }, run, cases }
}

/// Plays the run once and gives what its record says.
fn report(player: Mixed, run: &RunRecord) -> (ReportModel, Vec<BlockRecord>) {
    let runtime = rig::process::start_runtime().expect("a runtime");
    let (events, mut spine) = unbounded_channel();
    let dispatcher = Dispatcher::new(player, events, Stopper::new(), 1, false);
    assert_eq!(runtime.block_on(dispatcher.run(run, &[])), None, "nothing ends the run");
    let results = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(results.path(), run).expect("an empty folder");
    while let Ok(event) = spine.try_recv() {
        if let Event::BlockFinished { record, trials, .. } = event {
            writer.block(&record, &trials).expect("written");
        }
    }
    writer.end(None).expect("written");
    let read = Reader::open(writer.dir()).expect("just written");
    assert_eq!(read.cautions, Vec::<String>::new());
    (analyse(&read), read.blocks)
}

#[test]
fn a_run_with_hostile_guests_reports_all_other_cells() {
    if skipped("hostile agents") {
        return;
    }
    let Cast { _folders, player, run, cases } = cast();
    let (model, blocks) = report(player, &run);
    let is_hostile = |id: &str| cases.iter().any(|(_, cell)| cell.0 == id);
    let honest: Vec<_> = model.cells.iter().filter(|cell| !is_hostile(&cell.id)).collect();
    assert_eq!(honest.len(), HONEST);
    for cell in honest {
        // Without controls in the plan none of them can be more than blind.
        assert_eq!((cell.trials, cell.void, cell.blocks), (TRIALS, 0, 1), "{:?}", cell.reason);
        assert_eq!(cell.status, CellStatus::Blind, "{:?}", cell.reason);
    }
    for (case, id) in &cases {
        let block = blocks.iter().find(|block| block.cell == *id).expect("it is on the record");
        // A release is a text like any other, and sound sums are believed.
        if case == "release-is-a-formula" {
            assert_eq!(block.status, BlockStatus::Complete);
            assert!(block.target_hello.as_ref().is_some_and(|hello| hello.kernel_release.starts_with('=')));
            continue;
        }
        let BlockStatus::Void { reason } = &block.status else { panic!("{case}: {:?}", block.status) };
        let reason = reason.to_string();
        let begin = match case.as_str() {
            "refusal-paints" => "target: agent refused: ",
            "label-paints" => "target: agent sent an invalid message while rig waited for the end of play: ",
            _ => "target: agent's totals do not add up: ",
        };
        assert!(reason.starts_with(begin) && !reason.contains(char::is_control), "{case}: {reason}");
    }
    for format in Format::ALL {
        let text = format.render(&model);
        assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{}", format.name);
        assert!(!text.contains('\u{fffe}'), "{}", format.name);
    }
    let csv = Format::from_name("csv").expect("a format").render(&model);
    assert!(csv.contains("\"'=HYPERLINK("), "{csv}");
}

async fn until_played(spine: &mut UnboundedReceiver<Event>) {
    while let Some(event) = spine.recv().await {
        if matches!(event, Event::BlockPhase { phase: Phase::Play, .. }) {
            return;
        }
    }
}

/// Its child holds all its streams, standard error too: a stop must not wait for it, nor for the block's deadline.
#[test]
fn a_stop_works_at_once_where_an_agent_has_left_a_child_behind() {
    if skipped("an agent with a child") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let frames = agent(folder.path(), &[hello(), json!({ "ready": { "listening": "" } })]);
    let frames = fs::read_to_string(frames).expect("just written").replace("#!/bin/sh\n", "");
    let left = folder.path().join("left");
    let text = format!("/bin/sleep 1000 & echo $! >> {}\n{frames}", left.display());
    let results = tempfile::tempdir().expect("a folder");
    let laboratory = Laboratory { agent: script(folder.path(), &text), ..host_laboratory(results.path()) };
    let cell = cell(&PathSpec::plain("direct", 1500), OVERTAKEN, TRIALS);
    let id = BlockId(format!("{}-0", cell.id));
    let runtime = rig::process::start_runtime().expect("a runtime");
    let (stopper, stop) = Stopper::new();
    let (events, mut spine) = unbounded_channel();
    let played = runtime.block_on(async {
        let playing = laboratory.play(Attempt::alone(id, cell, 7, TRIALS), events, stop);
        let stopping = async {
            until_played(&mut spine).await;
            stopper.stop(Why::Interrupted);
        };
        tokio::join!(playing, stopping).0
    });
    let status = played.map(|(record, _)| record.status);
    assert_eq!(status, None, "nothing was seen of it");
    let children = fs::read_to_string(&left).expect("both agents have left one");
    let mut out = std::io::sink();
    for pid in children.lines() {
        let pid = pid.parse().expect("a pid");
        // Already gone where the namespace's end took it along.
        let killed =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        let _ = writeln!(out, "{killed:?}");
    }
    assert_eq!(children.lines().count(), 2);
}
