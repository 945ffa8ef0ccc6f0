//! Plays a plan: schedule (pure), dispatcher, one block's state machine.
//!
//! Must not know TOML or rendering. Units: `Duration`.
//! Errors: a block's failure ends in a void with a reason; only a failing record stops a run, and its consumer says so.
//! Tests: beside the modules, with faked players; the real one in `tests/guest.rs` and `tests/qemu.rs`.

mod capturing;
mod dispatcher;
pub mod environment;
mod faults;
mod laboratory;
mod schedule;
mod session;
mod stage;
mod stop;
mod visit;

pub use dispatcher::{Attempt, Dispatcher, Player};
pub use laboratory::Laboratory;
pub use schedule::schedule;
pub use stop::{Stop, Stopper, Why};
pub use visit::{Errand, Visit, VisitError};
