//! Crossing the axes: layers -> points (cheap) -> cells (complete).
//!
//! Must not know hosts or the command line. Units: counts. Errors: [`Uncrossable`], which blames the matrix file.
//! Tests: `tests.rs` of this room.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rig_protocol::{Errno, Script};

use super::cell::{Cell, Control, HOST_KERNEL, ScriptDigest, Subject};
use super::declared::{ControlKeys, Exclude, Include, Layer, Matrix, Sizes, Word};
use super::glob;
use super::kernel::kernel_place;
use super::pace::own_pace;
use super::pack::Packer;
use super::settings::Settings;
use crate::configuration::{Arm, Configuration, TargetSpec};
use crate::document::{Key, Problems};
use crate::path::PathSpec;
use crate::script::{Resolved, Scenario, Unresolved};

/// More cells than this are a slip, and would take weeks.
pub(super) const MOST_CELLS: usize = 100_000;

/// A scenario with all its parameters.
#[derive(Debug)]
pub(super) struct Variant<'m> {
    pub(super) scenario: &'m Scenario,
    pub(super) parameters: BTreeMap<String, String>,
    script: Arc<Script>,
    control: Option<(Errno, u32)>,
    digest: ScriptDigest,
}

/// A cell before it is written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point<'m> {
    pub(super) configuration: &'m Configuration,
    pub(super) kernel: &'m str,
    pub(super) path: &'m PathSpec,
    at: Coordinates,
    /// Index of the first configuration with the same machine: it is this one, perhaps in another arm.
    machine: usize,
    said: Said<'m>,
    pub(super) control: Option<&'m ControlKeys>,
}

impl Point<'_> {
    fn is_in_plain_arm(&self) -> bool {
        self.configuration.target.arm() == Arm::default()
    }

    /// On what it is measured, whatever it plays, whatever lies on the way and whatever its arm: hardware and kernel.
    pub(super) fn machine(&self) -> Machine {
        Machine { hardware: self.machine, kernel: self.at.kernel }
    }
}

/// A machine and a kernel, by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    hardware: usize,
    kernel: usize,
}

/// What the file says of a cell besides what it measures.
#[derive(Debug, Clone, Copy, Default)]
struct Said<'m> {
    sizes: Sizes,
    known: Option<&'m str>,
}

impl Said<'_> {
    /// This, and what it does not say from `other`.
    fn or(self, other: Self) -> Self {
        Self { sizes: self.sizes.or(other.sizes), known: self.known.or(other.known) }
    }
}

/// Where a point is on each axis, by index: points with equal coordinates are one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Coordinates {
    variant: usize,
    configuration: usize,
    kernel: usize,
    path: usize,
}

/// The crossed axes of one profile.
#[derive(Debug)]
pub(super) struct Expansion<'m> {
    matrix: &'m Matrix,
    profile: Option<&'m Layer>,
    variants: Vec<Variant<'m>>,
    by_digest: HashMap<(ScriptDigest, Option<(Errno, u32)>), usize>,
    points: Vec<Point<'m>>,
    by_coordinates: HashMap<Coordinates, usize>,
    places: Places<'m>,
    /// Per exclude (of the file, then of the profile), whether it matched anything.
    excluded: Vec<bool>,
}

/// The index of everything that a word of an axis can name.
#[derive(Debug)]
struct Places<'m> {
    /// By name.
    configurations: HashMap<&'m str, usize>,
    /// By configuration, the first one that has the same machine.
    machines: Vec<usize>,
    /// By name.
    paths: HashMap<&'m str, usize>,
    /// Every kernel word that was met.
    kernels: HashMap<&'m str, usize>,
}

impl<'m> Places<'m> {
    fn of(matrix: &'m Matrix) -> Self {
        let Matrix { configurations, paths, .. } = matrix;
        let mut alike: HashMap<String, usize> = HashMap::new();
        let machine = |(at, configuration): (usize, &Configuration)| {
            let machine =
                serde_json::to_string(&configuration.target.machine()).expect("plain data serialises");
            *alike.entry(machine).or_insert(at)
        };
        Self {
            machines: configurations.iter().enumerate().map(machine).collect(),
            configurations: configurations.iter().enumerate().map(|(at, c)| (c.name.as_str(), at)).collect(),
            paths: paths.iter().enumerate().map(|(at, path)| (path.name.as_str(), at)).collect(),
            kernels: HashMap::new(),
        }
    }

