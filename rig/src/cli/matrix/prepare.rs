//! What stands between the cells that were asked for and the first block: images, abilities of the host, plan, record.
//!
//! The first half runs on the host's network, the second inside the enclosure. Must not know how a block is played.
//! Errors: [`Failure`]: 2 for a run that cannot be resumed, 4 for a host that cannot do it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cli::image::ensure_image;
use crate::cli::report::blame;
use crate::cli::{Exit, Failure};
use crate::configuration::{Abilities, Accelerator, Engine, Lack, Localtime, Needs, Resolved};
use crate::document::Problems;
use crate::image::{Cache, GuestKeys, Image, Overlay, Recipes, build};
use crate::machine::qemu::ProbeError;
use crate::machine::qemu::probe::{self, Lateness, PROBE_DEADLINE, ProbeKit};
use crate::matrix::{Cell, HOST_KERNEL, Matrix, Plan, Selected};
use crate::path::Mechanisms;
use crate::process::QEMU;
use crate::record::format::{
    BlockRecord, CaptureWhen, CellRecord, Conduct, Environment, FORMAT, ImageRecord, Judgement, RunRecord,
};
use crate::record::{self, Writer};
use crate::runner::{Laboratory, environment, schedule};
use crate::{agent, capability, clock, process};

/// From QEMU's start to `rig: ready`: under TCG on a busy host it takes some seconds; in a rehearsal, where one now and then never comes up, up to
/// a minute.
fn boot_deadline() -> Duration {
    Duration::from_secs(if clock::is_rehearsed() { 180 } else { 90 })
}

/// The same for one guest of a probe, which is tried again; it takes half a minute on a machine that does nothing else.
const REHEARSED_PROBE_DEADLINE: Duration = Duration::from_secs(120);

/// Kept whole of each outcome: so many examples, so many anomalies.
const KEEP_EXAMPLES: u32 = 3;
const KEEP_ANOMALIES: u32 = 1_000;

/// `I/N`: the I-th of N parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no part: give I/N with 1 <= I <= N, like 2/3");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if (1..=shard.of).contains(&shard.index) { Ok(shard) } else { Err(wrong()) }
    }
}

impl Shard {
    /// Cells are dealt out in the order of their ids, so that every machine of a sharded run deals the same.
    fn take(self, cells: Vec<Cell>) -> Vec<Cell> {
        let mut order: Vec<&Cell> = cells.iter().collect();
        order.sort_by(|a, b| a.id.cmp(&b.id));
        let mine: HashSet<_> =
            order.into_iter().skip(self.index - 1).step_by(self.of).map(|cell| cell.id.clone()).collect();
        cells.into_iter().filter(|cell| mine.contains(&cell.id)).collect()
    }
}

/// A run whose images are there, and whose enclosure is not yet.
pub(in crate::cli) struct Prepared {
    work: Work,
    /// The file that asks for the cells; none where a recorded one cannot be read again (a scenario file of the user's is gone).
    matrix: Option<Matrix>,
    images: HashMap<String, Image>,
    abilities: Abilities,
}

/// A run that can begin.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) laboratory: Laboratory,
    pub(in crate::cli) writer: Writer,
    pub(in crate::cli) run: RunRecord,
    pub(in crate::cli) done: Vec<BlockRecord>,
    /// Where the matrix file asks for what cells are skipped for: their paths cannot be made here.
    pub(in crate::cli) unmet: Problems,
}

enum Work {
    New { cells: Vec<Cell>, draft: Box<RunRecord> },
    Again { run_dir: PathBuf },
}

impl Prepared {
    /// A new run of these cells.
    pub(in crate::cli) fn anew(
        matrix: &Matrix,
        selected: Selected,
        shard: Option<Shard>,
        seed: Option<u64>,
        capture: CaptureWhen,
    ) -> Result<Self, Failure> {
        let seed = seed.unwrap_or_else(|| ChaCha8Rng::from_os_rng().next_u64());
        let settings = selected.settings;
        let cells = match shard {
            Some(shard) => shard.take(selected.cells),
            None => selected.cells,
        };
        let abilities = look(&cells);
        let images = images_for(cells.iter(), &abilities)?;
        let draft = RunRecord {
            format: FORMAT,
            id: clock::run_id(seed),
            seed,
            started: clock::now(),
            rig_version: env!("CARGO_PKG_VERSION").to_owned(),
            agent_build_id: agent::build_id().to_owned(),
            command_line: std::env::args().collect(),
            profile: selected.profile,
            matrix: matrix.text().to_owned(),
            judgement: Judgement {
                confidence: settings.confidence,
                margin: settings.margin,
                alert: matrix.alert().clone(),
            },
            conduct: Conduct {
                retries: settings.retries,
                block_deadline_ms: u64::try_from(settings.block_deadline.as_millis()).unwrap_or(u64::MAX),
                keep_examples: KEEP_EXAMPLES,
                keep_anomalies: KEEP_ANOMALIES,
                capture,
            },
            environment: Environment::default(),
            images: images.iter().map(|(name, image)| (name.clone(), image_record(image))).collect(),
            cells: vec![],
            blocks: vec![],
        };
        let matrix = Some(matrix.clone());
        Ok(Self { work: Work::New { cells, draft: Box::new(draft) }, matrix, images, abilities })
    }

