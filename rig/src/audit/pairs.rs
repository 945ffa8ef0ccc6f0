//! Every guest's cell against its cell on bare metal, errno by errno.
//!
//! Holds which cells belong together. Must not know outcomes. Units: shares of 1; a difference is guest minus bare metal. Errors: none.
//! Tests: `tests/golden/audited.rs`.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::cell::{Cell, Stratum};
use super::controls::Sight;
use super::families::Families;
use super::figure::Figure;
use super::number::{Bounds, Compared, Family, Level, Tries, compare, judged, tarone_family, tarone_holm};
use super::rates::with_dispersion;
use super::rules::{Rules, through, verdict};
use super::sums::QUESTIONS;

/// A guest's cell, and its cell on bare metal where there is one.
pub(super) type Pair<'c, 'f> = (&'c Cell<'f>, Option<&'c Cell<'f>>);

/// In the order of the plan; no controls, and not the second cell of the A/A pair.
pub(super) fn pairs<'c, 'f>(cells: &'c [Cell<'f>]) -> Vec<Pair<'c, 'f>> {
    let asked = || cells.iter().filter(|cell| !cell.is_control() && !cell.is_repeat());
    let mut baselines: BTreeMap<Stratum<'f>, &Cell<'f>> = BTreeMap::new();
    asked()
        .filter(|cell| cell.is_baseline())
        .for_each(|cell| _ = baselines.entry(cell.stratum()).or_insert(cell));
    let guests = asked().filter(|cell| !cell.is_baseline());
    guests.map(|cell| (cell, baselines.get(&cell.stratum()).copied())).collect()
}

/// The cell on bare metal, if both have trials.
pub(super) fn both<'c, 'f>((cell, baseline): Pair<'c, 'f>) -> Option<&'c Cell<'f>> {
    baseline.filter(|baseline| cell.is_run() && baseline.is_run())
}

/// The files of both.
pub(super) fn files((cell, baseline): Pair<'_, '_>) -> Vec<String> {
    baseline.into_iter().chain([cell]).flat_map(|cell| cell.files()).collect()
}

/// The seed of draws about a cell: the first 53 bits of the SHA-256 of the run's seed (eight bytes, the lowest first) and the cell's id.
pub(super) fn seed_of(run: u64, cell: &str) -> u64 {
    let digest = Sha256::digest([&run.to_le_bytes()[..], cell.as_bytes()].concat());
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes")) >> 11
}

/// What all comparisons are judged with.
#[derive(Clone, Copy)]
pub(super) struct Judging<'a, 'f> {
    pub(super) families: &'a [Families<'f>; 3],
    pub(super) sight: &'a Sight<'f>,
    /// Whether the A/A pair differs: then nothing counts.
    pub(super) again_differs: bool,
    pub(super) rules: &'a Rules,
    /// `comparisons` of the report that is rendered now: where a cell was stopped by looking, its bounds and p-value are taken from there.
    pub(super) reported: &'a Value,
}

/// One question on one pair.
struct Opened<'c, 'f> {
    pair: Pair<'c, 'f>,
    question: usize,
    found: Option<Found>,
}

/// What both cells say.
struct Found {
    first: Vec<Tries>,
    second: Vec<Tries>,
    family: Family,
    sensitivity: f64,
    compared: Compared,
    is_blind: bool,
    /// The bounds that hold at every look, where a cell was stopped.
    looked: Option<Bounds>,
}

/// The figures of `comparisons`, or of what other pairs have.
pub(super) fn comparisons(pairs: &[Pair<'_, '_>], judging: &Judging<'_, '_>) -> Figure {
    let mut opened = Vec::new();
    for pair in pairs.iter().copied().filter(|(cell, _)| cell.is_watched()) {
        for question in 0..QUESTIONS.len() {
            let reported = &judging.reported[opened.len()];
            opened.push(Opened { pair, question, found: judging.find(pair, question, reported) });
        }
    }
    let corrected = correct(&opened, judging.rules.alpha());
    let all = opened.iter().zip(corrected).map(|(one, corrected)| judging.figure(one, corrected));
    Figure::List(all.collect())
}

impl Judging<'_, '_> {
    fn find(&self, pair: Pair<'_, '_>, question: usize, reported: &Value) -> Option<Found> {
        let (cell, baseline) = (pair.0, both(pair)?);
        let asked = QUESTIONS[question];
        let of = |cell: &Cell<'_>| cell.by_block(|sums| sums.answer(asked));
        let (first, second) = (of(baseline), of(cell));
        let family = *self.families[question].of_cell(cell);
        let seed = seed_of(self.rules.seed, cell.id);
        let mut compared = compare(&first, &second, &family, seed, self.rules.level);
        let looked = (reported["at_every_look"] == true).then(|| Bounds {
            low: reported["low"].as_f64().unwrap_or(-1.0),
            high: reported["high"].as_f64().unwrap_or(1.0),
        });
        if looked.is_some() {
            compared.p = reported["p_blocks"].as_f64().unwrap_or(1.0);
        }
        let sensitivity =
            [cell, baseline].map(|cell| self.sight.sensitivity(cell, asked)).into_iter().fold(1.0, f64::min);
        let is_blind = [cell, baseline].into_iter().any(|cell| self.sight.is_blind(cell, asked));
        Some(Found { first, second, family, sensitivity, compared, is_blind, looked })
    }

