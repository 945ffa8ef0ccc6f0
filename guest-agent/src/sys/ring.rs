//! The ring buffer that a perf event writes into.
//!
//! Holds the mapping and the taking out of records as bytes; must not know what a record means.
//! Units: bytes. Errors: the errno of mmap(2). Source: perf_event_open(2), "MMAP layout".
//! Tests: `tests/program`, `tests/loopback/traces.rs`.

use std::sync::atomic::{AtomicU64, Ordering};

use rig_protocol::Errno;

use super::errno::check;
use super::raw::syscall;

/// The page that describes the ring has the same size.
pub(super) const PAGE: usize = 4096;
/// `data_head` and `data_tail` of `struct perf_event_mmap_page`.
const HEAD: usize = 1024;
const TAIL: usize = 1032;

/// A ring; unmapped with the value. The event lives as long as its descriptor or the ring.
#[derive(Debug)]
pub(super) struct Ring {
    place: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone, and whoever has it reads it.
unsafe impl Send for Ring {}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped in `of`, and nobody looks at it any more.
        unsafe { syscall(libc::SYS_munmap, [self.place as usize, PAGE + self.bytes, 0, 0, 0, 0]) };
    }
}

impl Ring {
    /// Of an event; `bytes` is a page, or a power of two of them.
    pub(super) fn of(fd: i32, bytes: usize) -> Result<Self, Errno> {
        let (protection, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        let arguments = [0, PAGE + bytes, protection as usize, shared as usize, fd as usize, 0];
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let place = check(unsafe { syscall(libc::SYS_mmap, arguments) })? as *mut u8;
        Ok(Self { place, bytes })
    }

    fn position(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the page is mapped and lives as long as `self`; the kernel writes the words as a whole.
        unsafe { &*self.place.add(at).cast::<AtomicU64>() }
    }

    /// Takes out what is there, record by record, each with its header.
    pub(super) fn take(&mut self, mut each: impl FnMut(&[u8])) {
        let (head, tail) = (self.position(HEAD), self.position(TAIL));
        let (end, mut at) = (head.load(Ordering::Acquire), tail.load(Ordering::Relaxed));
        while at < end {
            let header = self.copy(at, 8);
            let length = usize::from(u16::from_ne_bytes([header[6], header[7]])).max(8);
            each(&self.copy(at, length));
            at += length as u64;
        }
        tail.store(at.max(end), Ordering::Release);
    }

    /// Forgets what is there.
    pub(super) fn skip(&mut self) {
        let end = self.position(HEAD).load(Ordering::Acquire);
        self.position(TAIL).store(end, Ordering::Release);
    }

    /// A copy of a piece, which may go round the end.
    fn copy(&self, at: u64, length: usize) -> Vec<u8> {
        let from = at as usize % self.bytes;
        let first = length.min(self.bytes - from);
        let mut copy = vec![0_u8; length];
        // SAFETY: both pieces lie within the ring, which the kernel does not write before `data_tail` has passed them.
        unsafe {
            let ring = self.place.add(PAGE);
            std::ptr::copy_nonoverlapping(ring.add(from), copy.as_mut_ptr(), first);
            std::ptr::copy_nonoverlapping(ring, copy.as_mut_ptr().add(first), length - first);
        }
        copy
    }
}
