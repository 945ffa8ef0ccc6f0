//! What only shows when the axes are crossed: values that do not go together, excludes that match nothing, profiles without a cell.
//!
//! Must not know how axes are crossed. Units: none. Errors: problems with places; they blame the matrix file.
//! Tests: `tests/diagnostics.rs`.

use std::collections::HashMap;

use super::declared::{Layer, Matrix};
use super::expand::{Expansion, MOST_CELLS, Uncrossable};
use super::power::{self, WeakControl};
use crate::document::{Findings, Span, Table};

/// Crosses the axes of the file and of every profile, and reports what is wrong then.
pub(super) fn verify_crossed(matrix: &Matrix, findings: &mut Findings, root: &Table) {
    let mut matched: HashMap<usize, bool> = HashMap::new();
    let profiles = matrix.profiles.iter().map(|(name, layer)| Some((name.as_str(), layer)));
    for profile in std::iter::once(None).chain(profiles) {
        let span = place_of(profile, root);
        match Expansion::new(matrix, profile.map(|(_, layer)| layer)) {
            Ok(expansion) => {
                report_weak_controls(matrix, profile, &expansion, findings);
                if !expansion.has_cells() {
                    findings
                        .report(span, "no cell is left", "every cell is excluded")
                        .help("the excludes of the file and of the profile cover the whole product");
                }
                for (exclude, hit) in expansion.matched_excludes() {
                    *matched.entry(exclude.span.start).or_default() |= hit;
                }
            }
            Err(obstacles) => report_obstacles(findings, obstacles, &span),
        }
    }
    report_idle_excludes(findings, matrix, &matched);
}

/// Controls that could not prove anything with the trials that the file gives them.
fn report_weak_controls(
    matrix: &Matrix,
    profile: Option<(&str, &Layer)>,
    expansion: &Expansion<'_>,
    findings: &mut Findings,
) {
    let settings = matrix.settings(profile.map(|(_, layer)| layer));
    let controls = expansion.points().iter().filter(|point| point.control.is_some());
    let cells: Vec<_> = controls.map(|point| expansion.cell(point, &settings, None)).collect();
    let place = profile.map_or(String::new(), |(name, _)| format!(" in profile `{name}`"));
    for weak in power::weak_controls(&cells) {
        let Some(control) = matrix.controls.iter().find(|control| control.name.name == weak.control) else {
            continue;
        };
        let WeakControl { trials, due, needed, .. } = weak;
        findings
            .report(
                control.name.span.clone(),
                format!("control `{}` has too few trials{place}", control.name.name),
                format!("its errno is due in {due} of {trials} trials"),
            )
            .help(format!(
                "{} are the least that prove something: write control_trials = {needed}, or trials = {needed} in [control.{}]",
                power::LEAST_DUE,
                control.name.name
            ));
    }
}

/// The name of a profile, or of the axes of the file.
fn place_of(profile: Option<(&str, &Layer)>, root: &Table) -> Span {
    let entry = match profile {
        None => root.entry("axes"),
        Some((name, _)) => root.get("profile").and_then(|node| node.value.as_table()?.entry(name)),
    };
    entry.map_or(0..0, |(key, _)| key.span.clone())
}

fn report_idle_excludes(findings: &mut Findings, matrix: &Matrix, matched: &HashMap<usize, bool>) {
    let layers = std::iter::once(&matrix.base).chain(matrix.profiles.iter().map(|(_, layer)| layer));
    for exclude in layers.flat_map(|layer| &layer.excludes) {
        if matched.get(&exclude.span.start) == Some(&false) {
            findings
                .report(exclude.span.clone(), "this exclude matches no cell", "of the file or of any profile")
                .help("all its keys must match one cell; `rig matrix plan` lists the cells");
        }
    }
}

fn report_obstacles(findings: &mut Findings, obstacles: Vec<Uncrossable<'_>>, span: &Span) {
    let mut seen = Vec::new();
    for obstacle in obstacles {
        let place = match &obstacle {
            Uncrossable::TooMany(word) => word.span.clone(),
            Uncrossable::Value { word, .. } => word.map_or(span.clone(), |word| word.span.clone()),
        };
        if seen.contains(&place) {
            continue;
        }
        match obstacle {
            Uncrossable::TooMany(_) => findings
                .report(
                    place.clone(),
                    format!("the axes cross to more than {MOST_CELLS} cells"),
                    "with the parameters of this scenario",
                )
                .help("narrow an axis or a parameter, or split the file"),
            Uncrossable::Value { wrong, .. } => {
                findings.report(place.clone(), wrong.message, wrong.label).maybe_help(wrong.help)
            }
        };
        seen.push(place);
    }
}
