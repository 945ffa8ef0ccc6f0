//! Every key of the matrix file, one row each; those of `[path.NAME]` are in `path/`.
//!
//! A key that is not a row here is refused, and a row is read somewhere in this room: `tests.rs` proves both.
//! Must not read a file. Units: in the rows. Errors: none. Tests: `tests.rs`.

pub(super) mod configuration;
pub(super) mod file;
mod row;

use std::ops::RangeInclusive;

pub use configuration::{CONFIGURATION_WORDS, ConfigurationWord};
pub use row::{KeyRow, KeyTable, Unsaid, ValueKind};

/// All tables of the file, in the order of a reference page.
pub const TABLES: &[KeyTable] = &[
    file::FILE,
    file::RUN,
    file::RUN_MARGINS,
    file::RUN_STOP,
    file::AXES,
    file::SCENARIO_KEYS,
    configuration::CONFIGURATION,
    configuration::CONFIGURATION_INJECT,
    configuration::CONFIGURATION_LOGIN,
    file::INCLUDE,
    file::EXCLUDE,
    file::CONTROL,
    file::PROFILE,
    file::ALERT,
    file::KNOWN_ISSUE,
    file::CLAIMS,
];

/// How many trials a cell can have.
pub const fn trial_bounds() -> RangeInclusive<u64> {
    file::TRIALS.bounds()
}

/// How many trials can be under way at once.
pub const fn in_flight_bounds() -> RangeInclusive<u64> {
    file::IN_FLIGHT.bounds()
}

#[cfg(test)]
mod tests;
