//! What only shows when the axes are crossed: values that do not go together, excludes that match nothing, profiles without a cell.
//!
//! Must not know how axes are crossed. Units: none. Errors: problems with places; they blame the matrix file.
//! Tests: `tests/diagnostics.rs`.

use std::collections::{HashMap, HashSet};

use super::declared::{ControlKeys, Layer, Matrix};
use super::expand::{Expansion, MOST_CELLS, Uncrossable};
use super::power::{self, WeakControl};
use super::versus::{kernels_of, verify_baselines};
use crate::document::{Findings, Span, Table};

/// Crosses the axes of the file and of every profile, and reports what is wrong then.
pub(super) fn verify_crossed(matrix: &Matrix, findings: &mut Findings, root: &Table) {
    let mut matched: HashMap<usize, bool> = HashMap::new();
    let mut weak: Vec<(Option<&str>, WeakControl)> = Vec::new();
    let mut crossed = Vec::new();
    let profiles = matrix.profiles.iter().map(|(name, layer)| Some((name.as_str(), layer)));
    for profile in std::iter::once(None).chain(profiles) {
        let span = place_of(profile, root);
        match Expansion::new(matrix, profile.map(|(_, layer)| layer)) {
            Ok(expansion) => {
                let of_profile = weak_controls(matrix, profile.map(|(_, layer)| layer), &expansion);
                crossed.push((profile.map(|(_, layer)| layer), kernels_of(&expansion)));
                weak.extend(of_profile.into_iter().map(|found| (profile.map(|(name, _)| name), found)));
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
    verify_baselines(findings, matrix, &crossed);
    report_weak_controls(matrix, &weak, findings);
    report_idle_excludes(findings, matrix, &matched);
}

/// Controls of a profile that could not prove anything with the trials that the file gives them.
fn weak_controls(matrix: &Matrix, layer: Option<&Layer>, expansion: &Expansion<'_>) -> Vec<WeakControl> {
    let settings = matrix.settings(layer);
    power::weak_controls(expansion.points().iter().filter_map(|point| {
        Some((expansion.control_of(point)?, expansion.trials_of(point, &settings, None)))
    }))
}

/// Each weak control once, with the profiles in which it is.
fn report_weak_controls(matrix: &Matrix, found: &[(Option<&str>, WeakControl)], findings: &mut Findings) {
    for control in &matrix.controls {
        let of_control: Vec<_> = found.iter().filter(|(_, weak)| weak.control == control.name.name).collect();
        let Some((_, weakest)) = of_control.iter().min_by_key(|(_, weak)| weak.due) else { continue };
        let mut profiles: Vec<String> = of_control
            .iter()
            .map(|(profile, _)| {
                profile.map_or("the file itself".to_owned(), |name| format!("profile `{name}`"))
            })
            .collect();
        let place = match (profiles.pop(), profiles.as_slice()) {
            // Without a word of profiles it is wrong in what there is.
            (Some(only), []) if only == "the file itself" => String::new(),
            (Some(last), []) => format!(" in {last}"),
            (Some(last), others) => format!(" in {} and {last}", others.join(", ")),
            (None, _) => String::new(),
        };
        let WeakControl { trials, due, .. } = weakest;
        findings
            .report(
                control.name.span.clone(),
                format!("control `{}` has too few trials{place}", control.name.name),
                format!("its errno is expected in {due} of {trials} trials"),
            )
            .help(strengthen(matrix, control, weakest));
    }
}

/// What would make a control prove something: more trials, or a higher rate.
fn strengthen(matrix: &Matrix, control: &ControlKeys, weak: &WeakControl) -> String {
    let WeakControl { control: name, trials, needed, .. } = weak;
    let everywhere = match control.sizes.trials {
        None => format!("control_trials = {needed}, or "),
        // The control's own number counts, whatever the others have.
        Some(_) => String::new(),
    };
    let mut help = format!(
        "a proof needs at least {}: write {everywhere}trials = {needed} in [control.{name}]",
        power::LEAST_DUE
    );
    let needed_ppm = (power::LEAST_DUE * 1_000_000).div_ceil(*trials);
    let rate = matrix.library.get(&control.scenario).and_then(crate::script::Scenario::rate_parameter);
    if let (Some(parameter), 0..=1_000_000) = (rate, needed_ppm) {
        let percent = format!("{}.{:04}", needed_ppm / 10_000, needed_ppm % 10_000);
        let percent = percent.trim_end_matches('0').trim_end_matches('.');
        help.push_str(&format!("\nor raise its rate: parameters = {{ {parameter} = \"{percent}%\" }}"));
    }
    help
}

/// The name of a profile, or of the axes of the file.
pub(super) fn place_of(profile: Option<(&str, &Layer)>, root: &Table) -> Span {
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
    let mut seen: HashSet<Span> = HashSet::new();
    for obstacle in obstacles {
        let place = match &obstacle {
            Uncrossable::TooMany(word) => word.span.clone(),
            Uncrossable::Value { word, .. } => word.map_or(span.clone(), |word| word.span.clone()),
        };
        if !seen.insert(place.clone()) {
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
    }
}
