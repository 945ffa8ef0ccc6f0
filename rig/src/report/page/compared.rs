//! The page of a comparison: the answer, what differs as a forest plot, what changed around it.
//!
//! Must not judge. Units: differences in points of per cent, second minus first. Errors: none. Tests: `tests/golden/compared.rs`.

use crate::analysis::model::{CellPair, ErrnoDifference, OutcomeDifference, RunComparison, Sides};
use crate::analysis::words::several;
use crate::chart::Interval;
use crate::report::answer::Tone;
use crate::report::compared;
use crate::report::status::errno_word;
use crate::report::table::Page;

use super::chart_part::Charted;
use super::differs::{self, Row, Words, of_against};
use super::frame::{Frame, page};
use super::in_words::{with_verdict, written};
use super::latency::{self, LatencyRow};
use super::pieces;
use super::section::Section;

/// How the two sides are told.
const WORDS: Words = Words { trials: "trials (second, first)", desc: "second minus first" };

/// The whole page.
pub(in crate::report) fn render(compared: &RunComparison) -> String {
    let sides = [&compared.first, &compared.second];
    let named = sides.map(|side| match &side.configuration {
        Some(configuration) => configuration.clone(),
        None => side.run.clone(),
    });
    let (tone, word) = compared::conclude(compared);
    let frame = Frame {
        title: format!("{word} - {} and {}", named[0], named[1]),
        kicker: format!("{} compared with {}", named[1], named[0]),
        heading: match compared.sides {
            Sides::Runs => "Two runs compared",
            Sides::Configurations => "Two configurations of one run compared",
        },
        facts: vec![
            several(compared.pairs.len(), "pair of cells"),
            format!("first: {}", named[0]),
            format!("second: {}", named[1]),
            "a difference is the second minus the first".to_owned(),
        ],
        run: &format!("{} and {}", compared.first.run, compared.second.run),
        rig_version: env!("CARGO_PKG_VERSION"),
        refresh: None,
        sections: sections(compared, tone, word),
        record: String::new(),
    };
    page(&frame)
}

fn sections(compared: &RunComparison, tone: Tone, word: &'static str) -> Vec<Section> {
    let written = |id, title, write| written(compared, id, title, write);
    let answer = written("answer", "The answer", compared::answer);
    let answer = answer.map(|section| with_verdict(section, tone, word));
    let all = [
        answer,
        written("believe", "Can it be believed?", compared::believed),
        differences(compared),
        written("errnos", "Errnos, in words and numbers", compared::errnos),
        written("outcomes", "How trials end, in words and numbers", compared::outcomes),
        times(compared),
        written("changes", "What changed around it", compared::changes),
        written("missing", "What was not compared", compared::not_compared),
        written("provenance", "Where the numbers come from", compared::header),
    ];
    all.into_iter().flatten().collect()
}

fn differences(compared: &RunComparison) -> Option<Section> {
    let errnos = compared
        .pairs
        .iter()
        .flat_map(|pair| pair.errnos.iter().map(move |one| errno(&pair.place(compared.sides), pair, one)));
    let outcomes = compared
        .pairs
        .iter()
        .filter_map(|pair| Some(outcome(&pair.place(compared.sides), pair, pair.outcomes.leader()?)));
    let mut charts = Vec::new();
    charts.extend(differs::chart("forest-errnos", "Errnos of the measured call", errnos.collect(), WORDS));
    charts.extend(differs::chart("forest-outcomes", "How trials end as a whole", outcomes.collect(), WORDS));
    if charts.is_empty() {
        return None;
    }
    let lead = "Second minus first, in points of per cent. The interval over boots decides; the one over trials would hold if trials of one boot were independent."
        .to_owned();
    let charted = Charted { lead, charts, more_title: "", more: String::new() };
    Some(Section::new("differs", "What differs", &charted))
}

pub(super) fn errno(place: &str, pair: &CellPair, one: &ErrnoDifference) -> Row {
    Row {
        label: format!("{} in {place}", errno_word(one.errno)),
        n: of_against(one.x2, one.n2, one.x1, one.n1),
        difference: one.difference,
        boots: Interval { low: one.low, high: one.high },
        trials: Interval { low: one.trial_low, high: one.trial_high },
        margin: one.margin,
        p_adjusted: one.p_adjusted,
        verdict: one.verdict,
        state: differs::state(one.verdict, !pair.race),
    }
}

pub(super) fn outcome(place: &str, pair: &CellPair, leader: &OutcomeDifference) -> Row {
    let of = &pair.outcomes;
    let is_news = !pair.race && pair.known.is_none();
    Row::of_outcome(place, leader, [of.n1, of.n2], of.margin, (of.verdict, is_news))
}

fn times(compared: &RunComparison) -> Option<Section> {
    let rows: Vec<LatencyRow> = compared
        .pairs
        .iter()
        .filter_map(|pair| {
            let latency = pair.latency.as_ref()?;
            Some(LatencyRow {
                label: pair.place(compared.sides),
                n: [latency.n1, latency.n2],
                quantiles: latency.quantiles.clone(),
                p_adjusted: latency.p_adjusted,
            })
        })
        .collect();
    let more = {
        let mut page = Page::of_file(str::to_owned);
        compared::latencies(&mut page, compared);
        pieces::of_page(page)
    };
    latency::section_of(rows, ["first", "second"], more).map(|body| Section {
        id: "latency",
        title: "How long the call lasts",
        body,
    })
}
