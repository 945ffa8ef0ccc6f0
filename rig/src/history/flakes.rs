//! The ledger of flakes: cells that lose trials, why, and when.
//!
//! Pure. Must not judge a rate. Units: trials, nights. Errors: none. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;

use super::model::Flake;
use super::series::CellHistory;
use super::stored::StoredNight;
use crate::analysis::CellNight;

/// Cells with void trials in one of the shown nights, the largest share first.
pub(super) fn flakes(cells: &[CellHistory<'_>], nights: &[&StoredNight], shown: &[usize]) -> Vec<Flake> {
    let mut flakes: Vec<Flake> = cells.iter().filter_map(|cell| flake(cell, nights, shown)).collect();
    flakes.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.cell.cmp(&b.cell)));
    flakes
}

fn void(night: &CellNight) -> u64 {
    night.void_reasons.values().sum()
}

fn flake(history: &CellHistory<'_>, nights: &[&StoredNight], shown: &[usize]) -> Option<Flake> {
    let lossy: Vec<usize> =
        history.nights.iter().filter(|(_, night)| void(night) > 0).map(|(at, _)| *at).collect();
    let (first, last) = (*lossy.first()?, *lossy.last()?);
    if !lossy.iter().any(|at| shown.contains(at)) {
        return None;
    }
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let mut n = 0;
    for (_, night) in &history.nights {
        n += night.trials + void(night);
        night
            .void_reasons
            .iter()
            .for_each(|(reason, void)| *reasons.entry(reason.clone()).or_default() += void);
    }
    let all: u64 = reasons.values().sum();
    let is_played = |night: &CellNight| night.trials > 0 || void(night) > 0;
    Some(Flake {
        cell: history.cell.id.clone(),
        machine: history.place.0.to_owned(),
        rehearsed: history.place.1,
        scenario: history.cell.scenario.clone(),
        configuration: history.cell.configuration.clone(),
        kernel: history.cell.kernel.clone(),
        path: history.cell.path.clone(),
        void: all,
        n,
        share: all as f64 / n.max(1) as f64,
        nights: lossy.len() as u64,
        nights_played: history.nights.iter().filter(|(_, night)| is_played(night)).count() as u64,
        reasons,
        first: nights[first].id.clone(),
        last: nights[last].id.clone(),
    })
}
