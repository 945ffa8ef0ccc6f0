//! Plays a plan: schedule (pure), dispatcher, one block's state machine.
//!
//! Must not know TOML or rendering. Units: `Duration`.
//! Errors: a block's failure ends in a void with a reason; only a failing record stops a run, and its consumer says so.
//! Tests: beside the modules, with faked players; the real one in `tests/guest.rs` and `tests/qemu.rs`.

mod attempt;
mod block;
mod boots;
mod capturing;
mod dispatcher;
pub mod environment;
mod faults;
mod inspect;
#[cfg(test)]
mod kit;
mod laboratory;
mod patience;
mod proof;
mod schedule;
mod session;
mod stage;
mod stop;

pub use attempt::{Attempt, Boot};
pub use boots::Boots;
pub use dispatcher::{Dispatcher, Player};
pub use inspect::{InspectError, Inspection, Program};
pub use laboratory::Laboratory;
pub use schedule::schedule;
pub use stop::{Stop, Stopper, Why};
