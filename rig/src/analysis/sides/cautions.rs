//! What a reader must know before they believe a comparison of two sides.
//!
//! Must not judge a cell. Units: shares of 1 in, per cent out. Errors: none. Tests: `tests/golden/compared.rs`.

use std::collections::BTreeSet;

use crate::record::Run;
use crate::record::format::Environment;

use super::super::comparisons::Pair;
use super::super::measured::Measured;
use super::super::model::{RanOn, SideSummary, Stopped};
use super::super::rules::Rules;
use super::super::words::{Rounding, list, percent, several};

/// How the runs are called.
const NAMES: [&str; 2] = ["first run", "second run"];

/// Of two runs, the gravest first.
pub(super) fn of_runs(
    runs: [&Run; 2],
    rules: [Rules; 2],
    sides: [&SideSummary; 2],
    pairs: &[Pair<'_, '_>],
) -> Vec<String> {
    let mut cautions = Vec::new();
    for (name, side) in NAMES.into_iter().zip(sides) {
        if side.again_differs == Some(true) {
            cautions.push(format!(
                "The A/A pair of the {name} differs, two cells that are the same but for their name: no comparison of errnos or outcomes counts."
            ));
        }
    }
    cautions.extend(accelerators(pairs));
    cautions.extend(machines(runs.map(|run| &run.record.environment)));
    cautions.push(
        "The two runs were not played in random order with each other: whatever changed in between can be the cause of a difference, also what no record has."
            .to_owned(),
    );
    cautions.extend(stricter(rules));
    for (name, run) in NAMES.into_iter().zip(runs) {
        cautions.extend(of_run(name, run));
    }
    cautions
}

/// Of two configurations of one run.
pub(super) fn of_configurations(run: &Run, side: &SideSummary, pairs: &[Pair<'_, '_>]) -> Vec<String> {
    let mut cautions = Vec::new();
    if side.again_differs == Some(true) {
        cautions.push(
            "The A/A pair of the run differs, two cells that are the same but for their name: no comparison of errnos or outcomes counts."
                .to_owned(),
        );
    }
    cautions.extend(accelerators(pairs));
    cautions.extend(shared_boots(pairs));
    cautions.extend(of_run("run", run));
    cautions
}

fn of_run(name: &str, run: &Run) -> Vec<String> {
    let mut cautions = Vec::new();
    if !run.complete {
        let why = run.stopped.as_deref().map(|word| format!(" ({})", Stopped::of(word))).unwrap_or_default();
        cautions.push(format!("The {name} is not complete{why}: what it has is compared."));
    }
    if run.record.environment.rehearsed {
        cautions.push(format!(
            "The {name} took place in an emulated KVM host: its times mean nothing, and latencies are not compared."
        ));
    }
    cautions.extend(run.cautions.iter().map(|text| format!("In the {name}: {text}.")));
    cautions
}

/// Blocks of both cells in one boot: what that boot has of its own is on both sides, which hides no more than a part of a difference.
fn shared_boots(pairs: &[Pair<'_, '_>]) -> Option<String> {
    let is_shared = |pair: &&Pair<'_, '_>| {
        let boots = |cell: &Measured<'_>| -> BTreeSet<String> {
            cell.blocks.iter().filter_map(|block| block.boot.as_ref().map(|boot| boot.name.clone())).collect()
        };
        pair.first.is_some_and(|first| !boots(first).is_disjoint(&boots(pair.second)))
    };
    let shared = pairs.iter().filter(is_shared).count();
    (shared > 0).then(|| {
        format!(
            "In {} blocks of both configurations were played in the same boots: they are not independent, and a difference is shown less easily than the figures say.",
            several(shared, "pair")
        )
    })
}

/// Guests that KVM executed beside guests that were emulated.
fn accelerators(pairs: &[Pair<'_, '_>]) -> Option<String> {
    let is_kvm = |words: Vec<&str>| words.iter().any(|word| RanOn::of(word) == RanOn::Kvm);
    let is_tcg = |words: Vec<&str>| words.iter().any(|word| RanOn::of(word) == RanOn::Tcg);
    let is_mixed = |pair: &&Pair<'_, '_>| {
        let Some(first) = pair.first else { return false };
        let of = |cell: &Measured<'_>| {
            let words: Vec<&str> = cell.accelerators().into_iter().collect();
            (is_kvm(words.clone()), is_tcg(words))
        };
        let (first, second) = (of(first), of(pair.second));
        first != second && (first.0 || second.0) && (first.1 || second.1)
    };
    let mixed = pairs.iter().filter(is_mixed).count();
    let are = if mixed == 1 { "is" } else { "are" };
    (mixed > 0).then(|| {
        format!(
            "{} {are} of a guest that KVM executed and one that was emulated (TCG): a difference can be one of the two, and an emulated guest says nothing of a KVM guest.",
            several(mixed, "pair")
        )
    })
}

/// Whether it surely was another machine.
fn machines(environments: [&Environment; 2]) -> Option<String> {
    let [first, second] = environments.map(|of| &of.host);
    let known = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    let mut parts = Vec::new();
    parts.extend(known(&first.cpu, &second.cpu).then_some("the CPU"));
    parts.extend(
        (first.cpus > 0 && second.cpus > 0 && first.cpus != second.cpus).then_some("the number of CPUs"),
    );
    parts.extend(
        known(&first.virtualized, &second.virtualized)
            .then_some("whether the host is itself a virtual machine"),
    );
    (!parts.is_empty()).then(|| {
        let are = if parts.len() == 1 { "is" } else { "are" };
        format!(
            "The two runs were measured on two machines, or on one that was changed ({} {are} not the same): a difference can be one of machines.",
            list(&parts)
        )
    })
}

/// What holds where the runs are not judged alike.
fn stricter([first, second]: [Rules; 2]) -> Option<String> {
    let held = first.stricter(second);
    let share = |share: f64| percent(share, Rounding::Nearest);
    let mut parts = Vec::new();
    let confidence = [first, second].map(|rules| rules.confidence.get());
    if confidence[0].to_bits() != confidence[1].to_bits() {
        let [a, b] = confidence.map(share);
        parts.push(format!("a confidence of {a} and of {b} ({} holds)", share(held.confidence.get())));
    }
    if first.margin.to_bits() != second.margin.to_bits() {
        let [a, b] = [first.margin, second.margin].map(share);
        parts.push(format!("a margin of {a} and of {b} ({} holds)", share(held.margin)));
    }
    for ((question, a), (_, b)) in first.margins().into_iter().zip(second.margins()) {
        let is_own = a.to_bits() != first.margin.to_bits() || b.to_bits() != second.margin.to_bits();
        if is_own && a.to_bits() != b.to_bits() {
            let (a, b, least) = (share(a), share(b), share(a.min(b)));
            parts.push(format!("for {question} a margin of {a} and of {b} ({least} holds)"));
        }
    }
    if first.icc.get().to_bits() != second.icc.get().to_bits() {
        let [a, b, held] = [first, second, held].map(|rules| super::super::words::share(rules.icc.get()));
        parts.push(format!("a correlation within blocks of {a} and of {b} ({held} holds)"));
    }
    (!parts.is_empty()).then(|| {
        format!("The runs declare different rules, and the stricter one holds: {}.", parts.join("; "))
    })
}
