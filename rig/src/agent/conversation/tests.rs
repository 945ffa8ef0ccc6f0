//! Scripted agents that do everything wrong that a guest can do wrong.

use std::io::Write;
use std::thread;

use rig_protocol::{Interface, Returned, Script};
use serde::Serialize;
use serde_json::{Value as Json, json};

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
        ..Hello::default()
    }
}

fn assignment(trials: u64) -> Assignment {
    Assignment {
        script: Script { name: "none".into(), ..Script::default() },
        role: Role::Target { connect: String::new() },
        trials,
        in_flight: 1,
        seed: 0,
        keep_examples: 1,
        keep_anomalies: 1,
        trial_deadline_ns: 1,
        root: None,
    }
}

fn tally(trials: u64) -> Tally {
    let mut tally = Tally { trials, ..Tally::default() };
    tally.returns.insert(Returned::ONE, trials);
    tally.outcomes.insert("readable".into(), trials);
    tally
}

const WAIT: Duration = Duration::from_secs(5);
const WAITS: Waits = Waits { silence: WAIT, total: WAIT };

/// An agent that says these frames as soon as it is asked (or at once), then closes.
fn agent<T: Serialize + Send + 'static>(replies: Vec<T>) -> UnixStream {
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
    play_raw(
        replies.into_iter().map(|reply| serde_json::to_value(reply).expect("plain data")).collect(),
        trials,
    )
}

/// The same with frames that no agent of ours would send.
fn play_raw(replies: Vec<Json>, trials: u64) -> Result<Played, AgentError> {
    let mut all = vec![json!({ "hello": hello() }), json!({ "ready": { "listening": "" } })];
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
    assert_eq!(reason(vec![]), "agent gone while rig waited for the end of play (last: ready)");
    assert_eq!(reason(vec![sums()]), "agent gone while rig waited for the end of play (last: tally)");
    assert_eq!(reason(vec![fin(2, 3)]), "agent sent fin instead of tally");
    assert_eq!(reason(vec![sums(), sums()]), "agent sent tally instead of fin");
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
    torn.returns.insert(Returned::ZERO, 1);
    assert_eq!(
        reason(vec![Reply::Tally(Box::new(torn)), fin(3, 3)]),
        "agent's totals do not add up: 3 trials but 4 verdict returns"
    );
    assert_eq!(reason(vec![Reply::Refused { reason: "no threads".into() }]), "agent refused: no threads");
    assert_eq!(reason(vec![Reply::Hello(hello())]), "agent sent hello instead of the end of play");
}

/// Cases that are about the text of what an agent says.
const ABOUT_TEXT: [&str; 3] = ["refusal-paints", "label-paints", "release-is-a-formula"];

#[test]
fn an_agent_that_contradicts_itself_is_not_believed() {
    let mut tried = Vec::new();
    for line in include_str!("../../../tests/agent/contradictions.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("a case a line");
        let name = case["case"].as_str().expect("a name").to_owned();
        if ABOUT_TEXT.contains(&name.as_str()) {
            continue;
        }
        let body = case["body"].clone();
        let mut said = vec![body.clone()];
        // What comes after it fits to it, as far as numbers that wrap can.
        let sums = &body["tally"];
        if sums.is_null() {
            said.push(json!({ "tally": tally(100) }));
            said.push(json!({ "fin": { "frames": 4, "trials": 100, "void": 0, "records": 0 } }));
        } else {
            let voids = sums["voids"].as_object().expect("an object").values();
            let void = voids.fold(0_u64, |sum, n| sum.wrapping_add(n.as_u64().expect("a number")));
            let fin = json!({ "frames": 3, "trials": sums["trials"], "void": void, "records": 0 });
            said.push(json!({ "fin": fin }));
        }
        let error = play_raw(said, 100).expect_err(&name);
        assert!(matches!(error, AgentError::Totals { .. }), "{name}: {error}");
        assert!(error.to_string().starts_with("agent's totals do not add up: "), "{name}: {error}");
        tried.push(name);
    }
    assert_eq!(
        tried,
        [
            "returns-wrap",
            "trials-wrap",
            "voids-wrap",
            "bucket-beyond-scale",
            "counter-at-limit",
            "injected-beyond-trials",
            "progress-at-limit",
            "label-no-xml"
        ]
    );
}

/// The case of this name.
fn case(name: &str) -> Json {
    let lines = include_str!("../../../tests/agent/contradictions.jsonl").lines();
    let mut cases = lines.map(|line| serde_json::from_str::<Json>(line).expect("a case a line"));
    cases.find(|case| case["case"] == name).expect("it is there")["body"].clone()
}

