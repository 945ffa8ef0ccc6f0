//! Controls: what they found, and which zeros they prove.
//!
//! Must not compare cells. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/audited.rs`.

use serde_json::Value;

use super::cell::{Cell, text};
use super::figure::Figure;
use super::number::{Bounds, Tries, share_interval};
use super::rules::Rules;
use super::sums::QUESTIONS;

/// Finding all of fewer than these proves too little.
const LEAST_FOUND: u64 = 6;

/// One control, judged.
pub(super) struct Control<'f> {
    cell_id: &'f str,
    place: (Value, &'f str, &'f str),
    name: &'f str,
    errno: &'f str,
    expected: f64,
    found: Tries,
    bounds: Bounds,
    sensitivity: Option<f64>,
    status: &'static str,
}

/// How a control comes by what it must find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Negative,
    Injecting,
    Always,
    Sometimes,
}

/// Every control of the plan.
pub(super) fn controls<'f>(cells: &[Cell<'f>], rules: &Rules) -> Vec<Control<'f>> {
    cells.iter().filter(|cell| cell.is_control()).map(|cell| Control::of(cell, rules)).collect()
}

impl<'f> Control<'f> {
    fn of(cell: &Cell<'f>, rules: &Rules) -> Self {
        let control = &cell.plan["control"];
        let (errno, expected) = (text(&control["errno"]), control["expected_rate"].as_f64().unwrap_or(0.0));
        let injected = cell.sums.injected.get(errno).copied();
        let kind = match expected {
            none if none <= 0.0 => Kind::Negative,
            _ if injected.is_some() || cell.injects() => Kind::Injecting,
            all if all >= 1.0 => Kind::Always,
            _ => Kind::Sometimes,
        };
        let found = cell.sums.answer(if kind == Kind::Negative { "any_error" } else { errno });
        let bounds = interval(found, rules);
        let there = match kind {
            Kind::Injecting => injected.map(|there| Tries::new(found.hits.min(there), there)),
            Kind::Always => Some(found),
            Kind::Sometimes | Kind::Negative => None,
        };
        let sensitivity = there.filter(|there| there.of > 0).map(|there| interval(there, rules).low);
        let there = match kind {
            Kind::Injecting => injected.unwrap_or(0),
            Kind::Always => found.of,
            Kind::Sometimes | Kind::Negative => found.hits,
        };
        let seen = Seen { kind, expected, found, bounds, there };
        let status = seen.status(cell, rules);
        let name = text(&control["name"]);
        Self {
            cell_id: cell.id,
            place: cell.place(),
            name,
            errno,
            expected,
            found,
            bounds,
            sensitivity,
            status,
        }
    }

    pub(super) fn figure(&self, cell: &Cell<'_>) -> Figure {
        let passed = match self.status {
            "passed" => Figure::Flag(true),
            "failed" => Figure::Flag(false),
            _ => Figure::Nothing,
        };
        let figure = Figure::part([
            ("cell", Figure::word(self.cell_id)),
            ("control", Figure::word(self.name)),
            ("errno", Figure::word(self.errno)),
            ("expected_rate", Figure::Real(self.expected)),
            ("count", Figure::Count(self.found.hits)),
            ("n", Figure::Count(self.found.of)),
            ("observed", Figure::Real(self.found.share())),
            ("sensitivity", Figure::real_or_nothing(self.sensitivity)),
            ("status", Figure::word(self.status)),
            ("passed", passed),
        ]);
        figure.and_bounds(["low", "high"], self.bounds).with_files(cell.files())
    }
}

fn interval(found: Tries, rules: &Rules) -> Bounds {
    share_interval(found.hits as f64, found.misses() as f64, rules.alpha())
}

/// What a control saw, and how often it was there.
struct Seen {
    kind: Kind,
    expected: f64,
    found: Tries,
    bounds: Bounds,
    there: u64,
}

