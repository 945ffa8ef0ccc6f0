//! Where a kernel runs: what is declared of it, what executes it, and what that needs of the host.
//!
//! Plain data and pure functions on the ground floor: every other room may hold a configuration. Must not start or look at anything;
//! the doers are in `machine/`. Units: MiB, vCPUs, queue pairs.
//! Errors: [`Unsupported`], which blames the configuration; [`Lack`], which blames the host or a pair that does not go together.
//! Tests: beside the modules.

mod abilities;
mod accelerator;
mod declared;
mod disk;
mod injection;
mod lack;
mod requirement;
mod supported;
mod tuning;
mod vsock;

pub use abilities::{Abilities, Executable, Needs, QemuProgram, QemuVersion};
pub use accelerator::{Engine, Resolved};
pub use declared::{
    Accelerator, Arm, Configuration, HostSpec, Localtime, Nic, NicBackend, NicModel, QemuSpec, TargetSpec,
};
pub use disk::{Disk, DiskFormat, Login};
pub use injection::{Injection, injects};
pub use lack::{AskedBy, Lack, NoVsock, PathPart};
pub use requirement::{PeerSeat, lack_between_guests, lack_of_own_port, peer_seat};
pub use supported::{
    LEAST_MEMORY_MIB, MACHINES, Unsupported, check, socket_ends, tap_queues, vhost_descriptors,
};
pub use tuning::{Sysctls, Tuning};
