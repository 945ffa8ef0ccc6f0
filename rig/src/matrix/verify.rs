//! Every word of a matrix file means something: scenarios, configurations, kernels, paths, parameters and their values.
//!
//! Must not know images or hosts. Units: none. Errors: problems with places; they blame the matrix file.
//! Tests: `tests/diagnostics.rs`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::declared::{Include, Layer, Matrix, Word};
use super::glob;
use super::kernel;
use super::keys::file as keys;
use super::library::Library;
use crate::document::{Findings, Key, Span, Table, Value, closest};

/// Reports every word that means nothing.
pub(super) fn verify(
    matrix: &mut Matrix,
    findings: &mut Findings,
    root: &Table,
    default_profile: Option<&Word>,
) {
    verify_axes_given(matrix, findings, root);
    let Matrix { base, profiles, controls, library, .. } = matrix;
    // What is declared, also where the declaration itself is wrong: that is another problem.
    let names = Names { configurations: declared(root, "configuration"), paths: declared(root, "path") };
    for layer in std::iter::once(&mut *base).chain(profiles.iter_mut().map(|(_, layer)| layer)) {
        names.verify_axes(findings, library, &mut layer.axes);
        for include in layer.includes.iter_mut().flatten() {
            names.verify_axes(findings, library, &mut include.axes);
        }
    }
    for layer in std::iter::once(&*base).chain(profiles.iter().map(|(_, layer)| layer)) {
        verify_parameters(findings, library, layer);
    }
    for layer in std::iter::once(&*base).chain(profiles.iter().map(|(_, layer)| layer)) {
        verify_excludes(findings, library, layer);
        names.verify_exclude_values(findings, library, layer);
    }
    for control in controls.iter() {
        for (key, word) in &control.parameters {
            verify_values(findings, library, &control.scenario, key, std::slice::from_ref(word));
        }
    }
    let controls = declared(root, "control");
    for layer in profiles.iter().map(|(_, layer)| layer) {
        verify_known(findings, layer.controls.as_deref().unwrap_or_default(), &controls, "control");
    }
    if let Some(word) = default_profile
        && !profiles.iter().any(|(name, _)| *name == word.text)
    {
        let help = findings.hint(&word.text, profiles.iter().map(|(name, _)| name.as_str()), "the profiles");
        findings
            .report(word.span.clone(), format!("there is no profile `{}`", word.text), "not a profile")
            .maybe_help(help);
    }
}

/// Names that stand in the file, in its order: a generated file has many.
#[derive(Default)]
struct Declared<'t> {
    names: Vec<&'t str>,
    set: HashSet<&'t str>,
}

impl<'t> Declared<'t> {
    fn new(names: Vec<&'t str>) -> Self {
        Self { set: names.iter().copied().collect(), names }
    }

    fn has(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    /// Whether a name is this word, or matches it as a glob.
    fn matches(&self, word: &str) -> bool {
        self.has(word) || (!glob::is_plain(word) && self.names.iter().any(|name| glob::matches(word, name)))
    }
}

/// Names of all `[kind.NAME]`.
fn declared<'t>(root: &'t Table, kind: &str) -> Declared<'t> {
    match root.get(kind).map(|node| &node.value) {
        Some(Value::Table(table)) => {
            Declared::new(table.entries.iter().map(|(key, _)| key.name.as_str()).collect())
        }
        _ => Declared::default(),
    }
}

/// All axes are named where no profile is: a profile narrows or replaces them.
fn verify_axes_given(matrix: &Matrix, findings: &mut Findings, root: &Table) {
    let Some((key, node)) = root.entry("axes") else {
        findings
            .report(0..0, "the file has no [axes]", "nothing to cross")
            .help("add [axes] with `scenario`, `configuration`, `path` and, where there are guests, `kernel`, each a list of values");
        return;
    };
    // An axes that is no table is reported already.
    let Value::Table(given) = &node.value else { return };
    let place = key.span.clone();
    // An unknown key that is nearly this one is reported already.
    let misspelt = |axis: &str| given.entries.iter().any(|(key, _)| closest(&key.name, [axis]).is_some());
    let missing = |axis: &str| !matrix.base.axes.contains_key(axis) && !misspelt(axis);
    for axis in keys::AXES.rows().filter(|axis| axis.name != keys::KERNEL_AXIS && missing(axis.name)) {
        findings.missing(place.clone(), keys::AXES.head, axis.name, axis.example());
    }
    if missing(keys::KERNEL_AXIS) {
        report_guests_without_kernel(matrix, findings, root, &place);
    }
}

