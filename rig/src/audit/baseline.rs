//! Every cell on another kernel against the one on the baseline's kernel: the figures of `kernel_baseline`.
//!
//! Holds which cells differ in the kernel only. Must not compute what a pair's own figures are: `pairs`, `outcomes` and `latencies` do. Units: counts, shares of 1.
//! Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cell::{Cell, text};
use super::figure::Figure;
use super::latencies::latency_comparisons;
use super::outcomes::outcome_comparisons;
use super::pairs::{Judging, Pair, comparisons};

/// What the run names as its baseline: `kernel:` and a kernel.
fn kernel(run: &Value) -> Option<&str> {
    text(&run["judgement"]["baseline"]).strip_prefix("kernel:")
}

/// The figure of `run.baseline`.
pub(super) fn named(run: &Value) -> Figure {
    kernel(run).map_or(Figure::Absent, |kernel| Figure::word(format!("kernel:{kernel}")))
}

/// Of each cell on another kernel, with that on the baseline's; in the order of the plan. Those without one are counted by their kernel.
fn pairs<'c, 'f>(cells: &'c [Cell<'f>], kernel: &str) -> (Vec<Pair<'c, 'f>>, Vec<&'f str>) {
    let of_axis = || {
        let asked = cells.iter().filter(|cell| !cell.is_control() && !cell.is_repeat());
        asked.filter(|cell| !cell.is_baseline() && !cell.has_disk())
    };
    let mut firsts = BTreeMap::new();
    for cell in of_axis().filter(|cell| cell.kernel() == kernel) {
        firsts.insert(cell.but_for_kernel(), cell);
    }
    let (mut pairs, mut alone) = (Vec::new(), Vec::new());
    for cell in of_axis().filter(|cell| cell.kernel() != kernel) {
        match firsts.get(&cell.but_for_kernel()) {
            Some(first) => pairs.push((cell, Some(*first))),
            None => alone.push(cell.kernel()),
        }
    }
    (pairs, alone)
}

/// The figures of `kernel_baseline`: absent where the run has none. `reported` is what the report that is rendered now says there.
pub(super) fn kernel_baseline(
    run: &Value,
    cells: &[Cell<'_>],
    judging: &Judging<'_, '_>,
    reported: &Value,
) -> Figure {
    let Some(kernel) = kernel(run) else { return Figure::Absent };
    let (pairs, alone) = pairs(cells, kernel);
    let errnos_of = |pair: &Value| pair["errnos"].as_array().cloned().unwrap_or_default();
    let told = reported["pairs"].as_array().into_iter().flatten().flat_map(errnos_of).collect();
    let judging = Judging { reported: &Value::Array(told), ..*judging };
    let mut errnos = listed(comparisons(&pairs, &judging)).into_iter();
    let mut ends =
        listed(outcome_comparisons(&pairs, cells, judging.again_differs, judging.rules)).into_iter();
    let times = listed(latency_comparisons(&pairs, judging.rules));
    let mut found: Vec<(&str, Found)> = Vec::new();
    let mut figures = Vec::new();
    for (cell, first) in &pairs {
        let number = if cell.is_watched() { 3 } else { 0 };
        let errnos: Vec<Figure> = errnos.by_ref().take(number).collect();
        let Some(ends) = ends.next() else { break };
        let is_known = cell.known().or_else(|| first.and_then(Cell::known)).is_some();
        found.push((cell.kernel(), Found::of(&errnos, &ends, cell.is_news(), is_known)));
        let time = times.iter().find(|time| time.word_at("cell") == Some(cell.id));
        let plain = |figure: Figure| figure.without(&["cell", "baseline", "alert"]);
        figures.push(Figure::part([
            ("first", Figure::part([("cell", Figure::word(first.map_or("", |cell| cell.id)))])),
            ("second", Figure::part([("cell", Figure::word(cell.id))])),
            ("race", Figure::Flag(!cell.is_news())),
            ("errnos", Figure::List(errnos.into_iter().map(plain).collect())),
            ("outcomes", plain(ends)),
            ("latency", time.map_or(Figure::Nothing, |time| plain(time.clone()))),
        ]));
    }
    Figure::part([
        ("kernel", Figure::word(kernel)),
        ("kernels", Figure::List(answers(&found, &alone))),
        ("pairs", Figure::List(figures)),
    ])
}

fn listed(figure: Figure) -> Vec<Figure> {
    match figure {
        Figure::List(all) => all,
        _ => Vec::new(),
    }
}

/// What a pair comes to.
struct Found {
    standing: &'static str,
    /// Of an undecided one; none where no number would do.
    needed: Option<f64>,
}

impl Found {
    fn of(errnos: &[Figure], ends: &Figure, is_news: bool, is_known: bool) -> Self {
        let verdict = |figure: &Figure| figure.word_at("verdict").unwrap_or("").to_owned();
        let differs = |figure: &Figure| verdict(figure).starts_with("differs");
        let all = || errnos.iter().chain([ends]);
        let any = |wanted: &str| all().any(|figure| verdict(figure) == wanted);
        let standing = if is_news && (errnos.iter().any(differs) || (!is_known && differs(ends))) {
            "differ"
        } else if any("not_run") {
            "not_run"
        } else if any("blind") {
            "blind"
        } else if all().any(differs) {
            "differ_as_known"
        } else if any("not_enough_trials") {
            "undecided"
        } else {
            "same"
        };
        let open = all().filter(|figure| verdict(figure) == "not_enough_trials");
        let needed = open.map(|figure| figure.real_at("trials_needed"));
        Self { standing, needed: needed.reduce(|a, b| Some(a?.max(b?))).flatten() }
    }
}

/// One for each kernel, in the order of the pairs, then of those that are in none.
fn answers(found: &[(&str, Found)], alone: &[&str]) -> Vec<Figure> {
    let mut kernels: Vec<&str> = Vec::new();
    for kernel in found.iter().map(|(kernel, _)| *kernel).chain(alone.iter().copied()) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    let answer = |kernel: &str| {
        let of: Vec<&Found> = found.iter().filter(|(of, _)| *of == kernel).map(|(_, found)| found).collect();
        let number = |standing: &str| {
            Figure::Count(of.iter().filter(|found| found.standing == standing).count() as u64)
        };
        let open = of.iter().filter(|found| found.standing == "undecided").map(|found| found.needed);
        let needed = open.reduce(|a, b| Some(a?.max(b?))).flatten();
        Figure::part([
            ("kernel", Figure::word(kernel)),
            ("cells", Figure::Count(of.len() as u64)),
            ("same", number("same")),
            ("differ", number("differ")),
            ("differ_as_known", number("differ_as_known")),
            ("undecided", number("undecided")),
            ("blind", number("blind")),
            ("not_run", number("not_run")),
            ("without", Figure::Count(alone.iter().filter(|of| **of == kernel).count() as u64)),
            ("trials_needed", Figure::real_or_nothing(needed)),
        ])
    };
    kernels.into_iter().map(answer).collect()
}
