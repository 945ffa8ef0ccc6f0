//! The scenario language: TOML file -> scenario with open parameters -> the script that agents play, and its one-line text form.
//!
//! The way of a file, one module each: `read` takes its keys (`keys` has the list) into a `template` (`reader` is what it knows so far, `step` and `value` read
//! the smaller pieces), `check` asks what the steps mean together. The way of a cell: `resolve` admits the values of parameters, completes
//! them by the defaults and fills them in; `outcome` asks whether what is expected can happen, `timing` whether its times fit to each other. `text` prints, `catalogue` has what is shipped.
//! Must not know matrices or how steps are carried out. Units: nanoseconds inside, `5ms` outside.
//! Errors: diagnostics with file, line, column, label and hint; they blame the scenario file, or whoever gave a parameter its value.
//! Tests: `tests.rs` and beside the modules; wrong files in `tests/diagnostics.rs`.

mod atlas;
mod catalogue;
mod check;
pub mod keys;
mod outcome;
mod program;
mod read;
mod reader;
mod resolve;
mod step;
mod template;
mod text;
mod timing;
mod value;

pub use crate::document::Wrong;
pub use atlas::{is_pair, pair_of, pairs, probes, situations};
pub use catalogue::{Catalogue, is_path, shipped, shipped_names, shipped_text};
pub use program::{ProgramFiles, ProgramKey};
pub use read::is_claim_id;
pub use resolve::Unresolved;
pub use template::{Parameter, Resolved, Scenario};
pub use text::{describe_lane, describe_operations, describe_step};
pub use value::{parse_delay, parse_errno, parse_rate};
pub(crate) use value::{parse_share, spelled};

/// Why no trial of the target can end as a pattern of outcomes says, and what to try; none where one can.
pub fn cannot_end_as(script: &rig_protocol::Script, pattern: &str) -> Option<Wrong> {
    let impossible =
        if script.program.is_some() { None } else { outcome::Possible::of_target(script).refuse(pattern) };
    impossible.map(|why| Wrong::with_help(why.message, why.help))
}

#[cfg(test)]
mod tests;
