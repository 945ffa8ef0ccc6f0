//! Plays a plan: schedule (pure), dispatcher, one block's state machine.
//!
//! Must not know TOML or rendering. Units: `Duration`. Errors: a block's end in a void with a reason; only a failing record stops a run.
//! Tests: beside the modules, with faked targets.
