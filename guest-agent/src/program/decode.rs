//! What a call asks, and what it was answered, read from a program's memory as far as that can be read.
//!
//! Holds the layouts of the arguments (x86-64): sets, timeouts, lists of descriptors, addresses. Must not know processes or tracers.
//! Units: bytes; times are written as `5s`, `100ms`. Errors: none; what cannot be read is left out.
//! Source: select(2), poll(2), epoll_wait(2), connect(2), readv(2), sendmsg(2). Tests: below, and `tests/program`.

use rig_protocol::{CallKind, Readiness, WatchedCall};

use super::descriptors::Descriptors;
use crate::sys::socket::KernelAddress;

/// A list of descriptors is read up to here.
const MOST_POLLED: u64 = 1024;
/// FD_SETSIZE, and what programs with larger sets use.
const MOST_SET_BYTES: usize = 8 << 10;
/// So many descriptors are named.
const MOST_NAMED: usize = 4;

/// The memory of a program.
pub(crate) trait Memory {
    /// Fills `into`; whether all of it could be read.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;
}

/// Of a program that runs on while it is watched.
pub(crate) struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _: u64, _: &mut [u8]) -> bool {
        false
    }
}

/// What a call asks.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// In words.
    pub(crate) about: String,
    /// The descriptor that it is about.
    pub(crate) descriptor: Option<i32>,
    /// Of a call that waits: the descriptors that it waits for.
    pub(crate) waits_for: Vec<i32>,
    /// How many bytes it is to send.
    pub(crate) payload: Option<u64>,
    /// Where it is to connect.
    pub(crate) address: Option<KernelAddress>,
}

/// What it was answered, besides its return.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// In sets.
    pub(crate) ready: Option<Readiness>,
    /// In bits.
    pub(crate) events: Option<u32>,
    /// socketpair(2).
    pub(crate) pair: Vec<i32>,
}

fn word<const SIZE: usize>(memory: &impl Memory, address: u64) -> Option<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    (address != 0 && memory.read(address, &mut bytes)).then_some(bytes)
}

fn word_u64(memory: &impl Memory, address: u64) -> Option<u64> {
    word(memory, address).map(u64::from_ne_bytes)
}

/// The arguments of a call, in words and numbers.
pub(crate) fn ask(
    memory: &impl Memory,
    row: &WatchedCall,
    arguments: &[u64; 6],
    table: &Descriptors,
) -> Asked {
    let descriptor = row.descriptor.map(|at| arguments[usize::from(at)] as i32);
    let named = descriptor.map(|fd| table.name(fd));
    let mut asked = Asked { descriptor, ..Asked::default() };
    match row.kind {
        CallKind::Waits => wait(memory, row, arguments, table, &mut asked),
        CallKind::Moves(_) => {
            asked.payload = payload(memory, row, arguments);
            asked.about = named.unwrap_or_else(|| "fd ?".to_owned());
            if let Some(bytes) = asked.payload {
                asked.about += &format!(", {bytes} bytes");
            }
        }
        CallKind::Connects => {
            asked.address = address(memory, arguments);
            let name = named.unwrap_or_default();
            asked.about = match &asked.address {
                Some(address) => format!("{name} to {}", address.address()),
                None => name,
            };
        }
        CallKind::Sleeps => {
            let at = if row.name == "nanosleep" { arguments[0] } else { arguments[2] };
            asked.about = timespec(memory, at).map(format_time).unwrap_or_default();
        }
        CallKind::File => asked.about = file(memory, row, arguments),
        CallKind::Interest if row.name == "epoll_ctl" => {
            asked.about = table.name(arguments[2] as i32);
        }
        CallKind::Socket
        | CallKind::Accepts
        | CallKind::Interest
        | CallKind::Descriptor
        | CallKind::Process
        | CallKind::Hides => asked.about = named.unwrap_or_default(),
    }
    asked
}

/// The three sets of a select: their descriptors, or nothing where they cannot be read.
fn sets(memory: &impl Memory, arguments: &[u64; 6]) -> [Vec<i32>; 3] {
    let bytes = (arguments[0] as usize).div_ceil(64).saturating_mul(8).min(MOST_SET_BYTES);
    [1, 2, 3].map(|at| {
        let mut set = vec![0; bytes];
        let read = arguments[at] != 0 && memory.read(arguments[at], &mut set);
        let member = |fd: &usize| set[fd / 8] >> (fd % 8) & 1 == 1;
        if read { (0..bytes * 8).filter(member).map(|fd| fd as i32).collect() } else { Vec::new() }
    })
}

