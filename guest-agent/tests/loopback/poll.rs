//! poll(2): the bits of a connection that was reset, through every door.

use rig_protocol::{Delay, Event, Op, PollCall, Shut, Slot, Step};

use crate::driver::*;

const DOORS: [PollCall; 3] = [PollCall::Poll, PollCall::Ppoll, PollCall::Libc];
const ALL: [Event; 6] =
    [Event::Readable, Event::Urgent, Event::Writable, Event::PeerClosed, Event::Error, Event::Hangup];

fn poll(events: &[Event], ns: u64, call: PollCall) -> Step {
    let timeout = Delay::Fixed { ns };
    step(Op::Poll { sockets: vec![Slot(0)], events: events.to_vec(), timeout, call })
}

fn few() -> Setting {
    Setting { trials: 20, in_flight: 4, ..Setting::default() }
}

#[test]
fn a_reset_is_told_to_who_asks_for_nothing_again_and_again() {
    let mut pair = Pair::start();
    for call in DOORS {
        let client = vec![
            connect(),
            write("go"),
            poll(&[], 10 * SECOND, call),
            // A call that looks while the kernel takes the reset in can see POLLERR alone: the error is set before the end.
            sleep(10 * MS),
            poll(&[], 10 * SECOND, call).verdict(),
            poll(&[], 10 * SECOND, call).outcome(),
            poll(&ALL, 10 * SECOND, call).outcome(),
            read().outcome(),
            // The error was taken, the end stays.
            poll(&[], 10 * SECOND, call).outcome(),
        ];
        let script = script(client, vec![accept(), read(), linger(), close()], &["**"]);
        let (target, _) = pair.play(&script, &few());
        let all = "readable+writable+error+hangup+peer-closed";
        let outcome = format!("error+hangup,error+hangup,{all},ECONNRESET,hangup");
        assert_eq!(target.tally.outcomes, counts(&[(&outcome, 20)]), "{call:?}");
        let events = target.records[0].steps[4..7].iter().map(|step| step.events);
        assert_eq!(events.collect::<Vec<_>>(), [Some(0x18), Some(0x18), Some(0x201d)]);
    }
}

#[test]
fn an_open_connection_a_quiet_one_and_a_closed_descriptor() {
    let mut pair = Pair::start();
    for call in DOORS {
        let client = vec![
            connect(),
            poll(&[], 0, call).outcome(),
            poll(&[Event::Readable], 1_000, call).outcome(),
            poll(&ALL, 10 * SECOND, call).verdict(),
            shutdown(Shut::Both),
            poll(&[], 10 * SECOND, call).outcome(),
            close(),
            poll(&[], 10 * SECOND, call).outcome(),
        ];
        let script = script(client, vec![accept(), read()], &["**"]);
        let (target, _) = pair.play(&script, &few());
        let outcome = &target.tally.outcomes;
        let with = |end: &str| counts(&[(&format!("timeout,timeout,writable,{end},invalid"), 20)]);
        // The peer's FIN may not have come yet: then only this direction is shut down.
        let ended =
            outcome.keys().all(|key| ["hangup", "timeout"].iter().any(|end| with(end).contains_key(key)));
        assert!(ended, "{outcome:?}");
    }
}

#[test]
fn what_no_descriptor_is_listed_for_waits_its_time_out() {
    let nothing = Delay::Fixed { ns: 1_000_000 };
    for call in DOORS {
        let op = Op::Poll { sockets: vec![], events: vec![], timeout: nothing, call };
        let script = script(vec![connect(), step(op).verdict()], vec![accept(), read()], &["timeout"]);
        let (target, _) = play(&script, &few());
        assert_eq!((target.tally.trials, target.tally.anomalies), (20, 0));
    }
}
