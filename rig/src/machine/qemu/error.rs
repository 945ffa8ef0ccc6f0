//! Why there is no guest, or not the one that was asked for.
//!
//! Holds [`GuestError`] and the advice that belongs to QEMU's own complaints.
//! Must not know how a guest is started. Units: `Duration`.
//! Errors: this is them; all blame the testbed: a block becomes void.
//! Tests: below.

use std::io;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::console::Stage;
use super::mismatch::Mismatch;
use super::qmp::QmpError;
use crate::configuration::Unsupported;

/// Why there is no guest.
#[derive(Debug, Error, Diagnostic)]
pub enum GuestError {
    /// The configuration cannot be.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Unsupported(#[from] Unsupported),
    /// Something that a start needs could not be made.
    #[error("cannot prepare {what}")]
    #[diagnostic(help(
        "look at the free space and the permissions of the files named; `rig doctor` checks the rest"
    ))]
    Prepare {
        /// What was being made.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The program could not be started.
    #[error("cannot start {program}")]
    #[diagnostic(help("`rig setup` installs QEMU; a network namespace can be entered by root only"))]
    Spawn {
        /// QEMU's path.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// vhost-net was asked for.
    #[error("vhost-net was asked for, and /dev/vhost-net does not open")]
    #[diagnostic(help("load its module (`modprobe vhost_net`) as root, or use the backend \"tap\""))]
    NoVhost {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A vsock device was asked for.
    #[error("a vsock device was asked for, and /dev/vhost-vsock gives no CID")]
    #[diagnostic(help("load its module (`modprobe vhost_vsock`) as root, or leave `vsock` out"))]
    NoVsock {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// QEMU ended before the guest printed anything.
    #[error("qemu did not start the guest: {reason}\n{stderr}")]
    #[diagnostic(help("{advice}"))]
    Start {
        /// How it ended.
        reason: String,
        /// What it said.
        stderr: String,
        /// What to try.
        advice: &'static str,
    },
    /// The guest died while it booted.
    #[error("the guest died in its boot ({stage}): {reason}; {last_words}")]
    #[diagnostic(help("its console ended with:\n{console_tail}\nthe console log has the whole boot"))]
    Died {
        /// Why.
        reason: String,
        /// How far the boot had come.
        stage: Stage,
        /// Its last lines in one.
        last_words: String,
        /// Its last lines.
        console_tail: String,
    },
    /// The guest's kernel panicked while it booted.
    #[error("{reason} ({stage}); {last_words}")]
    #[diagnostic(help(
        "its console ended with:\n{console_tail}\nthe console log has the whole boot; rebuild the image with `rig image build`, \
         more memory_mib may help"
    ))]
    Panicked {
        /// The panic's line.
        reason: String,
        /// How far the boot had come.
        stage: Stage,
        /// Its last lines in one.
        last_words: String,
        /// Its last lines.
        console_tail: String,
    },
    /// The guest's init said that it cannot go on.
    #[error("{reason}")]
    #[diagnostic(help("the console log has the whole boot; rebuild the image with `rig image build`"))]
    InitFailed {
        /// What it said.
        reason: String,
    },
    /// The guest neither came up nor died.
    #[error("the guest was not ready within {within:?} ({stage}): {last_words}")]
    #[diagnostic(help(
        "an emulated guest on a busy host needs longer; a kernel that hangs shows where in the console log; one that prints nothing lacks \
         CONFIG_SERIAL_8250_CONSOLE, or was not built for this processor"
    ))]
    NotReady {
        /// The deadline.
        within: Duration,
        /// How far the boot had come.
        stage: Stage,
        /// The last thing seen.
        last_words: String,
    },
    /// A command to QEMU has no result.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Qmp(#[from] QmpError),
    /// The guest runs, but it is not what was asked for.
    #[error("the guest differs from its configuration: {what}")]
    #[diagnostic(help(
        "a measurement in it would not be about this configuration; the qmp log has what qemu said"
    ))]
    NotAsAsked {
        /// The difference.
        what: Mismatch,
    },
}

impl From<Mismatch> for GuestError {
    fn from(what: Mismatch) -> Self {
        Self::NotAsAsked { what }
    }
}

impl GuestError {
    /// A failure to prepare something, as a closure for `map_err`.
    pub(super) fn prepare(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { what: what.into(), source }
    }
}

/// What to try when QEMU says this on its standard error.
pub(super) fn advise(stderr: &str) -> &'static str {
    let known = [
        (
            "failed to set MSR",
            "KVM exists but does not work on this host; use accelerator = \"auto\" or \"tcg\"",
        ),
        (
            "Could not access KVM",
            "load the kvm module and open /dev/kvm to this user, or use accelerator = \"auto\"",
        ),
        ("failed to initialize kvm", "KVM does not work here; use accelerator = \"auto\" or \"tcg\""),
        ("vhost", "this kernel's vhost-net does not take these queues; use the backend \"tap\""),
        ("Could not set up host forwarding", "the control port is taken in that namespace; give another one"),
        (
            "cannot set up guest memory",
            "there is less free memory than memory_mib; lower it or run fewer guests at once",
        ),
        (
            "Cannot allocate memory",
            "there is less free memory than memory_mib; lower it or run fewer guests at once",
        ),
        (
            "kernel too old",
            "the image's kernel does not fit this machine: rebuild the image with `rig image build`",
        ),
        ("could not load kernel", "rebuild the image with `rig image build`"),
        ("could not load initrd", "rebuild the image with `rig image build`"),
        ("seccomp", "this qemu is built without its sandbox; use the distribution's"),
        ("sandbox", "this qemu is built without its sandbox; use the distribution's"),
        ("TUNGETIFF", "the tap descriptors are invalid; this is a bug in rig"),
        (
            "is not a valid device model name",
            "this qemu lacks a device that rig uses; use version 7.2 or later",
        ),
    ];
    known
        .iter()
        .find(|(words, _)| stderr.contains(words))
        .map_or("the qmp log has the command line; run it by hand to see more", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_complaints_have_their_advice() {
        let kvm = "error: failed to set MSR 0x10a to 0xc\nqemu: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.";
        assert!(advise(kvm).contains("does not work"));
        assert!(advise("qemu: linux kernel too old to load a ram disk").contains("image build"));
        assert!(advise("something new").contains("by hand"));
    }
}
