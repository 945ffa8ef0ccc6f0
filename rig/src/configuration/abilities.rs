//! What a host can do for targets and paths, as it was probed; and what of it anybody needs to know.
//!
//! Plain data. Must not look at a host: `capability` does. Units: none.
//! Errors: [`Unable`] for each ability, which blames the host. Tests: `requirement.rs`.

use std::path::PathBuf;

use super::accelerator::Resolved;
use super::declared::{NicBackend, TargetSpec};
use crate::path::{Mechanisms, PathSpec, Unable, Wanted};

/// What this host can do, ability by ability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Private network namespaces: nothing runs without them.
    pub namespaces: Result<(), Unable>,
    /// A program of the host can be given a /etc of its own: the target on bare metal has one.
    pub private_etc: Result<(), Unable>,
    /// QEMU starts, and is this.
    pub qemu: Result<QemuProgram, Unable>,
    /// A tap can be made.
    pub tap: Result<(), Unable>,
    /// A tap with several queues can be made.
    pub tap_multiqueue: Result<(), Unable>,
    /// /dev/vhost-net gives a worker.
    pub vhost_net: Result<(), Unable>,
    /// /dev/vhost-vsock gives a guest a CID.
    pub vhost_vsock: Result<(), Unable>,
    /// This kernel's own programs can talk by vsock, CID 1.
    pub vsock_loopback: Result<(), Unable>,
    /// What executes guests, if that has been found out: it costs a boot.
    pub accelerator: Option<Resolved>,
    /// What paths are made with.
    pub mechanisms: Mechanisms,
}

#[cfg(test)]
impl Abilities {
    /// A host that can do everything, and has not been asked what executes guests.
    pub(super) fn everything() -> Self {
        let executable = Err("no file was looked at".to_owned());
        Self {
            namespaces: Ok(()),
            private_etc: Ok(()),
            qemu: Ok(QemuProgram { version: QemuVersion("7.2".to_owned()), executable }),
            tap: Ok(()),
            tap_multiqueue: Ok(()),
            vhost_net: Ok(()),
            vhost_vsock: Ok(()),
            vsock_loopback: Ok(()),
            accelerator: None,
            mechanisms: Mechanisms::all(),
        }
    }
}

/// What somebody needs to know of a host; the rest is not looked for. Namespaces and QEMU always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// A /etc of its own for a program of the host.
    pub private_etc: bool,
    /// A tap.
    pub tap: bool,
    /// A tap with several queues.
    pub tap_multiqueue: bool,
    /// A vhost worker.
    pub vhost_net: bool,
    /// A vsock device for guests.
    pub vhost_vsock: bool,
    /// vsock within this kernel.
    pub vsock_loopback: bool,
    /// What paths are made with.
    pub mechanisms: Wanted,
}

impl Needs {
    /// What these targets at the ends of these paths could need.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a TargetSpec, &'a PathSpec)>) -> Self {
        let mut needs = Self::default();
        for (target, path) in pairs {
            needs.add_target(target);
            needs.mechanisms.add(path);
        }
        needs
    }

    fn add_target(&mut self, target: &TargetSpec) {
        let TargetSpec::Qemu(spec) = target else {
            self.private_etc = true;
            return;
        };
        self.vhost_vsock |= spec.tuning.vsock;
        let on_tap = match spec.nic.backend {
            NicBackend::Tap => true,
            NicBackend::TapVhost => {
                self.vhost_net = true;
                true
            }
            NicBackend::User | NicBackend::Socket => false,
        };
        self.tap |= on_tap && spec.nic.queues <= 1;
        self.tap_multiqueue |= on_tap && spec.nic.queues > 1;
    }
}

/// The QEMU that PATH has. What runs in a guest may be another: this one may be a script that starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuProgram {
    /// What it says of itself.
    pub version: QemuVersion,
    /// Its file; or why that cannot be read (it may be for executing only).
    pub executable: Result<Executable, String>,
}

/// The file of a program, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// Absolute; all links are followed.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// What QEMU says of its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuVersion(pub String);

impl QemuVersion {
    /// Its number as it is written, and major and minor of it; `None` where it cannot be read.
    pub fn number(&self) -> Option<(&str, (u32, u32))> {
        let mut words = self.0.split(char::is_whitespace);
        let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        Some((number, (parts.next()??, parts.next()??)))
    }
}
