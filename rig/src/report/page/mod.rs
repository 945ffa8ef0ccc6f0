//! The report as one page for a browser: everything in one file, readable without scripts, and the run itself inside.
//!
//! Holds the order of the sections, one file each; their templates are in `rig/templates/page`. Must not compute a number, nor fetch anything.
//! Units: rates and differences in per cent, times in words. Errors: none.
//! Tests: `tests/golden/page.rs` (what it says), `tests/page.rs` (in a browser).

mod anomalies;
mod answer;
mod atlas;
mod baseline;
mod believe;
mod chart_part;
mod claims;
mod compared;
mod differs;
mod frame;
mod grid;
mod history;
mod in_words;
mod latency;
mod localtime;
mod missing;
mod names;
mod pieces;
mod provenance;
mod recompute;
mod section;
mod sweeps;
mod tone;

use crate::analysis::model::ReportModel;
use crate::record::in_page;

use super::answer::conclude;
use super::carried::Carried;
use super::text;

use frame::{Frame, page};
use names::Names;
use section::Section;

pub(super) use compared::render as comparison;
pub(super) use history::render as history;

/// The whole page.
pub(super) fn render(model: &ReportModel, carried: &Carried) -> String {
    let (_, word) = conclude(model);
    let run = &model.run;
    let archive = carried.packed.as_ref();
    let frame = Frame {
        title: format!("{word} - rig run {}", run.id),
        kicker: format!("rig run {}", run.id),
        heading: "What select() returns after a TCP reset",
        facts: provenance::in_short(model),
        run: &run.id,
        rig_version: &run.rig_version,
        refresh: carried.refresh,
        sections: sections(model, carried),
        record: archive.map(|packed| in_page(&packed.archive)).unwrap_or_default(),
    };
    page(&frame)
}

/// In the order in which a reader asks: the answer, whether to believe it, then everything behind it.
fn sections(model: &ReportModel, carried: &Carried) -> Vec<Section> {
    let names = &Names::of(model);
    let all = [
        Some(answer::section(model)),
        Some(believe::section(model)),
        differs::section(model, names),
        baseline::section(model),
        grid::section(model, names),
        sweeps::section(model, names),
        localtime::section(model),
        atlas::section(model),
        pieces::section("kernels", "Kernel against kernel", text::kernels::write, model),
        pieces::section("diagnostics", "What the diagnostics see", text::diagnostics::write, model),
        pieces::section(
            "counter-measures",
            "What the counter-measures detect",
            text::counter_measures::write,
            model,
        ),
        pieces::section("programs", "What your program said", text::programs::write, model),
        claims::section(model),
        anomalies::section(model, names),
        latency::section(model, names),
        pieces::section("fixes", "How to show that a fix works", text::fixes::write, model),
        missing::section(model),
        Some(provenance::section(model)),
        Some(recompute::section(model, carried)),
    ];
    all.into_iter().flatten().collect()
}
