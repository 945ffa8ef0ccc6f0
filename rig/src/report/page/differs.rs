//! What differs: every comparison that is news or open, as a forest plot; those that are the same by their widest intervals.
//!
//! Must not judge. Units: differences in points of per cent. Errors: none. Tests: `tests/golden/page.rs`.

use crate::analysis::model::{
    Comparison, ComparisonVerdict, OutcomeComparison, OutcomeDifference, ReportModel,
};
use crate::analysis::words::{Rounding, count, p_value, percent_number, several};
use crate::chart::{ForestRow, Interval, State, forest};
use crate::report::status::{errno_word, verdict_words};
use crate::report::table::Align::{Left, Right};
use crate::report::text;

use super::chart_part::{Chart, Charted};
use super::names::Names;
use super::pieces::{of_text, table};
use super::section::Section;

/// So many rows are drawn; more would hide the first ones.
const DRAWN: usize = 24;

/// What the two sides are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Heading of the column with the numbers of trials.
    pub(super) trials: &'static str,
    /// What a difference is.
    pub(super) desc: &'static str,
}

/// Of a guest and the host.
const WORDS: Words = Words { trials: "trials (guest, host)", desc: "guest minus host" };

/// A row before its words are lent to the chart.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) n: String,
    pub(super) difference: f64,
    pub(super) boots: Interval,
    pub(super) trials: Interval,
    pub(super) margin: f64,
    pub(super) p_adjusted: f64,
    pub(super) verdict: ComparisonVerdict,
    pub(super) state: State,
}

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    if model.comparisons.is_empty() {
        return None;
    }
    let mut charts = Vec::new();
    charts.extend(chart("forest-errnos", "Errnos of the measured call", errnos(model, names), WORDS));
    charts.extend(chart("forest-outcomes", "How trials end as a whole", outcomes(model, names), WORDS));
    let more =
        format!("{}{}", of_text(text::comparisons::write, model), of_text(text::outcomes::write, model));
    let lead = "Guest minus host, in points of per cent. The interval over boots decides; the one over trials would hold if trials of one boot were independent. Within the margin two \
        rates count as the same."
        .to_owned();
    let charted = Charted { lead, charts, more_title: "All comparisons, in words and numbers", more };
    Some(Section::new("differs", "What differs", &charted))
}

/// News first, then what is open, then the widest; of each the largest difference first.
pub(super) fn chart(id: &'static str, what: &str, mut rows: Vec<Row>, words: Words) -> Option<Chart> {
    let rank = |row: &Row| match row.state {
        State::Differs => 0,
        State::DiffersWithin => 1,
        State::Known => 2,
        State::NotEnough => 3,
        State::Same => 4,
        State::Blind | State::NotRun => 5,
    };
    let silent = rows.iter().filter(|row| rank(row) == 5).count();
    rows.retain(|row| rank(row) < 5);
    if rows.is_empty() {
        return None;
    }
    let width = |row: &Row| row.boots.high.abs().max(row.boots.low.abs());
    rows.sort_by(|a, b| {
        rank(a)
            .cmp(&rank(b))
            .then(b.difference.abs().total_cmp(&a.difference.abs()))
            .then(width(b).total_cmp(&width(a)))
    });
    let all = rows.len();
    rows.truncate(DRAWN);
    let mut caption = what.to_owned();
    if all > DRAWN {
        caption.push_str(&format!(": the {DRAWN} of {} that say most", several(all, "comparison")));
    } else {
        caption.push_str(&format!(": {}", several(all, "comparison")));
    }
    if silent > 0 {
        caption.push_str(&format!(" ({silent} more are blind or were not run)"));
    }
    let drawn: Vec<ForestRow<'_>> = rows.iter().map(Row::drawn).collect();
    let svg = forest(
        id,
        &caption,
        &format!("Each row has the difference ({}), its two intervals and the margin.", words.desc),
        &drawn,
    );
    Some(Chart { svg, table: as_table(&caption, &rows, words), caption })
}

