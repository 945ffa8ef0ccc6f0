//! A run held against the lock that it was begun by.
//!
//! Holds what counts as a deviation: another seed, version or rule, cells missing or added, fewer trials that count, an early end. Must not word any.
//! Units: trials, shares of 1. Errors: none; a lock that cannot be used is a deviation. Tests: `tests/golden/locked.rs`.

use std::collections::BTreeMap;

use crate::record::Run;
use crate::record::format::{Lock, LockedCell, RunRecord};

use super::measured::Measured;
use super::model::{Deviation, Locked};

/// Nothing where the run has no lock.
pub(super) fn compare(run: &Run, measured: &[Measured<'_>]) -> Option<Locked> {
    let kept = run.record.lock.as_ref()?;
    let (written, deviations) = match Lock::parse(&kept.text) {
        Err(error) => (String::new(), vec![Deviation::Unreadable(error.to_string())]),
        Ok(lock) if lock.sha256 != kept.sha256 => {
            let why = "its digest is not the one in the record".to_owned();
            (lock.written, vec![Deviation::Unreadable(why)])
        }
        Ok(lock) => {
            let mut deviations = of_the_whole(&lock, &run.record);
            deviations.extend(of_cells(&lock, run, measured));
            if !run.complete {
                deviations.push(Deviation::Ended(run.stopped.clone()));
            }
            (lock.written, deviations)
        }
    };
    Some(Locked { sha256: kept.sha256.clone(), written, as_locked: deviations.is_empty(), deviations })
}

fn of_the_whole(lock: &Lock, run: &RunRecord) -> Vec<Deviation> {
    let mut found = Vec::new();
    if lock.rig_version != run.rig_version {
        found.push(Deviation::Version { locked: lock.rig_version.clone(), run: run.rig_version.clone() });
    }
    if lock.seed != run.seed {
        found.push(Deviation::Seed { locked: lock.seed, run: run.seed });
    }
    let by = &run.judgement;
    let mut judged = vec![
        ("confidence".to_owned(), lock.confidence, by.confidence),
        ("margin".to_owned(), lock.margin, by.margin),
        ("icc".to_owned(), lock.icc, by.icc.unwrap_or_default()),
        ("tolerance".to_owned(), lock.tolerance, by.tolerance.unwrap_or_default()),
    ];
    let mut names: Vec<&String> = lock.margins.keys().chain(by.margins.keys()).collect();
    names.sort();
    names.dedup();
    judged.extend(names.into_iter().map(|name| {
        let of = |margins: &BTreeMap<String, f64>, other| margins.get(name).copied().unwrap_or(other);
        (format!("margin of {name}"), of(&lock.margins, lock.margin), of(&by.margins, by.margin))
    }));
    // A number that was written and read again may have lost its last bit.
    let is_other = |locked: f64, run: f64| (locked - run).abs() > 1e-12 * locked.abs();
    found.extend(
        judged
            .into_iter()
            .filter(|(_, locked, run)| is_other(*locked, *run))
            .map(|(what, locked, run)| Deviation::Judged { what, locked, run }),
    );
    if lock.baseline != by.baseline {
        let [locked, run] = [&lock.baseline, &by.baseline].map(|of| of.as_ref().map(ToString::to_string));
        found.push(Deviation::Baseline { locked, run });
    }
    if let Some(shard) = run.shard {
        found.push(Deviation::Shard { index: shard.index, of: shard.of });
    }
    found
}

fn of_cells(lock: &Lock, run: &Run, measured: &[Measured<'_>]) -> Vec<Deviation> {
    let mut found = Vec::new();
    let played: BTreeMap<_, _> = measured.iter().map(|cell| (&cell.cell().id, cell)).collect();
    for locked in &lock.cells {
        let cell = describe(locked);
        let Some(of_run) = played.get(&locked.id) else {
            if run.record.shard.is_none() {
                found.push(Deviation::Missing { cell, why: None });
            }
            continue;
        };
        if let Some(why) = &of_run.record.skipped {
            found.push(Deviation::Missing { cell, why: Some(why.clone()) });
            continue;
        }
        let (blocks, wanted) = (of_run.cell().blocks, of_run.cell().trials);
        if blocks != locked.blocks {
            found.push(Deviation::Blocks { cell: cell.clone(), locked: locked.blocks, run: blocks });
        }
        // More than locked is as bad as fewer: what was planned was not what was promised.
        let trials = if wanted > locked.trials { wanted } else { of_run.tally.trials };
        if trials != locked.trials {
            found.push(Deviation::Trials { cell, locked: locked.trials, run: trials });
        }
    }
    let is_locked = |cell: &Measured<'_>| lock.cells.iter().any(|locked| locked.id == cell.cell().id);
    let added = measured.iter().filter(|cell| cell.record.skipped.is_none() && !is_locked(cell));
    found.extend(added.map(|cell| Deviation::Added {
        cell: format!("cell {} ({})", cell.cell().id, cell.cell().describe()),
    }));
    found
}

fn describe(locked: &LockedCell) -> String {
    let LockedCell { id, scenario, configuration, kernel, path, .. } = locked;
    format!("cell {id} ({scenario} · {configuration} · {kernel} · {path})")
}
