//! The enclosure: outer process, init (PID 1 of a PID namespace), body (PID 2, the program proper).
//!
//! Holds the start of the three and the body's private mounts. Must not know what the body does. Units: none.
//! Three, not two: PID 1 has no default signal actions and inherits every orphan. With an init of its own the body is an ordinary
//! process (signals, tokio's `waitpid` on its children). When init ends, the kernel kills all that is left (pid_namespaces(7)).
//! Errors: [`EnclosureError`]. Tests: `tests/enclosure.rs` (root).

#![expect(
    unsafe_code,
    reason = "fork, clone, and what happens between fork and exec: only system calls that are safe there"
)]

use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{ForkResult, fork, geteuid};

use super::error::EnclosureError;
use super::signals::watched_signals;
use super::{host, init, outer};

/// How long a thread that was joined may still be listed: on a busy machine it must get to run once more.
const LAST_OF_A_THREAD: Duration = Duration::from_secs(1);

/// Moves the program into an enclosure. **Returns `Ok` in another process than the one that called**: the body, PID 2 of a new PID
/// namespace, in a mount namespace with its own /proc and a network namespace with nothing but `lo` (up).
///
/// The calling process never returns from here (unless with an error): it passes signals on and ends as the body ends, with its exit
/// code or by its signal, after the kernel has killed everything else in the enclosure. SIGKILL of any of the three ends all.
/// All three stay in the caller's session and process group, so that job control works as for one process.
/// May be called inside another enclosure. To be called before the first thread: before any tokio runtime and before [`super::spawn`].
/// What must reach the outside from the body says so: [`super::use_host_network`].
///
/// # Errors
/// [`EnclosureError`], in the calling process or, where the private mounts fail, in the body; nothing was started then.
pub fn enclose() -> Result<(), EnclosureError> {
    let uid = geteuid();
    if !uid.is_root() {
        return Err(EnclosureError::NotRoot { uid: uid.as_raw() });
    }
    await_single_thread()?;
    // What is buffered must not be written once by each of three processes.
    let _ = io::stdout().flush();
    let (outer_end, init_end) = UnixStream::pair().map_err(EnclosureError::at("make a socket pair"))?;
    let mask = block_signals()?;
    let begun = unshare(CloneFlags::CLONE_NEWPID)
        .map_err(EnclosureError::nix("make a PID namespace"))
        .and_then(|()| fork_once("start the init process"));
    match begun {
        Ok(ForkResult::Parent { child }) => {
            drop(init_end);
            let error = outer::watch(child, outer_end);
            restore_mask(&mask);
            Err(EnclosureError::at("start the body process")(error))
        }
        Ok(ForkResult::Child) => {
            drop(outer_end);
            init::tie_to_outer(&init_end);
            match fork_once("start the body process") {
                Ok(ForkResult::Parent { child }) => init::serve(child, init_end),
                Ok(ForkResult::Child) => {
                    drop(init_end);
                    restore_mask(&mask);
                    furnish()
                }
                Err(error) => init::give_up(&init_end, &error),
            }
        }
        Err(error) => {
            restore_mask(&mask);
            Err(error)
        }
    }
}

/// A thread that was joined is still listed for some moments: the kernel wakes who joins it (`mm_release`, kernel/fork.c) before it takes
/// the thread off the list (`release_task`, kernel/exit.c).
fn await_single_thread() -> Result<(), EnclosureError> {
    let deadline = Instant::now() + LAST_OF_A_THREAD;
    loop {
        let threads =
            std::fs::read_dir("/proc/self/task").map_err(EnclosureError::at("list threads"))?.count();
        if threads == 1 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(EnclosureError::Threads { threads });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Blocks what outer and init take with sigwait(3) and signalfd(2); returns the mask that the body shall have.
fn block_signals() -> Result<SigSet, EnclosureError> {
    // With SIGCHLD ignored (inherited, signal(7)) there would be no exit status to wait for.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: installs no handler.
    unsafe { sigaction(Signal::SIGCHLD, &default) }.map_err(EnclosureError::nix("reset SIGCHLD"))?;
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&watched_signals()), Some(&mut before))
        .map_err(EnclosureError::nix("block signals"))?;
    Ok(before)
}

fn restore_mask(mask: &SigSet) {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None).expect("SIG_SETMASK with a valid set cannot fail");
}

fn fork_once(what: &'static str) -> Result<ForkResult, EnclosureError> {
    // SAFETY: the process has one thread (checked by `enclose`), so the child may do anything.
    unsafe { fork() }.map_err(EnclosureError::nix(what))
}

/// In the body: own mounts, own network.
fn furnish() -> Result<(), EnclosureError> {
    const PROC: &CStr = c"/proc";
    let nowhere: Option<&CStr> = None;
    unshare(CloneFlags::CLONE_NEWNS).map_err(EnclosureError::nix("make a mount namespace"))?;
    // Slave, not private: nothing goes out, but what the host unmounts is unmounted here too instead of being kept busy.
    mount(nowhere, c"/", nowhere, MsFlags::MS_REC | MsFlags::MS_SLAVE, nowhere)
        .map_err(EnclosureError::nix("make the mounts private"))?;
    // Not earlier: only a mount of this mount namespace can be bound to another place in it.
    let earlier = host::open_host_proc().map_err(EnclosureError::at("open the host's /proc"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(c"proc"), PROC, Some(c"proc"), flags, nowhere)
        .map_err(EnclosureError::nix("mount a private /proc"))?;
    host::furnish_room(&earlier)?;
    host::leave_host_network()?;
    set_loopback_up().map_err(EnclosureError::at("bring the loopback interface up"))
}

/// `SIOCSIFFLAGS` on `lo` of the current network namespace: netdevice(7). One call, so no netlink here.
fn set_loopback_up() -> io::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
