//! `I/N`: which part of the cells a run plays, where several runs share one matrix.
//!
//! Cells that are no controls are dealt out, each to one part; cells of one kernel, scenario, path and parameters stay together where there are enough such groups.
//! What a part's cells need for a verdict (their bare-metal cells, the controls of their machines) is in that part as well, and so in several.
//! Pure, and the same on every machine: must not know hosts, nor which cells a host can run. Units: parts, counted from 1; the plan's estimate of time as a weight.
//! Errors: [`Problems`] that blame the argument. Tests: below.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use crate::configuration::{Accelerator, TargetSpec};
use crate::document::{Problem, Problems};
use crate::matrix::{Cell, CellId, Stratum, cost_of};
use crate::record::format;

/// `I/N`: the I-th of N parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a shard: give I/N with 1 <= I <= N, like 2/3");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if (1..=shard.of).contains(&shard.index) { Ok(shard) } else { Err(wrong()) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format::Shard::from(*self).fmt(f)
    }
}

impl From<Shard> for format::Shard {
    fn from(Shard { index, of }: Shard) -> Self {
        Self { index, of }
    }
}

/// Cells that are dealt out together, and their weight.
struct Portion<'c> {
    cells: Vec<&'c Cell>,
    seconds: f64,
}

impl<'c> Portion<'c> {
    fn of(cells: Vec<&'c Cell>) -> Self {
        // Of an emulated guest, whatever this machine has: all machines must weigh alike.
        let seconds = cells.iter().map(|cell| cost_of(cell, Accelerator::Tcg).as_secs_f64()).sum();
        Self { cells, seconds }
    }
}

impl Shard {
    /// The cells of this part, in their order.
    ///
    /// # Errors
    /// There are more shards than cells to deal out.
    pub fn take(self, cells: Vec<Cell>) -> Result<Vec<Cell>, Problems> {
        let portions = portions(&cells, self.of as usize);
        if portions.len() < self.of as usize {
            return Err(self.too_many(portions.len()));
        }
        let (first, end) = (bound(&portions, self.index - 1, self.of), bound(&portions, self.index, self.of));
        let own: Vec<&Cell> =
            portions[first..end].iter().flat_map(|portion| &portion.cells).copied().collect();
        let strata: HashSet<Stratum<'_>> = own.iter().map(|cell| cell.stratum()).collect();
        let baselines = cells.iter().filter(|cell| is_baseline(cell) && strata.contains(&cell.stratum()));
        let measured: HashSet<&CellId> = own.iter().copied().chain(baselines).map(|cell| &cell.id).collect();
        let is_measured = |cell: &&Cell| measured.contains(&cell.id);
        let machines: Vec<_> = cells.iter().filter(is_measured).map(machine).collect();
        let is_needed = |cell: &Cell| {
            measured.contains(&cell.id) || (cell.control.is_some() && machines.contains(&machine(cell)))
        };
        let ids: HashSet<CellId> =
            cells.iter().filter(|cell| is_needed(cell)).map(|cell| cell.id.clone()).collect();
        Ok(cells.into_iter().filter(|cell| ids.contains(&cell.id)).collect())
    }

    fn too_many(self, cells: usize) -> Problems {
        let text = format!("--shard {self}");
        let message = match cells {
            1 => "there is 1 cell to divide".to_owned(),
            n => format!("there are {n} cells to divide"),
        };
        let label = "more shards than cells";
        let mut problem = Problem::in_text("command line", &text, 0..text.len(), message, label);
        let help = format!(
            "ask for {cells} shards at most; a shard also gets the controls and the bare-metal cells that its guest cells need"
        );
        problem.help(help);
        problem.into()
    }
}

fn is_baseline(cell: &Cell) -> bool {
    cell.control.is_none() && cell.is_baseline()
}

/// Where an instrument is proven by its controls: the hardware without its arm, and the kernel.
fn machine(cell: &Cell) -> (TargetSpec, &str) {
    (cell.subject.configuration.target.machine(), &cell.subject.kernel)
}

