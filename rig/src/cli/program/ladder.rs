//! One run of a program as a time line: its calls, and the packets at both ends.
//!
//! Pure. Must not know how it was played, nor a terminal. Units: nanoseconds since the program was executed; milliseconds in words.
//! Errors: none. Tests: below.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use rig_protocol::{CallLog, Errno, ProgramTrial};
use serde::Serialize;

use crate::record::Seen;

/// Where something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// In the program.
    Program,
    /// On the wire, next to the program's kernel.
    Wire,
    /// On the wire, next to the peer's.
    Peer,
}

/// A line of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Rung {
    /// Since the program was executed; a packet of before is negative.
    pub(super) at_ns: i64,
    pub(super) place: Place,
    pub(super) words: String,
}

/// Everything that happened, in order. `ahead_ns` is how far the packets' clock is ahead of the program's.
pub(super) fn ladder(
    trial: &ProgramTrial,
    [wire, peer]: [&[Seen]; 2],
    client: Ipv4Addr,
    ahead_ns: i128,
) -> Vec<Rung> {
    let since = |ns: u64| (i128::from(ns) - i128::from(trial.begin_ns)) as i64;
    let mut rungs: Vec<Rung> = Vec::new();
    for (place, seen) in [(Place::Wire, wire), (Place::Peer, peer)] {
        rungs.extend(seen.iter().map(|seen| {
            let at_ns = (i128::from(seen.time_ns) - ahead_ns - i128::from(trial.begin_ns)) as i64;
            let words = if *seen.source.ip() == client {
                format!("{} ->", seen.words)
            } else {
                format!("<- {}", seen.words)
            };
            Rung { at_ns, place, words }
        }));
    }
    let packets: Vec<i64> = rungs.iter().map(|rung| rung.at_ns).collect();
    let mut own = |at_ns, words| rungs.push(Rung { at_ns, place: Place::Program, words });
    own(0, "started".to_owned());
    for call in &trial.calls {
        let (begin, end) = (since(call.begin_ns), since(call.end_ns));
        let between = packets.iter().any(|at| *at > begin && *at < end);
        match call.returned {
            // What came while it waited stands between its beginning and its end.
            Some(_) if between => {
                own(begin, format!("{} ...", asked(call)));
                own(end, format!("... {}{}", call.call, returned(call)));
            }
            Some(_) => own(begin, format!("{}{}", asked(call), returned(call))),
            None => own(begin, format!("{} never returned", asked(call))),
        }
    }
    own(since(trial.end_ns), format!("ended: {}", trial.end));
    // Of two at one time the call comes before the packet that it sends.
    rungs.sort_by_key(|rung| (rung.at_ns, rung.place));
    rungs
}

/// `connect(127.0.0.1:8083)`
fn asked(call: &CallLog) -> String {
    let process = if call.process == 0 { String::new() } else { format!("[process {}] ", call.process) };
    format!("{process}{}({})", call.call, call.about)
}

/// ` = 1 readable`, ` = -1 EBADF`
fn returned(call: &CallLog) -> String {
    let mut words = String::from(" = ");
    match call.returned.map(|raw| (Errno::of_return(raw), raw)) {
        None => words.push('?'),
        Some((Some(errno), _)) => drop(write!(words, "-1 {errno}")),
        Some((None, raw)) => {
            let _ = write!(words, "{raw}");
            if !matches!(call.label.as_str(), "" | "ok") {
                let _ = write!(words, " {}", call.label);
            }
        }
    }
    let took = call.end_ns.saturating_sub(call.begin_ns);
    if took >= 1_000_000 {
        let _ = write!(words, " after {:.1}ms", took as f64 / 1e6);
    }
    if let Some(held) = call.errno_after.filter(|held| is_news(call, *held)) {
        let _ = write!(words, ", libc's errno {held}");
    }
    for (is, word) in
        [(call.injected, "injected"), (call.redirected, "led to the peer"), (call.verdict, "<- verdict")]
    {
        if is {
            let _ = write!(words, "  {word}");
        }
    }
    words
}

/// What errno libc holds is said where it is not the call's own; of a success only at the verdict call, since it stays from one call to the next.
fn is_news(call: &CallLog, held: Errno) -> bool {
    match call.returned.and_then(Errno::of_return) {
        // A wrapper that keeps errno, or the loader, which has none: 0 says nothing.
        Some(own) => own != held && held.0 != 0,
        None => call.verdict && held.0 != 0,
    }
}

