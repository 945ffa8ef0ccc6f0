//! A user's program as the client on this host: the three columns, whole outcomes over paths, other people's programs, and what stays behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::blackbox::belongings::Belongings;
use crate::blackbox::processes::{family, interfaces};
use crate::blackbox::programs::{SAYS, SOURCES, accounts, build, client, scenario};
use crate::blackbox::tools::needs;
use crate::blackbox::{Lab, is_root, matrix};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../matrix.toml");

fn lab() -> Lab {
    Lab::new(&matrix("", r#""rst""#, r#""bare-metal""#))
}

/// One scenario, played alone: what it says for programs.
fn played(lab: &Lab, file: &str, more: &str) -> Json {
    played_in(lab, "bare-metal", file, more)
}

/// The same in another configuration of the shipped matrix.
fn played_in(lab: &Lab, place: &str, file: &str, more: &str) -> Json {
    let line = format!(
        "scenario run {file} --format json --quiet --matrix {SHIPPED} --configuration {place} {more}"
    );
    let ended = lab.run(&line).expect(0);
    let run: Json =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout));
    assert_eq!(run["status"], "complete", "{run}");
    run
}

fn counts(of: &Json) -> BTreeMap<String, u64> {
    serde_json::from_value(of.clone()).unwrap()
}

/// The client of the report as it is printed there, mended, and mended where there is no /etc/localtime; the RSTs of every block agree with the wire.
#[test]
fn the_client_of_the_report_is_killed_and_mended_says_what_errno_held_before() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    client(&lab, "printed", &[]);
    client(&lab, "mended", &["-DMENDED"]);
    let (printed, mended) = (scenario(&lab, "printed", ""), scenario(&lab, "mended", ""));
    let killed = ("1|none|-|-|-|SIGSEGV|killed".to_owned(), 30);
    for (file, place, expected) in [
        (&printed, "bare-metal", killed),
        (&mended, "bare-metal", ("1|none|none|1|none|exit=0|agrees".to_owned(), 30)),
        (&mended, "bare-metal-no-localtime", ("1|ENOENT|ENOENT|1|ENOENT|exit=0|stale".to_owned(), 30)),
    ] {
        let run = played_in(&lab, place, file, "--trials 30");
        assert_eq!(accounts(&run["program"]), [expected], "{file} in {place}");
        assert_eq!(run["returns"], serde_json::json!({ "1": 30 }));
        // A client that closes before it has read sends one, too.
        assert_eq!(run["witness_rsts"], run["kernel_rsts"], "{run}");
        assert!(run["witness_rsts"].as_u64() >= Some(30), "{run}");
        // It names 127.0.0.1:8083, and reaches the peer over a link.
        assert_eq!(run["program"]["redirected"], 30);
    }
}

/// Static, and with another C library: the same columns.
#[test]
fn static_programs_and_those_of_musl_tell_the_same() {
    if !is_root("netns") {
        return;
    }
    let Some(musl) = needs("musl-gcc") else { return };
    let lab = lab();
    let musl = musl.to_str().unwrap();
    for (compiler, name, flags) in [
        ("gcc", "static", &["-DMENDED", "-DPAUSE_S=0", "-static"][..]),
        (musl, "musl", &["-DMENDED", "-DPAUSE_S=0"]),
        (musl, "musl-static", &["-DMENDED", "-DPAUSE_S=0", "-static"]),
    ] {
        build(&lab, compiler, "client.c", name, flags);
        let run = played(&lab, &scenario(&lab, name, ""), "--trials 20");
        let [(account, 20)] = &accounts(&run["program"])[..] else { panic!("{name}: {run}") };
        // musl asks a terminal's size of what is none, and errno keeps what came of it.
        let expected = ["1|none|none|1|none|exit=0|agrees", "1|ENOTTY|ENOTTY|1|ENOTTY|exit=0|stale"];
        assert!(expected.contains(&account.as_str()), "{name}: {account}");
    }
}

