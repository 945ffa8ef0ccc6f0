//! From matrix.toml to complete cells and a plan.
//!
//! Holds the keys of the file, its reading and verifying, the crossing of its axes, filters, and the plan (ready or skipped, with reasons).
//! Must not know how anything is carried out. Units: as the keys say.
//! Errors: diagnostics with file, line, column, label and hint; they blame the file, flag or filter, all at once.
//! Tests: `tests.rs` and beside the modules; wrong files in `tests/diagnostics.rs`.

mod baseline;
mod cell;
mod configuration;
mod crossed;
mod decidable;
mod declared;
mod disk;
mod excerpt;
mod expand;
mod filter;
mod glob;
mod hardware;
mod host;
mod kernel;
pub mod keys;
mod layer;
mod library;
mod load;
mod machines;
mod offered;
mod pace;
mod pack;
mod pairs;
mod path;
mod plan;
mod power;
mod power_plan;
mod read;
mod rounds;
mod select;
mod settings;
mod sharing;
mod stop;
mod sysctl;
mod verify;
mod versus;
mod watch;

pub use baseline::Baseline;
pub use cell::{ButForKernel, Cell, CellId, Control, HOST_KERNEL, Stratum, Subject};
pub use decidable::Undecidable;
pub use declared::Matrix;
pub use excerpt::Excerpt;
pub use filter::Filter;
pub use glob::matches as glob_matches;
pub use kernel::{is_kernel_path, kernel_place};
pub use keys::file::MOST_TRIALS;
pub use load::{DEFAULT_FILE, EMBEDDED, PathFile};
pub use machines::{Machine, MachineFile};
pub use pace::own_pace;
pub use pack::Packer;
pub use pairs::{Pair, QUESTIONS, design, kernel_pairs, pairs};
pub use path::keys as path_keys;
pub use plan::{Cost, Plan, PlannedCell, Start, cost_of, cost_of_block};
pub use power::WeakControl;
pub use power_plan::{Alike, Bound, Fix, POWER, PlannedPower, Wanted, shows_a_fix};
pub use rounds::{rounds, rounds_of};
pub use select::{Selected, Selection};
pub use settings::Settings;
pub use sharing::{BootKey, shares_boot};
pub use stop::StopRule;
pub use watch::{KnownIssue, Watch};

#[cfg(test)]
mod tests;
