//! What an errno means, who can set it, and how to tell: for the person on call who has one log line.
//!
//! Holds the names of errnos, the embedded explanations (one file per errno in `rig/explain/`) and how an answer is written. Must not know
//! files or runs: what a run saw is given to it.
//! Units: counts; shares of 1 in, per cent out. Errors: [`NotAnErrno`]; it blames who asked.
//! Tests: beside the modules, and `tests/golden/explained.rs`.

mod answer;
mod catalogue;
mod find;
mod measured;
mod name;
mod text;

pub use answer::{Answer, FORMAT, FORMAT_MINOR};
pub use catalogue::{Catalogue, Explanation, LiveCommand, Source, Who};
pub use find::{NotAnErrno, find};
pub use name::Named;
