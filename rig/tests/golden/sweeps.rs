//! Cells that differ in one delay only, as curves.

use rig::analysis::model::Sweep;

use crate::made_up::{Made, run_of};
use crate::reports::render;

const HOST: (&str, &str) = ("bare-metal", "host");
const GUEST: (&str, &str) = ("virtio-tap", "6.1");

type Parameters = &'static [(&'static str, &'static str)];

const DELAYS: [(Parameters, u64); 4] = [
    (&[("client_delay", "0ms"), ("peer_delay", "2ms")], 0),
    (&[("client_delay", "1ms"), ("peer_delay", "2ms")], 12),
    (&[("client_delay", "2500us"), ("peer_delay", "2ms")], 47),
    (&[("client_delay", "10ms"), ("peer_delay", "2ms")], 60),
];

fn made(place: (&'static str, &'static str), parameters: Parameters, hits: u64) -> Made {
    let all = [("ENOENT", hits), ("ok", 60 - hits)];
    let seen: Vec<(&str, u64)> = all.into_iter().filter(|(_, n)| *n > 0).collect();
    Made { parameters, ..Made::new("uring-remove-race", place, &seen) }
}

fn sweeps(cells: &[Made]) -> Vec<Sweep> {
    run_of(cells).model().sweeps
}

#[test]
fn a_curve_has_its_points_in_the_order_of_the_delay() {
    let mut cells: Vec<Made> = DELAYS.iter().rev().map(|(at, hits)| made(HOST, at, *hits)).collect();
    cells.extend(DELAYS.iter().map(|(at, hits)| made(GUEST, at, hits / 2)));
    let bench = run_of(&cells);
    let found = bench.model().sweeps;
    assert_eq!(found.len(), 1, "{found:#?}");
    let sweep = &found[0];
    assert_eq!((sweep.scenario.as_str(), sweep.path.as_str()), ("uring-remove-race", "plain"));
    assert_eq!(sweep.parameter, "client_delay");
    assert_eq!(sweep.parameters, [("peer_delay".to_owned(), "2ms".to_owned())].into());
    let places: Vec<_> = sweep.series.iter().map(|one| one.configuration.as_str()).collect();
    assert_eq!(places, ["bare-metal", "virtio-tap"]);
    let points: Vec<_> =
        sweep.series[0].points.iter().map(|point| (point.delay_ns, point.count, point.n)).collect();
    let counted = |one: &rig::analysis::model::SweepSeries| {
        one.points.iter().map(|point| point.count).collect::<Vec<_>>()
    };
    let hits: u64 = if sweep.outcome == "ENOENT" { 0 } else { 60 };
    let of = |n: u64| n.abs_diff(hits);
    assert_eq!(
        points,
        [(0, of(0), 60), (1_000_000, of(12), 60), (2_500_000, of(47), 60), (10_000_000, of(60), 60)]
    );
    assert_eq!(counted(&sweep.series[1]), [of(0), of(6), of(23), of(30)]);
    for point in sweep.series.iter().flat_map(|one| &one.points) {
        let share = point.count as f64 / point.n as f64;
        assert!(point.low <= share && share <= point.high && point.low < point.high, "{point:?}");
    }
    let page = render(&bench.model(), "html");
    assert!(page.contains("share of trials that end as") && page.contains("by client_delay"), "it is drawn");
}

#[test]
fn no_curve_without_three_delays_or_without_a_change() {
    let two: Vec<Made> = DELAYS[..2].iter().map(|(at, hits)| made(HOST, at, *hits)).collect();
    assert_eq!(sweeps(&two), []);
    let flat: Vec<Made> = DELAYS.iter().map(|(at, _)| made(HOST, at, 30)).collect();
    assert_eq!(sweeps(&flat), []);
    // What is drawn anew for every trial is no place on an axis, nor is a bare number a time.
    const OTHERS: [(Parameters, u64); 3] = [
        (&[("client_delay", "uniform(0ms, 5ms)")], 1),
        (&[("client_delay", "7")], 20),
        (&[("client_delay", "8")], 50),
    ];
    let others: Vec<Made> = OTHERS.iter().map(|(at, hits)| made(HOST, at, *hits)).collect();
    assert_eq!(sweeps(&others), []);
}
