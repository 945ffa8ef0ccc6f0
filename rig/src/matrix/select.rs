//! From a verified file to the complete cells of one invocation.
//!
//! Must not know hosts. Units: none. Errors: problems that blame the command line. Tests: `tests.rs` of this room.

use super::cell::{Cell, HOST_KERNEL};
use super::crossed::place_of;
use super::decidable::{Undecidable, undecidable};
use super::declared::{Layer, Matrix};
use super::expand::{Expansion, Point};
use super::filter::{self, Filter};
use super::power::{self, WeakControl};
use super::settings::Settings;
use crate::document::{Document, Problem, Problems, hint};

/// What a user asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A profile's name; `None`: what `[run] profile` names, or the file without a profile.
    pub profile: Option<String>,
    /// Which cells; empty: all.
    pub filters: Vec<Filter>,
    /// Trials of every cell, instead of what the file says.
    pub trials: Option<u64>,
}

/// The cells of one invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Name of the profile; empty for the file without one.
    pub profile: String,
    /// Of that profile.
    pub settings: Settings,
    /// In file order: scenarios, parameters, configurations, kernels, paths; controls last.
    pub cells: Vec<Cell>,
    /// Controls of them that have too few trials to prove anything, as a count of trials on the command line can make it.
    pub weak_controls: Vec<WeakControl>,
    /// Comparisons of them that nothing that is seen could decide.
    pub undecidable: Vec<Undecidable>,
}

impl Matrix {
    /// The cells that `selection` asks for.
    ///
    /// # Errors
    /// Blames the command line: no such profile, a filter that means or matches nothing, a baseline that compares nothing. Or the scenario file of a program that cannot be a client.
    pub fn select(&self, selection: &Selection) -> Result<Selected, Problems> {
        let (profile, layer) = self.profile(selection.profile.as_deref())?;
        let settings = self.settings(layer);
        let mut expansion = Expansion::new(self, layer)
            .expect("the axes of every profile were crossed when the file was verified");
        self.check_baseline(layer, &expansion)?;
        let points: Vec<Point<'_>> =
            filter::select(&expansion, &selection.filters)?.into_iter().copied().collect();
        expansion.pack(&points)?;
        let cells: Vec<Cell> =
            points.iter().map(|point| expansion.cell(point, &settings, selection.trials)).collect();
        let controls = cells.iter().filter_map(|cell| Some((cell.control.clone()?, cell.trials)));
        let weak_controls = power::weak_controls(controls);
        let undecidable = undecidable(&cells, &settings);
        Ok(Selected { profile, settings, cells, weak_controls, undecidable })
    }

    /// Only the cells of [`Matrix::select`].
    ///
    /// # Errors
    /// As [`Matrix::select`].
    pub fn cells(&self, selection: &Selection) -> Result<Vec<Cell>, Problems> {
        self.select(selection).map(|selected| selected.cells)
    }

    fn profile(&self, asked: Option<&str>) -> Result<(String, Option<&Layer>), Problems> {
        let Some(name) = asked.or(self.default_profile.as_deref()) else {
            return Ok((String::new(), None));
        };
        match self.profiles.iter().find(|(known, _)| known == name) {
            Some((name, layer)) => Ok((name.clone(), Some(layer))),
            None => {
                let message = format!("there is no profile `{name}` in {}", self.name());
                let mut problem =
                    Problem::in_text("command line", name, 0..name.len(), message, "not a profile");
                problem.help(hint(name, self.profile_names(), "the profiles"));
                Err(problem.into())
            }
        }
    }

    /// The problem of comparisons of this profile (empty: of the file) that nothing could decide, at the profile's name.
    pub fn refuse(&self, profile: &str, told: &Undecidable) -> Problem {
        let layer = self.profiles.iter().find(|(name, _)| name == profile);
        let layer = layer.map(|(name, layer)| (name.as_str(), layer));
        let place = Document::parse(self.name(), self.text())
            .map_or(0..0, |(document, _)| place_of(layer, &document.root));
        let message = format!("comparisons that nothing can decide: {told}");
        let label = format!("{} blocks of {} trials", told.size.blocks, told.size.block_size());
        let mut problem = Problem::in_text(self.name(), self.text(), place, message, label);
        problem.help("give the cells more `trials` or more `blocks`, or widen `margin` or `margins`; `rig matrix plan --power` shows what each comparison can show");
        problem
    }

    /// How a plan of this profile (empty: of the file) that has no cell on bare metal comes to have some: what the file declares decides.
    pub fn add_host(&self, profile: &str) -> String {
        let layer = self.profiles.iter().find(|(name, _)| name == profile).map(|(_, layer)| layer);
        let of_profile =
            Expansion::new(self, layer).expect("the axes were crossed when the file was verified");
        let mut hosts = of_profile.points().iter().map(|point| point.configuration);
        if let Some(host) = hosts.find(|configuration| configuration.target.is_host()) {
            return format!("add configuration={} kernel={HOST_KERNEL} to the filters", host.name);
        }
        let axes = if layer.is_some_and(|layer| layer.axes.contains_key("configuration")) {
            format!("[profile.{profile}.axes]")
        } else {
            "[axes]".to_owned()
        };
        match self.configurations.iter().find(|configuration| configuration.target.is_host()) {
            Some(host) => format!("add \"{}\" to `configuration` of {axes} in {}", host.name, self.name()),
            None => {
                let free =
                    |name: &&str| self.configurations.iter().all(|configuration| configuration.name != *name);
                let name = ["bare-metal", "host", "this-host"].into_iter().find(free).unwrap_or("its-name");
                format!(
                    "declare [configuration.{name}] kind = \"host\" in {}, and add \"{name}\" to `configuration` of {axes}",
                    self.name()
                )
            }
        }
    }

    pub(super) fn settings(&self, layer: Option<&Layer>) -> Settings {
        let default = Settings::default();
        let base = &self.base.run;
        let over = layer.map(|layer| layer.run.clone()).unwrap_or_default();
        let mut margins = base.margins.clone();
        margins.extend(over.margins);
        let sizes = over.sizes.or(base.sizes);
        Settings {
            trials: sizes.trials.unwrap_or(default.trials),
            blocks: sizes.blocks.unwrap_or(default.blocks),
            in_flight: sizes.in_flight,
            control_trials: over.control_trials.or(base.control_trials).unwrap_or(default.control_trials),
            control_blocks: over.control_blocks.or(base.control_blocks).unwrap_or(default.control_blocks),
            confidence: over.confidence.or(base.confidence).unwrap_or(default.confidence),
            margin: over.margin.or(base.margin).unwrap_or(default.margin),
            margins,
            icc: over.icc.or(base.icc).unwrap_or(default.icc),
            stop: over.stop.or_else(|| base.stop.clone()).unwrap_or(default.stop),
            tolerance: over.tolerance.or(base.tolerance).unwrap_or(default.tolerance),
            retries: over.retries.or(base.retries).unwrap_or(default.retries),
            block_deadline: over.block_deadline.or(base.block_deadline).unwrap_or(default.block_deadline),
            aa_pair: over.aa_pair.or(base.aa_pair).unwrap_or(default.aa_pair),
            baseline: over.baseline.or_else(|| base.baseline.clone()).map(|(baseline, _)| baseline),
        }
    }
}