impl Seen {
    fn status(&self, cell: &Cell<'_>, rules: &Rules) -> &'static str {
        let (seen, there) = (self.found.hits, self.there);
        if !cell.is_run() {
            return "not_run";
        }
        let as_expected = if ends_otherwise(cell) { "failed" } else { "passed" };
        match self.kind {
            Kind::Negative if seen > 0 => return "failed",
            Kind::Negative => return as_expected,
            Kind::Sometimes if !self.bounds.has(self.expected) => return "failed",
            Kind::Injecting | Kind::Always | Kind::Sometimes => {}
        }
        // A trial that was cut has nothing to find, though its filter may have been armed.
        let forgiven = if self.kind == Kind::Injecting { cell.sums.unreturned } else { 0 };
        if seen > there || there - seen > forgiven {
            return "failed";
        }
        let all = share_interval(seen as f64, 0.0, rules.alpha());
        if seen < LEAST_FOUND || all.low <= 0.5 {
            return "not_exercised";
        }
        let (least, most) = armed(cell, self.expected);
        if self.kind == Kind::Injecting && !(least..=most).contains(&there) {
            return "failed";
        }
        as_expected
    }
}

/// In how many trials a filter is armed: the floor to the ceiling of each block's share, less what may be void or cut.
fn armed(cell: &Cell<'_>, rate: f64) -> (u64, u64) {
    let ppm = (rate * 1e6).round() as u128;
    cell.blocks.iter().fold((0, 0), |(least, most), block| {
        let (void, cut) = (block.sums.void(), block.sums.unreturned);
        let share = u128::from(block.sums.trials + void) * ppm;
        let (floor, ceiling) = ((share / 1_000_000) as u64, share.div_ceil(1_000_000) as u64);
        (least + floor.saturating_sub(void + cut), most + ceiling)
    })
}

/// Whether more than half of its trials ended as its scenario does not expect, and nobody knew.
fn ends_otherwise(cell: &Cell<'_>) -> bool {
    let others = cell.sums.outcomes.iter().filter(|(outcome, _)| !cell.expects(outcome));
    cell.known().is_none() && others.map(|(_, n)| n).sum::<u64>() > cell.sums.trials / 2
}

/// Why a zero proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blind {
    /// Nothing shows that the errno would be seen.
    Unproven,
    /// A control failed: what was seen is in doubt too.
    Failed,
}

/// A machine with its kernel: for EBADF and for ENOENT whether it is blind, and the share that it is proven to see.
type Proofs<'f> = ((Value, &'f str, &'f str), [Option<Blind>; 2], [f64; 2]);

/// What each machine with a kernel is proven to see.
pub(super) struct Sight<'f> {
    places: Vec<Proofs<'f>>,
}

impl<'f> Sight<'f> {
    pub(super) fn of(cells: &[Cell<'f>], controls: &[Control<'f>]) -> Self {
        let mut places: Vec<Proofs<'f>> = Vec::new();
        for cell in cells.iter().filter(|cell| !cell.is_skipped()) {
            let place = cell.place();
            if places.iter().any(|(known, ..)| *known == place) {
                continue;
            }
            let here: Vec<&Control<'_>> = controls.iter().filter(|control| control.place == place).collect();
            let errnos = [QUESTIONS[0], QUESTIONS[1]];
            let proofs =
                (errnos.map(|errno| blindness(errno, &here)), errnos.map(|errno| proven(errno, &here)));
            places.push((place, proofs.0, proofs.1));
        }
        Self { places }
    }

    fn find(&self, cell: &Cell<'_>) -> Option<&Proofs<'f>> {
        let place = cell.place();
        self.places.iter().find(|(known, ..)| *known == place)
    }

    /// Whether a cell cannot answer. Controls answer for themselves; what was seen is in doubt only where a control failed.
    pub(super) fn is_blind(&self, cell: &Cell<'_>, question: &str) -> bool {
        if cell.is_control() {
            return false;
        }
        let Some((_, blind, _)) = self.find(cell) else { return false };
        let why = match question {
            "EBADF" => blind[0],
            "ENOENT" => blind[1],
            _ => blind[0].or(blind[1]),
        };
        match why {
            None => false,
            Some(Blind::Failed) => true,
            Some(Blind::Unproven) => cell.sums.returned(question) == 0,
        }
    }

    /// The share of what happens that is proven to be seen.
    pub(super) fn sensitivity(&self, cell: &Cell<'_>, question: &str) -> f64 {
        let Some((_, _, proven)) = self.find(cell) else { return 1.0 };
        match question {
            "EBADF" => proven[0],
            "ENOENT" => proven[1],
            _ => proven[0].min(proven[1]),
        }
    }

    /// The least of several cells.
    pub(super) fn least(&self, cells: &[&Cell<'_>], question: &str) -> f64 {
        cells.iter().map(|cell| self.sensitivity(cell, question)).fold(1.0, f64::min)
    }
}

fn proven(errno: &str, controls: &[&Control<'_>]) -> f64 {
    let passed = controls.iter().filter(|control| control.errno == errno && control.status == "passed");
    let best = passed.filter_map(|control| control.sensitivity).fold(0.0, f64::max);
    if best > 0.0 { best } else { 1.0 }
}

fn blindness(errno: &str, controls: &[&Control<'_>]) -> Option<Blind> {
    let say: Vec<&&Control<'_>> =
        controls.iter().filter(|control| control.errno == errno || control.expected <= 0.0).collect();
    let first = say
        .iter()
        .find(|control| control.status != "passed" && (control.expected > 0.0 || control.found.of > 0));
    match first.map(|control| control.status) {
        Some("failed") => Some(Blind::Failed),
        Some(_) => Some(Blind::Unproven),
        None => (!say.iter().any(|control| control.expected > 0.0)).then_some(Blind::Unproven),
    }
}
