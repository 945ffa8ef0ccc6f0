//! Every cell on another kernel against the one on the baseline's kernel (`baseline = "kernel:6.1"`), with the inference that guests and bare metal have.
//!
//! Holds which cells differ in the kernel only, and what comes of each kernel. The pairs are corrected for one another, and not with those of bare metal: they are another
//! question. Must not know reports. Units: shares of 1, nanoseconds; a difference is the other kernel minus the baseline's. Errors: none. Tests: `tests/golden/baseline.rs`.

use std::collections::BTreeMap;

use crate::matrix::{Baseline, ButForKernel};
use crate::record::Run;

use super::comparisons::{self, Judging, Pair};
use super::measured::Measured;
use super::model::{
    AaPair, CellPair, ComparedNames, ComparisonVerdict, KernelAnswer, KernelBaseline, Uncompared,
    UncomparedCell,
};
use super::sides::figures::{Found, of_pairs};
use super::sides::pairing::without_partner;
use super::summaries::Told;
use super::{latencies, outcomes, twins};

/// Nothing where the run has no baseline.
pub(super) fn compare<'a>(
    run: &Run,
    measured: &[Measured<'a>],
    again: Option<&AaPair>,
    told: &Told<'a>,
) -> Option<KernelBaseline> {
    let baseline = run.record.judgement.baseline.as_ref()?;
    let (seed, rules) = (run.record.seed, told.rules);
    let (pairs, not_compared) = pairs(measured, baseline);
    let mut errnos = comparisons::compare(seed, &pairs, &Judging::of_one_run(told));
    twins::blind(again, &mut errnos);
    let outcomes = outcomes::compare(seed, &pairs, measured, again.map_or(&[], std::slice::from_ref), rules);
    let latencies = latencies::of_run(run, &pairs, rules);
    let found = of_pairs(&pairs, Found { errnos, outcomes, latencies }, ComparedNames::KERNELS);
    let kernel = baseline.kernel().to_owned();
    let kernels = answers(&kernel, &found, &not_compared, rules.margin);
    Some(KernelBaseline { kernel, kernels, pairs: found, not_compared })
}

/// The cells on other kernels with those on this one, in the order of the plan; and those for which there is none.
fn pairs<'m, 'a>(
    measured: &'m [Measured<'a>],
    baseline: &Baseline,
) -> (Vec<Pair<'m, 'a>>, Vec<UncomparedCell>) {
    let of_axis = || {
        measured.iter().filter(|cell| {
            cell.cell().control.is_none() && !cell.is_repeat() && cell.cell().is_of_the_kernel_axis()
        })
    };
    let is_first = |cell: &&Measured<'_>| cell.cell().subject.kernel == baseline.kernel();
    let firsts: BTreeMap<ButForKernel<'_>, &Measured<'_>> =
        of_axis().filter(is_first).map(|cell| (cell.cell().but_for_kernel(), cell)).collect();
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for second in of_axis().filter(|cell| !is_first(cell)) {
        let Some(first) = firsts.get(&second.cell().but_for_kernel()).copied() else {
            alone.push(without_partner(second, Uncompared::OnlyInSecond));
            continue;
        };
        let known = |cell: &'m Measured<'a>| cell.cell().known.as_deref();
        let known = known(second).or(known(first));
        pairs.push(Pair { first: Some(first), second, news: second.cell().alert, known });
    }
    (pairs, alone)
}

/// What comes of a pair as a whole: the gravest that one of its comparisons says.
fn standing(pair: &CellPair) -> Standing {
    let of_errnos = pair.errnos.iter().map(|one| one.verdict);
    let verdicts: Vec<ComparisonVerdict> = of_errnos.chain([pair.outcomes.verdict]).collect();
    let any = |wanted| verdicts.contains(&wanted);
    if pair.is_news() {
        Standing::Differs
    } else if any(ComparisonVerdict::NotRun) {
        Standing::NotRun
    } else if any(ComparisonVerdict::Blind) {
        Standing::Blind
    } else if verdicts.iter().any(|verdict| verdict.is_difference()) {
        Standing::DiffersAsKnown
    } else if any(ComparisonVerdict::NotEnoughTrials) {
        Standing::Open
    } else {
        Standing::Same
    }
}

/// What is said of a pair of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Same,
    Differs,
    /// In a race, or for a reason that the matrix names.
    DiffersAsKnown,
    Open,
    Blind,
    NotRun,
}

/// One answer for each other kernel, in the order of the plan.
fn answers(baseline: &str, pairs: &[CellPair], alone: &[UncomparedCell], margin: f64) -> Vec<KernelAnswer> {
    let mut kernels: Vec<&str> = Vec::new();
    let of_pairs = pairs.iter().map(|pair| pair.second.kernel.as_str());
    for kernel in of_pairs.chain(alone.iter().map(|cell| cell.kernel.as_str())) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    let answer = |kernel: &str| {
        let of_kernel: Vec<&CellPair> = pairs.iter().filter(|pair| pair.second.kernel == kernel).collect();
        let number = |wanted| of_kernel.iter().filter(|pair| standing(pair) == wanted).count() as u64;
        let differing = of_kernel.iter().filter(|pair| pair.is_news());
        let open = of_kernel.iter().filter(|pair| standing(pair) == Standing::Open);
        KernelAnswer {
            kernel: kernel.to_owned(),
            cells: of_kernel.len() as u64,
            same: number(Standing::Same),
            differ: number(Standing::Differs),
            differ_as_known: number(Standing::DiffersAsKnown),
            undecided: number(Standing::Open),
            blind: number(Standing::Blind),
            not_run: number(Standing::NotRun),
            without: alone.iter().filter(|cell| cell.kernel == kernel).count() as u64,
            trials_needed: open
                .map(|pair| needed(pair))
                .try_fold(0, |most, n| Some(most.max(n?)))
                .filter(|n| *n > 0),
            text: String::new(),
        }
        .told(baseline, margin, differing.map(|pair| pair.place_but_for_kernel()).collect())
    };
    kernels.into_iter().map(answer).collect()
}

/// How many trials a side would show that all of a pair is the same; nothing where no number would.
fn needed(pair: &CellPair) -> Option<u64> {
    let open = |verdict| verdict == ComparisonVerdict::NotEnoughTrials;
    let of_errnos = pair.errnos.iter().filter(|one| open(one.verdict)).map(|one| one.trials_needed);
    let of_outcomes = open(pair.outcomes.verdict).then_some(pair.outcomes.trials_needed);
    of_errnos.chain(of_outcomes).try_fold(0, |most, n| Some(most.max(n?)))
}