fn milliseconds(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

/// Columns of a time, and of a packet.
const TIME: usize = 12;
const PACKET: usize = 22;

/// The ladder for people, in lines of so many columns; the program's column takes what is left.
pub(super) fn text(rungs: &[Rung], width: usize) -> String {
    let program = width.saturating_sub(TIME + 2 * PACKET + 6).max(28);
    let mut out = String::new();
    let mut line = |cells: [&str; 4]| {
        let [time, own, wire, peer] = cells;
        let line = format!("{time:>TIME$}  {own:<program$}  {wire:<PACKET$}  {peer}");
        let _ = writeln!(out, "{}", line.trim_end());
    };
    line(["time", "program", "wire at the program", "wire at the peer"]);
    for rung in rungs {
        let time = milliseconds(rung.at_ns);
        match rung.place {
            Place::Wire => line([&time, "", &rung.words, ""]),
            Place::Peer => line([&time, "", "", &rung.words]),
            Place::Program => {
                let indented = textwrap::Options::new(program).subsequent_indent("    ");
                for (at, part) in textwrap::wrap(&rung.words, indented).iter().enumerate() {
                    line([if at == 0 { &time } else { "" }, part, "", ""]);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn call(
        name: &str,
        about: &str,
        (begin_ns, end_ns): (u64, u64),
        returned: Option<i64>,
        label: &str,
    ) -> CallLog {
        let (call, about, label) = (name.to_owned(), about.to_owned(), label.to_owned());
        CallLog { call, about, begin_ns, end_ns, returned, label, ..CallLog::default() }
    }

    fn trial() -> ProgramTrial {
        let waits = CallLog {
            verdict: true,
            errno_after: Some(Errno(2)),
            ..call("pselect6", "{conn1} read, timeout 5s", (3_000_000, 9_000_000), Some(1), "readable")
        };
        let fails = CallLog {
            errno_after: Some(Errno(9)),
            ..call("read", "fd 7, 4 bytes", (9_100_000, 9_200_000), Some(-9), "EBADF")
        };
        let connects = CallLog {
            redirected: true,
            ..call("connect", "127.0.0.1:8083", (1_500_000, 1_900_000), Some(0), "ok")
        };
        let stuck = CallLog { process: 2, ..call("poll", "", (9_300_000, 9_300_000), None, "") };
        ProgramTrial {
            begin_ns: 1_000_000,
            end_ns: 10_000_000,
            end: "SIGSEGV".to_owned(),
            calls: vec![connects, waits, fails, stuck],
            ..ProgramTrial::default()
        }
    }

    fn seen(time_ns: u64, from_client: bool, words: &str) -> Seen {
        let (client, peer) = (SocketAddrV4::new(CLIENT, 40_000), SocketAddrV4::new(PEER, 5_000));
        let (source, destination) = if from_client { (client, peer) } else { (peer, client) };
        let resets = words.contains("RST");
        Seen { time_ns, source, destination, trial: String::new(), words: words.to_owned(), resets }
    }

    fn rungs() -> Vec<Rung> {
        let wire = [seen(101_600_000, true, "SYN"), seen(108_000_000, false, "RST")];
        let peer = [seen(101_700_000, true, "SYN"), seen(107_900_000, false, "RST")];
        ladder(&trial(), [&wire, &peer], CLIENT, 100_000_000)
    }

    #[test]
    fn calls_and_packets_stand_in_one_order_and_a_wait_around_what_came_in_it() {
        let words: Vec<String> = rungs().into_iter().map(|rung| rung.words).collect();
        assert_eq!(
            words,
            [
                "started",
                "connect(127.0.0.1:8083) ...",
                "SYN ->",
                "SYN ->",
                "... connect = 0  led to the peer",
                "pselect6({conn1} read, timeout 5s) ...",
                "<- RST",
                "<- RST",
                "... pselect6 = 1 readable after 6.0ms, libc's errno ENOENT  <- verdict",
                "read(fd 7, 4 bytes) = -1 EBADF",
                "[process 2] poll() never returned",
                "ended: SIGSEGV",
            ]
        );
    }

    #[test]
    fn times_are_since_the_start_by_one_clock() {
        let at: Vec<i64> = rungs().iter().map(|rung| rung.at_ns).collect();
        assert!(at.is_sorted());
        assert_eq!((at[0], at[2], at[6], *at.last().expect("rungs")), (0, 600_000, 6_900_000, 9_000_000));
    }

    #[test]
    fn a_long_call_goes_on_in_its_own_column() {
        let shown = text(&rungs(), 90);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[0],
            "        time  program                       wire at the program     wire at the peer"
        );
        assert!(
            lines.iter().any(|line| line.starts_with("    0.600 ms") && line.ends_with("SYN ->")),
            "{shown}"
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 90), "{shown}");
        assert!(lines.iter().any(|line| line.trim_start() == "timeout 5s) ..."), "{shown}");
    }
}
