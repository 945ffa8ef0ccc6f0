//! What a comparison of two sides comes to, in plain words.
//!
//! Must not compute a figure. Units: shares of 1 in, per cent out. Errors: none. Tests: `tests/golden/compared.rs`.

use rig_stats::Interval;

use super::super::model::{
    AnswerLine, CellPair, ComparisonVerdict, ErrnoDifference, LatencyDifference, OutcomeDifference,
    QuantileDifference, Question, RunComparison, Sides, Uncompared,
};
use super::super::sentences::shift;
use super::super::words::{Rounding, about_time, count, enough, list, one_in, p_value, percent, several};

/// So many changes are named; the others are a number.
const CHANGES: usize = 4;

/// A line for each errno, for outcomes, for latencies, for what was not compared, and for what changed around it.
pub(super) fn compose(compared: &RunComparison) -> Vec<AnswerLine> {
    let line = |about: &str, text: String| AnswerLine { about: about.to_owned(), text };
    if compared.pairs.is_empty() {
        return vec![line("compared", nothing(compared)), line("around", around(compared))];
    }
    let mut lines: Vec<AnswerLine> = [Question::Ebadf, Question::Enoent]
        .into_iter()
        .map(|question| line(question.key(), errno(compared, question)))
        .collect();
    lines.extend(other_errnos(compared).map(|text| line("any -1", text)));
    lines.push(line("outcomes", outcomes(compared)));
    lines.push(line("latencies", latencies(compared)));
    lines.extend(left(compared).map(|text| line("left out", text)));
    lines.push(line("around", around(compared)));
    lines
}

/// `2 pairs` with the verb that follows.
fn pairs_are(n: usize) -> String {
    format!("{} {}", several(n, "pair"), if n == 1 { "is" } else { "are" })
}

fn nothing(compared: &RunComparison) -> String {
    let [first, second] = compared.names();
    let cells = several(compared.not_compared.len(), "cell");
    format!("nothing: no cell has trials both in {first} and in {second} ({cells} not compared)")
}

/// Something that is compared in many pairs.
struct Asked<'c, T> {
    pairs: Vec<(&'c CellPair, &'c T)>,
    verdict: fn(&T) -> ComparisonVerdict,
}

impl<'c, T> Asked<'c, T> {
    fn with(&self, wanted: impl Fn(ComparisonVerdict) -> bool) -> Vec<(&'c CellPair, &'c T)> {
        self.pairs.iter().filter(|(_, one)| wanted((self.verdict)(one))).copied().collect()
    }

    /// Whether no pair says anything.
    fn is_silent(&self) -> bool {
        self.with(|verdict| !matches!(verdict, ComparisonVerdict::Blind | ComparisonVerdict::NotRun))
            .is_empty()
    }

    /// `in 16 pairs the two are the same within 0.5 %, 2 pairs have too few trials (at most 3,900 trials a side would be enough), 1 is blind`
    fn undiffering(
        &self,
        same: impl Fn(&[(&CellPair, &T)]) -> String,
        needed: fn(&T) -> Option<u64>,
    ) -> String {
        let mut parts = Vec::new();
        let alike = self.with(|verdict| verdict == ComparisonVerdict::SameWithinTheMargin);
        if !alike.is_empty() {
            parts.push(same(&alike));
        }
        let open = self.with(|verdict| verdict == ComparisonVerdict::NotEnoughTrials);
        if !open.is_empty() {
            let most: Option<u64> =
                open.iter().map(|(_, one)| needed(one)).try_fold(0, |most, n| Some(most.max(n?)));
            let enough = most.map_or(String::new(), |n| format!(" ({} a side are enough)", enough(n)));
            parts.push(format!("{} too few trials or blocks to say{enough}", several_have(open.len())));
        }
        let blind = self.with(|verdict| verdict == ComparisonVerdict::Blind).len();
        if blind > 0 {
            parts.push(format!("{} blind", pairs_are(blind)));
        }
        let not_run = self.with(|verdict| verdict == ComparisonVerdict::NotRun).len();
        if not_run > 0 {
            parts.push(format!("{} not run", pairs_are(not_run)));
        }
        parts.join("; ")
    }
}

