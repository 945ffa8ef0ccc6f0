//! The kernel's log of a trial.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpListener;

use rig_protocol::{Op, Step};

use crate::driver::*;

fn logged(text: &str) -> Step {
    step(Op::KernelLog { contains: text.to_owned() })
}

/// Writes a line into the kernel's log, as `echo > /dev/kmsg` does; the errno where that is not allowed.
fn say(text: &str) -> Result<(), i32> {
    let opened = OpenOptions::new().write(true).open("/dev/kmsg");
    let written = opened.and_then(|mut log| log.write_all(format!("{text}\n").as_bytes()));
    written.map_err(|error| error.raw_os_error().unwrap_or_default())
}

/// Whether a process as this one may read it.
fn may_read() -> bool {
    OpenOptions::new().read(true).open("/dev/kmsg").is_ok()
}

#[test]
fn only_lines_of_the_trial_with_the_text_are_counted_and_each_time_again() {
    let text = format!("rig loopback test {}", std::process::id());
    let before = say(&format!("{text}: before"));
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("it listens").to_string();
    let client = vec![
        connect(),
        write("go"),
        read().verdict(),
        logged(&text).outcome(),
        logged(&format!("{text}: during")).outcome(),
        logged("nobody says this").outcome(),
        logged(&text).outcome(),
        fd_check().outcome(),
    ];
    let script = script(client, vec![], &["**"]);
    let mut target = Agent::start();
    target.begin(Setting { trials: 1, ..Setting::default() }.target(&script, &address));
    let (mut connection, _) = server.accept().expect("the client connects");
    let mut word = [0; 2];
    connection.read_exact(&mut word).expect("its word");
    // The trial has begun.
    let during = before.and_then(|()| say(&format!("{text}: during")));
    connection.write_all(b"A").expect("it reads");
    let played = target.conclude();
    let expected = match (may_read(), during) {
        (true, Ok(())) => "data,lines=1,lines=1,lines=0,lines=1,ok",
        (true, Err(_)) => "data,lines=0,lines=0,lines=0,lines=0,ok",
        (false, _) => "data,EPERM,EPERM,EPERM,EPERM,ok",
    };
    assert_eq!(played.tally.outcomes, counts(&[(expected, 1)]));
    // The log's own descriptor has taken no number from the connection.
    assert_eq!(played.records[0].descriptor, 3);
}

#[test]
fn both_ends_and_all_lanes_can_look() {
    let text = "nobody says this either";
    let client = vec![connect(), write("go"), read().verdict(), mark(0), logged(text).outcome()];
    let other = vec![wait_for(0, 10 * SECOND), logged(text).outcome()];
    let lanes = vec![target_lane("client", client), target_lane("other", other)];
    let script = script_of(lanes, vec![accept(), read(), logged(text).outcome(), write("A")], &["**"]);
    let (target, peer) = play(&script, &Setting { trials: 20, ..Setting::default() });
    let answer = if may_read() { "lines=0" } else { "EPERM" };
    assert_eq!(target.tally.outcomes, counts(&[(&format!("data,{answer},{answer}"), 20)]));
    assert_eq!(peer.tally.outcomes.len(), 1, "{:?}", peer.tally.outcomes);
    assert!(peer.tally.outcomes.keys().all(|outcome| outcome.contains(answer)));
}