/// The descriptors of a poll, and the `events` (at 4) or `revents` (at 6) of all together.
fn polled(memory: &impl Memory, arguments: &[u64; 6], at: usize) -> Option<(Vec<i32>, u32)> {
    let count = arguments[1].min(MOST_POLLED) as usize;
    let mut list = vec![0; count * 8];
    if count == 0 || !memory.read(arguments[0], &mut list) {
        return None;
    }
    let fds = list.chunks(8).map(|one| i32::from_ne_bytes([one[0], one[1], one[2], one[3]]));
    let bits = list.chunks(8).map(|one| u32::from(u16::from_ne_bytes([one[at], one[at + 1]])));
    Some((fds.collect(), bits.fold(0, |all, bits| all | bits)))
}

fn wait(
    memory: &impl Memory,
    row: &WatchedCall,
    arguments: &[u64; 6],
    table: &Descriptors,
    asked: &mut Asked,
) {
    let mut words = Vec::new();
    match row.name {
        "select" | "pselect6" => {
            for (fds, word) in sets(memory, arguments).iter().zip(["read", "write", "except"]) {
                if !fds.is_empty() {
                    words.push(format!("{} {word}", names(table, fds)));
                }
                asked.waits_for.extend(fds);
            }
        }
        "poll" | "ppoll" => {
            if let Some((fds, _)) = polled(memory, arguments, 4) {
                words.push(names(table, &fds));
                asked.waits_for = fds;
            }
        }
        _ => {
            let interest = table.get(arguments[0] as i32).map(|held| held.interest.clone());
            asked.waits_for = interest.unwrap_or_default();
            if !asked.waits_for.is_empty() {
                words.push(names(table, &asked.waits_for));
            }
        }
    }
    words.extend(timeout(memory, row, arguments));
    asked.about = words.join(", ");
    asked.descriptor = table.first_tcp(asked.waits_for.iter().copied()).or(asked.descriptor);
}

fn names(table: &Descriptors, fds: &[i32]) -> String {
    let mut names: Vec<_> = fds.iter().take(MOST_NAMED).map(|fd| table.name(*fd)).collect();
    if fds.len() > MOST_NAMED {
        names.push(format!("{} more", fds.len() - MOST_NAMED));
    }
    names.join("+")
}

fn timeout(memory: &impl Memory, row: &WatchedCall, arguments: &[u64; 6]) -> Option<String> {
    let of_ms = |ms: i32| match u64::try_from(ms) {
        Ok(ms) => format!("timeout {}", format_time(ms * 1_000_000)),
        Err(_) => "no timeout".to_owned(),
    };
    let (at, scale) = match row.name {
        "poll" => return Some(of_ms(arguments[2] as i32)),
        "epoll_wait" | "epoll_pwait" => return Some(of_ms(arguments[3] as i32)),
        "select" => (4, 1_000),
        "pselect6" => (4, 1),
        "ppoll" => (2, 1),
        _ => (3, 1),
    };
    if arguments[at] == 0 {
        return Some("no timeout".to_owned());
    }
    let seconds = word_u64(memory, arguments[at])?;
    let rest = word_u64(memory, arguments[at] + 8)?;
    let ns = seconds.saturating_mul(1_000_000_000).saturating_add(rest.saturating_mul(scale));
    Some(format!("timeout {}", format_time(ns)))
}

fn timespec(memory: &impl Memory, address: u64) -> Option<u64> {
    let (seconds, ns) = (word_u64(memory, address)?, word_u64(memory, address + 8)?);
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(ns))
}

/// In the largest unit in which it is whole.
fn format_time(ns: u64) -> String {
    for (unit, length) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if ns > 0 && ns.is_multiple_of(length) {
            return format!("{}{unit}", ns / length);
        }
    }
    if ns == 0 { "0s".to_owned() } else { format!("{ns}ns") }
}

/// How many bytes are to be moved, at most.
fn payload(memory: &impl Memory, row: &WatchedCall, arguments: &[u64; 6]) -> Option<u64> {
    match row.name {
        "read" | "write" | "recvfrom" | "sendto" => Some(arguments[2]),
        "sendfile" => Some(arguments[3]),
        "splice" => Some(arguments[4]),
        "readv" | "writev" => vector(memory, arguments[1], arguments[2]).map(|parts| total(&parts)),
        "sendmsg" | "recvmsg" => {
            // `struct msghdr`: the vector at 16, its length at 24.
            let (at, count) = (word_u64(memory, arguments[1] + 16)?, word_u64(memory, arguments[1] + 24)?);
            vector(memory, at, count).map(|parts| total(&parts))
        }
        // Messages, not bytes.
        "sendmmsg" => Some(arguments[2]),
        _ => None,
    }
}

