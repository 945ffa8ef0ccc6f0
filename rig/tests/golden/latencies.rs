//! How long the call lasted: boots are the unit, and a call that its timeout ended is known only in part.

use rig::analysis::model::LatencyComparison;
use rig::matrix::Cell;
use rig_protocol::{Histogram, Returned};

use crate::fixture::{Bench, Play, cell, sound};
use crate::reports::{model, render};

const US: u64 = 1_000;

/// The base program on the host and in a guest; the call of block `i` lasts around `times[i]`, a tenth to each side.
fn medians(host: &[u64], guest: &[u64]) -> Bench {
    let mut bench = Bench::new("20261127-000000-0001", &[]);
    for (configuration, kernel, times) in [("bare-metal", "host", host), ("virtio-tap", "6.1", guest)] {
        let mut one = cell(Play::Base, configuration, kernel);
        one.blocks = u32::try_from(times.len()).expect("few");
        bench.plan(one);
    }
    bench.play_all();
    for (kernel, times) in [("host", host), ("6.1", guest)] {
        let mut at = times.iter();
        each(&mut bench, kernel, |calls, _| {
            let (middle, n) = (*at.next().expect("a time for each block"), calls.count);
            *calls = Histogram::default();
            (0..n).for_each(|i| calls.record(middle * 9 / 10 + middle * 2 * i / (10 * n)));
        });
    }
    bench
}

/// Changes the times and the trials of each block of a kernel.
fn each(bench: &mut Bench, kernel: &str, mut change: impl FnMut(&mut Histogram, &mut rig_protocol::Tally)) {
    let of_kernel = |cell: &Cell| cell.subject.kernel == kernel && cell.control.is_none();
    let ids: Vec<_> = bench
        .record
        .cells
        .iter()
        .map(|one| &one.cell)
        .filter(|cell| of_kernel(cell))
        .map(|cell| cell.id.clone())
        .collect();
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| ids.contains(&block.cell)) {
        let mut calls = block.tally.latency.remove("call").expect("times");
        change(&mut calls, &mut block.tally);
        block.tally.latency.insert("call".into(), calls);
    }
}

/// So many of a block's calls wait for their timeout of 5 s.
fn cut(bench: &mut Bench, kernel: &str, cut: u64) {
    each(bench, kernel, |calls, tally| {
        let left: Vec<(u16, u64)> = calls.buckets.iter().map(|(class, n)| (*class, *n)).collect();
        let mut skip = cut;
        let mut kept = Histogram::default();
        for (class, n) in left.into_iter().rev() {
            let gone = skip.min(n);
            skip -= gone;
            (0..n - gone).for_each(|_| kept.record(Histogram::largest_in(class)));
        }
        (0..cut).for_each(|_| kept.record(5_000_000_000));
        *calls = kept;
        let outcome = "readable,data,ECONNRESET";
        *tally.outcomes.get_mut(outcome).expect("the usual one") -= cut;
        *tally.outcomes.entry("timeout".into()).or_default() += cut;
        *tally.returns.get_mut(&Returned::ONE).expect("the usual one") -= cut;
        *tally.returns.entry(Returned { value: 0, errno: None }).or_default() += cut;
    });
}

/// The one comparison, which a second path through the files finds too.
fn only(bench: &Bench) -> LatencyComparison {
    crate::audited::of(bench);
    let model = model(bench);
    let mut all = model.latency_comparisons;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn boots_that_are_apart_differ_by_the_shift_of_their_medians() {
    let host: Vec<u64> = (0..8).map(|i| (90 + 3 * i) * US).collect();
    let guest: Vec<u64> = (0..8).map(|i| (140 + 3 * i) * US).collect();
    let bench = medians(&host, &guest);
    let found = only(&bench);
    let median = found.median().expect("compared");
    assert!((median.difference_ns - 50_000.0).abs() < 2_000.0, "{median:?}");
    let (low, high) = median.low_ns.zip(median.high_ns).expect("enough blocks");
    assert!(35_000.0 < low && low < 50_000.0 && 50_000.0 < high && high < 65_000.0, "{median:?}");
    assert!(found.differs && found.p_value < 0.001 && found.cut.is_none(), "{found:?}");
    assert_eq!(found.quantiles.iter().map(|one| one.quantile).collect::<Vec<_>>(), [0.5, 0.9, 0.99]);
    let text = render(&model(&bench), "text");
    assert!(text.contains("1 pair: the call lasts longer in 1"), "{text}");
}

/// One boot in which every call is slow is one boot, however many calls it has.
#[test]
fn one_slow_boot_is_no_difference() {
    let host: Vec<u64> = (0..8).map(|i| (90 + 3 * i) * US).collect();
    let mut guest = host.clone();
    guest[3] = 900 * US;
    let found = only(&medians(&host, &guest));
    assert!(!found.differs && !found.too_few, "{found:?}");
    let mean_apart = found.quantiles.last().expect("p99").second_ns > 2 * found.quantiles[2].first_ns;
    assert!(mean_apart, "the slow boot is seen in the tail: {found:?}");
}

#[test]
fn so_few_boots_can_show_no_difference() {
    let found = only(&medians(&[100 * US, 101 * US], &[900 * US, 901 * US]));
    assert!(found.too_few && !found.differs, "{found:?}");
    assert_eq!(found.median().map(|one| (one.low_ns, one.high_ns)), Some((None, None)));
    assert!((found.smallest_p - 2.0 / 6.0).abs() < 1e-12);
}

/// The calls that come back last equally long; in the guest a third does not come back in time. The medians know nothing of it.
#[test]
fn calls_that_their_timeout_ended_wait_longer_than_anybody_saw() {
    let host: Vec<u64> = (0..8).map(|i| (90 + 3 * i) * US).collect();
    let mut bench = medians(&host, &host);
    let all = only(&bench).n2 / 8;
    cut(&mut bench, "6.1", all / 3);
    let found = only(&bench);
    let waits = found.cut.expect("some were cut");
    assert_eq!((waits.cut1, waits.cut2), (0, all / 3 * 8));
    assert!(waits.median1_ns.is_some() && waits.median1_ns < waits.median2_ns, "{waits:?}");
    assert!(found.differs && found.method.starts_with("kaplan-meier"), "{found:?}");
    // Most of them: then half is never there.
    cut(&mut bench, "6.1", all / 3);
    let waits = only(&bench).cut.expect("some were cut");
    assert_eq!(waits.median2_ns, None, "{waits:?}");
    assert!(render(&model(&bench), "text").contains("their timeout ended"));
}

#[test]
fn a_rehearsal_has_no_times() {
    let mut bench = sound();
    assert!(!model(&bench).latency_comparisons.is_empty());
    bench.record.environment.rehearsed = true;
    assert!(model(&bench).latency_comparisons.is_empty());
}
