//! Every virtual cell against its bare-metal cell: what is the same in one line, what is not in a row each.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: golden reports.

use crate::analysis::model::{Comparison, ComparisonVerdict, Question, ReportModel, told};
use crate::analysis::words::{Rounding, count, enough, one_in, p_value, percent_number, several};

use super::super::status::{errno_word, verdict_words};
use super::super::table::Align::{self, Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{by_title, section, title};

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    if model.comparisons.is_empty() {
        return;
    }
    section(out, "Virtual against bare metal (differences in points of %, guest minus host)");
    let mut verdicts: Vec<(ComparisonVerdict, usize)> = Vec::new();
    for comparison in &model.comparisons {
        match verdicts.iter_mut().find(|(verdict, _)| *verdict == comparison.verdict) {
            Some((_, n)) => *n += 1,
            None => verdicts.push((comparison.verdict, 1)),
        }
    }
    let words: Vec<String> = verdicts
        .iter()
        .map(|(verdict, n)| format!("{} {}", count(*n as u64), verdict_words(*verdict)))
        .collect();
    let mut summary = format!("{}: {}", several(model.comparisons.len(), "comparison"), words.join(", "));
    if model.comparisons.iter().any(|c| c.verdict.is_difference() && !c.alert) {
        summary.push_str(
            " (the rate of a race follows the machine's timing: it may differ, and raises no alert)",
        );
    }
    wrap(out, "  ", &summary, 4);
    same(out, model);
    open(out, model);
    notable(out, model);
    unanswered(out, model);
}

/// What comparisons of one configuration and kernel with one verdict and margin say together.
struct Alike<'a> {
    one: &'a Comparison,
    n: usize,
    /// The largest difference that one of them allows, in shares of 1.
    apart: f64,
    detectable: f64,
    /// The most that one of them needs; none where one would never have enough.
    needed: Option<u64>,
}

impl Alike<'_> {
    /// A table of such rows, under a verdict; `last` is the column that only this verdict has.
    fn table(verdict: &str, last: (&str, Align)) -> Table {
        Table::new([
            (verdict, Left),
            ("kernel", Left),
            ("comparisons", Right),
            ("margin", Right),
            ("apart at most", Right),
            ("not above", Right),
            last,
        ])
        .without_first(&["apart at most", "comparisons"])
    }

    fn row(&self, last: String) -> [String; 7] {
        [
            self.one.configuration.clone(),
            self.one.kernel.clone(),
            self.n.to_string(),
            percent_number(self.one.margin, Rounding::Nearest),
            percent_number(self.apart, Rounding::Up),
            one_in(self.apart),
            last,
        ]
    }
}

/// Puts the chosen comparisons together: a wall of equal rows hides the one that is not.
fn alike<'a>(model: &'a ReportModel, chosen: impl Fn(&Comparison) -> bool) -> Vec<Alike<'a>> {
    let mut groups: Vec<Alike<'a>> = Vec::new();
    for one in model.comparisons.iter().filter(|one| chosen(one)) {
        let apart = one.high.max(-one.low);
        let same = |group: &&mut Alike<'a>| {
            group.one.configuration == one.configuration
                && group.one.kernel == one.kernel
                && group.one.margin.to_bits() == one.margin.to_bits()
        };
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.n += 1;
                group.apart = group.apart.max(apart);
                group.detectable = group.detectable.max(one.detectable);
                group.needed = group.needed.zip(one.trials_needed).map(|(a, b)| a.max(b));
            }
            None => {
                groups.push(Alike { one, n: 1, apart, detectable: one.detectable, needed: one.trials_needed })
            }
        }
    }
    groups
}

/// Whether nothing was seen in either cell, or as often: then there is nothing to show but the numbers of trials.
fn is_merely_open(one: &Comparison) -> bool {
    one.verdict == ComparisonVerdict::NotEnoughTrials && one.difference == 0.0
}

/// One line for everything of a configuration and a kernel that is the same.
fn same(out: &mut Page, model: &ReportModel) {
    let mut table = Alike::table("same within the margin", ("detectable", Right));
    for group in alike(model, |one| one.verdict == ComparisonVerdict::SameWithinTheMargin) {
        table.row(group.row(percent_number(group.detectable, Rounding::Up)));
    }
    if !table.is_empty() {
        table.write(out, 2);
        let explained = "detectable: a rise of this many points would have been found with 80 % probability; where the host's rate is near 100 %, a fall";
        wrap(out, "  ", explained, 4);
    }
}

