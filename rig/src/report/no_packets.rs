//! Why a run that was to keep packets has none.
//!
//! Must not know files. Units: none. Errors: none. Tests: `tests/golden/reports.rs`.

use crate::analysis::model::ReportModel;
use crate::record::format::CaptureWhen;

/// One clause; nothing where packets were kept, or were not asked for.
pub(super) fn no_packets(model: &ReportModel) -> Option<&'static str> {
    if model.cells.iter().any(|cell| !cell.captures.is_empty()) {
        return None;
    }
    match model.run.capture {
        CaptureWhen::Never => None,
        CaptureWhen::Anomaly => Some(
            "none kept: no block had an anomaly, but for those of controls; --capture always keeps those of every block",
        ),
        CaptureWhen::Always => Some("none kept: no block reached its trials over an interface of this host"),
    }
}