/// A real EBADF becomes ENOENT where a time stamp stands before the reading of errno, and `rig explain` points to the table of such a run.
#[test]
fn a_stamp_before_errno_turns_an_ebadf_into_an_enoent() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    build(&lab, "gcc", "late-errno.c", "late", &[]);
    let file = scenario(&lab, "late", "");
    for (place, expected) in [
        ("bare-metal", "-1/EBADF|EBADF|EBADF|-1|EBADF|exit=0|agrees"),
        ("bare-metal-no-localtime", "-1/EBADF|EBADF|ENOENT|-1|ENOENT|exit=0|overwritten"),
    ] {
        let run = played_in(&lab, place, &file, "--trials 20");
        assert_eq!(accounts(&run["program"]), [(expected.to_owned(), 20)], "{place}");
    }
    let mut command = lab.rig("program run ./late --trials 20 --in bare-metal-no-localtime --quiet --says");
    command.args([SAYS, "--matrix", SHIPPED]);
    // An EBADF that nothing expects: an alert.
    let ended = lab.start(command).end().expect(5);
    let said = "said ENOENT where the kernel returned -1/EBADF";
    assert!(ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{}", ended.stdout);
    let explained = lab.run("explain ENOENT").expect(0).stdout;
    let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["the program said it in 20 of 20 trials", "The table \"Your program\" of `rig report"] {
        assert!(words.contains(said), "{explained}");
    }
    let report = lab.only_run().read("report.txt");
    assert!(report.contains("EBADF, then ENOENT") && report.contains("Your program: ./late"), "{report}");
}

/// Whatever lies on the way, a program ends as the scenario with the same calls does.
#[test]
fn outcomes_over_a_path_are_those_of_the_scenario() {
    if !is_root("netns") || needs("nft").is_none() {
        return;
    }
    let lab = lab();
    fs::write(lab.path().join("reader.c"), READER).unwrap();
    build(&lab, "gcc", lab.path().join("reader.c").to_str().unwrap(), "reader", &[]);
    let file = scenario(&lab, "reader", "");
    // Without its proof: over the last path it is not the peer that resets.
    let base = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rst.toml")).unwrap();
    let base = base
        .replace("proof = [\"peer.Tcp.OutRsts\"]\n", "")
        .replace("expect = [\"readable,data,ECONNRESET\"]", "expect = [\"**\"]");
    fs::write(lab.path().join("base.toml"), base).unwrap();
    for path in ["direct", "overtake", "ips-answer", "reject-on-server"] {
        let more = format!("--trials 40 --path {path}");
        let program = counts(&played(&lab, &file, &more)["outcomes"]);
        let base = counts(&played(&lab, "base.toml client_delay=200ms", &more)["outcomes"]);
        let with_end = |(outcome, n): (&String, &u64)| (format!("{outcome},exit=0"), *n);
        assert_eq!(program, base.iter().map(with_end).collect(), "over {path}");
    }
}

/// The calls of the base program.
const READER: &str = r#"#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>
int main(void)
{
    int conn = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(8083)};
    peer.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (connect(conn, (struct sockaddr *)&peer, sizeof peer) != 0 || write(conn, "ABCD", 4) != 4)
        return 1;
    usleep(200000);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(conn, &set);
    struct timeval timeout = {.tv_sec = 5};
    int result = select(conn + 1, &set, NULL, NULL, &timeout);
    int held = errno;
    printf("result=%d, errno=%d\n", result, held);
    char bytes[1024];
    for (int times = 0; times < 2; times++)
        read(conn, bytes, sizeof bytes);
    close(conn);
    return 0;
}
"#;

