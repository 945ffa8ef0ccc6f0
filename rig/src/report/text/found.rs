//! What was found, and what a reader must know before they believe it.
//!
//! Holds the order: alerts, sentences, cautions. Must not word a finding: the model has the words.
//! Units: rates in per cent. Errors: none. Tests: golden reports.

use crate::analysis::model::{Alert, ReportModel};
use crate::analysis::words::{Rounding, count, percent};

use super::super::table::{Page, wrap};
use super::gather::section;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    section(out, "What was found");
    for alert in &model.alerts {
        wrap(out, "  * ", &sentence(alert), 4);
    }
    for sentence in &model.sentences {
        wrap(out, "  * ", sentence, 4);
    }
    if !model.cautions.is_empty() {
        section(out, "Before you believe a number");
        for caution in &model.cautions {
            // The run that can be gone on with is this one.
            let text = caution.to_string().replace("--resume`", &format!("--resume {}`", model.run.id));
            wrap(out, "  ! ", &text, 4);
        }
    }
}

fn sentence(alert: &Alert) -> String {
    let Alert { errno, scenario, configuration, kernel, count: seen, n, threshold, counted, .. } = alert;
    let blocks = if *counted { "" } else { " in blocks that do not count, and are in no rate" };
    format!(
        "ALERT: {errno} in {scenario} ({configuration} {kernel}), where nothing expects it: {} of {} calls{blocks}, surely above the declared {}",
        count(*seen),
        count(*n),
        percent(*threshold, Rounding::Nearest)
    )
}
