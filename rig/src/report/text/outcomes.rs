//! How trials ended in virtual cells, beside bare metal: what ends alike in one line, what does not outcome by outcome.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: golden reports.

use std::collections::BTreeMap;

use crate::analysis::model::{BlockTest, ComparisonVerdict, OutcomeComparison, ReportModel, told};
use crate::analysis::words::{Rounding, count, enough, p_value, percent_number, several};

use super::super::status::verdict_words;
use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{by_title, section, title};

/// So many outcomes of a pair have a row; the rest is a number.
const ROWS: usize = 8;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let all = &model.outcome_comparisons;
    if all.is_empty() {
        return;
    }
    section(out, "How trials ended, virtual against bare metal (points of %, guest minus host)");
    let mut verdicts: Vec<(ComparisonVerdict, u64)> = Vec::new();
    for one in all {
        match verdicts.iter_mut().find(|(verdict, _)| *verdict == one.verdict) {
            Some((_, n)) => *n += 1,
            None => verdicts.push((one.verdict, 1)),
        }
    }
    let words: Vec<String> =
        verdicts.iter().map(|(verdict, n)| format!("{} {}", count(*n), verdict_words(*verdict))).collect();
    let pairs = several(all.len(), "pair");
    let family = all.iter().map(|one| one.family).max().unwrap_or(0);
    let tests = match family {
        0 | 1 => String::new(),
        family => format!(
            "; p-values are corrected over {} of pairs",
            several(usize::try_from(family).unwrap_or(usize::MAX), "outcome")
        ),
    };
    wrap(out, "  ", &format!("{pairs} of cells: {}{tests}", words.join(", ")), 4);
    too_few(out, all);
    not_shown(out, all);
    differing(out, all);
    blind(out, all);
}

/// One line for each configuration and kernel that has too few trials.
fn too_few(out: &mut Page, all: &[OutcomeComparison]) {
    let mut places: BTreeMap<(&str, &str), (usize, Option<u64>)> = BTreeMap::new();
    for one in
        all.iter().filter(|one| one.verdict == ComparisonVerdict::NotEnoughTrials && one.reason.is_none())
    {
        let first = (0, one.trials_needed);
        let (n, needed) = places.entry((&one.configuration, &one.kernel)).or_insert(first);
        *n += 1;
        *needed = needed.zip(one.trials_needed).map(|(a, b)| a.max(b));
    }
    for ((configuration, kernel), (n, needed)) in places {
        let needed =
            needed.map_or("no number is enough".to_owned(), |n| format!("{} a side are enough", enough(n)));
        wrap(
            out,
            "  ",
            &format!("not enough trials: {configuration} {kernel}, {}; {needed}", several(n, "pair")),
            4,
        );
    }
}

/// One line for each pair that differs by its trials, were they independent, and not by its blocks.
fn not_shown(out: &mut Page, all: &[OutcomeComparison]) {
    for one in all.iter().filter(|one| one.verdict == ComparisonVerdict::NotEnoughTrials) {
        let (Some(reason), Some(leader)) = (&one.reason, one.leader()) else { continue };
        let text = format!(
            "not shown to differ: {} in {} {}: {} in {} of {} trials, {} of {} on the host; {reason}",
            title(&one.scenario, &one.parameters, &one.path),
            one.configuration,
            one.kernel,
            leader.outcome,
            count(leader.x2),
            count(one.n2),
            count(leader.x1),
            count(one.n1)
        );
        wrap(out, "  ", &text, 4);
    }
}

/// A row for each outcome of a pair that differs, those first that are news.
fn differing(out: &mut Page, all: &[OutcomeComparison]) {
    let told = all.iter().filter(|one| one.verdict.is_difference());
    let mut groups = by_title(told.map(|one| (title(&one.scenario, &one.parameters, &one.path), one)));
    groups.sort_by_key(|(_, group)| !group.iter().any(|one| one.is_news()));
    for (title, group) in groups {
        wrap(out, "  ", &format!("different: {title}"), 4);
        group.into_iter().for_each(|one| pair(out, one));
    }
}

/// What comes of a pair, and a row for each of its outcomes.
fn pair(out: &mut Page, one: &OutcomeComparison) {
    let within = one.verdict == ComparisonVerdict::DiffersWithinTheMargin;
    let less = if within { " within the margin" } else { "" };
    let verdict = match &one.known {
        Some(reason) => format!("differs{less}, which is known: {reason}"),
        None if one.alert => format!("DIFFERS{less}"),
        None => format!("differs{less} (race)"),
    };
    let blocks = one.blocks.as_ref().map_or_else(String::new, |test| format!("; {}", by_blocks(test)));
    let (guest, host) = (count(one.n2), count(one.n1));
    let place = format!("{} {}", one.configuration, one.kernel);
    wrap(out, "    ", &format!("{place}, {guest} trials against {host}: {verdict}{blocks}"), 6);
    let mut table = Table::new([
        ("guest", Right),
        ("host", Right),
        ("difference", Right),
        ("between", Left),
        ("corrected p", Right),
        ("outcome", Left),
    ]);
    for outcome in one.outcomes.iter().take(ROWS) {
        let low = percent_number(outcome.low, Rounding::Down);
        table.row([
            count(outcome.x2),
            count(outcome.x1),
            percent_number(outcome.difference, Rounding::Nearest),
            format!("{low}..{}", percent_number(outcome.high, Rounding::Up)),
            p_value(outcome.p_adjusted),
            outcome.outcome.clone(),
        ]);
    }
    if one.outcomes.len() > ROWS {
        let rest = one.outcomes[ROWS..].iter().fold((0, 0), |(x1, x2), o| (x1 + o.x1, x2 + o.x2));
        let more = several(one.outcomes.len() - ROWS, "more outcome");
        table.note(format!("{more}: guest {} trials, host {}", count(rest.1), count(rest.0)));
    }
    table.write(out, 6);
}

/// What whole blocks say, which may each have an accident of its own.
fn by_blocks(test: &BlockTest) -> String {
    let BlockTest { blocks1, blocks2, .. } = test;
    if test.too_few {
        return format!(
            "too few blocks ({blocks2} against {blocks1}) for a test of whole blocks, whose p cannot be below {}",
            p_value(test.smallest_p)
        );
    }
    format!("whole blocks ({blocks2} against {blocks1}): p {}", p_value(test.p_value))
}

/// One line for each reason why nothing can be said; what was not run stands in the section above.
fn blind(out: &mut Page, all: &[OutcomeComparison]) {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for one in all.iter().filter(|one| one.verdict == ComparisonVerdict::Blind) {
        let place = format!("{} {}: {}", one.configuration, one.kernel, told(&one.reason));
        *reasons.entry(place).or_default() += 1;
    }
    for (place, n) in reasons {
        wrap(
            out,
            "  ",
            &format!("{}: {}, {place}", verdict_words(ComparisonVerdict::Blind), several(n, "pair")),
            4,
        );
    }
}