    fn figure(&self, one: &Opened<'_, '_>, (p_adjusted, family): (f64, u64)) -> Figure {
        let ((cell, baseline), question) = (one.pair, one.question);
        let margin = self.rules.margins[question];
        let named = Figure::part([
            ("cell", Figure::word(cell.id)),
            ("baseline", Figure::word(baseline.map_or("", |cell| cell.id))),
            ("errno", Figure::word(QUESTIONS[question])),
            ("margin", Figure::Real(margin)),
            ("alert", Figure::Flag(cell.is_news())),
            ("p_adjusted", Figure::Real(p_adjusted)),
            ("family", Figure::Count(family)),
        ]);
        let Some(found) = &one.found else {
            let any = Bounds::ANY_DIFFERENCE;
            let none = ["x1", "n1", "x2", "n2", "blocks1", "blocks2"].map(|key| (key, Figure::Count(0)));
            let figure = named.and(none).and([
                ("difference", Figure::Real(0.0)),
                ("p_value", Figure::Real(1.0)),
                ("p_blocks", Figure::Real(1.0)),
                ("method", Figure::word("none")),
                ("trials_needed", Figure::Nothing),
                ("verdict", Figure::word("not_run")),
            ]);
            let figure = figure.and_bounds(["low", "high"], any).and_bounds(["trial_low", "trial_high"], any);
            return figure.and_bounds(["low_corrected", "high_corrected"], any);
        };
        let bounds = found.looked.unwrap_or_else(|| through(found.compared.judged, found.sensitivity));
        let said = if found.is_blind || self.again_differs {
            "blind"
        } else {
            verdict(bounds, p_adjusted, self.rules.alpha(), margin)
        };
        let mut figure = named.and([("verdict", Figure::word(said))]);
        if found.looked.is_none() {
            let needed = (said == "not_enough_trials").then(|| found.needed(self.rules, margin)).flatten();
            figure = figure.and_bounds(["low", "high"], bounds).and([
                ("p_blocks", Figure::Real(found.compared.p)),
                ("trials_needed", Figure::real_or_nothing(needed)),
            ]);
        }
        if found.is_blind {
            // It is in no family: nothing is corrected.
            figure = figure.and_bounds(["low_corrected", "high_corrected"], Bounds::ANY_DIFFERENCE);
        } else if found.looked.is_none() {
            let each = Level::new(self.rules.alpha() / family.max(1) as f64);
            let wide =
                judged(&found.first, &found.second, &found.family, each).bounds.or(found.compared.judged);
            let wide = through(wide, found.sensitivity);
            figure = figure.and_bounds(["low_corrected", "high_corrected"], wide);
        }
        found.counts(figure).with_files(files(one.pair))
    }
}

impl Found {
    /// How many trials a side would show that the two are the same; none where more boots are needed.
    fn needed(&self, rules: &Rules, margin: f64) -> Option<f64> {
        let all = Tries::sum(&[Tries::sum(&self.first), Tries::sum(&self.second)]);
        let by = self.compared.inflation / self.sensitivity;
        let alone = self.compared.is_of_trials_alone(rules.alpha());
        if alone { None } else { rules.enough(all, margin).map(|trials| (trials * by).ceil()) }
    }

    /// With what does not depend on other comparisons.
    fn counts(&self, figure: Figure) -> Figure {
        let (first, second) = (Tries::sum(&self.first), Tries::sum(&self.second));
        let figure = figure.and([
            ("difference", Figure::Real(second.share() - first.share())),
            ("x1", Figure::Count(first.hits)),
            ("n1", Figure::Count(first.of)),
            ("x2", Figure::Count(second.hits)),
            ("n2", Figure::Count(second.of)),
            ("blocks1", Figure::Count(self.first.len() as u64)),
            ("blocks2", Figure::Count(self.second.len() as u64)),
            ("method", Figure::word(self.compared.method)),
            ("p_value", Figure::Real(self.compared.trial_p)),
        ]);
        with_dispersion(figure, &self.family).and_bounds(["trial_low", "trial_high"], self.compared.trial)
    }
}

/// Corrected p-values with the size of their families; 1 and 0 of what was not run, 1 of what is blind. Any errno is a family, errnos by name are one, each twice: where a
/// difference is news and where it is not. A name counts only where any errno differs in the same cell.
fn correct(opened: &[Opened<'_, '_>], alpha: f64) -> Vec<(f64, u64)> {
    let is_any = |one: &Opened<'_, '_>| QUESTIONS[one.question] == "any_error";
    let asked = |one: &Opened<'_, '_>| one.found.as_ref().is_some_and(|found| !found.is_blind);
    let mut corrected = vec![(1.0, 0); opened.len()];
    for (news, any) in [(true, true), (true, false), (false, true), (false, false)] {
        let members: Vec<usize> = (0..opened.len())
            .filter(|at| {
                asked(&opened[*at]) && opened[*at].pair.0.is_news() == news && is_any(&opened[*at]) == any
            })
            .collect();
        let found = || members.iter().filter_map(|at| opened[*at].found.as_ref());
        let p: Vec<f64> = found().map(|found| found.compared.p).collect();
        let smallest: Vec<f64> = found().map(|found| found.compared.smallest).collect();
        let family = tarone_family(&smallest, alpha) as u64;
        for (at, p) in members.iter().zip(tarone_holm(&p, &smallest, alpha)) {
            corrected[*at] = (p, family);
        }
    }
    let gates: BTreeMap<&str, f64> = opened
        .iter()
        .zip(&corrected)
        .filter(|(one, _)| is_any(one) && asked(one))
        .map(|(one, (p, _))| (one.pair.0.id, *p))
        .collect();
    for (one, (p, _)) in opened.iter().zip(&mut corrected) {
        if let Some(gate) = gates.get(one.pair.0.id).filter(|_| asked(one)) {
            *p = p.max(*gate);
        }
    }
    corrected
}
