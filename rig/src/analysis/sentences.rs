//! One plain sentence per errno, for the person on call: physical against virtual, with bounds.
//!
//! Holds the wording and the pooling behind it. Must not judge by rules of its own: those of the comparisons hold.
//! Units: shares of 1 in, per cent out. Errors: none.
//! Tests: `tests/golden/analysis.rs` and the golden reports.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::Side;
use rig_stats::{Interval, Judgement};

use crate::record::Run;

use super::blocks::Family;
use super::controls::Sight;
use super::headline::{Comparing, HostOrGuests, Together, base, is_side_blind, places};
use super::measured::Measured;
use super::model::{Comparison, ComparisonReason, ComparisonVerdict, Question, Randomisation};
use super::pooled::How;
use super::rates::rate;
use super::rules::Rules;
use super::words::{
    Rounding, TELLS_NOTHING, bounds, count, enough, list, one_in, p_value, percent, percent_number, several,
    share,
};

/// Composes: one sentence for ENOENT, one for EBADF, one for other errnos where there were any, and one for each further scenario
/// in which one of the two was seen.
pub(super) fn compose(
    run: &Run,
    measured: &[Measured<'_>],
    sight: &Sight,
    comparisons: &[Comparison],
    rules: Rules,
) -> Vec<String> {
    let base = base(measured);
    let mut sentences = Vec::new();
    if base.is_empty() {
        sentences.push(
            "This run says nothing of select() after a reset: no cell of the base program has trials."
                .to_owned(),
        );
    } else {
        sentences.extend(
            [Question::Enoent, Question::Ebadf].map(|question| {
                Telling { run, question, sight, comparisons, rules }.tell(&base, &scope(&base))
            }),
        );
        let named = |cell: &&&Measured<'_>| {
            Question::AnyError.hits(&cell.tally)
                > Question::Enoent.hits(&cell.tally) + Question::Ebadf.hits(&cell.tally)
        };
        if base.iter().any(|cell| named(&cell)) {
            let telling = Telling { run, question: Question::AnyError, sight, comparisons, rules };
            sentences.push(telling.tell(&base, &scope(&base)));
        }
    }
    let in_base: BTreeSet<&str> = base.iter().map(|cell| cell.cell().id.0.as_str()).collect();
    let mut further: BTreeMap<&str, Vec<&Measured<'_>>> = BTreeMap::new();
    for cell in measured.iter().filter(|cell| cell.cell().control.is_none() && !cell.is_repeat()) {
        if !in_base.contains(cell.cell().id.0.as_str()) {
            further.entry(cell.cell().subject.scenario.as_str()).or_default().push(cell);
        }
    }
    for cells in further.values() {
        for question in [Question::Enoent, Question::Ebadf] {
            if cells.iter().any(|cell| question.hits(&cell.tally) > 0) {
                let telling = Telling { run, question, sight, comparisons, rules };
                sentences.push(telling.tell(cells, &scope(cells)));
            }
        }
    }
    sentences
}

/// `scenario reset_after_data`, and why its errno is no surprise where the script itself sees to it.
fn scope(cells: &[&Measured<'_>]) -> String {
    let scenarios: BTreeSet<&str> = cells.iter().map(|cell| cell.cell().subject.scenario.as_str()).collect();
    let scenarios: Vec<&str> = scenarios.into_iter().collect();
    let noun = if scenarios.len() == 1 { "scenario" } else { "scenarios" };
    let own_doing = if cells.iter().all(|cell| cell.is_plain()) {
        ""
    } else if cells.iter().all(|cell| !cell.cell().alert) {
        let threads = |cell: &&Measured<'_>| cell.cell().subject.script.lanes_of(Side::Target).count() > 1;
        if cells.iter().all(threads) {
            ", a race between the application's own threads"
        } else {
            ", a race between the application and what arrives"
        }
    } else {
        ", where the application closes the descriptor itself"
    };
    format!("{noun} {}{own_doing}", list(&scenarios))
}

/// What one sentence is told by.
#[derive(Clone, Copy)]
struct Telling<'a> {
    run: &'a Run,
    question: Question,
    sight: &'a Sight,
    comparisons: &'a [Comparison],
    rules: Rules,
}

