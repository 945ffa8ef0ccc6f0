//! One packet socket that the kernel fills by itself: a ring of blocks in shared memory (TPACKET_V3, Documentation/networking/packet_mmap.rst).
//!
//! Nothing wakes per packet: the kernel copies the first bytes of each into the open block and hands blocks over when they are full or old.
//! Must not know what packets mean. Units: bytes, nanoseconds since 1970 (UTC). Errors: `io::Error` of the call.
//! Tests: the taking apart here, the rest in `tests/netns/capture.rs` (root).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::testbed::packet::{Packet, PacketDirection};
use crate::testbed::packet_socket;

/// What is kept of each packet: every header, and the data of the scenarios, which is short.
pub(super) const SNAP_BYTES: u32 = 256;

/// A block of the ring, and how many there are: 8 MiB, some 50,000 packets, which is more than comes between two looks.
const BLOCK: usize = 256 << 10;
const BLOCKS: usize = 32;

/// The kernel hands an open block over when nothing has closed it for this long (`tp_retire_blk_tov`), at most one such time late.
const RETIRE_MS: u32 = 25;

/// A socket and its ring.
#[derive(Debug)]
pub(super) struct Ring {
    socket: OwnedFd,
    memory: NonNull<u8>,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone; the kernel's part in it is ordered by the status word of each block.
unsafe impl Send for Ring {}

impl Ring {
    /// Begins to fill on an interface of the calling thread's namespace.
    pub(super) fn open(index: libc::c_uint) -> Result<Self, (&'static str, io::Error)> {
        let socket = packet_socket::open().map_err(|error| ("open a packet socket", error))?;
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        packet_socket::set_option(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)
            .map_err(|error| ("ask for TPACKET_V3", error))?;
        pass(&socket, SNAP_BYTES).map_err(|error| ("set its snap length", error))?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK as libc::c_uint,
            tp_block_nr: BLOCKS as libc::c_uint,
            // Frames have no fixed size in version 3; these two must agree with the blocks all the same.
            tp_frame_size: 2048,
            tp_frame_nr: (BLOCK * BLOCKS / 2048) as libc::c_uint,
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        packet_socket::set_option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
            .map_err(|error| ("get a ring from the kernel", error))?;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                BLOCK * BLOCKS,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(("map its ring", io::Error::last_os_error()));
        }
        let memory = NonNull::new(memory.cast()).expect("mmap(2) does not give address 0 by itself");
        let ring = Self { socket, memory, next: 0 };
        packet_socket::bind(&ring.socket, index).map_err(|error| ("bind its packet socket", error))?;
        Ok(ring)
    }

    /// Hands every block that is ready to `take`, in order, and gives it back to the kernel.
    pub(super) fn take_blocks(&mut self, mut take: impl FnMut(&[u8])) {
        for _ in 0..BLOCKS {
            // SAFETY: `next` is below BLOCKS, so that the block lies in the mapping.
            let block = unsafe { self.memory.add(self.next * BLOCK) };
            // SAFETY: the status word lies in the block, is aligned (blocks are whole pages), and is only accessed atomically.
            let status = unsafe { AtomicU32::from_ptr(block.add(STATUS).cast().as_ptr()) };
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return;
            }
            // SAFETY: the block is ours until the status is set back: the kernel writes to none that is handed over.
            take(unsafe { std::slice::from_raw_parts(block.as_ptr(), BLOCK) });
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % BLOCKS;
        }
    }

    /// Lets no further packet in.
    pub(super) fn deafen(&self) -> io::Result<()> {
        pass(&self.socket, 0)
    }

    /// Since the last call: packets that came, and how many of these found no room.
    pub(super) fn take_statistics(&self) -> io::Result<(u64, u64)> {
        let none = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let statistics = packet_socket::take_statistics(&self.socket, none)?;
        Ok((statistics.tp_packets.into(), statistics.tp_drops.into()))
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped with this length by `open`, and no reference into it outlives `take_blocks`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BLOCK * BLOCKS) };
    }
}

/// A filter of one instruction: of every packet, pass so many bytes. bpf(2).
fn pass(socket: &OwnedFd, bytes: u32) -> io::Result<()> {
    let instruction =
        libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: bytes };
    packet_socket::attach(socket, &mut [instruction])
}

// include/uapi/linux/if_packet.h: `struct tpacket_block_desc`, then `struct tpacket3_hdr` of each packet and its `struct sockaddr_ll`.
const STATUS: usize = 8;
const PACKETS: usize = 12;
const FIRST: usize = 16;
const LENGTH: usize = 20;
const NEXT: usize = 0;
const SECONDS: usize = 4;
const NANOSECONDS: usize = 8;
const CAPTURED: usize = 12;
const ORIGINAL: usize = 16;
const FRAME: usize = 24;
const KIND: usize = libc::TPACKET3_HDRLEN - size_of::<libc::sockaddr_ll>() + 10;

/// The part of a block that is filled, and how many packets are in it.
pub(super) fn filled(block: &[u8]) -> (&[u8], u32) {
    let length = word(block, LENGTH).unwrap_or(0) as usize;
    (&block[..length.min(block.len())], word(block, PACKETS).unwrap_or(0))
}

