//! What a run says of EBADF and ENOENT over all cells of its base program.
//!
//! Must not word it. Units: shares of 1; a difference is guests minus host. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::{Block, Cell, Stratum, by_boot, together};
use super::controls::Sight;
use super::families::family_of;
use super::figure::Figure;
use super::number::{
    Bounds, Family, Labelled, Side, Tries, Unit, effect, score_interval, strata_alike, trials_alone,
    units_relabelled,
};
use super::rates::{rate, with_dispersion};
use super::rules::{Rules, through, verdict};
use super::sums::QUESTIONS;

/// What executed guests, and whether a proxy ends TCP on their way; nothing for the host.
type Ran = Option<(Vec<String>, bool)>;

/// The host's cells and the guests' of one stratum.
type BothSides<'c, 'f> = (Vec<&'c Cell<'f>>, Vec<&'c Cell<'f>>);

/// What the headlines are judged with.
pub(super) struct Heading<'a, 'f> {
    pub(super) sight: &'a Sight<'f>,
    pub(super) again_differs: bool,
    pub(super) rules: &'a Rules,
}

/// The cells that stand for the run: plain ones of the base program, or all plain ones where none plays it.
fn base<'c, 'f>(cells: &'c [Cell<'f>]) -> Vec<&'c Cell<'f>> {
    let plain: Vec<&Cell<'_>> =
        cells.iter().filter(|cell| cell.is_plain() && !cell.is_repeat() && cell.sums.trials > 0).collect();
    let named: Vec<&Cell<'_>> = plain.iter().copied().filter(|cell| cell.is_of_the_base_program()).collect();
    if named.is_empty() { plain } else { named }
}

/// The figures of `headlines`.
pub(super) fn headlines<'f>(cells: &[Cell<'f>], heading: &Heading<'_, 'f>) -> Figure {
    let base = base(cells);
    if base.is_empty() {
        return Figure::List(Vec::new());
    }
    Figure::List([1, 0].into_iter().flat_map(|question| heading.of(&base, question)).collect())
}

