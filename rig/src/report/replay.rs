//! What a replay says, for people and for programs.
//!
//! Pure. Must not compute a number that is in the model. Units: counts. Errors: none. Tests: `tests/trouble/replay.rs`.

use std::collections::BTreeSet;

use rig_protocol::plain_lines;

use super::json::pretty;
use super::table::{Align, Page, Table};
use crate::analysis::model::Replay;
use crate::analysis::words::{count, list};

/// The model as JSON. Ends with a newline.
pub fn replay_json(replay: &Replay) -> String {
    pretty(replay)
}

/// The model for people: what was played, both counts side by side, and whether it happened again.
pub fn replay_text(replay: &Replay, mut page: Page) -> String {
    let Replay { scenario, configuration, kernel, path, block, run, seed, .. } = replay;
    page.wrap("", &format!("{scenario} in {configuration} {kernel} over {path}, played again"), 2);
    let trials = format!("{} trials with seed {seed}: block {block} of run {run}", count(replay.trials));
    page.wrap("  ", &trials, 4);
    replay.changed.iter().for_each(|one| page.wrap("  ! ", &format!("otherwise than then: {one}"), 4));
    page.push_str("\n");
    let outcomes: BTreeSet<&String> = replay.then.keys().chain(replay.now.keys()).collect();
    let mut table =
        Table::new([("then", Align::Right), ("now", Align::Right), ("how trials ended", Align::Left)]);
    for outcome in outcomes {
        let of = |counts: &std::collections::BTreeMap<String, u64>| {
            count(counts.get(outcome).copied().unwrap_or(0))
        };
        let mark = if replay.looked_for.contains(outcome) { "  <- looked for" } else { "" };
        table.row([of(&replay.then), of(&replay.now), format!("{outcome}{mark}")]);
    }
    table.write(&mut page, 2);
    page.push_str("\n");
    page.wrap("", &conclusion(replay), 2);
    plain_lines(&page.into_text())
}

fn conclusion(replay: &Replay) -> String {
    if !replay.void.is_empty() {
        return format!("VOID: the testbed failed, and nothing of this counts: {}", replay.void);
    }
    let total: u64 = replay.now.values().sum();
    let one = match &replay.trial {
        None => String::new(),
        Some(trial) => match &trial.now {
            Some(now) if *now == trial.then => format!(" Trial {} itself ended so again.", trial.trial),
            Some(now) => format!(" Trial {} itself ended as {now} this time.", trial.trial),
            None => format!(
                " How trial {} itself ended was not kept: the first trials of each outcome are.",
                trial.trial
            ),
        },
    };
    match (replay.looked_for.as_slice(), replay.seen_again) {
        ([], _) => {
            "Nothing unexpected is recorded of this block, so there is nothing that could happen again."
                .to_owned()
        }
        (outcomes, 0) => format!(
            "It did NOT happen again: {} in none of {} trials.{one} A race needs its moment: play it again, or a longer block.",
            list(outcomes),
            count(total)
        ),
        (outcomes, seen) => format!(
            "It HAPPENED AGAIN: {} in {} of {} trials.{one}",
            list(outcomes),
            count(seen),
            count(total)
        ),
    }
}
