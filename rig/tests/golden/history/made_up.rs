//! Nights by the real writer: cells of the base program on bare metal, a run for each night.

use std::path::{Path, PathBuf};

use fs_err as fs;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rig::matrix::HOST_KERNEL;
use rig::path::PathSpec;
use rig::record::{Reader, Writer, list};
use rig_protocol::{Errno, Returned};

use crate::fixture::{BLOCK, Bench, Play, cell, turn};

/// Blocks of a cell.
pub(crate) const BLOCKS: u32 = 2;

/// A folder of nights.
pub(crate) struct Shelf {
    folder: tempfile::TempDir,
}

/// The night (from 0) that begins at two o'clock, from 1 June 2026 on.
fn day(night: usize) -> String {
    const MONTHS: [(u32, usize); 3] = [(6, 30), (7, 31), (8, 31)];
    let mut left = night;
    for (month, days) in MONTHS {
        if left < days {
            return format!("2026-{month:02}-{:02}", left + 1);
        }
        left -= days;
    }
    panic!("three months of nights");
}

pub(crate) fn id_of_night(night: usize) -> String {
    format!("{}-020000-{night:08x}", day(night).replace('-', ""))
}

impl Shelf {
    pub(crate) fn new() -> Self {
        // A hundred nights are thousands of files that are synced: in memory, where there is some.
        let made = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { folder: made.expect("a folder") }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    /// Plays a night of two cells.
    pub(crate) fn night(&self, night: usize, change: impl FnOnce(&mut Bench)) -> PathBuf {
        let mut bench = bench(night, 2);
        change(&mut bench);
        self.write(&bench)
    }

    /// As [`Bench::write`], without its schemas: a hundred nights would take minutes.
    pub(crate) fn write(&self, bench: &Bench) -> PathBuf {
        let mut writer = Writer::create(&self.results(), &bench.record).expect("a fresh folder");
        for (block, trials) in &bench.blocks {
            writer.block(block, trials).expect("written");
        }
        writer.end(if bench.complete { None } else { Some("interrupted") }).expect("written");
        writer.dir().to_owned()
    }

    /// The cells of the first night.
    pub(crate) fn cells(&self) -> Vec<String> {
        let run = Reader::open(&self.results().join(id_of_night(0))).expect("there");
        run.record.cells.iter().map(|record| record.cell.id.0.clone()).collect()
    }

    /// EBADF of a cell in each night: hits and trials of each block, counted here.
    pub(crate) fn counts(&self, cell: &str) -> Vec<Vec<(u64, u64)>> {
        let of_run = |id: &String| {
            let run = Reader::open(&self.results().join(id)).expect("there");
            let blocks = run.blocks.iter().filter(|block| block.cell.0 == cell);
            let hits = |returned: &std::collections::BTreeMap<Returned, u64>| {
                returned.get(&Returned::failed(Errno::EBADF)).copied().unwrap_or(0)
            };
            blocks.map(|block| (hits(&block.tally.returns), block.tally.trials)).collect()
        };
        list(&self.results()).iter().map(of_run).collect()
    }

    /// Files of the folder of the runs.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.results()).expect("listed").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A night of so many cells, played as a sound kernel would, with the fixture's thresholds out of the way.
pub(crate) fn bench(night: usize, cells: usize) -> Bench {
    let mut bench = Bench::new(&id_of_night(night), &[]);
    bench.record.started = format!("{}T02:00:00.000Z", day(night));
    bench.record.judgement.alert = [("any_error".to_owned(), 0.05)].into();
    for at in 0..cells {
        let mut cell = cell(Play::Base, "bare-metal", HOST_KERNEL);
        cell.subject.path = PathSpec::plain(&format!("path-{at}"), 1500);
        cell.id = cell.subject.id();
        (cell.blocks, cell.trials) = (BLOCKS, u64::from(BLOCKS) * BLOCK);
        bench.plan(cell);
    }
    bench.play_all();
    for (at, (block, _)) in bench.blocks.iter_mut().enumerate() {
        block.started = format!("{}T02:{:02}:{:02}.000Z", day(night), 1 + at / 50, at % 50);
    }
    bench
}

/// Turns so many trials of the first block of a cell into EBADF.
pub(crate) fn hit(bench: &mut Bench, cell: usize, hits: u64) {
    hit_block(bench, cell * BLOCKS as usize, hits);
}

fn hit_block(bench: &mut Bench, at: usize, hits: u64) {
    if hits > 0 {
        turn(&mut bench.blocks[at].0, hits, Errno::EBADF);
    }
}

pub(crate) fn draws(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Hits of a block by Polya's urn.
pub(crate) fn clustered(draws: &mut ChaCha8Rng, rate: f64, icc: f64) -> u64 {
    (0..BLOCK).fold(0, |hits, trial| {
        let chance = (rate * (1.0 - icc) + hits as f64 * icc) / (1.0 - icc + trial as f64 * icc);
        hits + u64::from(draws.random::<f64>() < chance)
    })
}

/// Twenty noisy cells and one, the fifth, that fails in no trial until night 40 and in 3 of 1,000 from then on, with another kernel of the host; and its id.
pub(crate) fn sixty() -> (Shelf, String) {
    const WORSE: usize = 4;
    let shelf = Shelf::new();
    let mut draws = draws(20_261_127);
    let mut id = String::new();
    for night in 0..60 {
        let mut bench = bench(night, 21);
        for cell in 0..21 {
            for block in 0..BLOCKS as usize {
                // Rates from 0.1 % to 2 %, in clusters.
                let noise = 0.001 * (1.0 + cell as f64);
                let hits = match (cell, night) {
                    (WORSE, 0..40) => 0,
                    (WORSE, _) => clustered(&mut draws, 0.003, 0.001),
                    _ => clustered(&mut draws, noise, 0.003),
                };
                hit_block(&mut bench, cell * BLOCKS as usize + block, hits);
            }
        }
        if night >= 40 {
            bench.record.environment.host.kernel = "6.1.0-45-amd64".into();
        }
        id = bench.record.cells[WORSE].cell.id.0.clone();
        shelf.write(&bench);
    }
    (shelf, id)
}
