//! `rig completions SHELL`

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Exit, Failure};

/// Arguments of `rig completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "rig", &mut std::io::stdout());
    Ok(Exit::Done)
}
