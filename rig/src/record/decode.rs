//! Where the bytes of a file become a record: what cannot be read of which version, in the words of a user.
//!
//! Must not touch the disk, nor know any version: that is for `format`. Units: none.
//! Errors: [`RecordError`] for `run.json`, which nothing can be read without; a sentence for a block. Tests: `tests/golden/record.rs`, `tests/golden/recorded.rs`.

use std::path::Path;

use serde_json::Value;

use super::RecordError;
use super::format::{BlockRecord, ReadRun, Unreadable, read_block, read_run};

/// `run.json`, its version first: a record of another version need not have our fields.
pub(super) fn run(bytes: &[u8], path: &Path) -> Result<ReadRun, RecordError> {
    read_run(bytes).map_err(|unreadable| {
        let path = path.to_owned();
        match unreadable {
            Unreadable::Newer(found) => RecordError::Newer { path, found, written_by: written_by(bytes) },
            Unreadable::Malformed(reason) => RecordError::Damaged { path, reason },
        }
    })
}

/// Which version of rig says that it wrote this.
fn written_by(run: &[u8]) -> String {
    let value: Value = serde_json::from_slice(run).unwrap_or_default();
    let version = value.get("rig_version").and_then(Value::as_str);
    version.map_or("version unknown".to_owned(), |version| format!("version {}", version.escape_debug()))
}

/// `blocks/<block>.<attempt>.json`
pub(super) fn block(bytes: &[u8]) -> Result<BlockRecord, String> {
    match read_block(bytes) {
        Ok((block, _)) => Ok(block),
        Err(Unreadable::Malformed(what)) => Err(format!("is not a block record ({what})")),
        Err(newer) => Err(newer.to_string()),
    }
}
