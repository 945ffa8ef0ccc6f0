//! The report that a person reads in a terminal: what was found first, then why it can be believed.
//!
//! Holds the order of the sections, one file each. Must not compute a number, nor know a terminal: 110 columns, no colour.
//! Units: rates and differences in per cent. Errors: none.
//! Tests: golden reports.

mod cells;
mod claims;
mod comparisons;
mod controls;
mod errnos;
mod found;
mod gather;
mod header;
mod outcomes;

use crate::analysis::model::ReportModel;

/// `further`: the names of the other formats, as `--format` takes them.
pub(super) fn render(model: &ReportModel, further: &str) -> String {
    let mut out = String::new();
    header::write(&mut out, model);
    found::write(&mut out, model);
    cells::write(&mut out, model);
    controls::write(&mut out, model);
    comparisons::write(&mut out, model);
    outcomes::write(&mut out, model);
    errnos::write(&mut out, model);
    claims::write(&mut out, model);
    gather::section(&mut out, "Again, from the files alone");
    out.push_str(&format!("  rig report {}\n", model.run.id));
    out.push_str(&format!("  rig report {} --format {further}\n", model.run.id));
    out
}
