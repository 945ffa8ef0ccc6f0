//! How long the measured call lasts, host beside guest.
//!
//! Must not judge. Units: times in words. Errors: none. Tests: `tests/golden/page.rs`.

use crate::analysis::model::{LatencyComparison, ReportModel};
use crate::analysis::words::{about_time, count};
use crate::chart::{QuantileRow, Side, quantiles};
use crate::report::table::Align::{Left, Right};
use crate::report::text;

use super::chart_part::{Chart, Charted};
use super::names::Names;
use super::pieces::{of_text, table};
use super::section::Section;

/// So many rows are drawn.
const DRAWN: usize = 16;

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    let mut compared: Vec<&LatencyComparison> = model.latency_comparisons.iter().collect();
    if compared.is_empty() {
        return None;
    }
    let all = compared.len();
    compared.sort_by(|a, b| a.p_adjusted.total_cmp(&b.p_adjusted));
    compared.truncate(DRAWN);
    let mut caption = "Half, nine in ten, and 99 in 100 of the measured calls last no longer".to_owned();
    if all > DRAWN {
        caption.push_str(&format!(": the {DRAWN} of {all} that differ most surely"));
    }
    let labels: Vec<String> = compared.iter().map(|one| label(one, names)).collect();
    let rows: Vec<QuantileRow<'_>> = compared
        .iter()
        .zip(&labels)
        .map(|(one, label)| QuantileRow { label, sides: [side(one, "host"), side(one, "guest")] })
        .collect();
    let svg = quantiles(
        "latency-quantiles",
        &caption,
        "Each row has three quantiles of both sides, and how many calls they are of.",
        &rows,
    );
    let chart = Chart { svg, table: as_table(&caption, &compared, &labels), caption };
    let charted = Charted {
        lead: "Machines differ in speed, so a difference of times raises no alert.".to_owned(),
        charts: vec![chart],
        more_title: "All comparisons of times",
        more: of_text(text::latencies::write, model),
    };
    Some(Section::new("latency", "How long the call lasts", &charted))
}

fn label(one: &LatencyComparison, names: &Names<'_>) -> String {
    format!(
        "{}, {} {} over {}",
        names.subject(&one.scenario, &one.parameters),
        one.configuration,
        one.kernel,
        one.path
    )
}

fn at(one: &LatencyComparison, quantile: f64, guest: bool) -> u64 {
    let found = one.quantiles.iter().find(|of| (of.quantile - quantile).abs() < 1e-9);
    found.map_or(0, |of| if guest { of.second_ns } else { of.first_ns })
}

fn side(one: &LatencyComparison, name: &'static str) -> Side<'static> {
    let guest = name == "guest";
    Side {
        name,
        n: if guest { one.n2 } else { one.n1 },
        p50_ns: at(one, 0.5, guest) as f64,
        p90_ns: at(one, 0.9, guest) as f64,
        p99_ns: at(one, 0.99, guest) as f64,
    }
}

fn as_table(caption: &str, compared: &[&LatencyComparison], labels: &[String]) -> String {
    let rows = compared.iter().zip(labels).flat_map(|(one, label)| {
        [false, true].map(|guest| {
            [
                label.clone(),
                if guest { "guest" } else { "host" }.to_owned(),
                count(if guest { one.n2 } else { one.n1 }),
                about_time(at(one, 0.5, guest)),
                about_time(at(one, 0.9, guest)),
                about_time(at(one, 0.99, guest)),
            ]
        })
    });
    let heading = [
        ("what", Left),
        ("side", Left),
        ("calls", Right),
        ("half", Right),
        ("nine in ten", Right),
        ("99 in 100", Right),
    ];
    table(caption, heading, rows)
}