/// What is dealt out, in an order that is the same on every machine: guests' cells, bare-metal cells that no guest is compared with, and controls where nothing else
/// was asked for. Groups that are compared, or single cells where there are fewer groups than parts.
fn portions(cells: &[Cell], parts: usize) -> Vec<Portion<'_>> {
    let plain = || cells.iter().filter(|cell| cell.control.is_none());
    let compared: HashSet<Stratum<'_>> =
        plain().filter(|cell| !cell.is_baseline()).map(Cell::stratum).collect();
    let mut dealt: Vec<&Cell> =
        plain().filter(|cell| !cell.is_baseline() || !compared.contains(&cell.stratum())).collect();
    if dealt.is_empty() {
        dealt = cells.iter().collect();
    }
    let mut groups: BTreeMap<(&str, Stratum<'_>), Vec<&Cell>> = BTreeMap::new();
    for cell in dealt {
        groups.entry((&cell.subject.kernel, cell.stratum())).or_default().push(cell);
    }
    groups.values_mut().for_each(|group| group.sort_by(|a, b| a.id.cmp(&b.id)));
    if groups.len() >= parts {
        groups.into_values().map(Portion::of).collect()
    } else {
        groups.into_values().flatten().map(|cell| Portion::of(vec![cell])).collect()
    }
}

