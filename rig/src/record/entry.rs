//! One line of `journal.jsonl`: what it says, and the chain that holds the lines together.
//!
//! A line is a JSON object whose last field is `sha256`: the SHA-256, in lower-case hexadecimal digits, of the text of that field in the line
//! before (nothing for the first line), followed by the line's own bytes without the field. In Python:
//!
//! ```python
//! before = b""
//! for line in open("journal.jsonl", "rb"):
//!     own, digest = line[:-78] + b"}", line[-67:-3]
//!     assert hashlib.sha256(before + own).hexdigest().encode() == digest
//!     before = digest
//! ```
//!
//! Must not touch the disk. Units: bytes. Errors: none. Tests: here, `tests/golden/chain.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::format::BlockStatus;
use super::id::BlockId;

/// What a line of the journal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The run began, or went on after `--resume`.
    Started {
        /// RFC 3339, UTC.
        at: String,
        /// Major version of the stored format of whoever wrote it.
        format: u32,
        /// Minor version of the stored format of whoever wrote it.
        format_minor: u32,
        /// SHA-256 of `run.json`, in hexadecimal digits; a run of format 1 has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_sha256: Option<String>,
    },
    /// A block was played and lies on disk.
    Block {
        /// RFC 3339, UTC.
        at: String,
        /// Which.
        id: BlockId,
        /// From 1.
        attempt: u32,
        /// How it ended.
        #[serde(flatten)]
        status: BlockStatus,
        /// SHA-256 of each file of this attempt, by its name under the run's folder: its sums, its trials kept whole, its packets, the logs of its
        /// guests.
        files: BTreeMap<String, String>,
    },
    /// The run ended: by itself, or interrupted with its record complete up to here.
    Ended {
        /// RFC 3339, UTC.
        at: String,
        /// Whether all blocks of the plan were played.
        complete: bool,
        /// Why it ended before: `interrupted`, `deadline`, `fail_fast`, `record_failed`; null where all blocks were played, and in lines of formats before 2.2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<String>,
    },
}

/// A line of `journal.jsonl`, as it is written: what it says, and its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalLine {
    /// What it says.
    #[serde(flatten)]
    pub entry: JournalEntry,
    /// SHA-256, in hexadecimal digits, of this field of the line before (nothing before the first line) followed by this line's own bytes without this
    /// field, which is the last one. So a change of any line shows.
    pub sha256: String,
}

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
const BEFORE_DIGEST: &[u8] = b",\"sha256\":\"";
const AFTER_DIGEST: &[u8] = b"\"}\n";

/// A line and its place in the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The whole line, with its line feed.
    pub(super) line: Vec<u8>,
    /// What the next line continues.
    pub(super) sha256: String,
}

/// The line of an entry that follows a line with this `sha256` (empty: it is the first).
pub(super) fn seal(entry: &JournalEntry, before: &str) -> Sealed {
    let own = serde_json::to_vec(entry).expect("an entry is plain data");
    let sha256 = digest(before, &own);
    let mut line = own;
    let brace = line.pop();
    debug_assert_eq!(brace, Some(b'}'), "an entry is an object");
    line.extend_from_slice(BEFORE_DIGEST);
    line.extend_from_slice(sha256.as_bytes());
    line.extend_from_slice(AFTER_DIGEST);
    Sealed { line, sha256 }
}

/// The line's own bytes without its `sha256`, and that; nothing where it does not end in one.
pub(super) fn unseal(line: &[u8]) -> Option<(Vec<u8>, &str)> {
    let rest = line.strip_suffix(AFTER_DIGEST)?;
    let (rest, sha256) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let own = rest.strip_suffix(BEFORE_DIGEST)?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !sha256.iter().all(is_digit) {
        return None;
    }
    let mut own = own.to_vec();
    own.push(b'}');
    Some((own, std::str::from_utf8(sha256).ok()?))
}

/// The `sha256` that a line must have after a line with the `sha256` of `before`.
pub(super) fn digest(before: &str, own: &[u8]) -> String {
    format!("{:x}", Sha256::new().chain_update(before).chain_update(own).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_sealed_as_the_head_of_this_file_says() {
        let entry = JournalEntry::Ended { at: "t".into(), complete: true, stopped: None };
        let first = seal(&entry, "");
        let own = br#"{"entry":"ended","at":"t","complete":true}"#;
        assert_eq!(first.sha256, format!("{:x}", Sha256::digest(own)));
        let second = seal(&entry, &first.sha256);
        assert_ne!(first.sha256, second.sha256);
        let length = second.line.len();
        assert_eq!(&second.line[length - 67..length - 3], second.sha256.as_bytes());
        assert_eq!([&second.line[..length - 78], b"}"].concat(), own);
        assert_eq!(unseal(&second.line), Some((own.to_vec(), second.sha256.as_str())));
        assert_eq!(digest(&first.sha256, own), second.sha256);
    }

    #[test]
    fn what_is_not_sealed_is_told_apart() {
        let line = seal(&JournalEntry::Ended { at: "t".into(), complete: true, stopped: None }, "").line;
        assert!(unseal(&line[..line.len() - 1]).is_none(), "no line feed");
        assert!(unseal(&line[line.len() - 60..]).is_none(), "too short");
        assert!(unseal(b"").is_none());
        assert!(unseal(b"{\"entry\":\"ended\"}\n").is_none());
        let upper = String::from_utf8(line).expect("text").to_uppercase().replace("SHA256", "sha256");
        assert!(unseal(upper.as_bytes()).is_none(), "{upper}");
    }
}
