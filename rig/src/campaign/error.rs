//! Why a campaign cannot begin, go on or be reported, and whom that blames.
//!
//! Every sentence that a user reads of it is here or in the error that it wraps. Must not know exit codes: the command line gives them.
//! Units: none. Tests: `tests/cli_input.rs` (trycmd), `tests/trouble`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::bench::BenchError;
use crate::configuration::Lack;
use crate::document::Problems;
use crate::image::{DiskError, ImageError};
use crate::machine::qemu::ProbeError;
use crate::process::{EnclosureError, RuntimeError};
use crate::program::Changed;
use crate::record::RecordError;
use crate::record::format::LockError;
use crate::runner::InspectError;

/// Why a campaign did not come to its end.
#[derive(Debug, Error, Diagnostic)]
pub enum CampaignError {
    /// The file or the filters are wrong: all problems at once.
    #[error("the input is wrong")]
    Input(Problems),
    /// An image cannot be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Image(#[from] ImageError),
    /// A disk of the user's cannot be booted.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Disk(#[from] DiskError),
    /// `--keep-core` cannot be done.
    #[error("no core can be kept: {why}")]
    #[diagnostic(help(
        "choose a guest, give it less memory_mib, make room on the disk, or leave out --keep-core"
    ))]
    NoCore {
        /// Why not.
        why: String,
    },
    /// A lock cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    #[diagnostic(help("--lock takes a file that `rig matrix plan --lock FILE` wrote"))]
    LockUnreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A lock is not what was written.
    #[error("cannot keep to {}: {cause}", path.display())]
    #[diagnostic(help(
        "a lock is not changed by hand: write another one with `rig matrix plan --lock FILE`, or run without --lock"
    ))]
    Lock {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: LockError,
    },
    /// A recorded run cannot be found, read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Record(#[from] RecordError),
    /// There is no enclosure in which the run could die together.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Enclosure(#[from] EnclosureError),
    /// Nothing executes guests as asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Accelerator(#[from] ProbeError),
    /// A benchmark cannot be measured.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bench(#[from] BenchError),
    /// A guest for inspection does not come up.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inspect(#[from] InspectError),
    /// There is no place for the logs of a guest for inspection.
    #[error("cannot make {}: {cause}", folder.display())]
    #[diagnostic(help("the guest's console is logged there: make it writable, or set XDG_CACHE_HOME"))]
    LogsUnwritable {
        /// Which folder.
        folder: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// No thread can be started.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Runtime(#[from] RuntimeError),
    /// There is no private folder for the agent's file.
    #[error("no private folder for the agent: {cause}")]
    #[diagnostic(help("see `df -h /run /tmp`"))]
    NoPrivateFolder {
        /// Why not.
        cause: io::Error,
    },
    /// This host can run none of the cells.
    #[error("this host can run none of the cells: {}", join(reasons))]
    #[diagnostic(help("`rig doctor` says what is missing and what to do about it"))]
    NothingReady {
        /// Each reason once.
        reasons: BTreeSet<String>,
        /// The keys of the matrix file that ask for what this host lacks.
        unmet: Problems,
    },
    /// This host cannot run the one cell that was asked for.
    #[error("this host cannot run {what}: {reason}")]
    #[diagnostic(help("`rig doctor` says what is missing and what to do about it"))]
    CannotRun {
        /// `it`, or the guest's words.
        what: String,
        /// What the host lacks.
        reason: Lack,
    },
    /// A run goes on only with the agent that began it.
    #[error("run {run} was begun with another guest agent than the one in this rig")]
    #[diagnostic(help(
        "continue with the rig that began it, or begin a new run: all blocks of a run must be measured by one agent"
    ))]
    OtherAgent {
        /// Its id.
        run: String,
    },
    /// A run goes on only with the images that it began with.
    #[error("run {run} was begun with another image {image} ({package})")]
    #[diagnostic(help(
        "the image that it began with is no longer in the cache, and its recipe now gives another one. Begin a new run: all blocks of a run must have the same kernel"
    ))]
    OtherImage {
        /// The run's id.
        run: String,
        /// The image's name.
        image: String,
        /// The package that the image of that name is made of now.
        package: String,
    },
    /// A guest has too little memory for its program.
    #[error(
        "a guest of configuration `{configuration}` has memory_mib = {memory_mib}, and {program} needs {needed_mib}: its files lie in memory there"
    )]
    #[diagnostic(help(
        "set `memory_mib = {needed_mib}` or more in [configuration.{configuration}], or give less by `with`"
    ))]
    GuestTooSmall {
        /// As the user wrote it.
        program: String,
        /// The configuration's name.
        configuration: String,
        /// What it has.
        memory_mib: u32,
        /// What the program needs.
        needed_mib: u32,
    },
    /// A program is another one now.
    #[error(transparent)]
    #[diagnostic(transparent)]
    ProgramChanged(#[from] Changed),
    /// A report cannot be written; the run itself is safe.
    #[error("cannot write {}: {cause}", path.display())]
    #[diagnostic(help("the run itself is safe: `rig report RUN --output DIR` renders it anywhere else"))]
    ReportUnwritable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The user stopped what has no record.
    #[error("interrupted")]
    #[diagnostic(help("nothing was recorded"))]
    Interrupted,
}

/// Whom an error blames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// A file, a flag, a filter, a name of a run.
    Input,
    /// The host, its disk, its packages.
    Testbed,
    /// Nobody: the user stopped it.
    User,
}

impl CampaignError {
    /// Whom it blames.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Input(_)
            | Self::Disk(_)
            | Self::OtherAgent { .. }
            | Self::OtherImage { .. }
            | Self::GuestTooSmall { .. }
            | Self::ProgramChanged(_)
            | Self::NoCore { .. }
            | Self::LockUnreadable { .. }
            | Self::Lock { .. } => Blame::Input,
            Self::Image(error) if error.blames_input() => Blame::Input,
            Self::Record(error) if error.blames_the_input() => Blame::Input,
            Self::Image(ImageError::Interrupted) | Self::Interrupted => Blame::User,
            Self::Image(_)
            | Self::Record(_)
            | Self::Enclosure(_)
            | Self::Accelerator(_)
            | Self::Bench(_)
            | Self::Inspect(_)
            | Self::LogsUnwritable { .. }
            | Self::Runtime(_)
            | Self::NoPrivateFolder { .. }
            | Self::NothingReady { .. }
            | Self::CannotRun { .. }
            | Self::ReportUnwritable { .. } => Blame::Testbed,
        }
    }
}

fn join(reasons: &BTreeSet<String>) -> String {
    reasons.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}
