//! The whole model as JSON: the contract of `rig report RUN --format json`.
//!
//! Holds no shape of its own: field names are those of the model. Must not compute a number.
//! Units: in the keys, shares of 1. Errors: none.
//! Tests: golden reports.

use crate::analysis::model::ReportModel;

pub(super) fn render(model: &ReportModel) -> String {
    let mut text = serde_json::to_string_pretty(model).expect("a model is plain data with string keys");
    text.push('\n');
    text
}
