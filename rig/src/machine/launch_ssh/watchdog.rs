//! Ends a call of libssh2 that does not come back by itself.
//!
//! "Non-blocking" is said of the socket: while a server sends faster than libssh2 reads (lines before its banner, packets to be ignored), one call goes
//! on for as long as the server likes. A thread beside each session closes the socket once a call has overstayed its deadline.
//! Must not know what the call is for. Units: `Duration`. Errors: none; the call fails, and who waits for it knows that it is late.
//! Sources: RFC 4253, sections 4.2 and 11.2; libssh2 1.11, `banner_receive`, `_libssh2_packet_require`. Tests: `session/tests.rs`.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process;

/// Who waits for a call ends it first, where it comes back.
const GRACE: Duration = Duration::from_millis(500);

/// Watches the calls of one session, one at a time. Its thread ends with it.
#[derive(Debug)]
pub(super) struct Watchdog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    watch: Mutex<Watch>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Watch {
    until: Option<Instant>,
    over: bool,
}

impl Watchdog {
    /// A watchdog that closes this socket.
    pub(super) fn of(socket: &TcpStream) -> io::Result<Self> {
        let socket = socket.try_clone()?;
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        thread::Builder::new()
            .name("ssh-watchdog".to_owned())
            .spawn(move || watched.bite_when_late(&socket))?;
        Ok(Self(shared))
    }

    /// Watches until what it returns is dropped.
    pub(super) fn watch(&self, until: Instant) -> Watching<'_> {
        self.0.change(|watch| watch.until = until.checked_add(GRACE));
        Watching(&self.0)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.change(|watch| watch.over = true);
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Watching<'a>(&'a Shared);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.change(|watch| watch.until = None);
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Watch)) {
        change(&mut process::lock(&self.watch));
        self.changed.notify_all();
    }

    fn bite_when_late(&self, socket: &TcpStream) {
        let mut watch = process::lock(&self.watch);
        while !watch.over {
            let Some(until) = watch.until else {
                watch = self.changed.wait(watch).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // One that is closed already needs no closing.
                let _ = socket.shutdown(Shutdown::Both);
                return;
            }
            let waited = self.changed.wait_timeout(watch, left);
            watch = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