    fn kernel(&mut self, kernel: &'m str) -> usize {
        let next = self.kernels.len();
        *self.kernels.entry(kernel).or_insert(next)
    }
}

/// Why the axes cannot be crossed.
#[derive(Debug)]
pub(super) enum Uncrossable<'m> {
    /// A parameter's value does not go with the others.
    Value { word: Option<&'m Word>, wrong: Unresolved },
    /// Too many cells, with this scenario's.
    TooMany(&'m Word),
}

/// The words of one axis, by axis.
type Axes<'m> = BTreeMap<&'static str, &'m [Word]>;

impl<'m> Expansion<'m> {
    /// Crosses the axes of `profile` (`None`: of the file alone).
    pub(super) fn new(matrix: &'m Matrix, profile: Option<&'m Layer>) -> Result<Self, Vec<Uncrossable<'m>>> {
        let excludes = matrix.base.excludes.len() + profile.map_or(0, |layer| layer.excludes.len());
        let mut expansion = Self {
            matrix,
            profile,
            variants: Vec::new(),
            by_digest: HashMap::new(),
            points: Vec::new(),
            by_coordinates: HashMap::new(),
            places: Places::of(matrix),
            excluded: vec![false; excludes],
        };
        let mut obstacles = Vec::new();
        let axes = expansion.axes();
        for word in axes.get("scenario").copied().unwrap_or_default() {
            let (said, parameters) = expansion.scenario_keys(&word.text);
            expansion.cross(word, &parameters, &axes, said, &mut obstacles);
        }
        expansion.exclude();
        for include in expansion.includes() {
            expansion.include(include, &axes, &mut obstacles);
        }
        expansion.control(&mut obstacles);
        if obstacles.is_empty() { Ok(expansion) } else { Err(obstacles) }
    }

    fn axes(&self) -> Axes<'m> {
        let mut axes: Axes<'m> =
            self.matrix.base.axes.iter().map(|(axis, words)| (*axis, words.as_slice())).collect();
        for (axis, words) in self.profile.iter().flat_map(|layer| &layer.axes) {
            axes.insert(axis, words);
        }
        axes
    }

    /// What the profile says takes the place of what the file says.
    fn includes(&self) -> &'m [Include] {
        self.profile
            .and_then(|layer| layer.includes.as_deref())
            .or(self.matrix.base.includes.as_deref())
            .unwrap_or_default()
    }

    fn excludes(&self) -> impl Iterator<Item = &'m Exclude> + use<'m> {
        let matrix = self.matrix;
        let profile = self.profile;
        matrix.base.excludes.iter().chain(profile.into_iter().flat_map(|layer| &layer.excludes))
    }

    /// What is said of a scenario, and its parameter axes: the profile's over the file's, key by key.
    fn scenario_keys(&self, name: &str) -> (Said<'m>, Vec<(&'m str, &'m [Word])>) {
        let mut said = Said::default();
        let mut parameters: Vec<(&'m str, &'m [Word])> = Vec::new();
        for layer in std::iter::once(&self.matrix.base).chain(self.profile) {
            for (_, keys) in layer.scenarios.iter().filter(|(key, _)| key.name == name) {
                said = Said { sizes: keys.sizes, known: keys.known.as_deref() }.or(said);
                for (key, words) in &keys.parameters {
                    match parameters.iter_mut().find(|(known, _)| *known == key.name) {
                        Some((_, values)) => *values = words,
                        None => parameters.push((&key.name, words)),
                    }
                }
            }
        }
        (said, parameters)
    }

    /// The product of a scenario's parameters and the other axes.
    fn cross(
        &mut self,
        name: &'m Word,
        parameters: &[(&'m str, &'m [Word])],
        axes: &Axes<'m>,
        said: Said<'m>,
        obstacles: &mut Vec<Uncrossable<'m>>,
    ) {
        let Some(scenario) = self.matrix.library.get(&name.text) else { return };
        let combinations =
            parameters.iter().try_fold(1_usize, |product, (_, words)| product.checked_mul(words.len()));
        // A file of the host alone has no kernel, and its cells are as many as with one.
        let others: usize = ["configuration", "kernel", "path"]
            .iter()
            .map(|axis| axes.get(axis).map_or(0, |words| words.len()).max(usize::from(*axis == "kernel")))
            .product();
        let total = combinations.and_then(|n| n.checked_mul(others.max(1))).unwrap_or(usize::MAX);
        if total.saturating_add(self.points.len()) > MOST_CELLS {
            obstacles.push(Uncrossable::TooMany(name));
            return;
        }
        let combinations = combinations.unwrap_or(0);
        for index in 0..combinations {
            let chosen = choose(parameters, index);
            match self.variant(scenario, &chosen) {
                Ok(variant) => self.place(variant, axes, said),
                Err(wrong) => obstacles.extend(of_values(wrong, &chosen)),
            }
        }
    }

    /// The variant with these parameters; two spellings of the same script are one.
    fn variant(
        &mut self,
        scenario: &'m Scenario,
        chosen: &[(&'m str, &'m Word)],
    ) -> Result<usize, Vec<Unresolved>> {
        let given: BTreeMap<String, String> =
            chosen.iter().map(|(name, word)| ((*name).to_owned(), word.text.clone())).collect();
        let resolved = scenario.resolve(&given)?;
        let digest = ScriptDigest::of(&resolved.script);
        let next = self.variants.len();
        let index = *self.by_digest.entry((digest, resolved.control)).or_insert(next);
        if index == next {
            let parameters = scenario.complete(&given);
            let Resolved { script, control } = resolved;
            self.variants.push(Variant { scenario, parameters, script: Arc::new(script), control, digest });
        }
        Ok(index)
    }

    /// One point for every configuration, kernel and path. The host runs one kernel, whatever the axis says.
    fn place(&mut self, variant: usize, axes: &Axes<'m>, said: Said<'m>) {
        let matrix = self.matrix;
        let of = |axis: &str| axes.get(axis).copied().unwrap_or_default();
        for word in of("configuration") {
            let Some(&at) = self.places.configurations.get(word.text.as_str()) else { continue };
            let configuration = &matrix.configurations[at];
            let machine = self.places.machines[at];
            let kernels: Vec<&'m str> = match (&configuration.target, configuration.target.disk()) {
                (TargetSpec::Host(_), _) => vec![HOST_KERNEL],
                (TargetSpec::Qemu(_), Some(disk)) => vec![disk.kernel()],
                (TargetSpec::Qemu(_), None) => of("kernel").iter().map(|word| word.text.as_str()).collect(),
            };
            for kernel in kernels {
                let kernel_at = self.places.kernel(kernel);
                for word in of("path") {
                    let Some(&path_at) = self.places.paths.get(word.text.as_str()) else { continue };
                    let path = &matrix.paths[path_at];
                    let at = Coordinates { variant, configuration: at, kernel: kernel_at, path: path_at };
                    self.add(Point { configuration, kernel, path, at, machine, said, control: None });
                }
            }
        }
    }

    /// A point that is there already takes what is newly said of it.
    fn add(&mut self, point: Point<'m>) {
        match self.by_coordinates.entry(point.at) {
            Entry::Occupied(known) => {
                let known = &mut self.points[*known.get()];
                known.said = point.said.or(known.said);
            }
            Entry::Vacant(free) => {
                free.insert(self.points.len());
                self.points.push(point);
            }
        }
    }

    /// Removes the points that an exclude matches, and remembers which excludes did.
    fn exclude(&mut self) {
        let excludes: Vec<&Exclude> = self.excludes().collect();
        if excludes.is_empty() {
            return;
        }
        // The part of an exclude that speaks of a variant is decided once for the variant.
        let candidates: Vec<Vec<usize>> = self
            .variants
            .iter()
            .map(|variant| {
                let fits = |exclude: &Exclude| {
                    exclude.keys.iter().all(|(key, words)| fits_variant(key, words, variant))
                };
                (0..excludes.len()).filter(|index| fits(excludes[*index])).collect()
            })
            .collect();
        let mut excluded = std::mem::take(&mut self.excluded);
        self.points.retain(|point| {
            let mut keep = true;
            for &index in &candidates[point.at.variant] {
                if excludes[index].keys.iter().all(|(key, words)| fits_point(key, words, point)) {
                    excluded[index] = true;
                    keep = false;
                }
            }
            keep
        });
        self.excluded = excluded;
        self.by_coordinates =
            self.points.iter().enumerate().map(|(index, point)| (point.at, index)).collect();
    }

    fn include(&mut self, include: &'m Include, axes: &Axes<'m>, obstacles: &mut Vec<Uncrossable<'m>>) {
        let mut axes = axes.clone();
        for (axis, words) in &include.axes {
            axes.insert(axis, words);
        }
        let parameters: Vec<(&'m str, &'m [Word])> =
            include.parameters.iter().map(|(key, words)| (key.name.as_str(), words.as_slice())).collect();
        for word in axes.get("scenario").copied().unwrap_or_default() {
            let said = Said { sizes: include.sizes, known: include.known.as_deref() };
            let said = said.or(self.scenario_keys(&word.text).0);
            self.cross(word, &parameters, &axes, said, obstacles);
        }
    }

    /// Every control that the profile wants, once on every machine that a cell is on.
    fn control(&mut self, obstacles: &mut Vec<Uncrossable<'m>>) {
        let wanted = self.profile.and_then(|layer| layer.controls.as_deref());
        let is_wanted = |control: &&ControlKeys| {
            wanted.is_none_or(|words| words.iter().any(|word| word.text == control.name.name))
        };
        let matrix = self.matrix;
        let machines = self.machines();
        for control in matrix.controls.iter().filter(is_wanted) {
            let Some(scenario) = matrix.library.get(&control.scenario) else { continue };
            let chosen: Vec<(&'m str, &'m Word)> =
                control.parameters.iter().map(|(key, word)| (key.name.as_str(), word)).collect();
            match self.variant(scenario, &chosen) {
                Ok(variant) => {
                    for &point in &machines {
                        let at = Coordinates { variant, ..point.at };
                        let said = Said { sizes: control.sizes, known: None };
                        self.add(Point { at, said, control: Some(control), ..point });
                    }
                }
                Err(wrong) => obstacles.extend(of_values(wrong, &chosen)),
            }
        }
    }

    /// One point on every machine, in the plain arm where it has cells in that one, and over a path that does nothing: what lies on the way has no
    /// say in whether an errno is seen, and a control over a firewall would measure the firewall.
    fn machines(&self) -> Vec<Point<'m>> {
        let Matrix { paths, implicit_path, .. } = self.matrix;
        let is_plain: Vec<bool> = paths.iter().map(PathSpec::is_plain).collect();
        // Of each machine the point whose place a control takes, and the first plain path that its cells have.
        let mut order: Vec<(&Point<'m>, Option<usize>)> = Vec::new();
        let mut known: HashMap<Machine, (usize, bool)> = HashMap::new();
        for point in &self.points {
            let (at, in_plain_arm) = known.entry(point.machine()).or_insert_with(|| {
                order.push((point, None));
                (order.len() - 1, point.is_in_plain_arm())
            });
            let (first, near) = &mut order[*at];
            if !*in_plain_arm && point.is_in_plain_arm() {
                (*first, *in_plain_arm) = (point, true);
            }
            *near = near.or(is_plain[point.at.path].then_some(point.at.path));
        }
        let far = is_plain.iter().position(|is_plain| *is_plain);
        let over_plain_path = |(point, near): (&Point<'m>, Option<usize>)| {
            // Behind the last declared one is the one that is not declared.
            let at = near.or(far).unwrap_or(paths.len());
            let path = paths.get(at).unwrap_or(implicit_path);
            Point { path, at: Coordinates { path: at, ..point.at }, ..*point }
        };
        order.into_iter().map(over_plain_path).collect()
    }

    /// Whether any cell that is not a control is left.
    pub(super) fn has_cells(&self) -> bool {
        self.points.iter().any(|point| point.control.is_none())
    }

    /// Every exclude, and whether it matched a cell.
    pub(super) fn matched_excludes(&self) -> impl Iterator<Item = (&'m Exclude, bool)> {
        self.excludes().zip(self.excluded.iter().copied())
    }

    pub(super) fn points(&self) -> &[Point<'m>] {
        &self.points
    }

    pub(super) fn variant_of(&self, point: &Point<'m>) -> &Variant<'m> {
        &self.variants[point.at.variant]
    }

    /// Fills in what the programs of these points consist of.
    pub(super) fn pack(&mut self, points: &[Point<'m>]) -> Result<(), Problems> {
        let mut packer = Packer::default();
        let mut problems = Problems::default();
        let played: BTreeSet<usize> = points.iter().map(|point| point.at.variant).collect();
        for at in played {
            let Variant { scenario, parameters, script, digest, .. } = &mut self.variants[at];
            if script.program.is_none() {
                continue;
            }
            match packer.pack(scenario, parameters, Arc::make_mut(script)) {
                Ok(()) => *digest = ScriptDigest::of(script),
                Err(wrong) => problems.append(wrong),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What a point proves, where it is a control.
    pub(super) fn control_of(&self, point: &Point<'m>) -> Option<Control> {
        let (keys, (errno, ppm)) = point.control.zip(self.variant_of(point).control)?;
        Some(Control { name: keys.name.name.clone(), errno, expected_rate: f64::from(ppm) / 1e6 })
    }

    /// How many trials a point has. `asked` overrides every size.
    pub(super) fn trials_of(&self, point: &Point<'m>, settings: &Settings, asked: Option<u64>) -> u64 {
        let is_control = point.control.is_some() && self.variant_of(point).control.is_some();
        let default = if is_control { settings.control_trials } else { settings.trials };
        asked.or(point.said.sizes.trials).unwrap_or(default)
    }

    /// Writes a point out. `settings` are the profile's; `trials` overrides every size.
    pub(super) fn cell(&self, point: &Point<'m>, settings: &Settings, trials: Option<u64>) -> Cell {
        let variant = self.variant_of(point);
        let control = self.control_of(point);
        let dose = point.configuration.target.tuning().inject.as_ref().filter(|_| control.is_none());
        let dosed = dose.and_then(|dose| dose.into_script(&variant.script)).map(Arc::new);
        let digest = dosed.as_ref().map(|script| ScriptDigest::of(script));
        let subject = Subject {
            scenario: variant.scenario.name.clone(),
            parameters: variant.parameters.clone(),
            configuration: point.configuration.clone(),
            kernel: point.kernel.to_owned(),
            kernel_at: kernel_place(point.kernel, &self.matrix.kernels_from),
            path: point.path.clone(),
            machine: None,
            script: dosed.unwrap_or_else(|| Arc::clone(&variant.script)),
        };
        let default_blocks = if control.is_some() { settings.control_blocks } else { settings.blocks };
        let Said { sizes, known } = point.said;
        let known = known.or(self.matrix.known.get(&point.configuration.name).map(String::as_str));
        let trials = self.trials_of(point, settings, trials);
        let blocks = u64::from(sizes.blocks.unwrap_or(default_blocks)).min(trials) as u32;
        let in_flight = sizes
            .in_flight
            .or(settings.in_flight)
            .unwrap_or_else(|| own_pace(&subject.script, &subject.configuration));
        Cell {
            title: variant.scenario.title.clone(),
            claims: variant.scenario.claims.clone(),
            control,
            trials,
            blocks,
            in_flight,
            proof: variant.scenario.proof.clone(),
            alert: !variant.scenario.race,
            known: known.map(str::to_owned),
            ..Cell::identified(subject.id_with(digest.as_ref().unwrap_or(&variant.digest)), subject)
        }
    }
}

/// Each wrong value with the word that says it.
fn of_values<'m>(
    wrong: Vec<Unresolved>,
    chosen: &[(&'m str, &'m Word)],
) -> impl Iterator<Item = Uncrossable<'m>> {
    wrong.into_iter().map(|wrong| {
        let word = chosen.iter().find(|(name, _)| *name == wrong.parameter).map(|(_, word)| *word);
        Uncrossable::Value { word, wrong }
    })
}

/// The `index`-th combination of all values, the last parameter changing fastest.
fn choose<'m>(parameters: &[(&'m str, &'m [Word])], index: usize) -> Vec<(&'m str, &'m Word)> {
    let mut rest = index;
    let mut chosen: Vec<(&'m str, &'m Word)> = parameters
        .iter()
        .rev()
        .map(|(name, words)| {
            let word = &words[rest % words.len()];
            rest /= words.len();
            (*name, word)
        })
        .collect();
    chosen.reverse();
    chosen
}

fn any_matches(words: &[Word], text: &str) -> bool {
    words
        .iter()
        .any(|word| word.text == text || (!glob::is_plain(&word.text) && glob::matches(&word.text, text)))
}

/// Whether the part of an exclude that speaks of scenario and parameters fits; keys of other axes fit every variant.
fn fits_variant(key: &Key, words: &[Word], variant: &Variant<'_>) -> bool {
    match key.name.as_str() {
        "configuration" | "kernel" | "path" => true,
        "scenario" => any_matches(words, &variant.scenario.name),
        parameter => variant.parameters.get(parameter).is_some_and(|value| {
            any_matches(words, value)
                || words.iter().any(|word| variant.scenario.same_value(parameter, &word.text, value))
        }),
    }
}

fn fits_point(key: &Key, words: &[Word], point: &Point<'_>) -> bool {
    match key.name.as_str() {
        "configuration" => any_matches(words, &point.configuration.name),
        "kernel" => any_matches(words, point.kernel),
        "path" => any_matches(words, &point.path.name),
        _ => true,
    }
}
