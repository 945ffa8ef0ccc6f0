//! The figures of a cell: counts, rates, times, and where in a block the rarer outcomes lie.
//!
//! Must not compare cells. Units: counts, shares of 1, nanoseconds. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cell::{Block, Cell};
use super::controls::Sight;
use super::families::Families;
use super::figure::Figure;
use super::labels::expects;
use super::number::{Tries, chi_square_beyond, share_interval};
use super::rates::rate;
use super::rules::Rules;
use super::sums::{Counts, QUESTIONS, Sums, entries, more, whole};

/// What a peer's sums have in place of labels.
const NO_LABELS: [&str; 2] = ["unfinished", "played"];
/// So many unexpected outcomes are named.
const MOST_NAMED: usize = 3;

/// All figures of a cell; `is_stopped`: the run's rule ended it early.
pub(super) fn figure<'f>(
    cell: &Cell<'f>,
    families: &[Families<'f>; 3],
    sight: &Sight<'f>,
    is_stopped: bool,
    rules: &Rules,
) -> Figure {
    let rates = QUESTIONS.iter().zip(families).map(|(question, families)| {
        let sensitivity = sight.sensitivity(cell, question);
        ((*question).to_owned(), rate(&[cell], question, families.of_cell(cell), sensitivity, rules))
    });
    let expectation = |key, sums: &Sums| expectation(cell, &cell.expected(key), sums, rules);
    let figure = counts(cell).and([
        ("id", Figure::word(cell.id)),
        ("status", Figure::word(status(cell, sight, is_stopped))),
        ("rates", Figure::Whole(rates.collect())),
        ("latency_ns", latencies(&cell.sums, rules)),
        ("expectation", expectation("expect", &cell.sums)),
        ("peer_expectation", expectation("expect_peer", &cell.peer)),
        ("order", order(cell)),
        ("not_counted", not_counted(cell)),
    ]);
    figure.with_files(cell.files())
}

fn counts(cell: &Cell<'_>) -> Figure {
    let sums = &cell.sums;
    let origin = |word: &str| {
        Figure::Count(cell.blocks.iter().filter(|block| block.tree["target"]["origin"] == word).count() as u64)
    };
    let rsts = |block: &Block<'_>| {
        let witness = &block.tree["witness"];
        whole(&witness["rst_to_target"]).saturating_add(whole(&witness["rst_to_peer"]))
    };
    let is_watched = cell.blocks.iter().all(|block| block.tree["witness"]["absent"] != true);
    let witness = if is_watched {
        Figure::Count(cell.blocks.iter().map(rsts).fold(0, u64::saturating_add))
    } else {
        Figure::Nothing
    };
    let sent = u64::try_from(sums.rsts_sent.saturating_add(cell.peer.rsts_sent)).unwrap_or(0);
    let by_state =
        sums.outcomes_by_state.iter().map(|(state, n)| (state.clone(), Figure::counts(n))).collect();
    Figure::part([
        ("trials", Figure::Count(sums.trials)),
        ("trials_wanted", Figure::Count(cell.wanted())),
        ("void", Figure::Count(cell.void())),
        ("void_reasons", Figure::counts(&cell.void_reasons)),
        ("blocks", Figure::Count(cell.blocks.len() as u64)),
        (
            "origin",
            Figure::part([
                ("cold", origin("cold")),
                ("restored", origin("restored")),
                ("host", origin("host")),
            ]),
        ),
        ("returns", Figure::counts(&sums.returns)),
        ("unreturned", Figure::Count(sums.unreturned)),
        ("outcomes", Figure::counts(&sums.outcomes)),
        ("peer_outcomes", Figure::counts_if_any(&cell.peer.outcomes)),
        ("rst_before_call", Figure::Count(sums.state_before.get("CLOSE").copied().unwrap_or(0))),
        (
            "outcomes_by_state",
            if sums.outcomes_by_state.is_empty() { Figure::Absent } else { Figure::Whole(by_state) },
        ),
        ("errno_seen", errno_seen(sums)),
        ("anomalies", Figure::Count(sums.anomalies)),
        ("witness_rsts", witness),
        ("kernel_rsts", Figure::Count(sent)),
        ("path_counters", path_counters(cell)),
    ])
}

