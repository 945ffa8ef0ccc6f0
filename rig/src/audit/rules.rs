//! What a run is judged by: its own declaration in `run.json`.
//!
//! Must not judge. Units: shares of 1. Errors: none; what is not declared has the defaults of the record (`rig docs record`). Tests: `tests/golden/audited.rs`.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use super::number::{Bounds, Level, Tries, enough_trials};
use super::sums::{QUESTIONS, entries};

/// Where none is declared.
const CONFIDENCE: f64 = 0.95;
const ICC: f64 = 0.001;

/// The declared rules.
pub(super) struct Rules {
    pub(super) confidence: f64,
    pub(super) level: Level,
    pub(super) margin: f64,
    /// In the order of [`QUESTIONS`].
    pub(super) margins: [f64; 3],
    pub(super) icc: f64,
    pub(super) tolerance: Option<f64>,
    /// By errno, or `any_error`.
    pub(super) alerts: Vec<(String, f64)>,
    pub(super) seed: u64,
    /// Whether timings mean nothing.
    pub(super) rehearsed: bool,
    /// What was asked of numbers of trials, by the bits of share and margin: a run of zeros asks the same hundreds of times.
    enough: RefCell<HashMap<(u64, u64), Option<u64>>>,
}

impl Rules {
    pub(super) fn of(run: &Value) -> Self {
        let judgement = &run["judgement"];
        let number = |key: &str| judgement[key].as_f64();
        let inside = |value: &f64| *value > 0.0 && *value < 1.0;
        let confidence = number("confidence").filter(inside).unwrap_or(CONFIDENCE);
        let margin = number("margin").unwrap_or(0.0).abs();
        let share = |value: &f64| (0.0..=1.0).contains(value);
        Self {
            confidence,
            level: Level::new(1.0 - confidence),
            margin,
            margins: QUESTIONS.map(|errno| judgement["margins"][errno].as_f64().map_or(margin, f64::abs)),
            icc: number("icc").filter(share).unwrap_or(ICC),
            tolerance: number("tolerance").filter(share),
            alerts: entries(&judgement["alert"])
                .filter_map(|(errno, rate)| Some((errno.clone(), rate.as_f64()?)))
                .collect(),
            seed: run["seed"].as_u64().unwrap_or(0),
            rehearsed: run["environment"]["rehearsed"] == true,
            enough: RefCell::default(),
        }
    }

    /// How many independent trials a side show that two rates like this one are the same within the margin.
    pub(super) fn enough(&self, all: Tries, margin: f64) -> Option<f64> {
        let asked = (all.share().to_bits(), margin.to_bits());
        let mut known = self.enough.borrow_mut();
        let found = known.entry(asked).or_insert_with(|| enough_trials(all.share(), margin, self.level.z));
        found.map(|trials| trials as f64)
    }

    pub(super) fn alpha(&self) -> f64 {
        self.level.alpha
    }
}

/// What can be said of a difference, in the words of a report.
pub(super) fn verdict(bounds: Bounds, p_adjusted: f64, alpha: f64, margin: f64) -> &'static str {
    let shown = !bounds.has(0.0) && p_adjusted <= alpha;
    let small = bounds.low >= -margin && bounds.high <= margin;
    match (shown, small) {
        (true, true) => "differs_within_the_margin",
        (true, false) => "differs",
        (false, true) => "same_within_the_margin",
        (false, false) => "not_enough_trials",
    }
}

/// Bounds of what was seen as bounds of what happened, of which at least the share `sensitivity` is seen: outer bounds move outwards.
pub(super) fn through(seen: Bounds, sensitivity: f64) -> Bounds {
    Bounds {
        low: if seen.low < 0.0 { (seen.low / sensitivity).max(-1.0) } else { seen.low },
        high: if seen.high > 0.0 { (seen.high / sensitivity).min(1.0) } else { seen.high },
    }
}
