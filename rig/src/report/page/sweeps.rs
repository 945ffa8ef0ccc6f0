//! How outcomes change along a delay: a curve for each sweep.
//!
//! Must not judge. Units: shares in per cent, times in words. Errors: none. Tests: `tests/golden/page.rs`.

use crate::analysis::model::{ReportModel, Sweep, SweepPoint};
use crate::analysis::words::{Rounding, about_time, count, percent_number};
use crate::chart::{Point, Series, Unit, XAxis, curve};
use crate::report::table::Align::{Left, Right};

use super::chart_part::{Chart, Charted};
use super::names::Names;
use super::pieces::table;
use super::section::Section;

/// So many curves are drawn; the data has all.
const DRAWN: usize = 12;

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    if model.sweeps.is_empty() {
        return None;
    }
    let all = model.sweeps.len();
    let charts =
        model.sweeps.iter().take(DRAWN).enumerate().map(|(at, sweep)| chart(at, sweep, names)).collect();
    let mut lead = "Each point is a cell: the share of its trials that ended so, with its interval (the boot as the unit).".to_owned();
    if all > DRAWN {
        lead.push_str(&format!(" The first {DRAWN} of {all} are drawn; `report.json` has all."));
    }
    let charted = Charted { lead, charts, more_title: "", more: String::new() };
    Some(Section::new("sweeps", "Along a delay", &charted))
}

fn chart(at: usize, sweep: &Sweep, names: &Names<'_>) -> Chart {
    let labels: Vec<String> =
        sweep.series.iter().map(|one| format!("{} {}", one.configuration, one.kernel)).collect();
    let series: Vec<Series<'_>> = sweep
        .series
        .iter()
        .zip(&labels)
        .map(|(one, label)| Series { label, points: one.points.iter().map(drawn).collect() })
        .collect();
    let caption = format!(
        "{} over {}: share of trials that end as {}, by {}",
        names.subject(&sweep.scenario, &sweep.parameters),
        sweep.path,
        sweep.outcome,
        sweep.parameter
    );
    let axis = XAxis { label: &sweep.parameter, unit: Unit::Nanoseconds };
    let svg = curve(
        &format!("sweep-{at}"),
        &caption,
        "Each point has its interval and its number of trials.",
        axis,
        &series,
    );
    let rows = sweep.series.iter().zip(&labels).flat_map(|(one, label)| {
        one.points.iter().map(move |point| {
            [
                label.clone(),
                about_time(point.delay_ns),
                count(point.count),
                count(point.n),
                percent_number(share(point), Rounding::Nearest),
                format!(
                    "{} to {}",
                    percent_number(point.low, Rounding::Down),
                    percent_number(point.high, Rounding::Up)
                ),
                point.cell.clone(),
            ]
        })
    });
    let heading = [
        ("where", Left),
        ("delay", Right),
        ("ended so", Right),
        ("trials", Right),
        ("%", Right),
        ("between, %", Right),
        ("cell", Left),
    ];
    Chart { svg, table: table(&caption, heading, rows), caption }
}

fn share(point: &SweepPoint) -> f64 {
    if point.n == 0 { 0.0 } else { point.count as f64 / point.n as f64 }
}

fn drawn(point: &SweepPoint) -> Point {
    Point { x: point.delay_ns as f64, share: share(point), low: point.low, high: point.high, n: point.n }
}
