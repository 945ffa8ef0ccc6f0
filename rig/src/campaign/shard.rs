//! `I/N`: which part of the cells a run plays, where several runs share one matrix.
//!
//! Cells that are no controls are dealt out, each to one part; cells of one kernel, scenario, path and parameters stay together where there are enough such groups.
//! What a part's cells need for a verdict (their bare-metal cells, the controls of their machines) is in that part as well, and so in several.
//! Pure, and the same on every machine: must not know hosts, nor which cells a host can run. Units: parts, counted from 1; the plan's estimate of time as a weight.
//! Errors: [`Problems`] that blame the argument. Tests: below.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::configuration::{Accelerator, TargetSpec};
use crate::document::{Problem, Problems};
use crate::matrix::{Baseline, ButForKernel, Cell, CellId, Stratum, cost_of};
use crate::record::Run;
use crate::record::format::{self, BlockStatus, CellElsewhere};

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

/// What stays together where cells are dealt out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DividedBy {
    /// The cells that are compared with one another.
    #[default]
    Compared,
    /// The cells of a configuration: for machines of which only some can play it.
    Configuration,
}

/// How the cells of a plan are dealt out to its shards: the same on every machine, or they are shards of different plans.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Division {
    /// What stays together.
    pub by: DividedBy,
    /// What cells cost, as a run has shown it; as estimated where there is none.
    pub costs: Costs,
    /// The kernel that cells on the others are compared with: then those that differ in the kernel only stay together.
    pub baseline: Option<Baseline>,
}

impl Division {
    /// The same for cells of which some are compared with those on a kernel.
    #[must_use]
    pub fn with(&self, baseline: Option<&Baseline>) -> Self {
        Self { baseline: baseline.cloned(), ..self.clone() }
    }
}

/// What cells cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    /// Seconds of one trial, with its share of boot and network, of each cell that was played.
    seconds: BTreeMap<CellId, f64>,
}

impl Costs {
    /// As a recorded run shows them: the time of its complete blocks.
    pub fn of(run: &Run) -> Self {
        let mut sums: BTreeMap<CellId, (f64, u64)> = BTreeMap::new();
        for block in run.blocks.iter().filter(|block| block.status == BlockStatus::Complete) {
            // Of a run that several machines played, on whichever.
            let id = CellId(block.cell.0.split('.').next().unwrap_or_default().to_owned());
            let (seconds, trials) = sums.entry(id).or_default();
            *seconds += Duration::from_nanos(block.elapsed_ns).as_secs_f64();
            *trials += block.tally.trials;
        }
        let known = sums.into_iter().filter(|(_, (_, trials))| *trials > 0);
        Self { seconds: known.map(|(id, (seconds, trials))| (id, seconds / trials as f64)).collect() }
    }

    /// Seconds of each cell. Those that were not played cost what is estimated, times what the others took of their estimates.
    fn weigh(&self, cells: &[Cell]) -> HashMap<CellId, f64> {
        // Of an emulated guest, whatever this machine has: all machines must weigh alike.
        let estimate = |cell: &Cell| cost_of(cell, Accelerator::Tcg).as_secs_f64();
        let known = |cell: &Cell| Some(self.seconds.get(&cell.id)? * cell.trials as f64);
        let both = || cells.iter().filter_map(|cell| Some((known(cell)?, estimate(cell))));
        let (taken, estimated) = both().fold((0.0, 0.0), |sums, (a, b)| (sums.0 + a, sums.1 + b));
        let ratio = if taken > 0.0 && estimated > 0.0 { taken / estimated } else { 1.0 };
        let weight = |cell: &Cell| known(cell).unwrap_or_else(|| estimate(cell) * ratio);
        cells.iter().map(|cell| (cell.id.clone(), weight(cell))).collect()
    }
}

/// Cells that are dealt out together, and their weight.
struct Portion<'c> {
    cells: Vec<&'c Cell>,
    seconds: f64,
}

