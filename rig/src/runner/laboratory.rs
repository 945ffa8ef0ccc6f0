//! What all blocks of a run share: images, keys, programs, folders, deadlines.
//!
//! Plain data, and what follows from it for one guest. Must not know blocks or trials. Units: `Duration`.
//! Errors: [`ProbeError`], where KVM is asked for and does not function. Tests: `tests/qemu.rs`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::patience::GRACE;
use crate::configuration::{Accelerator, Engine, Resolved};
use crate::image::{Disks, GuestKeys, Loaded};
use crate::machine::launch_ssh::{ROOT, SshPlan};
use crate::machine::qemu::{DUMP_DEADLINE, Guest, ProbeError, Remains};
use crate::path::Mechanisms;
use crate::record::format::CaptureWhen;

/// What all blocks of a run share.
#[derive(Debug)]
pub struct Laboratory {
    /// Guest images by kernel name, their bytes in hand.
    pub images: HashMap<String, Loaded>,
    /// Disks that guests boot instead of an image.
    pub disks: Disks,
    /// What `auto` stands for on this host.
    pub accelerator: Resolved,
    /// What paths can be made with on this host.
    pub mechanisms: Mechanisms,
    /// `qemu-system-x86_64`
    pub qemu: PathBuf,
    /// This run's SSH keys.
    pub keys: GuestKeys,
    /// The agent's bytes as a file, for the host's own agents.
    pub agent: PathBuf,
    /// The private folder of that file, which goes with the run.
    pub private: TempDir,
    /// The run's folder, for console and QMP logs.
    pub results: PathBuf,
    /// A block that lasts longer is void, boot included.
    pub block_deadline: Duration,
    /// From QEMU's start to the guest's readiness.
    pub boot_deadline: Duration,
    /// Where a debugger finds the stub of the guest that is booted next: a socket that does not exist yet; none: no guest has one.
    pub gdb: Option<PathBuf>,
    /// The first K examples of each outcome are kept whole.
    pub keep_examples: u32,
    /// At most this many anomalies of each outcome are kept whole, and of a block's four times as many.
    pub keep_anomalies: u32,
    /// Where the memory of a guest is kept whose kernel panics: a folder that need not exist yet; none: it is not kept.
    pub cores: Option<PathBuf>,
    /// What guests have left whose kernels panicked.
    pub remains: Remains,
    /// Which blocks' packets are kept.
    pub capture: CaptureWhen,
}

impl Laboratory {
    /// The way into one of its guests.
    pub(super) fn ssh_plan(&self, guest: &Guest) -> SshPlan {
        let own = guest.spec().disk.as_ref().and_then(|disk| self.disks.way_into(disk));
        let (host_key, user, private_key) = match own {
            Some((user, key)) => (None, user, key),
            None => (Some(self.keys.host_key_blob()), ROOT.to_owned(), self.keys.user_private_key()),
        };
        SshPlan { port: guest.control_port(), namespace: guest.namespace(), host_key, user, private_key }
    }

    /// How long a guest lives at most that so many blocks may follow each other in; none where there is no block, and a person looks at it.
    pub(super) fn guest_life(&self, blocks: u32) -> Option<Duration> {
        let block = self.block_deadline + GRACE;
        (!self.block_deadline.is_zero()).then(|| self.boot_deadline + block.saturating_mul(blocks))
    }

    /// To keep a guest's memory at the end of a block.
    pub(super) fn core_deadline(&self) -> Duration {
        if self.cores.is_some() { DUMP_DEADLINE } else { Duration::ZERO }
    }

    /// From QEMU's start to the login of a guest that boots a disk of its own. A distribution's whole system takes many times as long as an image of rig's: under
    /// emulation most of a minute, where that takes five seconds. Shorter than a block may last, so that it is the boot that is named.
    pub(super) fn settle_deadline(&self) -> Duration {
        let long = self.boot_deadline * 4;
        if self.block_deadline.is_zero() { long } else { long.min(self.block_deadline.mul_f64(0.8)) }
    }

    /// What executes a guest that asks for `accelerator`.
    pub(super) fn engine(&self, accelerator: Accelerator) -> Result<Engine, ProbeError> {
        match accelerator {
            Accelerator::Tcg => Ok(Engine::Tcg),
            Accelerator::Auto => Ok(self.accelerator.engine),
            Accelerator::Kvm if self.accelerator.engine == Engine::Kvm => Ok(Engine::Kvm),
            Accelerator::Kvm => Err(ProbeError::NoKvm { reason: self.accelerator.reason.clone() }),
        }
    }
}