/// The packets of a block's filled part. A block that is not what it should be ends early: nothing here can be trusted more than the kernel.
pub(super) fn packets(block: &[u8], point: usize) -> impl Iterator<Item = Packet> {
    let mut at = word(block, FIRST).unwrap_or(0) as usize;
    (0..word(block, PACKETS).unwrap_or(0)).map_while(move |_| {
        let header = block.get(at..)?;
        let start = usize::from(u16::from_ne_bytes(header.get(FRAME..FRAME + 2)?.try_into().ok()?));
        let bytes = header.get(start..start + word(header, CAPTURED)? as usize)?;
        let outgoing = *header.get(KIND)? == libc::PACKET_OUTGOING;
        let packet = Packet {
            point,
            time_ns: u64::from(word(header, SECONDS)?) * 1_000_000_000
                + u64::from(word(header, NANOSECONDS)?),
            direction: if outgoing { PacketDirection::Out } else { PacketDirection::In },
            original_bytes: word(header, ORIGINAL)?,
            bytes: bytes.to_vec(),
        };
        at += word(header, NEXT)? as usize;
        Some(packet)
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn offsets_are_those_of_the_kernel_header() {
        let inner = offset_of!(libc::tpacket_block_desc, hdr);
        assert_eq!(STATUS, inner + offset_of!(libc::tpacket_hdr_v1, block_status));
        assert_eq!(PACKETS, inner + offset_of!(libc::tpacket_hdr_v1, num_pkts));
        assert_eq!(FIRST, inner + offset_of!(libc::tpacket_hdr_v1, offset_to_first_pkt));
        assert_eq!(LENGTH, inner + offset_of!(libc::tpacket_hdr_v1, blk_len));
        assert_eq!(NEXT, offset_of!(libc::tpacket3_hdr, tp_next_offset));
        assert_eq!(SECONDS, offset_of!(libc::tpacket3_hdr, tp_sec));
        assert_eq!(NANOSECONDS, offset_of!(libc::tpacket3_hdr, tp_nsec));
        assert_eq!(CAPTURED, offset_of!(libc::tpacket3_hdr, tp_snaplen));
        assert_eq!(ORIGINAL, offset_of!(libc::tpacket3_hdr, tp_len));
        assert_eq!(FRAME, offset_of!(libc::tpacket3_hdr, tp_mac));
        // `TPACKET_ALIGN(sizeof(struct tpacket3_hdr))`, where `tpacket_rcv` puts the address.
        let address = size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
        assert_eq!(KIND, address + offset_of!(libc::sockaddr_ll, sll_pkttype));
    }

    /// A block as the kernel makes it, with these frames.
    fn block(frames: &[(&[u8], u8)]) -> Vec<u8> {
        const FIRST_AT: usize = 48;
        let mut block = vec![0; FIRST_AT];
        for (number, (frame, kind)) in frames.iter().enumerate() {
            let mut header = vec![0; KIND + 1];
            header[KIND] = *kind;
            let start = header.len() as u16;
            header.extend(*frame);
            header.resize(header.len().next_multiple_of(8), 0);
            let last = number + 1 == frames.len();
            let next = if last { 0 } else { header.len() as u32 };
            header[NEXT..NEXT + 4].copy_from_slice(&next.to_ne_bytes());
            header[SECONDS..SECONDS + 4].copy_from_slice(&3_u32.to_ne_bytes());
            header[NANOSECONDS..NANOSECONDS + 4].copy_from_slice(&(number as u32).to_ne_bytes());
            header[CAPTURED..CAPTURED + 4].copy_from_slice(&(frame.len() as u32).to_ne_bytes());
            header[ORIGINAL..ORIGINAL + 4].copy_from_slice(&9000_u32.to_ne_bytes());
            header[FRAME..FRAME + 2].copy_from_slice(&start.to_ne_bytes());
            block.extend(header);
        }
        let length = block.len() as u32;
        for (at, value) in [(PACKETS, frames.len() as u32), (FIRST, FIRST_AT as u32), (LENGTH, length)] {
            block[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        block
    }

    #[test]
    fn packets_are_taken_out_of_a_block_in_order() {
        let mut whole = block(&[(b"first", libc::PACKET_OUTGOING), (b"second one", libc::PACKET_HOST)]);
        whole.resize(BLOCK, 0xff);
        let (block, count) = filled(&whole);
        assert_eq!(count, 2);
        let found: Vec<Packet> = packets(block, 7).collect();
        let wanted = |number: u64, direction, bytes: &[u8]| Packet {
            point: 7,
            time_ns: 3_000_000_000 + number,
            direction,
            original_bytes: 9000,
            bytes: bytes.to_vec(),
        };
        assert_eq!(
            found,
            [wanted(0, PacketDirection::Out, b"first"), wanted(1, PacketDirection::In, b"second one")]
        );
    }

    #[test]
    fn a_damaged_block_ends_early() {
        let whole = block(&[(b"first", 0), (b"second one", 0)]);
        for length in 0..whole.len() - 16 {
            assert!(packets(&whole[..length], 0).count() < 2, "{length} bytes");
        }
        assert_eq!(packets(&[0xff; 64], 0).count(), 0);
    }
}
