//! Figures of the crate beside those of an independent implementation: `oracle/cases.csv`, made by `oracle/make.py` with 50 digits and SciPy.
//!
//! A line is a function, its parameters and what is wanted; the page itself says how it is made. What may differ is stated per function.

use rig_stats::binomial::{ln_at_least, ln_at_most, ln_pmf};
use rig_stats::tables::{freeman_halton, likelihood_ratio};
use rig_stats::{
    Confidence, Count, HalfAtom, Interval, Probability, Waits, anytime_interval, boschloo, boschloo_near,
    clopper_pearson, difference, fisher, hodges_lehmann, kaplan_meier, log_rank, zero_trials,
};

/// A line of the file.
struct Case {
    function: &'static str,
    line: &'static str,
    /// Lists of parameters.
    lists: Vec<Vec<f64>>,
    wanted: Vec<f64>,
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ').map(|number| number.parse().expect("a number")).collect()
}

fn cases() -> Vec<Case> {
    let lines = include_str!("oracle/cases.csv").lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let [function, parameters, wanted] =
                line.split(',').collect::<Vec<_>>().try_into().expect("three fields");
            let lists = parameters.split(';').map(numbers).collect();
            Case { function, line, lists, wanted: numbers(wanted) }
        })
        .collect()
}

impl Case {
    /// The first parameters.
    fn first(&self, n: usize) -> &[f64] {
        &self.lists[0][..n]
    }

    /// The lists after the first `n` parameters.
    fn lists_after(&self, n: usize) -> Vec<&[f64]> {
        let first = std::iter::once(&self.lists[0][n..]);
        first.chain(self.lists[1..].iter().map(Vec::as_slice)).collect()
    }

    /// `hits, trials` from this place on.
    fn count(&self, at: usize) -> Count {
        Count::new(self.lists[0][at] as u64, self.lists[0][at + 1] as u64).expect("hits are at most trials")
    }

    fn share(&self, at: usize) -> Probability {
        Probability::new(self.lists[0][at]).expect("a share")
    }

    fn confidence(&self, at: usize) -> Confidence {
        Confidence::new(self.lists[0][at]).expect("between 0 and 1")
    }

    /// Blocks of `hits, trials, how often` after the first `n` parameters.
    fn blocks(&self, n: usize) -> Vec<Count> {
        let of = |block: &&[f64]| {
            let count = Count::new(block[0] as u64, block[1] as u64).expect("hits are at most trials");
            vec![count; block[2] as usize]
        };
        self.lists_after(n).iter().flat_map(of).collect()
    }

    /// Each wait as its time and whether it was cut.
    fn waits(times: &[f64], cut: &[f64]) -> Waits {
        let of = |which: f64| {
            times.iter().zip(cut).filter(|(_, cut)| **cut == which).map(|(time, _)| (*time, 1)).collect()
        };
        Waits { events: of(0.0), censored: of(1.0) }
    }

    /// What this crate says, and the part of a figure by which it may differ.
    fn found(&self) -> (Vec<f64>, f64) {
        let pair = |interval: Interval| vec![interval.low, interval.high];
        match self.function {
            "clopper_pearson" => (pair(clopper_pearson(self.count(0), self.confidence(2))), 1e-11),
            "ln_pmf" => (vec![ln_pmf(self.count(0), self.share(2))], 1e-11),
            "ln_at_least" => (vec![ln_at_least(self.count(0), self.share(2))], 1e-11),
            "ln_at_most" => (vec![ln_at_most(self.count(0), self.share(2))], 1e-11),
            "fisher" => (vec![fisher(self.count(0), self.count(2))], 1e-10),
            "difference" => (pair(difference(self.count(0), self.count(2), self.confidence(4))), 1e-8),
            "boschloo" => (vec![boschloo(self.count(0), self.count(2))], 1e-7),
            "boschloo_near" => (vec![boschloo_near(self.count(0), self.count(2), self.first(5)[4])], 1e-7),
            "evidence" => {
                let mut rule = HalfAtom::new(self.share(0), self.share(1)).expect("a rule");
                self.blocks(2).into_iter().for_each(|block| rule.observe(block));
                (vec![rule.evidence()], 1e-8)
            }
            "zero_trials" => {
                let [_, _, size, alpha] = self.first(4) else { panic!("{}", self.line) };
                let trials =
                    zero_trials(self.share(0), self.share(1), *size as u64, *alpha).expect("a number");
                (vec![trials as f64], 0.0)
            }
            "anytime_interval" => {
                let found =
                    anytime_interval(&self.blocks(3), self.share(0), self.share(1), self.confidence(2));
                (pair(found), 1e-8)
            }
            "freeman_halton" | "likelihood_ratio" => {
                let lists = self.lists_after(0);
                let part: Vec<u64> = lists[0].iter().map(|n| *n as u64).collect();
                let all: Vec<u64> =
                    part.iter().zip(lists[1]).map(|(part, rest)| part + *rest as u64).collect();
                let statistic =
                    if self.function == "freeman_halton" { freeman_halton } else { likelihood_ratio };
                (vec![statistic(&part, &all)], 1e-9)
            }
            "hodges_lehmann" => {
                let sides: Vec<Vec<Vec<(f64, u64)>>> = self
                    .lists_after(1)
                    .iter()
                    .map(|side| side.iter().map(|x| vec![(*x, 1)]).collect())
                    .collect();
                let found = hodges_lehmann(&sides[0], &sides[1], self.confidence(0)).expect("values");
                let interval = found.interval.expect("enough blocks");
                (vec![found.estimate, interval.low, interval.high], 1e-14)
            }
            "log_rank" => {
                let lists = self.lists_after(0);
                let [first, second] = [0, 1].map(|side| [Self::waits(lists[side], lists[side + 2])]);
                (vec![log_rank(&first, &second, 1).expect("trials").statistic], 1e-10)
            }
            "kaplan_meier" => {
                let (time, lists) = (self.first(1)[0], self.lists_after(1));
                let waits = Self::waits(lists[0], lists[1]);
                let curve = kaplan_meier(&waits.events, &waits.censored);
                let interval = curve.interval(time, Confidence::new(0.95).expect("between 0 and 1"));
                (vec![curve.at(time), interval.low, interval.high], 1e-10)
            }
            other => panic!("no such function: {other}"),
        }
    }
}

#[test]
fn every_case_of_the_file_is_met() {
    let cases = cases();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let (found, tolerated) = case.found();
            let met = found.len() == case.wanted.len()
                && found.iter().zip(&case.wanted).all(|(found, wanted)| {
                    // What no double holds apart from 0 is 0.
                    (found - wanted).abs() <= tolerated * wanted.abs() + f64::MIN_POSITIVE
                });
            (!met).then(|| format!("{}\n    is {found:?}, to {tolerated:e}", case.line))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
