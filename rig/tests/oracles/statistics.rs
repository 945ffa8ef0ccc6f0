//! Every figure of `rig-stats` beside scipy's: random inputs, one start of Python.
//!
//! The inputs are the same on every machine, small ones for every change and many at night (`scale`). Must not know how the judge comes to its figures
//! (`judge.py`). Units: shares of 1. A disagreement names the question, both figures and what was tolerated.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rig_stats::binomial::{ln_at_least, ln_at_most, ln_pmf};
use rig_stats::special::{chi_square_tail, normal_quantile};
use rig_stats::{
    Confidence, Count, Criteria, Design, Dispersion, Probability, Stratum, clopper_pearson, detectable,
    difference, fisher, holm, relabel, stratified_difference, stratified_fisher, weighted_difference,
};
use serde_json::{Value, json};

use crate::packages::needs_packages;
use crate::scale::scale;

/// A question to the judge, and what this crate says.
struct Question {
    asked: Value,
    ours: Vec<f64>,
    /// Part of the judge's figure by which ours may differ.
    relative: f64,
    /// Difference that is none, where figures are near zero.
    absolute: f64,
}

/// Draws inputs in the region where rig works: rare hits, many trials; and everywhere else too.
struct Draws(ChaCha8Rng);

impl Draws {
    fn trials(&mut self, most: u64) -> u64 {
        // Each power of two is as likely as another.
        let scale = self.0.random_range(0.0..(most as f64).log2());
        (scale.exp2() as u64).clamp(2, most)
    }

    /// Half of the samples have few hits.
    fn count(&mut self, most: u64) -> Count {
        let trials = self.trials(most);
        let limit = if self.0.random_bool(0.5) { trials.min(12) } else { trials };
        Count::new(self.0.random_range(0..=limit), trials).expect("hits are at most trials")
    }

    fn confidence(&mut self) -> Confidence {
        let level = [0.8, 0.95, 0.99, 0.998_5][self.0.random_range(0..4)];
        Confidence::new(level).expect("between 0 and 1")
    }

    fn strata(&mut self, most: u64) -> Vec<Stratum> {
        (0..self.0.random_range(2..5)).map(|_| (self.count(most), self.count(most))).collect()
    }
}

fn pair(count: Count) -> Value {
    json!([count.hits(), count.trials()])
}

fn tails(draws: &mut Draws) -> Question {
    let count = draws.count(1_000_000);
    // A few standard deviations from what was seen: no tail is so small that a library, which takes its logarithm last, has 0.
    let centre = (count.hits() as f64 + 0.5) / (count.trials() as f64 + 1.0);
    let deviation = (centre * (1.0 - centre) / count.trials() as f64).sqrt();
    let p = (centre + deviation * draws.0.random_range(-4.0..4.0))
        .clamp(centre / 10.0, 1.0 - (1.0 - centre) / 10.0);
    let share = Probability::new(p).expect("a share");
    Question {
        asked: json!({"kind": "tails", "hits": count.hits(), "trials": count.trials(), "p": p}),
        ours: vec![ln_pmf(count, share), ln_at_least(count, share), ln_at_most(count, share)],
        relative: 1e-8,
        absolute: 1e-9,
    }
}

fn interval(draws: &mut Draws) -> Question {
    let (count, level) = (draws.count(100_000_000), draws.confidence());
    let ours = clopper_pearson(count, level);
    Question {
        asked: json!({"kind": "clopper_pearson", "hits": count.hits(), "trials": count.trials(), "level": level.get()}),
        ours: vec![ours.low, ours.high],
        relative: 1e-8,
        absolute: 0.0,
    }
}

fn table(draws: &mut Draws) -> Question {
    let most = if draws.0.random_bool(0.5) { 300 } else { 20_000 };
    let (first, second) = (draws.count(most), draws.count(most));
    Question {
        asked: json!({"kind": "fisher", "first": pair(first), "second": pair(second)}),
        ours: vec![fisher(first, second)],
        relative: 1e-7,
        absolute: 1e-280,
    }
}

