//! Trials to look at: what each step returned, as a ladder and as a table, and the line that plays it again.
//!
//! Must not judge. Units: milliseconds since the trial's first step. Errors: none. Tests: `tests/golden/page.rs`.

use std::collections::HashMap;

use askama::Template;

use rig_protocol::{Errno, Labels};

use crate::analysis::model::{Anomaly, AnomalyPacket, CellSummary, LaneText, ReportModel};
use crate::analysis::words::{count, several};
use crate::chart::{Arrow, Packet, Rung, RungState, ladder};
use crate::record::format::KeptStep;
use crate::report::table::Align::{Left, Right};

use super::names::Names;
use super::pieces::{lines, table};
use super::section::Section;

#[derive(Template)]
#[template(path = "page/anomalies.html")]
struct Trials {
    lead: String,
    trials: Vec<Trial>,
    left_out: String,
}

struct Trial {
    id: String,
    outcome: String,
    place: String,
    often: String,
    where_: String,
    replay: String,
    /// SVG.
    ladder: String,
    /// HTML.
    table: String,
}

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    let found = &model.anomalies;
    if found.is_empty() {
        return None;
    }
    let cells: HashMap<&str, &CellSummary> =
        model.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect();
    let trials = found.trials.iter().enumerate().filter_map(|(at, anomaly)| {
        let cell = cells.get(anomaly.cell.as_str())?;
        let lanes = found.lanes.get(&anomaly.cell).map_or(&[][..], Vec::as_slice);
        Some(trial(
            at,
            anomaly,
            (cell, &names.subject(&cell.scenario, &cell.parameters)),
            lanes,
            &model.run.id,
        ))
    });
    let trials: Vec<Trial> = trials.collect();
    let lead = format!(
        "The first trial of each outcome that its scenario does not expect: {}. Each opens.",
        several(trials.len(), "trial")
    );
    let left_out = match found.left_out {
        0 => String::new(),
        n => format!(
            "{} more outcomes of cells have such trials; they are in the run's anomalies folder.",
            count(n)
        ),
    };
    Some(Section::new("anomalies", "Unexpected trials, step by step", &Trials { lead, trials, left_out }))
}

fn trial(
    at: usize,
    anomaly: &Anomaly,
    (cell, subject): (&CellSummary, &str),
    lanes: &[LaneText],
    run: &str,
) -> Trial {
    let kept = &anomaly.kept;
    let steps = in_words(&kept.steps, lanes);
    let id = format!("trial-{at}");
    let place = format!("{subject} in {} {} over {}", cell.configuration, cell.kernel, cell.path);
    let mut drawn: Vec<Rung<'_>> = steps
        .iter()
        .map(|step| Rung {
            lane: step.column,
            begin_ns: step.begin_ns,
            end_ns: step.end_ns,
            words: &step.words,
            state: step.state,
            arrow: None,
        })
        .collect();
    let mut names = columns(&kept.steps, lanes);
    drawn.extend(packets(&anomaly.packets, names.len()));
    if !anomaly.packets.is_empty() {
        names.extend(["wire at the client", "peer"].map(str::to_owned));
    }
    let table = as_table(&id, &steps, &anomaly.packets);
    let title = format!("Trial {} of block {}: {}", kept.trial, anomaly.block, kept.outcome);
    Trial {
        outcome: kept.outcome.clone(),
        place,
        often: format!("{} of {} trials ended so", count(anomaly.alike), count(cell.trials)),
        where_: format!(
            "Trial {} of block {} (attempt {}), seed {}, the client's port {}, descriptor {}.",
            kept.trial, anomaly.block, anomaly.attempt, anomaly.seed, kept.local_port, kept.descriptor
        ),
        replay: format!("rig replay {run} {} {}", anomaly.block, kept.trial),
        ladder: if drawn.is_empty() {
            String::new()
        } else {
            ladder(&id_of(at), &title, "Lanes are columns; time runs down, and not to scale.", &names, &drawn)
        },
        table: if drawn.is_empty() { lines(&["Its calls are in `anomalies/` of the run."]) } else { table },
        id,
    }
}

fn id_of(at: usize) -> String {
    format!("ladder-{at}")
}

/// A step that is ready to be drawn.
struct Step {
    column: usize,
    lane: String,
    begin_ns: i64,
    end_ns: i64,
    name: String,
    returned: String,
    words: String,
    state: RungState,
}