impl<'f> Heading<'_, 'f> {
    /// One for each kind of guest; one without guests where there are none.
    fn of(&self, base: &[&Cell<'f>], question: usize) -> Vec<Figure> {
        let errno = QUESTIONS[question];
        let mut places: BTreeMap<Ran, Vec<&Cell<'f>>> = BTreeMap::new();
        for cell in base.iter().filter(|cell| cell.sums.calls() > 0 && !self.sight.is_blind(cell, errno)) {
            let kinds = || cell.accelerators().into_iter().map(str::to_owned).collect();
            let ran = (!cell.is_baseline()).then(|| (kinds(), cell.is_proxied()));
            places.entry(ran).or_default().push(cell);
        }
        let seen: Vec<&Cell<'_>> = places.values().flatten().copied().collect();
        let family = family_of(&seen, self.rules.icc, |sums| sums.answer(errno));
        let rate_of =
            |cells: &[&Cell<'f>]| rate(cells, errno, &family, self.sight.least(cells, errno), self.rules);
        let host = places.get(&None);
        let named = Figure::part([
            ("errno", Figure::word(errno)),
            ("margin", Figure::Real(self.rules.margins[question])),
            ("host", host.map_or(Figure::Nothing, |cells| rate_of(cells))),
        ]);
        let has_guests = places.keys().any(Option::is_some);
        let is_blind = (host.is_none() && self.is_side_blind(base, true, errno))
            || (!has_guests && self.is_side_blind(base, false, errno));
        let unknown = if is_blind { "blind" } else { "not_run" };
        let files = || seen.iter().flat_map(|cell| cell.files()).collect();
        let mut all = Vec::new();
        for (ran, cells) in &places {
            let Some((kinds, proxied)) = ran else { continue };
            let guests = Figure::part([
                ("accelerators", Figure::List(kinds.iter().map(|kind| Figure::word(&**kind)).collect())),
                ("proxied", Figure::Flag(*proxied)),
                ("rate", rate_of(cells)),
            ]);
            let figure = named.clone().and([("guests", guests)]);
            all.push(match host {
                Some(_) if self.again_differs => nothing(figure, "blind"),
                Some(host) => self.compared(figure, (host, cells), question, unknown),
                None => nothing(figure, unknown),
            });
        }
        if all.is_empty() {
            all.push(nothing(named.and([("guests", Figure::Nothing)]), unknown));
        }
        all.into_iter().map(|figure| figure.with_files(files())).collect()
    }

    /// Whether one side has calls that returned, and no cell of it sees the errno.
    fn is_side_blind(&self, base: &[&Cell<'f>], on_host: bool, errno: &str) -> bool {
        let side: Vec<_> =
            base.iter().filter(|cell| cell.is_baseline() == on_host && cell.sums.calls() > 0).collect();
        !side.is_empty() && side.iter().all(|cell| self.sight.is_blind(cell, errno))
    }

    fn compared(
        &self,
        figure: Figure,
        (host, guests): (&[&Cell<'f>], &[&Cell<'f>]),
        question: usize,
        unknown: &'static str,
    ) -> Figure {
        let (rules, errno) = (self.rules, QUESTIONS[question]);
        let strata = alike(host, guests, errno);
        if strata.is_empty() {
            return nothing(figure, unknown);
        }
        let pooled = Pooled::of(&strata, errno, rules);
        let sensitivity = self.sight.least(host, errno).min(self.sight.least(guests, errno));
        let bounds = through(pooled.judged, sensitivity);
        let p = pooled.labelled.map_or(1.0, |found| found.p).max(pooled.trial_p);
        let p_adjusted = (p * QUESTIONS.len() as f64).min(1.0);
        let said = verdict(bounds, p_adjusted, rules.alpha(), rules.margins[question]);
        let alone = trials_alone((pooled.trial, pooled.trial_p), (pooled.judged, p), rules.alpha() / 3.0);
        let needed = rules
            .enough(pooled.sum, rules.margins[question])
            .filter(|_| said == "not_enough_trials" && !alone);
        let needed = needed.map(|trials| ((trials * pooled.inflation).ceil() / sensitivity).ceil());
        let figure = figure.and([
            ("trials_needed", Figure::real_or_nothing(needed)),
            ("strata", Figure::Count(strata.len() as u64)),
            ("difference", Figure::Real(pooled.difference)),
            ("method", Figure::word(pooled.method)),
            ("p_trials", Figure::Real(pooled.trial_p)),
            ("p_adjusted", Figure::Real(p_adjusted)),
            ("verdict", Figure::word(said)),
            ("randomisation", randomisation(&pooled, rules)),
        ]);
        let figure = figure.and_bounds(["low", "high"], bounds);
        with_dispersion(figure, &pooled.family).and_bounds(["trial_low", "trial_high"], pooled.trial)
    }
}

/// Where nothing was compared.
fn nothing(figure: Figure, verdict: &'static str) -> Figure {
    let any = Bounds::ANY_DIFFERENCE;
    let figure = figure.and([
        ("strata", Figure::Count(0)),
        ("difference", Figure::Real(0.0)),
        ("method", Figure::word("none")),
        ("dispersion", Figure::Nothing),
        ("freedom", Figure::Nothing),
        ("p_trials", Figure::Real(1.0)),
        ("p_adjusted", Figure::Real(1.0)),
        ("randomisation", Figure::Nothing),
        ("trials_needed", Figure::Nothing),
        ("verdict", Figure::word(verdict)),
    ]);
    figure.and_bounds(["low", "high"], any).and_bounds(["trial_low", "trial_high"], any)
}

/// The strata with calls on both sides.
fn alike<'c, 'f>(host: &[&'c Cell<'f>], guests: &[&'c Cell<'f>], errno: &str) -> Vec<BothSides<'c, 'f>> {
    let mut strata: BTreeMap<Stratum<'f>, BothSides<'c, 'f>> = BTreeMap::new();
    host.iter().for_each(|cell| strata.entry(cell.stratum()).or_default().0.push(cell));
    guests.iter().for_each(|cell| strata.entry(cell.stratum()).or_default().1.push(cell));
    let has_calls = |cells: &[&Cell<'_>]| together(cells, |sums| sums.answer(errno)).of > 0;
    strata.into_values().filter(|(host, guests)| has_calls(host) && has_calls(guests)).collect()
}

/// What the strata say together.
struct Pooled {
    sum: Tries,
    inflation: f64,
    family: Family,
    difference: f64,
    trial: Bounds,
    trial_p: f64,
    judged: Bounds,
    method: &'static str,
    labelled: Option<Labelled>,
    /// Units of the host, and of the guests.
    units: (u64, u64),
}

impl Pooled {
    fn of(strata: &[BothSides<'_, '_>], errno: &str, rules: &Rules) -> Self {
        let ask = |cells: &[&Cell<'_>]| together(cells, |sums| sums.answer(errno));
        let tables: Vec<(Tries, Tries)> =
            strata.iter().map(|(host, guests)| (ask(host), ask(guests))).collect();
        let host: Vec<&Cell<'_>> = strata.iter().flat_map(|(host, _)| host.iter().copied()).collect();
        let guests: Vec<&Cell<'_>> = strata.iter().flat_map(|(_, guests)| guests.iter().copied()).collect();
        let all: Vec<&Cell<'_>> = host.iter().chain(&guests).copied().collect();
        let family = family_of(&all, rules.icc, |sums| sums.answer(errno));
        let sum = ask(&all);
        let unvaried = sum.hits == 0 || sum.misses() == 0;
        let of_side = |cells: &[&Cell<'_>]| {
            effect(&by_boot(cells, |sums| sums.answer(errno)), unvaried, &family, rules.level)
        };
        let (of_host, of_guests) = (of_side(&host), of_side(&guests));
        let interval = |by: (f64, f64)| {
            let sides =
                |(host, guests): &(Tries, Tries)| (Side::over(*host, by.0), Side::over(*guests, by.1));
            score_interval(&tables.iter().map(sides).collect::<Vec<_>>(), rules.level.z)
        };
        let trial = interval((1.0, 1.0));
        let units = units(strata, errno);
        let guest_units = units.iter().filter(|unit| unit.second).count() as u64;
        Self {
            sum,
            inflation: of_host.by.max(of_guests.by),
            family,
            difference: weighted(&tables),
            trial,
            trial_p: strata_alike(&tables),
            judged: interval((of_host.by, of_guests.by)).or(trial),
            method: of_guests.method,
            labelled: units_relabelled(&units, rules.seed),
            units: (units.len() as u64 - guest_units, guest_units),
        }
    }
}

/// Weighted by `n1 n2 / (n1 + n2)` (Mantel and Haenszel).
fn weighted(tables: &[(Tries, Tries)]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (host, guests) in tables {
        let weight = host.of as f64 * guests.of as f64 / (host.of + guests.of) as f64;
        sum += weight * (guests.share() - host.share());
        weights += weight;
    }
    sum / weights
}

fn randomisation(pooled: &Pooled, rules: &Rules) -> Figure {
    let Some(found) = pooled.labelled else { return Figure::Nothing };
    Figure::part([
        ("host", Figure::Count(pooled.units.0)),
        ("guests", Figure::Count(pooled.units.1)),
        ("p_value", Figure::Real(found.p)),
        ("smallest_p", Figure::Real(found.smallest)),
        ("labellings", Figure::Count(found.labellings)),
        ("seed", if found.all { Figure::Nothing } else { Figure::Count(rules.seed) }),
    ])
}

/// Boots with all that they played. Where blocks share boots, the host's blocks stand together by configuration and round.
fn units(strata: &[BothSides<'_, '_>], errno: &str) -> Vec<Unit> {
    let mut boots = BTreeSet::new();
    let cells = || strata.iter().flat_map(|(host, guests)| host.iter().chain(guests));
    let shared =
        cells().flat_map(|cell| &cell.blocks).filter(|block| !boots.insert(block.boot())).count() > 0;
    let name = |cell: &Cell<'_>, block: &Block<'_>| match shared && cell.is_baseline() {
        true => format!("{} in round {}", cell.configuration(), block.round),
        false => block.boot().to_owned(),
    };
    let mut units: BTreeMap<(bool, String), BTreeMap<usize, Tries>> = BTreeMap::new();
    for (stratum, (host, guests)) in strata.iter().enumerate() {
        for (cells, second) in [(host, false), (guests, true)] {
            for (cell, block) in
                cells.iter().flat_map(|cell| cell.blocks.iter().map(move |block| (cell, block)))
            {
                let counts = units.entry((second, name(cell, block))).or_default();
                let sum = counts.entry(stratum).or_default();
                *sum = Tries::sum(&[*sum, block.sums.answer(errno)]);
            }
        }
    }
    let unit = |((second, _), mut counts): ((bool, String), BTreeMap<usize, Tries>)| {
        counts.retain(|_, tries| tries.of > 0);
        Unit { second, counts }
    };
    units.into_iter().map(unit).filter(|unit| !unit.counts.is_empty()).collect()
}