    /// The rest of a run that was interrupted, on the same agent and the same images.
    pub(in crate::cli) fn again(results: &Path, run: &str) -> Result<Self, Failure> {
        let run_dir = record::find(results, run).map_err(blame)?;
        let old = record::Reader::open(&run_dir).map_err(blame)?.record;
        if old.agent_build_id != agent::build_id() {
            return Err(Failure::say(
                Exit::Input,
                format!("run {} was begun with another guest agent than the one in this rig", old.id),
                "go on with the rig that began it, or begin a new run: two agents in one run are no fair comparison",
            ));
        }
        let abilities = look(old.cells.iter().map(|cell| &cell.cell));
        let ready = old.cells.iter().filter(|cell| cell.skipped.is_none()).map(|cell| &cell.cell);
        let images = images_for(ready, &abilities)?;
        for (name, image) in &images {
            if old.images.get(name).is_none_or(|then| then.digest != image.digest) {
                return Err(Failure::say(
                    Exit::Input,
                    format!("run {} was begun with another image {name} ({})", old.id, image.package),
                    "begin a new run: two kernels under one name are no fair comparison",
                ));
            }
        }
        let name = format!("matrix.toml of run {}", old.id);
        let matrix = Matrix::parse(&name, &old.matrix, Path::new(".")).ok();
        Ok(Self { work: Work::Again { run_dir }, matrix, images, abilities })
    }

    /// Inside the enclosure: finds out what executes guests, makes the plan and opens the record.
    pub(in crate::cli) async fn open(mut self, results: &Path) -> Result<Opened, Failure> {
        let keys = GuestKeys::generate();
        let by_name: BTreeMap<&String, &Image> = self.images.iter().collect();
        let accelerator = accelerator(by_name.into_values().next(), &keys).await.map_err(Failure::testbed)?;
        self.abilities.accelerator = Some(accelerator.clone());
        let explain = |cells: &[CellRecord]| match &self.matrix {
            Some(matrix) => matrix.explain_lacks(&lacks(cells, &self.abilities)),
            None => Problems::default(),
        };
        let (writer, run, done) = match self.work {
            Work::New { cells, draft } => {
                let run = plan(*draft, cells, &self.abilities, &accelerator);
                if !has_ready(&run.cells) {
                    return Err(nothing_ready(&run.cells).showing(explain(&run.cells)));
                }
                (Writer::create(results, &run).map_err(Failure::testbed)?, run, vec![])
            }
            Work::Again { run_dir } => Writer::resume(&run_dir).map_err(blame)?,
        };
        let unmet = explain(&run.cells);
        let mechanisms = self.abilities.mechanisms;
        let laboratory = laboratory(&run.conduct, writer.dir(), self.images, accelerator, mechanisms, keys)?;
        Ok(Opened { laboratory, writer, run, done, unmet })
    }
}

/// Whether any cell that was asked for can be run. Controls prove what cells find: alone they count only where nothing else was asked for.
fn has_ready(cells: &[CellRecord]) -> bool {
    let only_controls = cells.iter().all(|cell| cell.cell.control.is_some());
    cells.iter().any(|cell| cell.skipped.is_none() && (only_controls || cell.cell.control.is_none()))
}

/// No cell is ready: why.
fn nothing_ready(cells: &[CellRecord]) -> Failure {
    let reasons: BTreeSet<&str> = cells.iter().filter_map(|cell| cell.skipped.as_deref()).collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    Failure::say(
        Exit::Testbed,
        format!("this host can run none of the cells: {}", reasons.join("; ")),
        "`rig doctor` says what is missing and what to do about it",
    )
}

/// Ready and skipped cells, and the blocks of the ready ones.
fn plan(draft: RunRecord, cells: Vec<Cell>, abilities: &Abilities, accelerator: &Resolved) -> RunRecord {
    let plan = Plan::make(cells, &|cell| lack(abilities, cell));
    let blocks = schedule(plan.ready(), draft.seed);
    let cells = plan.cells.into_iter().map(|planned| CellRecord {
        cell: planned.cell,
        skipped: planned.skipped.map(|lack| lack.to_string()),
    });
    RunRecord {
        environment: Environment {
            host: environment::host(),
            qemu: abilities.qemu.as_ref().map(|version| version.0.clone()).unwrap_or_default(),
            // Nothing was probed for a run without guests.
            accelerator: if draft.images.is_empty() { "none" } else { accelerator.engine.word() }.to_owned(),
            accelerator_reason: accelerator.reason.clone(),
            sysctls: environment::sysctls(),
            rehearsed: clock::is_rehearsed(),
        },
        cells: cells.collect(),
        blocks,
        ..draft
    }
}