/// The lanes that have a step.
fn columns(steps: &[KeptStep], lanes: &[LaneText]) -> Vec<String> {
    let mut used: Vec<u16> = steps.iter().map(|step| step.lane).collect();
    used.sort_unstable();
    used.dedup();
    let name =
        |lane: &u16| lanes.get(usize::from(*lane)).map_or_else(|| lane.to_string(), |lane| lane.name.clone());
    used.iter().map(name).collect()
}

fn in_words(steps: &[KeptStep], lanes: &[LaneText]) -> Vec<Step> {
    let begin = steps.iter().map(|step| step.begin_ns).min().unwrap_or(0);
    let since = |ns: u64| i64::try_from(ns.saturating_sub(begin)).unwrap_or(i64::MAX);
    let names = columns(steps, lanes);
    let mut made: Vec<Step> = steps
        .iter()
        .map(|step| {
            let lane = lanes.get(usize::from(step.lane));
            let text = lane.and_then(|lane| lane.steps.get(usize::from(step.step)));
            let name = text.map_or_else(|| format!("step {}", step.step), Clone::clone);
            let is_verdict = name.ends_with("<- verdict");
            let short = name.split("  ").next().unwrap_or_default().to_owned();
            let returned = returned(step);
            let lane = lane.map_or_else(|| step.lane.to_string(), |lane| lane.name.clone());
            Step {
                column: names.iter().position(|known| *known == lane).unwrap_or(0),
                lane,
                begin_ns: since(step.begin_ns),
                end_ns: since(step.end_ns),
                words: format!("{short} = {returned}"),
                name,
                state: state(step, is_verdict, &short),
                returned,
            }
        })
        .collect();
    made.sort_by_key(|step| (step.begin_ns, step.end_ns));
    made
}

fn state(step: &KeptStep, is_verdict: bool, name: &str) -> RungState {
    match () {
        () if step.cut => RungState::Cut,
        () if is_verdict => RungState::Verdict,
        () if name.starts_with("inject") && step.returned == 1 => RungState::Injected,
        () if Errno::of_return(step.returned).is_some() => RungState::Failed,
        () => RungState::Ok,
    }
}

fn returned(step: &KeptStep) -> String {
    match Errno::of_return(step.returned) {
        _ if step.cut => "cut".to_owned(),
        Some(errno) => format!("-1 {errno}"),
        None if step.returned == Labels::ABSENT => "absent".to_owned(),
        None => match &step.data {
            Some(data) => format!("{} {data:?}", step.returned),
            None => step.returned.to_string(),
        },
    }
}

/// Arrows between the client's first lane, the wire next to it, and the peer; `own` is the number of the client's lanes.
fn packets(packets: &[AnomalyPacket], own: usize) -> impl Iterator<Item = Rung<'_>> {
    let (client, wire, peer) = (0, own, own + 1);
    packets.iter().map(move |one| {
        let (lane, to) = match (one.at.as_str(), one.from_client) {
            ("peer", true) => (wire, peer),
            ("peer", false) => (peer, wire),
            (_, true) => (client, wire),
            (_, false) => (wire, client),
        };
        let packet = match () {
            () if one.resets => Packet::Reset,
            () if one.words.contains("byte") => Packet::Data,
            () => Packet::Plain,
        };
        Rung {
            lane,
            begin_ns: one.at_ns,
            end_ns: one.at_ns,
            words: &one.words,
            state: RungState::Ok,
            arrow: Some(Arrow { to, packet }),
        }
    })
}

fn as_table(id: &str, steps: &[Step], packets: &[AnomalyPacket]) -> String {
    let milliseconds = |ns: i64| format!("{:.3}", ns as f64 / 1e6);
    let seen = packets.iter().map(|one| {
        let way = if one.from_client { "from the client" } else { "from the peer" };
        let row = [
            milliseconds(one.at_ns),
            String::new(),
            format!("wire, {}", if one.at == "peer" { "at the peer" } else { "at the client" }),
            format!("{}, {way}", one.words),
            String::new(),
        ];
        (one.at_ns, row)
    });
    let played = steps.iter().map(|step| {
        let row = [
            milliseconds(step.begin_ns),
            milliseconds(step.end_ns - step.begin_ns),
            step.lane.clone(),
            step.name.clone(),
            step.returned.clone(),
        ];
        (step.begin_ns, row)
    });
    // Of two at one time the call comes before the packet that it sends.
    let mut rows: Vec<(i64, [String; 5])> = played.chain(seen).collect();
    rows.sort_by_key(|(at, _)| *at);
    let rows = rows.into_iter().map(|(_, row)| row);
    let heading = [("ms", Right), ("took, ms", Right), ("lane", Left), ("step", Left), ("returned", Left)];
    table(&format!("{id}: every step, in the order in which they began"), heading, rows)
}
