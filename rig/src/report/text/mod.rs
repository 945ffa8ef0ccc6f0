//! The report that a person reads in a terminal: what was found first, then why it can be believed.
//!
//! Holds the order of the sections, one file each. Must not compute a number, nor know a terminal: the page has its width; no colour.
//! Units: rates and differences in per cent. Errors: none.
//! Tests: golden reports.

pub(super) mod atlas;
pub(super) mod baseline;
pub(super) mod cells;
pub(super) mod claims;
pub(super) mod comparisons;
pub(super) mod controls;
pub(super) mod counter_measures;
pub(super) mod diagnostics;
pub(super) mod errnos;
pub(super) mod fixes;
pub(super) mod found;
pub(super) mod gather;
pub(super) mod header;
pub(super) mod kernels;
pub(super) mod latencies;
pub(super) mod outcomes;
pub(super) mod programs;

use super::table::Page;
use crate::analysis::model::ReportModel;

/// Onto an empty page. `further`: the names of the other formats, as `--format` takes them.
pub(super) fn render(model: &ReportModel, mut out: Page, further: &str) -> String {
    header::write(&mut out, model);
    found::write(&mut out, model);
    cells::write(&mut out, model);
    controls::write(&mut out, model);
    comparisons::write(&mut out, model);
    outcomes::write(&mut out, model);
    latencies::write(&mut out, model);
    atlas::write(&mut out, model);
    baseline::write(&mut out, model);
    kernels::write(&mut out, model);
    diagnostics::write(&mut out, model);
    counter_measures::write(&mut out, model);
    programs::write(&mut out, model);
    errnos::write(&mut out, model);
    claims::write(&mut out, model);
    fixes::write(&mut out, model);
    gather::section(&mut out, "Again, from the files alone");
    for command in [String::new(), format!(" --format {further}")] {
        let command = out.worded(&format!("`rig report {}{command}`", model.run.id));
        out.push_str(&format!("  {}\n", command.trim_matches('`')));
    }
    out.into_text()
}
