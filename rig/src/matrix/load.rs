//! From the text of a matrix file to its declarations: read, then verified, then crossed once to see what only shows then.
//!
//! Must not know images, hosts or the command line. Units: as the keys say.
//! Errors: [`Problems`], all at once; they blame the file and the scenario files that it names.
//! Tests: `tests.rs` of this room, `tests/diagnostics.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::configuration::read_configuration;
use super::crossed::verify_crossed;
use super::declared::{ControlKeys, Matrix, RunKeys, Word};
use super::disk;
use super::keys::file as keys;
use super::layer::{read_layer, read_profile, read_run_keys, read_sizes};
use super::library::Library;
use super::path::read_path;
use super::read::{check_errno, check_name, required};
use super::verify;
use super::watch::read_watch;
use crate::document::{Document, Findings, Key, Node, Problem, Problems, Table};
use crate::path::PathSpec;
use crate::script;

/// The file's name where none is given.
pub const DEFAULT_FILE: &str = "matrix.toml";

/// Of a link of which nothing else is said (IEEE 802.3).
const ETHERNET_MTU_BYTES: u32 = 1_500;

/// The text of the matrix that is part of the program.
pub const EMBEDDED: &str = include_str!("../../../matrix.toml");

impl Matrix {
    /// Reads and verifies a matrix file: `path`, or ./matrix.toml where there is one, or the one that is part of the program.
    ///
    /// # Errors
    /// The file cannot be read; or all its problems at once, those of the scenario files that it names included.
    pub fn load(path: Option<&Path>) -> Result<Self, Problems> {
        let MatrixText { name, text, folder } = MatrixText::read(path)?;
        Self::parse(&name, &text, &folder)
    }

    /// Only the paths of a matrix file, found as by [`Matrix::load`]: a file that declares nothing else will do.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, has a table that no matrix file has, or a path of it is wrong.
    pub fn load_paths(path: Option<&Path>) -> Result<PathFile, Problems> {
        let MatrixText { name, text, .. } = MatrixText::read(path)?;
        PathFile::parse(&name, &text)
    }

    /// Verifies the text of a matrix file. Paths of scenario files and of kernels in it are seen from `folder`.
    ///
    /// # Errors
    /// All its problems at once.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        let (document, mut findings) = Document::parse(name, text)?;
        let root = &document.root;
        findings.refuse_unknown_keys(root, keys::FILE.head, &keys::FILE.names());
        let (run, default_profile) = read_run(&mut findings, root);
        let base = read_layer(&mut findings, root, "", run);
        let profiles = named(&mut findings, root, "profile", |findings, key, node| {
            read_profile(findings, key, node).map(|layer| (key.name.clone(), layer))
        });
        let configurations = named(&mut findings, root, "configuration", read_configuration);
        let known = configurations.iter().filter_map(|(c, known)| Some((c.name.clone(), known.clone()?)));
        let known = known.collect();
        let configurations = configurations.into_iter();
        let configurations = configurations.map(|(found, _)| disk::seen_from(folder, found)).collect();
        let declared = named(&mut findings, root, "path", read_path);
        let places = declared.iter().map(|path| (path.spec.name.clone(), path.places.clone())).collect();
        let paths: Vec<PathSpec> = declared.into_iter().map(|path| path.spec).collect();
        let alert = read_alert(&mut findings, root);
        read_watch(&mut findings, root);
        let claims = read_claims(&mut findings, root).map(|named| folder.join(named));
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
            known,
            implicit_path: implicit_path(&paths),
            paths,
            places,
            controls,
            alert,
            claims,
            library,
            kernels_from: folder.to_owned(),
        };
        verify::verify(&mut matrix, &mut findings, root, default_profile.as_ref());
        if findings.is_empty() {
            verify_crossed(&matrix, &mut findings, root);
        }
        findings.finish(Some(matrix))
    }
}

/// The text of a matrix file, before anything is known of it.
pub(super) struct MatrixText {
    pub(super) name: String,
    pub(super) text: String,
    /// From which paths in it are seen.
    pub(super) folder: PathBuf,
}

impl MatrixText {
    pub(super) fn read(path: Option<&Path>) -> Result<Self, Problems> {
        let path = path.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
        if path.as_os_str() == DEFAULT_FILE && matches!(fs::exists(&path), Ok(false)) {
            let (name, text) = ("matrix.toml (part of rig)".to_owned(), EMBEDDED.to_owned());
            return Ok(Self { name, text, folder: PathBuf::from(".") });
        }
        let text = fs::read_to_string(&path).map_err(|error| {
            let mut problem = Problem::new(format!("cannot read {}: {error}", path.display()));
            problem.help(
                "--matrix takes the path of a matrix file; without it, ./matrix.toml or rig's own is used",
            );
            problem
        })?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { name: path.display().to_string(), text, folder })
    }
}

