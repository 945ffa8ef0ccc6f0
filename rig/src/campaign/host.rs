//! What this host can do for the cells that were asked for, and which of them it cannot run.
//!
//! Says what the cells need; `capability` looks. Must not know images or how a record is written. Units: none.
//! Errors: none; what is missing is a [`Lack`]. Tests: those of the probes and of `configuration/requirement.rs`.

use super::hardware;
use crate::capability;
use crate::configuration::{Abilities, Lack, Needs, injects, lack_of_own_port};
use crate::matrix::Cell;
use crate::path::Medium;
use crate::record::format::CellRecord;

/// Why this cell cannot be run here, if it cannot.
pub fn lack(abilities: &Abilities, cell: &Cell) -> Option<Lack> {
    let (script, target, path) =
        (&cell.subject.script, &cell.subject.configuration.target, &cell.subject.path);
    abilities
        .lack_of(target, path)
        .or_else(|| lack_of_own_port(script, target, path))
        .or_else(|| abilities.lack_vsock(script, target, path))
        .or_else(|| (is_without_its_dose(cell)).then_some(Lack::NoDose))
}

/// Whether the configuration injects, and nothing of it reaches this cell's verdict call.
fn is_without_its_dose(cell: &Cell) -> bool {
    let doses = cell.subject.configuration.target.tuning().inject.is_some();
    doses && cell.control.is_none() && !injects(&cell.subject.script)
}

/// What this host can do for these cells, but for the accelerator, which costs a boot. What none of them needs is not looked at.
pub fn abilities_for<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Abilities {
    let subjects: Vec<_> = cells.into_iter().map(|cell| &cell.subject).collect();
    let mut needs = Needs::of(subjects.iter().map(|subject| (&subject.configuration.target, &subject.path)));
    needs.vsock_loopback = subjects.iter().any(|subject| {
        let within_host = subject.configuration.target.is_host() && subject.path.medium == Medium::Loopback;
        within_host && subject.script.is_over_vsock()
    });
    let offers = hardware::offers(subjects.iter().map(|subject| &subject.configuration.target));
    Abilities { offers, ..capability::look(&needs) }
}

/// What cells are skipped for, with the names of their paths.
pub(super) fn lacks(cells: &[CellRecord], abilities: &Abilities) -> Vec<(String, Lack)> {
    let skipped = cells.iter().filter(|record| record.skipped.is_some()).map(|record| &record.cell);
    skipped.filter_map(|cell| Some((cell.subject.path.name.clone(), lack(abilities, cell)?))).collect()
}
