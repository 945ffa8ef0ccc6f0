//! The boot of a guest for one end of a block: the same for target and peer.
//!
//! Holds how a guest is attached to its testbed. Must not know agents or trials. Units: `Duration`.
//! Errors: [`StageError`]. Tests: `tests/qemu.rs`.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use super::error::StageError;
use crate::configuration::QemuSpec;
use crate::image::{Loaded, Overlay};
use crate::machine::qemu::argv::{DATA_MAC, PEER_MAC};
use crate::machine::qemu::{Guest, GuestNet, GuestPlan, Running};
use crate::path::Addressing;
use crate::record::format::{Origin, RunningQemu, TargetRecord};
use crate::record::{Endpoint, Layout, VoidReason};
use crate::runner::attempt::Attempt;
use crate::runner::laboratory::Laboratory;
use crate::testbed::{Testbed, TestbedError};

/// Behind it is the guest's SSH server, in a namespace that has nothing else, so it is free.
const CONTROL_PORT: u16 = 2222;

/// How a guest is attached to its testbed, and where its logs lie: what differs between the target's and the peer's.
#[derive(Debug)]
pub(super) struct Attachment {
    mac: &'static str,
    address: Ipv4Addr,
    namespace: OwnedFd,
    taps: Vec<OwnedFd>,
    socket: Option<OwnedFd>,
    /// Relative to the run's folder.
    console: String,
    qmp: String,
}

impl Attachment {
    /// Of the guest at this end. Taps can be taken once. `socket` is its end of the pair that joins two guests.
    pub(super) fn new(
        whose: Endpoint,
        testbed: &mut Testbed,
        socket: Option<OwnedFd>,
        attempt: &Attempt,
    ) -> Result<Self, TestbedError> {
        let (id, number) = (&attempt.block.id, attempt.attempt);
        let place = match whose {
            Endpoint::Target => testbed.target(),
            Endpoint::Peer => testbed.peer(),
        };
        let namespace =
            place.as_fd().try_clone_to_owned().map_err(|source| TestbedError::Enter { source })?;
        Ok(match whose {
            Endpoint::Target => Self {
                mac: DATA_MAC,
                address: Addressing::default().target,
                namespace,
                taps: testbed.take_taps(),
                socket,
                console: Layout::console(id, number),
                qmp: Layout::qmp(id, number),
            },
            Endpoint::Peer => Self {
                mac: PEER_MAC,
                address: Addressing::default().peer,
                namespace,
                taps: vec![],
                socket,
                console: Layout::peer_console(id, number),
                qmp: Layout::peer_qmp(id, number),
            },
        })
    }
}

fn running_qemu(running: &Running) -> RunningQemu {
    RunningQemu {
        path: running.executable.path.display().to_string(),
        sha256: running.executable.sha256.clone(),
        command_line: running.command_line.clone(),
    }
}

/// A guest, verified; what is learned of it is written down as it is learned.
pub(super) async fn boot(
    laboratory: &Laboratory,
    attempt: &Attempt,
    spec: &QemuSpec,
    attachment: Attachment,
    record: &mut TargetRecord,
) -> Result<Guest, StageError> {
    let name = &attempt.cell.subject.kernel;
    let Loaded { image, kernel, initramfs } =
        laboratory.images.get(name).ok_or_else(|| VoidReason::NoImage { kernel: name.clone() })?;
    let engine = laboratory.engine(spec.accelerator)?;
    record.kernel_package.clone_from(&image.package);
    record.console.clone_from(&attachment.console);
    record.qmp.clone_from(&attachment.qmp);
    let plan = GuestPlan {
        spec: spec.clone(),
        engine,
        qemu: laboratory.qemu.clone(),
        kernel: kernel.clone(),
        release: Some(image.release.clone()),
        initramfs: initramfs.clone(),
        overlay: Overlay::new(&laboratory.keys, spec.localtime).to_cpio(),
        // Where a kernel of one's own stops is seen from what it says on its way. The last word counts (init/main.c).
        extra_cmdline: if image.is_own() { vec!["loglevel=7".to_owned()] } else { vec![] },
        net: GuestNet {
            mac: attachment.mac,
            address: attachment.address,
            prefix: Addressing::default().prefix,
            mtu_bytes: attempt.cell.subject.path.mtu_bytes,
            control_port: CONTROL_PORT,
        },
        taps: attachment.taps,
        socket: attachment.socket,
        namespace: Some(attachment.namespace),
        life: laboratory.guest_life(attempt.boot.following.saturating_add(1)),
        console_log: laboratory.results.join(&attachment.console),
        qmp_log: laboratory.results.join(&attachment.qmp),
    };
    let guest = Guest::boot(plan, laboratory.boot_deadline).await?;
    record.origin = Some(Origin::Cold);
    record.command_line = guest.command_line().to_vec();
    match guest.running() {
        Ok(running) => record.running = Some(running_qemu(running)),
        Err(why) => why.clone_into(&mut record.running_unknown),
    }
    let verified = guest.verify().await?;
    record.accelerator = verified.engine.word().to_owned();
    record.vhost_proof = verified.vhost_proof;
    Ok(guest)
}
