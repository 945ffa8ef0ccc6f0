//! X01: the ENOENT of io_uring around a RST, in `rig explain ENOENT`.

use rig::analysis::sightings;
use rig::explain::Answer;
use rig_protocol::{Errno, Returned};

use crate::atlas::{HOST, OLD};
use crate::fixture::Bench;
use crate::made_up::{Made, run_of};

const BEFORE: &[(&str, &str)] = &[("client_delay", "0ms"), ("peer_delay", "5ms")];
const AFTER: &[(&str, &str)] = &[("client_delay", "10ms"), ("peer_delay", "5ms")];

/// A sweep of two moments on the host, one of them in a guest: 200 trials each, in five blocks.
fn swept(late: u64) -> Bench {
    let cell = |scenario, place, parameters, hits: u64| {
        let all = [("ENOENT", hits / 5), ("ok", (200 - hits) / 5)];
        let outcomes: Vec<_> = all.into_iter().filter(|(_, n)| *n > 0).collect();
        Made { parameters, blocks: 5, ..Made::new(scenario, place, &outcomes) }
    };
    let cells = [
        cell("uring-remove-race", HOST, BEFORE, 0),
        cell("uring-remove-race", HOST, AFTER, late),
        cell("uring-cancel-race", OLD, AFTER, late),
    ];
    let mut bench = run_of(&cells);
    bench.record.cells.iter_mut().for_each(|record| record.cell.alert = false);
    for (block, _) in &mut bench.blocks {
        let hits = block.tally.outcomes.get("ENOENT").copied().unwrap_or(0);
        block.tally.returns = [(Returned::ONE, 40 - hits), (Returned::failed(Errno::ENOENT), hits)].into();
        block.tally.returns.retain(|_, n| *n > 0);
    }
    bench
}

fn text(bench: &Bench, errno: Errno) -> String {
    let text = Answer::new(errno, Ok(sightings(&bench.run(), errno))).text(100);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_rate_over_the_sweep_is_told_place_by_place() {
    let said = text(&swept(200), Errno::ENOENT);
    let host = "io_uring's POLL_REMOVE in bare-metal host, with the RST 5ms after the question: ENOENT in 0 of 200 after 0ms and 200 of \
        200 after 10ms.";
    let guest = "io_uring's ASYNC_CANCEL in virtio-tap 6.1, with the RST 5ms after the question: ENOENT in 200 of 200 after 10ms.";
    assert!(said.contains(host) && said.contains(guest), "{said}");
    assert!(!said.contains("closes the descriptor itself"), "{said}");
    for name in [
        "POLL_UPDATE",
        "POLL_REMOVE",
        "ASYNC_CANCEL",
        "io_uring_prep_poll_update(3)",
        "io_uring_prep_cancel(3)",
    ] {
        assert!(said.contains(name), "{name}: {said}");
    }
    let seen = sightings(&swept(150).run(), Errno::ENOENT).given_up;
    let rates: Vec<_> =
        seen.iter().map(|one| (one.client_delay.as_str(), one.returned.count, one.returned.n)).collect();
    assert_eq!(rates, [("0ms", 0, 200), ("10ms", 150, 200), ("10ms", 150, 200)]);
    // 150 of 200 at 95 %, and the same of five even blocks, which count as 99.67 trials: as computed with the quantiles of the beta distribution.
    let late = &seen[1].returned;
    assert!((late.trial_low - 0.684_030).abs() < 1e-4 && (late.low - 0.653_268).abs() < 1e-4, "{late:?}");
}

#[test]
fn an_errno_that_no_request_has_is_not_told_of_them() {
    assert!(!text(&swept(200), Errno::EBADF).contains("io_uring's"));
    assert!(!text(&swept(0), Errno::ENOENT).contains("with the RST 5ms after"));
}