fn several_have(n: usize) -> String {
    format!("{} {}", several(n, "pair"), if n == 1 { "has" } else { "have" })
}

fn errno(compared: &RunComparison, question: Question) -> String {
    let of = |pair| errno_of(pair, question);
    let asked = Asked {
        pairs: compared.pairs.iter().filter_map(|pair| Some((pair, of(pair)?))).collect(),
        verdict: |one: &ErrnoDifference| one.verdict,
    };
    let mut differ = asked.with(ComparisonVerdict::is_difference);
    differ.sort_by(|(a, x), (b, y)| {
        a.race.cmp(&b.race).then(y.difference.abs().total_cmp(&x.difference.abs()))
    });
    let rest = asked.undiffering(
        |alike| {
            let apart = alike.iter().map(|(_, one)| one.high.max(-one.low)).fold(0.0, f64::max);
            let margin = alike.iter().map(|(_, one)| one.margin).fold(0.0, f64::max);
            format!(
                "the same within {} in {}: any difference is below {}",
                percent(margin, Rounding::Nearest),
                several(alike.len(), "pair"),
                one_in(apart)
            )
        },
        |one| one.trials_needed,
    );
    let seen = || {
        asked.pairs.iter().fold([(0, 0); 2], |[a, b], (_, one)| {
            [(a.0 + one.x1, a.1 + one.n1), (b.0 + one.x2, b.1 + one.n2)]
        })
    };
    match differ.split_first() {
        None if asked.is_silent() => format!("nothing can be said: {rest}"),
        None => format!("no difference is shown; {}; {rest}", in_all(compared, seen())),
        Some(((pair, one), more)) => {
            let bounds = Interval { low: one.low, high: one.high };
            let size = sized(compared, bounds, one.p_adjusted, &within(one.verdict, one.margin));
            let what = told(compared, [(one.x1, one.n1), (one.x2, one.n2)], "trials");
            let found = format!("{}: {what}; {size}", at(compared, pair));
            joined(&found, more.iter().map(|(pair, _)| *pair), differ.len(), &rest)
        }
    }
}

fn errno_of(pair: &CellPair, question: Question) -> Option<&ErrnoDifference> {
    pair.errnos.iter().find(|one| one.errno == question)
}

/// Any errno, where it differs and neither of the two named ones does.
fn other_errnos(compared: &RunComparison) -> Option<String> {
    let is_told = |pair: &CellPair| {
        let named = [Question::Ebadf, Question::Enoent].map(|question| errno_of(pair, question));
        named.into_iter().flatten().any(|one| one.verdict.is_difference())
    };
    let other = |pair: &&CellPair| {
        !is_told(pair) && errno_of(pair, Question::AnyError).is_some_and(|one| one.verdict.is_difference())
    };
    compared.pairs.iter().any(|pair| other(&pair)).then(|| errno(compared, Question::AnyError))
}

fn outcomes(compared: &RunComparison) -> String {
    let asked = Asked {
        pairs: compared.pairs.iter().map(|pair| (pair, &pair.outcomes)).collect(),
        verdict: |one| one.verdict,
    };
    let mut differ: Vec<(&CellPair, &OutcomeDifference)> = asked
        .with(ComparisonVerdict::is_difference)
        .into_iter()
        .filter_map(|(pair, one)| Some((pair, one.leader()?)))
        .collect();
    let is_news = |pair: &CellPair| !pair.race && pair.known.is_none();
    differ.sort_by(|(a, x), (b, y)| {
        is_news(b).cmp(&is_news(a)).then(y.difference.abs().total_cmp(&x.difference.abs()))
    });
    let rest = asked.undiffering(
        |alike| {
            let margin = percent(compared.margin, Rounding::Nearest);
            format!("trials end the same within {margin} in {}", several(alike.len(), "pair"))
        },
        |one| one.trials_needed,
    );
    match differ.split_first() {
        None if asked.is_silent() => format!("nothing can be said: {rest}"),
        None => format!("no difference is shown; {rest}"),
        Some(((pair, leader), more)) => {
            let (n1, n2) = (pair.outcomes.n1, pair.outcomes.n2);
            let bounds = Interval { low: leader.low, high: leader.high };
            let within = within(leader.verdict, pair.outcomes.margin);
            let size = sized(compared, bounds, leader.p_adjusted, &within);
            let what = told(compared, [(leader.x1, n1), (leader.x2, n2)], "trials");
            let known =
                pair.known.as_ref().map_or_else(String::new, |why| format!("; it is known why: {why}"));
            let found = format!("{}: {} {what}; {size}{known}", at(compared, pair), leader.outcome);
            joined(&found, more.iter().map(|(pair, _)| *pair), differ.len(), &rest)
        }
    }
}

