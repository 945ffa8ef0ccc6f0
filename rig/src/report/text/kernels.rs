//! What ends differently on two kernels: a line for each.
//!
//! Must not judge. Units: counts of trials. Errors: none. Tests: `tests/golden/kernels.rs`.

use crate::analysis::model::ReportModel;
use crate::analysis::words::{Rounding, percent, several};

use super::super::table::{Page, wrap};
use super::gather::{section, title};

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let Some(kernels) = &model.kernels else { return };
    section(out, "What ends differently on two kernels");
    let pairs = several(usize::try_from(kernels.compared).unwrap_or(usize::MAX), "pair");
    let by = format!("by more than {} beyond their intervals", percent(kernels.margin, Rounding::Nearest));
    let were = if kernels.compared == 1 { "was" } else { "were" };
    let text = match kernels.differences.len() {
        0 => format!(
            "{pairs} of kernels {were} compared, each with the same scenario, parameters, path and configuration; none differs {by}."
        ),
        n => format!(
            "{n} of {pairs} of kernels, each with the same scenario, parameters, path and configuration, differ {by}:"
        ),
    };
    wrap(out, "  ", &text, 4);
    for one in &kernels.differences {
        let place = title(&one.scenario, &one.parameters, &one.path);
        wrap(out, "  ", &format!("{place} in {}: {}", one.configuration, one.words()), 4);
    }
}