/// Where [axes] names no kernel, every guest of the file, of a profile or of an include must have one of its own.
fn report_guests_without_kernel(matrix: &Matrix, findings: &mut Findings, root: &Table, axes: &Span) {
    let profiles = root.get("profile").and_then(|node| node.value.as_table());
    let place = |name: &str| profiles.and_then(|table| table.entry(name)).map(|(key, _)| key.span.clone());
    let layers = matrix.profiles.iter().map(|(name, layer)| (Some(name), Some(layer)));
    for (name, layer) in std::iter::once((None, None)).chain(layers) {
        let of = |axis: &str| {
            let own = layer.and_then(|layer| layer.axes.get(axis));
            own.or(matrix.base.axes.get(axis)).map_or(&[][..], Vec::as_slice)
        };
        let includes = layer.and_then(|layer| layer.includes.as_ref()).or(matrix.base.includes.as_ref());
        let mut lacking: Vec<(&Word, bool)> = Vec::new();
        if of(keys::KERNEL_AXIS).is_empty() {
            lacking.extend(of("configuration").iter().map(|word| (word, false)));
            for include in includes.into_iter().flatten() {
                if !include.axes.contains_key(keys::KERNEL_AXIS) {
                    let words = include.axes.get("configuration").map_or(of("configuration"), Vec::as_slice);
                    lacking.extend(words.iter().map(|word| (word, true)));
                }
            }
        }
        let is_guest = |word: &Word| {
            let mut known = matrix.configurations.iter();
            known.any(|known| {
                known.name == word.text && !known.target.is_host() && known.target.disk().is_none()
            })
        };
        let Some((guest, included)) = lacking.into_iter().find(|(word, _)| is_guest(word)) else { continue };
        let what = name.map_or(keys::AXES.head.to_owned(), |name| format!("[profile.{name}.axes]"));
        let what = if included { "an include".to_owned() } else { what };
        findings
            .report(
                name.and_then(|name| place(name)).unwrap_or(axes.clone()),
                format!("{what} has no `{}`", keys::KERNEL_AXIS),
                format!("`{}` is missing", keys::KERNEL_AXIS),
            )
            .also(guest.span.clone(), "a guest, which needs one")
            .help(format!("add {}", keys::KERNEL_EXAMPLE));
        // What the file itself lacks, every profile lacks.
        if name.is_none() {
            return;
        }
    }
}

struct Names<'t> {
    configurations: Declared<'t>,
    paths: Declared<'t>,
}

impl Names<'_> {
    /// Scenario words become names of scenarios; the others must be known.
    fn verify_axes(
        &self,
        findings: &mut Findings,
        library: &mut Library,
        axes: &mut std::collections::BTreeMap<&'static str, Vec<Word>>,
    ) {
        for (axis, words) in axes {
            match *axis {
                "scenario" => verify_scenarios(findings, library, words),
                "configuration" => verify_known(findings, words, &self.configurations, "configuration"),
                "path" => verify_known(findings, words, &self.paths, "path"),
                _ => kernel::verify_words(findings, words),
            }
        }
    }

    /// Values of an exclude that match nothing which the file names.
    fn verify_exclude_values(&self, findings: &mut Findings, library: &Library, layer: &Layer) {
        let scenarios = Declared::new(library.iter().map(|scenario| scenario.name.as_str()).collect());
        for (key, words) in layer.excludes.iter().flat_map(|exclude| &exclude.keys) {
            let known = match key.name.as_str() {
                "scenario" => &scenarios,
                "configuration" => &self.configurations,
                "path" => &self.paths,
                _ => continue,
            };
            for word in words.iter().filter(|word| !known.matches(&word.text)) {
                let help = findings.hint(&word.text, known.names.iter().copied(), "there are");
                findings
                    .report(
                        word.span.clone(),
                        format!("no {} is called `{}`", key.name, word.text),
                        "excludes nothing",
                    )
                    .maybe_help(help);
            }
        }
    }
}

fn verify_scenarios(findings: &mut Findings, library: &mut Library, words: &mut [Word]) {
    for word in words {
        let Some(name) = library.look_up(findings, &word.text, &word.span) else { continue };
        if library.get(&name).is_some_and(crate::script::Scenario::is_control) {
            findings
                .report(
                    word.span.clone(),
                    format!("scenario `{name}` is a control"),
                    "not a value of this axis",
                )
                .help(format!(
                    "a control runs in every configuration without being named there: [control.{}] scenario = \"{name}\"",
                    name.trim_start_matches("control-")
                ));
        }
        word.text = name;
    }
}

