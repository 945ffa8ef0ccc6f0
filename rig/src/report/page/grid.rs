//! The outcome grid: every cell of the plan, scenarios down, places across.
//!
//! Must not judge. Units: counts, shares drawn as bars. Errors: none. Tests: `tests/golden/page.rs`.

use std::collections::{BTreeMap, HashMap};

use askama::Template;

use crate::analysis::model::{CellSummary, ReportModel};
use crate::analysis::words::{count, several};
use crate::chart::{PATTERNS, Part, patterns, stack};

use super::names::Names;
use super::section::Section;
use super::tone::{self, Look, of_cell};

#[derive(Template)]
#[template(path = "page/grid.html")]
struct Grid {
    lead: String,
    legend: [Look; 7],
    groups: Vec<Group>,
}

struct Group {
    name: String,
    summary: String,
    open: bool,
    places: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<Option<Shown>>,
}

struct Shown {
    class: &'static str,
    shape: &'static str,
    /// SVG; empty where all trials end alike.
    bar: String,
    counts: String,
    outcome: String,
    more: String,
}

const LEGEND: [Look; 7] = [
    tone::AS_EXPECTED,
    tone::WITHIN,
    tone::OTHERWISE,
    tone::KNOWN,
    tone::NOT_JUDGED,
    tone::BLIND,
    tone::NOT_RUN,
];

/// With so few cells nothing need be folded.
const FEW: usize = 40;

/// Groups of so few cells, in which nothing is unexpected, stand in one table,
const SMALL: usize = 6;

/// so many of them.
const TOGETHER: usize = 40;

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    let controls: HashMap<&str, ()> =
        model.controls.iter().map(|control| (control.cell.as_str(), ())).collect();
    let cells: Vec<&CellSummary> =
        model.cells.iter().filter(|cell| !controls.contains_key(cell.id.as_str())).collect();
    if cells.is_empty() {
        return None;
    }
    let mut order: Vec<&str> = Vec::new();
    let mut by_scenario: HashMap<&str, Vec<&CellSummary>> = HashMap::new();
    for &cell in &cells {
        by_scenario
            .entry(family(cell).0)
            .or_insert_with(|| {
                order.push(family(cell).0);
                Vec::new()
            })
            .push(cell);
    }
    let few = cells.len() <= FEW;
    let is_small = |name: &str| {
        let of = &by_scenario[name];
        !few && of.len() <= SMALL && !of.iter().any(|cell| cell.is_unexpected())
    };
    let (small, large): (Vec<&str>, Vec<&str>) = order.iter().partition(|name| is_small(name));
    let shown = Shape { names, open: few, with_scenario: false };
    let mut groups: Vec<Group> = large.iter().map(|name| shown.group(name, &by_scenario[name])).collect();
    // A heading for each of them would hide them.
    for part in small.chunks(TOGETHER) {
        let of: Vec<&CellSummary> = part.iter().flat_map(|name| by_scenario[name].iter().copied()).collect();
        let name = match part {
            [one] => (*one).to_owned(),
            [first, .., last] => format!("{first} to {last}"),
            [] => String::new(),
        };
        groups.push(Shape { with_scenario: true, ..shown }.group(&name, &of));
    }
    // What is otherwise is seen first.
    groups.sort_by_key(|group| !group.open);
    let lead = format!(
        "{} in {}. Each field has its state, the most frequent outcome, and in how many trials. {}",
        several(cells.len(), "cell"),
        several(order.len(), "group"),
        if few { "" } else { "Groups with something unexpected come first and are open." }
    );
    let body = Grid { lead: lead.trim().to_owned(), legend: LEGEND, groups };
    let mut section = Section::new("grid", "Every cell and how its trials ended", &body);
    section.body.insert_str(0, &patterns());
    Some(section)
}

/// The pairs of the atlas stand together by their situation: its name, and what is left of the scenario's.
fn family(cell: &CellSummary) -> (&str, &str) {
    cell.scenario.split_once(':').unwrap_or((&cell.scenario, ""))
}

