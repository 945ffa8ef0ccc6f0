//! A packet socket pair on one interface: one that hears everything that comes in from the wire, one that sends.
//!
//! Must not know what frames mean beyond [`super::offload`]. Reads and writes are batched (`recvmmsg`, `sendmmsg`) and never block.
//! A ring (TPACKET_V3) is not used: it hands blocks over by a timer of milliseconds, and carries no offload metadata.
//! Units: bytes. Errors: [`MiddleboxError::Socket`] at opening; `io::Error` at work. Source: packet(7).
//! Tests: `rig/tests/middlebox.rs`.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::error::MiddleboxError;
use super::offload::{META, Meta};

/// Frames per system call.
pub(super) const BATCH: usize = 64;
/// The longest super-segment (64 KiB), its link header with tags, and the metadata before it.
const SLOT: usize = META + 65_536 + 64;
/// Room for bursts: the kernel doubles it, and counts its own overhead against it.
const BUFFER: libc::c_int = 16 << 20;
/// Room for one `tpacket_auxdata` message, in words of the alignment that control messages need.
const CONTROL: usize = 8;

/// A packet socket pair.
#[derive(Debug)]
pub(super) struct PacketSocket {
    incoming: OwnedFd,
    outgoing: OwnedFd,
}

/// One received frame.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) meta: Meta,
    /// A VLAN tag that the kernel took out.
    pub(super) tag: Option<[u8; 4]>,
    pub(super) bytes: &'a [u8],
    /// Longer than what fits.
    pub(super) cut: bool,
}

impl PacketSocket {
    /// Opens both sockets on an interface of the calling thread's network namespace, and makes it promiscuous while they live.
    pub(super) fn open(interface: &str) -> Result<Self, MiddleboxError> {
        let fail =
            |what| move |cause| MiddleboxError::Socket { what, interface: interface.to_owned(), cause };
        let index = nix::net::if_::if_nametoindex(interface)
            .map_err(io::Error::from)
            .map_err(fail("find the index"))?;
        let index = libc::c_int::try_from(index).expect("interface indices are positive ints");
        let incoming = packet_socket().map_err(fail("open a packet socket"))?;
        // All before it is bound: nothing arrives from another interface, or without metadata.
        set(&incoming, libc::PACKET_VNET_HDR, &1_i32).map_err(fail("ask for offload metadata"))?;
        set(&incoming, libc::PACKET_AUXDATA, &1_i32).map_err(fail("ask for VLAN tags"))?;
        set(&incoming, libc::PACKET_IGNORE_OUTGOING, &1_i32)
            .map_err(fail("ignore outgoing frames (Linux 4.20)"))?;
        set_buffer(&incoming, libc::SO_RCVBUFFORCE).map_err(fail("enlarge the receive buffer"))?;
        bind(&incoming, index, libc::ETH_P_ALL).map_err(fail("bind"))?;
        // SAFETY: `packet_mreq` is plain old data, for which all zeros is a value.
        let mut membership: libc::packet_mreq = unsafe { mem::zeroed() };
        membership.mr_ifindex = index;
        membership.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).expect("a small constant");
        set(&incoming, libc::PACKET_ADD_MEMBERSHIP, &membership).map_err(fail("go promiscuous"))?;
        // Protocol 0: the sending socket hears nothing.
        let outgoing = packet_socket().map_err(fail("open a packet socket"))?;
        set_buffer(&outgoing, libc::SO_SNDBUFFORCE).map_err(fail("enlarge the send buffer"))?;
        bind(&outgoing, index, 0).map_err(fail("bind"))?;
        Ok(Self { incoming, outgoing })
    }

    pub(super) fn incoming(&self) -> RawFd {
        self.incoming.as_raw_fd()
    }

    pub(super) fn outgoing(&self) -> RawFd {
        self.outgoing.as_raw_fd()
    }

    /// Frames that the kernel dropped because the box did not read in time, since the last call.
    pub(super) fn take_lost(&self) -> io::Result<u64> {
        // SAFETY: `tpacket_stats` is plain old data, for which all zeros is a value.
        let mut stats: libc::tpacket_stats = unsafe { mem::zeroed() };
        let mut length = length_of::<libc::tpacket_stats>();
        // SAFETY: the kernel writes at most `length` bytes into `stats`, which live.
        let done = unsafe {
            libc::getsockopt(
                self.incoming(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                ptr::from_mut(&mut stats).cast(),
                &mut length,
            )
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::from(stats.tp_drops)) }
    }

    /// Sends frames from the first on; gives how many the kernel took. An error is about the first frame.
    pub(super) fn send<'a>(&self, frames: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
        let mut count = 0;
        for (vector, frame) in vectors.iter_mut().zip(frames) {
            // The kernel does not write through the pointer of a frame that is sent.
            *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            count += 1;
        }
        // SAFETY: `mmsghdr` is plain old data, for which all zeros is a value.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (message, vector) in messages.iter_mut().zip(&mut vectors).take(count) {
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let count = libc::c_uint::try_from(count).expect("at most a batch");
        // SAFETY: the first `count` messages point to `vectors`, those to the frames; all outlive the call.
        let sent =
            unsafe { libc::sendmmsg(self.outgoing(), messages.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Buffers for one batch of received frames. Made and used in one thread.
pub(super) struct Inbox {
    buffer: Vec<u8>,
    controls: Vec<[u64; CONTROL]>,
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let mut inbox = Self {
            buffer: vec![0; SLOT * BATCH],
            controls: vec![[0; CONTROL]; BATCH],
            vectors: Vec::with_capacity(BATCH),
            // SAFETY: `mmsghdr` is plain old data, for which all zeros is a value.
            messages: vec![unsafe { mem::zeroed() }; BATCH],
        };
        for slot in inbox.buffer.chunks_exact_mut(SLOT) {
            inbox.vectors.push(libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT });
        }
        inbox
    }

    /// Receives what is there, up to a batch; gives how many frames.
    pub(super) fn receive(&mut self, socket: &PacketSocket) -> io::Result<usize> {
        for ((message, vector), control) in
            self.messages.iter_mut().zip(&mut self.vectors).zip(&mut self.controls)
        {
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = mem::size_of::<[u64; CONTROL]>();
        }
        // SAFETY: each message points to one vector and one control buffer of its own, each vector to one slot of `buffer`; none of the
        // vectors of this struct is moved or resized after `new`, and all outlive the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.incoming(),
                self.messages.as_mut_ptr(),
                libc::c_uint::try_from(BATCH).expect("small"),
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// The frame at `index` of the last batch; nothing if it was too short to be one.
    pub(super) fn get(&self, index: usize) -> Option<Received<'_>> {
        let message = &self.messages[index];
        let length = usize::try_from(message.msg_len).ok()?.min(SLOT);
        let slot = &self.buffer[index * SLOT..index * SLOT + length];
        let (meta, bytes) = slot.split_first_chunk::<META>()?;
        Some(Received {
            meta: Meta::read(meta),
            tag: vlan_tag(&message.msg_hdr),
            bytes,
            cut: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        })
    }
}

