//! `per_trial`: judged by a counter, cell by cell and block by block.
//!
//! Holds who counts what. Must not know which claim it decides. Units: counts per trial. Errors: none. Tests: `tests/golden/fair`.

use rig_protocol::Tally;
use rig_stats::Count;

use crate::claims::{Counter, PerTrial};
use crate::record::format::BlockRecord;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::words::{Rounding, count, list, percent};

/// Whether somebody counted it in every block of a cell.
pub(in crate::analysis) fn is_counted(counter: &Counter, cell: &Measured<'_>) -> bool {
    match counter {
        Counter::WitnessToTarget | Counter::WitnessToPeer => cell.has_witness(),
        Counter::Peer(_) | Counter::Target(_) => true,
        Counter::Path(name) => cell.blocks.iter().all(|block| block.path.counters.contains_key(name)),
    }
}

fn counted(counter: &Counter, block: &BlockRecord) -> u64 {
    let of = |tally: &Tally, name: &str| {
        u64::try_from(tally.counters.get(name).copied().unwrap_or(0)).unwrap_or(0)
    };
    match counter {
        Counter::Peer(name) => of(&block.peer_tally, name),
        Counter::Target(name) => of(&block.tally, name),
        Counter::WitnessToTarget => block.witness.rst_to_target,
        Counter::WitnessToPeer => block.witness.rst_to_peer,
        Counter::Path(name) => block.path.counters.get(name).copied().unwrap_or(0),
    }
}

/// In how many trials of a block it is otherwise, at least: too many of one block never stand for too few of another.
fn astray(rule: &PerTrial, block: &BlockRecord) -> u64 {
    let trials = block.tally.trials;
    let wanted = rule.ratio * trials as f64;
    let found = counted(&rule.counter, block) as f64;
    let off = if found < wanted {
        wanted - found
    } else if rule.or_more {
        0.0
    } else {
        found - wanted
    };
    (off.ceil() as u64).min(trials)
}

/// Supported where in every cell it is so in surely all trials but the tolerance, refuted where in one cell it surely is not.
pub(super) fn judge(rule: &PerTrial, evidence: &Evidence<'_>) -> Finding {
    let tolerance = if rule.tolerance > 0.0 { rule.tolerance } else { evidence.rules.margin };
    let (mut held, mut broken) = (0_usize, Vec::new());
    let mut worst = Evidence::nothing();
    let (mut rises, mut widest) = (0_u64, -1.0);
    for cell in &evidence.cells {
        let found: u64 = cell.blocks.iter().map(|block| counted(&rule.counter, block)).sum();
        let off =
            |block: &BlockRecord| Count::new(astray(rule, block), block.tally.trials).unwrap_or(Count::NONE);
        let bounds = evidence.bounds_of(&[cell], off);
        if bounds.high > widest {
            (worst, widest) = (bounds, bounds.high);
        }
        rises += found;
        if bounds.high <= tolerance {
            held += 1;
        } else if bounds.low > tolerance {
            let trials = count(cell.tally.trials);
            broken.push(format!("{} in {trials} trials of {}", count(found), cell.cell().describe()));
        }
    }
    let (name, cells, trials) = (rule.counter.name(), evidence.cells.len(), evidence.trials());
    let said = format!("{name} rose by {} in {} trials", count(rises), count(trials));
    if !broken.is_empty() {
        let said =
            format!("{said}, and not as claimed in {} of {cells} cells: {}", broken.len(), list(&broken));
        return Finding::measured(Refuted, said).of(trials, worst);
    }
    let most = percent(worst.high, Rounding::Up);
    if held == cells {
        let said =
            format!("{said}; in each of {cells} cells it is as claimed in all trials but {most} at most");
        return Finding::measured(Supported, said).of(trials, worst);
    }
    let said = format!(
        "{said}; in {held} of {cells} cells it surely is as claimed, the others have too few trials (otherwise in up to {most})"
    );
    Finding::measured(Undecided, said).of(trials, worst)
}
