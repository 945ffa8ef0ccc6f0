//! `rig completions SHELL`

use clap_complete::Shell;

use super::output::print;
use super::{Exit, Failure};

/// Arguments of `rig completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    shell: Shell,
}

/// `command`: all of rig's arguments.
pub(super) fn run(arguments: Arguments, mut command: clap::Command) -> Result<Exit, Failure> {
    // Not straight to standard output: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "rig", &mut script);
    print(&String::from_utf8_lossy(&script))
}
