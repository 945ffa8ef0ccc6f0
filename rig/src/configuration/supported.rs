//! Which declared hardware QEMU can be, and what of the host its NIC takes.
//!
//! Pure: nothing is started or looked at. Must not know command lines. Units: MiB, vCPUs, queue pairs.
//! Errors: [`Unsupported`], which blames the configuration: no QEMU of ours can be what it asks for.
//! Tests: `machine/qemu/argv_tests.rs`.

use miette::Diagnostic;
use thiserror::Error;

use super::declared::{QemuSpec, TargetSpec};
use super::nic::{NicBackend, NicModel};

/// The machine types that rig boots: the words of `machine`. A microvm is none of them: it has no PCI, and Debian's kernels find its virtio devices
/// through neither the command line nor, under TCG, ACPI.
pub const MACHINES: &[&str] = &["q35", "pc"];

/// Whether a machine type is one of [`MACHINES`] or a version of one: `pc-q35-7.0`, `pc-i440fx-7.2`. Which versions there are is QEMU's to say.
pub fn boots(machine: &str) -> bool {
    let versioned = ["pc-q35-", "pc-i440fx-"].iter().any(|family| {
        machine.strip_prefix(family).is_some_and(|version| {
            version.starts_with(|c: char| c.is_ascii_digit())
                && version.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
    });
    MACHINES.contains(&machine) || versioned
}

/// Below this Debian's cloud kernel cannot unpack its initramfs, in MiB.
pub const LEAST_MEMORY_MIB: u32 = 128;

/// NUMA nodes of a guest: as many as a large host has.
pub const MOST_NODES: u32 = 8;

/// A node with less has no room for the kernel's own tables, in MiB.
const LEAST_NODE_MIB: u32 = 32;

/// A configuration that no QEMU of ours can be.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum Unsupported {
    /// A machine type without the devices that guests need.
    #[error("machine type {machine:?} is not one that rig boots")]
    #[diagnostic(help(
        "use \"q35\" or \"pc\", or a version of one (pc-q35-7.0); microvm has no PCI, and Debian's kernels find its virtio devices through neither the \
         command line nor, under TCG, ACPI"
    ))]
    Machine {
        /// What was asked for.
        machine: String,
    },
    /// vhost-net speaks virtio only.
    #[error("vhost-net drives virtio NICs only, not {model}")]
    #[diagnostic(help("give this NIC the backend \"tap\""))]
    VhostModel {
        /// What was asked for.
        model: &'static str,
    },
    /// Several queues where there can be one.
    #[error("{queues} queues, but {what} has one")]
    #[diagnostic(help("several queues need model \"virtio-net\" on backend \"tap\" or \"tap-vhost\""))]
    Queues {
        /// What was asked for.
        queues: u32,
        /// The part that has no more.
        what: &'static str,
    },
    /// A number that no guest can have.
    #[error("{what} is {value}, which is not within {least} to {most}")]
    #[diagnostic(help("correct the configuration"))]
    Range {
        /// Which number.
        what: &'static str,
        /// What was asked for.
        value: u32,
        /// Smallest that works.
        least: u32,
        /// Largest that works.
        most: u32,
    },
    /// Another number of descriptors than the configuration has: a mistake of the caller.
    #[error("{given} {what} descriptors for a NIC that takes {wanted}")]
    #[diagnostic(help("this is a bug in rig"))]
    Descriptors {
        /// `tap`, `socket` or `vhost`
        what: &'static str,
        /// As many came.
        given: usize,
        /// As many are needed.
        wanted: usize,
    },
}

/// Says what of a configuration cannot be, before anything is started.
///
/// # Errors
/// [`Unsupported`], the first that applies.
pub fn check(spec: &QemuSpec) -> Result<(), Unsupported> {
    if !boots(&spec.machine) {
        return Err(Unsupported::Machine { machine: spec.machine.clone() });
    }
    // Debian's kernels are built for up to 8192 CPUs, QEMU 7.2's q35 for 288, its pc for 255; 1 TiB is a slip of the finger.
    let within = |what, value, least, most| match value {
        value if (least..=most).contains(&value) => Ok(()),
        value => Err(Unsupported::Range { what, value, least, most }),
    };
    within("vcpus", spec.vcpus, 1, 255)?;
    within("memory_mib", spec.memory_mib, LEAST_MEMORY_MIB, 1 << 20)?;
    // 256 is MAX_TAP_QUEUES of drivers/net/tun.c; more than 64 would ask for over 130 MSI-X vectors.
    within("queues", spec.nic.queues, 1, 64)?;
    let queues = spec.nic.queues;
    if let Some(nodes) = spec.hardware.numa {
        within("numa", nodes, 1, MOST_NODES)?;
        within("memory_mib of a node", spec.memory_mib / nodes, LEAST_NODE_MIB, 1 << 20)?;
    }
    let (model, backend) = (spec.nic.model, spec.nic.backend);
    if model != NicModel::VirtioNet && backend.has_vhost() {
        return Err(Unsupported::VhostModel { model: model.word() });
    }
    let what = match backend {
        _ if queues <= 1 => return Ok(()),
        _ if backend.is_tap() && model == NicModel::VirtioNet => return Ok(()),
        NicBackend::Tap | NicBackend::TapVhost | NicBackend::Macvtap | NicBackend::MacvtapVhost => {
            model.word()
        }
        NicBackend::User => "user-mode networking",
        NicBackend::Passt => "passt",
        NicBackend::Socket => "a link of sockets",
    };
    Err(Unsupported::Queues { queues, what })
}

impl TargetSpec {
    /// What of its hardware is asked for by name, a part each: `machine: pc-q35-7.0`, `device: packed=on`. Empty where nothing is.
    pub fn told_hardware(&self) -> Vec<String> {
        let Self::Qemu(spec) = self else { return vec![] };
        let machine =
            (!MACHINES.contains(&spec.machine.as_str())).then(|| format!("machine: {}", spec.machine));
        machine.into_iter().chain(spec.hardware.told()).collect()
    }
}

/// Tap queues that a configuration's NIC needs.
pub fn tap_queues(spec: &QemuSpec) -> usize {
    if spec.nic.backend.is_tap() { spec.nic.queues as usize } else { 0 }
}

/// Ends of a socket pair that a configuration's NIC needs.
pub fn socket_ends(spec: &QemuSpec) -> usize {
    match spec.nic.backend {
        NicBackend::Socket | NicBackend::Passt => 1,
        NicBackend::Tap
        | NicBackend::TapVhost
        | NicBackend::Macvtap
        | NicBackend::MacvtapVhost
        | NicBackend::User => 0,
    }
}

/// Descriptors of /dev/vhost-net that a configuration's NIC needs.
pub fn vhost_descriptors(spec: &QemuSpec) -> usize {
    if spec.nic.backend.has_vhost() { spec.nic.queues as usize } else { 0 }
}
