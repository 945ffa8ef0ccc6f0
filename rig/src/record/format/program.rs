//! A user's program in the record: what was started ([`PlannedProgram`]), the sums of a block ([`ProgramSums`]), a trial kept whole ([`KeptProgram`]).
//!
//! Own shapes, with words for the kernel's numbers; in memory they are those of `rig-protocol`. Must not know how a program is packed or watched.
//! Units: in the keys. Errors: a sentence. Tests: here.

mod planned;
mod sums;
mod trial;

pub use planned::{PlannedPart, PlannedProgram};
pub use sums::{AccountCount, CallSite, ProgramSums};
pub use trial::{KeptCall, KeptProgram, KeptWords};

#[cfg(test)]
mod tests;
