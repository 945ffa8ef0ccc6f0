//! matrix.toml as a whole: read, verified, and ready to be resolved.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;

use super::configuration::{check_name, read_configuration};
use super::expand::Expansion;
use super::layer::{
    Layer, RUN_KEYS, RunKeys, SIZE_KEYS, Sizes, Word, read_layer, read_profile, read_run_keys, read_sizes,
};
use super::library::Library;
use super::path::{Places, read_path};
use super::verify;
use crate::configuration::Configuration;
use crate::document::{Document, Findings, Key, Node, Problem, Problems, Table, hint};
use crate::path::{Lack, PathSpec};
use crate::script;

/// The file's name where none is given.
pub const DEFAULT_FILE: &str = "matrix.toml";

/// The matrix that is part of the program.
const EMBEDDED: &str = include_str!("../../../matrix.toml");

/// A verified matrix file.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub(super) source: Arc<NamedSource<String>>,
    pub(super) base: Layer,
    pub(super) profiles: Vec<(String, Layer)>,
    pub(super) default_profile: Option<String>,
    pub(super) configurations: Vec<Configuration>,
    pub(super) paths: Vec<PathSpec>,
    /// Where the keys of each path stand.
    places: BTreeMap<String, Places>,
    pub(super) controls: Vec<ControlKeys>,
    pub(super) alert: BTreeMap<String, f64>,
    pub(super) library: Library,
}

/// `[control.NAME]`
#[derive(Debug, Clone)]
pub(super) struct ControlKeys {
    pub(super) name: Key,
    pub(super) scenario: String,
    pub(super) parameters: Vec<(Key, Word)>,
    pub(super) sizes: Sizes,
}

const KEYS: &[&str] = &[
    "run",
    "profile",
    "axes",
    "scenario",
    "include",
    "exclude",
    "configuration",
    "path",
    "control",
    "alert",
];

impl Matrix {
    /// Reads and verifies a matrix file: `path`, or ./matrix.toml where there is one, or the one that is part of the program.
    ///
    /// # Errors
    /// The file cannot be read; or all its problems at once, those of the scenario files that it names included.
    pub fn load(path: Option<&Path>) -> Result<Self, Problems> {
        let path = path.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
        match fs::exists(&path) {
            Ok(false) if path.as_os_str() == DEFAULT_FILE => {
                Self::parse("matrix.toml (part of rig)", EMBEDDED, Path::new("."))
            }
            Ok(_) | Err(_) => {
                let text = fs::read_to_string(&path).map_err(|error| {
                    let mut problem = Problem::new(format!("cannot read {}: {error}", path.display()));
                    problem.help("--matrix takes the path of a matrix file; without it, ./matrix.toml or rig's own is used");
                    Problems::from(problem)
                })?;
                let folder = path.parent().unwrap_or(Path::new("."));
                Self::parse(&path.display().to_string(), &text, folder)
            }
        }
    }

    /// Verifies the text of a matrix file. Paths of scenario files in it are seen from `folder`.
    ///
    /// # Errors
    /// All its problems at once.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        let (document, mut findings) = Document::parse(name, text)?;
        let root = &document.root;
        findings.refuse_unknown_keys(root, "a matrix file", KEYS);
        let (run, default_profile) = read_run(&mut findings, root);
        let base = read_layer(&mut findings, root, "", run);
        let profiles = named(&mut findings, root, "profile", |findings, key, node| {
            read_profile(findings, key, node).map(|layer| (key.name.clone(), layer))
        });
        let configurations = named(&mut findings, root, "configuration", read_configuration);
        let declared = named(&mut findings, root, "path", read_path);
        let places = declared.iter().map(|path| (path.spec.name.clone(), path.places.clone())).collect();
        let paths = declared.into_iter().map(|path| path.spec).collect();
        let alert = read_alert(&mut findings, root);
        let mut library = Library::new(folder);
        let controls = named(&mut findings, root, "control", |findings, key, node| {
            read_control(findings, &mut library, key, node)
        });
        let mut matrix = Self {
            source: Arc::clone(&document.source),
            base,
            profiles,
            default_profile: default_profile.as_ref().map(|word| word.text.clone()),
            configurations,
            paths,
            places,
            controls,
            alert,
            library,
        };
        verify::verify(&mut matrix, &mut findings, root, default_profile.as_ref());
        if findings.is_empty() {
            Expansion::probe(&matrix, &mut findings, root);
        }
        findings.finish(Some(matrix))
    }

    /// What the file's problems call it.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// The whole text: for the record.
    pub fn text(&self) -> &str {
        self.source.inner()
    }

    /// Every kernel that some profile names and that is no image in `known`: the image room knows which there are.
    ///
    /// # Errors
    /// All unknown ones, with what was probably meant.
    pub fn verify_kernels(&self, known: &[String]) -> Result<(), Problems> {
        let mut findings = Findings::new(Arc::clone(&self.source));
        let layers = std::iter::once(&self.base).chain(self.profiles.iter().map(|(_, layer)| layer));
        for layer in layers {
            let includes = layer.includes.iter().flatten().filter_map(|include| include.axes.get("kernel"));
            for word in layer.axes.get("kernel").into_iter().chain(includes).flatten() {
                if !known.contains(&word.text) {
                    let help = hint(&word.text, known.iter().map(String::as_str), "the images");
                    findings
                        .report(
                            word.span.clone(),
                            format!("there is no image for kernel `{}`", word.text),
                            "not an image",
                        )
                        .help(help);
                }
            }
        }
        findings.finish(Some(()))
    }

    /// The paths that it declares, in file order.
    pub fn paths(&self) -> impl Iterator<Item = &PathSpec> + Clone {
        self.paths.iter()
    }

    /// What a host cannot do of the paths of this file: one problem for each path and reason, at the key that asks for it.
    pub fn explain_lacks(&self, lacks: &[(String, Lack)]) -> Problems {
        let mut findings = Findings::new(Arc::clone(&self.source));
        for (index, (path, lack)) in lacks.iter().enumerate() {
            let said = lacks.iter().take(index).any(|(other, before)| other == path && before == lack);
            if let Some(places) = self.places.get(path).filter(|_| !said) {
                places.report(&mut findings, path, lack);
            }
        }
        findings.into_problems()
    }

    /// Rates over which an alert fires, by errno name or `any_error`.
    pub fn alert(&self) -> &BTreeMap<String, f64> {
        &self.alert
    }

    /// The profiles, in file order.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.profiles.iter().map(|(name, _)| name.as_str())
    }

    /// The scenario called `name`, if the file names it.
    pub fn scenario(&self, name: &str) -> Option<&script::Scenario> {
        self.library.get(name)
    }
}

