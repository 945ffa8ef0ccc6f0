//! What a format that carries the run takes along.
//!
//! Plain data. Must not know a format. Units: seconds. Errors: none. Tests: `tests/golden/page.rs`.

use crate::record::Packed;

/// What a page takes along.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The run; nothing for a page that goes on, and is written again.
    pub packed: Option<Packed>,
    /// In how many seconds a browser loads the page anew; none for a run that has ended.
    pub refresh: Option<u32>,
}