/// The paths that a matrix file declares, whatever else it says.
#[derive(Debug, Clone)]
pub struct PathFile {
    /// What the file's problems call it.
    pub name: String,
    /// In file order.
    pub paths: Vec<PathSpec>,
}

impl PathFile {
    /// Reads the paths in the text of a matrix file.
    ///
    /// # Errors
    /// As [`Matrix::load_paths`].
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let (document, mut findings) = Document::parse(name, text)?;
        findings.refuse_unknown_keys(&document.root, keys::FILE.head, &keys::FILE.names());
        let paths = named(&mut findings, &document.root, "path", read_path);
        let paths = paths.into_iter().map(|path| path.spec).collect();
        findings.finish(Some(Self { name: name.to_owned(), paths }))
    }
}

/// A path that does nothing, under the first name that is free: `direct`, `plain`, `plain-2`.
fn implicit_path(declared: &[PathSpec]) -> PathSpec {
    let more = (2..).map(|number| format!("plain-{number}"));
    let mut names = ["direct", "plain"].map(str::to_owned).into_iter().chain(more);
    let free = names.find(|name| declared.iter().all(|path| path.name != *name));
    PathSpec::plain(&free.unwrap_or_default(), ETHERNET_MTU_BYTES)
}

/// `[run]`, and the profile that is taken where none is asked for.
fn read_run(findings: &mut Findings, root: &Table) -> (RunKeys, Option<Word>) {
    let Some(table) = root.get("run").and_then(|node| findings.table(node, keys::RUN.head)) else {
        return (RunKeys::default(), None);
    };
    findings.refuse_unknown_keys(table, keys::RUN.head, &keys::RUN.names());
    let profile = table.get(keys::DEFAULT_PROFILE.name).and_then(|node| {
        findings
            .string(node, &keys::DEFAULT_PROFILE.quoted())
            .map(|text| Word { text: text.to_owned(), span: node.span.clone() })
    });
    (read_run_keys(findings, table), profile)
}

/// Reads every `[kind.NAME]`.
pub(super) fn named<T>(
    findings: &mut Findings,
    root: &Table,
    kind: &str,
    mut read: impl FnMut(&mut Findings, &Key, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = root.get(kind) else { return Vec::new() };
    let Some(table) = findings.table(node, &format!("`{kind}`")) else { return Vec::new() };
    table.entries.iter().filter_map(|(key, node)| read(findings, key, node)).collect()
}

/// The rates of `[alert]`: errno names and `any_error`, each with its own. Its other keys are `watch.rs`'s.
fn read_alert(findings: &mut Findings, root: &Table) -> BTreeMap<String, f64> {
    let mut alert = BTreeMap::new();
    let Some(table) = root.get("alert").and_then(|node| findings.table(node, keys::ALERT.head)) else {
        return alert;
    };
    let others = keys::ALERT.names();
    let is_rate = |key: &Key| key.name == keys::ANY_ERROR.name || !others.contains(&key.name.as_str());
    for (key, node) in table.entries.iter().filter(|(key, _)| is_rate(key)) {
        check_errno(findings, key, keys::ALERT.head);
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

/// `[claims] folder`, as it is written.
fn read_claims(findings: &mut Findings, root: &Table) -> Option<String> {
    let table = root.get("claims").and_then(|node| findings.table(node, keys::CLAIMS.head))?;
    findings.refuse_unknown_keys(table, keys::CLAIMS.head, &keys::CLAIMS.names());
    let node = table.get(keys::CLAIMS_FOLDER.name)?;
    findings.string(node, &keys::CLAIMS_FOLDER.quoted()).map(str::to_owned)
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
    findings.refuse_unknown_keys(table, &what, &keys::CONTROL.names());
    let sizes = read_sizes(findings, table);
    let place = required(findings, table, (key, &what), &keys::CONTROL_SCENARIO)?;
    let word = findings.string(place, &keys::CONTROL_SCENARIO.quoted())?;
    let scenario = library.look_up(findings, word, &place.span)?;
    if !library.get(&scenario).is_some_and(script::Scenario::is_control) {
        findings
            .report(place.span.clone(), format!("scenario `{scenario}` is not a control"), "its answer is not known before the run")
            .help("a control's scenario file says what it must find: control = { errno = \"EBADF\", rate = \"100%\" }");
        return None;
    }
    let parameters = read_parameters(findings, table);
    Some(ControlKeys { name: key.clone(), scenario, parameters, sizes })
}

/// `[control.NAME] parameters`: one value each.
fn read_parameters(findings: &mut Findings, table: &Table) -> Vec<(Key, Word)> {
    let mut parameters = Vec::new();
    if let Some(given) = table
        .get(keys::CONTROL_PARAMETERS.name)
        .and_then(|node| findings.table(node, &keys::CONTROL_PARAMETERS.quoted()))
    {
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
    parameters
}
