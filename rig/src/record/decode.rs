//! Where the bytes of a file become a record: the only place that knows which format is read how.
//!
//! Must not touch the disk. Units: none. Errors: [`RecordError`] for `run.json`, which nothing can be read without; serde's words for a block.
//! Tests: `tests/golden/record.rs`, `tests/golden/recorded.rs`.

use std::path::Path;

use serde_json::Value;

use super::RecordError;
use super::format::{BlockRecord, FORMAT, RunRecord};

/// The first format.
const FIRST: u32 = 1;

/// `run.json`, its version first: a record of another version need not have our fields.
pub(super) fn run(bytes: &[u8], path: &Path) -> Result<(RunRecord, u32), RecordError> {
    let damaged = |reason: String| RecordError::Damaged { path: path.to_owned(), reason };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    let Some(found) = value.get("format").and_then(Value::as_u64) else {
        return Err(damaged("it has no `format`".into()));
    };
    match u32::try_from(found) {
        Ok(format @ FIRST..=FORMAT) => {
            let record = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
            Ok((record, format))
        }
        Ok(_) | Err(_) => {
            let version = value.get("rig_version").and_then(Value::as_str);
            let written_by = match version {
                Some(version) => format!("version {}", version.escape_debug()),
                None => "version unknown".to_owned(),
            };
            Err(RecordError::Format { path: path.to_owned(), found, known: FORMAT, written_by })
        }
    }
}

/// `blocks/<block>.<attempt>.json` of format 1 or 2, which have the same fields.
pub(super) fn block(bytes: &[u8]) -> Result<BlockRecord, serde_json::Error> {
    serde_json::from_slice(bytes)
}
