//! The journal: one line per finished block, never rewritten.
//!
//! Holds how its bytes are read, whole or torn, of format 1 or chained, and what its lines vouch for. Must not touch the disk.
//! Units: bytes, lines from 1. Errors: none; what is damaged is named in words, because the rest still counts.
//! Tests: `tests/golden/record.rs`, `tests/golden/chain.rs`, `tests/golden/damage.rs`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::entry::{JournalEntry, digest, unseal};
use super::format::{BlockStatus, Version};
use super::id::BlockId;

/// The first major version whose journal is a chain.
const CHAINED: u32 = 2;

/// What [`super::Run::cautions`] say of a run that did not come to an end that it could write down.
pub const NOT_ENDED: &str = "journal.jsonl does not say that the run ended: it was killed, it is still running, or the last lines are missing";

/// What the journal's bytes say.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The entries of the whole lines that are what was written, in order.
    pub(super) entries: Vec<JournalEntry>,
    /// Length of the whole lines: what a writer truncates to before it appends.
    pub(super) whole_bytes: u64,
    /// The `sha256` of the last whole line: what the next line continues. Empty before the first.
    pub(super) last_sha256: String,
    /// Whether bytes follow the last whole line: the power went, or the process was killed, in the middle of a write.
    pub(super) torn: bool,
    /// What is damaged, one sentence each.
    pub(super) cautions: Vec<String>,
    /// Whether the lines are a chain: any changed byte shows. Not in format 1.
    pub(super) chained: bool,
}

impl Journal {
    /// `run` is the version of `run.json`: it decides where the first line cannot.
    pub(super) fn parse(bytes: &[u8], run: Version) -> Self {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        let chained = run.major >= CHAINED || lines.first().is_some_and(|line| says_its_format(line));
        let mut journal = Self { chained, ..Self::default() };
        if lines.last().is_some_and(|last| is_torn(last, chained)) {
            lines.pop();
            journal.torn = true;
            journal.cautions.push(format!(
                "the last line of journal.jsonl ({}) is incomplete: its block does not count",
                lines.len() + 1
            ));
        }
        for (index, line) in lines.into_iter().enumerate() {
            journal.whole_bytes += line.len() as u64;
            let number = index + 1;
            match if chained { journal.follow(line) } else { read_format_1(line) } {
                Ok(entry) => {
                    journal.cautions.extend(other_version(&entry, number, run));
                    journal.entries.push(entry);
                }
                Err(what) => {
                    journal.cautions.push(format!("line {number} of journal.jsonl {what}"));
                }
            }
        }
        journal
    }

    /// Reads the next line of the chain.
    fn follow(&mut self, line: &[u8]) -> Result<JournalEntry, &'static str> {
        const CHANGED: &str = "was changed, or follows a line that was: it does not count";
        let Some((own, sha256)) = unseal(line) else {
            self.last_sha256.clear();
            return Err(CHANGED);
        };
        let right = digest(&self.last_sha256, &own);
        sha256.clone_into(&mut self.last_sha256);
        if sha256 != right {
            return Err(CHANGED);
        }
        serde_json::from_slice(&own)
            .map_err(|_| "is of a kind that this rig does not know: it does not count")
    }

    /// Whether the last word is that the run ended with all its blocks.
    pub(super) fn complete(&self) -> bool {
        matches!(self.entries.last(), Some(JournalEntry::Ended { complete: true, .. }))
    }

    /// Why the run ended before all its blocks were played, where it says so.
    pub(super) fn stopped(&self) -> Option<String> {
        match self.entries.last() {
            Some(JournalEntry::Ended { complete: false, stopped, .. }) => stopped.clone(),
            Some(_) | None => None,
        }
    }

    /// Where its lines end too early, in words.
    pub(super) fn missing_end(&self) -> Option<String> {
        let what = match self.entries.last() {
            _ if self.torn => return None,
            None => "has no line, not even that the run began: no block counts",
            Some(JournalEntry::Ended { .. }) => return None,
            Some(JournalEntry::Started { .. } | JournalEntry::Block { .. }) => {
                return Some(NOT_ENDED.to_owned());
            }
        };
        Some(format!("journal.jsonl {what}"))
    }

    /// Whether `run.json`, which has this digest now, is what a rig saw that began the run or went on with it; nothing where no line tells.
    pub(super) fn vouches_for_run(&self, sha256: &str) -> Option<bool> {
        let mut seen = self.entries.iter().filter_map(|entry| match entry {
            JournalEntry::Started { run_sha256, .. } => run_sha256.as_deref(),
            JournalEntry::Block { .. } | JournalEntry::Ended { .. } => None,
        });
        let first = seen.next()?;
        Some(first == sha256 && seen.all(|other| other == sha256))
    }
}

/// The power went in the middle of its write, or its blocks on disk were never written and read as zeros.
fn is_torn(last: &[u8], chained: bool) -> bool {
    let is_whole = match chained {
        true => unseal(last).is_some() && serde_json::from_slice::<IgnoredAny>(last).is_ok(),
        false => read_format_1(last).is_ok(),
    };
    !last.ends_with(b"\n") || !is_whole
}

fn says_its_format(line: &[u8]) -> bool {
    serde_json::from_slice::<Value>(line).is_ok_and(|line| line.get("format").is_some())
}

/// What else wrote this run, in words: a newer version that is that of `run.json` too is said once, of the run.
fn other_version(entry: &JournalEntry, number: usize, run: Version) -> Option<String> {
    let JournalEntry::Started { format, format_minor, .. } = entry else { return None };
    let line = Version { major: *format, minor: *format_minor };
    if line.major != run.major {
        Some(format!("line {number} of journal.jsonl says format {line}, run.json says format {run}"))
    } else if line.is_newer() && line != run {
        Some(format!(
            "line {number} of journal.jsonl was written in format {line}; this rig knows {} and does not show what was added",
            Version::WRITTEN
        ))
    } else {
        None
    }
}

/// A line of format 1: no chain, and a digest of the block's file only.
#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum EntryOfFormat1 {
    Started {
        at: String,
    },
    Block {
        at: String,
        id: BlockId,
        attempt: u32,
        #[serde(flatten)]
        status: BlockStatus,
        file: String,
        sha256: String,
    },
    Ended {
        at: String,
        complete: bool,
    },
}

fn read_format_1(line: &[u8]) -> Result<JournalEntry, &'static str> {
    let entry = serde_json::from_slice(line).map_err(|_| "is unreadable: its block does not count")?;
    Ok(match entry {
        EntryOfFormat1::Started { at } => {
            JournalEntry::Started { at, format: 1, format_minor: 0, run_sha256: None }
        }
        EntryOfFormat1::Block { at, id, attempt, status, file, sha256 } => {
            JournalEntry::Block { at, id, attempt, status, files: BTreeMap::from([(file, sha256)]) }
        }
        EntryOfFormat1::Ended { at, complete } => JournalEntry::Ended { at, complete, stopped: None },
    })
}
