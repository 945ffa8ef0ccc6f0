//! select(2) as careless programs call it: numbers as they are given, sets and timeouts as the last call left them.

use rig_protocol::{Call, Delay, Event, Keep, Op, PollCall, Slot, Step};

use crate::driver::*;

/// One that watches the connection for reading.
#[derive(Clone, Copy)]
struct Raw {
    nfds: Option<i32>,
    seconds: i64,
    microseconds: i64,
    keep: Keep,
    call: Call,
}

const NOW: Raw = Raw { nfds: None, seconds: 0, microseconds: 0, keep: Keep::Nothing, call: Call::Select };

fn raw(Raw { nfds, seconds, microseconds, keep, call }: Raw) -> Step {
    let (read, write, except) = (vec![Slot(0)], vec![], vec![]);
    step(Op::SelectRaw { read, write, except, nfds, seconds, microseconds, keep, call })
}

fn remaining() -> Step {
    step(Op::Remaining {})
}

/// Waits until there is something to read, through another door than those under test.
fn arrives() -> Step {
    let timeout = Delay::Fixed { ns: 10 * SECOND };
    step(Op::Poll { sockets: vec![Slot(0)], events: vec![Event::Readable], timeout, call: PollCall::Poll })
}

fn few() -> Setting {
    Setting { trials: 8, in_flight: 4, ..Setting::default() }
}

/// The one outcome of a client that has data to read, or none.
fn outcome(readable: bool, steps: Vec<Step>) -> String {
    let before = if readable { vec![connect(), write("go"), arrives()] } else { vec![connect()] };
    let client = before.into_iter().chain(steps).collect();
    let peer = if readable { vec![accept(), read(), write("A"), read()] } else { vec![accept(), read()] };
    let (target, _) = play(&script(client, peer, &["**"]), &few());
    let outcomes: Vec<_> = target.tally.outcomes.into_keys().collect();
    assert_eq!((target.tally.trials, outcomes.len()), (8, 1), "{outcomes:?} {:?}", target.tally.voids);
    outcomes[0].clone()
}

const DOORS: [Call; 3] = [Call::Select, Call::Pselect6, Call::Libc];

#[test]
fn microseconds_over_a_million_are_carried_over_by_select_and_libc_and_refused_by_pselect6() {
    let through = |call| outcome(true, vec![raw(Raw { microseconds: 1_500_000, call, ..NOW }).verdict()]);
    assert_eq!(DOORS.map(through), ["readable", "EINVAL", "readable"]);
    // The kernel writes back what is left, in its normal form.
    for call in [Call::Select, Call::Libc] {
        let client = vec![
            connect(),
            write("go"),
            arrives(),
            raw(Raw { microseconds: 1_500_000, call, ..NOW }).verdict(),
            remaining(),
        ];
        let peer = vec![accept(), read(), write("A"), read()];
        let (target, _) = play(&script(client, peer, &["**"]), &few());
        let left = target.records[0].steps[4].returned;
        assert!((0..=1_500_000).contains(&left), "{left}");
    }
}

#[test]
fn what_is_negative_is_refused_at_every_door() {
    for call in DOORS {
        for wrong in [
            Raw { microseconds: -1, call, ..NOW },
            Raw { seconds: -1, call, ..NOW },
            Raw { nfds: Some(-1), call, ..NOW },
        ] {
            assert_eq!(outcome(true, vec![raw(wrong).verdict()]), "EINVAL");
        }
        let steps = vec![raw(Raw { seconds: -1, call, ..NOW }).verdict(), remaining().outcome()];
        assert_eq!(outcome(true, steps), "EINVAL,ENODATA", "a negative rest is no number");
    }
}

/// glibc keeps `tv_usec` in 32 bits before it normalises it (sysdeps/unix/sysv/linux/select.c): 2^32 microseconds are none to it, and more than
/// an hour to the kernel.
#[test]
fn libc_cuts_microseconds_to_32_bits() {
    let steps = vec![raw(Raw { microseconds: 1 << 32, call: Call::Libc, ..NOW }).verdict()];
    assert_eq!(outcome(false, steps), "timeout");
    let steps = vec![raw(Raw { microseconds: 1 << 31, call: Call::Libc, ..NOW }).verdict()];
    assert_eq!(outcome(true, steps), "EINVAL");
    let steps = vec![raw(Raw { microseconds: 1 << 32, ..NOW }).verdict()];
    assert_eq!(outcome(true, steps), "readable");
}

#[test]
fn bits_at_nfds_and_above_are_not_looked_at() {
    for (nfds, found) in [(0, "timeout"), (3, "timeout"), (4, "readable"), (1_048_576, "readable")] {
        for call in DOORS {
            let steps = vec![raw(Raw { nfds: Some(nfds), call, ..NOW }).verdict()];
            assert_eq!(outcome(true, steps), found, "{nfds} {call:?}");
        }
    }
}

#[test]
fn each_door_leaves_the_rest_of_its_timeout_and_nothing_before_the_first_call() {
    for call in DOORS {
        let nothing = raw(Raw { microseconds: 1_000, call, ..NOW });
        assert_eq!(outcome(false, vec![nothing.verdict(), remaining().outcome()]), "timeout,left=0");
        let client = vec![
            connect(),
            write("go"),
            remaining(),
            arrives(),
            select_through(call, 5 * SECOND).verdict(),
            remaining(),
        ];
        let peer = vec![accept(), read(), write("A"), read()];
        let (target, _) = play(&script(client, peer, &["**"]), &few());
        assert_eq!(target.tally.outcomes, counts(&[("remaining:ENODATA,readable", 8)]));
        let left = target.records[0].steps[5].returned;
        assert!((1..5_000_000).contains(&left), "{left}");
    }
}

/// Document 000's loop of 50 x 100 ms, which arms neither its set nor its timeout again: after the first round it waits for nothing and looks
/// for nothing, so that it ends after 0.1 s and never sees the data.
#[test]
fn a_loop_that_arms_nothing_again_looks_for_nothing() {
    for call in DOORS {
        let first = Raw { microseconds: 100_000, call, ..NOW };
        let again = Raw { keep: Keep::Both, ..first };
        let mut client = vec![connect(), raw(first).outcome(), write("go"), arrives()];
        client.extend((0..48).map(|_| raw(again)));
        client.push(raw(again).verdict());
        client.push(remaining().outcome());
        // Each alone: the set anew sees the data; the timeout anew waits for an empty set.
        client.push(raw(Raw { keep: Keep::Timeout, ..first }).outcome());
        client.push(raw(Raw { keep: Keep::Both, ..first }).outcome());
        let peer = vec![accept(), read(), write("A"), read()];
        let (target, _) = play(&script(client, peer, &["**"]), &few());
        assert_eq!(target.tally.outcomes, counts(&[("timeout,timeout,left=0,readable,readable", 8)]));
        let record = &target.records[0];
        let rounds: Vec<_> = record.steps.iter().filter(|step| step.step == 1 || step.step >= 4).collect();
        assert!(rounds[..50].iter().all(|round| round.returned == 0), "{rounds:?}");
    }
}
