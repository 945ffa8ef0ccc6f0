//! How trials ended in every guest's cell against its cell on bare metal.
//!
//! Must not know errnos. Units: counts, shares of 1; a difference is guest minus bare metal. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::{BTreeMap, HashMap};

use super::cell::Cell;
use super::figure::Figure;
use super::number::{
    Compared, Family, Labelled, Tries, compare, rows_relabelled, tarone_family, tarone_holm,
};
use super::pairs::{Pair, both, files, seed_of};
use super::rates::with_dispersion;
use super::rules::{Rules, verdict};
use super::sums::{Counts, Sums};

/// So many outcomes have a column; the others share one.
const COLUMNS: usize = 64;
const OTHERS: &str = "others";

/// The columns of two cells: the most frequent outcome of both together first.
pub(super) struct Columns<'s> {
    pub(super) names: Vec<&'s str>,
    of: BTreeMap<&'s str, usize>,
}

impl<'s> Columns<'s> {
    pub(super) fn of(first: &'s Sums, second: &'s Sums) -> Self {
        let mut both: BTreeMap<&str, u64> = BTreeMap::new();
        for (outcome, n) in first.outcomes.iter().chain(&second.outcomes) {
            *both.entry(outcome).or_default() += n;
        }
        let mut order: Vec<(&str, u64)> = both.into_iter().collect();
        // Stable: equally frequent ones stay in the order of letters.
        order.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let place = |(at, (outcome, _)): (usize, &(&'s str, u64))| (*outcome, at.min(COLUMNS));
        let of = order.iter().enumerate().map(place).collect();
        let mut names: Vec<&str> = order.iter().take(COLUMNS).map(|(outcome, _)| *outcome).collect();
        if order.len() > COLUMNS {
            names.push(OTHERS);
        }
        Self { names, of }
    }

    pub(super) fn row(&self, outcomes: &Counts) -> Vec<u64> {
        let mut row = vec![0; self.names.len()];
        for (outcome, n) in outcomes {
            if let Some(at) = self.of.get(outcome.as_str()) {
                row[*at] += n;
            }
        }
        row
    }
}

/// A pair whose verdicts follow once all p-values are known.
struct Opened<'c, 'f> {
    pair: Pair<'c, 'f>,
    outcomes: Vec<Outcome>,
    blocks: Option<(Labelled, u64, u64)>,
    seed: u64,
}

/// One outcome of a pair.
struct Outcome {
    name: String,
    first: Tries,
    second: Tries,
    family: Family,
    compared: Compared,
    p_adjusted: f64,
}

impl Outcome {
    fn difference(&self) -> f64 {
        self.second.share() - self.first.share()
    }
}

/// The figures of `outcome_comparisons`, or of what other pairs have. `cells` are all of the run.
pub(super) fn outcome_comparisons<'f>(
    pairs: &[Pair<'_, 'f>],
    cells: &[Cell<'f>],
    again_differs: bool,
    rules: &Rules,
) -> Figure {
    let mut families = HashMap::new();
    let mut opened: Vec<Opened<'_, '_>> =
        pairs.iter().map(|pair| open(*pair, cells, &mut families, rules)).collect();
    let mut sizes = BTreeMap::new();
    for news in [true, false] {
        let mut all: Vec<&mut Outcome> = opened
            .iter_mut()
            .filter(|one| is_news(one.pair) == news)
            .flat_map(|one| &mut one.outcomes)
            .collect();
        let p: Vec<f64> = all.iter().map(|one| one.compared.p).collect();
        let smallest: Vec<f64> = all.iter().map(|one| one.compared.smallest).collect();
        let corrected = tarone_holm(&p, &smallest, rules.alpha());
        all.iter_mut().zip(corrected).for_each(|(one, p)| one.p_adjusted = p);
        sizes.insert(news, tarone_family(&smallest, rules.alpha()) as u64);
    }
    let of = |one: &Opened<'_, '_>| figure(one, sizes[&is_news(one.pair)], again_differs, rules);
    Figure::List(opened.iter().map(of).collect())
}

fn known<'f>((cell, baseline): Pair<'_, 'f>) -> Option<&'f str> {
    cell.known().or_else(|| baseline?.known())
}

fn is_news(pair: Pair<'_, '_>) -> bool {
    pair.0.is_news() && known(pair).is_none()
}

/// Families by scenario, path and outcome.
type OfOutcomes<'f> = HashMap<(&'f str, &'f str, String), Family>;

fn open<'c, 'f>(
    pair: Pair<'c, 'f>,
    cells: &[Cell<'f>],
    families: &mut OfOutcomes<'f>,
    rules: &Rules,
) -> Opened<'c, 'f> {
    let seed = seed_of(rules.seed, pair.0.id);
    let mut opened = Opened { pair, outcomes: Vec::new(), blocks: None, seed };
    let (cell, Some(baseline)) = (pair.0, both(pair)) else { return opened };
    let columns = Columns::of(&baseline.sums, &cell.sums);
    let rows = |cell: &Cell<'_>| -> Vec<Vec<u64>> {
        let rows = cell.blocks.iter().map(|block| columns.row(&block.sums.outcomes));
        rows.filter(|row| row.iter().sum::<u64>() > 0).collect()
    };
    let (first, second) = (rows(baseline), rows(cell));
    for (column, name) in columns.names.iter().enumerate() {
        let (scenario, path) = cell.family();
        let family = *families.entry((scenario, path, (*name).to_owned())).or_insert_with(|| {
            let alike = cells.iter().filter(|other| !other.is_control() && other.family() == cell.family());
            let blocks: Vec<Vec<Tries>> = alike.map(|cell| cell.by_block(|sums| sums.ended(name))).collect();
            Family::of(&blocks, rules.icc)
        });
        let of = |rows: &[Vec<u64>]| -> Vec<Tries> {
            rows.iter().map(|row| Tries::new(row[column], row.iter().sum())).collect()
        };
        let (of_first, of_second) = (of(&first), of(&second));
        let compared = compare(&of_first, &of_second, &family, seed, rules.level);
        let sums = (Tries::sum(&of_first), Tries::sum(&of_second));
        let (name, p_adjusted) = ((*name).to_owned(), 1.0);
        opened.outcomes.push(Outcome { name, first: sums.0, second: sums.1, family, compared, p_adjusted });
    }
    opened.outcomes.sort_by(|a, b| {
        let size = |one: &Outcome| (one.difference().abs() * 1e12).round();
        let by_size = size(b).total_cmp(&size(a)).then(b.difference().total_cmp(&a.difference()));
        by_size.then(a.name.cmp(&b.name))
    });
    let found = rows_relabelled(&first, &second, seed);
    opened.blocks = found.map(|found| (found, first.len() as u64, second.len() as u64));
    opened
}

fn figure(one: &Opened<'_, '_>, family: u64, again_differs: bool, rules: &Rules) -> Figure {
    let alpha = rules.alpha();
    let (cell, baseline) = one.pair;
    let said = |outcome: &Outcome| match again_differs {
        true => "blind",
        false => verdict(outcome.compared.judged, outcome.p_adjusted, alpha, rules.margin),
    };
    let gravity = |outcome: &Outcome| match said(outcome) {
        "differs" => 4,
        "differs_within_the_margin" => 3,
        "not_enough_trials" => 1 + u8::from(outcome.compared.is_of_trials_alone(alpha)),
        _ => 0,
    };
    // The first of equally grave ones: they are in the order of their differences.
    let mut leading: Option<&Outcome> = None;
    for outcome in &one.outcomes {
        if leading.is_none_or(|so_far| gravity(outcome) > gravity(so_far)) {
            leading = Some(outcome);
        }
    }
    let is_run = both(one.pair).is_some();
    let verdict = match leading {
        Some(outcome) => said(outcome),
        None if !is_run => "not_run",
        None if again_differs => "blind",
        None => "not_enough_trials",
    };
    let needed = leading.filter(|outcome| gravity(outcome) == 1).and_then(|outcome| {
        let trials = rules.enough(Tries::sum(&[outcome.first, outcome.second]), rules.margin)?;
        Some((trials * outcome.compared.inflation).ceil())
    });
    let outcomes = one.outcomes.iter().map(|outcome| outcome.figure(said(outcome)));
    let figure = Figure::part([
        ("cell", Figure::word(cell.id)),
        ("baseline", Figure::word(baseline.map_or("", |cell| cell.id))),
        ("n1", Figure::Count(baseline.map_or(0, |cell| cell.sums.trials))),
        ("n2", Figure::Count(cell.sums.trials)),
        ("outcomes", Figure::List(outcomes.collect())),
        ("family", Figure::Count(family)),
        ("blocks", blocks(one, alpha)),
        ("leading", leading.map_or(Figure::Nothing, |outcome| Figure::word(&*outcome.name))),
        ("margin", Figure::Real(rules.margin)),
        ("trials_needed", Figure::real_or_nothing(needed)),
        ("alert", Figure::Flag(is_news(one.pair))),
        ("verdict", Figure::word(verdict)),
    ]);
    figure.with_files(files(one.pair))
}

fn blocks(one: &Opened<'_, '_>, alpha: f64) -> Figure {
    let Some((found, blocks1, blocks2)) = one.blocks else { return Figure::Nothing };
    Figure::part([
        ("blocks1", Figure::Count(blocks1)),
        ("blocks2", Figure::Count(blocks2)),
        ("statistic", Figure::Real(found.statistic)),
        ("p_value", Figure::Real(found.p)),
        ("smallest_p", Figure::Real(found.smallest)),
        ("too_few", Figure::Flag(found.smallest > alpha)),
        ("labellings", Figure::Count(found.labellings)),
        ("seed", if found.all { Figure::Absent } else { Figure::Count(one.seed) }),
    ])
}

impl Outcome {
    fn figure(&self, verdict: &'static str) -> Figure {
        let figure = Figure::part([
            ("outcome", Figure::word(&*self.name)),
            ("x1", Figure::Count(self.first.hits)),
            ("x2", Figure::Count(self.second.hits)),
            ("difference", Figure::Real(self.difference())),
            ("method", Figure::word(self.compared.method)),
            ("p_value", Figure::Real(self.compared.trial_p)),
            ("p_blocks", Figure::Real(self.compared.p)),
            ("p_adjusted", Figure::Real(self.p_adjusted)),
            ("verdict", Figure::word(verdict)),
        ]);
        with_dispersion(figure, &self.family)
            .and_bounds(["low", "high"], self.compared.judged)
            .and_bounds(["trial_low", "trial_high"], self.compared.trial)
    }
}
