//! What a matrix file declares: the data of its tables, each value with its place where a problem could still be found.
//!
//! Plain data. Must not know how it is read (`load.rs`), verified or crossed. Units: as the keys say. Errors: none.
//! Tests: `tests.rs` of this room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;

use super::baseline::{Asked, Baseline};
use super::library::Library;
use super::path::Places;
use super::stop::StopRule;
use crate::configuration::Configuration;
use crate::document::{Key, Span};
use crate::path::PathSpec;
use crate::script;

/// A verified matrix file.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub(super) source: Arc<NamedSource<String>>,
    pub(super) base: Layer,
    pub(super) profiles: Vec<(String, Layer)>,
    pub(super) default_profile: Option<String>,
    pub(super) configurations: Vec<Configuration>,
    /// By configuration, why it is known that trials end otherwise than expected there.
    pub(super) known: BTreeMap<String, String>,
    pub(super) paths: Vec<PathSpec>,
    /// A path that does nothing, under a name that no declared one has: for the controls of machines where the file declares none.
    pub(super) implicit_path: PathSpec,
    /// Where the keys of each path stand.
    pub(super) places: BTreeMap<String, Places>,
    pub(super) controls: Vec<ControlKeys>,
    pub(super) alert: BTreeMap<String, f64>,
    pub(super) claims: Option<PathBuf>,
    pub(super) library: Library,
    /// The folder from which paths of kernels are seen.
    pub(super) kernels_from: PathBuf,
}

/// `[control.NAME]`
#[derive(Debug, Clone)]
pub(super) struct ControlKeys {
    pub(super) name: Key,
    pub(super) scenario: String,
    pub(super) parameters: Vec<(Key, Word)>,
    pub(super) sizes: Sizes,
}

impl Matrix {
    /// What the file's problems call it.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// The whole text: for the record.
    pub fn text(&self) -> &str {
        self.source.inner()
    }

    /// The paths that it declares, in file order.
    pub fn paths(&self) -> impl Iterator<Item = &PathSpec> + Clone {
        self.paths.iter()
    }

    /// The folder with claims of its own, where it names one: seen from the current folder.
    pub fn claims_folder(&self) -> Option<&Path> {
        self.claims.as_deref()
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

/// A value of the file and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// How much a cell is run, where the file says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) trials: Option<u64>,
    pub(super) blocks: Option<u32>,
    pub(super) in_flight: Option<u32>,
}

impl Sizes {
    /// These, and what they do not say from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            trials: self.trials.or(other.trials),
            blocks: self.blocks.or(other.blocks),
            in_flight: self.in_flight.or(other.in_flight),
        }
    }
}

/// Keys of `[run]`, where the file says them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RunKeys {
    pub(super) sizes: Sizes,
    pub(super) control_trials: Option<u64>,
    pub(super) control_blocks: Option<u32>,
    pub(super) confidence: Option<f64>,
    pub(super) margin: Option<f64>,
    /// By errno name or `any_error`.
    pub(super) margins: BTreeMap<String, f64>,
    pub(super) icc: Option<f64>,
    /// `Some(None)`: written as the empty table, no rule.
    pub(super) stop: Option<Option<StopRule>>,
    pub(super) tolerance: Option<f64>,
    pub(super) retries: Option<u32>,
    pub(super) block_deadline: Option<Duration>,
    pub(super) aa_pair: Option<bool>,
    pub(super) baseline: Option<(Baseline, Asked)>,
}

/// `[scenario.NAME]`: parameter axes in file order, and sizes.
#[derive(Debug, Clone, Default)]
pub(super) struct ScenarioKeys {
    pub(super) sizes: Sizes,
    pub(super) known: Option<String>,
    pub(super) parameters: Vec<(Key, Vec<Word>)>,
}

/// `[[include]]`: a small product of its own.
#[derive(Debug, Clone)]
pub(super) struct Include {
    pub(super) axes: BTreeMap<&'static str, Vec<Word>>,
    pub(super) parameters: Vec<(Key, Vec<Word>)>,
    pub(super) sizes: Sizes,
    pub(super) known: Option<String>,
}

/// `[[exclude]]`: cells of the product that match every key.
#[derive(Debug, Clone)]
pub(super) struct Exclude {
    pub(super) span: Span,
    pub(super) keys: Vec<(Key, Vec<Word>)>,
}

/// Everything that a profile can say.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) run: RunKeys,
    pub(super) axes: BTreeMap<&'static str, Vec<Word>>,
    pub(super) scenarios: Vec<(Key, ScenarioKeys)>,
    pub(super) includes: Option<Vec<Include>>,
    /// The controls that a profile plays; `None`: all.
    pub(super) controls: Option<Vec<Word>>,
    pub(super) excludes: Vec<Exclude>,
}
