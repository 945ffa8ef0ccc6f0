//! A tracepoint or kprobe on all CPUs, and the task that a CPU executed when it fired.
//!
//! Holds one event with a ring for each CPU; its descriptors are closed once the rings are mapped, so that they take no number from a trial.
//! Must not know whose the task is. Units: nanoseconds on CLOCK_MONOTONIC. Errors: the errno of what is missing (ENOENT: no such event, or a
//! kernel without kprobes; EACCES, EPERM: not allowed).
//! Source: perf_event_open(2), Documentation/trace/kprobetrace.rst, include/trace/events/tcp.h.
//! Tests: below, and `tests/loopback/traces.rs`.

use std::ffi::CString;
use std::fs;

use rig_protocol::Errno;

use super::perf::{
    Attributes, RECORD_LOST, RECORD_SAMPLE, SAMPLE_RAW, SAMPLE_TID, SAMPLE_TIME, TRACEPOINT, USE_CLOCK, cpus,
    open,
};
use super::ring::{PAGE, Ring};
use super::{files, tracefs};

/// Of one CPU: room for some hundred events between two looks.
const RING_BYTES: usize = 16 * PAGE;
/// Where the kernel says which kind of perf event a kprobe is.
const KPROBE_TYPE: &str = "/sys/bus/event_source/devices/kprobe/type";

/// One firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fired {
    /// When.
    pub(crate) time_ns: u64,
    /// The thread, as this process numbers it.
    pub(crate) thread: i32,
    /// Whether the CPU executed no task.
    pub(crate) idle: bool,
    /// Of the connection, where the event tells them.
    pub(crate) ports: Option<[u16; 2]>,
}

/// What was taken out.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order.
    pub(crate) fired: Vec<Fired>,
    /// For which there was no room.
    pub(crate) lost: u64,
}

/// Where an event's record has the ports of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// Two numbers in the machine's order.
    Numbers([usize; 2]),
    /// In two `struct sockaddr_in` or `_in6`, in the network's order.
    Addresses([usize; 2]),
    /// Nowhere.
    Untold,
}

/// An event under watch.
#[derive(Debug)]
pub(crate) struct Probe {
    ports: Ports,
    rings: Vec<Ring>,
}

impl Probe {
    /// Watches `group:event`, or `kprobe:function`, from now on.
    pub(crate) fn start(event: &str) -> Result<Self, Errno> {
        let (group, name) = event.split_once(':').ok_or(Errno(libc::EINVAL))?;
        if group != "kprobe" {
            let format = tracefs::format(group, name)?;
            let config = number(&format).ok_or(Errno(libc::ENOENT))?;
            return Self::open(
                Attributes { kind: TRACEPOINT, config, ..Attributes::default() },
                ports(&format),
            );
        }
        let kind = fs::read_to_string(KPROBE_TYPE).ok().and_then(|text| text.trim().parse().ok());
        let kind = kind.ok_or(Errno(libc::ENOENT))?;
        let function = CString::new(name).map_err(|_| Errno(libc::EINVAL))?;
        // `kprobe_func`; `probe_offset` is 0.
        let config_1 = function.as_ptr() as u64;
        Self::open(Attributes { kind, config_1, ..Attributes::default() }, Ports::Untold)
    }

    fn open(event: Attributes, ports: Ports) -> Result<Self, Errno> {
        let attributes = Attributes {
            size: size_of::<Attributes>() as u32,
            period: 1,
            sample: SAMPLE_TID | SAMPLE_TIME | SAMPLE_RAW,
            flags: USE_CLOCK,
            clock: libc::CLOCK_MONOTONIC,
            ..event
        };
        let mut rings = Vec::new();
        for cpu in 0..cpus() {
            let fd = match open(&attributes, -1, cpu) {
                Ok(fd) => fd,
                // No such CPU now.
                Err(errno) if errno.0 == libc::ENODEV => continue,
                Err(errno) => return Err(errno),
            };
            let ring = Ring::of(fd, RING_BYTES);
            files::close(fd);
            rings.push(ring?);
        }
        Ok(Self { ports, rings })
    }

    /// Forgets what has fired.
    pub(crate) fn skip(&mut self) {
        self.rings.iter_mut().for_each(Ring::skip);
    }

    /// Takes out what has fired since.
    pub(crate) fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        for ring in &mut self.rings {
            ring.take(|record| match word(record, 0) as u32 {
                RECORD_LOST => taken.lost += word(record, 16),
                RECORD_SAMPLE => taken.fired.push(read_sample(record, self.ports)),
                _ => {}
            });
        }
        taken.fired.sort_by_key(|fired| fired.time_ns);
        taken
    }
}