/// Why this cell cannot be run here, if it cannot.
pub(in crate::cli) fn lack(abilities: &Abilities, cell: &Cell) -> Option<Lack> {
    abilities.lack_of(&cell.subject.configuration.target, &cell.subject.path)
}

/// Everything that blocks share.
pub(in crate::cli) fn laboratory(
    conduct: &Conduct,
    run_dir: &Path,
    images: HashMap<String, Image>,
    accelerator: Resolved,
    mechanisms: Mechanisms,
    keys: GuestKeys,
) -> Result<Laboratory, Failure> {
    let unusable = |error: std::io::Error| {
        Failure::say(
            Exit::Testbed,
            format!("no private folder for the agent: {error}"),
            "see `df -h /run /tmp`",
        )
    };
    let private = process::new_run_dir().map_err(unusable)?;
    let agent = agent::install(private.path()).map_err(unusable)?;
    let results = run_dir.canonicalize().map_err(unusable)?;
    Ok(Laboratory {
        images,
        accelerator,
        mechanisms,
        qemu: PathBuf::from(QEMU),
        keys,
        agent,
        private,
        results,
        block_deadline: Duration::from_millis(conduct.block_deadline_ms) * clock::patience(),
        boot_deadline: boot_deadline(),
        keep_examples: conduct.keep_examples,
        keep_anomalies: conduct.keep_anomalies,
        capture: conduct.capture,
    })
}

/// What this host can do for these cells, but for the accelerator, which costs a boot. What none of them needs is not looked at.
pub(in crate::cli) fn look<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Abilities {
    let subjects = cells.into_iter().map(|cell| &cell.subject);
    capability::look(&Needs::of(subjects.map(|subject| (&subject.configuration.target, &subject.path))))
}

/// What cells are skipped for, with the names of their paths.
fn lacks(cells: &[CellRecord], abilities: &Abilities) -> Vec<(String, Lack)> {
    let skipped = cells.iter().filter(|record| record.skipped.is_some()).map(|record| &record.cell);
    skipped.filter_map(|cell| Some((cell.subject.path.name.clone(), lack(abilities, cell)?))).collect()
}

/// The images of the kernels of these cells, built where they are missing; on the host's network.
pub(in crate::cli) fn images_for<'a>(
    cells: impl Iterator<Item = &'a Cell>,
    abilities: &Abilities,
) -> Result<HashMap<String, Image>, Failure> {
    let kernels: BTreeSet<&str> = cells
        .filter(|cell| lack(abilities, cell).is_none())
        .map(|cell| cell.subject.kernel.as_str())
        .filter(|kernel| *kernel != HOST_KERNEL)
        .collect();
    kernels.into_iter().map(|kernel| Ok((kernel.to_owned(), ensure_image(kernel)?))).collect()
}

fn image_record(image: &Image) -> ImageRecord {
    ImageRecord {
        package: image.package.clone(),
        release: image.release.clone(),
        digest: image.digest.clone(),
    }
}

/// What `auto` stands for, by booting a guest of this image (or from the kept answer of such a boot).
pub(in crate::cli) async fn accelerator(
    image: Option<&Image>,
    keys: &GuestKeys,
) -> Result<Resolved, ProbeError> {
    let Some(image) = image else {
        return Ok(Resolved { engine: Engine::Tcg, reason: "no guest was asked for".to_owned() });
    };
    let cache = Cache::of_user().map_err(|error| ProbeError::NoCache { reason: error.to_string() })?;
    probe::resolve(
        Accelerator::Auto,
        &probe_kit(image, &cache, Overlay::new(keys, Localtime::Present).to_cpio()),
    )
    .await
}

/// What `auto` stands for, as far as it is known without booting a guest: for plans.
pub(in crate::cli) fn known_accelerator() -> Option<Resolved> {
    let cache = Cache::of_user().ok()?;
    let recipes = Recipes::default();
    let image = recipes.guests().iter().find_map(|name| build::cached(&cache, &recipes.load(name).ok()?))?;
    probe::known(&probe_kit(&image, &cache, vec![]))
}

fn probe_kit(image: &Image, cache: &Cache, overlay: Vec<u8>) -> ProbeKit {
    ProbeKit {
        qemu: PathBuf::from(QEMU),
        kernel: image.kernel.clone(),
        initramfs: image.initramfs.clone(),
        overlay,
        cache: cache.root().join(probe::FOLDER),
        within: if clock::is_rehearsed() { REHEARSED_PROBE_DEADLINE } else { PROBE_DEADLINE },
        device: PathBuf::from("/dev/kvm"),
        lateness: if clock::is_rehearsed() { Lateness::Chance } else { Lateness::Answer },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_and_disjoint() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "a/b", "3", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let cells = matrix.cells(&crate::matrix::Selection::default()).expect("valid");
        let mut together: Vec<_> = (1..=3)
            .flat_map(|index| Shard { index, of: 3 }.take(cells.clone()))
            .map(|cell| cell.id)
            .collect();
        together.sort();
        let mut all: Vec<_> = cells.into_iter().map(|cell| cell.id).collect();
        all.sort();
        assert_eq!(together, all);
    }
}