/// `[run]`, and the profile that is taken where none is asked for.
fn read_run(findings: &mut Findings, root: &Table) -> (RunKeys, Option<Word>) {
    let Some(table) = root.get("run").and_then(|node| findings.table(node, "[run]")) else {
        return (RunKeys::default(), None);
    };
    let mut known = vec!["profile"];
    known.extend(RUN_KEYS);
    findings.refuse_unknown_keys(table, "[run]", &known);
    let profile = table.get("profile").and_then(|node| {
        findings.string(node, "`profile`").map(|text| Word { text: text.to_owned(), span: node.span.clone() })
    });
    (read_run_keys(findings, table), profile)
}

/// Reads every `[kind.NAME]`.
fn named<T>(
    findings: &mut Findings,
    root: &Table,
    kind: &str,
    mut read: impl FnMut(&mut Findings, &Key, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = root.get(kind) else { return Vec::new() };
    let Some(table) = findings.table(node, &format!("`{kind}`")) else { return Vec::new() };
    table.entries.iter().filter_map(|(key, node)| read(findings, key, node)).collect()
}

/// `[alert]`: errno names and `any_error`, each with a rate.
fn read_alert(findings: &mut Findings, root: &Table) -> BTreeMap<String, f64> {
    let mut alert = BTreeMap::new();
    let Some(table) = root.get("alert").and_then(|node| findings.table(node, "[alert]")) else {
        return alert;
    };
    for (key, node) in &table.entries {
        if key.name != "any_error" && script::parse_errno(&key.name).is_err() {
            let known: Vec<&str> = std::iter::once("any_error").chain(rig_protocol::Errno::names()).collect();
            let help = crate::document::did_you_mean(&key.name, known)
                .unwrap_or_else(|| "keys are names of errnos, and any_error".to_owned());
            findings
                .report(key.span.clone(), format!("unknown key `{}` in [alert]", key.name), "not an errno")
                .help(help);
        }
        let text = script::spelled(node).unwrap_or("");
        match script::parse_rate(text) {
            Ok(ppm) => {
                alert.insert(key.name.clone(), f64::from(ppm) / 1e6);
            }
            Err(wrong) => {
                findings
                    .report(
                        node.span.clone(),
                        format!("the threshold of `{}` is wrong", key.name),
                        wrong.label,
                    )
                    .maybe_help(wrong.help);
            }
        }
    }
    alert
}

fn read_control(
    findings: &mut Findings,
    library: &mut Library,
    key: &Key,
    node: &Node,
) -> Option<ControlKeys> {
    let what = format!("control `{}`", key.name);
    check_name(findings, key, "control");
    let table = findings.table(node, &what)?;
    let mut known = vec!["scenario", "parameters"];
    known.extend(SIZE_KEYS);
    findings.refuse_unknown_keys(table, &what, &known);
    let sizes = read_sizes(findings, table);
    let Some(place) = table.get("scenario") else {
        findings.missing(key.span.clone(), &what, "scenario", "scenario = \"control-closed-descriptor\"");
        return None;
    };
    let word = findings.string(place, "`scenario`")?;
    let scenario = library.look_up(findings, word, &place.span)?;
    if !library.get(&scenario).is_some_and(script::Scenario::is_control) {
        findings
            .report(place.span.clone(), format!("scenario `{scenario}` is no control"), "its answer is not known before the run")
            .help("a control's scenario file says what it must find: control = { errno = \"EBADF\", rate = \"100%\" }");
        return None;
    }
    let mut parameters = Vec::new();
    if let Some(given) = table.get("parameters").and_then(|node| findings.table(node, "`parameters`")) {
        for (key, node) in &given.entries {
            match script::spelled(node) {
                Some(text) => {
                    let word = Word { text: text.to_owned(), span: node.span.clone() };
                    parameters.push((key.clone(), word));
                }
                None => {
                    findings.mismatch::<()>(
                        node,
                        &format!("parameter `{}`", key.name),
                        "a string or a number",
                    );
                }
            }
        }
    }
    Some(ControlKeys { name: key.clone(), scenario, parameters, sizes })
}
