//! Where an errno was seen: returned by the kernel, or found in the C library's `errno` when no call had failed.
//!
//! Plain data. Must not say who is to blame. Units: counts of trials. Errors: none. Tests: `tests/golden/order.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Number of trials by errno name, for each place where a program can meet one. 0 is no errno and is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrnoSeen {
    /// The kernel returned -1 with it from the verdict call.
    pub kernel: BTreeMap<String, u64>,
    /// The C library's `errno` held it after a verdict call that had succeeded: a stale one, of an earlier call (errno(3)).
    pub stale: BTreeMap<String, u64>,
    /// `errno` held it after localtime(), which a program calls for the time stamp of a log line: what such a line then says.
    pub log_line: BTreeMap<String, u64>,
}

impl ErrnoSeen {
    /// Whether `errno` held something that no verdict call had returned.
    pub fn misleads(&self) -> bool {
        !self.stale.is_empty() || !self.log_line.is_empty()
    }
}
