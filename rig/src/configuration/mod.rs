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
mod hardware;
mod injection;
mod lack;
mod nic;
mod offer;
mod qemu;
mod requirement;
mod supported;
mod tuning;
mod vsock;

pub use abilities::{Abilities, Needs};
pub use accelerator::{Engine, Resolved};
pub use declared::{Accelerator, Arm, Configuration, HostSpec, Localtime, QemuSpec, TargetSpec};
pub use disk::{Disk, DiskFormat, Login};
pub use hardware::{CHECKSUMS, Hardware, Properties, Property, is_feature};
pub use injection::{Injection, injects};
pub use lack::{AskedBy, Lack, NoVsock, PathPart};
pub use nic::{Nic, NicBackend, NicModel};
pub use offer::{CpuFlag, Offer, Offered, Refused, bytes, first_words, integer, properties};
pub use qemu::{Executable, QemuProgram, QemuVersion};
pub use requirement::{PeerSeat, lack_between_guests, lack_of_own_port, peer_seat};
pub use supported::{
    LEAST_MEMORY_MIB, MACHINES, MOST_NODES, Unsupported, boots, check, socket_ends, tap_queues,
    vhost_descriptors,
};
pub use tuning::{Sysctls, Tuning};
