//! How a running guest can differ from what was asked for.
//!
//! Plain data with one sentence for each difference. Must not look at anything. Units: counts.
//! Errors: none of its own; it is the content of `GuestError::NotAsAsked`. Tests: those of `verify`.

use std::fmt;

use thiserror::Error;

use crate::configuration::Engine;

/// The difference between a guest and what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Something else executes it.
    #[error("it runs on {found}, not on {asked}")]
    Engine {
        /// What does.
        found: Engine,
        /// What should.
        asked: Engine,
    },
    /// Another kernel runs in it.
    #[error("its console says kernel {found:?}, and the image has {asked:?}")]
    Release {
        /// What the console says.
        found: String,
        /// What the image's kernel is.
        asked: String,
    },
    /// It has another number of processors.
    #[error("it has {found} vcpus, not {asked}")]
    Vcpus {
        /// How many it has.
        found: usize,
        /// How many it should have.
        asked: u32,
    },
    /// Something of its hardware is otherwise, as QEMU reads it back.
    #[error("its {what} is {found}, not {asked}")]
    Property {
        /// What of it.
        what: String,
        /// As it is.
        found: String,
        /// As it should be.
        asked: String,
    },
    /// vhost-net carries its packets, and the configuration has none.
    #[error("vhost is on, and must not be: {seen}")]
    VhostOn {
        /// What the host shows.
        seen: VhostSigns,
    },
    /// The configuration has vhost-net, and it does not carry the packets.
    #[error("vhost is not on: {lack} ({seen})")]
    VhostOff {
        /// What is missing.
        lack: VhostLack,
        /// What the host shows.
        seen: VhostSigns,
    },
}

/// What is missing for the proof that vhost-net carries the packets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VhostLack {
    /// One descriptor for each queue pair.
    #[error("{queues} queue pairs need as many descriptors of /dev/vhost-net")]
    Descriptors {
        /// How many there should be.
        queues: u32,
    },
    /// QEMU's own word.
    #[error("qemu says that it has not started it")]
    NotStarted,
    /// A worker of the kernel, where workers can be seen.
    #[error("the kernel has no worker for it")]
    Worker,
    /// Both.
    #[error("no worker is visible, and qemu does not report one")]
    Sign,
}

/// What the host shows of a QEMU's use of vhost-net.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VhostSigns {
    /// Its open descriptors of /dev/vhost-net.
    pub descriptors: u32,
    /// Worker threads within QEMU (kernel 6.4 and later).
    pub tasks: u32,
    /// Kernel threads named after QEMU (before 6.4); a container's PID namespace hides them.
    pub kthreads: u32,
    /// Whether kernel threads can be seen at all: `kthreadd` is there.
    pub kthreads_visible: bool,
}

impl fmt::Display for VhostSigns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.kthreads_visible { "" } else { " (kernel threads are hidden)" };
        write!(
            f,
            "{} descriptors of /dev/vhost-net, {} worker threads in qemu, {} kernel threads{hidden}",
            self.descriptors, self.tasks, self.kthreads
        )
    }
}
