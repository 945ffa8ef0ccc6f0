//! An independent look at the packets: every frame on a guest's tap, read and taken apart here.
//!
//! The tap lies in a namespace without a process; its QEMU holds the tap's descriptor, and that knows the namespace
//! (`TUNGETDEVNETNS`, drivers/net/tun.c, Linux 5.9). Must not share a line with rig's own witness, which filters in the kernel.
//! Units: TCP segments with RST.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};

use crate::blackbox::processes::Process;

/// What was seen on one tap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) frames: u64,
    pub(crate) rst_to_target: u64,
    pub(crate) rst_to_peer: u64,
    /// Frames that the kernel dropped because this reader was too slow.
    pub(crate) dropped: u32,
}

/// Reads until it is told to stop.
pub(crate) struct Capture {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Seen>,
}

impl Capture {
    /// Begins on the tap of this QEMU; `None` while that has none yet, or no more.
    pub(crate) fn begin(qemu: &Process) -> Option<Self> {
        let tap = borrow_tap(qemu.pid)?;
        let namespace = namespace_of(&tap).expect("the kernel tells a tap's namespace");
        drop(tap);
        let socket = thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            listen()
        });
        let socket = socket.join().unwrap().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Some(Self { stop, reader: thread::spawn(move || read(&socket, &told)) })
    }

    /// What it has seen, when all that has arrived is read.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.join().unwrap()
    }
}

/// A copy of the tap's descriptor of another process: pidfd_getfd(2).
fn borrow_tap(pid: u32) -> Option<OwnedFd> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let taps = entries
        .flatten()
        // In a chroot the kernel may tell the path as it is outside.
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.ends_with("dev/net/tun")));
    let number: i32 = taps.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).next()?;
    // SAFETY: no pointers.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).ok()?;
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) }).ok()
}

fn namespace_of(tap: &OwnedFd) -> io::Result<OwnedFd> {
    /// `_IO('T', 227)`, include/uapi/linux/if_tun.h.
    const TUNGETDEVNETNS: libc::c_ulong = 0x54e3;
    // SAFETY: the call takes no argument.
    owned(unsafe { libc::ioctl(tap.as_raw_fd(), TUNGETDEVNETNS) }.into())
}

fn owned(descriptor: i64) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(descriptor).expect("a descriptor or -1");
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A packet socket that gets every frame of `tap0`, in and out: packet(7).
fn listen() -> io::Result<OwnedFd> {
    let everything = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: no pointers.
    let socket =
        owned(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) }.into())?;
    let bytes: libc::c_int = 64 << 20;
    // SAFETY: the kernel reads one int.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
    // SAFETY: all zeroes is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = everything;
    address.sll_ifindex = i32::try_from(nix::net::if_::if_nametoindex("tap0")?).unwrap();
    // SAFETY: the kernel reads one sockaddr_ll of the given size.
    let bound = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32)
    };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

fn read(socket: &OwnedFd, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut frame = [0_u8; 2048];
    loop {
        let last = stop.load(Ordering::Relaxed);
        loop {
            // SAFETY: all zeroes is a valid sockaddr_ll; the kernel writes at most the given lengths.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            // SAFETY: as above.
            let bytes = unsafe {
                libc::recvfrom(
                    socket.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut length,
                )
            };
            let Ok(bytes) = usize::try_from(bytes) else {
                match io::Error::last_os_error().raw_os_error() {
                    // Said once when the tap goes; what was queued before can still be read.
                    Some(libc::ENETDOWN | libc::EINTR) => continue,
                    Some(libc::EAGAIN) => break,
                    other => panic!("recvfrom: {other:?}"),
                }
            };
            seen.frames += 1;
            if is_rst(&frame[..bytes]) {
                // What goes out of the tap goes into the guest.
                match from.sll_pkttype == libc::PACKET_OUTGOING {
                    true => seen.rst_to_target += 1,
                    false => seen.rst_to_peer += 1,
                }
            }
        }
        if last {
            seen.dropped = dropped(socket);
            return seen;
        }
        let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(socket), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::from(100_u8));
    }
}

fn dropped(socket: &OwnedFd) -> u32 {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    statistics.tp_drops
}

/// Whether an Ethernet frame carries a TCP segment with RST in IPv4 (RFC 791, RFC 9293). There is no IPv6 on these links.
fn is_rst(frame: &[u8]) -> bool {
    let Some((ethernet, packet)) = frame.split_at_checked(14) else { return false };
    if ethernet[12..] != [0x08, 0x00] || packet.len() < 20 || packet[9] != 6 {
        return false;
    }
    let header = usize::from(packet[0] & 0x0f) * 4;
    packet.get(header + 13).is_some_and(|flags| flags & 0x04 != 0)
}
