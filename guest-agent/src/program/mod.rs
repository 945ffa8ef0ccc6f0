//! A user's program as the client: starting it in every trial, watching its calls, and what the trial came to.
//!
//! Holds everything between a worker that has a trial to play and the ledger that counts it. Must not speak with the controller.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: a reason in words: before the first trial a refusal, later a void trial.
//! Tests: below, and `tests/program`.

mod calls;
pub(crate) mod check;
mod decode;
mod descriptors;
mod elf;
mod libc_errno;
mod outcome;
mod player;
mod prepare;
mod redirect;
mod restart;
mod says;
mod stream;
mod tracepoint;
mod tracer;

pub(crate) use outcome::Ran;
pub(crate) use player::{Played, play};
pub(crate) use prepare::Prepared;