/// The VLAN tag of `PACKET_AUXDATA`, as four bytes of the wire.
fn vlan_tag(header: &libc::msghdr) -> Option<[u8; 4]> {
    // SAFETY: the kernel has filled control buffer and length of this header, and both live.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give headers inside the control buffer.
        let control = unsafe { &*next };
        if control.cmsg_level == libc::SOL_PACKET && control.cmsg_type == libc::PACKET_AUXDATA {
            // SAFETY: a control message of this type carries one `tpacket_auxdata`, which need not be aligned.
            let data: libc::tpacket_auxdata =
                unsafe { ptr::read_unaligned(libc::CMSG_DATA(next).cast_const().cast()) };
            if data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
                return None;
            }
            let said = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            let [a, b] = (if said { data.tp_vlan_tpid } else { 0x8100 }).to_be_bytes();
            let [c, d] = data.tp_vlan_tci.to_be_bytes();
            return Some([a, b, c, d]);
        }
        // SAFETY: as above.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    None
}

fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was made just now and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bind(socket: &OwnedFd, index: libc::c_int, protocol: libc::c_int) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain old data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).expect("a small constant");
    address.sll_protocol = u16::try_from(protocol).expect("an EtherType").to_be();
    address.sll_ifindex = index;
    // SAFETY: the address lives, and its length is given.
    let done = unsafe {
        libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), length_of::<libc::sockaddr_ll>())
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    set_at(socket, libc::SOL_PACKET, option, value)
}

fn set_buffer(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    set_at(socket, libc::SOL_SOCKET, option, &BUFFER)
}

fn set_at<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of a value that lives.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length_of::<T>())
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(mem::size_of::<T>()).expect("a small type")
}
