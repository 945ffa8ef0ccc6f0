//! A guest in its seat: the target's, or the peer's where the peer is a guest too.
//!
//! Holds what differs between the two, and the boot that is the same. Must not know agents or trials. Units: `Duration`.
//! Errors: [`StageError`]. Tests: `tests/qemu.rs`.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use super::{Laboratory, StageError};
use crate::configuration::QemuSpec;
use crate::image::{Image, Overlay};
use crate::machine::qemu::{Guest, GuestNet, GuestPlan};
use crate::path::Addressing;
use crate::record::format::{Origin, TargetRecord};
use crate::runner::dispatcher::Attempt;

/// Behind it is the guest's SSH server, in a namespace that has nothing else, so it is free.
const CONTROL_PORT: u16 = 2222;

/// Where a guest sits: what differs between the target's and the peer's.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) mac: &'static str,
    pub(super) address: Ipv4Addr,
    pub(super) namespace: OwnedFd,
    pub(super) taps: Vec<OwnedFd>,
    pub(super) socket: Option<OwnedFd>,
    /// Its logs, relative to the run's folder.
    pub(super) console: String,
    pub(super) qmp: String,
}

/// A guest in its seat, verified; what is learned of it is written down as it is learned.
pub(super) async fn boot(
    laboratory: &Laboratory,
    attempt: &Attempt,
    spec: &QemuSpec,
    seat: Seat,
    record: &mut TargetRecord,
) -> Result<Guest, StageError> {
    let kernel = &attempt.cell.subject.kernel;
    let image: &Image =
        laboratory.images.get(kernel).ok_or_else(|| StageError::NoImage { kernel: kernel.clone() })?;
    let engine = laboratory.engine(spec.accelerator)?;
    record.kernel_package.clone_from(&image.package);
    record.console.clone_from(&seat.console);
    record.qmp.clone_from(&seat.qmp);
    let plan = GuestPlan {
        spec: spec.clone(),
        engine,
        qemu: laboratory.qemu.clone(),
        kernel: image.kernel.clone(),
        initramfs: image.initramfs.clone(),
        overlay: Overlay::new(&laboratory.keys, spec.localtime).to_cpio(),
        extra_cmdline: vec![],
        net: GuestNet {
            mac: seat.mac,
            address: seat.address,
            prefix: Addressing::default().prefix,
            mtu_bytes: attempt.cell.subject.path.mtu_bytes,
            control_port: CONTROL_PORT,
        },
        taps: seat.taps,
        socket: seat.socket,
        namespace: Some(seat.namespace),
        console_log: laboratory.results.join(&seat.console),
        qmp_log: laboratory.results.join(&seat.qmp),
    };
    let guest = Guest::boot(plan, laboratory.boot_deadline).await?;
    record.origin = Some(Origin::Cold);
    record.command_line = guest.command_line().to_vec();
    let verified = guest.verify().await?;
    record.accelerator = verified.engine.word().to_owned();
    record.vhost_proof = verified.vhost_proof;
    Ok(guest)
}