/// How groups are shown.
#[derive(Clone, Copy)]
struct Shape<'n> {
    names: &'n Names<'n>,
    open: bool,
    /// Whether a row is of a scenario of its own.
    with_scenario: bool,
}

impl Shape<'_> {
    fn row_name(&self, cell: &CellSummary) -> String {
        let scenario = if self.with_scenario { cell.scenario.as_str() } else { family(cell).1 };
        let parameters = self.names.parameters(&cell.scenario, &cell.parameters);
        let row = format!("{scenario} {parameters} over {}", cell.path);
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn group(&self, name: &str, cells: &[&CellSummary]) -> Group {
        let mut places: Vec<(&str, &str)> = Vec::new();
        let mut rows: Vec<(String, BTreeMap<usize, &CellSummary>)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for &cell in cells {
            let place = (cell.configuration.as_str(), cell.kernel.as_str());
            let column = places.iter().position(|one| *one == place).unwrap_or_else(|| {
                places.push(place);
                places.len() - 1
            });
            let row = self.row_name(cell);
            let at = *known.entry(row.clone()).or_insert_with(|| {
                rows.push((row, BTreeMap::new()));
                rows.len() - 1
            });
            rows[at].1.insert(column, cell);
        }
        let unexpected = cells.iter().filter(|cell| cell.is_unexpected()).count();
        let skipped = cells.iter().filter(|cell| of_cell(cell) == tone::NOT_RUN).count();
        let mut summary = several(cells.len(), "cell");
        if unexpected > 0 {
            summary.push_str(&format!(", {unexpected} ✗ otherwise than expected"));
        }
        if skipped > 0 {
            summary.push_str(&format!(", {skipped} – not run"));
        }
        let width = places.len();
        Group {
            name: name.to_owned(),
            summary,
            open: self.open || unexpected > 0,
            places: places
                .iter()
                .map(|(configuration, kernel)| format!("{configuration} {kernel}"))
                .collect(),
            rows: rows
                .into_iter()
                .map(|(name, cells)| Row {
                    name,
                    cells: (0..width).map(|column| cells.get(&column).map(|cell| shown(cell))).collect(),
                })
                .collect(),
        }
    }
}

fn shown(cell: &CellSummary) -> Shown {
    let (class, shape, word) = of_cell(cell);
    let mut ordered: Vec<(&String, u64)> = cell.outcomes.iter().map(|(outcome, n)| (outcome, *n)).collect();
    ordered.sort_by_key(|(outcome, n)| (std::cmp::Reverse(*n), *outcome));
    let Some((outcome, most)) = ordered.first() else {
        let why = cell.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = why.split([':', ';']).next().unwrap_or_default().to_owned();
        return Shown {
            class,
            shape,
            bar: String::new(),
            counts: word.to_owned(),
            outcome: String::new(),
            more: why,
        };
    };
    let bar = if ordered.len() > 1 { bar(&ordered, cell.trials) } else { String::new() };
    let more = match ordered.get(1) {
        None => String::new(),
        Some((second, n)) => {
            let rest = match ordered.len() - 2 {
                0 => String::new(),
                others => format!(", {others} more"),
            };
            format!("{} {second}{rest}", count(*n))
        }
    };
    let word = if class == "good" || class == "plain" { "" } else { word };
    let more = [word, &more].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("; ");
    let counts = if *most == cell.trials {
        count(cell.trials)
    } else {
        format!("{} of {}", count(*most), count(cell.trials))
    };
    Shown { class, shape, bar, counts, outcome: (*outcome).clone(), more }
}

fn bar(ordered: &[(&String, u64)], trials: u64) -> String {
    let parts = ordered.iter().take(PATTERNS).enumerate();
    let parts: Vec<Part> =
        parts.map(|(pattern, (_, n))| Part { pattern, share: *n as f64 / trials as f64 }).collect();
    stack(&parts)
}
