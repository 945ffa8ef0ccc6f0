//! io_uring(7) without a library: a ring, its two queues in shared memory, and the system call that moves them.
//!
//! Holds one ring of a thread; must not know slots, labels or which bits are asked for.
//! Units: a duration. Errors: none, `-errno` is returned: by the system call, or as the result of a completion.
//! Source: io_uring_setup(2), io_uring_enter(2), include/uapi/linux/io_uring.h. Tests: `tests/loopback/uring.rs`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::errno::is_failure;
use super::files;
use super::raw::syscall;
use super::time::timespec;

/// Requests that can be submitted at once; completions can be twice as many before some are kept back by the kernel.
const ENTRIES: usize = 32;
/// `sizeof(struct io_uring_sqe)`, `sizeof(struct io_uring_cqe)`.
const REQUEST_BYTES: usize = 64;
const COMPLETION_BYTES: usize = 16;

const OFFSET_RINGS: usize = 0;
const OFFSET_REQUESTS: usize = 0x1000_0000;
/// `IORING_FEAT_SINGLE_MMAP`: both queues lie in one mapping (Linux 5.4).
const ONE_MAPPING: u32 = 1;
/// `IORING_ENTER_GETEVENTS`, `IORING_ENTER_EXT_ARG` (Linux 5.11).
const GET_EVENTS: usize = 1;
const WITH_TIMEOUT: usize = 8;

const POLL_ADD: u8 = 6;
const POLL_REMOVE: u8 = 7;
const ASYNC_CANCEL: u8 = 14;
const RECEIVE: u8 = 27;
/// `IORING_POLL_ADD_MULTI`, `IORING_POLL_UPDATE_EVENTS` (Linux 5.13).
const POLL_MULTISHOT: u32 = 1;
const POLL_UPDATE_EVENTS: u32 = 2;

/// The completion of a request that works on another one has a number that no script can give.
const OF_A_CHANGE: u64 = 1 << 32;

/// For the end of a receive that was cancelled.
const PATIENCE: Duration = Duration::from_millis(100);

/// `struct io_uring_params`: three words in, then what the kernel made.
#[repr(C)]
#[derive(Default)]
struct Parameters {
    requests: u32,
    completions: u32,
    flags: u32,
    thread_cpu: u32,
    thread_idle: u32,
    features: u32,
    workers: u32,
    reserved: [u32; 3],
    /// Of head, tail, mask, entries, flags, dropped, array.
    request_queue: [u32; 10],
    /// Of head, tail, mask, entries, overflow, completions, flags.
    completion_queue: [u32; 10],
}

/// `struct io_uring_sqe`, as far as it is used.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    operation: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    /// `poll32_events`, `msg_flags`, `cancel_flags`.
    detail: u32,
    user_data: u64,
    rest: [u64; 3],
}

/// `struct io_uring_cqe`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Completion {
    user_data: u64,
    result: i32,
    flags: u32,
}

/// What a request of a script was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Poll,
    Receive,
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completed {
    /// The completion's result, or `-errno` of the call.
    pub(crate) returned: i64,
    /// Whether the result is bits of poll(2).
    pub(crate) polled: bool,
}

/// A mapping of a ring; unmapped with the value.
#[derive(Debug)]
struct Mapping {
    place: usize,
    bytes: usize,
}

impl Mapping {
    fn of(fd: i32, offset: usize, bytes: usize) -> Result<Self, i64> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_SHARED | libc::MAP_POPULATE) as usize;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let place = unsafe { syscall(libc::SYS_mmap, [0, bytes, protection, flags, fd as usize, offset]) };
        if is_failure(place) { Err(place) } else { Ok(Self { place: place as usize, bytes }) }
    }

    /// A word that the kernel writes too.
    fn word(&self, at: u32) -> &AtomicU32 {
        // SAFETY: the kernel gave this offset, within the mapping and aligned; the mapping lives as long as `self`.
        unsafe { &*((self.place + at as usize) as *const AtomicU32) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `of`; nobody has a reference into it any more.
        unsafe { syscall(libc::SYS_munmap, [self.place, self.bytes, 0, 0, 0, 0]) };
    }
}

/// A ring. Its descriptor is the script's, which closes it; the memory goes with the value, and with that the ring itself.
#[derive(Debug)]
pub(crate) struct Ring {
    fd: i32,
    rings: Mapping,
    requests: Mapping,
    request_queue: [u32; 10],
    completion_queue: [u32; 10],
    /// What the script's requests were, by their numbers.
    kinds: Vec<(u32, Kind)>,
    /// Completions that were taken out and not asked for yet, in order.
    kept: Vec<Completion>,
    /// Where the kernel writes what it receives, for requests that are not complete.
    receiving: Vec<(u64, Box<[u8]>)>,
    changes: u64,
}

