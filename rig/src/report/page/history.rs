//! The page of a history: the answer, the steps as curves with bands, strips, what changed from night to night.
//!
//! Must not judge. Units: per cent. Errors: none. Tests: `tests/golden/history.rs`, `tests/page/history.rs`.

use crate::analysis::words::{Rounding, count, percent_number, several};
use crate::chart::{Point, Series as Curve, Unit, XAxis, curve};
use crate::history::History;
use crate::history::model::Series;
use crate::report::history;
use crate::report::table::Align::{Left, Right};
use crate::report::table::Page;

use super::chart_part::{Chart, Charted};
use super::frame::{Frame, page};
use super::in_words::{with_verdict, written};
use super::pieces;
use super::section::Section;

/// So many series are drawn.
const DRAWN: usize = 12;

/// The whole page.
pub(in crate::report) fn render(of: &History) -> String {
    let (tone, word) = history::conclude(of);
    let last = of.nights.last().map_or("", |night| night.run.as_str());
    let nights = several(of.nights_known as usize, "night");
    let frame = Frame {
        title: format!("{word} - {nights} of rig"),
        kicker: format!("{nights}, the last is {last}"),
        heading: "What changed from night to night",
        facts: vec![
            format!("{} series", count(of.watched.series)),
            format!(
                "{} a year on the average",
                several(of.watched.false_alarms_per_year as usize, "false alarm")
            ),
            format!("the last {} are shown", several(of.nights.len(), "night")),
        ],
        run: last,
        rig_version: env!("CARGO_PKG_VERSION"),
        refresh: None,
        sections: sections(of, (tone, word)),
        record: String::new(),
    };
    page(&frame)
}

fn sections(of: &History, (tone, word): (crate::report::answer::Tone, &str)) -> Vec<Section> {
    let written = |id, title, write| written(of, id, title, write);
    let answer = written("answer", "The answer", history::answer);
    let answer = answer.map(|section| with_verdict(section, tone, word));
    let all = [
        answer,
        written("alerts", "What asks for attention", history::alerts),
        trends(of),
        strips(of),
        written("nights", "Nights in which something changed", history::nights),
        written("flakes", "Cells that lose trials", history::flakes),
        written("latency", "The call lasts another time", history::latencies),
        written("cautions", "Keep in mind", history::cautions),
        written("budget", "By which budget", history::header),
    ];
    all.into_iter().flatten().collect()
}

/// The series that got worse; where a page is about few, all that were ever seen.
fn trends(of: &History) -> Option<Section> {
    let has_step = |series: &&Series| series.step.is_some();
    let mut drawn: Vec<&Series> = of.series.iter().filter(has_step).collect();
    if of.series.len() <= DRAWN {
        drawn = of.series.iter().filter(|series| series.count > 0).collect();
    }
    drawn.sort_by_key(|series| series.step.as_ref().is_none_or(|step| step.until.is_some()));
    if drawn.is_empty() {
        return None;
    }
    let all = drawn.len();
    drawn.truncate(DRAWN);
    let charts = drawn.iter().enumerate().map(|(at, series)| chart(of, at, series)).collect();
    let mut lead = "Each point is a night, with its interval; the nights since a rate got worse have a line of their own.".to_owned();
    if all > DRAWN {
        lead.push_str(&format!(" The first {DRAWN} of {all} are drawn."));
    }
    Some(Section::new(
        "trends",
        "How the rates went",
        &Charted { lead, charts, more_title: "", more: String::new() },
    ))
}

fn chart(of: &History, at: usize, series: &Series) -> Chart {
    let place = |run: &str| of.nights.iter().position(|night| night.run == run);
    let since = series.step.as_ref().map(|step| step.since.as_str());
    let until = series.step.as_ref().and_then(|step| step.until.as_deref());
    let is_worse = |run: &str| {
        since.is_some_and(|since| run_is_from(of, run, since))
            && !until.is_some_and(|until| run_is_from(of, run, until))
    };
    let point = |one: &crate::history::model::Point| {
        let share = one.count as f64 / one.n.max(1) as f64;
        place(&one.run).map(|x| Point { x: x as f64 + 1.0, share, low: one.low, high: one.high, n: one.n })
    };
    let part = |later: bool| {
        series.nights.iter().filter(|one| is_worse(&one.run) == later).filter_map(point).collect()
    };
    let mut curves =
        vec![Curve { label: if until.is_none() { "before" } else { "otherwise" }, points: part(false) }];
    match since {
        Some(_) => curves.push(Curve { label: "worse", points: part(true) }),
        None => curves[0].label = &series.what,
    }
    curves.retain(|curve| !curve.points.is_empty());
    let caption = format!(
        "{} in {} on {} {} ({}), cell {}{}",
        series.what,
        history::named(series),
        series.configuration,
        series.kernel,
        series.path,
        series.cell,
        since.map(|since| format!(": worse since {since}")).unwrap_or_default()
    );
    let x_axis = XAxis { label: "night, the last is the newest", unit: Unit::Nights };
    let svg =
        curve(&format!("trend-{at}"), &caption, "The rate of each night with its interval.", x_axis, &curves);
    Chart { svg, table: as_table(&caption, series), caption }
}

/// Whether a run is this one or a later one.
fn run_is_from(of: &History, run: &str, since: &str) -> bool {
    let place = |run: &str| of.nights.iter().position(|night| night.run == run);
    // What is not shown is older than all that is.
    place(run) >= place(since)
}

fn as_table(caption: &str, series: &Series) -> String {
    let heading = [
        ("night", Left),
        ("in trials", Right),
        ("%", Right),
        ("between", Right),
        ("ahead by (CUSUM)", Right),
    ];
    let rows = series.nights.iter().map(|one| {
        let share = one.count as f64 / one.n.max(1) as f64;
        let bounds = [(one.low, Rounding::Down), (one.high, Rounding::Up)];
        let [low, high] = bounds.map(|(bound, rounding)| percent_number(bound, rounding));
        [
            one.run.clone(),
            format!("{} of {}", count(one.count), count(one.n)),
            percent_number(share, Rounding::Nearest),
            format!("{low} to {high}"),
            one.cusum.map(|cusum| format!("{cusum:.1} hits")).unwrap_or_default(),
        ]
    });
    pieces::table(caption, heading, rows)
}

fn strips(of: &History) -> Option<Section> {
    let (table, told) = history::table(of);
    if table.is_empty() {
        return None;
    }
    let mut page = Page::of_file(str::to_owned);
    page.wrap("", history::STRIP, 0);
    table.write(&mut page, 0);
    let quiet = of.series.len() - told;
    if quiet > 0 {
        page.wrap("", &format!("{quiet} series in which it was in no trial of any night"), 0);
    }
    Some(Section { id: "strips", title: "Night by night", body: pieces::of_page(page) })
}