/// Where the part after the first `before` parts begins: parts follow each other, with about the same time each and at least one portion.
fn bound(portions: &[Portion<'_>], before: u32, of: u32) -> usize {
    let total: f64 = portions.iter().map(|portion| portion.seconds).sum();
    let mut bound = 0;
    for part in 1..=before {
        let due = total * f64::from(part) / f64::from(of);
        let mut spent = 0.0;
        let middles = portions.iter().map(|portion| {
            spent += portion.seconds;
            spent - portion.seconds / 2.0
        });
        let fair = middles.take_while(|middle| *middle < due).count();
        bound = fair.clamp(bound + 1, portions.len() - (of - part) as usize);
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Filter, Matrix, Plan, Selection};

    fn cells(profile: &str, filters: &[&str]) -> Vec<Cell> {
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let filters: Vec<String> = filters.iter().map(|&filter| filter.to_owned()).collect();
        let filters = Filter::parse_all(&filters).expect("filters");
        let selection = Selection { profile: Some(profile.to_owned()), filters, trials: None };
        matrix.cells(&selection).expect("valid")
    }

    fn parts(cells: &[Cell], of: u32) -> Vec<Vec<Cell>> {
        (1..=of).map(|index| Shard { index, of }.take(cells.to_vec()).expect("enough cells")).collect()
    }

    fn ids<'c>(cells: impl IntoIterator<Item = &'c Cell>) -> Vec<&'c CellId> {
        let mut ids: Vec<&CellId> = cells.into_iter().map(|cell| &cell.id).collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_part_is_two_numbers() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "a/b", "3", "1/0", "-1/3", "1/99999999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    /// Every part can come to a verdict by itself, and together they are the whole.
    fn check(cells: &[Cell], of: u32) {
        let parts = parts(cells, of);
        let mut guests: Vec<&CellId> = Vec::new();
        let mut measured: Vec<&CellId> = Vec::new();
        for part in &parts {
            let plain = || part.iter().filter(|cell| cell.control.is_none());
            assert!(plain().next().is_some(), "of {of}");
            guests.extend(ids(plain().filter(|cell| !cell.is_baseline())));
            measured.extend(ids(plain()));
            for cell in plain() {
                let baseline = |other: &&Cell| is_baseline(other) && other.stratum() == cell.stratum();
                assert_eq!(
                    cells.iter().any(|o| baseline(&o)),
                    part.iter().any(|o| baseline(&o)),
                    "{}",
                    cell.describe()
                );
                let controls = |of: &[Cell]| -> Vec<CellId> {
                    let controls = of.iter().filter(|other| other.control.is_some());
                    controls
                        .filter(|other| machine(other) == machine(cell))
                        .map(|other| other.id.clone())
                        .collect()
                };
                assert_eq!(controls(cells), controls(part), "{}", cell.describe());
            }
            let machines: Vec<_> = plain().map(machine).collect();
            let stray = part.iter().find(|cell| cell.control.is_some() && !machines.contains(&machine(cell)));
            assert!(stray.is_none(), "{stray:?} proves nothing here");
            let again = Plan::make(part.clone(), &|_| None).with_again();
            assert_eq!(again.cells.len(), part.len() + usize::from(plain().any(Cell::is_plain)));
        }
        guests.sort();
        let plain = || cells.iter().filter(|cell| cell.control.is_none());
        assert_eq!(
            guests,
            ids(plain().filter(|cell| !cell.is_baseline())),
            "a guest's cell is in one part, of {of}"
        );
        measured.sort();
        measured.dedup();
        assert_eq!(measured, ids(plain()), "of {of}");
    }

    #[test]
    fn every_part_has_what_its_cells_need_and_together_they_are_the_whole() {
        for of in [1, 2, 3, 5, 7] {
            check(&cells("quick", &[]), of);
            check(&cells("nightly", &[]), of);
            check(&cells("nightly", &["kernel=6.1", "kernel=host"]), of);
            check(&cells("nightly", &["configuration=bare-metal"]), of);
            check(&cells("nightly", &["scenario=rst", "scenario=fin"]), of);
        }
        check(
            &cells(
                "nightly",
                &["scenario=double-close", "configuration=bare-metal", "configuration=virtio-tap"],
            ),
            2,
        );
    }

    #[test]
    fn parts_take_about_as_long() {
        for of in [2, 3, 5] {
            let seconds = |part: &Vec<Cell>| {
                let guests = part.iter().filter(|cell| cell.control.is_none() && !cell.is_baseline());
                guests.map(|cell| cost_of(cell, Accelerator::Tcg).as_secs_f64()).sum::<f64>()
            };
            let seconds: Vec<f64> = parts(&cells("nightly", &[]), of).iter().map(seconds).collect();
            let mean = seconds.iter().sum::<f64>() / f64::from(of);
            assert!(seconds.iter().all(|one| (one - mean).abs() < 0.2 * mean), "{seconds:?}");
        }
    }

    #[test]
    fn cells_that_are_compared_stay_together() {
        let all = cells("nightly", &[]);
        let mut places: BTreeMap<(&str, Stratum<'_>), Vec<usize>> = BTreeMap::new();
        let parts = parts(&all, 5);
        for (place, part) in parts.iter().enumerate() {
            for cell in part.iter().filter(|cell| cell.control.is_none() && !cell.is_baseline()) {
                places.entry((&cell.subject.kernel, cell.stratum())).or_default().push(place);
            }
        }
        let torn = places.iter().find(|(_, places)| places.iter().any(|place| *place != places[0]));
        assert!(torn.is_none(), "{torn:?}");
    }

    #[test]
    fn more_parts_than_cells_are_refused_and_controls_alone_are_dealt_out() {
        let few = cells("quick", &["scenario=rst", "configuration=virtio-tap", "kernel=6.1"]);
        let dealt = portions(&few, usize::MAX).len();
        assert!(Shard { index: 1, of: dealt as u32 }.take(few.clone()).is_ok());
        let wrong = Shard { index: 1, of: dealt as u32 + 1 }.take(few);
        let wrong = wrong.expect_err("too many").to_string();
        assert!(!wrong.is_empty(), "{wrong}");
        let controls = cells("quick", &["control=*"]);
        assert!(controls.iter().all(|cell| cell.control.is_some()));
        let parts = parts(&controls, 3);
        let mut together: Vec<&CellId> = parts.iter().flat_map(ids).collect();
        together.sort();
        together.dedup();
        assert_eq!(together, ids(&controls));
    }
}
