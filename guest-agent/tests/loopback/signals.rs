//! Signals to a lane: what they interrupt, what goes on by itself, what a handler closes, and how many are counted.

use rig_protocol::{Delay, Event, Handler, LaneIndex, Op, PollCall, Script, Slot, Step};

use crate::driver::*;

const LATER: u64 = 60 * SECOND;
const CLIENT: u16 = 0;

fn signal(lane: u16, handler: Handler) -> Step {
    let socket = (handler == Handler::Close).then_some(Slot(0));
    step(Op::Signal { lane: LaneIndex(lane), handler, socket })
}

fn signals_seen() -> Step {
    step(Op::SignalsSeen {})
}

fn poll() -> Step {
    let timeout = Delay::Fixed { ns: LATER };
    step(Op::Poll { sockets: vec![Slot(0)], events: vec![Event::Readable], timeout, call: PollCall::Poll })
}

/// The client connects and makes calls on a quiet connection; the other lane sends signals until one of them must have met the first call, even
/// where the client is slow to make it, and then says something, so that whatever still waits ends.
fn disturbed(calls: Vec<Step>, handler: Handler) -> Script {
    let client = [connect(), mark(0)].into_iter().chain(calls).collect();
    let mut other = vec![wait_for(0, LATER)];
    for pause in [20, 50, 200, 800] {
        other.extend([sleep(pause * MS), signal(CLIENT, handler)]);
    }
    other.extend([sleep(50 * MS), write("go").may_fail()]);
    let lanes = vec![target_lane("client", client), target_lane("other", other)];
    script_of(lanes, vec![accept(), read(), write("A"), read()], &["**"])
}

fn few() -> Setting {
    Setting { trials: 4, in_flight: 4, deadline_ns: LATER, ..Setting::default() }
}

fn first_labels(script: &Script) -> Vec<String> {
    let (target, _) = play(script, &few());
    assert_eq!((target.tally.trials, target.tally.void()), (4, 0), "{:?}", target.tally.voids);
    target.tally.outcomes.into_keys().collect()
}

#[test]
fn a_signal_ends_the_call_that_it_meets_and_that_is_an_observation() {
    let interrupted = disturbed(vec![read().verdict()], Handler::Interrupt);
    let (target, _) = play(&interrupted, &few());
    assert_eq!(target.tally.outcomes, counts(&[("EINTR", 4)]));
    assert_eq!(target.tally.returns, returns(&[("-1/EINTR", 4)]));
    assert!(target.records.iter().all(|record| record.steps.iter().all(|step| !step.cut)));
    for call in [select(LATER), poll()] {
        assert_eq!(first_labels(&disturbed(vec![call.verdict()], Handler::Interrupt)), ["EINTR"]);
    }
}

#[test]
fn with_sa_restart_a_read_goes_on_and_select_and_poll_do_not() {
    let goes_on = disturbed(vec![read().verdict(), signals_seen().outcome()], Handler::Restart);
    assert_eq!(first_labels(&goes_on), ["data,signals=4"]);
    for call in [select(LATER), poll()] {
        assert_eq!(first_labels(&disturbed(vec![call.verdict()], Handler::Restart)), ["EINTR"]);
    }
    // A limit on the wait takes that away (signal(7)).
    let limited = disturbed(vec![receive_timeout(LATER), read().verdict()], Handler::Restart);
    assert_eq!(first_labels(&limited), ["EINTR"]);
}

#[test]
fn a_handler_closes_the_socket_under_the_call() {
    let calls = vec![read().verdict(), read().outcome(), select(0).outcome(), fd_check().outcome()];
    let script = disturbed(calls, Handler::Close);
    for outcome in first_labels(&script) {
        assert!(outcome.starts_with("EINTR,EBADF,"), "{outcome}");
        assert!(outcome.contains(",EBADF,EBADF"), "{outcome}");
    }
}

#[test]
fn every_signal_is_counted_in_the_lane_that_it_was_sent_to() {
    let all = [Handler::Interrupt, Handler::Restart, Handler::Close];
    let client = vec![
        connect(),
        signals_seen().outcome(),
        signal(0, Handler::Interrupt).outcome(),
        signals_seen().outcome(),
        mark(0),
        wait_for(1, LATER),
        signals_seen().outcome(),
        fd_check().verdict(),
    ];
    let mut other = vec![wait_for(0, LATER)];
    other.extend(all.map(|handler| signal(0, handler)));
    other.extend([signals_seen().outcome(), mark(1)]);
    let lanes = vec![target_lane("client", client), target_lane("other", other)];
    let script = script_of(lanes, vec![accept(), read()], &["**"]);
    let (target, _) = play(&script, &Setting { trials: 100, ..Setting::default() });
    let outcome = "signals=0,ok,signals=1,signals=0,signals=4,EBADF";
    assert_eq!(target.tally.outcomes, counts(&[(outcome, 100)]));
}

/// The last thing that a trial does; the next one of the same threads begins at once.
#[test]
fn a_signal_that_comes_late_is_not_one_of_the_next_trial() {
    let client = vec![connect(), signals_seen().outcome(), mark(0), fd_check().verdict()];
    let mut other = vec![signals_seen().outcome(), wait_for(0, LATER)];
    other.extend((0..3).map(|_| signal(0, Handler::Interrupt)));
    other.extend((0..3).map(|_| signal(1, Handler::Interrupt)));
    let lanes = vec![target_lane("client", client), target_lane("other", other)];
    let script = script_of(lanes, vec![accept(), read()], &["**"]);
    let (target, _) = play(&script, &Setting { trials: 400, in_flight: 2, ..Setting::default() });
    // The lanes begin in any order.
    let mut labels: Vec<_> = target.tally.outcomes.keys().map(|key| key.split(',').collect()).collect();
    labels.iter_mut().for_each(|labels: &mut Vec<_>| labels.sort_unstable());
    assert!(labels.iter().all(|labels| *labels == ["ok", "signals=0", "signals=0"]), "{labels:?}");
    assert_eq!(target.tally.trials, 400);
}

#[test]
fn a_write_with_nosignal_raises_none() {
    let client = vec![
        connect(),
        write("go"),
        read(),
        write("A").outcome(),
        write("A").outcome(),
        signals_seen().outcome(),
        fd_check().verdict(),
    ];
    let script = script(client, vec![accept(), read(), linger(), close()], &["**"]);
    let (target, _) = play(&script, &few());
    assert_eq!(target.tally.outcomes, counts(&[("read:ECONNRESET,EPIPE,EPIPE,signals=0,ok", 4)]));
}

#[test]
fn a_deadline_cuts_a_call_that_signals_have_met() {
    let client = vec![connect(), signal(0, Handler::Interrupt), signals_seen().outcome(), read().verdict()];
    let script = script(client, vec![accept(), read()], &["**"]);
    let setting = Setting { deadline_ns: 200 * MS, ..few() };
    let mut pair = Pair::start();
    let address = pair.peer.begin(Setting { deadline_ns: LATER, ..few() }.peer(&script));
    pair.target.begin(setting.target(&script, &address));
    let target = pair.target.conclude();
    pair.peer.finish();
    assert_eq!(target.tally.outcomes, counts(&[("signals=1,deadline", 4)]));
    let cut = target.records[0].steps.iter().find(|step| step.cut).expect("the read");
    assert_eq!((cut.returned, cut.errno()), (-i64::from(libc::EINTR), None));
}
