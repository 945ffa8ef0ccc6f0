//! Every key of a path, its default, and the whole of what is read.

mod everything;
mod proofs;
mod reference;

use std::path::Path;

use everything::{EVERYTHING, everything};

use super::piece::Piece;
use crate::configuration::Lack;
use crate::document::{Document, Findings, Problems};
use crate::matrix::Matrix;
use crate::middlebox::{
    Action, Balancer, Condition, Deed, Direction, Expiry, Firewall, HealthCheck, Impairment, Ips,
    JitterOrder, MiddleboxSpec, Offender, Pattern, Sequence, Stranger, Told, Towards,
};
use crate::path::{
    Addressing, Family, Fault, FaultKind, HaProxy, Hook, Impairments, Matches, Mechanism, Medium, Nat,
    OnMarkedDown, PathSpec, Place, Rule, RuleSelect, RuleVerdict, TcpFlag, Unable,
};

const MS: u64 = 1_000_000;

fn parse(paths: &str) -> Result<Matrix, Problems> {
    let text = format!(
        "{paths}\n[axes]\nscenario = [\"rst\"]\nconfiguration = [\"metal\"]\nkernel = [\"6.1\"]\npath = [\"p\"]\n[configuration.metal]\nkind = \"host\"\n"
    );
    Matrix::parse("matrix.toml", &text, Path::new("."))
}

/// The path `p` of the file.
#[track_caller]
fn read(paths: &str) -> PathSpec {
    let matrix = parse(paths).unwrap_or_else(|problems| panic!("{problems}\n{paths}"));
    matrix.paths.into_iter().find(|path| path.name == "p").expect("the path `p`")
}

/// The keys of `[path.p]`.
#[track_caller]
fn keys(keys: &str) -> PathSpec {
    read(&format!("[path.p]\n{keys}"))
}

#[track_caller]
fn impaired(text: &str) -> Impairments {
    keys(text).impairments.expect("an impairment")
}

#[track_caller]
fn action(text: &str) -> Action {
    read(&format!("[path.p.action.a]\n{text}")).actions.remove(0)
}

#[track_caller]
fn rule(text: &str) -> Rule {
    read(&format!("[path.p.rule.r]\n{text}")).rules.remove(0)
}

#[track_caller]
fn fault(text: &str) -> Fault {
    read(&format!("[path.p.fault.f]\n{text}")).faults.remove(0)
}

#[track_caller]
fn refused(paths: &str, words: &str) {
    let problems = parse(paths).expect_err(paths).to_string();
    assert!(problems.contains(words), "{words:?} is not in {problems:?}");
}

