//! The kernel's tracepoints of system calls, for one process and its descendants.
//!
//! Holds the events, one pair per CPU with a ring buffer, and the taking apart of what lies in the rings. Must not know what a call means.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: the errno of the call that failed (EACCES: not allowed, ENOSYS and ENOENT: not there).
//! Source: perf_event_open(2), include/uapi/linux/perf_event.h, include/trace/events/syscalls.h.
//! Tests: below, and `tests/program`.

use rig_protocol::Errno;

use super::errno::check;
use super::files;
use super::raw::syscall;
use super::ring::{PAGE, Ring};

/// Of one CPU, without the page that describes it: room for about a thousand calls.
const RING_BYTES: usize = 32 * PAGE;

pub(super) const TRACEPOINT: u32 = 2;
pub(super) const SAMPLE_TID: u64 = 1 << 1;
pub(super) const SAMPLE_TIME: u64 = 1 << 2;
pub(super) const SAMPLE_RAW: u64 = 1 << 10;
const SAMPLE_REGISTERS: u64 = 1 << 12;
const INHERIT: u64 = 1 << 1;
const DISABLED: u64 = 1;
const ENABLE_ON_EXEC: u64 = 1 << 12;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const COMM_EXEC: u64 = 1 << 24;
pub(super) const USE_CLOCK: u64 = 1 << 25;
const FLAG_CLOEXEC: usize = 1 << 3;
/// `_IO('$', 5)`, `_IOW('$', 6, char *)`.
const SET_OUTPUT: usize = 0x2405;
const SET_FILTER: usize = 0x4008_2406;

pub(super) const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_FORK: u32 = 7;
pub(super) const RECORD_SAMPLE: u32 = 9;
const MISC_COMM_EXEC: u16 = 1 << 13;
/// `PERF_SAMPLE_REGS_ABI_32`.
const ABI_32: u64 = 1;

/// `struct perf_event_attr`, up to `PERF_ATTR_SIZE_VER5`.
#[repr(C)]
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) kind: u32,
    pub(super) size: u32,
    pub(super) config: u64,
    pub(super) period: u64,
    pub(super) sample: u64,
    pub(super) read: u64,
    pub(super) flags: u64,
    pub(super) wakeup: u32,
    pub(super) breakpoint: u32,
    pub(super) config_1: u64,
    pub(super) config_2: u64,
    pub(super) branch: u64,
    pub(super) registers_user: u64,
    pub(super) stack_user: u32,
    pub(super) clock: i32,
    pub(super) registers_interrupt: u64,
    pub(super) auxiliary_watermark: u32,
    pub(super) most_stack: u16,
    pub(super) reserved: u16,
}

/// Numbers of the two tracepoints on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tracepoints {
    /// raw_syscalls:sys_enter.
    pub(crate) enter: u16,
    /// raw_syscalls:sys_exit.
    pub(crate) exit: u16,
}

/// Something that happened in a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// When.
    pub(crate) time_ns: u64,
    /// Which thread.
    pub(crate) thread: i32,
    /// What.
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It made a call.
    Enters {
        /// Its number.
        number: u64,
        /// Its arguments.
        arguments: [u64; 6],
        /// Whether that is a call of 32 bit.
        foreign: bool,
    },
    /// It returned.
    Leaves {
        /// Which call.
        number: u64,
        /// What it returned.
        returned: i64,
    },
    /// It was made by another one.
    Forked {
        /// By this one.
        parent: i32,
        /// Whether it is a thread of the same process.
        thread: bool,
    },
    /// It runs another program.
    Executed,
}

/// The events of one process and its descendants.
#[derive(Debug)]
pub(crate) struct Watching {
    tracepoints: Tracepoints,
    pairs: Vec<Pair>,
}

