//! Errnos of all pairs: how many are the same in one line, a row for each that differs or is open.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: `tests/golden/compared.rs`.

use crate::analysis::model::{CellPair, ComparisonVerdict, ErrnoDifference, Question, RunComparison};
use crate::analysis::words::{Rounding, count, enough, one_in, p_value, percent_number, several};

use super::super::status::{errno_word, verdict_words};
use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table};
use super::super::text::gather::section;
use super::told::Told;

/// So many comparisons have a row.
const ROWS: usize = 24;

type Row<'c> = (&'c CellPair, &'c ErrnoDifference);

pub(in crate::report) fn write(out: &mut Page, compared: &RunComparison) {
    tell(out, &Told::of(compared));
}

pub(super) fn tell(out: &mut Page, told: &Told<'_>) {
    let all: Vec<Row<'_>> =
        told.pairs.iter().flat_map(|pair| pair.errnos.iter().map(move |one| (pair, one))).collect();
    if all.is_empty() {
        return;
    }
    section(out, &format!("How often the call returned an errno{} (points of %)", told.against));
    out.wrap(
        "  ",
        &format!(
            "{}: {}",
            several(all.len(), "comparison"),
            verdicts(all.iter().map(|(_, one)| one.verdict))
        ),
        4,
    );
    same(out, &all);
    blind(out, &all);
    let mut rows: Vec<Row<'_>> = all.iter().copied().filter(is_notable).collect();
    rows.sort_by_key(|(pair, one)| (!one.verdict.is_difference(), pair.race));
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new([
        ("errno", Left),
        (told.sides[0], Right),
        (told.sides[1], Right),
        ("difference", Right),
        ("between", Left),
        ("corrected p", Right),
        ("verdict", Left),
    ]);
    for (pair, one) in rows.iter().take(ROWS) {
        row(&mut table, told, pair, one);
    }
    if rows.len() > ROWS {
        table.note(format!("{} more are in the JSON", count((rows.len() - ROWS) as u64)));
    }
    table.write(out, 2);
}

/// `12 the same within the margin, 3 different`
pub(super) fn verdicts(all: impl Iterator<Item = ComparisonVerdict>) -> String {
    let mut verdicts: Vec<(ComparisonVerdict, u64)> = Vec::new();
    for verdict in all {
        match verdicts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, n)) => *n += 1,
            None => verdicts.push((verdict, 1)),
        }
    }
    let words = verdicts.iter().map(|(verdict, n)| format!("{} {}", count(*n), verdict_words(*verdict)));
    words.collect::<Vec<_>>().join(", ")
}

/// What is the same, in one line for each margin.
fn same(out: &mut Page, all: &[Row<'_>]) {
    let mut groups: Vec<(f64, usize, f64)> = Vec::new();
    for (_, one) in all.iter().filter(|(_, one)| one.verdict == ComparisonVerdict::SameWithinTheMargin) {
        let apart = one.high.max(-one.low);
        match groups.iter_mut().find(|(margin, ..)| margin.to_bits() == one.margin.to_bits()) {
            Some((_, n, most)) => (*n, *most) = (*n + 1, most.max(apart)),
            None => groups.push((one.margin, 1, apart)),
        }
    }
    for (margin, n, apart) in groups {
        let margin = percent_number(margin, Rounding::Nearest);
        let text = format!(
            "the same within {margin} %: {}, apart by at most {} points of % ({})",
            several(n, "comparison"),
            percent_number(apart, Rounding::Up),
            one_in(apart)
        );
        out.wrap("  ", &text, 4);
    }
}

/// One line for each reason why nothing can be said.
fn blind(out: &mut Page, all: &[Row<'_>]) {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for (_, one) in all.iter().filter(|(_, one)| one.verdict == ComparisonVerdict::Blind) {
        match reasons.iter_mut().find(|(known, _)| *known == one.reason) {
            Some((_, n)) => *n += 1,
            None => reasons.push((&one.reason, 1)),
        }
    }
    for (reason, n) in reasons {
        out.wrap("  ", &format!("blind: {}: {reason}", several(n, "comparison")), 4);
    }
}

/// What differs, or is open although something was seen. "Any -1" beside the one errno that it consists of says the same thing twice.
fn is_notable((pair, one): &Row<'_>) -> bool {
    let is_said = match one.verdict {
        ComparisonVerdict::Differs | ComparisonVerdict::DiffersWithinTheMargin => true,
        ComparisonVerdict::NotEnoughTrials => one.difference != 0.0,
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => {
            false
        }
    };
    let is_same = |other: &ErrnoDifference| {
        other.errno != one.errno && other.difference.to_bits() == one.difference.to_bits()
    };
    is_said && !(one.errno == Question::AnyError && pair.errnos.iter().any(is_same))
}

fn row(table: &mut Table, told: &Told<'_>, pair: &CellPair, one: &ErrnoDifference) {
    let of = |x: u64, n: u64| format!("{} of {}", count(x), count(n));
    let race = if pair.race && one.verdict.is_difference() { " (race)" } else { "" };
    table.row([
        errno_word(one.errno).to_owned(),
        of(one.x1, one.n1),
        of(one.x2, one.n2),
        percent_number(one.difference, Rounding::Nearest),
        format!("{}..{}", percent_number(one.low, Rounding::Down), percent_number(one.high, Rounding::Up)),
        p_value(one.p_adjusted),
        format!("{}{race}", verdict_words(one.verdict)),
    ]);
    let (first, second) = (count(one.blocks1), count(one.blocks2));
    table.note(format!("{}; {first} and {second} boots", (told.place)(pair)));
    let why = match (one.verdict, one.trials_needed) {
        (ComparisonVerdict::NotEnoughTrials, Some(n)) => format!("{} a side are enough", enough(n)),
        _ => one.reason.clone(),
    };
    if !why.is_empty() {
        table.note(why);
    }
    if one.verdict.is_difference() && one.family > 1 {
        table.note(format!(
            "between {} and {} at the level that is left to each of {} comparisons",
            percent_number(one.low_corrected, Rounding::Down),
            percent_number(one.high_corrected, Rounding::Up),
            count(one.family)
        ));
    }
}
