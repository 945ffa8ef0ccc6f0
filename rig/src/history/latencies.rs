//! Where the verdict call began to last another time. No alarm follows: time depends on much that nobody watches.
//!
//! Pure. Must not judge rates. Units: nanoseconds. Errors: none. Tests: `tests/golden/history.rs`.

use rig_stats::change_point;

use super::frame::changes;
use super::model::LatencyStep;
use super::series::CellHistory;
use super::stored::StoredNight;

/// One of so many lists in random order is told although nothing changed.
const LEVEL: f64 = 0.001;

/// Random orders at first, and where they leave it open.
const DRAWS: [u32; 2] = [199, 9_999];

/// A median that moved by less is within the classes of the histogram behind it: a sixteenth of an octave each.
const LEAST: f64 = 1.1;

/// Cells whose nightly medians moved.
pub(super) fn latencies(cells: &[CellHistory<'_>], nights: &[&StoredNight]) -> Vec<LatencyStep> {
    cells.iter().filter(|cell| !cell.place.1).filter_map(|cell| of_cell(cell, nights)).collect()
}

fn of_cell(history: &CellHistory<'_>, nights: &[&StoredNight]) -> Option<LatencyStep> {
    let medians = history.nights.iter().filter_map(|(at, night)| Some((*at, night.median_ns? as f64)));
    let (places, medians): (Vec<usize>, Vec<f64>) = medians.unzip();
    let seed =
        history.cell.id.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    if change_point(&medians, seed, DRAWS[0])?.p_value > 0.01 {
        return None;
    }
    let change = change_point(&medians, seed, DRAWS[1])?;
    let [before, after] = [&medians[..change.at], &medians[change.at..]].map(middle);
    if change.p_value > LEVEL || (before / after).max(after / before) < LEAST {
        return None;
    }
    Some(LatencyStep {
        cell: history.cell.id.clone(),
        machine: history.place.0.to_owned(),
        scenario: history.cell.scenario.clone(),
        configuration: history.cell.configuration.clone(),
        kernel: history.cell.kernel.clone(),
        path: history.cell.path.clone(),
        since: nights[places[change.at]].id.clone(),
        before_ns: before as u64,
        after_ns: after as u64,
        p_value: change.p_value,
        changes: changes(nights, places[change.at]),
    })
}

fn middle(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