/// The four errnos.
pub(super) fn errno_seen(sums: &Sums) -> Figure {
    let held = |counts: &Counts| -> Counts {
        let some = counts.iter().filter(|(errno, n)| *errno != "none" && **n > 0);
        some.map(|(errno, n)| (errno.clone(), *n)).collect()
    };
    let returned = sums.returns.iter().filter_map(|(key, n)| Some((key.strip_prefix("-1/")?.to_owned(), *n)));
    Figure::part([
        ("kernel", Figure::counts(&held(&returned.collect()))),
        ("libc", Figure::counts_if_any(&held(&sums.errno_after_failure))),
        ("stale", Figure::counts(&held(&sums.stale_errno))),
        ("log_line", Figure::counts(&held(&sums.errno_after_localtime))),
    ])
}

fn latencies(sums: &Sums, rules: &Rules) -> Figure {
    let of = |(what, times): (&String, &super::sums::Times)| {
        let quantiles = times.quantiles()?.map(|(key, at)| (key, Figure::Count(at)));
        Some((what.clone(), Figure::part(quantiles)))
    };
    let known = if rules.rehearsed { Vec::new() } else { sums.latency.iter().filter_map(of).collect() };
    Figure::Whole(known)
}

/// What acted, and the rules of packet filters also where they did not.
fn path_counters(cell: &Cell<'_>) -> Figure {
    let mut sum = Counts::new();
    for (name, n) in cell.blocks.iter().flat_map(|block| entries(&block.tree["path"]["counters"])) {
        if whole(n) > 0 || name.starts_with("rule.") {
            more(sum.entry(name.clone()).or_default(), whole(n));
        }
    }
    Figure::counts_if_any(&sum)
}

fn status(cell: &Cell<'_>, sight: &Sight<'_>, is_stopped: bool) -> &'static str {
    let is_blind = || ["EBADF", "ENOENT"].iter().any(|errno| sight.is_blind(cell, errno));
    if cell.is_skipped() {
        "skipped"
    } else if cell.sums.trials > 0 && is_blind() {
        "blind"
    } else if cell.sums.trials < cell.wanted() && !is_stopped {
        "short"
    } else {
        "complete"
    }
}

fn expectation(cell: &Cell<'_>, patterns: &[&str], sums: &Sums, rules: &Rules) -> Figure {
    if patterns.is_empty() {
        return Figure::Nothing;
    }
    let labelled = || sums.outcomes.iter().filter(|(outcome, _)| !NO_LABELS.contains(&outcome.as_str()));
    let n: u64 = labelled().map(|(_, n)| n).sum();
    let mut others: Vec<(&String, u64)> =
        labelled().filter(|(o, n)| **n > 0 && !expects(patterns, o)).map(|(o, n)| (o, *n)).collect();
    others.sort_by_key(|(outcome, n)| (std::cmp::Reverse(*n), *outcome));
    let unexpected: u64 = others.iter().map(|(_, n)| n).sum();
    let found = Tries::new(unexpected, n);
    let bounds = share_interval(found.hits as f64, found.misses() as f64, rules.alpha());
    let status = match rules.tolerance {
        Some(_) if n > 0 && unexpected == 0 => "as_expected",
        Some(_) if n > 0 && cell.known().is_some() => "known",
        Some(most) if n > 0 && bounds.low > most => "unexpected",
        Some(_) if n > 0 => "within_tolerance",
        _ => "not_judged",
    };
    let named = others.iter().take(MOST_NAMED).map(|(outcome, n)| {
        Figure::part([("outcome", Figure::word(*outcome)), ("count", Figure::Count(*n))])
    });
    let figure = Figure::part([
        ("status", Figure::word(status)),
        ("unexpected", Figure::Count(unexpected)),
        ("n", Figure::Count(n)),
        ("share", Figure::Real(found.share())),
        ("tolerance", Figure::real_or_nothing(rules.tolerance)),
        ("most", Figure::List(named.collect())),
    ]);
    figure.and_bounds(["low", "high"], bounds)
}

/// What was seen in attempts that do not count.
fn not_counted(cell: &Cell<'_>) -> Figure {
    let of = |because: &str, aborted: bool| {
        let blocks: Vec<&Block<'_>> =
            cell.not_counted.iter().filter(|block| block.is_aborted == aborted).collect();
        let mut sums = Sums::default();
        blocks.iter().for_each(|block| sums.add(&block.tree["tally"]));
        (!blocks.is_empty()).then(|| {
            Figure::part([
                ("because", Figure::word(because)),
                ("attempts", Figure::Count(blocks.len() as u64)),
                ("trials", Figure::Count(sums.trials)),
                ("returns", Figure::counts(&sums.returns)),
                ("outcomes", Figure::counts(&sums.outcomes)),
            ])
        })
    };
    let all: Vec<Figure> = [of("void", false), of("aborted", true)].into_iter().flatten().collect();
    if all.is_empty() { Figure::Absent } else { Figure::List(all) }
}

