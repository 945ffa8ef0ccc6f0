//! Whether a control has the trials to prove anything.
//!
//! Pure. Must not know how a control is judged. Units: trials. Errors: none; what is too weak is told. Tests: `tests.rs` of this room.

use std::fmt;

use super::cell::Control;

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
            "control {control}: its errno is expected in {due} of {trials} trials, and a proof needs {LEAST_DUE}; {needed} trials are enough"
        )
    }
}

/// The positive ones among these controls, each with its trials, that have too few, each once.
pub(super) fn weak_controls(controls: impl Iterator<Item = (Control, u64)>) -> Vec<WeakControl> {
    let mut weak: Vec<WeakControl> = Vec::new();
    for found in controls.filter_map(|(control, trials)| weak_control(&control, trials)) {
        if !weak.contains(&found) {
            weak.push(found);
        }
    }
    weak
}

fn weak_control(control: &Control, trials: u64) -> Option<WeakControl> {
    if control.expected_rate <= 0.0 {
        return None;
    }
    let ppm = (control.expected_rate * 1e6).round() as u64;
    let due = u64::try_from(u128::from(trials) * u128::from(ppm) / 1_000_000).unwrap_or(u64::MAX);
    (due < LEAST_DUE).then(|| WeakControl {
        control: control.name.clone(),
        trials,
        due,
        needed: (LEAST_DUE * 1_000_000).div_ceil(ppm.max(1)),
    })
}