fn word(record: &[u8], at: usize) -> u64 {
    record.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Header, pid, tid, time, and the event's own data behind its length: the kernel's number of the task is at its byte 4. That number, unlike tid, is
/// 0 for no other task than the idle one: a task of another PID namespace has no number in ours.
fn read_sample(record: &[u8], ports: Ports) -> Fired {
    const DATA: usize = 28;
    let half = |at: usize| word(record, at) as u32 as i32;
    let short = |at: usize| word(record, DATA + at) as u16;
    let ports = match ports {
        Ports::Numbers(places) => Some(places.map(short)),
        // Behind the family.
        Ports::Addresses(places) => Some(places.map(|at| u16::from_be(short(at + 2)))),
        Ports::Untold => None,
    };
    Fired { time_ns: word(record, 16), thread: half(12), idle: half(DATA + 4) == 0, ports }
}

/// `ID: 2279`
fn number(format: &str) -> Option<u64> {
    format.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()
}

/// `field:__u16 sport; offset:16; size:2; signed:0;`
fn field(format: &str, name: &str) -> Option<(usize, usize)> {
    let line = format.lines().find(|line| {
        let declared = line.trim().strip_prefix("field:").and_then(|rest| rest.split(';').next());
        let named = declared.and_then(|declared| declared.rsplit(' ').next());
        named.is_some_and(|named| named.split('[').next() == Some(name))
    })?;
    let value = |key: &str| line.split(key).nth(1)?.split(';').next()?.trim().parse().ok();
    Some((value("offset:")?, value("size:")?))
}

fn ports(format: &str) -> Ports {
    let both = |names: [&str; 2], bytes| {
        let found = names.map(|name| field(format, name).filter(|(_, size)| *size == bytes));
        match found {
            [Some((first, _)), Some((second, _))] => Some([first, second]),
            _ => None,
        }
    };
    let numbers = both(["sport", "dport"], size_of::<u16>()).map(Ports::Numbers);
    let addresses = || both(["saddr", "daddr"], size_of::<libc::sockaddr_in6>()).map(Ports::Addresses);
    numbers.or_else(addresses).unwrap_or(Ports::Untold)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tcp:tcp_receive_reset, and tcp:tcp_send_reset as it is since Linux 6.10.
    const NUMBERS: &str = "name: tcp_receive_reset\nID: 2279\nformat:\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:__u16 sport;\toffset:16;\tsize:2;\tsigned:0;\n\tfield:__u16 dport;\toffset:18;\tsize:2;\tsigned:0;\n\
        \tfield:__u8 saddr[4];\toffset:22;\tsize:4;\tsigned:0;\n\tfield:__u8 daddr[4];\toffset:26;\tsize:4;\tsigned:0;\n";
    const ADDRESSES: &str = "ID: 7\n\tfield:__u8 saddr[28];\toffset:32;\tsize:28;\tsigned:0;\n\
        \tfield:__u8 daddr[28];\toffset:60;\tsize:28;\tsigned:0;\n";

    #[test]
    fn a_format_tells_the_number_and_where_the_ports_are() {
        assert_eq!((number(NUMBERS), ports(NUMBERS)), (Some(2279), Ports::Numbers([16, 18])));
        assert_eq!((number(ADDRESSES), ports(ADDRESSES)), (Some(7), Ports::Addresses([32, 60])));
        assert_eq!(ports("ID: 1\n\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n"), Ports::Untold);
        assert_eq!(number("nothing"), None);
    }

    #[test]
    fn a_sample_is_taken_apart() {
        let mut record = vec![0_u8; 8];
        for half in [7_u32, 9, 600, 0, 24] {
            record.extend(half.to_ne_bytes());
        }
        // Type and flags; the task; ports 258 and 80, in the network's order behind a family.
        for short in [1_u16, 0, 1234, 0, 2, 258_u16.to_be(), 2, 80_u16.to_be(), 0, 0, 0, 0] {
            record.extend(short.to_ne_bytes());
        }
        let fired = read_sample(&record, Ports::Addresses([8, 12]));
        assert_eq!(fired, Fired { time_ns: 600, thread: 9, idle: false, ports: Some([258, 80]) });
        record[32..36].fill(0);
        let idle = read_sample(&record, Ports::Untold);
        assert_eq!((idle.idle, idle.ports), (true, None));
    }

    #[test]
    fn what_is_no_event_is_an_errno() {
        for (event, errno) in
            [("tcp_reset", libc::EINVAL), ("tcp:../../x", libc::EINVAL), (":", libc::EINVAL)]
        {
            assert_eq!(Probe::start(event).err(), Some(Errno(errno)), "{event}");
        }
    }
}