fn as_table(caption: &str, rows: &[Row], words: Words) -> String {
    let heading = [
        ("what", Left),
        (words.trials, Left),
        ("difference", Right),
        ("by boots", Right),
        ("by trials", Right),
        ("margin", Right),
        ("corrected p", Right),
        ("verdict", Left),
    ];
    let of = |row: &Row| {
        [
            row.label.clone(),
            row.n.clone(),
            percent_number(row.difference, Rounding::Nearest),
            between(row.boots),
            between(row.trials),
            percent_number(row.margin, Rounding::Nearest),
            p_value(row.p_adjusted),
            verdict_words(row.verdict).to_owned(),
        ]
    };
    table(caption, heading, rows.iter().map(of))
}

fn between(interval: Interval) -> String {
    format!(
        "{} to {}",
        percent_number(interval.low, Rounding::Down),
        percent_number(interval.high, Rounding::Up)
    )
}

impl Row {
    /// Of the outcome that decides the verdict on a pair: with the pair's numbers of trials, its margin, its verdict, and whether a difference there is news.
    pub(super) fn of_outcome(
        place: &str,
        leader: &OutcomeDifference,
        [n1, n2]: [u64; 2],
        margin: f64,
        (verdict, is_news): (ComparisonVerdict, bool),
    ) -> Self {
        Self {
            label: format!("{} in {place}", leader.outcome),
            n: of_against(leader.x2, n2, leader.x1, n1),
            difference: leader.difference,
            boots: Interval { low: leader.low, high: leader.high },
            trials: Interval { low: leader.trial_low, high: leader.trial_high },
            margin,
            p_adjusted: leader.p_adjusted,
            verdict,
            state: state(verdict, is_news),
        }
    }

    fn drawn(&self) -> ForestRow<'_> {
        ForestRow {
            label: &self.label,
            n: &self.n,
            difference: self.difference,
            boots: self.boots,
            trials: self.trials,
            margin: self.margin,
            state: self.state,
        }
    }
}

pub(super) fn state(verdict: ComparisonVerdict, is_news: bool) -> State {
    match verdict {
        ComparisonVerdict::Differs if is_news => State::Differs,
        ComparisonVerdict::DiffersWithinTheMargin if is_news => State::DiffersWithin,
        ComparisonVerdict::Differs | ComparisonVerdict::DiffersWithinTheMargin => State::Known,
        ComparisonVerdict::SameWithinTheMargin => State::Same,
        ComparisonVerdict::NotEnoughTrials => State::NotEnough,
        ComparisonVerdict::Blind => State::Blind,
        ComparisonVerdict::NotRun => State::NotRun,
    }
}

pub(super) fn of_against(x2: u64, n2: u64, x1: u64, n1: u64) -> String {
    format!("{} of {} against {} of {}", count(x2), count(n2), count(x1), count(n1))
}

fn errnos(model: &ReportModel, names: &Names<'_>) -> Vec<Row> {
    let row = |one: &Comparison| Row {
        label: format!(
            "{} in {}, {} {} over {}",
            errno_word(one.errno),
            names.subject(&one.scenario, &one.parameters),
            one.configuration,
            one.kernel,
            one.path
        ),
        n: of_against(one.x2, one.n2, one.x1, one.n1),
        difference: one.difference,
        boots: Interval { low: one.low, high: one.high },
        trials: Interval { low: one.trial_low, high: one.trial_high },
        margin: one.margin,
        p_adjusted: one.p_adjusted,
        verdict: one.verdict,
        state: state(one.verdict, one.alert),
    };
    model.comparisons.iter().map(row).collect()
}

fn outcomes(model: &ReportModel, names: &Names<'_>) -> Vec<Row> {
    let row = |one: &OutcomeComparison| {
        let subject = names.subject(&one.scenario, &one.parameters);
        let place = format!("{subject}, {} {} over {}", one.configuration, one.kernel, one.path);
        let verdict = (one.verdict, one.alert);
        Some(Row::of_outcome(&place, one.leader()?, [one.n1, one.n2], one.margin, verdict))
    };
    model.outcome_comparisons.iter().filter_map(row).collect()
}
