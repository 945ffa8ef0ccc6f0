//! What differs, or is not as expected, the gravest first; and how much was compared where nothing does.
//!
//! Must not compute a number. Units: rates in per cent. Errors: none. Tests: `tests/golden/answer.rs`.

use crate::analysis::model::{
    Alert, CellPair, CellSummary, Comparison, ComparisonVerdict, Expectation, Headline, OutcomeComparison,
    OutcomeDifference, Question, ReportModel,
};
use crate::analysis::words::{Rounding, count, list, p_value, percent_number, several};

use super::screen::{Item, Tone};

pub(in crate::report) fn items(model: &ReportModel) -> Vec<Item> {
    let is_any = |one: &Alert| one.errno == Question::AnyError.key();
    let named =
        |one: &Alert, other: &Alert| !is_any(other) && other.cell == one.cell && other.counted == one.counted;
    // Any errno, where one is named already, says nothing more.
    let says_more = |one: &&Alert| !is_any(one) || !model.alerts.iter().any(|other| named(one, other));
    let mut items: Vec<Item> = model.alerts.iter().filter(says_more).map(alert).collect();
    items.extend(headlines(model));
    items.extend(outcomes(model));
    items.extend(kernels(model));
    items.extend(unexpected(model));
    items.extend(errnos(model));
    if items.iter().all(|item| item.tone != Tone::Bad) {
        items.insert(0, Item::new(Tone::Good, "nothing", compared(model)));
    }
    items
}

fn alert(alert: &Alert) -> Item {
    let Alert { errno, scenario, configuration, kernel, count: seen, n, counted, .. } = alert;
    let blocks = if *counted { "" } else { ", in blocks that do not count" };
    let text = format!(
        "{errno} in {} of {} calls of {scenario} ({configuration} {kernel}){blocks}",
        count(*seen),
        count(*n)
    );
    Item::new(Tone::Bad, "ALERT", text)
}

/// Cells whose trials ended otherwise than their scenario expects, the largest share first; one line for each scenario and place.
fn unexpected(model: &ReportModel) -> Vec<Item> {
    let second = model.again.as_ref().map(|pair| pair.cell.as_str());
    let mut cells: Vec<(&CellSummary, &Expectation)> = Vec::new();
    for cell in model.cells.iter().filter(|cell| Some(cell.id.as_str()) != second) {
        let both = cell.expectation.iter().chain(&cell.peer_expectation);
        cells.extend(both.filter(|of| of.is_alert()).map(|of| (cell, of)));
    }
    cells.sort_by(|(_, a), (_, b)| b.share.total_cmp(&a.share));
    let mut told: Vec<(&CellSummary, &Expectation, usize)> = Vec::new();
    let same_place = |a: &CellSummary, b: &CellSummary| {
        (&a.scenario, &a.configuration, &a.kernel) == (&b.scenario, &b.configuration, &b.kernel)
    };
    for (cell, of) in cells {
        match told.iter_mut().find(|(known, _, _)| same_place(known, cell)) {
            Some((_, _, more)) => *more += 1,
            None => told.push((cell, of, 0)),
        }
    }
    let item = |(cell, of, more): (&CellSummary, &Expectation, usize)| {
        let CellSummary { scenario, configuration, kernel, path, .. } = cell;
        let more = if more > 0 { format!("; {} there", several(more, "more cell")) } else { String::new() };
        let text = format!("{scenario} ({configuration} {kernel}, {path}): {}{more}", of.words());
        Item::new(Tone::Bad, "otherwise", text)
    };
    told.into_iter().map(item).collect()
}

/// Errnos that differ over all cells of the base program.
fn headlines(model: &ReportModel) -> Vec<Item> {
    let differ = model.headlines.iter().filter(|one| one.verdict.is_difference());
    let item = |one: &Headline| {
        let text = format!(
            "{}, guests minus host over all cells of the base program: {} points of % (p {})",
            one.errno.key(),
            points(one.low, one.high),
            p_value(one.p_adjusted)
        );
        Item::new(Tone::Bad, "differs", text)
    };
    differ.map(item).collect()
}

/// Outcomes that are news, the largest difference first.
fn outcomes(model: &ReportModel) -> Vec<Item> {
    let news = model.outcome_comparisons.iter().filter(|one| one.is_news());
    let mut news: Vec<_> = news.filter_map(|one| Some((one, one.leader()?))).collect();
    news.sort_by(|(_, a), (_, b)| b.difference.abs().total_cmp(&a.difference.abs()));
    let item = |(one, leader): (&OutcomeComparison, &OutcomeDifference)| {
        let OutcomeComparison { scenario, configuration, kernel, path, n1, n2, .. } = one;
        let text = format!(
            "{scenario} ({configuration} {kernel}, {path}) ends as {} in {} of {}, on the host in {} of {}",
            leader.outcome,
            count(leader.x2),
            count(*n2),
            count(leader.x1),
            count(*n1)
        );
        Item::new(Tone::Bad, "differs", text)
    };
    news.into_iter().map(item).collect()
}

