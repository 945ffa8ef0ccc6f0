//! FILTER of the command line: `axis=value`, globs allowed.
//!
//! Must not know how axes are crossed. Units: none. Errors: problems that blame the command line.
//! Tests: `tests.rs` of this room, `tests/diagnostics.rs`.

use std::collections::HashSet;

use super::expand::{Expansion, Machine, Point};
use super::glob;
use super::keys::file as keys;
use crate::document::{Problem, Problems, hint};

/// One `axis=value`. Filters on the same axis widen (either), filters on different axes narrow (both).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// `scenario`, `configuration`, `kernel`, `path`, `claim`, `control`, or a parameter.
    pub axis: String,
    /// A value or a glob.
    pub pattern: String,
    text: String,
}

/// Axes of a filter besides those of the matrix.
const MORE_AXES: &[&str] = &["claim", "control"];

impl Filter {
    /// Splits `axis=value`.
    ///
    /// # Errors
    /// There is no `=`, nothing on one side of it, or a `!`.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        match text.split_once('=') {
            _ if text.starts_with('!') || text.contains("!=") || text.contains("=!") => {
                Err(negation(text).into())
            }
            Some((axis, pattern)) if !axis.is_empty() && !pattern.is_empty() => {
                Ok(Self { axis: axis.to_owned(), pattern: pattern.to_owned(), text: text.to_owned() })
            }
            Some(_) | None => {
                let mut problem = Problem::in_text(
                    "command line",
                    text,
                    0..text.len(),
                    "a filter is axis=value",
                    "not a filter",
                );
                problem.help("for example configuration=virtio-* kernel=6.1 scenario=rst client_delay=3s");
                Err(problem.into())
            }
        }
    }

    /// All of them, or all problems.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_all<'t>(texts: impl IntoIterator<Item = &'t String>) -> Result<Vec<Self>, Problems> {
        let mut filters = Vec::new();
        let mut problems = Problems::default();
        for text in texts {
            match Self::parse(text) {
                Ok(filter) => filters.push(filter),
                Err(wrong) => problems.append(wrong),
            }
        }
        if problems.is_empty() { Ok(filters) } else { Err(problems) }
    }

    fn problem(&self, axis: bool, message: String, label: &str, help: String) -> Problem {
        let span = if axis { 0..self.axis.len() } else { self.axis.len() + 1..self.text.len() };
        let mut problem = Problem::in_text("command line", &self.text, span, message, label);
        problem.help(help);
        problem
    }

    fn matches(&self, expansion: &Expansion<'_>, point: &Point<'_>) -> bool {
        let fits = |text: &str| self.pattern == text || glob::matches(&self.pattern, text);
        let variant = expansion.variant_of(point);
        match self.axis.as_str() {
            "scenario" => fits(&variant.scenario.name),
            "configuration" => fits(&point.configuration.name),
            "kernel" => fits(point.kernel),
            "path" => fits(&point.path.name),
            "claim" => variant.scenario.claims.iter().any(|claim| fits(claim)),
            "control" => point.control.is_some_and(|control| fits(&control.name.name)),
            parameter => variant.parameters.get(parameter).is_some_and(|value| {
                fits(value) || variant.scenario.same_value(parameter, &self.pattern, value)
            }),
        }
    }

    /// The values that this filter could have meant.
    fn values(&self, expansion: &Expansion<'_>) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for point in expansion.points() {
            let variant = expansion.variant_of(point);
            match self.axis.as_str() {
                "scenario" => values.push(variant.scenario.name.clone()),
                "configuration" => values.push(point.configuration.name.clone()),
                "kernel" => values.push(point.kernel.to_owned()),
                "path" => values.push(point.path.name.clone()),
                "claim" => values.extend(variant.scenario.claims.iter().cloned()),
                "control" => values.extend(point.control.map(|control| control.name.name.clone())),
                parameter => values.extend(variant.parameters.get(parameter).cloned()),
            }
        }
        values.sort();
        values.dedup();
        values
    }
}

