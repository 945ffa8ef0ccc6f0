//! What the run says about the claims that its cells test.
//!
//! Holds which cells have a say. Must not know where a claim was printed, nor how it is decided: `claims/` and `judges/` do.
//! Units: shares of 1. Errors: none; a claim without a judge is undecided, and says so.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use crate::record::Run;

use super::claims::{self, Claim};
use super::controls::Sight;
use super::evidence::{Evidence, Finding};
use super::measured::Measured;
use super::model::{Because, Comparison, Hypothesis, HypothesisVerdict, Missing};
use super::rules::Rules;

/// Judges every claim that a cell of the plan tests, in the order of their ids.
pub(super) fn judge(
    run: &Run,
    measured: &[Measured<'_>],
    sight: &Sight,
    comparisons: &[Comparison],
    rules: Rules,
) -> Vec<Hypothesis> {
    let named = measured.iter().flat_map(|cell| cell.cell().claims.iter().map(move |id| (cell, id)));
    let mut ids: Vec<&str> =
        named.filter(|(cell, id)| claims::tests(cell.cell(), id)).map(|(_, id)| id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let basis = Basis { run, measured, sight, comparisons, rules };
    ids.into_iter().map(|id| basis.hypothesis(id)).collect()
}

/// Everything that was measured.
struct Basis<'a> {
    run: &'a Run,
    measured: &'a [Measured<'a>],
    sight: &'a Sight,
    comparisons: &'a [Comparison],
    rules: Rules,
}

fn has_a_say(cell: &&Measured<'_>) -> bool {
    cell.is_plain() && !cell.is_proxied() && cell.tally.trials > 0
}

impl<'a> Basis<'a> {
    fn hypothesis(&self, id: &str) -> Hypothesis {
        let claim = claims::find(id);
        let of_claim: Vec<&Measured<'_>> =
            self.measured.iter().filter(|cell| claims::tests(cell.cell(), id)).collect();
        let cells = of_claim.iter().map(|cell| cell.cell().id.0.clone()).collect();
        let found = claim.and_then(|claim| self.find(claim, of_claim));
        let Finding { verdict, because } =
            found.unwrap_or(Finding { verdict: HypothesisVerdict::Undecided, because: Because::NoJudge });
        let text = claim.map_or("(not among the claims that this rig knows)", |claim| claim.text);
        Hypothesis { id: id.to_owned(), claim: text.to_owned(), verdict, because, cells }
    }

    fn find(&self, claim: &Claim, of_claim: Vec<&'a Measured<'a>>) -> Option<Finding> {
        let cells: Vec<_> = of_claim.into_iter().filter(has_a_say).collect();
        if claim.has_judge() && cells.is_empty() {
            return Some(Missing::Trials.into());
        }
        let near = |cell: &&Measured<'_>| claim.is_beside(cell.cell());
        let beside = self.measured.iter().filter(near).filter(has_a_say).collect();
        let compared = |c: &&Comparison| cells.iter().any(|cell| cell.cell().id.0 == c.cell);
        let comparisons = self.comparisons.iter().filter(compared).collect();
        let Self { run, sight, rules, .. } = *self;
        claim.decide(&Evidence { run, cells, beside, comparisons, sight, rules })
    }
}
