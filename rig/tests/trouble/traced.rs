//! An independent look at the verdict call: what strace sees select() return is what the record says, call by call.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::blackbox::tools::needs;
use crate::blackbox::{Lab, Recorded, is_root, matrix, program};

/// Which door, and the timeout that was asked for: a cell has a pair of its own here, but for pselect6 and the C library, and for two of the controls.
type Door = (String, String);
type Returns = BTreeMap<String, u64>;

const RUN: &str = r#"
trials = 60
blocks = 1
in_flight = 20
control_trials = 150
control_blocks = 1
[scenario.rst]
client_delay = "50ms"
call = ["select", "libc", "pselect6"]
timeout = ["4s", "6s"]
"#;

#[test]
fn strace_sees_the_returns_that_the_record_says() {
    if !is_root("netns") {
        return;
    }
    let Some(strace) = needs("strace") else { return };
    let lab = Lab::new(&matrix(RUN, r#""rst", "watcher""#, r#""bare-metal""#));
    let trace = lab.path().join("trace");
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-e", "trace=select,pselect6", "-o"]).arg(&trace).arg(program());
    command.args(["matrix", "run", "--seed", "7", "configuration=bare-metal", "kernel=host"]);
    lab.settle(&mut command);
    lab.start(command).end().expect(0);
    let seen = read(&fs::read_to_string(trace).unwrap());
    let recorded = recorded(&lab.only_run());
    assert_eq!(
        recorded.len(),
        7,
        "two doors and two timeouts of rst, watcher, closed descriptor, the other controls: {recorded:?}"
    );
    assert_eq!(seen, recorded);
    let count = |errno: &str| recorded.values().filter_map(|returns| returns.get(errno)).sum::<u64>();
    assert!(count("-1/EBADF") >= 60 && count("-1/ENOENT") > 0, "{recorded:?}");
}

/// What the record says, by door.
fn recorded(run: &Recorded) -> BTreeMap<Door, Returns> {
    let cells = run.record().cells;
    let mut sums = BTreeMap::<Door, Returns>::new();
    for block in run.played() {
        let subject = &cells.iter().find(|record| record.cell.id == block.cell).unwrap().cell.subject;
        let parameter = |name: &str| subject.parameters.get(name).map(String::as_str);
        let call = match parameter("call") {
            // What the C library's select() has made since glibc 2.34 on x86-64.
            Some("libc" | "pselect6") => "pselect6",
            Some("select") | None => "select",
            Some(other) => panic!("{other}"),
        };
        let timeout = match (subject.scenario.as_str(), parameter("timeout")) {
            (_, Some(timeout)) => timeout,
            ("control-closed-descriptor", None) => "100ms",
            (_, None) => "5s",
        };
        let door = (call.to_owned(), timeout.to_owned());
        let sum = sums.entry(door).or_default();
        for (returned, count) in &block.tally.returns {
            *sum.entry(returned.to_string()).or_default() += count;
        }
    }
    sums
}

/// What strace saw, by door. The first call of `watcher` is no verdict: it is the one that its thread follows up by one of 200 ms.
fn read(trace: &str) -> BTreeMap<Door, Returns> {
    let mut begun: BTreeMap<&str, Door> = BTreeMap::new();
    let mut calls: BTreeMap<&str, Vec<(Door, String)>> = BTreeMap::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if rest.starts_with("---") || rest.starts_with("+++") {
            continue;
        }
        if !rest.starts_with("<...") {
            begun.insert(thread, door(rest));
        }
        let Some((_, result)) =
            rest.rsplit_once(") ").and_then(|(_, tail)| tail.trim_start().split_once("= "))
        else {
            assert!(rest.ends_with("<unfinished ...>"), "{line}");
            continue;
        };
        let mut words = result.split_whitespace();
        let label = match (words.next().unwrap(), words.next()) {
            ("-1", Some(errno)) => format!("-1/{errno}"),
            (number, _) => number.to_owned(),
        };
        calls.entry(thread).or_default().push((begun.remove(thread).unwrap(), label));
    }
    let mut sums = BTreeMap::<Door, Returns>::new();
    for calls in calls.values() {
        for (index, (door, label)) in calls.iter().enumerate() {
            let next = calls.get(index + 1).map(|((_, timeout), _)| timeout.as_str());
            if door.1 == "5s" && next == Some("200ms") {
                continue;
            }
            *sums.entry(door.clone()).or_default().entry(label.clone()).or_default() += 1;
        }
    }
    sums
}

/// `select(4, [3], NULL, NULL, {tv_sec=5, tv_usec=0} ...`
fn door(call: &str) -> Door {
    let name = call.split('(').next().unwrap();
    let number = |key: &str| -> u64 {
        let (_, rest) = call.split_once(key).unwrap_or_else(|| panic!("no {key} in {call}"));
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let below = if name == "select" { number("tv_usec=") / 1_000 } else { number("tv_nsec=") / 1_000_000 };
    let timeout = match number("tv_sec=") {
        0 => format!("{below}ms"),
        seconds => format!("{seconds}s"),
    };
    (name.to_owned(), timeout)
}
