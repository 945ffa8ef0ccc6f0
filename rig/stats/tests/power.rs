//! The chance of each verdict against a sum over every pair of counts, written apart from the crate's: chances from products, verdicts from the intervals
//! themselves.

use rig_stats::power::Shift;
use rig_stats::special::chi_square_tail;
use rig_stats::{
    Confidence, Count, Criteria, Design, Effective, Interval, Judgement, Probability, difference,
    difference_effective, effective_trials, fisher, judge, least_shown, power_of,
};

#[path = "../../tests/support/scale.rs"]
mod scale;

use scale::scale;

fn share(value: f64) -> Probability {
    Probability::new(value).expect("a share")
}

/// Chances of 0..=n hits: every block's beta-binomial as the product of its draws (Polya's urn), all blocks folded.
fn chances(design: Design, p: f64, icc: f64) -> Vec<f64> {
    let mut all = vec![1.0];
    for m in design.block_sizes() {
        let mut block = vec![1.0];
        for drawn in 0..m {
            // After `drawn` draws with `hits` hits the next is one with chance (p (1 - r) + hits r) / (1 - r + drawn r).
            let mut next = vec![0.0; block.len() + 1];
            for (hits, chance) in block.iter().enumerate() {
                let hit = (p * (1.0 - icc) + hits as f64 * icc) / (1.0 - icc + drawn as f64 * icc);
                next[hits] += chance * (1.0 - hit);
                next[hits + 1] += chance * hit;
            }
            block = next;
        }
        let mut folded = vec![0.0; all.len() + block.len() - 1];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in block.iter().enumerate() {
                folded[i + j] += a * b;
            }
        }
        all = folded;
    }
    all
}

fn verdict(first: Design, second: Design, hits: (u64, u64), rules: &Criteria) -> Judgement {
    let count = |hits, design: Design| Count::new(hits, design.trials).expect("hits are at most trials");
    let (a, b) = (count(hits.0, first), count(hits.1, second));
    let (interval, p): (Interval, f64) = if rules.icc.get() == 0.0 {
        (difference(a, b, rules.confidence), fisher(a, b))
    } else {
        let none = hits == (0, 0) || hits == (first.trials, second.trials);
        let worth = |count: Count, design: Design| {
            let sizes = design.block_sizes();
            let largest = design.trials as f64 / sizes.len() as f64;
            let over = if none {
                design.trials as f64 / effective_trials(&sizes, rules.icc)
            } else {
                1.0 + (largest - 1.0) * rules.icc.get()
            };
            Effective::over(count, over)
        };
        let (a, b) = (worth(a, first), worth(b, second));
        let pooled = (a.hits() + b.hits()) / (a.trials() + b.trials());
        let all = a.trials() + b.trials();
        let variance = pooled * (1.0 - pooled) * (1.0 / a.trials() + 1.0 / b.trials()) * all / (all - 1.0);
        let apart = b.share() - a.share();
        let p = if apart == 0.0 { 1.0 } else { chi_square_tail(apart * apart / variance, 1) };
        (difference_effective(a, b, rules.confidence), p)
    };
    judge(interval, p, rules.level, rules.margin)
}

/// Numerical Recipes' ranqd1.
struct Draws(u32);

impl Draws {
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        of[((u64::from(self.0) * of.len() as u64) >> 32) as usize]
    }
}

#[test]
fn of_fifty_designs_every_verdict_has_the_chance_of_all_its_tables() {
    const ALL: [Judgement; 4] =
        [Judgement::Same, Judgement::Differs, Judgement::DiffersWithinTheMargin, Judgement::Undecided];
    let mut draws = Draws(15);
    let (mut seen, mut largest) = ([0.0; 4], 0.0_f64);
    for _ in 0..scale(50, 400) {
        let mut side = || {
            let design =
                Design { trials: draws.one_of(&[9, 14, 23, 30, 41]), blocks: draws.one_of(&[1, 2, 3, 5]) };
            (design, draws.one_of(&[0.0, 0.01, 0.05, 0.2, 0.5, 0.9, 0.97, 1.0]))
        };
        let ((first, p1), (second, p2)) = (side(), side());
        let rules = Criteria {
            level: draws.one_of(&[0.05, 0.01, 0.05 / 33.0]),
            confidence: Confidence::new(draws.one_of(&[0.9, 0.95, 0.99])).expect("between 0 and 1"),
            margin: draws.one_of(&[0.05, 0.2, 0.3, 0.6]),
            icc: share(draws.one_of(&[0.0, 0.0, 0.01, 0.1])),
        };
        let found = power_of((first, share(p1)), (second, share(p2)), &rules);
        let (of_first, of_second) =
            (chances(first, p1, rules.icc.get()), chances(second, p2, rules.icc.get()));
        let mut wanted = [0.0; 4];
        for (x, a) in (0..).zip(&of_first) {
            for (y, b) in (0..).zip(&of_second) {
                // What has no chance at all need not be judged.
                if a * b > 1e-18 {
                    let said = verdict(first, second, (x, y), &rules);
                    let at = ALL.iter().position(|one| *one == said).expect("one of the four");
                    wanted[at] += a * b;
                }
            }
        }
        for (at, judgement) in ALL.into_iter().enumerate() {
            let off = (found.of(judgement) - wanted[at]).abs();
            largest = largest.max(off);
            assert!(
                off < 1e-9,
                "{judgement:?} of {first:?} {p1} {second:?} {p2} {rules:?}: {found:?} {wanted:?}"
            );
            seen[at] += wanted[at];
        }
    }
    assert!(seen.iter().all(|sum| *sum > 0.3), "every verdict is likely somewhere: {seen:?}");
    println!("largest difference {largest:e}");
}

/// At the size that is told the chance of "shown" is the power that was asked for.
#[test]
fn the_smallest_change_is_shown_with_the_power_that_was_asked_for() {
    let mut draws = Draws(4);
    for _ in 0..scale(12, 200) {
        let mut side =
            || Design { trials: draws.one_of(&[200, 1_000, 2_000]), blocks: draws.one_of(&[2, 5]) };
        let (first, second) = (side(), side());
        let baseline = draws.one_of(&[0.0, 0.001, 0.3, 0.999, 1.0]);
        let icc = share(draws.one_of(&[0.0, 0.001]));
        let confidence = Confidence::new(0.95).expect("between 0 and 1");
        let rules = Criteria { level: 0.05 / 33.0, confidence, margin: 0.005, icc };
        let Some(shift) = least_shown(first, second, share(baseline), &rules, 0.8) else {
            panic!("{first:?} {second:?} from {baseline}: nothing")
        };
        let changed = match shift {
            Shift::Rise(size) => baseline + size,
            Shift::Fall(size) => baseline - size,
        };
        let shown = power_of((first, share(baseline)), (second, share(changed)), &rules).shown();
        assert!((shown - 0.8).abs() < 2e-3, "{first:?} {second:?} from {baseline} by {shift:?}: {shown}");
    }
}