/// Cells that end otherwise than on the baseline's kernel, a line for each: its outcome, or else its errno.
fn kernels(model: &ReportModel) -> Vec<Item> {
    let Some(baseline) = &model.kernel_baseline else { return Vec::new() };
    let item = |pair: &CellPair| {
        let place = format!(
            "{} ({} {}, {})",
            pair.scenario, pair.second.configuration, pair.second.kernel, pair.path
        );
        let of = &pair.outcomes;
        let differs = of.verdict.is_difference() && pair.known.is_none();
        let text = match of.leader().filter(|_| differs) {
            Some(leader) => format!(
                "{place} ends as {} in {} of {}, on {} in {} of {}",
                leader.outcome,
                count(leader.x2),
                count(of.n2),
                baseline.kernel,
                count(leader.x1),
                count(of.n1)
            ),
            None => {
                let errnos = pair.errnos.iter().filter(|one| one.verdict.is_difference());
                let told = errnos.map(|one| {
                    format!(
                        "{} in {} of {}, on {} in {} of {}",
                        one.errno.key(),
                        count(one.x2),
                        count(one.n2),
                        baseline.kernel,
                        count(one.x1),
                        count(one.n1)
                    )
                });
                format!("{place}: {}", told.collect::<Vec<_>>().join("; "))
            }
        };
        Item::new(Tone::Bad, "differs", text)
    };
    baseline.pairs.iter().filter(|pair| pair.is_news()).map(item).collect()
}

/// `1.4 to 2.8`, in points of per cent.
fn points(low: f64, high: f64) -> String {
    format!("{} to {}", percent_number(low, Rounding::Down), percent_number(high, Rounding::Up))
}

/// Single comparisons of errnos: those that are news one by one, declared races together.
fn errnos(model: &ReportModel) -> Vec<Item> {
    let differ = || model.comparisons.iter().filter(|comparison| comparison.verdict.is_difference());
    let mut news: Vec<&Comparison> = differ().filter(|comparison| comparison.alert).collect();
    news.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
    let mut items: Vec<Item> = news.into_iter().map(difference).collect();
    let of_outcomes = model
        .outcome_comparisons
        .iter()
        .filter(|one| one.verdict.is_difference() && !one.alert && one.known.is_none());
    let mut races: Vec<&str> = differ().filter(|one| !one.alert).map(|one| one.scenario.as_str()).collect();
    races.extend(of_outcomes.map(|one| one.scenario.as_str()));
    races.sort_unstable();
    races.dedup();
    if !races.is_empty() {
        let text = format!(
            "{} differs, as expected: the result of a race depends on the timing of the machine",
            list(&races)
        );
        items.push(Item::new(Tone::Plain, "a race", text));
    }
    items
}

fn difference(comparison: &Comparison) -> Item {
    let Comparison { scenario, configuration, kernel, errno, low, high, p_adjusted, .. } = comparison;
    let within = match comparison.verdict {
        ComparisonVerdict::DiffersWithinTheMargin => ", less than the margin",
        _ => "",
    };
    let text = format!(
        "{} in {scenario} ({configuration} {kernel}), guest minus host: {} points of %{within} (p {})",
        errno.key(),
        points(*low, *high),
        p_value(*p_adjusted)
    );
    Item::new(Tone::Bad, "differs", text)
}

/// `44 comparisons (33 of errnos, 11 of outcomes): 29 the same, 15 with too few trials`
fn compared(model: &ReportModel) -> String {
    let (errnos, outcomes) = (&model.comparisons, &model.outcome_comparisons);
    if errnos.is_empty() {
        return "no guest was compared with the host".to_owned();
    }
    let all = || errnos.iter().map(|one| one.verdict).chain(outcomes.iter().map(|one| one.verdict));
    let number = |wanted| all().filter(|verdict| *verdict == wanted).count();
    let parts = [
        (number(ComparisonVerdict::SameWithinTheMargin), "the same"),
        (all().filter(|verdict| verdict.is_difference()).count(), "different for a known reason"),
        (number(ComparisonVerdict::NotEnoughTrials), "with too few trials"),
        (number(ComparisonVerdict::Blind), "blind"),
        (number(ComparisonVerdict::NotRun), "not run"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let all = several(errnos.len() + outcomes.len(), "comparison");
    let outcomes = outcomes.len();
    format!("{all} ({} of errnos, {outcomes} of outcomes): {}", errnos.len(), parts.join(", "))
}