/// The points that the filters leave: cells that match, and the controls of every configuration and kernel among them.
/// A control that matches by itself is taken too.
pub(super) fn select<'e, 'm>(
    expansion: &'e Expansion<'m>,
    filters: &[Filter],
) -> Result<Vec<&'e Point<'m>>, Problems> {
    let mut problems = Problems::default();
    for filter in filters {
        if let Some(problem) = refuse(expansion, filter) {
            problems.append(problem.into());
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let wanted = |point: &Point<'m>| {
        filters.iter().all(|filter| {
            filters.iter().any(|other| other.axis == filter.axis && other.matches(expansion, point))
        })
    };
    let points: Vec<(&Point<'m>, bool)> =
        expansion.points().iter().map(|point| (point, wanted(point))).collect();
    let machines: HashSet<Machine> = points
        .iter()
        .filter(|(point, wanted)| *wanted && point.control.is_none())
        .map(|(point, _)| point.machine())
        .collect();
    let chosen: Vec<&Point<'m>> = points
        .into_iter()
        .filter(|(point, wanted)| *wanted || (point.control.is_some() && machines.contains(&point.machine())))
        .map(|(point, _)| point)
        .collect();
    if chosen.is_empty() {
        return Err(nothing_left(filters).into());
    }
    Ok(chosen)
}

/// Why a filter cannot match, if it cannot.
fn refuse(expansion: &Expansion<'_>, filter: &Filter) -> Option<Problem> {
    let mut axes: Vec<&str> = keys::AXES.names().into_iter().chain(MORE_AXES.iter().copied()).collect();
    for point in expansion.points() {
        for name in expansion.variant_of(point).parameters.keys() {
            if !axes.contains(&name.as_str()) {
                axes.push(name);
            }
        }
    }
    if !axes.contains(&filter.axis.as_str()) {
        let help = hint(&filter.axis, axes.iter().copied(), "axes and parameters");
        let message = format!("there is no axis `{}`", filter.axis);
        return Some(filter.problem(true, message, "neither an axis nor a parameter of these cells", help));
    }
    if expansion.points().iter().any(|point| filter.matches(expansion, point)) {
        return None;
    }
    let values = filter.values(expansion);
    let values = values.iter().map(String::as_str);
    let help = match several(&filter.pattern) {
        Some(parts) => several_words(&filter.axis, &parts),
        None => hint(&filter.pattern, values, "the values of these cells"),
    };
    let message = format!("no cell has {}={}", filter.axis, filter.pattern);
    Some(filter.problem(false, message, "matches no cell of this profile", help))
}

/// `axis!=value`, and how else people write it.
fn negation(text: &str) -> Problem {
    let at = text.find('!').unwrap_or(0);
    let message = "a filter selects cells, and cannot exclude any";
    let mut problem = Problem::in_text("command line", text, at..at + 1, message, "`!` has no meaning here");
    problem.help(
        "write one filter for each value that you want: configuration=bare-metal configuration=virtio-tap\n\
         to leave cells out of every run, add an [[exclude]] to the matrix file",
    );
    problem
}

/// The parts of `a,b`: a list of values where one is wanted. A value may have commas of its own: this is asked where nothing matches.
fn several(pattern: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = pattern.split(',').collect();
    let are_words = parts.iter().all(|part| !part.is_empty() && !part.contains(['(', ')', ' ']));
    (parts.len() > 1 && are_words).then_some(parts)
}

fn several_words(axis: &str, parts: &[&str]) -> String {
    let filters: Vec<String> = parts.iter().map(|part| format!("{axis}={part}")).collect();
    format!("a filter has one value or a glob; for several values write {}", filters.join(" "))
}

fn nothing_left(filters: &[Filter]) -> Problem {
    let text = filters.iter().map(|filter| filter.text.as_str()).collect::<Vec<_>>().join(" ");
    let mut problem = Problem::in_text(
        "command line",
        &text,
        0..text.len(),
        "no cell matches all these filters",
        "each alone matches some, together none",
    );
    problem.help("a second filter on one axis selects more cells, a filter on another axis fewer; bare metal has kernel=host");
    problem
}