impl Telling<'_> {
    fn tell(&self, cells: &[&Measured<'_>], scope: &str) -> String {
        let blind = cells.iter().filter(|cell| self.sight.blind_for(cell, self.question).is_some()).count();
        let places = places(cells, self.question, self.sight);
        let name = match self.question {
            Question::Ebadf => "EBADF",
            Question::Enoent => "ENOENT",
            Question::AnyError => "Any -1",
        };
        let mut text = format!("{name} ({scope}): ");
        let is_blind = |on_host| is_side_blind(cells, on_host, self.question, self.sight);
        if places.is_empty() {
            let why = if is_blind(true) || is_blind(false) {
                "no control proves that it would be seen (every cell is blind)"
            } else {
                "no measured call has returned"
            };
            text.push_str(&format!("no result: {why}"));
        }
        let seen: Vec<String> = places
            .iter()
            .enumerate()
            .map(|(place, (which, cells))| self.frequency(cells, &which.words(self.run), place == 0))
            .collect();
        text.push_str(&join(&seen));
        let baseline = places.get(&HostOrGuests::Host);
        let guests: Vec<_> = places.iter().filter(|(place, _)| **place != HostOrGuests::Host).collect();
        match (baseline, guests.as_slice()) {
            (Some(_), []) if is_blind(false) => {
                text.push_str("; in guests no control proves that it would be seen (blind)")
            }
            (_, []) if !places.is_empty() => {
                text.push_str("; no guest was measured: this says nothing of virtualization")
            }
            (None, [_, ..]) if is_blind(true) => {
                text.push_str("; on bare metal no control proves that it would be seen (blind)")
            }
            (None, [_, ..]) => text.push_str("; no bare-metal cell was measured to compare with"),
            (Some(baseline), [(_, one)]) => text.push_str(&format!("; {}", self.relation(baseline, one))),
            (Some(baseline), several) => {
                for (place, cells) in several {
                    text.push_str(&format!(
                        "; {}: {}",
                        place.words(self.run),
                        self.relation(baseline, cells)
                    ));
                }
            }
            (None, []) => {}
        }
        if blind > 0 && !places.is_empty() {
            text.push_str(&format!(
                "; {} left out, because no control passed there (blind)",
                several(blind, "cell")
            ));
        }
        text.push('.');
        text
    }

    /// `never seen in 6,000 calls on the bare-metal host (at most 0.07 % at 95 %, if trials of one boot are correlated by 0.001; at most 31 % of boots)`
    fn frequency(&self, cells: &[&Measured<'_>], place: &str, first: bool) -> String {
        let family = Family::of_cells(cells.iter().copied(), |tally| self.question.count(tally), self.rules);
        let rate = rate(cells, self.question, &family, self.sight, self.rules);
        let (calls, level) = if first {
            (" calls", format!(" at {}", percent(self.rules.confidence.get(), Rounding::Nearest)))
        } else {
            ("", String::new())
        };
        let trials = count(rate.n);
        if let Some(unseen) = rate.unseen {
            let correlated = if first {
                format!(", if trials of one boot are correlated by {}", share(unseen.icc))
            } else {
                String::new()
            };
            return format!(
                "never seen in {trials}{calls} {place} (at most {}{level}{correlated}; at most {} of boots)",
                percent(rate.high, Rounding::Up),
                percent(unseen.share_of_blocks, Rounding::Up)
            );
        }
        format!(
            "seen in {} of {trials}{calls} {place} ({}, {}{level})",
            count(rate.count),
            percent(rate.count as f64 / rate.n.max(1) as f64, Rounding::Nearest),
            bounds(rate.low, rate.high)
        )
    }

    /// What the comparisons say of these cells, or, where none shows a difference, their sum.
    fn relation(&self, baseline: &[&Measured<'_>], guests: &[&Measured<'_>]) -> String {
        let ids: BTreeSet<&str> = guests.iter().map(|cell| cell.cell().id.0.as_str()).collect();
        let of_these = |c: &&Comparison| {
            c.errno == self.question
                && ids.contains(c.cell.as_str())
                && c.verdict != ComparisonVerdict::NotRun
        };
        let single: Vec<&Comparison> = self.comparisons.iter().filter(of_these).collect();
        if single.iter().any(|c| c.reason == Some(ComparisonReason::PairDiffers)) {
            return "the rates cannot be compared: a cell that was played twice (the A/A pair) differs from itself".to_owned();
        }
        let differing: Vec<&Comparison> =
            single.iter().copied().filter(|c| c.verdict.is_difference()).collect();
        if let Some(largest) =
            differing.iter().max_by(|a, b| a.difference.abs().total_cmp(&b.difference.abs()))
        {
            let beyond = differing.iter().any(|c| c.verdict == ComparisonVerdict::Differs);
            let differ = self.differ(largest.alert, beyond);
            let comma = if differ.contains(',') { "," } else { "" };
            return format!(
                "the rates {differ}{comma} in {} of {}; most in {} {}, where the guest's is {} (corrected p {})",
                count(differing.len() as u64),
                several(single.len(), "comparison"),
                largest.configuration,
                largest.kernel,
                shift(Interval { low: largest.low, high: largest.high }),
                p_value(largest.p_adjusted)
            );
        }
        self.together(baseline, guests)
    }

    /// What their sum says.
    fn together(&self, baseline: &[&Measured<'_>], guests: &[&Measured<'_>]) -> String {
        let how = How { seed: self.run.record.seed, rules: self.rules };
        let found = Comparing { sight: self.sight, how }.compare(baseline, guests, self.question);
        if found.is_of_trials_alone {
            return self.of_trials_alone(&found);
        }
        let together = |beyond| {
            let news = guests.iter().all(|cell| cell.cell().alert);
            format!(
                "taken together the rates {}: the guests' is {} (corrected p {})",
                self.differ(news, beyond),
                shift(found.interval),
                p_value(found.p_adjusted)
            )
        };
        match found.judgement {
            Judgement::Same => format!(
                "the rates are the same within {}: their difference is not above {} calls",
                self.margin(),
                one_in(found.interval.high.max(-found.interval.low))
            ),
            Judgement::Differs => together(true),
            Judgement::DiffersWithinTheMargin => together(false),
            Judgement::Undecided
                if found.interval.low <= -TELLS_NOTHING && found.interval.high >= TELLS_NOTHING =>
            {
                "too few boots to say anything of their difference".to_owned()
            }
            Judgement::Undecided => {
                let needed = found.trials_needed.map(|n| format!("; {} a side are enough", enough(n)));
                format!(
                    "too few trials to say that the rates are the same within {}: the guests' may be {} points from the host's{}",
                    self.margin(),
                    range(found.interval),
                    needed.unwrap_or_default()
                )
            }
        }
    }

    /// Trials differ, and boots do not, or are too few to say so.
    fn of_trials_alone(&self, found: &Together) -> String {
        let Together { pooled, p_adjusted, .. } = found;
        let trials = format!("single trials differ (the guests' rate is {})", shift(pooled.trial));
        match &pooled.randomisation {
            Some(whole) if whole.smallest_p * Question::ALL.len() as f64 <= self.rules.alpha() => format!(
                "undecided: {trials}, and boots differ as much among themselves (whole boots: corrected p {})",
                p_value(*p_adjusted)
            ),
            Some(Randomisation { host, guests, .. }) => format!(
                "undecided: {trials}, and {} of guests against {} of the host are too few to tell a difference of machines from one of boots",
                several(usize::try_from(*guests).unwrap_or(usize::MAX), "boot"),
                count(*host)
            ),
            None => format!("undecided: {trials}, and no boots of both sides can be compared"),
        }
    }

    /// `DIFFER`, with what makes it less than it sounds.
    fn differ(&self, news: bool, beyond: bool) -> String {
        let verb = if news { "DIFFER" } else { "differ" };
        let race = (!news).then(|| "as those of a race may".to_owned());
        let less = (!beyond).then(|| format!("by less than the margin of {}", self.margin()));
        let parts: Vec<String> = race.into_iter().chain(less).collect();
        if parts.is_empty() { verb.to_owned() } else { format!("{verb}, {}", parts.join(", ")) }
    }

    fn margin(&self) -> String {
        percent(self.rules.margin_of(self.question), Rounding::Nearest)
    }
}

/// "never seen in 5 .. and never in 6 ..": the word that stays the same is said once.
fn join(seen: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for (place, one) in seen.iter().enumerate() {
        let [never, once] = ["never seen ", "seen "];
        let said = |with: &str| place > 0 && seen[place - 1].starts_with(with) && one.starts_with(with);
        words.push(if said(never) {
            one.replacen(never, "never ", 1)
        } else if said(once) {
            one.replacen(once, "", 1)
        } else {
            one.clone()
        });
    }
    list(&words)
}

/// `0.1 to 1.3 points higher`, of an interval that does not hold 0.
pub(super) fn shift(interval: Interval) -> String {
    let (low, high) =
        (interval.low.abs().min(interval.high.abs()), interval.low.abs().max(interval.high.abs()));
    format!(
        "{} to {} points {}",
        percent_number(low, Rounding::Down),
        percent_number(high, Rounding::Up),
        if interval.low > 0.0 { "higher" } else { "lower" }
    )
}

/// `-0.21 to +1.3`
fn range(interval: Interval) -> String {
    let signed = |share: f64, rounding| {
        let number = percent_number(share, rounding);
        if share > 0.0 { format!("+{number}") } else { number }
    };
    format!("{} to {}", signed(interval.low, Rounding::Down), signed(interval.high, Rounding::Up))
}