/// One line for everything of a configuration and a kernel in which no difference was seen, and that has too few trials to exclude one.
fn open(out: &mut Page, model: &ReportModel) {
    let mut table = Alike::table("not enough trials", ("", Left));
    for group in alike(model, is_merely_open) {
        table.row(group.row(would_do(group.needed)));
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
}

fn would_do(needed: Option<u64>) -> String {
    needed.map_or("no number is enough".to_owned(), |n| format!("{} a side are enough", enough(n)))
}

/// One row for each that differs or is open, under its scenario.
fn notable(out: &mut Page, model: &ReportModel) {
    let open = |c: &&Comparison| match c.verdict {
        ComparisonVerdict::Differs | ComparisonVerdict::DiffersWithinTheMargin => true,
        ComparisonVerdict::NotEnoughTrials => !is_merely_open(c),
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => {
            false
        }
    };
    let told = model.comparisons.iter().filter(open);
    let mut groups = by_title(told.map(|one| (title(&one.scenario, &one.parameters, &one.path), one)));
    groups.sort_by_key(|(_, group)| !group.iter().any(|c| c.alert && c.verdict.is_difference()));
    for (title, group) in groups {
        wrap(out, "  ", &format!("different or open: {title}"), 4);
        let mut table = Table::new([
            ("configuration", Left),
            ("kernel", Left),
            ("errno", Left),
            ("difference", Right),
            ("between", Left),
            ("margin", Right),
            ("p", Right),
            ("corrected p", Right),
            ("verdict", Left),
        ])
        .without_first(&["margin", "p"]);
        for one in &group {
            // "Any -1" beside the one errno that it consists of says the same thing twice.
            let same_as = |c: &&&Comparison| {
                c.cell == one.cell
                    && c.errno != one.errno
                    && c.difference.to_bits() == one.difference.to_bits()
            };
            if one.errno != Question::AnyError || !group.iter().any(|c| same_as(&c)) {
                notable_row(&mut table, one);
            }
        }
        table.write(out, 4);
    }
}

fn notable_row(table: &mut Table, one: &Comparison) {
    let verdict = match (one.verdict, one.alert) {
        (ComparisonVerdict::Differs, true) => "DIFFERS".to_owned(),
        (ComparisonVerdict::Differs, false) => "differs (race)".to_owned(),
        (ComparisonVerdict::DiffersWithinTheMargin, true) => "DIFFERS within margin".to_owned(),
        (ComparisonVerdict::DiffersWithinTheMargin, false) => "differs within margin (race)".to_owned(),
        (
            verdict @ (ComparisonVerdict::SameWithinTheMargin
            | ComparisonVerdict::NotEnoughTrials
            | ComparisonVerdict::Blind
            | ComparisonVerdict::NotRun),
            _,
        ) => verdict_words(verdict).to_owned(),
    };
    table.row([
        one.configuration.clone(),
        one.kernel.clone(),
        errno_word(one.errno).to_owned(),
        percent_number(one.difference, Rounding::Nearest),
        format!("{}..{}", percent_number(one.low, Rounding::Down), percent_number(one.high, Rounding::Up)),
        percent_number(one.margin, Rounding::Nearest),
        p_value(one.p_blocks),
        p_value(one.p_adjusted),
        verdict,
    ]);
    table.note(format!(
        "{} of {} in {} against {} of {} in {}; as if trials were independent {}..{}, p {}",
        count(one.x2),
        count(one.n2),
        several(usize::try_from(one.blocks2).unwrap_or(usize::MAX), "boot"),
        count(one.x1),
        count(one.n1),
        several(usize::try_from(one.blocks1).unwrap_or(usize::MAX), "boot"),
        percent_number(one.trial_low, Rounding::Down),
        percent_number(one.trial_high, Rounding::Up),
        p_value(one.p_value),
    ));
    match one.verdict {
        ComparisonVerdict::DiffersWithinTheMargin => {
            table.note(format!("not above {} calls", one_in(one.high.max(-one.low))));
            corrected(table, one);
        }
        ComparisonVerdict::Differs => corrected(table, one),
        ComparisonVerdict::NotEnoughTrials => match &one.reason {
            Some(reason) => table.note(reason.to_string()),
            None => table.note(would_do(one.trials_needed)),
        },
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => {}
    }
}

/// Of the largest of many one reads the bounds at the level that is left to each.
fn corrected(table: &mut Table, one: &Comparison) {
    if one.family > 1 {
        table.note(format!(
            "between {} and {} at the level that is left to each of {} comparisons",
            percent_number(one.low_corrected, Rounding::Down),
            percent_number(one.high_corrected, Rounding::Up),
            count(one.family)
        ));
    }
}

/// One line for each reason why comparisons say nothing.
fn unanswered(out: &mut Page, model: &ReportModel) {
    let mut reasons: Vec<(&Comparison, Vec<String>, usize)> = Vec::new();
    let silent = |c: &&Comparison| matches!(c.verdict, ComparisonVerdict::Blind | ComparisonVerdict::NotRun);
    for one in model.comparisons.iter().filter(silent) {
        let place = format!("{} {}", one.configuration, one.kernel);
        match reasons.iter_mut().find(|(c, ..)| c.verdict == one.verdict && c.reason == one.reason) {
            Some((_, places, n)) => {
                *n += 1;
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            None => reasons.push((one, vec![place], 1)),
        }
    }
    for (one, places, n) in reasons {
        let text = format!(
            "{}: {} ({}): {}",
            verdict_words(one.verdict),
            several(n, "comparison"),
            places.join(", "),
            told(&one.reason)
        );
        wrap(out, "  ", &text, 4);
    }
}
