//! The shipped matrix on the host's own kernel: every path does to its program what the file expects of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use rig::matrix::{Cell, Filter, Matrix, Selection};
use rig::path::Mechanism;
use rig::testbed::probe;

use crate::play::{play_cell, say_skipped, skipped};

const SHIPPED: &str = include_str!("../../../matrix.toml");

/// Trials of each cell: enough to see that it ends so, and all under way together where a fault comes once.
const TRIALS: u64 = 20;

/// Blocks at once; their trials sleep most of the time.
const AT_ONCE: usize = 4;

/// The cells of the host whose path does something, each once.
fn cells() -> Vec<Cell> {
    let matrix = Matrix::parse("matrix.toml", SHIPPED, Path::new(".")).expect("valid");
    let selection = Selection {
        profile: Some("nightly".into()),
        filters: Filter::parse_all(&["configuration=bare-metal".to_owned()]).expect("a filter"),
        trials: Some(TRIALS),
    };
    let mut cells = matrix.cells(&selection).expect("cells");
    // The kernel's own patience with a SYN is two minutes: the same with one retry is among them.
    let takes_minutes = |cell: &Cell| cell.subject.parameters.get("retries").is_some_and(|n| n == "6");
    cells.retain(|cell| cell.control.is_none() && !cell.subject.path.is_plain() && !takes_minutes(cell));
    for cell in &mut cells {
        cell.in_flight = u32::try_from(TRIALS).expect("few");
    }
    cells
}

/// Whether this host cannot show it; and says so. A kernel without netem or without vsock is no host without a tier: the rehearsal plays those paths.
fn cannot_be_shown(cell: &Cell) -> bool {
    let path = &cell.subject.path;
    let demands_netem = path.impairments.as_ref().is_some_and(|made| made.mechanism == Mechanism::Netem);
    let of_kernel =
        [demands_netem.then(probe::netem), cell.subject.script.is_over_vsock().then(probe::vsock_loopback)];
    if let Some(why) = of_kernel.into_iter().flatten().find_map(Result::err) {
        let _ = writeln!(std::io::stderr(), "not on this host: {}: {why}", cell.describe());
        return true;
    }
    let nft = (!path.rules.is_empty()).then(probe::nft);
    let haproxy = path.haproxy.is_some().then(probe::haproxy);
    let lacking = [nft, haproxy].into_iter().flatten().find_map(Result::err);
    if let Some(why) = &lacking {
        say_skipped(&cell.describe(), why);
    }
    lacking.is_some()
}

#[test]
fn every_shipped_path_does_what_its_cells_expect() {
    if skipped("the shipped paths") {
        return;
    }
    let cells = cells();
    let paths: BTreeSet<&str> = cells.iter().map(|cell| cell.subject.path.name.as_str()).collect();
    assert!(paths.len() > 30, "{paths:?}");
    let (waiting, wrong) = (Mutex::new(cells.iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().expect("no panic").next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = next() {
                    if cannot_be_shown(cell) {
                        continue;
                    }
                    let played = play_cell(cell);
                    let tally = &played.record.tally;
                    if (played.reason(), tally.trials, tally.anomalies) != (None, TRIALS, 0) {
                        let found = (played.reason(), &tally.outcomes, &tally.voids);
                        wrong.lock().expect("no panic").push(format!("{}: {found:?}", cell.describe()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
