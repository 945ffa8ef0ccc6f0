//! What an audit found, in plain lines.
//!
//! Must not know a terminal. Units: none. Errors: none. Tests: `tests/golden/audited.rs`.

use super::Audit;
use super::held::{Difference, Held};

/// So many differences of one report are shown in full.
const MOST_SHOWN: usize = 20;

/// The lines of an audit, each with the depth of its indentation, the last one what it comes down to.
pub fn lines(audit: &Audit) -> Vec<(usize, String)> {
    let mut lines = vec![(0, format!("run {}", audit.run))];
    let changed = audit.files.len();
    lines.push((0, format!("files: {} digests computed anew, {changed} differ", audit.digests)));
    differences(&audit.files, &mut lines);
    for held in &audit.reports {
        of_report(held, &mut lines);
    }
    lines.push((
        0,
        "Sentences, reasons and cautions are words, which nobody computes: they were not looked at."
            .to_owned(),
    ));
    lines.push((0, verdict(audit)));
    lines
}

fn of_report(held: &Held, lines: &mut Vec<(usize, String)>) {
    if !held.not_compared.is_empty() {
        lines.push((0, format!("{}: not compared: {}", held.report, held.not_compared)));
        return;
    }
    let differ = held.differences.len();
    lines.push((0, format!("{}: {} figures computed anew, {differ} differ", held.report, held.total())));
    let kinds: Vec<String> = held.compared.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    lines.push((1, format!("compared: {}", kinds.join(", "))));
    differences(&held.differences, lines);
    let others: Vec<String> = held.not_recomputed.iter().map(|(path, n)| format!("{path} ({n})")).collect();
    if !others.is_empty() {
        lines.push((1, format!("numbers that were not computed anew: {}", others.join(", "))));
    }
}

fn differences(all: &[Difference], lines: &mut Vec<(usize, String)>) {
    for one in all.iter().take(MOST_SHOWN) {
        let Difference { path, what, reported, recomputed, files } = one;
        lines.push((
            1,
            format!("DIFFERS {path} ({what}): written is {reported}, the files give {recomputed}"),
        ));
        lines.push((2, format!("from {}", files.join(", "))));
    }
    if let Some(more) = all.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        lines.push((1, format!("and {more} more: --format json has all of them")));
    }
}

fn verdict(audit: &Audit) -> String {
    let differ: usize = audit.reports.iter().map(|held| held.differences.len()).sum();
    match (audit.files.len(), differ) {
        (0, 0) if audit.is_short() => "Nothing differs, but a report was not compared.".to_owned(),
        (0, 0) => "All figures that were computed anew agree with the reports.".to_owned(),
        (0, n) => format!("Figures that are not what the files give: {n}."),
        (changed, n) => {
            format!(
                "Files that are not what was written: {changed}; figures that are not what the files give: {n}."
            )
        }
    }
}
