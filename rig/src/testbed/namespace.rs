//! A network namespace, held by a descriptor and by nothing else.
//!
//! Holds its making, and the ways into it. Must not know what is in it. Units: none.
//! setns(2) moves one thread; nothing here moves a thread of the caller unless [`Namespace::enter`] is called.
//! Errors: [`TestbedError`]. Tests: `tests/netns.rs` (root).

#![expect(unsafe_code, reason = "unshare and setns of a thread that ends afterwards")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::error::TestbedError;

/// A network namespace. It ends when this, every process and thread in it and every socket of it are gone.
#[derive(Debug)]
pub struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// A new, empty namespace (`lo` alone, down).
    ///
    /// # Errors
    /// [`TestbedError::Create`]
    pub fn new() -> Result<Self, TestbedError> {
        let make = || -> io::Result<OwnedFd> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(File::open("/proc/thread-self/ns/net")?.into())
        };
        // A thread of its own, so that no thread of the caller is moved.
        let descriptor = on_fresh_thread(make).and_then(|made| made);
        descriptor.map(|descriptor| Self { descriptor }).map_err(|source| TestbedError::Create { source })
    }

    /// A second handle of it.
    ///
    /// # Errors
    /// [`TestbedError::Enter`] where the descriptor cannot be duplicated.
    pub fn try_clone(&self) -> Result<Self, TestbedError> {
        let descriptor = self.descriptor.try_clone().map_err(|source| TestbedError::Enter { source })?;
        Ok(Self { descriptor })
    }

    /// Moves the calling *thread* into it, for good: for threads that were made for it.
    ///
    /// # Errors
    /// [`TestbedError::Enter`]
    pub fn enter(&self) -> Result<(), TestbedError> {
        enter(self.descriptor.as_fd()).map_err(|source| TestbedError::Enter { source })
    }

    /// Runs `work` inside it, on a fresh thread, and waits for it. A panic of `work` goes on in the caller.
    /// Sockets that `work` makes keep the namespace alive, also those that a library keeps for ever: tokio's first runtime makes such
    /// ones, so make runtimes outside.
    ///
    /// # Errors
    /// [`TestbedError::Enter`]
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, TestbedError> {
        on_fresh_thread(|| self.enter().map(|()| work()))
            .unwrap_or_else(|source| Err(TestbedError::Enter { source }))
    }

    /// Makes a command start inside it.
    ///
    /// # Errors
    /// [`TestbedError::Enter`] where the descriptor cannot be duplicated; a failing setns(2) is reported by `spawn`.
    pub fn enter_on_spawn(&self, command: &mut Command) -> Result<(), TestbedError> {
        let descriptor = self.descriptor.try_clone().map_err(|source| TestbedError::Enter { source })?;
        // SAFETY: the closure makes one system call, between fork and exec.
        unsafe { command.pre_exec(move || enter(descriptor.as_fd())) };
        Ok(())
    }

    /// Device and inode of the namespace: what /proc/PID/ns/net leads to for a process in it. namespaces(7).
    ///
    /// # Errors
    /// What fstat(2) says.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let metadata = File::from(self.descriptor.try_clone()?).metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn enter(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    setns(descriptor, CloneFlags::CLONE_NEWNET).map_err(Into::into)
}

fn on_fresh_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("rig-netns".into()).spawn_scoped(scope, work)?;
        worker.join().map_or_else(|panic| resume_unwind(panic), Ok)
    })
}
