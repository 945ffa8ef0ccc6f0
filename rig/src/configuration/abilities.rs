//! What a host can do for targets and paths, as it was probed; and what of it anybody needs to know.
//!
//! Plain data. Must not look at a host: `capability` does. Units: none.
//! Errors: [`Unable`] for each ability, which blames the host. Tests: `requirement.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::accelerator::Resolved;
use super::declared::TargetSpec;
use super::nic::NicBackend;
use super::offer::Offer;
use super::qemu::QemuProgram;
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
    /// What QEMUs offer of which something special is asked, by the path that a configuration names (`None`: the one above); or why one cannot be had.
    pub offers: BTreeMap<Option<PathBuf>, Result<Offer, Unable>>,
    /// A tap can be made.
    pub tap: Result<(), Unable>,
    /// A tap with several queues can be made.
    pub tap_multiqueue: Result<(), Unable>,
    /// A macvtap can be made, and its device opened.
    pub macvtap: Result<(), Unable>,
    /// The program `passt`.
    pub passt: Result<(), Unable>,
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
use super::qemu::QemuVersion;

#[cfg(test)]
impl Abilities {
    /// A host that can do everything, and has not been asked what executes guests.
    pub(super) fn everything() -> Self {
        let executable = Err("no file was looked at".to_owned());
        Self {
            namespaces: Ok(()),
            private_etc: Ok(()),
            qemu: Ok(QemuProgram { version: QemuVersion("7.2".to_owned()), executable }),
            offers: BTreeMap::new(),
            tap: Ok(()),
            tap_multiqueue: Ok(()),
            macvtap: Ok(()),
            passt: Ok(()),
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
    /// A macvtap.
    pub macvtap: bool,
    /// The program `passt`.
    pub passt: bool,
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
        self.vhost_net |= spec.nic.backend.has_vhost();
        match spec.nic.backend {
            NicBackend::Tap | NicBackend::TapVhost => {
                self.tap |= spec.nic.queues <= 1;
                self.tap_multiqueue |= spec.nic.queues > 1;
            }
            NicBackend::Macvtap | NicBackend::MacvtapVhost => self.macvtap = true,
            NicBackend::Passt => self.passt = true,
            NicBackend::User | NicBackend::Socket => {}
        }
    }
}
