//! `rig completions SHELL`

use clap_complete::Shell;

use super::complete;
use super::output::print;
use super::{Exit, Failure};

/// Arguments of `rig completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    print(&complete::script(arguments.shell))
}
