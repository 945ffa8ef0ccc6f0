//! What two selections played alike, and the difference of their shares.
//!
//! Holds which cells are each other's like, and the verdict on a difference. Must not know what is compared. Units: shares of 1; a difference is a minus b.
//! Errors: none. Tests: `tests/golden/fair`; the arithmetic in `rig-stats`.

use std::collections::BTreeMap;

use rig_stats::{Judgement, judge};

use crate::claims::{Cells, Differs};
use crate::matrix::Subject;

use super::super::blocks::Counted;
use super::super::measured::Measured;
use super::super::pooled::{BothSides, How, Pooled, Test};

/// The cells of both sides that have their like on the other.
pub(super) struct Strata<'a> {
    pub(super) pairs: Vec<BothSides<'a, 'a>>,
}

/// What must be the same on both sides, word by word: everything but what the two selections choose differently.
fn likeness(rule: &Differs, subject: &Subject) -> Vec<String> {
    let Differs { a, b, .. } = rule;
    let mut same = Vec::new();
    let mut keep = |is_same: bool, value: String| same.extend(is_same.then_some(value));
    keep(a.scenario == b.scenario, subject.scenario.clone());
    keep(a.path == b.path, subject.path.name.clone());
    let same_kernel = a.kernel == b.kernel;
    keep(same_kernel, subject.kernel.clone());
    // Another kernel than the host's has another configuration.
    keep(same_kernel && a.configuration == b.configuration, subject.configuration_name().to_owned());
    keep(true, subject.machine.clone().unwrap_or_default());
    keep(true, format!("{:?}", subject.configuration.target.arm()));
    let varies = |name: &String| a.parameters.get(name) != b.parameters.get(name);
    for (name, value) in subject.parameters.iter().filter(|(name, _)| !varies(name)) {
        keep(true, format!("{name}={value}"));
    }
    same
}

impl<'a> Strata<'a> {
    pub(super) fn of(rule: &Differs, a: &[&'a Measured<'a>], b: &[&'a Measured<'a>]) -> Self {
        let mut pairs: BTreeMap<Vec<String>, BothSides<'a, 'a>> = BTreeMap::new();
        for cell in a {
            pairs.entry(likeness(rule, &cell.cell().subject)).or_default().0.push(cell);
        }
        for cell in b {
            if let Some((_, side)) = pairs.get_mut(&likeness(rule, &cell.cell().subject)) {
                side.push(cell);
            }
        }
        Self { pairs: pairs.into_values().filter(|(_, b)| !b.is_empty()).collect() }
    }

    /// The cells of one side.
    pub(super) fn side(&self, a: bool) -> Vec<&'a Measured<'a>> {
        self.pairs.iter().flat_map(|(of_a, of_b)| if a { of_a } else { of_b }).copied().collect()
    }

    /// The difference of a share, a minus b.
    pub(super) fn compare(&self, of: impl Counted, margin: f64, how: How) -> Difference {
        let turned: Vec<BothSides<'_, '_>> = self.pairs.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
        let pooled = Pooled::of(&turned, of, Test::DispersionIfAlone, how);
        let judgement = judge(pooled.judged, pooled.p, how.rules.alpha(), margin);
        Difference { pooled, judgement }
    }
}

/// Whether a selection takes a cell, whatever its scenario names: the part has asked that.
pub(super) fn side<'a>(cells: &[&'a Measured<'a>], selection: &Cells) -> Vec<&'a Measured<'a>> {
    cells.iter().copied().filter(|cell| selection.hold(cell.cell())).collect()
}

/// What is said of a difference of two shares.
pub(super) struct Difference {
    /// Of a minus b: b is its first side.
    pub(super) pooled: Pooled,
    pub(super) judgement: Judgement,
}
