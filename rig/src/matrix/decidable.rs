//! Comparisons that cannot be decided, whatever is seen: too few trials to show that two rates are the same, and too few blocks to show that they differ.
//!
//! Pure. Must not know results. Units: trials, blocks, shares of 1. Errors: none; what cannot be decided is told. Tests: `decidable/tests.rs`.

use std::collections::BTreeMap;
use std::fmt;

use rig_stats::special::f_tail;
use rig_stats::{Count, Criteria, Design, enough_blocks, fewest, fisher, shows_same};

use super::cell::Cell;
use super::pairs::{Pair, QUESTIONS, design, kernel_pairs, pairs};
use super::settings::Settings;

#[cfg(test)]
mod tests;

/// Cells of one scenario and path: their blocks tell together how alike the trials of a block are.
type Family<'c> = (&'c str, &'c str);

/// Comparisons of one scenario, path and size that nothing that a run sees could decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Undecidable {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the path.
    pub path: String,
    /// How many guest cells.
    pub cells: usize,
    /// The questions: errno names, `any_error`.
    pub questions: Vec<&'static str>,
    /// Trials and blocks of a guest's cell.
    pub size: Design,
    /// The fewest trials a side, in blocks of this size, that show two rates of 0 to be the same; `None` where no number does.
    pub same: Option<Design>,
    /// The fewest blocks a side with which the largest difference is shown; `None` where it takes more trials.
    pub blocks: Option<u32>,
    /// Whether the headline, all cells of the base program together, can be decided.
    pub headline: bool,
}

impl fmt::Display for Undecidable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, path, cells, questions, size, same, blocks, headline } = self;
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        let Design { trials, blocks: has } = size;
        write!(f, "{scenario} over {path}, {cells} cell{} of guests: ", plural(*cells as u64))?;
        write!(f, "{trials} trial{} in {has} block{}", plural(*trials), plural(u64::from(*has)))?;
        write!(f, " cannot decide {}", questions.join(", "))?;
        let of_same = same.map(|Design { trials, blocks }| {
            format!("{trials} trials in {blocks} block{} can show the same rate", plural(blocks.into()))
        });
        let of_blocks = blocks.map(|blocks| format!("{blocks} blocks a side can show a difference"));
        let enough: Vec<String> = of_same.into_iter().chain(of_blocks).collect();
        if !enough.is_empty() {
            write!(f, "; {}", enough.join(", "))?;
        }
        if *headline { f.write_str("; the headline can be decided") } else { Ok(()) }
    }
}

/// Every comparison of these cells that cannot be decided, those alike together.
///
/// A comparison can be decided where two rates of 0 are shown to be the same at the declared `icc` ([`shows_same`]), or where the largest difference that there is (no
/// trial against every trial) is shown: its smallest p-value passes the level of Holm's first step over all comparisons. That p-value is Fisher's, and not smaller than what
/// the blocks of the scenario on this path allow: F with as many degrees of freedom as they have blocks beyond the first of each cell.
pub(super) fn undecidable(cells: &[Cell], settings: &Settings) -> Vec<Undecidable> {
    let freedom = freedom(cells);
    let mut told = of_pairs(&pairs(cells.iter()), &freedom, settings);
    if let Some(baseline) = &settings.baseline {
        let known = |one: &Undecidable| {
            told.iter().any(|of| (&of.scenario, &of.path, of.size) == (&one.scenario, &one.path, one.size))
        };
        let mut of_kernels = of_pairs(&kernel_pairs(cells.iter(), baseline), &freedom, settings);
        of_kernels.retain(|one| !known(one));
        told.extend(of_kernels);
    }
    told
}

