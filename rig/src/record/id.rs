//! Names of runs, cells and blocks: which texts can be one.
//!
//! They become names of files, parts of command lines and cells of tables, so they are plain. Must not know what they name.
//! Units: bytes. Errors: none; what is wrong is said in words. Tests: here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::matrix::CellId;

/// The longest name.
const MOST_BYTES: usize = 64;

/// Name of a block: `<cell id>-<index>`; of the second shard of a run `<cell id>-s2.<index>`, so that blocks of several shards stay apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BlockId(pub String);

impl BlockId {
    /// The name of the `index`-th block (from 0) that this shard (from 1; none where the run is whole) plays of a cell.
    pub fn of(cell: &CellId, shard: Option<u32>, index: u32) -> Self {
        match shard {
            Some(shard) => Self(format!("{cell}-s{shard}.{index}")),
            None => Self(format!("{cell}-{index}")),
        }
    }

    /// Its name in a run that was merged from several, of which the one with this mark ([`mark_of`](super::format::mark_of)) played it.
    pub fn of_part(cell: &CellId, mark: &str, index: u32) -> Self {
        Self(format!("{cell}-{mark}.{index}"))
    }
}

impl std::fmt::Display for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can be the name of a run or a cell: 1 to 64 characters of `[0-9A-Za-z._-]`, the first of them neither `.` nor `-`.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MOST_BYTES).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('.')
        && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let longest = "x".repeat(MOST_BYTES);
        for name in ["20261121-201950-1f3a", "0a1b2c3d4e5f", "a", "A_b.c-d", longest.as_str()] {
            assert!(is_name(name), "{name}");
        }
        let too_long = "x".repeat(MOST_BYTES + 1);
        for text in
            ["", ".", "..", ".x", "-x", "../x", "a/b", "a b", "a\n", "a\0", "\u{e9}", "a\u{202e}", &too_long]
        {
            assert!(!is_name(text), "{text:?}");
        }
    }

    #[test]
    fn a_block_has_its_cells_name_its_shard_and_a_number() {
        let cell = CellId("0a1b2c3d4e5f".into());
        assert_eq!(BlockId::of(&cell, None, 3).to_string(), "0a1b2c3d4e5f-3");
        assert_eq!(BlockId::of(&cell, Some(2), 3).to_string(), "0a1b2c3d4e5f-s2.3");
        assert_eq!(BlockId::of_part(&cell, "1f3a09c4", 3).to_string(), "0a1b2c3d4e5f-1f3a09c4.3");
    }
}
