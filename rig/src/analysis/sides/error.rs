//! Why two sides cannot be compared.
//!
//! Blames what was asked. Units: none. Tests: `tests/golden/compared.rs`, `tests/cli_input.rs`.

use miette::Diagnostic;
use thiserror::Error;

use super::super::words::list;

/// Why two sides cannot be compared.
#[derive(Debug, Error, Diagnostic, PartialEq, Eq)]
pub enum ComparisonError {
    /// One run, twice: by its id, wherever its files are.
    #[error("both are run {run}: a run cannot be compared with itself, nor with a copy of it")]
    #[diagnostic(help(
        "name two runs, or two configurations of this one: `rig compare {run} --configurations A B`; it has {}",
        list(configurations)
    ))]
    SameRun {
        /// Its id.
        run: String,
        /// Names of the configurations that it has.
        configurations: Vec<String>,
    },
    /// One configuration, twice.
    #[error("both are configuration {configuration}: a configuration cannot be compared with itself")]
    #[diagnostic(help("name two of {}", list(configurations)))]
    SameConfiguration {
        /// Its name.
        configuration: String,
        /// Names of the configurations that the run has.
        configurations: Vec<String>,
    },
    /// The run has no such configuration.
    #[error("run {run} has no configuration {configuration}")]
    #[diagnostic(help("it has {}", list(configurations)))]
    UnknownConfiguration {
        /// The run's id.
        run: String,
        /// What was asked for.
        configuration: String,
        /// Names of those that it has.
        configurations: Vec<String>,
    },
}
