//! Whether the answer can be believed: controls, witness, voids, what was not run, and what a reader must keep in mind.
//!
//! Must not compute a number. Units: counts. Errors: none. Tests: `tests/golden/answer.rs`.

use std::collections::BTreeSet;

use crate::analysis::model::{AaPair, CellStatus, ControlStatus, PairVerdict, ReportModel, Stopped, told};
use crate::analysis::words::{count, several};

use super::super::no_packets::no_packets;
use super::screen::{Item, Tone};
use crate::record::format::Shard;

pub(in crate::report) fn items(model: &ReportModel) -> Vec<Item> {
    let mut items: Vec<Item> = model.run.stopped.iter().map(|word| stopped(word)).collect();
    items.extend(model.run.shard.map(shard));
    items.push(controls(model));
    items.extend(model.again.as_ref().map(|pair| again(pair, model)));
    items.push(witness(model));
    items.push(trials(model));
    items.extend(no_packets(model).map(|why| Item::new(Tone::Plain, "packets", why)));
    items.extend(model.cautions.iter().map(|caution| {
        // The fact is enough here; the advice is in the report.
        let fact = caution.to_string();
        let fact = fact.split(';').next().unwrap_or_default().to_owned();
        Item::new(Tone::Mind, "caution", fact)
    }));
    items
}

fn stopped(word: &str) -> Item {
    Item::new(Tone::Bad, "ended", Stopped::of(word).to_string())
}

fn shard(Shard { index, of }: Shard) -> Item {
    Item::new(Tone::Plain, "shard", format!("{index} of {of}: the other cells are in other runs"))
}

pub(in crate::report) fn controls(model: &ReportModel) -> Item {
    let of = |status| model.controls.iter().filter(|control| control.status() == status).count();
    let (passed, failed, idle, not_run) = (
        of(ControlStatus::Passed),
        of(ControlStatus::Failed),
        of(ControlStatus::NotExercised),
        of(ControlStatus::NotRun),
    );
    let mut text = format!("{passed} of {} passed", model.controls.len() - not_run);
    for (n, word) in [(failed, "FAILED"), (idle, "had too little to find"), (not_run, "not run")] {
        if n > 0 {
            text.push_str(&format!(", {n} {word}"));
        }
    }
    text.push_str(" (cells with a known answer)");
    if model.controls.is_empty() {
        return Item::new(Tone::Bad, "controls", "there are none: a zero proves nothing");
    }
    let tone = if failed + idle > 0 || passed == 0 { Tone::Bad } else { Tone::Good };
    Item::new(tone, "controls", text)
}

/// The same cell under two names.
pub(in crate::report) fn again(pair: &AaPair, model: &ReportModel) -> Item {
    let first = model.cells.iter().find(|cell| cell.id == pair.repeats);
    let first = first.map_or("one cell", |cell| cell.configuration.as_str());
    let tests = several(pair.tests as usize, "comparison");
    let (tone, text) = match pair.verdict {
        PairVerdict::Passed => {
            (Tone::Good, format!("{first}, measured twice under two names, gave the same result in {tests}"))
        }
        PairVerdict::Failed => (
            Tone::Bad,
            format!(
                "{first}, measured twice under two names, DIFFERS in {}: no comparison is valid",
                pair.most.as_deref().unwrap_or("something")
            ),
        ),
        PairVerdict::NotRun => (Tone::Mind, format!("not run: {}", told(&pair.reason))),
    };
    Item::new(tone, "A/A pair", text)
}

/// Who else saw the resets.
pub(in crate::report) fn witness(model: &ReportModel) -> Item {
    let played = || model.cells.iter().filter(|cell| cell.trials > 0);
    let watched = played().filter(|cell| cell.witness_rsts.is_some()).count();
    let all = played().count();
    let sum: u64 = played().filter_map(|cell| cell.witness_rsts).fold(0, u64::saturating_add);
    let resets = several(usize::try_from(sum).unwrap_or(usize::MAX), "reset");
    let tone = if watched == 0 { Tone::Mind } else { Tone::Good };
    Item::new(
        tone,
        "witness",
        format!("a packet socket saw {resets}, in {watched} of {}", several(all, "cell")),
    )
}

/// Trials, those that are void, and cells that are not there.
pub(in crate::report) fn trials(model: &ReportModel) -> Item {
    let sum = |of: fn(&crate::analysis::model::CellSummary) -> u64| model.cells.iter().map(of).sum::<u64>();
    let mut text = format!(
        "{} counted, {} void (the testbed failed)",
        count(sum(|cell| cell.trials)),
        count(sum(|cell| cell.void))
    );
    let of = |status| model.cells.iter().filter(|cell| cell.status == status).count();
    let (short, blind, skipped) = (of(CellStatus::Short), of(CellStatus::Blind), of(CellStatus::Skipped));
    for (n, word) in [(short, "short of trials"), (blind, "blind (no control passed)")] {
        if n > 0 {
            text.push_str(&format!("; {} {word}", several(n, "cell")));
        }
    }
    if skipped > 0 {
        let reasons: BTreeSet<String> = model
            .cells
            .iter()
            .filter(|cell| cell.status == CellStatus::Skipped)
            .filter_map(|cell| cell.reason.as_ref().map(ToString::to_string))
            .collect();
        // The first words name what is missing; the rest is in the report.
        let why = reasons.iter().next().map_or("", |reason| reason.split(':').next().unwrap_or_default());
        let why = if reasons.len() > 1 { format!("{why}, and others") } else { why.to_owned() };
        text.push_str(&format!("; {} skipped: {why}", several(skipped, "cell")));
    }
    let tone = if short + blind > 0 { Tone::Bad } else { Tone::Good };
    Item::new(tone, "trials", text)
}