fn total(parts: &[(u64, u64)]) -> u64 {
    parts.iter().fold(0, |sum, (_, length)| sum.saturating_add(*length))
}

/// Addresses and lengths of a `struct iovec` list.
fn vector(memory: &impl Memory, address: u64, count: u64) -> Option<Vec<(u64, u64)>> {
    (0..count.min(MOST_POLLED))
        .map(|index| {
            let at = address.checked_add(index * 16)?;
            Some((word_u64(memory, at)?, word_u64(memory, at + 8)?))
        })
        .collect()
}

/// The first bytes that a call is about to write, at most `most`.
pub(crate) fn written(memory: &impl Memory, row: &WatchedCall, arguments: &[u64; 6], most: usize) -> Vec<u8> {
    let parts = match row.name {
        "write" | "sendto" => vec![(arguments[1], arguments[2])],
        "writev" => vector(memory, arguments[1], arguments[2]).unwrap_or_default(),
        _ => return Vec::new(),
    };
    let mut bytes = Vec::new();
    for (address, length) in parts {
        let mut part = vec![0; (length as usize).min(most - bytes.len())];
        if !memory.read(address, &mut part) {
            break;
        }
        bytes.extend(part);
    }
    bytes
}

fn address(memory: &impl Memory, arguments: &[u64; 6]) -> Option<KernelAddress> {
    let mut bytes = [0; 28];
    let length = (arguments[2] as usize).min(bytes.len());
    memory
        .read(arguments[1], &mut bytes[..length])
        .then(|| KernelAddress::of_bytes(&bytes[..length]))
        .flatten()
}

/// A path, in printable ASCII.
fn file(memory: &impl Memory, row: &WatchedCall, arguments: &[u64; 6]) -> String {
    let at = arguments[usize::from(row.name == "openat" || row.name == "newfstatat")];
    let mut path = String::new();
    // By pieces that do not cross a page: behind its end may be nothing.
    let mut next = at;
    while path.len() < 128 && next != 0 {
        let mut piece = vec![0; (16 - next % 16) as usize];
        if !memory.read(next, &mut piece) {
            break;
        }
        let end = piece.iter().position(|byte| *byte == 0);
        let text = &piece[..end.unwrap_or(piece.len())];
        path.extend(text.iter().map(|byte| if byte.is_ascii_graphic() { *byte as char } else { '?' }));
        if end.is_some() {
            break;
        }
        next += piece.len() as u64;
    }
    path
}

/// What a call that has returned was answered.
pub(crate) fn answer(memory: &impl Memory, row: &WatchedCall, arguments: &[u64; 6], returned: i64) -> Answer {
    let mut answer = Answer::default();
    match (row.kind, row.name) {
        (CallKind::Waits, "select" | "pselect6") if returned > 0 => {
            answer.ready = ready_sets(memory, arguments);
        }
        (CallKind::Waits, "poll" | "ppoll") if returned > 0 => {
            answer.events = polled(memory, arguments, 6).map(|(_, revents)| revents);
        }
        (CallKind::Waits, _) if returned > 0 => {
            // `struct epoll_event` is packed: 12 bytes, the bits first.
            let mut list = vec![0; (returned as u64).min(MOST_POLLED) as usize * 12];
            if memory.read(arguments[1], &mut list) {
                let bits = list.chunks(12).map(|one| u32::from_ne_bytes([one[0], one[1], one[2], one[3]]));
                answer.events = Some(bits.fold(0, |all, bits| all | bits));
            }
        }
        (CallKind::Socket, "socketpair") if returned == 0 => {
            let fd = |at: u64| word(memory, at).map(i32::from_ne_bytes);
            answer.pair = [fd(arguments[3]), fd(arguments[3] + 4)].into_iter().flatten().collect();
        }
        _ => {}
    }
    answer
}