/// A bound is where the score test just does not reject: there its statistic is the quantile of the level. A bound at the end of what a difference can be
/// is no such place.
fn score_interval(draws: &mut Draws) -> Question {
    let (first, second, level) = (draws.count(100_000), draws.count(100_000), draws.confidence());
    let ours = difference(first, second, level);
    let bounds: Vec<f64> = [ours.low, ours.high].into_iter().filter(|bound| bound.abs() < 1.0).collect();
    Question {
        asked: json!({"kind": "difference", "first": pair(first), "second": pair(second), "bounds": bounds}),
        ours: vec![-normal_quantile(level.alpha() / 2.0); bounds.len()],
        relative: 1e-7,
        absolute: 0.0,
    }
}

fn strata_json(strata: &[Stratum]) -> Value {
    strata.iter().map(|(first, second)| json!([pair(*first), pair(*second)])).collect()
}

fn score_interval_of_strata(draws: &mut Draws) -> Question {
    let (strata, level) = (draws.strata(20_000), draws.confidence());
    let ours = stratified_difference(&strata, level);
    Question {
        asked: json!({"kind": "stratified_difference", "strata": strata_json(&strata), "level": level.get()}),
        ours: vec![weighted_difference(&strata), ours.low, ours.high],
        relative: 1e-7,
        absolute: 1e-9,
    }
}

fn table_of_strata(draws: &mut Draws) -> Question {
    let strata = draws.strata(2_000);
    Question {
        asked: json!({"kind": "stratified_fisher", "strata": strata_json(&strata)}),
        ours: vec![stratified_fisher(&strata)],
        relative: 1e-6,
        absolute: 1e-25,
    }
}

fn correction(draws: &mut Draws) -> Question {
    let p_values: Vec<f64> =
        (0..draws.0.random_range(1..10)).map(|_| draws.0.random_range(0.0..1.0_f64).powi(3)).collect();
    Question {
        asked: json!({"kind": "holm", "p_values": p_values}),
        ours: holm(&p_values),
        relative: 1e-12,
        absolute: 0.0,
    }
}

/// With so many hits and misses that no windows are joined: how they are joined is not the library's to judge.
fn windows(draws: &mut Draws) -> Question {
    let sizes: Vec<u64> = (0..8).map(|_| draws.0.random_range(40..60)).collect();
    let hits: Vec<u64> = sizes.iter().map(|size| draws.0.random_range(8..size - 8)).collect();
    let ours = Dispersion::of(&hits, &sizes).expect("enough hits and misses in each window");
    Question {
        asked: json!({"kind": "dispersion", "hits": hits, "sizes": sizes}),
        ours: vec![ours.ratio(), ours.p_value()],
        relative: 1e-9,
        absolute: 1e-300,
    }
}

fn labellings(draws: &mut Draws) -> Question {
    let mut side = || -> Vec<Vec<u64>> {
        let block = |draws: &mut Draws| (0..3).map(|_| draws.0.random_range(0..30) + 1).collect();
        (0..draws.0.random_range(2..5)).map(|_| block(draws)).collect()
    };
    let (first, second) = (side(), side());
    let ours = relabel(&first, &second, 1).expect("both sides have trials");
    assert!(ours.all, "few enough to look at all of them");
    Question {
        asked: json!({"kind": "relabel", "first": first, "second": second}),
        ours: vec![ours.statistic, ours.p_value],
        relative: 1e-9,
        absolute: 1e-9,
    }
}

/// The judge says with which probability a rise of this size is found; it should be the one that was asked for.
fn rise(draws: &mut Draws) -> Question {
    let (first, second) = (draws.0.random_range(15..40), draws.0.random_range(15..40));
    let (baseline, alpha, wanted) = (draws.0.random_range(0.0..0.3), 0.05, 0.8);
    let share = |value| Probability::new(value).expect("a share");
    // So low a confidence that the interval excludes 0 wherever the test rejects: the judge knows the test alone.
    let confidence = Confidence::new(0.5).expect("between 0 and 1");
    let criteria = Criteria { level: alpha, confidence, margin: 0.0, icc: share(0.0) };
    let design = |trials: u64| Design { trials, blocks: 1 };
    let rise = detectable(design(first), design(second), share(baseline), &criteria, wanted);
    assert!(rise < 1.0, "{first} and {second} trials are enough to find some rise");
    Question {
        asked: json!({"kind": "power", "first": first, "second": second, "baseline": baseline, "alpha": alpha, "rise": rise}),
        ours: vec![wanted],
        relative: 1e-3,
        absolute: 0.0,
    }
}

