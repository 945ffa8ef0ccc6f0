//! What can go wrong with a rehearsal, apart from the command itself.
//!
//! Must not know commands or exit codes. Units: seconds in messages.
//! It blames the host, its QEMU or the emulated kernel. Tests: where the errors are made.

use std::io;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

/// What to try after an end that is not the command's.
const GOES_ON: &str = "to continue an unfinished run: `rig rehearse -- matrix run --resume latest`";

/// Why there was no rehearsal, or why it broke off.
#[derive(Debug, Error, Diagnostic)]
pub enum RehearsalError {
    /// Something of the host.
    #[error("cannot {what}")]
    #[diagnostic(help(
        "look at the space and the permissions of the folder for run-time files (XDG_RUNTIME_DIR, /run)"
    ))]
    Host {
        /// Which step.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// QEMU does not start.
    #[error("cannot start {program}")]
    #[diagnostic(help("`rig setup` installs QEMU (Debian package qemu-system-x86)"))]
    Qemu {
        /// Its name.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A wait that was over before what it waited for.
    #[error("waited {} s for {what}; the last line of the emulated host: {last}", .bound.as_secs())]
    #[diagnostic(help(
        "a busy machine emulates slowly: try again when it is idle; `--console FILE` keeps all that the emulated host says; {GOES_ON}"
    ))]
    Deadline {
        /// What did not come.
        what: &'static str,
        /// How long it was waited for.
        bound: Duration,
        /// The last line of its console.
        last: String,
    },
    /// The command took longer than it was given.
    #[error("the command was interrupted after {} s", .bound.as_secs())]
    #[diagnostic(help("`--deadline` gives it more time; what it wrote so far is kept"))]
    TooLong {
        /// How long it had.
        bound: Duration,
    },
    /// The emulated machine ended by itself.
    #[error("the emulated KVM host ended while {doing}{}", said(.reason.as_deref()))]
    #[diagnostic(help("{GOES_ON}\nits console ended with:\n{tail}"))]
    Died {
        /// What it was doing.
        doing: &'static str,
        /// What it or QEMU said of the cause.
        reason: Option<String>,
        /// The last lines of its console and of QEMU.
        tail: String,
    },
    /// PID 1 inside could not start the command.
    #[error("inside the emulated KVM host: {what}")]
    #[diagnostic(help(
        "programs and folders inside are the host's; only file systems mounted below the host's root are missing"
    ))]
    Inside {
        /// Its words.
        what: String,
    },
    /// What came from inside is no message.
    #[error("the emulated KVM host sent an invalid message: {what}")]
    #[diagnostic(help("do not replace the file of rig while a rehearsal boots; try again"))]
    Garbled {
        /// What is wrong with it.
        what: String,
    },
}

fn said(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
