//! All commands and arguments, for the commands that tell of the others: manual pages and completion.
//!
//! They are declared in `mod.rs`, which uses every command: it leaves here how they are made, so that no file uses one that uses it.
//! Must not know any command. Units: none. Errors: none. Tests: those of `man.rs` and `complete/mod.rs`.

use std::sync::OnceLock;

use clap::Command;

static MAKE: OnceLock<fn() -> Command> = OnceLock::new();

/// Keeps how they are made; the first call counts, as there is one program.
pub(super) fn is_made_by(make: fn() -> Command) {
    let _ = MAKE.set(make);
}

/// All of them, without examples and exit codes.
pub(super) fn program() -> Command {
    MAKE.get().expect("the command line leaves it here before it runs a command")()
}
