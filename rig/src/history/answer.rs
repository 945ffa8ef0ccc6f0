//! The answer of a history in plain sentences.
//!
//! Pure. Must not compute a figure. Units: as in the model. Errors: none. Tests: `tests/golden/history.rs`.

use super::model::{AlertKind, FactChange, History, HistoryAlert};
use crate::analysis::words::{count, several};

/// So many steps are told one by one.
const MOST: usize = 5;

/// What got worse, since when, and what changed then; then everything else that asks for attention.
pub(super) fn compose(history: &History) -> Vec<String> {
    if history.nights_known == 0 {
        return vec!["there is no night yet: `rig matrix run` makes one".to_owned()];
    }
    let news = || history.alerts.iter().filter(|alert| alert.known.is_none());
    let worse: Vec<&HistoryAlert> = news().filter(|alert| alert.kind == AlertKind::Worse).collect();
    let nights = several(history.nights_known as usize, "night");
    let series = count(history.series.len() as u64);
    let mut answer = Vec::new();
    if worse.is_empty() {
        answer.push(format!("nothing got worse: {series} series over {nights}"));
    } else {
        answer.push(format!("{} of {series} series got worse, over {nights}:", worse.len()));
        answer.extend(worse.iter().take(MOST).map(|alert| step(alert)));
        if worse.len() > MOST {
            answer.push(format!("and {} more", worse.len() - MOST));
        }
    }
    for kind in [
        AlertKind::ControlFailed,
        AlertKind::Rate,
        AlertKind::ConfigurationRate,
        AlertKind::Difference,
        AlertKind::CellVanished,
        AlertKind::KernelChanged,
    ] {
        let of_kind: Vec<&HistoryAlert> = news().filter(|alert| alert.kind == kind).collect();
        if let Some(first) = of_kind.first() {
            let more =
                if of_kind.len() > 1 { format!(" (and {} more)", of_kind.len() - 1) } else { String::new() };
            answer.push(format!("{}: {}{}{more}", heading(kind), named(first), first.words));
        }
    }
    let known = history.alerts.len() - news().count();
    if known > 0 {
        answer.push(format!("{} raised no alarm: known until a day", several(known, "more alert")));
    }
    if let Some(flake) = history.flakes.first() {
        answer.push(format!(
            "{} lost trials in these nights, most of them {} on {}: {} of {} trials void",
            several(history.flakes.len(), "cell"),
            flake.scenario,
            flake.configuration,
            count(flake.void),
            count(flake.n)
        ));
    }
    answer
}

/// `EBADF of rst on virtio-tap 6.1 (direct): 0 of 9 before, ...; with that night changed ...`
fn step(alert: &HistoryAlert) -> String {
    let words = alert.words.split_once(" got worse: ").map_or(alert.words.as_str(), |(_, rest)| rest);
    format!("{} of {}{words}; {}", alert.what, named(alert), with_that_night(&alert.changes))
}

/// What changed, in words.
pub(super) fn with_that_night(changes: &[FactChange]) -> String {
    if changes.is_empty() {
        return "nothing that is recorded changed with that night".to_owned();
    }
    let told: Vec<String> =
        changes.iter().map(|one| format!("{}: {} -> {}", one.what, one.before, one.after)).collect();
    format!("with that night changed {}", told.join("; "))
}

/// `rst on virtio-tap 6.1 (direct), cell 0a1b2c3d4e5f: `; nothing where it is about no cell.
pub(super) fn named(alert: &HistoryAlert) -> String {
    if alert.scenario.is_empty() {
        return String::new();
    }
    let machine =
        if alert.machine.is_empty() { String::new() } else { format!(", machine {}", alert.machine) };
    let HistoryAlert { scenario, configuration, kernel, path, cell, .. } = alert;
    format!("{scenario} on {configuration} {kernel} ({path}), cell {cell}{machine}: ")
}

/// What an alert is called.
pub(super) fn heading(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Worse => "got worse",
        AlertKind::ControlFailed => "a control failed",
        AlertKind::Rate => "over its threshold",
        AlertKind::ConfigurationRate => "over its threshold in a configuration",
        AlertKind::Difference => "differs from bare metal",
        AlertKind::CellVanished => "a cell vanished",
        AlertKind::KernelChanged => "the kernel changed",
    }
}