impl Shard {
    /// The cells of this part, in their order.
    ///
    /// # Errors
    /// There are more shards than cells to deal out.
    pub fn take(self, cells: Vec<Cell>, division: &Division) -> Result<Vec<Cell>, Problems> {
        let portions = portions(&cells, self.of as usize, division);
        if portions.len() < self.of as usize {
            return Err(self.too_many(portions.len(), division));
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

    /// The cells of this part, and those of the whole that only others play: whoever puts the parts together sees what is missing.
    ///
    /// # Errors
    /// As [`Shard::take`].
    pub(super) fn divide(
        self,
        cells: Vec<Cell>,
        division: &Division,
    ) -> Result<(Vec<Cell>, Vec<CellElsewhere>), Problems> {
        let own = self.take(cells.clone(), division)?;
        let mut shards: HashMap<CellId, Vec<u32>> = HashMap::new();
        for index in 1..=self.of {
            for cell in (Self { index, ..self }).take(cells.clone(), division)? {
                shards.entry(cell.id).or_default().push(index);
            }
        }
        let is_own: HashSet<&CellId> = own.iter().map(|cell| &cell.id).collect();
        let others = (0..).zip(&cells).filter(|(_, cell)| !is_own.contains(&cell.id));
        let elsewhere = others.map(|(place, cell)| CellElsewhere {
            id: cell.id.clone(),
            label: cell.describe(),
            place,
            shards: shards.remove(&cell.id).unwrap_or_default(),
        });
        let elsewhere = elsewhere.collect();
        Ok((own, elsewhere))
    }

    fn too_many(self, cells: usize, division: &Division) -> Problems {
        let text = format!("--shard {self}");
        let (one, many) = match division.by {
            DividedBy::Compared if division.baseline.is_some() => {
                ("cell, its kernels counted once,", "cells, the kernels of each counted once,")
            }
            DividedBy::Compared => ("cell", "cells"),
            DividedBy::Configuration => ("configuration", "configurations"),
        };
        let message = match cells {
            1 => format!("there is 1 {one} to divide"),
            n => format!("there are {n} {many} to divide"),
        };
        let label = match division.by {
            DividedBy::Compared => "more shards than cells",
            DividedBy::Configuration => "more shards than configurations",
        };
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
/// was asked for. Groups that are compared, or single cells where there are fewer groups than parts; but never those apart that are compared by their kernels.
fn portions<'c>(cells: &'c [Cell], parts: usize, division: &Division) -> Vec<Portion<'c>> {
    let weights = division.costs.weigh(cells);
    let portion =
        |cells: Vec<&'c Cell>| Portion { seconds: cells.iter().map(|cell| weights[&cell.id]).sum(), cells };
    let plain = || cells.iter().filter(|cell| cell.control.is_none());
    let compared: HashSet<Stratum<'_>> =
        plain().filter(|cell| !cell.is_baseline()).map(Cell::stratum).collect();
    let mut dealt: Vec<&Cell> =
        plain().filter(|cell| !cell.is_baseline() || !compared.contains(&cell.stratum())).collect();
    if dealt.is_empty() {
        dealt = cells.iter().collect();
    }
    if division.by == DividedBy::Configuration {
        let mut groups: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
        for cell in dealt {
            groups.entry(&cell.subject.configuration.name).or_default().push(cell);
        }
        return groups.into_values().map(portion).collect();
    }
    let of_all_kernels = division.baseline.is_some();
    let mut groups: BTreeMap<(&str, Stratum<'_>), Vec<&Cell>> = BTreeMap::new();
    for cell in dealt {
        let kernel = if of_all_kernels { "" } else { &cell.subject.kernel };
        groups.entry((kernel, cell.stratum())).or_default().push(cell);
    }
    groups.values_mut().for_each(|group| group.sort_by(|a, b| a.id.cmp(&b.id)));
    if groups.len() >= parts {
        return groups.into_values().map(portion).collect();
    }
    if !of_all_kernels {
        return groups.into_values().flatten().map(|cell| portion(vec![cell])).collect();
    }
    let mut smaller: Vec<(ButForKernel<'_>, Vec<&Cell>)> = Vec::new();
    for cell in groups.into_values().flatten() {
        match smaller.iter_mut().find(|(key, _)| *key == cell.but_for_kernel()) {
            Some((_, group)) => group.push(cell),
            None => smaller.push((cell.but_for_kernel(), vec![cell])),
        }
    }
    smaller.into_iter().map(|(_, group)| portion(group)).collect()
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::matrix::{Filter, Matrix, Plan, Selection, kernel_pairs};

    fn cells(profile: &str, filters: &[&str]) -> Vec<Cell> {
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let filters: Vec<String> = filters.iter().map(|&filter| filter.to_owned()).collect();
        let filters = Filter::parse_all(&filters).expect("filters");
        let selection = Selection { profile: Some(profile.to_owned()), filters, trials: None };
        matrix.cells(&selection).expect("valid")
    }

    fn parts(cells: &[Cell], of: u32) -> Vec<Vec<Cell>> {
        (1..=of)
            .map(|index| {
                Shard { index, of }.take(cells.to_vec(), &Division::default()).expect("enough cells")
            })
            .collect()
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
    fn a_part_names_every_cell_that_only_others_play_with_its_place() {
        let all = cells("quick", &[]);
        for index in 1..=3 {
            let (own, elsewhere) =
                Shard { index, of: 3 }.divide(all.clone(), &Division::default()).expect("enough cells");
            let mut places = vec![None; all.len()];
            for other in &elsewhere {
                places[other.place as usize] = Some(&other.id);
                assert!(!other.shards.is_empty() && !other.shards.contains(&index), "{other:?}");
            }
            let mut own = own.iter().map(|cell| &cell.id);
            let whole: Vec<&CellId> =
                places.into_iter().map(|at| at.or_else(|| own.next()).expect("one")).collect();
            assert!(whole.into_iter().eq(all.iter().map(|cell| &cell.id)) && own.next().is_none());
        }
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

    /// What of these cells is a guest's.
    fn guests(part: &[Cell]) -> impl Iterator<Item = &Cell> {
        part.iter().filter(|cell| cell.control.is_none() && !cell.is_baseline())
    }

    #[test]
    fn configurations_stay_together_where_that_is_asked_for() {
        let all = cells("nightly", &[]);
        let division = Division { by: DividedBy::Configuration, ..Division::default() };
        let mut parts_of: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        let parts: Vec<(u32, Vec<Cell>)> = (1..=3)
            .map(|index| (index, Shard { index, of: 3 }.take(all.clone(), &division).expect("enough")))
            .collect();
        for (index, part) in &parts {
            guests(part)
                .for_each(|cell| parts_of.entry(&cell.subject.configuration.name).or_default().push(*index));
        }
        assert!(
            parts_of.len() > 3 && parts_of.values().all(|of| of.iter().all(|one| *one == of[0])),
            "{parts_of:?}"
        );
        assert_eq!(parts.iter().map(|(_, part)| guests(part).count()).sum::<usize>(), guests(&all).count());
        let wrong =
            Shard { index: 1, of: 64 }.take(all, &division).expect_err("more parts than configurations");
        assert!(wrong.to_string().contains("configurations to divide"), "{wrong}");
    }

    /// Whatever the number of parts, a cell is in the part of that on the baseline's kernel.
    #[test]
    fn cells_that_differ_in_the_kernel_only_stay_together_with_a_baseline() {
        let filters = ["scenario=rst", "scenario=fin", "kernel=6.1", "kernel=6.12", "kernel=host"];
        let all = cells("nightly", &filters);
        let baseline: Baseline = "kernel:6.1".parse().expect("a baseline");
        let division = Division::default().with(Some(&baseline));
        let pairs = |cells: &[Cell]| -> BTreeSet<CellId> {
            kernel_pairs(cells.iter(), &baseline).iter().map(|pair| pair.second.id.clone()).collect()
        };
        let smallest = portions(&all, usize::MAX, &division).len();
        let most = u32::try_from(smallest).expect("few");
        for of in [2, 3, most] {
            let parts: Vec<Vec<Cell>> = (1..=of)
                .map(|index| Shard { index, of }.take(all.clone(), &division).expect("enough"))
                .collect();
            let of_parts: BTreeSet<CellId> = parts.iter().flat_map(|part| pairs(part)).collect();
            assert!(!of_parts.is_empty() && of_parts == pairs(&all), "of {of}");
            assert_eq!(parts.iter().map(|part| guests(part).count()).sum::<usize>(), guests(&all).count());
        }
        let one_more = Shard { index: 1, of: most + 1 };
        let Err(wrong) = one_more.take(all, &division) else { panic!("more parts than groups") };
        assert!(wrong.to_string().contains("the kernels of each counted once"), "{wrong}");
    }

    #[test]
    fn parts_are_balanced_by_what_a_run_has_shown() {
        let all = cells("nightly", &["kernel=6.1", "kernel=host"]);
        // One scenario takes a hundred times longer than anybody thought.
        let slow = guests(&all).next().expect("a guest").subject.scenario.clone();
        let cost = |cell: &Cell| if cell.subject.scenario == slow { 1.0 } else { 0.01 };
        let seconds = guests(&all).map(|cell| (cell.id.clone(), cost(cell))).collect();
        let division = Division { costs: Costs { seconds }, ..Division::default() };
        let spent = |division: &Division| -> Vec<f64> {
            let part = |index| Shard { index, of: 2 }.take(all.clone(), division).expect("enough");
            (1..=2)
                .map(|index| guests(&part(index)).map(|cell| cost(cell) * cell.trials as f64).sum())
                .collect()
        };
        let apart = |spent: &[f64]| (spent[0] - spent[1]).abs() / (spent[0] + spent[1]);
        let (by_run, by_estimate) = (spent(&division), spent(&Division::default()));
        assert!(apart(&by_run) < apart(&by_estimate), "{by_run:?} {by_estimate:?}");
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
        let dealt = portions(&few, usize::MAX, &Division::default()).len();
        assert!(Shard { index: 1, of: dealt as u32 }.take(few.clone(), &Division::default()).is_ok());
        let wrong = Shard { index: 1, of: dealt as u32 + 1 }.take(few, &Division::default());
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
