//! Many runs as one history: trends, steps with a budget of false alarms, what keeps failing, what changed in between.
//!
//! Holds a database that is derived from a folder of runs, and what follows from it; a run's own judgement is `analysis`'s. Must not know formats or terminals. Units: shares of 1,
//! nanoseconds, nights. Errors: [`HistoryError`]; it blames the database's file, the disk, or the name that was given. Tests: `tests/golden/history.rs`, and beside the modules.

mod alerts;
mod answer;
mod assemble;
mod database;
mod error;
mod flakes;
mod frame;
mod latencies;
pub mod model;
mod notices;
mod order;
mod refresh;
mod series;
mod steps;
mod stored;

pub use assemble::{Asked, assemble};
pub use database::{Database, FILE};
pub use error::HistoryError;
pub use model::History;
pub use notices::{Notice, notify};
pub use refresh::{Refreshed, refresh};