/// A kind of trial whose places are known, in the order of a report: outcomes, then the others.
type Placed<'a> = (u8, &'a str);

fn placed<'a>(block: &'a Block<'_>) -> BTreeMap<Placed<'a>, &'a Value> {
    let order = &block.tree["tally"]["order"];
    let outcomes = entries(&order["outcomes"]).map(|(outcome, places)| ((0, outcome.as_str()), places));
    let others = [((1, "CLOSE before the call"), "closed_before_call"), ((2, "void"), "voids")];
    let others =
        others.into_iter().map(|(kind, key)| (kind, &order[key])).filter(|(_, places)| !places.is_null());
    outcomes.chain(others).collect()
}

/// Where in their blocks trials of each kind lie.
fn order(cell: &Cell<'_>) -> Figure {
    let blocks: Vec<(BTreeMap<Placed<'_>, &Value>, u64)> =
        cell.blocks.iter().map(|block| (placed(block), block.planned)).collect();
    let kinds: BTreeSet<Placed<'_>> = blocks.iter().flat_map(|(kinds, _)| kinds.keys().copied()).collect();
    let of = |kind: Placed<'_>| {
        let places: Vec<(&Value, u64)> =
            blocks.iter().filter_map(|(kinds, planned)| Some((*kinds.get(&kind)?, *planned))).collect();
        order_of(kind.1, &places)
    };
    let all: Vec<Figure> = kinds.into_iter().filter_map(of).collect();
    if all.is_empty() { Figure::Absent } else { Figure::List(all) }
}

fn order_of(what: &str, blocks: &[(&Value, u64)]) -> Option<Figure> {
    let indices = |key: &'static str| {
        blocks.iter().flat_map(move |(places, _)| places[key].as_array().into_iter().flatten().map(whole))
    };
    let (first, last) = (indices("first").min()?, indices("last").max()?);
    let sum = |key: &str| blocks.iter().map(|(places, _)| whole(&places[key])).sum::<u64>();
    let neighbours = |(places, planned): &(&Value, u64)| {
        let hits = whole(&places["count"]) as f64;
        if *planned == 0 { 0.0 } else { hits * (hits - 1.0) / *planned as f64 }
    };
    let (mut statistic, mut freedom) = (0.0, 0.0);
    for (chi_square, windows) in blocks.iter().filter_map(|(places, planned)| unevenness(places, *planned)) {
        statistic += chi_square;
        freedom += windows;
    }
    let told = freedom > 0.0;
    Some(Figure::part([
        ("what", Figure::word(what)),
        ("count", Figure::Count(sum("count"))),
        ("n", Figure::Count(blocks.iter().map(|(_, planned)| planned).sum())),
        ("dispersion", Figure::real_or_nothing(told.then(|| statistic / freedom))),
        ("p_value", Figure::real_or_nothing(told.then(|| chi_square_beyond(statistic, freedom)))),
        ("adjacent_pairs", Figure::Count(sum("adjacent_pairs"))),
        ("adjacent_expected", Figure::Real(blocks.iter().map(neighbours).sum())),
        ("first", Figure::Count(first)),
        ("last", Figure::Count(last)),
    ]))
}

/// Pearson's chi-square of a block's windows, joined in twos, fours, ... until 5 hits and 5 misses are expected in each, and its degrees of freedom.
fn unevenness(places: &Value, planned: u64) -> Option<(f64, f64)> {
    let hits: Vec<f64> = places["windows"].as_array()?.iter().map(|n| whole(n) as f64).collect();
    let windows = hits.len() as u64;
    // Trial i is in window i * windows / planned, rounded down: a window begins at the first i that is not in the one before.
    let begin = |window: u64| (u128::from(window) * u128::from(planned)).div_ceil(u128::from(windows)) as f64;
    let all_hits: f64 = hits.iter().sum();
    let all = planned as f64;
    let rarer = all_hits.min(all - all_hits);
    let mut joined = 1;
    while (windows / joined) as f64 * 5.0 > rarer {
        joined *= 2;
        if joined >= windows {
            return None;
        }
    }
    let share = all_hits / all;
    let (mut statistic, mut counted) = (0.0, 0.0);
    for (place, hits) in hits.chunks(joined as usize).enumerate() {
        let from = place as u64 * joined;
        let size = begin((from + joined).min(windows)) - begin(from);
        if size > 0.0 {
            let apart = hits.iter().sum::<f64>() - size * share;
            statistic += apart * apart / (size * share * (1.0 - share));
            counted += 1.0;
        }
    }
    (counted > 1.0).then_some((statistic * (all - 1.0) / all, counted - 1.0))
}