impl Watching {
    /// Watches `process` from its next exec on; `filter` names the calls (Documentation/trace/events.rst, "Event filtering").
    pub(crate) fn start(
        process: i32,
        tracepoints: Tracepoints,
        filter: &std::ffi::CStr,
    ) -> Result<Self, Errno> {
        let mut pairs = Vec::new();
        for cpu in 0..cpus() {
            match Pair::open(process, cpu, tracepoints, filter) {
                Ok(pair) => pairs.push(pair),
                // No such CPU now.
                Err(errno) if errno.0 == libc::ENODEV => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(Self { tracepoints, pairs })
    }

    /// What to wait for.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = i32> {
        self.pairs.iter().map(|pair| pair.enter)
    }

    /// Takes out what is there, in no order between CPUs. Gives how many events were lost.
    pub(crate) fn take(&mut self, into: &mut Vec<Event>) -> u64 {
        let tracepoints = self.tracepoints;
        self.pairs.iter_mut().map(|pair| pair.take(tracepoints, into)).sum()
    }
}

/// Keeps both tracepoints in use. When the last event of one goes, the kernel waits for all CPUs: tens of milliseconds, in every trial.
#[derive(Debug)]
pub(crate) struct InUse(Vec<i32>);

impl InUse {
    /// Until the value is dropped, by a thread with the same descriptors.
    pub(crate) fn hold(tracepoints: Tracepoints) -> Result<Self, Errno> {
        let mut held = Self(Vec::new());
        for id in [tracepoints.enter, tracepoints.exit] {
            // Of this thread, and never enabled.
            held.0.push(event(0, -1, id, 0, 0)?);
        }
        Ok(held)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        for fd in &self.0 {
            files::close(*fd);
        }
    }
}

/// CPUs that the kernel could have.
pub(super) fn cpus() -> i32 {
    // SAFETY: sysconf takes an integer.
    i32::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) }).unwrap_or(1)
}

/// The events of one CPU.
#[derive(Debug)]
struct Pair {
    enter: i32,
    exit: i32,
    /// Of both; there since the pair is whole.
    ring: Option<Ring>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.ring = None;
        for fd in [self.exit, self.enter] {
            if fd >= 0 {
                files::close(fd);
            }
        }
    }
}

impl Pair {
    fn open(process: i32, cpu: i32, ids: Tracepoints, filter: &std::ffi::CStr) -> Result<Self, Errno> {
        let mut pair = Self { enter: -1, exit: -1, ring: None };
        pair.enter = event(process, cpu, ids.enter, INHERIT | ENABLE_ON_EXEC, TASK | COMM | COMM_EXEC)?;
        pair.exit = event(process, cpu, ids.exit, INHERIT | ENABLE_ON_EXEC, 0)?;
        pair.ring = Some(Ring::of(pair.enter, RING_BYTES)?);
        // SAFETY: the first takes a descriptor, the second a terminated string that the kernel reads.
        unsafe {
            let (enter, exit) = (pair.enter as usize, pair.exit as usize);
            check(syscall(libc::SYS_ioctl, [exit, SET_OUTPUT, enter, 0, 0, 0]))?;
            for fd in [enter, exit] {
                check(syscall(libc::SYS_ioctl, [fd, SET_FILTER, filter.as_ptr() as usize, 0, 0, 0]))?;
            }
        }
        Ok(pair)
    }

    fn take(&mut self, ids: Tracepoints, into: &mut Vec<Event>) -> u64 {
        let mut lost = 0;
        if let Some(ring) = &mut self.ring {
            ring.take(|record| match read_record(record, ids) {
                Record::Event(event) => into.push(event),
                Record::Lost(events) => lost += events,
                Record::Other => {}
            });
        }
        lost
    }
}

fn event(process: i32, cpu: i32, id: u16, follows: u64, more: u64) -> Result<i32, Errno> {
    let attributes = Attributes {
        kind: TRACEPOINT,
        size: size_of::<Attributes>() as u32,
        config: u64::from(id),
        period: 1,
        sample: SAMPLE_TID | SAMPLE_TIME | SAMPLE_RAW | SAMPLE_REGISTERS,
        flags: DISABLED | WATERMARK | SAMPLE_ID_ALL | USE_CLOCK | follows | more,
        wakeup: RING_BYTES as u32 / 4,
        // The first one: it is the convention of calling that is of interest.
        registers_user: 1,
        clock: libc::CLOCK_MONOTONIC,
        ..Attributes::default()
    };
    open(&attributes, process, cpu)
}