fn latencies(compared: &RunComparison) -> String {
    if compared.first.rehearsed || compared.second.rehearsed {
        return "not compared: the times of an emulated KVM host mean nothing".to_owned();
    }
    let timed: Vec<(&CellPair, &LatencyDifference)> =
        compared.pairs.iter().filter_map(|pair| Some((pair, pair.latency.as_ref()?))).collect();
    if timed.is_empty() {
        return "not compared: no pair has times on both sides".to_owned();
    }
    let differ = timed.iter().filter(|(_, one)| one.differs);
    let mut differ: Vec<(&CellPair, &LatencyDifference, &QuantileDifference)> =
        differ.filter_map(|(pair, one)| Some((*pair, *one, one.median()?))).collect();
    differ.sort_by(|(.., a), (.., b)| b.difference_ns.abs().total_cmp(&a.difference_ns.abs()));
    let too_few = timed.iter().filter(|(_, one)| one.too_few).count();
    let open = timed.len() - too_few - timed.iter().filter(|(_, one)| one.differs).count();
    let mut rest = Vec::new();
    rest.extend((open > 0).then(|| format!("no difference is shown in {}", several(open, "pair"))));
    rest.extend((too_few > 0).then(|| format!("{} too few blocks to show one", several_have(too_few))));
    let rest = rest.join("; ");
    match differ.split_first() {
        None => rest,
        Some(((pair, one, median), more)) => {
            let [first, second] = compared.names();
            let longer = if median.difference_ns > 0.0 { "longer" } else { "shorter" };
            let found = format!(
                "{}: half of the calls last at most {} in {first}, {} in {second}; {} in {second} (corrected p {})",
                at(compared, pair),
                about_time(median.first_ns),
                about_time(median.second_ns),
                by(median, longer),
                p_value(one.p_adjusted)
            );
            let news = "; the machine's load can make such a difference, so it is not news";
            joined(&format!("{found}{news}"), more.iter().map(|(pair, ..)| *pair), differ.len(), &rest)
        }
    }
}

/// `35 us to 65 us longer`
fn by(median: &QuantileDifference, longer: &str) -> String {
    let time = |ns: f64| about_time(ns.abs().round() as u64);
    match (median.low_ns, median.high_ns) {
        (Some(low), Some(high)) if low > 0.0 || high < 0.0 => {
            let (least, most) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
            format!("{} to {} {longer}", time(least), time(most))
        }
        (Some(low), Some(high)) => format!("between {} shorter and {} longer", time(low), time(high)),
        _ => format!("about {} {longer}", time(median.difference_ns)),
    }
}

/// Where a difference is: `rst over plain in virtio-tap 6.1`, and whether it is a race.
fn at(compared: &RunComparison, pair: &CellPair) -> String {
    let race = if pair.race { " (a race, which follows the machine's timing)" } else { "" };
    format!("{}{race}", pair.place(compared.sides))
}

