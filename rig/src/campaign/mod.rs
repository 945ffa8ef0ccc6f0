//! A campaign: what a run is, from what was asked for to the report on disk.
//!
//! Holds its one flow (`run.rs`: read, expand, look, open, conduct, report) and its pieces, which `rig guest`, `rig scenario run`, `rig bench` and
//! `rig doctor` use too. Must not print, parse arguments or know exit codes. Units: `Duration`.
//! Errors: [`CampaignError`], which says whom it blames. Tests: whole runs, `tests/netns.rs`, `tests/guest.rs`, `tests/trouble`, `tests/cli_input.rs`.

mod accelerator;
mod claims;
mod conduct;
mod cores;
mod disks;
mod enclosed;
mod error;
mod examine;
mod hardware;
mod history;
mod host;
mod inspect;
mod kernels;
mod laboratory;
mod lock;
mod measure;
mod once;
mod open;
mod order;
mod prepare;
mod programs;
mod report;
mod run;
mod shard;
mod supply;
mod watcher;

pub use accelerator::known_accelerator;
pub use claims::claims_for;
pub use enclosed::enclosed_runtime;
pub use error::{Blame, CampaignError};
pub use examine::examine;
pub use hardware::check_hardware;
pub use history::{Nights, Watched, watch_nights, write_history};
pub use host::{abilities_for, lack};
pub use inspect::{Core, Inspected, Site, Stub};
pub use lock::{draw_seed, lock};
pub use measure::measure;
pub use once::{Alone, Once, play_once, play_once_and};
pub use order::{AfterVoid, Asked, NewRun, Order, Work};
pub use report::{carried, read_report, write_comparison, write_reports};
pub use run::{Ended, run};
pub use shard::{Costs, DividedBy, Division, Shard};
pub use watcher::Watcher;
