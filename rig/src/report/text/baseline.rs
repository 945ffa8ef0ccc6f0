//! Every kernel beside the baseline's: a sentence for each, then errnos, outcomes and times as of any pairs of cells.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: `tests/golden/baseline.rs`.

use crate::analysis::model::ReportModel;

use super::super::compared::of_kernels;
use super::super::table::{Page, wrap};
use super::gather::section;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let Some(baseline) = &model.kernel_baseline else { return };
    section(out, &format!("Other kernels against {} (a difference is the other minus {0})", baseline.kernel));
    if baseline.kernels.is_empty() {
        wrap(out, "  ", &format!("no cell is on another kernel than {}", baseline.kernel), 4);
    }
    for answer in &baseline.kernels {
        wrap(out, "  ", &answer.text, 4);
    }
    of_kernels(out, baseline);
}