/// perf_event_open(2); strings that the attributes point to must live until it has returned.
pub(super) fn open(attributes: &Attributes, process: i32, cpu: i32) -> Result<i32, Errno> {
    let place = std::ptr::from_ref(attributes) as usize;
    let none = usize::MAX;
    // SAFETY: the kernel reads as many bytes as `size` says.
    let opened = unsafe {
        syscall(libc::SYS_perf_event_open, [place, process as usize, cpu as usize, none, FLAG_CLOEXEC, 0])
    };
    check(opened).map(|fd| fd as i32)
}

#[derive(Debug, PartialEq, Eq)]
enum Record {
    Event(Event),
    Lost(u64),
    Other,
}

/// A record of the ring, its header included.
fn read_record(record: &[u8], ids: Tracepoints) -> Record {
    let word = |at: usize| -> u64 {
        record.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_ne_bytes(*word))
    };
    let half = |at: usize| word(at) as u32 as i32;
    let (kind, misc) = (word(0) as u32, (word(0) >> 32) as u16);
    let event = |time_ns, thread, what| Record::Event(Event { time_ns, thread, what });
    match kind {
        RECORD_LOST => Record::Lost(word(16)),
        // pid, ppid, tid, ptid, time.
        RECORD_FORK => {
            event(word(24), half(16), What::Forked { parent: half(20), thread: half(8) == half(12) })
        }
        // pid, tid, a name; the time is the last word.
        RECORD_COMM if misc & MISC_COMM_EXEC != 0 => {
            event(word(record.len().saturating_sub(8)), half(12), What::Executed)
        }
        // pid, tid, time, the raw data behind its length, registers.
        RECORD_SAMPLE => {
            let (thread, time_ns, length, raw) = (half(12), word(16), half(24) as usize, 28);
            let foreign = word(raw + length) == ABI_32;
            let number = word(raw + 8);
            let what = match word(raw) as u16 {
                id if id == ids.enter => {
                    let arguments = [0, 1, 2, 3, 4, 5].map(|index| word(raw + 16 + 8 * index));
                    What::Enters { number, arguments, foreign }
                }
                id if id == ids.exit => What::Leaves { number, returned: word(raw + 16) as i64 },
                _ => return Record::Other,
            };
            event(time_ns, thread, what)
        }
        _ => Record::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Tracepoints = Tracepoints { enter: 443, exit: 442 };

    fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(8 + body.len()).expect("short");
        [&kind.to_ne_bytes()[..], &misc.to_ne_bytes(), &length.to_ne_bytes(), body].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn records_are_taken_apart() {
        let fork = record(RECORD_FORK, 0, &words(&[7, 7, 9, 7, 500, 0]));
        let forked = What::Forked { parent: 7, thread: true };
        assert_eq!(read_record(&fork, IDS), Record::Event(Event { time_ns: 500, thread: 9, what: forked }));
        assert_eq!(read_record(&record(RECORD_LOST, 0, &words(&[1, 0, 4, 0])), IDS), Record::Lost(4));
        // pid 7, tid 9, time 600, 28 bytes: the exit of call 23 with -9, then a 64-bit convention.
        let raw = words(&[7, 9, 600, 0, 28, 442, 9, 23, 0, -9_i32 as u32, u32::MAX, 0, 2, 0, 0, 0]);
        let left = What::Leaves { number: 23, returned: -9 };
        assert_eq!(
            read_record(&record(RECORD_SAMPLE, 0, &raw), IDS),
            Record::Event(Event { time_ns: 600, thread: 9, what: left })
        );
        assert_eq!(read_record(&record(RECORD_COMM, 0, &words(&[7, 9, 0, 0])), IDS), Record::Other);
        assert_eq!(read_record(&[0; 8], IDS), Record::Other);
    }
}
