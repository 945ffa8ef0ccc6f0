//! Marks: shapes that tell states and series apart where colours do not.
//!
//! Must not know what they mark. Units: pixels around the mark's own place. Errors: none. Tests: the snapshots of the charts.

pub(super) const CIRCLE: &str = "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z";
pub(super) const DIAMOND: &str = "M0-6.5L6.5 0L0 6.5L-6.5 0z";
pub(super) const SQUARE: &str = "M-4.5-4.5h9v9h-9z";
pub(super) const TRIANGLE: &str = "M0-6L5.8 4.5H-5.8z";
pub(super) const TRIANGLE_DOWN: &str = "M0 6L5.8-4.5H-5.8z";
pub(super) const CROSS: &str = "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5";
pub(super) const BARRED: &str = "M-4.5-4.5h9v9h-9zM-4.5 4.5L4.5-4.5";
pub(super) const HEXAGON: &str = "M-3-5.2H3L6 0L3 5.2H-3L-6 0z";
