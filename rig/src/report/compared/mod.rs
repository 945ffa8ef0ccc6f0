//! Two runs compared, or two configurations of one: for people.
//!
//! Pure. Must not compute a number, nor know a terminal. "First" and "second" are the sides as they were asked for; a difference is second minus first.
//! Units: as in the model; text in per cent. Errors: none. Tests: `tests/golden/compared.rs`.

mod around;
mod errnos;
mod latencies;
mod outcomes;
mod told;

use rig_protocol::plain_lines;

use super::answer::Tone;
use super::table::Page;
use crate::analysis::model::{ComparisonConclusion, KernelBaseline, RunComparison};

pub(super) use around::{answer, believed, changes, header, not_compared};
pub(super) use errnos::write as errnos;
pub(super) use latencies::write as latencies;
pub(super) use outcomes::write as outcomes;
pub(super) use told::Told;

/// Of kernels with the baseline's: errnos, outcomes and times.
pub(super) fn of_kernels(out: &mut Page, baseline: &KernelBaseline) {
    let told = Told::of_kernels(baseline);
    errnos::tell(out, &told);
    outcomes::tell(out, &told);
    latencies::tell(out, &told);
}

/// The comparison in a few words.
pub(super) fn conclude(compared: &RunComparison) -> (Tone, &'static str) {
    match compared.conclusion {
        ComparisonConclusion::NoDifference => (Tone::Good, "No difference found"),
        ComparisonConclusion::Differs => (Tone::Bad, "They DIFFER"),
        ComparisonConclusion::Short => (Tone::Mind, "NOT PROVEN: something is missing"),
    }
}

/// For people, on a page of the reader's: the answer is last, where it stands on the screen. A guest's words do not paint the reader's terminal.
pub fn comparison_text(compared: &RunComparison, mut page: Page) -> String {
    around::header(&mut page, compared);
    around::changes(&mut page, compared);
    errnos::write(&mut page, compared);
    outcomes::write(&mut page, compared);
    latencies::write(&mut page, compared);
    around::not_compared(&mut page, compared);
    around::believed(&mut page, compared);
    around::answer(&mut page, compared);
    plain_lines(&page.into_text())
}
