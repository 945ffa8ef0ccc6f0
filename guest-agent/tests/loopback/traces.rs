//! Events of the kernel and their attribution; where they cannot be had, the errno of the step.

use std::collections::BTreeSet;

use rig_protocol::{Op, Step};

use crate::driver::*;

/// What a process that may not trace, or a kernel that cannot, gives.
const LACKS: [&str; 6] = ["EPERM", "EACCES", "ENOENT", "ENOSYS", "EOPNOTSUPP", "ENODEV"];

fn trace(event: &str) -> Step {
    step(Op::Trace { event: event.to_owned() })
}

fn traced(event: &str) -> Step {
    step(Op::Traced { event: event.to_owned() })
}

/// The first and the last label of every outcome: whether the event could be watched, and whom it was attributed to. A lack is the errno of both.
fn attributions(event: &str, client: Vec<Step>, peer: Vec<Step>) -> Option<BTreeSet<String>> {
    let steps = [trace(event).outcome(), connect(), write("go")].into_iter().chain(client);
    let client = steps.chain([sleep(10 * MS), traced(event).outcome()]).collect();
    let setting = Setting { trials: 20, in_flight: 4, ..Setting::default() };
    let (target, _) = play(&script(client, peer, &["**"]), &setting);
    assert_eq!((target.tally.trials, target.tally.void()), (20, 0), "{:?}", target.tally.voids);
    let ends: Vec<_> =
        target.tally.outcomes.keys().map(|outcome| outcome.split_once(',').expect("labels")).collect();
    let begun = ends[0].0;
    let last: BTreeSet<_> =
        ends.iter().map(|(_, later)| later.rsplit(',').next().expect("a label").to_owned()).collect();
    assert!(target.records.iter().all(|record| record.descriptor == 3), "probes take no number");
    if begun == "ok" {
        return Some(last);
    }
    assert!(LACKS.contains(&begun), "{begun}");
    assert_eq!(last, [begun.to_owned()].into());
    None
}

fn of(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_reset_that_comes_in_is_attributed_to_whoever_was_running_and_no_reset_to_nobody() {
    let event = "tcp:tcp_receive_reset";
    let resets = vec![accept(), read(), linger(), close()];
    if let Some(found) = attributions(event, vec![select(10 * SECOND).verdict()], resets) {
        // On loopback that is the peer which sends it, or a thread of the kernel, or no task; the client only where it had just woken.
        assert!(found.is_subset(&of(&["other", "idle", "own"])), "{found:?}");
        let quiet = vec![accept(), read(), write("A"), read()];
        assert_eq!(attributions(event, vec![read().verdict()], quiet), Some(of(&["none"])));
    }
}

#[test]
fn a_reset_that_the_client_sends_is_its_own() {
    let event = "tcp:tcp_send_reset";
    let client = vec![linger(), close().verdict()];
    if let Some(found) = attributions(event, client, vec![accept(), read(), read()]) {
        assert_eq!(found, of(&["own"]));
    }
}

#[test]
fn an_event_without_ports_tells_of_the_whole_kernel() {
    let resets = vec![accept(), read(), linger(), close()];
    if let Some(found) = attributions("kprobe:tcp_reset", vec![select(10 * SECOND).verdict()], resets) {
        assert!(found.is_subset(&of(&["own", "other", "idle"])), "{found:?}");
    }
    // What is written to an end that has closed is dropped there (RFC 1122, 4.2.2.13), over loopback within the call that writes it; something
    // else of the kernel may have dropped a segment before.
    let client = vec![read().verdict(), write("more")];
    if let Some(found) = attributions("skb:kfree_skb", client, vec![accept(), read(), close()]) {
        assert!(found.is_subset(&of(&["own", "other", "idle"])), "{found:?}");
    }
}

#[test]
fn what_is_no_event_or_not_begun_is_an_errno() {
    let client = vec![
        connect(),
        trace("tcp").outcome(),
        traced("tcp").outcome(),
        traced("tcp:tcp_receive_reset").outcome(),
        trace("tcp:no_such_event").outcome(),
        fd_check().verdict(),
    ];
    let (target, _) =
        play(&script(client, vec![accept(), read()], &["**"]), &Setting { trials: 4, ..Setting::default() });
    let outcomes: Vec<_> = target.tally.outcomes.keys().collect();
    let beginning = "EINVAL,EINVAL,ENODATA,";
    assert!(outcomes.len() == 1 && outcomes[0].starts_with(beginning), "{outcomes:?}");
    let missing = outcomes[0][beginning.len()..].strip_suffix(",ok").expect("the verdict");
    assert!(LACKS.contains(&missing), "{missing}");
}
