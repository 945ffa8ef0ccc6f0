//! From a recorded run to what its report says.
//!
//! Pure: tallies -> estimates -> comparisons -> hypothesis verdicts -> `ReportModel`. Must not know formats or terminals.
//! Units: shares of 1, nanoseconds. Errors: none of its own; the reader's.
//! Tests: beside the modules, and the golden reports.

pub mod model;