/// A receive that is still under way is cancelled: the kernel must not write into memory that is given back. Where that fails (the script has
/// closed the descriptor), the memory is not given back.
impl Drop for Ring {
    fn drop(&mut self) {
        self.take();
        while let Some((user_data, _)) = self.receiving.last() {
            let user_data = *user_data;
            self.cancel(user_data as u32);
            self.wait_for(user_data, Some(PATIENCE));
            let still = self.receiving.iter().position(|(under_way, _)| *under_way == user_data);
            if let Some(at) = still {
                Box::leak(self.receiving.remove(at).1);
            }
        }
    }
}

impl Ring {
    /// io_uring_setup(2); `-errno` where the kernel has none, or lets nobody have one.
    pub(crate) fn set_up() -> Result<Self, i64> {
        let mut made = Parameters::default();
        let place = &raw mut made as usize;
        // SAFETY: the kernel reads and writes one structure of ours.
        let fd = unsafe { syscall(libc::SYS_io_uring_setup, [ENTRIES, place, 0, 0, 0, 0]) };
        if is_failure(fd) {
            return Err(fd);
        }
        Self::map(fd as i32, &made).inspect_err(|_| {
            files::close(fd as i32);
        })
    }

    fn map(fd: i32, made: &Parameters) -> Result<Self, i64> {
        if made.features & ONE_MAPPING == 0 {
            return Err(-i64::from(libc::ENOSYS));
        }
        let queued = made.request_queue[6] as usize + made.requests as usize * size_of::<u32>();
        let completed = made.completion_queue[5] as usize + made.completions as usize * COMPLETION_BYTES;
        Ok(Self {
            fd,
            rings: Mapping::of(fd, OFFSET_RINGS, queued.max(completed))?,
            requests: Mapping::of(fd, OFFSET_REQUESTS, made.requests as usize * REQUEST_BYTES)?,
            request_queue: made.request_queue,
            completion_queue: made.completion_queue,
            kinds: Vec::new(),
            kept: Vec::new(),
            receiving: Vec::new(),
            changes: 0,
        })
    }

    /// Its descriptor, as the script has it.
    pub(crate) fn descriptor(&self) -> i32 {
        self.fd
    }

    /// `IORING_OP_POLL_ADD`; 0 where it was submitted.
    pub(crate) fn poll(&mut self, id: u32, fd: i32, events: u32, multishot: bool) -> i64 {
        self.note(id, Kind::Poll);
        let length = if multishot { POLL_MULTISHOT } else { 0 };
        let user_data = u64::from(id);
        self.submit(Request {
            operation: POLL_ADD,
            fd,
            length,
            detail: events,
            user_data,
            ..Request::default()
        })
    }

    /// `IORING_OP_RECV`; 0 where it was submitted.
    pub(crate) fn receive(&mut self, id: u32, fd: i32, bytes: u32) -> i64 {
        self.note(id, Kind::Receive);
        let mut buffer = vec![0; bytes as usize].into_boxed_slice();
        let (address, length, user_data) = (buffer.as_mut_ptr() as u64, bytes, u64::from(id));
        self.receiving.push((user_data, buffer));
        let request = Request { operation: RECEIVE, fd, address, length, user_data, ..Request::default() };
        let submitted = self.submit(request);
        if is_failure(submitted) {
            self.receiving.pop();
        }
        submitted
    }

    /// `IORING_OP_POLL_REMOVE` with `IORING_POLL_UPDATE_EVENTS`: its own result.
    pub(crate) fn update(&mut self, id: u32, events: u32) -> i64 {
        self.change(POLL_REMOVE, id, POLL_UPDATE_EVENTS, events)
    }

    /// `IORING_OP_POLL_REMOVE`: its own result.
    pub(crate) fn remove(&mut self, id: u32) -> i64 {
        self.change(POLL_REMOVE, id, 0, 0)
    }

    /// `IORING_OP_ASYNC_CANCEL`: its own result.
    pub(crate) fn cancel(&mut self, id: u32) -> i64 {
        self.change(ASYNC_CANCEL, id, 0, 0)
    }