fn special_functions(draws: &mut Draws) -> Question {
    let (p, freedom) = (draws.0.random_range(1e-9..1.0 - 1e-9), draws.0.random_range(1..200_u32));
    let x = f64::from(freedom) * draws.0.random_range(0.1..4.0);
    Question {
        asked: json!({"kind": "special", "p": p, "x": x, "freedom": freedom}),
        ours: vec![normal_quantile(p), chi_square_tail(x, freedom).ln()],
        relative: 1e-8,
        absolute: 1e-10,
    }
}

type Asker = fn(&mut Draws) -> Question;

/// Who asks, how often for every change, and how often at night.
const ASKERS: [(Asker, usize, usize); 11] = [
    (tails, 200, 20_000),
    (interval, 200, 20_000),
    (table, 200, 5_000),
    (score_interval, 60, 3_000),
    (score_interval_of_strata, 60, 3_000),
    (table_of_strata, 60, 3_000),
    (correction, 60, 3_000),
    (windows, 60, 3_000),
    (labellings, 20, 300),
    (rise, 2, 20),
    (special_functions, 200, 20_000),
];

fn questions() -> Vec<Question> {
    let mut draws = Draws(ChaCha8Rng::seed_from_u64(20));
    let times = ASKERS.iter().flat_map(|(ask, ci, nightly)| std::iter::repeat_n(ask, scale(*ci, *nightly)));
    times.map(|ask| ask(&mut draws)).collect()
}

fn judge(python: &Path, questions: &[Question]) -> Vec<Vec<f64>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/judge.py");
    let mut command = Command::new(python);
    command.args(["-I", "-W", "error"]).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the interpreter of the environment starts");
    let asked: Vec<&Value> = questions.iter().map(|question| &question.asked).collect();
    let mut stdin = child.stdin.take().expect("it was asked for");
    let text = serde_json::to_vec(&asked).expect("plain values");
    // The judge reads all of it before it answers.
    stdin.write_all(&text).expect("the judge reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the judge ends");
    assert!(output.status.success(), "the judge failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("lists of numbers")
}

/// Where a figure is not the judge's.
fn disagreements(questions: &[Question], answers: &[Vec<f64>]) -> Vec<String> {
    assert_eq!(questions.len(), answers.len(), "an answer to each question");
    let mut wrong = vec![];
    for (question, theirs) in questions.iter().zip(answers) {
        let Question { asked, ours, relative, absolute } = question;
        let near = |(one, other): (&f64, &f64)| {
            one == other || (one - other).abs() <= absolute + relative * other.abs()
        };
        if ours.len() != theirs.len() || !ours.iter().zip(theirs).all(near) {
            wrong.push(format!(
                "{asked}\n    rig {ours:?}\n  judge {theirs:?}, tolerated {relative:e} of it and {absolute:e}"
            ));
        }
    }
    wrong
}

#[test]
fn every_figure_is_the_one_of_scipy() {
    let Some(python) = needs_packages().map(|packages| packages.python()) else { return };
    let questions = questions();
    let answers = judge(&python, &questions);
    let wrong = disagreements(&questions, &answers);
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        questions.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// The judge's figures of one question, with one of them off by a little more than is tolerated.
#[test]
fn a_figure_that_is_a_little_off_is_a_disagreement() {
    for (ask, ..) in ASKERS {
        let question = ask(&mut Draws(ChaCha8Rng::seed_from_u64(1)));
        let right = question.ours.clone();
        let one = [question];
        assert_eq!(disagreements(&one, std::slice::from_ref(&right)), Vec::<String>::new());
        for place in 0..right.len() {
            let mut off = right.clone();
            off[place] += 2.0 * one[0].absolute + 2.0 * one[0].relative * off[place].abs() + 1e-270;
            assert_eq!(disagreements(&one, &[off]).len(), 1, "{}", one[0].asked);
        }
        assert_eq!(disagreements(&one, &[vec![]]).len(), 1, "an answer is missing");
    }
}
