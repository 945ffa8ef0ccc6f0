//! HAProxy between target and peer: its configuration, and its statistics read back.
//!
//! Pure. Must not know the process. It listens on the peer's own address on the target's side, so that the target's program is the same on
//! every path; the peer sits behind it in a network of its own. Units: nanoseconds in the spec, milliseconds in HAProxy's file.
//! Source: HAProxy 2.6 configuration manual (2.4 time format, 5.2 server options, 8 logging), management guide (9.1 CSV format).
//! Errors: a sentence, for statistics that cannot be read. Tests: below; a real HAProxy in `tests/paths.rs` (root).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use super::counters::{HaProxyCount, PathCounter};
use super::spec::{Addressing, HEALTH_PORT, HaProxy, OnMarkedDown, PEER_PORT};
use crate::middlebox::Word;

/// The network behind the load balancer (RFC 5737, TEST-NET-2).
pub const BACKEND: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The load balancer's own address in it.
pub const INSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);
/// Prefix length of that network.
pub const PREFIX: u8 = 24;

const BACKEND_NAME: &str = "peers";
const SERVER_NAME: &str = "peer";

/// The configuration file. `socket` is where it answers questions.
pub fn configuration(spec: &HaProxy, addressing: Addressing, socket: &Path) -> String {
    let HaProxy { check_interval_ns, fall, rise, on_marked_down } = *spec;
    let inter_ms = (check_interval_ns / 1_000_000).max(1);
    let marked_down = match on_marked_down {
        OnMarkedDown::ShutdownSessions => " on-marked-down shutdown-sessions",
        OnMarkedDown::Nothing => "",
    };
    let mut text = String::new();
    // Writing to a string cannot fail. Time-outs are longer than any trial: they must not be what ends a session.
    let _ = write!(
        text,
        "global\n  stats socket {} mode 600 level admin\n  maxconn 4000\n  nbthread 1\n\
         defaults\n  mode tcp\n  log stdout format raw local0\n  log-format \"{LOGGED}%ts\"\n  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n  timeout check 1s\n\
         frontend front\n  bind {}:{PEER_PORT}\n  default_backend {BACKEND_NAME}\n\
         backend {BACKEND_NAME}\n  server {SERVER_NAME} {BACKEND}:{PEER_PORT} check port {HEALTH_PORT} inter {inter_ms}ms fall {fall} rise {rise}{marked_down}\n",
        socket.display(),
        addressing.peer,
    );
    text
}

/// How a line of its log begins, one for each session that has ended; the cause follows.
const LOGGED: &str = "session ended: ";

/// "The session was killed by haproxy because the server was detected as down" (8.5 of its configuration manual, session state at disconnection).
const KILLED: char = 'D';

/// How many sessions its log says that it shut down because their server was marked down.
fn shut_down(log: &str) -> u64 {
    log.lines().filter_map(|line| line.strip_prefix(LOGGED)).filter(|state| state.starts_with(KILLED)).count()
        as u64
}

/// What is asked over its socket.
pub const QUESTION: &str = "show stat\n";

/// The backend server's line of its statistics: fields by the name of their column.
fn server(csv: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut lines = csv.lines();
    let header = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("no header")?;
    let mut rows = lines.map(|line| header.split(',').zip(line.split(',')).collect::<BTreeMap<_, _>>());
    let is_server = |row: &BTreeMap<&str, &str>| {
        row.get("pxname") == Some(&BACKEND_NAME) && row.get("svname") == Some(&SERVER_NAME)
    };
    rows.find(is_server).ok_or_else(|| "the backend's server is not in it".to_owned())
}

/// Everything that is counted of it: what its statistics say of the backend server, and what its log says of sessions.
///
/// # Errors
/// What is wrong with the statistics.
pub fn counters(csv: &str, log: &str) -> Result<BTreeMap<String, u64>, String> {
    let row = server(csv)?;
    let read = |what| match what {
        HaProxyCount::Sessions => count(&row, "stot"),
        HaProxyCount::MarkedDown => count(&row, "chkdown"),
        HaProxyCount::FailedChecks => count(&row, "chkfail"),
        HaProxyCount::ShutDown => Ok(shut_down(log)),
    };
    HaProxyCount::ALL.iter().map(|what| Ok((PathCounter::HaProxy(*what).to_string(), read(*what)?))).collect()
}

/// How many sessions with the server are under way.
///
/// # Errors
/// As [`counters`].
pub fn under_way(csv: &str) -> Result<u64, String> {
    count(&server(csv)?, "scur")
}

fn count(row: &BTreeMap<&str, &str>, name: &str) -> Result<u64, String> {
    let text = row.get(name).ok_or_else(|| format!("no column `{name}`"))?;
    text.parse().map_err(|_| format!("`{text}` is not a count ({name})"))
}

/// Whether its statistics call the server up.
///
/// # Errors
/// As [`counters`].
pub fn is_up(csv: &str) -> Result<bool, String> {
    let row = server(csv)?;
    row.get("status").map(|status| *status == "UP").ok_or_else(|| "no column `status`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> HaProxy {
        HaProxy {
            check_interval_ns: 100_000_000,
            fall: 2,
            rise: 1,
            on_marked_down: OnMarkedDown::ShutdownSessions,
        }
    }

    #[test]
    fn the_file_says_what_the_spec_means() {
        let text = configuration(&spec(), Addressing::default(), Path::new("/s"));
        assert!(text.contains("frontend front\n  bind 192.0.2.1:8083\n"), "{text}");
        assert!(
            text.contains(
                "server peer 198.51.100.1:8083 check port 8084 inter 100ms fall 2 rise 1 on-marked-down shutdown-sessions\n"
            ),
            "{text}"
        );
        let stays = HaProxy { on_marked_down: OnMarkedDown::Nothing, check_interval_ns: 1, ..spec() };
        let text = configuration(&stays, Addressing::default(), Path::new("/s"));
        assert!(text.contains("inter 1ms fall 2 rise 1\n"), "{text}");
    }

    #[test]
    fn its_log_tells_sessions_that_it_killed_from_others() {
        let log = "session ended: D-\nsession ended: --\nsession ended: DD\nsession ended: sD\nServer peers/peer is DOWN\nsession ended: ";
        assert_eq!(shut_down(log), 2);
        assert_eq!(shut_down(""), 0);
    }

    #[test]
    fn statistics_are_read_by_column_name() {
        let csv = "# pxname,svname,scur,stot,status,chkfail,chkdown,\nfront,FRONTEND,4,9,OPEN,,,\npeers,peer,2,7,UP,3,1,\npeers,BACKEND,3,7,UP,,1,\n";
        assert_eq!(under_way(csv), Ok(2));
        let found = counters(csv, "session ended: DD\n").expect("a table");
        assert_eq!((found["haproxy.shut_down"], found.len()), (1, HaProxyCount::ALL.len()));
        assert_eq!(found["haproxy.sessions"], 7);
        assert_eq!(found["haproxy.failed_checks"], 3);
        assert_eq!(found["haproxy.marked_down"], 1);
        assert_eq!(is_up(csv), Ok(true));
        assert_eq!(is_up(&csv.replace("7,UP,3", "7,DOWN,3")), Ok(false));
        assert!(counters("# pxname,svname,stot\nfront,FRONTEND,9\n", "").is_err());
        assert!(counters("", "").is_err());
    }
}
