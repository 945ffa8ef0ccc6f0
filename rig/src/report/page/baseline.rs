//! Every kernel beside the baseline's: forest plots of what differs most, then all in words and numbers.
//!
//! Must not judge. Units: differences in points of per cent, the other kernel minus the baseline's. Errors: none. Tests: `tests/golden/baseline.rs`.

use crate::analysis::model::ReportModel;
use crate::report::compared::Told;
use crate::report::text;

use super::chart_part::Charted;
use super::compared::{errno, outcome};
use super::differs::{Words, chart};
use super::pieces::of_text;
use super::section::Section;

/// How the two sides are told.
const WORDS: Words = Words { trials: "trials (other, baseline)", desc: "other kernel minus baseline" };

pub(super) fn section(model: &ReportModel) -> Option<Section> {
    let baseline = model.kernel_baseline.as_ref()?;
    let Told { pairs, place, .. } = Told::of_kernels(baseline);
    let errnos =
        pairs.iter().flat_map(|pair| pair.errnos.iter().map(move |one| errno(&place(pair), pair, one)));
    let outcomes = pairs.iter().filter_map(|pair| Some(outcome(&place(pair), pair, pair.outcomes.leader()?)));
    let mut charts = Vec::new();
    charts.extend(chart("forest-kernel-errnos", "Errnos of the measured call", errnos.collect(), WORDS));
    charts.extend(chart("forest-kernel-outcomes", "How trials end as a whole", outcomes.collect(), WORDS));
    let lead = format!(
        "Every cell on another kernel against the one on {} that differs from it in the kernel only; the other minus {0}, in points of per cent.",
        baseline.kernel
    );
    let more = of_text(text::baseline::write, model);
    let charted =
        Charted { lead, charts, more_title: "All comparisons of kernels, in words and numbers", more };
    Some(Section::new("kernel-baseline", "Other kernels against the baseline", &charted))
}
