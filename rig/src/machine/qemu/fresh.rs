//! A QEMU process that has just been started from a plan, and rig's ends of what it is connected to.
//!
//! Must not speak to it. Units: none. Errors: [`GuestError`]: the plan cannot be, or the host has not got what it needs.
//! Tests: `tests/qemu.rs` (real guests).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ChildStderr;

use tokio::net::UnixStream;

use super::argv::{self, Wiring};
use super::confine::{Confinement, Lack, Limits};
use super::error::GuestError;
use super::plan::GuestPlan;
use super::program::file_of;
use super::spawn::{Launch, Process};
use super::vhost::{open_vhosts, reserve_cid};
use super::writer::attach_writers;

/// A process that has just been started, and rig's ends of what it is connected to.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) process: Process,
    pub(super) stderr: ChildStderr,
    pub(super) command_line: Vec<String>,
    pub(super) vsock_cid: Option<u32>,
    /// As what it runs, in words, and what could not be taken from it.
    pub(super) confined: Vec<String>,
    pub(super) qmp: UnixStream,
    pub(super) console: UnixStream,
}

impl Fresh {
    pub(super) fn start(plan: &GuestPlan) -> Result<Self, GuestError> {
        let inserted =
            plan.medium.insert().map_err(GuestError::prepare("what the guest boots, in memory"))?;
        let (qmp, qmp_far) = wire().map_err(GuestError::prepare("a socket pair for qmp"))?;
        attach_writers(&qmp).map_err(GuestError::prepare("the socket for qmp"))?;
        let (console, console_far) = wire().map_err(GuestError::prepare("a socket pair for the console"))?;
        let vhosts = open_vhosts(&plan.spec)?;
        let vsock = reserve_cid(&plan.spec)?;
        let taps: Vec<_> = plan.taps.iter().map(AsRawFd::as_raw_fd).collect();
        let vhost_numbers: Vec<_> = vhosts.iter().map(AsRawFd::as_raw_fd).collect();
        let wiring = Wiring {
            qmp: qmp_far.as_raw_fd(),
            console: console_far.as_raw_fd(),
            boot: inserted.boot(),
            taps: &taps,
            socket: plan.socket.as_ref().map(AsRawFd::as_raw_fd),
            vhosts: &vhost_numbers,
            vsock: vsock.as_ref().map(|own| (own.device.as_raw_fd(), own.cid)),
            stays: plan.aftermath.as_ref().is_some_and(|after| after.core.is_some()),
            gdb: plan.gdb.as_ref().map(AsRawFd::as_raw_fd),
        };
        let arguments = argv::compose(&plan.spec, plan.engine, &plan.net, &plan.extra_cmdline, &wiring)?;
        let mut command_line = vec![plan.qemu.to_string_lossy().into_owned()];
        command_line.extend(arguments.iter().cloned());

        let mut keep: Vec<BorrowedFd<'_>> = vec![qmp_far.as_fd(), console_far.as_fd()];
        keep.extend(inserted.descriptors());
        keep.extend(plan.taps.iter().chain(&plan.socket).chain(&plan.gdb).chain(&vhosts).map(AsFd::as_fd));
        keep.extend(vsock.iter().map(|own| own.device.as_fd()));
        let namespace = plan.namespace.as_ref().map(AsFd::as_fd);
        // Links followed: where the file lies decides what can be taken from it.
        let program = file_of(&plan.qemu);
        let program = fs_err::canonicalize(&program).unwrap_or(program);
        let (confinement, lacks) = Confinement::of(&program);
        let mut confined = vec![confinement.describe()];
        confined.extend(lacks.iter().map(Lack::to_string));
        let limits = Limits::of(plan.spec.memory_mib, plan.spec.vcpus, plan.life);
        let limits = limits.with_files(plan.medium.writes_bytes());
        let (program, called) = (program.into(), plan.qemu.clone().into());
        let launch = Launch { program, called, arguments, namespace, keep: &keep, confinement, limits };
        let (process, stderr) = Process::start(launch)
            .map_err(|source| GuestError::Spawn { program: plan.qemu.display().to_string(), source })?;
        // QEMU's ends are closed here when this returns: it is their only owner, and when it dies the streams end.
        let vsock_cid = vsock.map(|own| own.cid);
        Ok(Self { process, stderr, command_line, vsock_cid, confined, qmp, console })
    }
}

/// A connected pair: rig's end, and QEMU's.
fn wire() -> io::Result<(UnixStream, OwnedFd)> {
    let (near, far) = StdUnixStream::pair()?;
    near.set_nonblocking(true)?;
    Ok((UnixStream::from_std(near)?, far.into()))
}
