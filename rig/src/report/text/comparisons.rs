//! Every virtual cell against its bare-metal cell: what is the same in one line, what is not in a row each.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: golden reports.

use crate::analysis::model::{Comparison, ComparisonVerdict, Question, ReportModel, told};
use crate::analysis::words::{Rounding, count, p_value, percent_number, several};

use super::super::status::verdict_words;
use super::super::table::Align::{Left, Right};
use super::super::table::{Table, wrap};
use super::gather::{by_title, section, title};

pub(super) fn write(out: &mut String, model: &ReportModel) {
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
    if model.comparisons.iter().any(|c| c.verdict == ComparisonVerdict::Differs && !c.alert) {
        summary.push_str(
            " (a race between an application's own threads follows the machine's timing: it may differ, and is no alert)",
        );
    }
    wrap(out, "  ", &summary, 4);
    same(out, model);
    notable(out, model);
    unanswered(out, model);
}

/// One line for everything of a configuration and a kernel that is the same: a wall of equal rows hides the one that is not.
fn same(out: &mut String, model: &ReportModel) {
    let mut groups: Vec<(&Comparison, usize, f64, f64)> = Vec::new();
    for one in model.comparisons.iter().filter(|c| c.verdict == ComparisonVerdict::SameWithinTheMargin) {
        let reach = one.high.max(-one.low);
        match groups.iter_mut().find(|(c, ..)| c.configuration == one.configuration && c.kernel == one.kernel)
        {
            Some((_, n, widest, detectable)) => {
                *n += 1;
                *widest = widest.max(reach);
                *detectable = detectable.max(one.detectable);
            }
            None => groups.push((one, 1, reach, one.detectable)),
        }
    }
    let mut table = Table::new([
        ("same within the margin", Left),
        ("kernel", Left),
        ("comparisons", Right),
        ("apart at most", Right),
        ("detectable", Right),
    ]);
    for (one, n, widest, detectable) in groups {
        table.row([
            one.configuration.clone(),
            one.kernel.clone(),
            n.to_string(),
            percent_number(widest, Rounding::Up),
            percent_number(detectable, Rounding::Up),
        ]);
    }
    if !table.is_empty() {
        table.write(out, 2);
        let explained = "detectable: a rise of so many points would have been found with 80 % probability";
        wrap(out, "  ", explained, 4);
    }
}

/// One row for each that differs or is open, under its scenario.
fn notable(out: &mut String, model: &ReportModel) {
    let open = |c: &&Comparison| match c.verdict {
        ComparisonVerdict::Differs | ComparisonVerdict::NotEnoughTrials => true,
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => {
            false
        }
    };
    let told = model.comparisons.iter().filter(open);
    let mut groups = by_title(told.map(|one| (title(&one.scenario, &one.parameters, &one.path), one)));
    groups
        .sort_by_key(|(_, group)| !group.iter().any(|c| c.alert && c.verdict == ComparisonVerdict::Differs));
    for (title, group) in groups {
        wrap(out, "  ", &format!("different or open: {title}"), 4);
        let mut table = Table::new([
            ("configuration", Left),
            ("kernel", Left),
            ("errno", Left),
            ("difference", Right),
            ("between", Left),
            ("p", Right),
            ("corrected p", Right),
            ("detectable", Right),
            ("verdict", Left),
        ]);
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
        (ComparisonVerdict::Differs, true) => "DIFFERS",
        (ComparisonVerdict::Differs, false) => "differs (race)",
        (verdict, _) => verdict_words(verdict),
    };
    table.row([
        one.configuration.clone(),
        one.kernel.clone(),
        match one.errno {
            Question::AnyError => "any -1".into(),
            Question::Ebadf | Question::Enoent => one.errno.to_string(),
        },
        percent_number(one.difference, Rounding::Nearest),
        format!("{}..{}", percent_number(one.low, Rounding::Down), percent_number(one.high, Rounding::Up)),
        p_value(one.p_value),
        p_value(one.p_adjusted),
        percent_number(one.detectable, Rounding::Up),
        verdict.to_owned(),
    ]);
}

/// One line for each reason why comparisons say nothing.
fn unanswered(out: &mut String, model: &ReportModel) {
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
