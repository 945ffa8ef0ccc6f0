//! Whether trials ended as their scenario expects.
//!
//! Holds the judgement of outcomes against patterns, by the run's tolerance, and its sentences. Must not compare cells.
//! Units: counts, shares of 1. Errors: none. Tests: here, `tests/golden/expected.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Tally, matches_outcome};
use rig_stats::{Confidence, Count, clopper_pearson};

use super::measured::Measured;
use super::model::{CellSummary, Expectation, ExpectationStatus, OutcomeCount};
use super::rules::Rules;
use super::words::{Rounding, percent, several};

/// What a peer's tally says instead of labels: that the block ended first, and, in records older than format 2.1, that it did not.
const NO_LABELS: [&str; 2] = [Tally::UNFINISHED, Tally::PLAYED];

/// Judges the outcomes of a cell, a control too. `None` where its scenario expects nothing in particular.
pub(super) fn of(measured: &Measured<'_>, rules: Rules) -> Option<Expectation> {
    let cell = measured.cell();
    let known = cell.known.as_deref();
    judge(&cell.subject.script.expect, &measured.tally, rules.tolerance, rules.confidence, known)
}

/// Judges what the peer's steps ended as.
pub(super) fn of_peer(measured: &Measured<'_>, rules: Rules) -> Option<Expectation> {
    let cell = measured.cell();
    let known = cell.known.as_deref();
    judge(&cell.subject.script.expect_peer, &measured.peer, rules.tolerance, rules.confidence, known)
}

/// Judges trials by outcome against the patterns that a scenario expects. `None` where there is no pattern.
///
/// `tolerance` is the share of 1 that may end otherwise: only where the lower bound of the share that did is above it is that `unexpected`.
/// `known` is why it is known that they do; then nothing is.
pub(super) fn judge(
    expected: &[String],
    tally: &Tally,
    tolerance: Option<f64>,
    confidence: Confidence,
    known: Option<&str>,
) -> Option<Expectation> {
    if expected.is_empty() {
        return None;
    }
    let labelled = |(outcome, _): &(&String, &u64)| !NO_LABELS.contains(&outcome.as_str());
    let outcomes: BTreeMap<&String, u64> =
        tally.outcomes.iter().filter(labelled).map(|(o, n)| (o, *n)).collect();
    let as_expected = |outcome: &str| expected.iter().any(|pattern| matches_outcome(pattern, outcome));
    let mut others: Vec<(&String, u64)> =
        outcomes.iter().filter(|(outcome, _)| !as_expected(outcome)).map(|(o, n)| (*o, *n)).collect();
    others.retain(|(_, count)| *count > 0);
    others.sort_by_key(|(outcome, count)| (std::cmp::Reverse(*count), *outcome));
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0_u64, u64::saturating_add);
    let unexpected = sum(&mut others.iter().map(|(_, count)| *count));
    let n = sum(&mut outcomes.values().copied());
    let found = Count::new(unexpected, n).unwrap_or(Count::NONE);
    let bounds = clopper_pearson(found, confidence);
    let status = match tolerance {
        Some(_) if n > 0 && unexpected == 0 => ExpectationStatus::AsExpected,
        Some(_) if n > 0 && known.is_some() => ExpectationStatus::Known,
        Some(tolerance) if n > 0 && bounds.low > tolerance => ExpectationStatus::Unexpected,
        Some(_) if n > 0 => ExpectationStatus::WithinTolerance,
        Some(_) | None => ExpectationStatus::NotJudged,
    };
    others.truncate(Expectation::MOST);
    let named = |(outcome, count): (&String, u64)| OutcomeCount { outcome: outcome.clone(), count };
    Some(Expectation {
        status,
        expected: expected.to_vec(),
        unexpected,
        n,
        share: found.share(),
        low: bounds.low,
        high: bounds.high,
        tolerance,
        known: known.map(str::to_owned),
        most: others.into_iter().map(named).collect(),
    })
}

/// One sentence for each scenario, path and configuration with cells that are unexpected or known, in the order of the plan: of the cell with the
/// largest share, and how many more there are.
pub(super) fn sentences(cells: &[CellSummary]) -> Vec<String> {
    type Told<'a> = (&'a CellSummary, &'a Expectation, &'static str, usize);
    let mut order: Vec<Told<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for cell in cells {
        for (expectation, who) in [(&cell.expectation, ""), (&cell.peer_expectation, ", at the peer")] {
            let Some(expectation) = expectation else { continue };
            let known = match expectation.status {
                ExpectationStatus::Unexpected => None,
                ExpectationStatus::Known => expectation.known.as_deref(),
                ExpectationStatus::AsExpected
                | ExpectationStatus::WithinTolerance
                | ExpectationStatus::NotJudged => continue,
            };
            let key = (&cell.scenario, &cell.path, &cell.configuration, known, who);
            let place = *places.entry(key).or_insert(order.len());
            match order.get_mut(place) {
                None => order.push((cell, expectation, who, 0)),
                Some(told) => {
                    told.3 += 1;
                    if expectation.share > told.1.share {
                        (told.0, told.1) = (cell, expectation);
                    }
                }
            }
        }
    }
    order.into_iter().map(|(cell, expectation, who, more)| sentence(cell, expectation, who, more)).collect()
}

