//! The declared form of a configuration: plain data, complete (no optional "use the default").

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::hardware::Hardware;
use super::nic::{Nic, NicBackend};
use super::tuning::Tuning;

/// A `[configuration.NAME]` of the matrix, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Its name in the matrix.
    pub name: String,
    /// What it is.
    pub target: TargetSpec,
}

/// Where the client's kernel runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are guests: a box would be one more allocation for each"
)]
pub enum TargetSpec {
    /// A network namespace of the host: the baseline, "bare metal" when the host itself is not virtual.
    Host(HostSpec),
    /// A QEMU guest.
    Qemu(QemuSpec),
}

impl TargetSpec {
    /// The host as it is played where nothing else is said.
    pub fn plain_host() -> Self {
        Self::Host(HostSpec::default())
    }

    /// Whether the host's own kernel is the target.
    pub fn is_host(&self) -> bool {
        matches!(self, Self::Host(_))
    }

    /// What its program finds of localtime()'s surroundings: a guest is compared with the host of the same arm.
    pub fn arm(&self) -> Arm {
        let (localtime, timezone) = match self {
            Self::Host(HostSpec { localtime, timezone, .. }) => (*localtime, timezone),
            Self::Qemu(QemuSpec { localtime, timezone, .. }) => (*localtime, timezone),
        };
        Arm { localtime, timezone: timezone.clone() }
    }

    /// The same machine in this arm.
    #[must_use]
    pub fn in_arm(&self, arm: Arm) -> Self {
        let Arm { localtime, timezone } = arm;
        match self {
            Self::Host(spec) => Self::Host(HostSpec { localtime, timezone, ..spec.clone() }),
            Self::Qemu(spec) => Self::Qemu(QemuSpec { localtime, timezone, ..spec.clone() }),
        }
    }

    /// The disk that it boots, where it has one of its own.
    pub fn disk(&self) -> Option<&Disk> {
        match self {
            Self::Host(_) => None,
            Self::Qemu(spec) => spec.disk.as_ref(),
        }
    }

    /// What of it is set otherwise than QEMU and the kernel have it.
    pub fn tuning(&self) -> &Tuning {
        match self {
            Self::Host(spec) => &spec.tuning,
            Self::Qemu(spec) => &spec.tuning,
        }
    }

    /// The same machine with this set.
    #[must_use]
    pub fn tuned(self, tuning: Tuning) -> Self {
        match self {
            Self::Host(spec) => Self::Host(HostSpec { tuning, ..spec }),
            Self::Qemu(spec) => Self::Qemu(QemuSpec { tuning, ..spec }),
        }
    }

    /// The machine without its arm: configurations with the same one are played on the same hardware, under the same kernels.
    #[must_use]
    pub fn machine(&self) -> Self {
        self.in_arm(Arm::default())
    }

    /// Whether packets pass a TCP-terminating proxy on the way: such cells never stand for the NIC that the guest sees.
    pub fn proxied(&self) -> bool {
        self.proxy().is_some()
    }

    /// Who that is ([`NicBackend::proxy`]).
    pub fn proxy(&self) -> Option<&'static str> {
        match self {
            Self::Host(_) => None,
            Self::Qemu(spec) => spec.nic.backend.proxy(),
        }
    }

    /// Whether the other end of its NIC is a second guest's, which is the peer.
    pub fn is_paired(&self) -> bool {
        matches!(self, Self::Qemu(QemuSpec { nic: Nic { backend: NicBackend::Socket, .. }, .. }))
    }
}

/// What localtime() of a target's program finds: an arm of the ENOENT hypotheses.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arm {
    /// Whether there is an /etc/localtime.
    pub localtime: Localtime,
    /// The environment variable TZ; `None`: unset.
    pub timezone: Option<String>,
}

/// How the host is a target. Defaults are not written: the plain host is `{"kind":"host"}`, as in every older record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// Whether the target's program has an /etc/localtime. Its /etc is a private one with at most that file, whatever the host's own has.
    #[serde(default, skip_serializing_if = "Localtime::is_present")]
    pub localtime: Localtime,
    /// TZ of the target's program; `None`: unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What is set otherwise than the kernel has it.
    #[serde(flatten)]
    pub tuning: Tuning,
}

/// A guest's hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuSpec {
    /// KVM, TCG or whichever functions.
    pub accelerator: Accelerator,
    /// QEMU machine type: `q35`, `pc`, or one of a version: `pc-q35-7.0`.
    pub machine: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Guest memory.
    pub memory_mib: u32,
    /// The measured NIC.
    pub nic: Nic,
    /// Whether the guest has an /etc/localtime (an arm of the ENOENT hypotheses).
    pub localtime: Localtime,
    /// TZ of the agent in the guest; `None`: unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// A disk that it boots, with its own kernel; none: a kernel of the matrix's axis, with rig's own root file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// What is set otherwise than QEMU and the guest's kernel have it.
    #[serde(flatten)]
    pub tuning: Tuning,
    /// What of its hardware is asked for by name.
    #[serde(flatten)]
    pub hardware: Hardware,
}

/// How the guest's CPU is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// KVM if it functions (a guest boots), otherwise TCG; the record says which.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation; never stands for a KVM guest.
    Tcg,
}

/// /etc/localtime where the target's program runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Localtime {
    /// There, as on an ordinary installation (UTC).
    #[default]
    Present,
    /// Not there, as in many minimal images.
    Absent,
}

impl Localtime {
    /// Whether it is there.
    pub fn is_present(&self) -> bool {
        *self == Self::Present
    }

    /// As a matrix file spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Ids of cells are hashes of this form.
    #[test]
    fn a_plain_host_is_written_as_it_always_was() {
        let written = |target: &TargetSpec| serde_json::to_value(target).expect("plain data");
        assert_eq!(written(&TargetSpec::plain_host()), json!({ "kind": "host" }));
        let read: TargetSpec = serde_json::from_value(json!({ "kind": "host" })).expect("a host");
        assert_eq!(read, TargetSpec::plain_host());
        let arm = Arm { localtime: Localtime::Absent, timezone: Some("UTC0".to_owned()) };
        let other = TargetSpec::plain_host().in_arm(arm.clone());
        assert_eq!(written(&other), json!({ "kind": "host", "localtime": "absent", "timezone": "UTC0" }));
        assert_eq!((other.arm(), other.machine()), (arm, TargetSpec::plain_host()));
    }

    #[test]
    fn the_arm_of_a_guest_is_no_part_of_its_machine() {
        let hardware = json!({
            "kind": "qemu", "accelerator": "auto", "machine": "q35", "vcpus": 2, "memory_mib": 256,
            "nic": { "model": "virtio-net", "backend": "tap", "queues": 1 }, "localtime": "absent"
        });
        let guest: TargetSpec = serde_json::from_value(hardware.clone()).expect("a guest of an older record");
        assert_eq!(guest.arm(), Arm { localtime: Localtime::Absent, timezone: None });
        assert_eq!(serde_json::to_value(&guest).expect("plain data"), hardware, "no key that was not there");
        // Not even their order changes: ids of cells are hashes of the text.
        let text = r#"{"kind":"qemu","accelerator":"auto","machine":"q35","vcpus":2,"memory_mib":256,"nic":{"model":"virtio-net","backend":"tap","queues":1},"localtime":"absent"}"#;
        assert_eq!(serde_json::to_string(&guest).expect("plain data"), text);
        assert_eq!(guest.machine().arm(), Arm::default());
        assert_eq!(guest.machine().in_arm(guest.arm()), guest);
        assert!(Arm::default() < guest.arm(), "the plain arm is the first");
    }
}
