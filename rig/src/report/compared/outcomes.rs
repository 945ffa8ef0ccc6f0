//! How trials ended in all pairs: how many end alike in one line, the outcomes of each pair that does not.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: `tests/golden/compared.rs`.

use crate::analysis::model::{CellPair, ComparisonVerdict, RunComparison};
use crate::analysis::words::{Rounding, count, p_value, percent_number, several};

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table};
use super::super::text::gather::section;
use super::errnos::verdicts;
use super::told::Told;

/// So many pairs are shown outcome by outcome,
const PAIRS: usize = 12;
/// and of each so many outcomes.
const ROWS: usize = 8;

pub(in crate::report) fn write(out: &mut Page, compared: &RunComparison) {
    tell(out, &Told::of(compared));
}

pub(super) fn tell(out: &mut Page, told: &Told<'_>) {
    if told.pairs.is_empty() {
        return;
    }
    section(out, &format!("How trials ended{} (points of %)", told.against));
    let words = verdicts(told.pairs.iter().map(|pair| pair.outcomes.verdict));
    out.wrap("  ", &format!("{}: {words}", several(told.pairs.len(), "pair")), 4);
    for pair in told.pairs.iter().filter(|pair| is_open(pair)) {
        let text = format!("not shown to differ: {}: {}", (told.place)(pair), pair.outcomes.reason);
        out.wrap("  ", &text, 4);
    }
    let mut differ: Vec<&CellPair> =
        told.pairs.iter().filter(|pair| pair.outcomes.verdict.is_difference()).collect();
    differ.sort_by_key(|pair| (pair.race, pair.known.is_some()));
    for pair in differ.iter().take(PAIRS) {
        differing(out, told, pair);
    }
    if differ.len() > PAIRS {
        out.wrap(
            "  ",
            &format!("{} more that differ are in the JSON", several(differ.len() - PAIRS, "pair")),
            4,
        );
    }
}

/// Whether single trials show what boots do not bear out.
fn is_open(pair: &CellPair) -> bool {
    pair.outcomes.verdict == ComparisonVerdict::NotEnoughTrials && !pair.outcomes.reason.is_empty()
}

fn differing(out: &mut Page, told: &Told<'_>, pair: &CellPair) {
    let within = match pair.outcomes.verdict {
        ComparisonVerdict::DiffersWithinTheMargin => " within the margin",
        _ => "",
    };
    let news = match &pair.known {
        Some(why) => format!(", which is known: {why}"),
        None if pair.race => " (a race)".to_owned(),
        None => String::new(),
    };
    let blocks = pair.outcomes.blocks.as_ref().map_or_else(String::new, |test| {
        format!("; whole blocks ({} and {}): p {}", test.blocks1, test.blocks2, p_value(test.p_value))
    });
    out.wrap("  ", &format!("differs{within}{news}: {}{blocks}", (told.place)(pair)), 4);
    let mut table = Table::new([
        (told.sides[0], Right),
        (told.sides[1], Right),
        ("difference", Right),
        ("between", Left),
        ("corrected p", Right),
        ("outcome", Left),
    ]);
    for one in pair.outcomes.outcomes.iter().take(ROWS) {
        table.row([
            format!("{} of {}", count(one.x1), count(pair.outcomes.n1)),
            format!("{} of {}", count(one.x2), count(pair.outcomes.n2)),
            percent_number(one.difference, Rounding::Nearest),
            format!(
                "{}..{}",
                percent_number(one.low, Rounding::Down),
                percent_number(one.high, Rounding::Up)
            ),
            p_value(one.p_adjusted),
            one.outcome.clone(),
        ]);
    }
    if pair.outcomes.outcomes.len() > ROWS {
        table.note(several(pair.outcomes.outcomes.len() - ROWS, "more outcome"));
    }
    table.write(out, 4);
}