/// `in 20 of 8,000 trials of the first run, in none of 8,000 of the second run`
fn told(compared: &RunComparison, counts: [(u64, u64); 2], noun: &str) -> String {
    let of = |(x, n): (u64, u64), name: &str| match x {
        0 => format!("in none of {} {noun} in {name}", count(n)),
        x => format!("in {} of {} {noun} in {name}", count(x), count(n)),
    };
    let [first, second] = compared.names();
    format!("{}, {}", of(counts[0], &first), of(counts[1], &second))
}

/// `never seen`, or how often on each side.
fn in_all(compared: &RunComparison, seen: [(u64, u64); 2]) -> String {
    if seen.iter().all(|(x, _)| *x == 0) {
        return format!("never returned in {} and {} trials", count(seen[0].1), count(seen[1].1));
    }
    told(compared, seen, "trials")
}

/// `0.8 to 1.3 points of % higher in the second run (corrected p 0.001)`
fn sized(compared: &RunComparison, bounds: Interval, p: f64, within: &str) -> String {
    let shifted = shift(bounds).replace(" points ", " points of % ");
    let [_, second] = compared.names();
    format!("{shifted} in {second} (corrected p {}){within}", p_value(p))
}

fn within(verdict: ComparisonVerdict, margin: f64) -> String {
    match verdict {
        ComparisonVerdict::DiffersWithinTheMargin => {
            format!(", less than the margin of {}", percent(margin, Rounding::Nearest))
        }
        ComparisonVerdict::SameWithinTheMargin
        | ComparisonVerdict::Differs
        | ComparisonVerdict::NotEnoughTrials
        | ComparisonVerdict::Blind
        | ComparisonVerdict::NotRun => String::new(),
    }
}

/// `DIFFERS in 2 pairs, most in ...; the other pair is a race; the same in 16 pairs`
fn joined<'c>(found: &str, more: impl Iterator<Item = &'c CellPair>, n: usize, rest: &str) -> String {
    let races = more.filter(|pair| pair.race).count();
    let most = if n == 1 { "" } else { " most in" };
    let also = match races {
        0 => String::new(),
        1 => " (of the others 1 is a race)".to_owned(),
        n => format!(" (of the others {n} are races)"),
    };
    let rest = if rest.is_empty() { String::new() } else { format!("; {rest}") };
    format!("differs in {},{most} {found}{also}{rest}", several(n, "pair"))
}

/// Cells that have no partner, or none with trials.
fn left(compared: &RunComparison) -> Option<String> {
    let number = |wanted: Uncompared| compared.not_compared.iter().filter(|one| one.why == wanted).count();
    let [first, second] = compared.names();
    let parts = [
        (Uncompared::OnlyInFirst, format!("only in {first}")),
        (Uncompared::OnlyInSecond, format!("only in {second}")),
        (Uncompared::NotRunInFirst, format!("without a trial in {first}")),
        (Uncompared::NotRunInSecond, format!("without a trial in {second}")),
        (Uncompared::NotRunInBoth, "without a trial in both".to_owned()),
        (Uncompared::SameBlocks, "with the same blocks in both, which are not independent".to_owned()),
    ];
    let parts = parts.into_iter().map(|(why, words)| (number(why), words)).filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, words)| format!("{} {words}", several(n, "cell"))).collect();
    (!parts.is_empty()).then(|| list(&parts))
}

/// What changed around the cells.
fn around(compared: &RunComparison) -> String {
    let all = &compared.changes;
    if all.is_empty() {
        return match compared.sides {
            Sides::Runs => {
                "kernels, QEMU, rig, host and kernel settings are the same, as far as the records have them"
                    .to_owned()
            }
            Sides::Configurations => "the records name nothing in which the two differ".to_owned(),
        };
    }
    let told: Vec<String> = all.iter().take(CHANGES).map(ToString::to_string).collect();
    let more = match all.len().saturating_sub(CHANGES) {
        0 => String::new(),
        n => format!("; and {} more", count(n as u64)),
    };
    let verb = match compared.sides {
        Sides::Runs => "changed",
        Sides::Configurations => "not the same",
    };
    format!("{verb}: {}{more}", told.join("; "))
}