/// What was ready, from the sets as they are now; without their content from there being only one.
fn ready_sets(memory: &impl Memory, arguments: &[u64; 6]) -> Option<Readiness> {
    let given = [1, 2, 3].map(|at| arguments[at] != 0);
    let [read, write, except] = sets(memory, arguments).map(|fds| !fds.is_empty());
    if read || write || except {
        return Some(Readiness { readable: read, writable: write, exceptional: except });
    }
    let [readable, writable, exceptional] = given;
    let one = given.iter().filter(|given| **given).count() == 1;
    one.then_some(Readiness { readable, writable, exceptional })
}

#[cfg(test)]
mod tests {
    use rig_protocol::watched_call;

    use super::*;

    /// Memory from address 4096.
    struct Some4096(Vec<u8>);

    impl Memory for Some4096 {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            let from = usize::try_from(address).ok().and_then(|at| at.checked_sub(4096));
            match from.and_then(|from| self.0.get(from..from + into.len())) {
                Some(bytes) => {
                    into.copy_from_slice(bytes);
                    true
                }
                None => false,
            }
        }
    }

    fn words(words: &[u64]) -> Some4096 {
        Some4096(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
    }

    #[test]
    fn a_select_is_told_with_its_sets_and_its_timeout() {
        let row = watched_call("select").expect("a row");
        // A set with descriptors 3 and 5, then 5 s 0 us.
        let memory = words(&[0b10_1000, 5, 0]);
        let asked = ask(&memory, row, &[6, 4096, 0, 0, 4104, 0], &Descriptors::default());
        assert_eq!(asked.about, "fd 3+fd 5 read, timeout 5s");
        assert_eq!(asked.waits_for, [3, 5]);
        let ready = answer(&memory, row, &[6, 4096, 0, 0, 4104, 0], 1).ready.expect("readable");
        assert!(ready.readable && !ready.writable);
        // Without memory, one set says what was ready, and two do not.
        assert!(answer(&NoMemory, row, &[6, 0, 4096, 0, 0, 0], 1).ready.is_some_and(|ready| ready.writable));
        assert_eq!(answer(&NoMemory, row, &[6, 1, 1, 0, 0, 0], 1).ready, None);
        assert_eq!(ask(&NoMemory, row, &[6, 1, 0, 0, 0, 0], &Descriptors::default()).about, "no timeout");
    }

    #[test]
    fn a_poll_is_told_with_the_bits_of_all_its_descriptors() {
        let row = watched_call("poll").expect("a row");
        let one = |fd: u64, events: u64, revents: u64| fd | events << 32 | revents << 48;
        let memory = words(&[one(4, 1, 0x19), one(7, 1, 0x4)]);
        let arguments = [4096, 2, 1_500, 0, 0, 0];
        let asked = ask(&memory, row, &arguments, &Descriptors::default());
        assert_eq!(asked.about, "fd 4+fd 7, timeout 1500ms");
        assert_eq!(answer(&memory, row, &arguments, 2).events, Some(0x1d));
    }

    #[test]
    fn lengths_addresses_and_paths_are_read_and_what_cannot_be_is_left_out() {
        let table = Descriptors::default();
        let row = |name| watched_call(name).expect("a row");
        let memory = words(&[4096, 3, 4200, 7]);
        let asked = ask(&memory, row("writev"), &[1, 4096, 2, 0, 0, 0], &table);
        assert_eq!((asked.about.as_str(), asked.payload), ("fd 1, 10 bytes", Some(10)));
        assert_eq!(ask(&memory, row("writev"), &[1, 9, 2, 0, 0, 0], &table).payload, None);
        let address = KernelAddress::of("127.0.0.1:8083".parse().expect("an address"));
        let memory = Some4096(address.bytes().to_vec());
        let asked = ask(&memory, row("connect"), &[3, 4096, 16, 0, 0, 0], &table);
        assert_eq!(asked.about, "fd 3 to 127.0.0.1:8083");
        let memory = Some4096(b"/etc/localtime\0".to_vec());
        assert_eq!(ask(&memory, row("openat"), &[0, 4096, 0, 0, 0, 0], &table).about, "");
        let memory = Some4096(b"/etc/localtime\0\0".to_vec());
        assert_eq!(ask(&memory, row("openat"), &[0, 4096, 0, 0, 0, 0], &table).about, "/etc/localtime");
        assert_eq!(ask(&memory, row("nanosleep"), &[0; 6], &table).about, "");
    }

    #[test]
    fn times_are_written_in_their_largest_whole_unit() {
        let written = [0, 5_000_000_000, 1_500_000_000, 7_000, 1].map(format_time);
        assert_eq!(written, ["0s", "5s", "1500ms", "7us", "1ns"]);
    }
}