fn verify_known(findings: &mut Findings, words: &[Word], known: &Declared<'_>, what: &str) {
    for word in words {
        if !known.has(&word.text) {
            let help = if known.names.is_empty() {
                Some(format!("declare it: [{what}.{}]", word.text))
            } else {
                findings.hint(&word.text, known.names.iter().copied(), &format!("the {what}s of this file"))
            };
            findings
                .report(
                    word.span.clone(),
                    format!("there is no {what} `{}`", word.text),
                    format!("not a [{what}.NAME] of this file"),
                )
                .maybe_help(help);
        }
    }
}

fn verify_parameters(findings: &mut Findings, library: &mut Library, layer: &Layer) {
    for (key, keys) in &layer.scenarios {
        if library.get(&key.name).is_none() {
            let shipped = crate::script::shipped(&key.name).is_some();
            let help = if shipped {
                Some(format!("add \"{}\" to the axis `scenario` of the file or of a profile", key.name))
            } else {
                let known: Vec<&str> = library.iter().map(|scenario| scenario.name.as_str()).collect();
                findings.hint(&key.name, known.iter().copied(), "the scenarios of this file")
            };
            findings
                .report(key.span.clone(), format!("no axis names scenario `{}`", key.name), "never used")
                .maybe_help(help);
            continue;
        }
        for (parameter, words) in &keys.parameters {
            verify_values(findings, library, &key.name, parameter, words);
        }
    }
    for include in layer.includes.iter().flatten() {
        verify_include(findings, library, include);
    }
}

fn verify_include(findings: &mut Findings, library: &Library, include: &Include) {
    for scenario in include.axes.get("scenario").into_iter().flatten() {
        if library.get(&scenario.text).is_none() {
            continue;
        }
        for (key, words) in &include.parameters {
            verify_values(findings, library, &scenario.text, key, words);
        }
    }
}

/// Every value can be a value of the parameter, and no two mean the same.
fn verify_values(findings: &mut Findings, library: &Library, scenario: &str, key: &Key, words: &[Word]) {
    let Some(scenario) = library.get(scenario) else { return };
    if scenario.parameter(&key.name).is_none() {
        let mut known: Vec<&str> = scenario.parameters.iter().map(|p| p.name.as_str()).collect();
        known.extend(keys::SIZES.iter().map(|row| row.name));
        let help = findings.hint(&key.name, known.iter().copied(), "its parameters, and the sizes");
        findings
            .report(
                key.span.clone(),
                format!("scenario `{}` has no parameter `{}`", scenario.name, key.name),
                "not a parameter",
            )
            .maybe_help(help);
        return;
    }
    let mut before: HashMap<String, &Word> = HashMap::with_capacity(words.len());
    for word in words {
        if let Err(wrong) = scenario.admit(&key.name, &word.text) {
            findings.report(word.span.clone(), wrong.message, wrong.label).maybe_help(wrong.help);
        }
        let meaning = scenario.meaning_of_value(&key.name, &word.text);
        let first = *before.entry(meaning).or_insert(word);
        if first.span != word.span {
            findings
                .report(
                    word.span.clone(),
                    format!("`{}` and `{}` are the same value", first.text, word.text),
                    "again",
                )
                .also(first.span.clone(), "the first time")
                .help("a cell is run once however often it is named");
        }
    }
}

/// Keys of an exclude are axes or parameters of some scenario. Whether it matches a cell is seen when the axes are crossed.
fn verify_excludes(findings: &mut Findings, library: &Library, layer: &Layer) {
    let parameters = library.iter().flat_map(|scenario| scenario.parameters.iter().map(|p| p.name.as_str()));
    let known: BTreeSet<&str> = keys::AXES.names().into_iter().chain(parameters).collect();
    for (key, _) in layer.excludes.iter().flat_map(|exclude| &exclude.keys) {
        if !known.contains(key.name.as_str()) {
            let help = findings.hint(&key.name, known.iter().copied(), "axes and parameters");
            findings
                .report(
                    key.span.clone(),
                    format!("unknown key `{}` in an exclude", key.name),
                    "neither an axis nor a parameter",
                )
                .maybe_help(help);
        }
    }
}
