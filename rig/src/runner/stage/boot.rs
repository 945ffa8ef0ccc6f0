//! The boot of a guest for one end of a block: the same for target and peer.
//!
//! Holds how a guest is attached to its testbed. Must not know agents or trials. Units: `Duration`.
//! Errors: [`StageError`]. Tests: `tests/qemu.rs`.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use super::error::StageError;
use crate::configuration::QemuSpec;
use crate::image::{ControlLink, Loaded, Overlay, find_vmlinux, seed};
use crate::machine::guest_disk::{self, GuestSystem};
use crate::machine::qemu::argv::{CONTROL_GUEST, CONTROL_MAC, DATA_MAC, PEER_MAC};
use crate::machine::qemu::{Aftermath, Guest, GuestNet, GuestPlan, Medium, Running};
use crate::path::Addressing;
use crate::record::format::{Origin, RunningQemu, SystemRecord, TargetRecord};
use crate::record::{Endpoint, Layout, Part, VoidReason};
use crate::runner::attempt::Attempt;
use crate::runner::environment::SYSCTLS;
use crate::runner::laboratory::Laboratory;
use crate::symbols::Built;
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
    /// The name of the file for its memory.
    core: String,
}

impl Attachment {
    /// Of the guest at this end. Taps can be taken once. `socket` is its end of the pair that joins two guests, where one does.
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
                socket: socket.or_else(|| testbed.take_socket()),
                console: Layout::console(id, number),
                qmp: Layout::qmp(id, number),
                core: Layout::core(id, number),
            },
            Endpoint::Peer => Self {
                mac: PEER_MAC,
                address: Addressing::default().peer,
                namespace,
                taps: vec![],
                socket,
                console: Layout::peer_console(id, number),
                qmp: Layout::peer_qmp(id, number),
                core: Layout::peer_core(id, number),
            },
        })
    }
}

fn running_qemu(running: &Running) -> RunningQemu {
    RunningQemu {
        path: running.executable.path.display().to_string(),
        sha256: running.executable.sha256.clone(),
        command_line: running.command_line.clone(),
        // Asked once the guest is there.
        version: String::new(),
    }
}

/// What this guest boots, what its record says of that, and words for the kernel's command line.
fn medium(
    laboratory: &Laboratory,
    attempt: &Attempt,
    spec: &QemuSpec,
) -> Result<(Medium, String, Vec<String>), StageError> {
    let name = &attempt.cell.subject.kernel;
    let missing = || VoidReason::NoImage { kernel: name.clone() };
    if let Some(named) = &spec.disk {
        let disk = laboratory.disks.files.get(name).ok_or_else(missing)?;
        let cannot = StageError::failed(Part::Guest);
        let control = ControlLink { mac: CONTROL_MAC, address: &format!("{CONTROL_GUEST}/24") };
        let instance = format!("rig-{}-{}", attempt.block.id, attempt.attempt);
        let seed = named.login.is_none().then(|| seed(&laboratory.keys, control, &instance));
        let opened = disk.reader().and_then(|file| Ok((file, disk.overlay(&std::env::temp_dir())?)));
        let (file, overlay) = opened.map_err(cannot)?;
        let (format, bytes) = (disk.format, disk.bytes);
        return Ok((Medium::Disk { disk: file, format, bytes, overlay, seed }, disk.package(), vec![]));
    }
    let Loaded { image, kernel, initramfs } = laboratory.images.get(name).ok_or_else(missing)?;
    let medium = Medium::Kernel {
        kernel: kernel.clone(),
        release: Some(image.release.clone()),
        initramfs: initramfs.clone(),
        overlay: Overlay::new(&laboratory.keys, spec.localtime).to_cpio(),
    };
    // Where a kernel of one's own stops is seen from what it says on its way. The last word counts (init/main.c).
    let extra = if image.is_own() { vec!["loglevel=7".to_owned()] } else { vec![] };
    Ok((medium, image.package.clone(), extra))
}

/// What is done when the kernel of this guest panics.
fn aftermath(laboratory: &Laboratory, attempt: &Attempt, core: &str) -> Aftermath {
    let subject = &attempt.cell.subject;
    let symbols = match laboratory.images.get(&subject.kernel) {
        Some(loaded) => {
            let at = subject.kernel_at.as_deref();
            find_vmlinux(&subject.kernel, at, &loaded.image.release)
                .map(|vmlinux| Built { vmlinux, version: loaded.version() })
        }
        None => Err("files and lines are not looked for: the kernel is the disk's own".to_owned()),
    };
    let core = laboratory.cores.as_ref().map(|folder| folder.join(core));
    Aftermath { symbols, core, remains: laboratory.remains.clone() }
}

/// A guest, verified; what is learned of it is written down as it is learned.
pub(super) async fn boot(
    laboratory: &Laboratory,
    attempt: &Attempt,
    spec: &QemuSpec,
    attachment: Attachment,
    record: &mut TargetRecord,
) -> Result<Guest, StageError> {
    let engine = laboratory.engine(spec.accelerator)?;
    let (medium, package, extra_cmdline) = medium(laboratory, attempt, spec)?;
    record.kernel_package = package;
    record.console.clone_from(&attachment.console);
    record.qmp.clone_from(&attachment.qmp);
    let net = GuestNet {
        mac: attachment.mac,
        address: attachment.address,
        prefix: Addressing::default().prefix,
        mtu_bytes: attempt.cell.subject.path.mtu_bytes,
        control_port: CONTROL_PORT,
    };
    let gdb = laboratory.gdb.as_ref().map(UnixListener::bind).transpose();
    let gdb = gdb.map_err(StageError::failed(Part::Guest))?.map(OwnedFd::from);
    let plan = GuestPlan {
        spec: spec.clone(),
        engine,
        qemu: spec.hardware.qemu.as_ref().unwrap_or(&laboratory.qemu).clone(),
        medium,
        extra_cmdline,
        net: net.clone(),
        taps: attachment.taps,
        socket: attachment.socket,
        gdb,
        namespace: Some(attachment.namespace),
        life: laboratory.guest_life(attempt.boot.following.saturating_add(1)),
        console_log: laboratory.results.join(&attachment.console),
        qmp_log: laboratory.results.join(&attachment.qmp),
        aftermath: Some(aftermath(laboratory, attempt, &attachment.core)),
    };
    let mut guest = Guest::boot(plan, laboratory.boot_deadline).await?;
    record.origin = Some(Origin::Cold);
    record.command_line = guest.command_line().to_vec();
    match guest.running() {
        Ok(running) => record.running = Some(running_qemu(running)),
        Err(why) => why.clone_into(&mut record.running_unknown),
    }
    if spec.disk.is_some() {
        let (plan, within) = (laboratory.ssh_plan(&guest), laboratory.settle_deadline());
        let found = guest_disk::settle(&mut guest, &plan, &net, SYSCTLS, within).await?;
        let GuestSystem { os, init, rules, sysctls } = found;
        record.system = Some(SystemRecord { os, init, rules, sysctls });
    }
    let verified = guest.verify().await?;
    record.accelerator = verified.engine.word().to_owned();
    record.vhost_proof = verified.vhost_proof;
    if let Some(running) = &mut record.running {
        running.version = verified.version;
    }
    Ok(guest)
}