/// A program without a race ends alike whoever watches, and what watching costs is a table of the report.
#[test]
fn every_witness_gives_the_same_outcomes_and_its_cost_is_told() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    client(&lab, "mended", &["-DMENDED"]);
    let mut command =
        lab.rig("program run ./mended --trials 40 --witness ptrace,tracepoint,none --quiet --says");
    command.args([SAYS, "--matrix", SHIPPED]);
    lab.start(command).end().expect(0);
    let run = lab.only_run();
    let report: Json = run.report();
    let of = |witness: &str| {
        let all = report["programs"].as_array().unwrap().iter();
        all.clone().find(|one| one["witness"] == witness && one["control"] == false).unwrap().clone()
    };
    let said = |witness: &str| {
        let account = &of(witness)["accounts"][0];
        (
            account["said"].clone(),
            account["said_errno"].clone(),
            account["end"].clone(),
            account["trials"].clone(),
        )
    };
    assert_eq!((said("ptrace"), said("ptrace")), (said("tracepoint"), said("none")));
    assert_eq!(
        (&of("ptrace")["sites"], &of("ptrace")["calls"]),
        (&of("tracepoint")["sites"], &of("tracepoint")["calls"])
    );
    assert!(of("none")["sites"].as_object().unwrap().is_empty());
    assert!(run.read("report.txt").contains("What watching costs"));
    // The same program with an injected errno is found where it was injected.
    let control = report["controls"].as_array().unwrap().iter().find(|one| one["control"] == "mended-enoent");
    let control = control.unwrap_or_else(|| panic!("{report}"));
    assert_eq!((&control["passed"], &control["errno"]), (&true.into(), &"ENOENT".into()));
}

/// Both ends in a network of each trial's own: the same fixed port, many at once.
#[test]
fn server_and_client_of_the_report_play_in_networks_of_their_own() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    client(&lab, "mended", &["-DMENDED", "-DPAUSE_S=0"]);
    build(&lab, "gcc", "server.c", "server", &[]);
    fs::copy(Path::new(SOURCES).join("pair.sh"), lab.path().join("pair.sh")).unwrap();
    let keys = "arguments = [\"./server\", \"./mended\"]\nnetwork = \"own\"";
    let text = fs::read_to_string(lab.path().join(scenario(&lab, "pair.sh", keys))).unwrap();
    fs::write(lab.path().join("pair.toml"), text.replace("peer = \"rst\"\n", "")).unwrap();
    let run = played(&lab, "pair.toml", "--trials 24 --in-flight 12");
    assert_eq!(run["program"]["own_resets"], 24);
    assert_eq!(run["program"]["ends"], serde_json::json!({ "exit=0": 24 }));
    assert_eq!(run["returns"], serde_json::json!({ "1": 24 }));
}

/// Python's select is select(2), and the ENOENT of its documentation is epoll_ctl()'s; netcat closes its descriptor twice or not, and a witness tells.
#[test]
fn programs_of_other_people_run_as_they_are() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    for name in ["readiness.py", "nc.sh"] {
        fs::copy(Path::new(SOURCES).join(name), lab.path().join(name)).unwrap();
    }
    let arguments = "arguments = [\"{address}\", \"{port}\"]";
    if needs("python3").is_some() {
        let run = played(&lab, &scenario(&lab, "readiness.py", arguments), "--trials 8");
        let sites = &run["program"]["sites"];
        assert_eq!(
            sites["select 1"].as_object().or(sites["pselect6 1"].as_object()).unwrap()["readable"],
            8,
            "{sites}"
        );
        assert_eq!(sites["epoll_ctl 1"], serde_json::json!({ "ENOENT": 8 }));
        assert_eq!(run["program"]["ends"], serde_json::json!({ "exit=0": 8 }));
        assert_eq!(run["program"]["redirected"], 0, "it was told the address");
    }
    if needs("nc.openbsd").is_some() {
        let run = played(&lab, &scenario(&lab, "nc.sh", arguments), "--trials 8");
        let calls = counts(&run["program"]["calls"]);
        assert!(calls["poll"] >= 8 && calls["connect"] >= 8, "{calls:?}");
        assert_eq!(calls.get("setsockopt"), None, "it sets no SO_KEEPALIVE");
    }
}