#[test]
fn an_agent_that_paints_is_told_in_one_plain_line() {
    let [refusal, label, release] = ABOUT_TEXT;
    let error = play_raw(vec![case(refusal)], 100).expect_err("refused").to_string();
    let words = "]0;TITLE\u{fffd}\u{fffd}[31mred\u{fffd}[2J run 1: all cells complete =1+1";
    assert_eq!(error, format!("agent refused: \u{fffd}{words}"));
    let early = vec![json!({ "hello": hello() }), case(refusal)];
    let mut conversation = Conversation::open(agent(early), BUILD, WAIT).expect("hello");
    assert_eq!(conversation.play(&assignment(100), WAIT).expect_err("refused").to_string(), error);
    let long = json!({ "refused": { "reason": "x".repeat(1 << 20) } });
    assert!(play_raw(vec![long], 100).expect_err("refused").to_string().len() < 300);

    let error = play_raw(vec![case(label)], 100).expect_err("no return is spelled so");
    let AgentError::Nonsense { cause: FrameError::Garbage { reason, .. }, .. } = &error else {
        panic!("{error}")
    };
    assert!(reason.starts_with("a return is written `1`, `0` or `-1/EBADF`"), "{reason}");
    let unknown = json!({ format!("\u{1b}[2J{}", "x".repeat(1 << 20)): {} });
    let error = play_raw(vec![unknown], 100).expect_err("no such reply");
    let AgentError::Nonsense { cause, .. } = error else { panic!("{error}") };
    assert!(cause.to_string().len() < 512 && !cause.to_string().contains(char::is_control), "{cause}");

    // It is a text like any other; that it is no formula is the report's to see to.
    let mut body = case(release);
    body["hello"]["protocol_version"] = PROTOCOL_VERSION.into();
    body["hello"]["build_id"] = BUILD.into();
    let said = body["hello"]["kernel_release"].clone();
    let conversation = Conversation::open(agent(vec![body]), BUILD, WAIT).expect("hello");
    assert_eq!(conversation.hello().kernel_release, said);
}

#[test]
fn records_that_no_agent_keeps_end_the_conversation() {
    let record = |change: fn(&mut TrialRecord)| {
        let mut record = TrialRecord {
            trial: 0,
            outcome: "readable".into(),
            anomaly: false,
            void: false,
            local_port: 0,
            descriptor: -1,
            steps: vec![],
            program: None,
        };
        change(&mut record);
        Reply::Example(record)
    };
    let played = |records: Vec<Reply>| {
        let count = records.len() as u64;
        let end = Fin { frames: 3 + count, trials: 3, void: 0, records: count };
        let sums = [Reply::Tally(Box::new(tally(3))), Reply::Fin(end)];
        play(records.into_iter().chain(sums).collect(), 3).map_err(|error| error.to_string())
    };
    let refused = |what: &str| Err(format!("agent's totals do not add up: {what}"));
    let kept = played(vec![record(|_| ()), record(|record| record.anomaly = true)]);
    assert_eq!(kept.expect("asked for").records.len(), 2);
    assert_eq!(played(vec![record(|_| ()), record(|_| ())]), refused("more than 1 records of one outcome"));
    assert_eq!(played(vec![record(|record| record.trial = 3)]), refused("a record of trial 3 of 3"));
    assert_eq!(
        played(vec![record(|record| record.outcome = "\u{1b}[2J".into())]),
        refused("a record's outcome with something else than printable ASCII")
    );
}

#[test]
fn a_sign_of_life_counts_no_more_than_was_asked_for() {
    let say_cut = |trials, void, returned, labelled, unreturned| {
        let progress = Reply::Progress(Progress {
            trials,
            voids: [("trial deadline".to_owned(), void)].into_iter().filter(|(_, n)| *n > 0).collect(),
            returns: [(Returned::ONE, returned)].into(),
            outcomes: [("readable".to_owned(), labelled)].into(),
            unreturned,
        });
        play(vec![progress, Reply::Tally(Box::new(tally(3))), fin(4, 3)], 3)
            .map_err(|error| error.to_string())
    };
    let say = |trials, void, returned, labelled| say_cut(trials, void, returned, labelled, 0);
    say(2, 1, 2, 2).expect("as many as were asked for");
    say_cut(2, 1, 1, 2, 1).expect("a verdict call that was cut has not returned");
    let refused = |what: &str| Err(format!("agent's totals do not add up: a sign of life counts {what}"));
    assert_eq!(say(3, 1, 3, 3), refused("3 trials and 1 void of 3"));
    assert_eq!(say(1, u64::MAX, 1, 1), refused("1 trials and 18446744073709551615 void of 3"));
    assert_eq!(say(2, 0, 1, 2), refused("2 trials but not as many verdict returns"));
    assert_eq!(say(2, 0, 2, 3), refused("2 trials but not as many outcomes"));
}

#[test]
fn a_hello_without_end_is_refused() {
    let interface = |offloads: usize| Interface {
        offloads: (0..offloads).map(|number| (number.to_string(), true)).collect(),
        ..Interface::default()
    };
    let open = |interfaces: Vec<Interface>| {
        let opened =
            Conversation::open(agent(vec![Reply::Hello(Hello { interfaces, ..hello() })]), BUILD, WAIT);
        opened.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(open(vec![interface(256); 64]), Ok(()), "as much as an honest agent says");
    let refused = |what: &str| Err(format!("agent's totals do not add up: a hello with {what}"));
    assert_eq!(open(vec![interface(1); 65]), refused("65 interfaces"));
    assert_eq!(open(vec![interface(257)]), refused("257 offloads of an interface, or sysctls"));
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
