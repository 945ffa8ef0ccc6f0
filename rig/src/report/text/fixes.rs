//! How large a run must be to show that a fix works, for what was seen.
//!
//! Must not compute it. Units: trials, blocks. Errors: none. Tests: golden reports.

use crate::analysis::model::{Fix, ReportModel};
use crate::analysis::words::{count, several};

use super::super::table::{Page, wrap};
use super::gather::section;

/// So many are told; the others are in report.json.
const TOLD: usize = 8;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    if model.fixes.is_empty() {
        return;
    }
    section(out, "To show that a fix works");
    for fix in model.fixes.iter().take(TOLD) {
        let Fix { cell, scenario, configuration, errno, count: hits, n, trials, blocks } = fix;
        let seen = format!(
            "{} was in {} of {} trials of cell {cell} ({scenario}, {configuration})",
            errno.key(),
            count(*hits),
            count(*n)
        );
        let needed = match trials.zip(*blocks) {
            Some((trials, blocks)) => {
                let trials = several(usize::try_from(trials).unwrap_or(usize::MAX), "trial");
                let blocks = several(blocks as usize, "block");
                format!("{trials} in {blocks} without one show at 95 % that the rate is lower")
            }
            None => "no number of trials that can be played shows that the rate is lower".to_owned(),
        };
        wrap(out, "  ", &format!("{seen}: {needed}"), 4);
    }
    if model.fixes.len() > TOLD {
        wrap(out, "  ", &format!("and {} more, in report.json", model.fixes.len() - TOLD), 4);
    }
}
