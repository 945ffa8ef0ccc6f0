//! A laboratory and its attempts, for tests that play blocks themselves.
//!
//! Must not know what a test looks for: what differs from here is said there, by struct update.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rig::configuration::{Engine, Resolved};
use rig::image::{Disks, GuestKeys};
use rig::machine::qemu::Remains;
use rig::matrix::Cell;
use rig::path::Mechanisms;
use rig::record::Layout;
use rig::record::format::{BlockId, CaptureWhen};
use rig::runner::{Attempt, Laboratory};

/// Reaching it is a failure of what is tested, not of a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A laboratory that logs into `results`, an empty folder. It has no image; guests would be emulated, and every mechanism is taken for granted.
pub(crate) fn laboratory(results: &Path) -> Laboratory {
    for folder in Layout::FOLDERS {
        fs_err::create_dir(results.join(folder)).expect("an empty folder");
    }
    let private = tempfile::tempdir().expect("a folder");
    Laboratory {
        images: HashMap::new(),
        disks: Disks::default(),
        accelerator: Resolved { engine: Engine::Tcg, reason: "this is a test".to_owned() },
        mechanisms: Mechanisms::all(),
        qemu: PathBuf::from("qemu-system-x86_64"),
        keys: GuestKeys::generate(),
        agent: rig::agent::install(private.path()).expect("a file"),
        private,
        results: results.to_owned(),
        block_deadline: DEADLINE,
        boot_deadline: DEADLINE,
        gdb: None,
        cores: None,
        remains: Remains::default(),
        keep_examples: 1,
        keep_anomalies: 10,
        capture: CaptureWhen::Never,
    }
}

/// The first try at a block of so many trials of this cell.
pub(crate) fn attempt(cell: &Cell, trials: u64) -> Attempt {
    let id = BlockId(format!("{}-0", cell.id));
    Attempt::alone(id, cell.clone(), 7, trials)
}