/// Of the comparisons of these pairs, which are corrected for one another.
fn of_pairs(
    pairs: &[Pair<'_>],
    freedom: &BTreeMap<Family<'_>, u64>,
    settings: &Settings,
) -> Vec<Undecidable> {
    let comparisons = pairs.len() * QUESTIONS.len();
    let mut found: Vec<Undecidable> = Vec::new();
    for question in QUESTIONS {
        let criteria = settings.criteria(question, comparisons);
        let headline = headline_decides(pairs, &criteria);
        for pair in pairs {
            let (host, guest) = (design(pair.first), design(pair.second));
            let family = pair.second.family();
            let spare = freedom.get(&family).copied().unwrap_or(0);
            if shows_same(host, guest, &criteria) || smallest_p(host, guest, spare) <= criteria.level {
                continue;
            }
            let told = Undecidable {
                scenario: family.0.to_owned(),
                path: family.1.to_owned(),
                cells: 1,
                questions: vec![question],
                size: guest,
                same: enough_blocks(guest.block_size() as u64, &criteria),
                blocks: fewest(1_000, |blocks| {
                    smallest_p(host, guest, spare.max(2 * (u64::from(blocks) - 1))) <= criteria.level
                }),
                headline: headline && pair.second.is_plain() && pair.second.is_of_the_base_program(),
            };
            gather(&mut found, told);
        }
    }
    merge_questions(found)
}

/// Blocks of each family beyond the first of each cell.
fn freedom(cells: &[Cell]) -> BTreeMap<Family<'_>, u64> {
    let mut freedom: BTreeMap<Family<'_>, u64> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.control.is_none() && cell.repeats.is_none()) {
        *freedom.entry(cell.family()).or_default() += u64::from(cell.blocks.saturating_sub(1));
    }
    freedom
}

/// The smallest p-value that two samples can have: no hit against nothing but hits. Its score statistic is N - 1.
fn smallest_p(host: Design, guest: Design, freedom: u64) -> f64 {
    let count = |hits, trials| Count::new(hits, trials).unwrap_or(Count::NONE);
    let of_trials = fisher(count(0, host.trials), count(guest.trials, guest.trials));
    if freedom == 0 {
        return 1.0;
    }
    let all = (host.trials + guest.trials) as f64;
    of_trials.max(f_tail((all - 1.0).max(0.0), freedom as f64))
}

/// Whether all cells of the base program together can be decided: by the trials of both sides added up (their strata have about the same shares of them), or by the ways
/// in which blocks can be called the host's and the guests' within strata.
fn headline_decides(pairs: &[Pair<'_>], criteria: &Criteria) -> bool {
    let base = || pairs.iter().filter(|pair| pair.second.is_plain() && pair.second.is_of_the_base_program());
    let mut strata: BTreeMap<_, (&Cell, Design)> = BTreeMap::new();
    for pair in base() {
        let (_, guests) =
            strata.entry(pair.first.stratum()).or_insert((pair.first, Design { trials: 0, blocks: 0 }));
        *guests = sum(*guests, design(pair.second));
    }
    let none = Design { trials: 0, blocks: 0 };
    let host = strata.values().fold(none, |all, (host, _)| sum(all, design(host)));
    let guests = strata.values().fold(none, |all, (_, guests)| sum(all, *guests));
    let ways: f64 = strata.values().map(|(host, guests)| ways(host.blocks, guests.blocks)).product();
    // Two questions are asked of the headline: ENOENT and EBADF.
    let level = criteria.confidence.alpha() / 2.0;
    !strata.is_empty() && (shows_same(host, guests, criteria) || 1.0 / ways <= level)
}

fn sum(one: Design, other: Design) -> Design {
    Design {
        trials: one.trials.saturating_add(other.trials),
        blocks: one.blocks.saturating_add(other.blocks),
    }
}

/// In how many ways `first` of `first + second` blocks can be chosen.
fn ways(first: u32, second: u32) -> f64 {
    (1..=first).map(|k| f64::from(second + k) / f64::from(k)).product()
}

/// Counts one more cell of what is told already.
fn gather(found: &mut Vec<Undecidable>, told: Undecidable) {
    let alike = |known: &&mut Undecidable| Undecidable { cells: 1, ..(*known).clone() } == told;
    match found.iter_mut().find(alike) {
        Some(known) => known.cells += 1,
        None => found.push(told),
    }
}

/// What is the same but for the question is told once: with what is enough for all of them.
fn merge_questions(found: Vec<Undecidable>) -> Vec<Undecidable> {
    let mut merged: Vec<Undecidable> = Vec::new();
    for told in found {
        let same_cells = |known: &&mut Undecidable| {
            (&known.scenario, &known.path, known.cells, known.size, known.headline)
                == (&told.scenario, &told.path, told.cells, told.size, told.headline)
        };
        match merged.iter_mut().find(same_cells) {
            Some(known) => {
                known.questions.extend(told.questions);
                known.same = known.same.zip(told.same).map(|(a, b)| if a.trials < b.trials { b } else { a });
                known.blocks = known.blocks.zip(told.blocks).map(|(a, b)| a.max(b));
            }
            None => merged.push(told),
        }
    }
    merged
}