/// A path with everything that goes together.
#[test]
fn a_path_with_every_key_is_read_whole() {
    // A TOML string with double quotes makes the line break itself; the escape of a pattern does the same.
    for text in [EVERYTHING.to_owned(), EVERYTHING.replace(r#""EVIL\r\n""#, r#"'EVIL\r\n'"#)] {
        assert_eq!(read(&text), everything());
    }
    let json = serde_json::to_string(&everything()).expect("plain data");
    assert_eq!(serde_json::from_str::<PathSpec>(&json).expect("ours"), everything());
    let own = MiddleboxSpec {
        to_peer: everything().impairments.expect("impaired").to_peer,
        actions: everything().actions,
        firewall: everything().firewall,
        ips: everything().ips,
        balancer: everything().balancer,
        ..MiddleboxSpec::transparent(0)
    };
    own.check().expect("what is read can be done");
}

#[test]
fn a_loopback_is_no_link() {
    let path = keys(r#"medium = "loopback""#);
    assert_eq!(path, PathSpec { medium: Medium::Loopback, ..PathSpec::plain("p", 1500) });
    assert!(!path.is_plain());
    assert_eq!(keys(r#"medium = "link""#), PathSpec::plain("p", 1500));
    let busy = keys("medium = \"loopback\"\nfault.busy = { do = \"contention\" }");
    assert_eq!(busy.faults.len(), 1);
}

#[test]
fn haproxy_has_a_path_of_its_own() {
    let defaults = HaProxy {
        check_interval_ns: 100 * MS,
        fall: 2,
        rise: 1,
        on_marked_down: OnMarkedDown::ShutdownSessions,
    };
    assert_eq!(read("[path.p.haproxy]").haproxy, Some(defaults));
    let said =
        HaProxy { check_interval_ns: 2_000 * MS, fall: 3, rise: 2, on_marked_down: OnMarkedDown::Nothing };
    let text = "[path.p.haproxy]\ncheck_interval = \"2s\"\nfall = 3\nrise = 2\non_marked_down = \"nothing\"\n[path.p.fault.down]\ndo = \"backend-down\"\nfor = \"1s\"";
    let path = read(&text.replace("\nfor = \"1s\"", ""));
    assert_eq!(path.haproxy, Some(said));
    assert_eq!(path.faults[0].kind, FaultKind::BackendDown);
    assert_eq!(PathSpec { haproxy: None, faults: vec![], ..path }, PathSpec::plain("p", 1500));
    // Three checks two seconds apart must fail; just long enough is taken.
    let lasting = |time: &str| text.replace("\"1s\"", time);
    assert_eq!(read(&lasting("\"6s\"")).faults[0].for_ns, 6_000 * MS);
    refused(&lasting("\"5999ms\""), "HAProxy does not notice fault `down`");
}

#[test]
fn a_plain_path_is_recorded_as_ever() {
    // Cell ids are hashes of this: nothing of what a path can have may show where it has none.
    let json = |path: &PathSpec| serde_json::to_string(path).expect("plain data");
    assert_eq!(json(&read("[path.p]")), r#"{"name":"p","mtu_bytes":1500}"#);
    assert_eq!(json(&keys("mtu_bytes = 9000")), r#"{"name":"p","mtu_bytes":9000}"#);
}

#[test]
fn two_spellings_of_one_path_are_one_path() {
    let same = |one: &str, other: &str| assert_eq!(keys(one), keys(other), "{one} / {other}");
    same("delay = { both = \"5ms\" }", "delay = { to_target = \"5000us\", to_peer = \"0.005s\" }");
    same("loss = { to_peer = \"1%\" }", "mechanism = \"auto\"\nloss = { to_peer = 0.01 }");
    same("jitter = { to_peer = \"5ms\" }", "jitter = { to_peer = \"5ms\", order = \"may-reorder\" }");
    // An option of a direction that is not named means nothing.
    same("jitter = { to_peer = 0 }", "jitter = { to_peer = 0, order = \"keep\" }");
    same(
        "rate = { to_peer = \"1mbit\", queue_bytes = 9000 }",
        "rate = { to_peer = \"1000kbit\", queue_bytes = 9_000, burst_bytes = 0 }",
    );
    let reorder = |window: &str| format!("reorder = {{ both = \"1%\", gap = 3, timeout = \"1ms\"{window} }}");
    same(&reorder(""), &reorder(", window = 10"));
    let flags = |flags: &str| rule(&format!("at = \"switch\"\nverdict = \"count\"\nflags = {flags}"));
    assert_eq!(flags("[\"psh\", \"ack\"]"), flags("[\"ack\", \"psh\"]"));
}

#[test]
fn impairments_keep_to_their_direction() {
    let none = Impairment::none();
    let each: [(&str, Impairment); 6] = [
        ("delay = { to_peer = \"1ms\" }", Impairment { delay_ns: MS, ..none.clone() }),
        (
            "jitter = { to_peer = \"1ms\" }",
            Impairment { jitter_ns: MS, jitter_order: JitterOrder::MayReorder, ..none.clone() },
        ),
        ("loss = { to_peer = \"100%\" }", Impairment { loss_ppm: 1_000_000, ..none.clone() }),
        ("duplicate = { to_peer = \"0.0001%\" }", Impairment { duplicate_ppm: 1, ..none.clone() }),
        (
            "reorder = { to_peer = \"1%\", gap = 9, timeout = \"1ms\" }",
            Impairment { reorder_ppm: 10_000, reorder_gap: 9, reorder_timeout_ns: MS, ..none.clone() },
        ),
        (
            "rate = { to_peer = \"64kbit\", queue_bytes = 1514 }",
            Impairment { rate_bits_per_s: 64_000, queue_bytes: 1_514, ..none.clone() },
        ),
    ];
    for (text, wanted) in each {
        let Impairments { mechanism, to_peer, to_target } = impaired(text);
        assert_eq!((mechanism, &to_peer, &to_target), (Mechanism::Auto, &wanted, &none), "{text}");
        let Impairments { to_peer, to_target, .. } = impaired(&text.replace("to_peer", "to_target"));
        assert_eq!((&to_peer, &to_target), (&none, &wanted), "{text}");
        let Impairments { to_peer, to_target, .. } = impaired(&text.replace("to_peer", "both"));
        assert_eq!((&to_peer, &to_target), (&wanted, &wanted), "{text}");
    }
}

#[test]
fn a_middlebox_can_be_put_on_a_path_that_it_does_not_change() {
    let Impairments { mechanism, to_peer, to_target } =
        impaired("mechanism = \"middlebox\"\ndelay = { both = \"0ms\" }");
    assert_eq!(mechanism, Mechanism::Middlebox);
    assert_eq!((to_peer, to_target), (Impairment::none(), Impairment::none()));
    // netem that does nothing is nothing.
    refused("[path.p]\nmechanism = \"netem\"\ndelay = { both = \"0ms\" }", "does nothing");
    refused("[path.p]\nmechanism = \"middlebox\"", "does nothing");
}

#[test]
fn netem_is_asked_for_what_it_can_do() {
    for can in [
        "delay = { both = \"5ms\" }\njitter = { both = \"5ms\" }",
        "loss = { both = \"1%\" }\nduplicate = { both = \"1%\" }",
    ] {
        let impairments = impaired(&format!("mechanism = \"netem\"\n{can}"));
        assert_eq!(impairments.beyond_netem(), None, "{can}");
    }
    for (cannot, words) in [
        ("jitter = { to_peer = \"5ms\", order = \"keep\" }", "jitter that keeps the order"),
        ("jitter = { to_peer = \"1min\" }", "jitter of more than"),
        ("reorder = { to_target = \"1%\", gap = 3, timeout = \"1ms\" }", "reordering by a number"),
        ("rate = { both = \"10mbit\", queue_bytes = 65536 }", "a rate whose queue is bounded"),
    ] {
        let text = format!("[path.p]\nmechanism = \"netem\"\ndelay = {{ both = \"1ms\" }}\n{cannot}");
        refused(&text, &format!("netem cannot do {words}"));
        let beyond = impaired(cannot).beyond_netem().expect("more than netem can do");
        assert!(beyond.starts_with(words), "{beyond}");
    }
    // netem beside the own middlebox: it sits where the middlebox's frames leave.
    let both = "[path.p]\nmechanism = \"netem\"\ndelay = { both = \"5ms\" }\n[path.p.action.a]\ndo = \"drop\"\nwhen = { rst = true }";
    assert!(read(both).needs_middlebox());
}

#[test]
fn actions_have_their_defaults() {
    let rst = Condition { rst: Some(true), ..Condition::default() };
    let wanted = |deed| Action { name: "a".into(), armed: true, when: rst.clone(), first: 1, deed };
    assert_eq!(action("do = \"drop\"\nwhen = { rst = true }"), wanted(Deed::Drop));
    assert_eq!(
        action("do = \"inject-rst\"\nwhen = { rst = true }\ntowards = \"to_peer\""),
        wanted(Deed::InjectRst {
            towards: Towards::ToPeer,
            sequence: Sequence::Exact,
            delay_ns: 0,
            times: 1,
            gap_ns: 600 * MS,
        })
    );
    assert_eq!(
        action("do = \"hold\"\nwhen = { rst = true }\nuntil = { fin = true }\ntimeout = \"2s\""),
        wanted(Deed::Hold {
            until: Condition { fin: Some(true), ..Condition::default() },
            timeout_ns: 2_000 * MS
        })
    );
    let order = read(
        "[path.p.action.z]\ndo = \"drop\"\nwhen = { rst = true }\n[path.p.action.a]\ndo = \"drop\"\nwhen = { fin = true }",
    );
    let names: Vec<&str> = order.actions.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(names, ["z", "a"], "in file order: the first that matches decides");
}

#[test]
fn sequence_numbers_are_written_as_people_say_them() {
    let sequence = |word: &str| {
        let text = format!(
            "do = \"inject-rst\"\nwhen = {{ rst = true }}\ntowards = \"both\"\nsequence = \"{word}\""
        );
        let Deed::InjectRst { sequence, .. } = action(&text).deed else { panic!("an injection") };
        sequence
    };
    assert_eq!(sequence("exact"), Sequence::Exact);
    assert_eq!(sequence("+1"), Sequence::InWindow { offset: 1 });
    assert_eq!(sequence("+1073741824"), Sequence::InWindow { offset: 1 << 30 });
    assert_eq!(sequence("outside+7"), Sequence::Outside { beyond: 7 });
    assert_eq!(sequence("rcv_nxt-1"), Sequence::BeforeNext);
    assert_eq!(sequence("sack-edge"), Sequence::SackEdge);
    for wrong in ["+0", "+", "++1", "+-1", "-1", "+1073741825", "outside", "outside+", "rcv_nxt-2", ""] {
        let text = format!("[path.p.ips]\npattern = \"A\"\nsequence = \"{wrong}\"");
        refused(&text, "`sequence` cannot be");
    }
}

#[test]
fn boxes_have_their_defaults() {
    assert_eq!(
        read("[path.p.firewall]\nidle_timeout = \"1s\"").firewall,
        Some(Firewall {
            idle_timeout_ns: 1_000 * MS,
            expiry: Expiry::AtOnce,
            reset: Told::Both,
            stranger: Stranger::Reset,
        })
    );
    assert_eq!(
        read("[path.p.ips]\npattern = \"ABCD\"").ips,
        Some(Ips {
            pattern: Pattern(b"ABCD".to_vec()),
            direction: Towards::Both,
            reset: Towards::Both,
            sequence: Sequence::Exact,
            offender: Offender::Pass,
        })
    );
    let balancer = |health| {
        let backend = [192, 0, 2, 1].into();
        Some(Balancer { backend, backend_port: 8083, down_at_ns: 0, health, reset: Towards::Both })
    };
    let marked = "[path.p.balancer]\n[path.p.fault.down]\ndo = \"backend-down\"";
    assert_eq!(read(marked).balancer, balancer(None));
    let health = HealthCheck { interval_ns: 100 * MS, fall: 2, rise: 1, source_port: 999 };
    assert_eq!(read("[path.p.balancer]\nhealth = {}").balancer, balancer(Some(health)));
}

#[test]
fn rules_have_their_defaults() {
    let wanted = |at, hook, verdict| Rule {
        name: "r".into(),
        at,
        hook,
        select: RuleSelect::default(),
        verdict,
        matches: Matches::EveryTrial,
    };
    assert_eq!(
        rule("at = \"switch\"\nverdict = \"drop\""),
        wanted(Place::Switch, Hook::Forward, RuleVerdict::Drop)
    );
    assert_eq!(
        rule("at = \"peer\"\nhook = \"output\"\nverdict = \"count\"\ninvalid = false"),
        wanted(Place::Peer, Hook::Output, RuleVerdict::Count)
    );
    assert_eq!(
        rule("at = \"target\"\nhook = \"input\"\nverdict = \"reject-tcp-reset\"\nmatches = \"every-trial\""),
        wanted(Place::Target, Hook::Input, RuleVerdict::RejectTcpReset)
    );
    let never = rule("at = \"target\"\nhook = \"input\"\nverdict = \"count\"\nmatches = \"never\"");
    assert_eq!(never.matches, Matches::Never);
    let select = rule("at = \"switch\"\nverdict = \"drop\"\nflags = [\"ack\", \"rst\", \"syn\"]").select;
    assert_eq!(select.flags, [TcpFlag::Syn, TcpFlag::Rst, TcpFlag::Ack]);
    for (at, hook) in [("switch", "input"), ("switch", "output"), ("peer", "forward"), ("target", "forward")]
    {
        let text = format!("[path.p.rule.r]\nat = \"{at}\"\nhook = \"{hook}\"\nverdict = \"drop\"");
        refused(&text, "rule `r` would never match");
    }
}

#[test]
fn every_fault_has_its_word() {
    let at_once = |kind| Fault { name: "f".into(), kind, after_ns: 0, for_ns: 0, every_ns: 0 };
    assert_eq!(fault("do = \"link-down\""), at_once(FaultKind::LinkDown));
    assert_eq!(fault("do = \"pause\""), at_once(FaultKind::Pause));
    let to_the_end = |kind| Fault { for_ns: Fault::TO_THE_END_NS, ..at_once(kind) };
    assert_eq!(fault("do = \"host-gone\""), to_the_end(FaultKind::HostGone));
    assert_eq!(fault("do = \"host-gone\"\nfor = \"1s\"").for_ns, 1_000 * MS);
    let down = fault("do = \"backend-down\"\n[path.p.balancer]");
    assert_eq!(down, to_the_end(FaultKind::BackendDown));
    assert_eq!(fault("do = \"contention\""), at_once(FaultKind::Contention { threads_per_cpu: 1 }));
    let firewall = "\n[path.p.firewall]\nidle_timeout = \"1s\"";
    let forget = fault(&format!("do = \"forget-connections\"\nevery = \"1s\"{firewall}"));
    assert_eq!((forget.kind, forget.every_ns), (FaultKind::ForgetConnections, 1_000 * MS));
    let drop = "\n[path.p.action.a]\ndo = \"drop\"\nwhen = { rst = true }\narmed = false";
    let arm = fault(&format!("do = \"arm\"\naction = \"a\"{drop}"));
    assert_eq!(arm, at_once(FaultKind::Arm { action: "a".into() }));
    refused("[path.p.fault.f]\ndo = \"link-down\"\nfor = \"1s\"\nevery = \"1s\"", "before it has ended");
}

#[test]
fn parts_of_different_paths_do_not_meet() {
    let text = "[path.p.haproxy]\n[path.q]\ndelay = { both = \"1ms\" }\n[path.q.action.a]\ndo = \"drop\"\nwhen = { rst = true }\n[path.r.rule.x]\nat = \"switch\"\nverdict = \"drop\"";
    assert!(read(text).haproxy.is_some());
    let rule = "\n[path.p.rule.x]\nat = \"switch\"\nverdict = \"drop\"";
    // netem can do it; whether the host has netem is seen there.
    assert_eq!(keys(&format!("delay = {{ both = \"1ms\" }}{rule}")).rules.len(), 1);
    refused(&format!("[path.p]\nmechanism = \"middlebox\"\ndelay = {{ both = \"1ms\" }}{rule}"), "rule `x`");
}

#[test]
fn what_the_middlebox_refuses_is_shown_at_its_key() {
    let text = "[a]\nidle_timeout = \"0ms\"\n[a.health]\nfall = 0\n";
    let (document, _) = Document::parse("t.toml", text).expect("valid TOML");
    let (key, node) = document.root.entry("a").expect("a table");
    let mut findings = Findings::new(document.source.clone());
    let table = findings.table(node, "`a`").expect("a table").clone();
    let piece = Piece { key, table: &table, what: "`a`".to_owned() };
    let firewall =
        Firewall { idle_timeout_ns: 0, expiry: Expiry::AtOnce, reset: Told::Both, stranger: Stranger::Reset };
    let health = HealthCheck { interval_ns: 1, fall: 0, rise: 0, source_port: 1 };
    let balancer = Balancer {
        backend: [192, 0, 2, 1].into(),
        backend_port: 1,
        down_at_ns: 0,
        health: Some(health),
        reset: Towards::Both,
    };
    piece.check(&mut findings, &MiddleboxSpec { firewall: Some(firewall), ..MiddleboxSpec::transparent(0) });
    piece.check(&mut findings, &MiddleboxSpec { balancer: Some(balancer), ..MiddleboxSpec::transparent(0) });
    piece.check(&mut findings, &MiddleboxSpec::transparent(0));
    let shown: Vec<String> = findings.into_problems().into_iter().map(|problem| place(&problem)).collect();
    assert_eq!(
        shown,
        [
            "`idle_timeout` of `a` has no valid value @ 19: 0: nothing could pass",
            "`fall` of `a` has no valid value @ 43: 0: it would be down from the start",
        ]
    );
}

/// Message, offset and label of a problem's first place.
fn place(problem: &crate::document::Problem) -> String {
    use miette::Diagnostic as _;
    let label = problem.labels().and_then(|mut labels| labels.next()).expect("a label");
    format!("{problem} @ {}: {}", label.offset(), label.label().unwrap_or_default())
}

#[test]
fn a_lack_is_shown_at_the_key_that_asks_for_it() {
    use miette::Diagnostic as _;
    let matrix = parse(EVERYTHING).expect("valid");
    let text = matrix.text().to_owned();
    let shown = |lack: &Lack| {
        let problems = matrix.explain_lacks(&[("p".to_owned(), lack.clone())]);
        let problem = problems.iter().next().expect("one problem").clone();
        let label = problem.labels().and_then(|mut labels| labels.next()).expect("a label");
        let help = problem.help().expect("help").to_string();
        assert!(help.starts_with(&format!("{lack}\n")), "{help}");
        let line = text[..label.offset()].lines().count();
        (text[label.offset()..label.offset() + label.len()].to_owned(), line)
    };
    let line = |part: &str| text.lines().position(|line| line == part).expect("a line of the file") + 1;
    let why = || Unable::NoNetem;
    let rule = |name: &str| Lack::Nft { rule: name.to_owned(), why: why() };
    let between = Lack::NotPlainBetweenGuests { path: "p".to_owned() };
    for (lack, marked, wanted) in [
        (Lack::Netem(why()), "mechanism = \"middlebox\"", "mechanism = \"middlebox\""),
        (rule("reject"), "reject", "[path.p.rule.reject]"),
        (Lack::Pause { fault: "busy".to_owned() }, "busy", "[path.p.fault.busy]"),
        (between, "p", "[path.p]"),
        (rule("unknown"), "p", "[path.p]"),
    ] {
        let (text, at) = shown(&lack);
        assert_eq!(text, marked, "{lack}");
        // A key at the beginning of a line: the text before it ends with the line before.
        assert!([line(wanted), line(wanted) - 1].contains(&at), "{lack}: line {at}");
    }
    // What a configuration lacks over any path is no problem of a path.
    assert!(matrix.explain_lacks(&[("p".to_owned(), Lack::Tap(why()))]).is_empty());
}

#[test]
fn kernel_settings_are_read_by_dotted_and_by_quoted_names() {
    let settings = |text: &str| read(&format!("[path.p.sysctl]\n{text}\n")).sysctl;
    let dotted =
        settings("target = { net.ipv4.tcp_syn_retries = 1, net.ipv4.tcp_rmem = \"4096  8192\\t16384\" }");
    let quoted = settings(
        "[path.p.sysctl.target]\n\"net/ipv4/tcp_rmem\" = \"4096 8192 16384\"\n\"net.ipv4.tcp_syn_retries\" = \"1\"",
    );
    assert_eq!(dotted, quoted);
    let said: Vec<_> = dotted.target.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(said, [("net.ipv4.tcp_rmem", "4096 8192 16384"), ("net.ipv4.tcp_syn_retries", "1")]);
    assert!(dotted.peer.is_empty() && !dotted.is_empty());
}

#[test]
fn a_path_by_ipv6_knows_its_balancer_by_that_address() {
    let path = read("[path.p]\nfamily = \"ipv6\"\n[path.p.balancer]\nhealth = {}\n");
    assert_eq!(path.family, Family::Ipv6);
    let backend = path.balancer.expect("a balancer").backend;
    assert_eq!(backend, Addressing::default().peer_by(Family::Ipv6));
    let translated = read("[path.p.nat]\nat = \"switch\"\n");
    assert_eq!(translated.nat, Some(Nat { at: Place::Switch }));
}
