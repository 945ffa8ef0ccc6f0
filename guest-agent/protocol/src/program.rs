//! A program of the user's as the client: what is started in every trial, how it is watched, and what a trial and a block of it leave.
//!
//! Holds data only; [`calls`] is the table of the system calls that a witness watches. Must not know how a program is packed, started or traced.
//! Units: nanoseconds, bytes, parts per million. Errors: none; what an agent cannot start it refuses in words.
//! Tests: below, and `guest-agent/tests/program`.

mod calls;
mod sums;
mod trial;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Errno;

pub use calls::{CallKind, Direction, WatchedCall, watched_call, watched_calls};
pub use sums::{Account, ProgramTally, Site};
pub use trial::{CallLog, ProgramTrial, Said};

/// A program that is the client: it takes the place of the steps of the target's only lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// As the user wrote it: `./client3`.
    pub name: String,
    /// The file that is executed: an absolute path, on the host, and below [`Assignment::root`](crate::Assignment::root) in a guest.
    pub path: String,
    /// Its arguments, without its own name. `{address}` and `{port}` stand for the peer's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Its whole environment is this over the agent's own `TZ`, `PATH` and `HOME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Where it is started: an absolute path.
    pub directory: String,
    /// Commands for `/bin/sh -c`, run one after the other before a block's first trial, with the same environment and directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// The file that is its standard input: an absolute path; `None` is /dev/null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// A regular expression (crate `regex-lite`) with the named groups `returned`, `errno` or both: what it says about its call. It is held
    /// against each line that it writes to standard output or standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Which of its calls the cell counts.
    pub verdict: Verdict,
    /// Names of calls ([`watched_calls`]) whose labels join the outcome where they begin after the verdict call has returned, in the order in
    /// which they began; at most [`Program::MOST_OUTCOME_LABELS`].
    pub outcome: Vec<String>,
    /// How it is watched.
    pub witness: Witness,
    /// Which of its connect() calls are led to the peer.
    #[serde(default, skip_serializing_if = "Redirect::is_all")]
    pub redirect: Redirect,
    /// The network that it sees.
    #[serde(default, skip_serializing_if = "Network::is_target")]
    pub network: Network,
    /// Whether its standard output and error are a terminal (pty(7)) and not pipes: what it writes is then flushed line by line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
    /// A control: its verdict call returns this errno in a known share of the trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Injected>,
    /// What it consists of: the executable, its interpreter and libraries, and what was given with it. Part of a cell's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

impl Program {
    /// No outcome has more labels of calls behind the verdict's: a loop would fill the sums.
    pub const MOST_OUTCOME_LABELS: usize = 8;

    /// The label in the verdict's place of a trial whose program made no such call before it ended.
    pub const UNCALLED: &'static str = "uncalled";

    /// The label in the verdict's place where the call had begun, and the program ended in it: another thread of it ended it, or a signal.
    pub const UNRETURNED: &'static str = "unreturned";

    /// The label in the verdict's place where nobody watched ([`Witness::None`]).
    pub const UNWATCHED: &'static str = "unwatched";

    /// The calls that are a verdict where the user names none: those that wait for readiness.
    pub fn usual_verdict() -> Vec<String> {
        let waits = watched_calls().iter().filter(|call| call.kind == CallKind::Waits);
        waits.map(|call| call.name.to_owned()).collect()
    }

    /// The calls whose labels join the outcome where the user names none: those that receive.
    pub fn usual_outcome() -> Vec<String> {
        let receives = watched_calls().iter().filter(|call| call.kind == CallKind::Moves(Direction::In));
        receives.map(|call| call.name.to_owned()).collect()
    }
}

/// Which call of a program the cell counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Names of calls ([`watched_calls`]): `select`, `pselect6`.
    pub calls: Vec<String>,
    /// The first of them is 1. Calls of all its processes and threads count, in the order in which they began; the n-th line that matches
    /// [`Program::says`] is held to be about the n-th of them.
    pub nth: u32,
}

/// Who records the calls of a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// ptrace(2) behind a seccomp(2) filter: calls that are not watched run at full speed, the others stop twice.
    #[default]
    Ptrace,
    /// The kernel's tracepoints raw_syscalls:sys_enter and sys_exit, of this process and its children (perf_event_open(2)): nothing stops.
    Tracepoint,
    /// Nobody: how it ended and what it said are all that is known.
    None,
}

impl Witness {
    /// All of them, the usual one first.
    pub const ALL: [Self; 3] = [Self::Ptrace, Self::Tracepoint, Self::None];

    /// As files and command lines spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::Tracepoint => "tracepoint",
            Self::None => "none",
        }
    }
}

/// Which connect() calls of a program reach the peer's address whatever they name. Only TCP; done by the witness before the kernel sees the
/// call, so no packet of the connection is rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// Every one, but those to an address on which the trial's own processes listen.
    #[default]
    All,
    /// None: the program is told the peer's address in its arguments.
    None,
    /// Those to one of these `address:port`.
    Only(Vec<String>),
}

impl Redirect {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// The network that a program sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The target's: there is a peer, and the path between.
    #[default]
    Target,
    /// A network namespace of each trial's own, with loopback alone: the program brings both ends, and fixed ports do not collide.
    Own,
}

impl Network {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde's skip_serializing_if asks for"
    )]
    fn is_target(&self) -> bool {
        *self == Self::Target
    }
}

/// A known answer: this errno in this share of the trials, in place of the verdict call's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// What the call returns.
    pub errno: Errno,
    /// How often, in parts per million of the trials.
    pub rate_ppm: u32,
}

/// A file of a program, or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it lies: an absolute path.
    pub path: String,
    /// SHA-256, hex: of a file its content; of a folder the names, modes and contents of all that is in it.
    pub digest: String,
    /// Size of the content.
    pub bytes: u64,
}
