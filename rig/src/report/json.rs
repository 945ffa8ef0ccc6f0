//! The whole model as JSON: the contract of `rig report RUN --format json`; and how JSON is laid out wherever rig reports in it.
//!
//! Holds no shape of its own: field names are those of the model. Must not compute a number.
//! Units: in the keys, shares of 1. Errors: none.
//! Tests: golden reports.

use serde::Serialize;

use crate::analysis::model::ReportModel;

pub(super) fn render(model: &ReportModel) -> String {
    pretty(model)
}

/// Indented, with a line feed at its end. `what` is plain data: its keys are strings, and no number in it is none.
pub(super) fn pretty(what: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(what).expect("plain data with string keys");
    text.push('\n');
    text
}
