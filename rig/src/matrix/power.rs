//! Whether a control has the trials to prove anything.
//!
//! Pure. Must not know how a control is judged. Units: trials. Errors: none; what is too weak is told. Tests: `tests.rs` of this room.

use std::fmt;

use super::cell::Cell;

/// An errno must be due in so many trials of a control: then finding all of them says that one in nine, at most, could be missed
/// (Clopper and Pearson at 95 %: 30 of 30 is at least 88.4 %).
pub(super) const LEAST_DUE: u64 = 30;

/// A positive control with too few trials.
#[derive(Debug, Clone, PartialEq)]
pub struct WeakControl {
    /// Its name in the matrix.
    pub control: String,
    /// Trials that it has.
    pub trials: u64,
    /// In so many of them its errno is due.
    pub due: u64,
    /// Trials that would do.
    pub needed: u64,
}

impl fmt::Display for WeakControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { control, trials, due, needed } = self;
        write!(
            f,
            "control {control}: its errno is due in {due} of {trials} trials, and {LEAST_DUE} are the least that prove something; {needed} trials would do"
        )
    }
}

/// The positive controls among these cells that have too few trials, each once.
pub(super) fn weak_controls(cells: &[Cell]) -> Vec<WeakControl> {
    let mut weak: Vec<WeakControl> = Vec::new();
    for found in cells.iter().filter_map(weak_control) {
        if !weak.contains(&found) {
            weak.push(found);
        }
    }
    weak
}

fn weak_control(cell: &Cell) -> Option<WeakControl> {
    let control = cell.control.as_ref().filter(|control| control.expected_rate > 0.0)?;
    let ppm = (control.expected_rate * 1e6).round() as u64;
    let due = u64::try_from(u128::from(cell.trials) * u128::from(ppm) / 1_000_000).unwrap_or(u64::MAX);
    (due < LEAST_DUE).then(|| WeakControl {
        control: control.name.clone(),
        trials: cell.trials,
        due,
        needed: (LEAST_DUE * 1_000_000).div_ceil(ppm.max(1)),
    })
}
