//! What differs, or is not as expected, the gravest first; and how much was compared where nothing does.
//!
//! Must not compute a number. Units: rates in per cent. Errors: none. Tests: `tests/golden/answer.rs`.

use crate::analysis::model::{Alert, Comparison, ComparisonVerdict, ReportModel};
use crate::analysis::words::{Rounding, count, list, p_value, percent_number, several};

use super::screen::{Item, Tone};

const ANY: &str = "any_error";

pub(super) fn items(model: &ReportModel) -> Vec<Item> {
    let named = |one: &Alert, other: &Alert| {
        other.errno != ANY && other.cell == one.cell && other.counted == one.counted
    };
    // Any errno, where one is named already, says nothing more.
    let says_more = |one: &&Alert| one.errno != ANY || !model.alerts.iter().any(|other| named(one, other));
    let mut items: Vec<Item> = model.alerts.iter().filter(says_more).map(alert).collect();
    items.extend(errnos(model));
    if items.iter().all(|item| item.tone != Tone::Bad) {
        items.insert(0, Item::new(Tone::Good, "nothing", compared(model)));
    }
    items
}

fn alert(alert: &Alert) -> Item {
    let Alert { errno, scenario, configuration, kernel, count: seen, n, counted, .. } = alert;
    let blocks = if *counted { "" } else { ", in blocks that count for nothing" };
    let text = format!(
        "{errno} in {} of {} calls of {scenario} ({configuration} {kernel}){blocks}",
        count(*seen),
        count(*n)
    );
    Item::new(Tone::Bad, "ALERT", text)
}

/// Single comparisons of errnos: those that are news one by one, declared races together.
fn errnos(model: &ReportModel) -> Vec<Item> {
    let differ = || model.comparisons.iter().filter(|comparison| comparison.verdict.is_difference());
    let mut news: Vec<&Comparison> = differ().filter(|comparison| comparison.alert).collect();
    news.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
    let mut items: Vec<Item> = news.into_iter().map(difference).collect();
    let mut races: Vec<&str> = differ()
        .filter(|comparison| !comparison.alert)
        .map(|comparison| comparison.scenario.as_str())
        .collect();
    races.sort_unstable();
    races.dedup();
    if !races.is_empty() {
        let text = format!("{} differs, as a race between the program's own threads may", list(&races));
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
        "{} in {scenario} ({configuration} {kernel}): {} to {} points{within} (p {})",
        errno.key(),
        percent_number(*low, Rounding::Down),
        percent_number(*high, Rounding::Up),
        p_value(*p_adjusted)
    );
    Item::new(Tone::Bad, "differs", text)
}

/// `33 comparisons of errnos: 18 the same, 15 with too few trials`
fn compared(model: &ReportModel) -> String {
    let of = |verdict| model.comparisons.iter().filter(|c| c.verdict == verdict).count();
    let all = [
        (of(ComparisonVerdict::SameWithinTheMargin), "the same"),
        (of(ComparisonVerdict::NotEnoughTrials), "with too few trials"),
        (of(ComparisonVerdict::Blind), "blind"),
        (of(ComparisonVerdict::NotRun), "not run"),
    ];
    let parts: Vec<String> =
        all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() {
        return "no guest was compared with the host".to_owned();
    }
    format!("{} of errnos: {}", several(model.comparisons.len(), "comparison"), parts.join(", "))
}
