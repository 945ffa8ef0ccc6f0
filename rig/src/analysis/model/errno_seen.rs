//! Where an errno was seen: returned by the kernel, or found in the C library's `errno` for another reason.
//!
//! Plain data. Must not say who is to blame. Units: counts of trials. Errors: none. Tests: `tests/golden/order.rs`, `tests/golden/sources.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Number of trials by errno name, for each place where a program can meet one. 0 is no errno and is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrnoSeen {
    /// The kernel returned -1 with it from the verdict call.
    pub kernel: BTreeMap<String, u64>,
    /// The C library's `errno` held it right after a verdict call that had returned -1: what a program prints that asks at once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub libc: BTreeMap<String, u64>,
    /// The C library's `errno` held it after a verdict call that had succeeded: a stale one, of an earlier call (errno(3)).
    pub stale: BTreeMap<String, u64>,
    /// `errno` held it after localtime(), which a program calls for the time stamp of a log line: what such a line then says. Of a user's program: when it
    /// wrote the line that it is known by.
    pub log_line: BTreeMap<String, u64>,
}

impl ErrnoSeen {
    /// Whether `errno` held something that no verdict call had returned.
    pub fn misleads(&self) -> bool {
        !self.stale.is_empty() || !self.log_line.is_empty()
    }
}

/// What a place's cells are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SightingKind {
    /// They measure what the kernel does.
    Plain,
    /// Their program closes the descriptor itself, or its threads race for it.
    OwnDoing,
    /// Their client is the user's own program: what it does with its descriptors and with errno is its own.
    Program,
    /// A control: the errno is brought about on purpose, at a known rate.
    Control,
}

/// Whether /etc/localtime was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocaltimeFile {
    /// It was, in every block.
    Present,
    /// It was not, in any block.
    Absent,
    /// The record does not say, or blocks differ.
    Unknown,
}

/// The four errnos of one place: what the kernel returned, and what the C library's `errno` held when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrnoSource {
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// What kind of cells they are.
    pub kind: SightingKind,
    /// The scenario of cells in which the program brings an errno about or is the user's own, or the control's name; empty for plain cells.
    pub name: String,
    /// Whether the targets ran on the host.
    pub on_host: bool,
    /// Whether /etc/localtime was there.
    pub localtime_file: LocaltimeFile,
    /// The environment variable TZ of the targets; null where it was unset. With it localtime() does not look for /etc/localtime.
    pub timezone: Option<String>,
    /// Number of verdict calls that returned.
    pub calls: u64,
    /// Number of them that returned -1 and after which `errno` was looked at; 0 in records of a format before 2.1.
    pub failed: u64,
    /// Number of them that succeeded, and after which `errno` was looked at.
    pub succeeded: u64,
    /// Number of calls of localtime() after which it was looked at.
    pub log_lines: u64,
    /// Number of trials by errno.
    pub seen: ErrnoSeen,
}

impl ErrnoSource {
    /// In how many trials localtime() left this errno where the call had not returned it: one that the call returns stays in `errno` whatever localtime() does.
    pub fn left_by_localtime(&self, errno: &str) -> u64 {
        let of = |counts: &BTreeMap<String, u64>| counts.get(errno).copied().unwrap_or(0);
        of(&self.seen.log_line).saturating_sub(of(&self.seen.kernel))
    }
}
