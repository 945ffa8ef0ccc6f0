//! Scripted agents that do everything wrong that a guest can do wrong.

use std::io::Write;
use std::thread;

use rig_protocol::Script;

use super::*;

const BUILD: &str = "0123456789abcdef";

fn hello() -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: BUILD.into(),
        kernel_release: "6.1.0".into(),
        kernel_version: "#1".into(),
        hypervisor: false,
        clocksource: "tsc".into(),
        cpus: 1,
        localtime: true,
        sysctls: Default::default(),
    }
}

fn assignment(trials: u64) -> Assignment {
    Assignment {
        script: Script { name: "none".into(), sockets: vec![], marks: vec![], lanes: vec![], expect: vec![] },
        role: Role::Target { connect: String::new() },
        trials,
        in_flight: 1,
        seed: 0,
        keep_examples: 1,
        keep_anomalies: 1,
        trial_deadline_ns: 1,
    }
}

fn tally(trials: u64) -> Tally {
    let mut tally = Tally { trials, ..Tally::default() };
    tally.returns.insert("1".into(), trials);
    tally.outcomes.insert("readable".into(), trials);
    tally
}

const WAIT: Duration = Duration::from_secs(5);
const WAITS: Waits = Waits { silence: WAIT, total: WAIT };

/// An agent that says these frames as soon as it is asked (or at once), then closes.
fn agent(replies: Vec<Reply>) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let mut writer = FrameWriter::new(theirs.try_clone().expect("a descriptor"));
    thread::spawn(move || {
        for reply in replies {
            if writer.write(&reply).is_err() {
                return;
            }
        }
        // Keep the writing end shut but the reading end open, so that requests do not fail first.
        let _ = theirs.shutdown(Shutdown::Write);
        thread::sleep(Duration::from_secs(1));
    });
    ours
}

fn play(replies: Vec<Reply>, trials: u64) -> Result<Played, AgentError> {
    let mut all = vec![Reply::Hello(hello()), Reply::Ready { listening: String::new() }];
    all.extend(replies);
    let mut conversation = Conversation::open(agent(all), BUILD, WAIT)?;
    let assignment = assignment(trials);
    conversation.play(&assignment, WAIT)?;
    conversation.collect(&assignment, WAITS, |_| ())
}

fn fin(frames: u64, trials: u64) -> Reply {
    Reply::Fin(Fin { frames, trials, void: 0, records: 0 })
}

#[test]
fn a_good_agent_is_believed() {
    let played =
        play(vec![Reply::Progress(Progress::default()), Reply::Tally(Box::new(tally(3))), fin(4, 3)], 3);
    assert_eq!(played.expect("all adds up").tally, tally(3));
}

#[test]
fn every_bad_end_has_its_reason() {
    let reason = |replies| play(replies, 3).expect_err("not acceptable").to_string();
    let sums = || Reply::Tally(Box::new(tally(3)));
    assert_eq!(reason(vec![]), "agent gone while waiting for the end of play (last: ready)");
    assert_eq!(reason(vec![sums()]), "agent gone while waiting for the end of play (last: tally)");
    assert_eq!(reason(vec![fin(2, 3)]), "agent sent fin where tally was due");
    assert_eq!(reason(vec![sums(), sums()]), "agent sent tally where fin was due");
    assert_eq!(reason(vec![sums(), fin(9, 3)]), "agent's totals do not add up: FIN counts 9 frames, 3 came");
    assert_eq!(
        reason(vec![sums(), fin(3, 2)]),
        "agent's totals do not add up: FIN counts 2 trials and 0 void, the tally 3 and 0"
    );
    assert_eq!(
        reason(vec![Reply::Tally(Box::new(tally(2))), fin(3, 2)]),
        "agent's totals do not add up: 3 trials were asked for, 2 came"
    );
    let mut torn = tally(3);
    torn.returns.insert("0".into(), 1);
    assert_eq!(
        reason(vec![Reply::Tally(Box::new(torn)), fin(3, 3)]),
        "agent's totals do not add up: 3 trials but 4 verdict returns"
    );
    assert_eq!(reason(vec![Reply::Refused { reason: "no threads".into() }]), "agent refused: no threads");
    assert_eq!(reason(vec![Reply::Hello(hello())]), "agent sent hello where the end of play was due");
}

#[test]
fn a_wrong_build_and_a_wrong_protocol_are_told_apart() {
    let open = |hello| {
        Conversation::open(agent(vec![Reply::Hello(hello)]), BUILD, WAIT).expect_err("wrong").to_string()
    };
    assert_eq!(
        open(Hello { build_id: "feedfeedfeedfeed".into(), ..hello() }),
        "agent is build feedfeedfeed, rig carries 0123456789ab"
    );
    assert_eq!(
        open(Hello { protocol_version: 99, ..hello() }),
        format!("agent speaks protocol 99, rig speaks {PROTOCOL_VERSION}")
    );
}

#[test]
fn garbage_a_huge_frame_and_silence_end_the_wait() {
    let raw = |bytes: &'static [u8]| {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        theirs.write_all(bytes).expect("fits into the buffer");
        (Conversation::open(ours, BUILD, Duration::from_millis(100)).expect_err("no hello"), theirs)
    };
    assert!(matches!(
        raw(b"sh: not found\n").0,
        AgentError::Nonsense { cause: FrameError::TooLarge { .. }, .. }
    ));
    assert!(matches!(
        raw(&[1, 0, 0, 0, 0, 0, 0, 0, b'?']).0,
        AgentError::Nonsense { cause: FrameError::Garbage { .. }, .. }
    ));
    assert!(matches!(raw(&[]).0, AgentError::Silent { wait: "hello", .. }));
}

#[test]
fn a_breaker_ends_the_wait_from_outside() {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    FrameWriter::new(&theirs).write(&Reply::Hello(hello())).expect("fits");
    let breaker = Breaker::of(&ours).expect("a descriptor");
    let mut conversation = Conversation::open(ours, BUILD, WAIT).expect("hello");
    let waiting = thread::spawn(move || conversation.play(&assignment(1), Duration::from_secs(600)));
    breaker.cut();
    let end = waiting.join().expect("no panic").expect_err("cut");
    assert!(matches!(end, AgentError::Gone { .. } | AgentError::Deaf { .. }), "{end}");
    drop(theirs);
}