/// The echo pair of the Java experiment: which calls a JRE makes.
#[test]
fn a_jre_reads_and_writes_its_sockets() {
    if !is_root("netns") {
        return;
    }
    let Some(java) = rig::process::find_program("javac").and(rig::process::find_program("java")) else {
        // Not `skipped: `: no step of the README installs one.
        let line = "\nleft out: no JDK on this host\n";
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
        return;
    };
    let lab = lab();
    fs::copy(Path::new(SOURCES).join("Echo.java"), lab.path().join("Echo.java")).unwrap();
    let text = format!(
        "title = \"echo\"\nexpect = [\"**\"]\n[lane.client]\nprogram = \"{}\"\narguments = [\"Echo.java\"]\nnetwork = \"own\"\nsays = 'echoed=(?<returned>\\d+)'\n\
         verdict = {{ call = [\"read\", \"recvfrom\"], nth = 1 }}\n",
        java.display()
    );
    fs::write(lab.path().join("echo.toml"), text).unwrap();
    let run = played(&lab, "echo.toml", "--trials 2 --in-flight 1");
    assert_eq!(run["program"]["ends"], serde_json::json!({ "exit=0": 2 }), "{run}");
    let calls = counts(&run["program"]["calls"]);
    assert!(calls.contains_key("accept") || calls.contains_key("accept4"), "{calls:?}");
    let moved: u64 = ["read", "recvfrom"].iter().filter_map(|name| calls.get(*name)).sum();
    assert!(moved >= 6, "three reads on sockets in each trial: {calls:?}");
}

/// Killed in the middle, nothing stays, and the run can be gone on with.
#[test]
fn killed_in_the_middle_it_leaves_nothing_and_goes_on() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    build(&lab, "gcc", "client.c", "slow", &["-DMENDED", "-DPAUSE_S=1"]);
    let before = interfaces();
    let line =
        format!("program run ./slow --trials 200 --in-flight 20 --matrix {SHIPPED} --witness none,ptrace");
    let mut running = lab.start(lab.rig(&line));
    let root = running.pid();
    running.await_that("the program runs", || {
        let clients = family(root).into_iter().filter(|one| one.is("slow")).count();
        (clients > 4).then_some(())
    });
    let belongings = Belongings::of(&running, before);
    running.signal(Signal::SIGKILL);
    running.end();
    belongings.vanish();
    let run = lab.runs().pop().unwrap();
    let name = run.file_name().unwrap().to_str().unwrap().to_owned();
    lab.run(&format!("matrix run --resume {name}")).expect(0);
    // Another program than the one that the run began with is refused.
    client(&lab, "slow", &["-DMENDED"]);
    let refused = lab.run(&format!("matrix run --resume {name}")).expect(2);
    assert!(refused.stderr.contains("./slow has changed since the run began"), "{}", refused.stderr);
}

/// The time line of one run: calls, packets, the reset, and what nobody watches.
#[test]
fn a_trace_has_calls_packets_and_the_reset_in_one_line() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    client(&lab, "mended", &["-DMENDED"]);
    let ended = lab.run("program trace ./mended").expect(0);
    let at = |what: &str| {
        let line = ended.stdout.lines().position(|line| line.contains(what));
        line.unwrap_or_else(|| panic!("{what}: {}", ended.stdout))
    };
    assert!(
        at("connect(") < at("SYN ->") && at("SYN ->") < at("RST") && at("pselect6(") < at("ended: exit=0")
    );
    let words = ended.words();
    assert!(words.contains("led to the peer") && words.contains("<- verdict"), "{words}");
    assert!(words.contains("on the wire at the program") && words.contains("vDSO"), "{}", ended.stdout);
    assert!(!lab.results().exists(), "nothing is recorded");
}