    /// Waits for the next completion of a request: its result, `-ETIME`, or what else the call says. Others are kept.
    pub(crate) fn wait(&mut self, id: u32, timeout: Duration) -> Completed {
        let found = self.kinds.iter().rev().find(|(known, _)| *known == id);
        let is_poll = found.is_some_and(|(_, kind)| *kind == Kind::Poll);
        let returned = self.wait_for(u64::from(id), Some(timeout));
        Completed { returned, polled: is_poll && !is_failure(returned) }
    }

    fn note(&mut self, id: u32, kind: Kind) {
        self.kinds.retain(|(known, _)| *known != id);
        self.kinds.push((id, kind));
    }

    /// A request that works on another one, and waits for its own completion.
    fn change(&mut self, operation: u8, id: u32, length: u32, detail: u32) -> i64 {
        self.changes += 1;
        let user_data = OF_A_CHANGE | self.changes;
        let (fd, address) = (-1, u64::from(id));
        let submitted =
            self.submit(Request { operation, fd, address, length, detail, user_data, ..Request::default() });
        if is_failure(submitted) { submitted } else { self.wait_for(user_data, None) }
    }

    fn wait_for(&mut self, user_data: u64, timeout: Option<Duration>) -> i64 {
        let begin = Instant::now();
        loop {
            self.take();
            if let Some(at) = self.kept.iter().position(|completion| completion.user_data == user_data) {
                return i64::from(self.kept.remove(at).result);
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()));
            let waited = self.enter_and_wait(left);
            if is_failure(waited) {
                // What came just then counts; the call itself does not say that it did.
                self.take();
                if !self.kept.iter().any(|completion| completion.user_data == user_data) {
                    return waited;
                }
            }
        }
    }

    /// io_uring_enter(2) with nothing to submit, until there is a completion.
    fn enter_and_wait(&self, timeout: Option<Duration>) -> i64 {
        let limit = timeout.map(timespec);
        let limit = limit.as_ref().map_or(0, |limit| std::ptr::from_ref(limit) as u64);
        // `struct io_uring_getevents_arg`: no signal mask, its size and a reserved word, the time-out.
        let argument: [u64; 3] = [0, 8, limit];
        let (place, bytes) = (&raw const argument as usize, size_of_val(&argument));
        let flags = GET_EVENTS | WITH_TIMEOUT;
        // SAFETY: the kernel reads the argument and the time-out in it, which live until after the call.
        unsafe { syscall(libc::SYS_io_uring_enter, [self.fd as usize, 0, 1, flags, place, bytes]) }
    }

    /// Puts a request at the tail and submits it. One that the call does not take is taken back.
    fn submit(&mut self, request: Request) -> i64 {
        let [_, tail, mask, _, _, _, array, ..] = self.request_queue;
        let at = self.rings.word(tail).load(Ordering::Relaxed);
        let index = at & self.rings.word(mask).load(Ordering::Relaxed);
        let place = (self.requests.place + index as usize * REQUEST_BYTES) as *mut Request;
        // SAFETY: the index is below the number of requests that are mapped; the kernel reads it only behind the tail.
        unsafe { place.write(request) };
        self.rings.word(array + index * 4).store(index, Ordering::Relaxed);
        self.rings.word(tail).store(at.wrapping_add(1), Ordering::Release);
        // SAFETY: no argument is given; what the request points to, its maker vouches for.
        let submitted = unsafe { syscall(libc::SYS_io_uring_enter, [self.fd as usize, 1, 0, 0, 0, 0]) };
        if is_failure(submitted) {
            self.rings.word(tail).store(at, Ordering::Release);
            return submitted;
        }
        0
    }

    /// Takes all completions out of the queue.
    fn take(&mut self) {
        let [head, tail, mask, _, _, completions, ..] = self.completion_queue;
        let end = self.rings.word(tail).load(Ordering::Acquire);
        let mask = self.rings.word(mask).load(Ordering::Relaxed);
        let mut at = self.rings.word(head).load(Ordering::Relaxed);
        while at != end {
            let offset = completions as usize + (at & mask) as usize * COMPLETION_BYTES;
            // SAFETY: within the mapping; the kernel does not write it before the head has passed it.
            let completion = unsafe { ((self.rings.place + offset) as *const Completion).read() };
            let done = self.receiving.iter().position(|(under_way, _)| *under_way == completion.user_data);
            if let Some(done) = done {
                self.receiving.remove(done);
            }
            self.kept.push(completion);
            at = at.wrapping_add(1);
        }
        self.rings.word(head).store(at, Ordering::Release);
    }
}