fn sentence(cell: &CellSummary, expectation: &Expectation, who: &str, more: usize) -> String {
    let parameters = cell.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    let subject = format!("{}{} over {}", cell.scenario, parameters.collect::<String>(), cell.path);
    let mark = if expectation.is_alert() { "UNEXPECTED" } else { "Known" };
    let mut text = format!(
        "{mark}: {subject} in {} {}{who}: {}; {}, between {} and {}",
        cell.configuration,
        cell.kernel,
        expectation.words(),
        percent(expectation.share, Rounding::Nearest),
        percent(expectation.low, Rounding::Down),
        percent(expectation.high, Rounding::Up),
    );
    match (&expectation.known, expectation.tolerance) {
        (Some(reason), _) => text.push_str(&format!("; it is known why: {}", reason.trim_end_matches('.'))),
        (None, Some(tolerance)) => {
            text.push_str(&format!("; tolerated is {}", percent(tolerance, Rounding::Nearest)));
        }
        (None, None) => {}
    }
    if more > 0 {
        let (cells, end) = (several(more, "more cell"), if more == 1 { "ends" } else { "end" });
        text.push_str(&format!("; {cells} of {} there {end} otherwise too", cell.scenario));
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(unexpected: u64, n: u64, tolerance: Option<f64>, known: Option<&str>) -> ExpectationStatus {
        let outcomes =
            [("readable,eof".to_owned(), unexpected), ("readable,data".to_owned(), n - unexpected)];
        let confidence = Confidence::new(0.95).expect("between 0 and 1");
        let tally = Tally { outcomes: outcomes.into(), ..Tally::default() };
        let of = judge(&["readable,data".into()], &tally, tolerance, confidence, known);
        let of = of.expect("something is expected");
        assert_eq!((of.unexpected, of.n), (unexpected, n));
        of.status
    }

    #[test]
    fn the_lower_bound_decides() {
        use ExpectationStatus::{AsExpected, Known, NotJudged, Unexpected, WithinTolerance};
        let tolerance = Some(0.005);
        assert_eq!(judged(0, 100, tolerance, None), AsExpected);
        assert_eq!(judged(1, 1_000, tolerance, None), WithinTolerance);
        // Exact lower bounds of 10 and of 11 of 1,000: 0.48 % and 0.55 %.
        assert_eq!(judged(10, 1_000, tolerance, None), WithinTolerance);
        assert_eq!(judged(11, 1_000, tolerance, None), Unexpected);
        assert_eq!(judged(1, 1_000, Some(0.0), None), Unexpected, "nothing is tolerated");
        assert_eq!(judged(100, 100, Some(1.0), None), WithinTolerance, "everything is");
        assert_eq!(judged(100, 100, tolerance, Some("slirp ends TCP")), Known);
        assert_eq!(judged(1, 1_000, tolerance, Some("slirp ends TCP")), Known);
        assert_eq!(judged(0, 100, tolerance, Some("slirp ends TCP")), AsExpected);
        assert_eq!(judged(0, 0, tolerance, None), NotJudged);
        assert_eq!(judged(100, 100, None, None), NotJudged);
    }

    #[test]
    fn patterns_and_the_most_frequent_others() {
        let confidence = Confidence::new(0.95).expect("between 0 and 1");
        let counts =
            [("a,x", 5), ("a,y", 4), ("b", 7), ("c", 7), ("d", 1), ("e", 2), ("f", 0), ("unfinished", 9)];
        let outcomes = counts.map(|(outcome, n)| (outcome.to_owned(), n)).into();
        let tally = Tally { outcomes, ..Tally::default() };
        let of = judge(&["a,*".into()], &tally, Some(0.1), confidence, None).expect("judged");
        assert_eq!((of.unexpected, of.n), (17, 26));
        let most: Vec<_> = of.most.iter().map(|one| (one.outcome.as_str(), one.count)).collect();
        assert_eq!(most, [("b", 7), ("c", 7), ("e", 2)]);
        assert_eq!(judge(&[], &tally, Some(0.1), confidence, None), None, "nothing is expected");
    }
}
