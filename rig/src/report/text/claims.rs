//! What the run says of the claims that its cells test.
//!
//! Must not judge. Units: none. Errors: none. Tests: golden reports.

use crate::analysis::model::{Because, ReportModel};

use super::super::status::hypothesis_word;
use super::super::table::Align::Left;
use super::super::table::{Page, Table, wrap};
use super::gather::section;

pub(super) fn write(out: &mut Page, model: &ReportModel) {
    if model.hypotheses.is_empty() {
        return;
    }
    section(out, "Claims that these cells test");
    let mut open = Vec::new();
    let mut table = Table::new([("claim", Left), ("verdict", Left), ("", Left)]);
    for one in &model.hypotheses {
        // Without a judge there is nothing to read but the id.
        if one.because == Because::NoJudge {
            open.push(one.id.as_str());
            continue;
        }
        table.row([
            one.id.clone(),
            hypothesis_word(one.verdict).to_owned(),
            format!("{}: {}", one.claim, one.because),
        ]);
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
    if !open.is_empty() {
        wrap(
            out,
            "  ",
            &format!("undecided, because the cells of this run cannot decide them: {}", open.join(", ")),
            4,
        );
    }
}
