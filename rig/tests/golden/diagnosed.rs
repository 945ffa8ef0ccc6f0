//! What the diagnostics see, miss and disturb: all of it from counts, so that each can fall either way.

use rig::analysis::model::{Diagnostic, DiagnosticPlace};

use crate::atlas::{HOST, OLD};
use crate::made_up::{Made, has_section, run_of, section};
use crate::shape::assert_report;

const HEADING: &str = "What the diagnostics see";
const RESET: &str = "readable,data,ECONNRESET";

/// Every tool on the host; the reference twice, once with the RST there before the call.
fn made() -> Vec<Made> {
    let look = |scenario, outcomes: &[(&'static str, u64)]| Made::new(scenario, HOST, outcomes);
    let waits: &[(&str, &str)] = &[("client_delay", "0ms")];
    vec![
        Made {
            closed: false,
            call_ns: 5_000_000,
            parameters: waits,
            ..look("rst", &[("readable,data,eof", 60)])
        },
        look("rst", &[(RESET, 60)]),
        look("look-for-select", &[("readable,none", 60)]),
        look("look-for-pselect6", &[("readable,own", 60)]),
        look("look-kernel-log", &[("readable,lines=0,data,ECONNRESET", 60)]),
        look("look-proc-net-tcp", &[("readable,CLOSE,absent,data,ECONNRESET", 60)]),
        look("look-ss", &[("readable,absent,data,ECONNRESET", 57), ("readable,CLOSE,data,ECONNRESET", 3)]),
        Made {
            call_ns: 8_000,
            ..look(
                "look-kprobe",
                &[("readable,own,data,ECONNRESET", 12), ("readable,idle,data,ECONNRESET", 48)],
            )
        },
        look("look-so-error", &[("readable,ECONNRESET,value=0,CLOSE,data,eof", 60)]),
        Made::new("look-ss", OLD, &[("readable,absent,data,ECONNRESET", 60)]),
    ]
}

fn place(all: &[Diagnostic], tool: &str, at: usize) -> DiagnosticPlace {
    let tool = all.iter().find(|one| one.tool == tool).unwrap_or_else(|| panic!("no {tool}"));
    tool.places[at].clone()
}

#[test]
fn each_tool_has_what_it_showed_and_what_it_disturbed() {
    let bench = run_of(&made());
    let model = bench.model();
    let all = &model.diagnostics;
    let seen = |tool, at| (place(all, tool, at).sees, place(all, tool, at).n);
    assert_eq!(seen("strace -e trace=select", 0), (0, 60));
    assert_eq!(seen("strace -e trace=pselect6", 0), (60, 60));
    assert_eq!(seen("dmesg", 0), (0, 60));
    assert_eq!(seen("/proc/net/tcp", 0), (0, 60));
    assert_eq!((seen("ss", 0), seen("ss", 1)), ((3, 60), (0, 60)));
    assert_eq!(seen("kprobe tcp_reset", 0), (60, 60));
    assert_eq!(place(all, "kprobe tcp_reset", 0).showed, [("own".into(), 12), ("idle".into(), 48)].into());
    assert_eq!(seen("SO_ERROR, TCP_INFO", 0), (60, 60));
    let disturbs =
        |tool, at| place(all, tool, at).disturbs.map(|found| (found.count, found.n, found.reference));
    let reference = || "data,ECONNRESET".to_owned();
    assert_eq!(disturbs("dmesg", 0), Some((0, 60, reference())));
    assert_eq!(disturbs("SO_ERROR, TCP_INFO", 0), Some((60, 60, reference())));
    assert_eq!(disturbs("strace -e trace=select", 0), None, "no call follows that look");
    assert_eq!(disturbs("ss", 1), None, "the base program was not played in the guest");
    assert_eq!(place(all, "tcpdump", 0).cells.len(), 2, "the cells of one place are one row");
    let ratio = |tool| place(all, tool, 0).call_ratio.expect("both are timed");
    assert!((ratio("dmesg") - 1.0).abs() < 0.1 && (ratio("kprobe tcp_reset") - 4.0).abs() < 0.4);
    for tool in ["gdb", "tcp:tcp_receive_reset"] {
        let one = all.iter().find(|one| one.tool == tool).expect("of the table");
        assert!(one.places.is_empty(), "{one:?}");
    }
    insta::assert_snapshot!("diagnostics_text", section(&bench, HEADING));
    assert_report(&serde_json::to_value(&model).expect("plain data"));
}

/// Nothing stands in the table of tools that the trials do not say.
#[test]
fn every_finding_can_fall_the_other_way() {
    let mut cells = made();
    let other: [(usize, &'static str); 7] = [
        (2, "readable,own"),
        (3, "readable,none"),
        (4, "readable,lines=2,data,eof"),
        (5, "readable,CLOSE,CLOSE,data,ECONNRESET"),
        (6, "readable,CLOSE,data,ECONNRESET"),
        (7, "readable,none,data,ECONNRESET"),
        (8, "readable,ok,value=0,CLOSE,data,ECONNRESET"),
    ];
    for (at, outcome) in other {
        cells[at].outcomes = vec![(outcome, 60)];
    }
    let all = run_of(&cells).model().diagnostics;
    let sees = |tool| place(&all, tool, 0).sees;
    let more = ["strace -e trace=select", "dmesg", "/proc/net/tcp", "ss"].map(sees);
    let less = ["strace -e trace=pselect6", "kprobe tcp_reset", "SO_ERROR, TCP_INFO"].map(sees);
    assert_eq!((more, less), ([60; 4], [0; 3]));
    let disturbed = |tool| place(&all, tool, 0).disturbs.map(|found| found.count);
    assert_eq!((disturbed("dmesg"), disturbed("SO_ERROR, TCP_INFO")), (Some(60), Some(0)));
}

/// A tool that fails has missed nothing, and a call of another program hides the trial's.
#[test]
fn what_a_look_could_not_tell_is_no_miss() {
    let mut cells = made();
    let other: [(usize, &'static str); 4] = [
        (3, "readable,other"),
        (4, "readable,EPERM,data,ECONNRESET"),
        (6, "readable,EACCES,data,ECONNRESET"),
        (7, "trace:ENOENT,readable,ENOENT,data,ECONNRESET"),
    ];
    for (at, outcome) in other {
        cells[at].outcomes = vec![(outcome, 60)];
    }
    cells[5].outcomes.push(("deadline", 4));
    let bench = run_of(&cells);
    let all = bench.model().diagnostics;
    for tool in ["strace -e trace=pselect6", "dmesg", "ss", "kprobe tcp_reset"] {
        let one = place(&all, tool, 0);
        assert_eq!((one.sees, one.n, one.unclear), (0, 0, 60), "{tool}");
    }
    let listed = place(&all, "/proc/net/tcp", 0);
    assert_eq!((listed.n, listed.unclear), (60, 4));
    assert_eq!(place(&all, "kprobe tcp_reset", 0).disturbs.map(|found| found.count), Some(0));
    let row = section(&bench, HEADING);
    let row = row.lines().find(|line| line.contains("kprobe")).expect("a row");
    assert!(row.contains(" - ") && row.ends_with("ENOENT in 60"), "{row}");
}

#[test]
fn a_capture_is_counted_in_segments() {
    let mut bench = run_of(&made());
    let tcpdump = |bench: &crate::fixture::Bench| place(&bench.model().diagnostics, "tcpdump", 0);
    assert_eq!((tcpdump(&bench).sees, tcpdump(&bench).n), (120, 120));
    bench.blocks[0].0.witness.rst_to_target = 50;
    assert_eq!((tcpdump(&bench).sees, tcpdump(&bench).n), (110, 120));
    bench.blocks[0].0.witness.absent = true;
    let left = tcpdump(&bench);
    assert_eq!((left.sees, left.n, left.cells.len()), (60, 60, 1), "nobody watched the other");
}

#[test]
fn a_rehearsed_run_has_no_ratio_and_a_run_without_looks_no_table() {
    let mut bench = run_of(&made());
    bench.record.environment.rehearsed = true;
    assert!(
        bench.model().diagnostics.iter().flat_map(|one| &one.places).all(|place| place.call_ratio.is_none())
    );
    let bench = run_of(&[Made::new("rst", HOST, &[(RESET, 60)])]);
    assert!(bench.model().diagnostics.is_empty() && !has_section(&bench, HEADING));
}
