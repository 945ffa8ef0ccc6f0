//! A program lane, from its text to what an agent gets.

use std::collections::BTreeMap;
use std::path::Path;

use rig_protocol::{Network, Program, Redirect, Side, Witness};

use crate::document::Problems;
use crate::script::{Scenario, describe_lane};

const FOLDER: &str = "/srv/programs";

fn parse(text: &str) -> Result<Scenario, Problems> {
    Scenario::parse_in(Path::new(FOLDER), "mine", "mine.toml", text)
}

/// A file with these keys of the lane.
fn lane(keys: &str) -> String {
    format!(
        "title = \"t\"\nexpect = [\"**\"]\npeer = \"rst\"\n[lane.client]\nprogram = \"./client3\"\n{keys}\n"
    )
}

fn program_with(text: &str, given: &[(&str, &str)]) -> Program {
    let scenario = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let script = scenario.resolve(&given).expect("the values are admitted").script;
    *script.program.expect("a program")
}

fn program(keys: &str) -> Program {
    program_with(&lane(keys), &[])
}

#[test]
fn what_is_not_written_has_its_usual_value() {
    let plain = program("");
    assert_eq!((plain.name.as_str(), plain.path.as_str()), ("./client3", "/srv/programs/client3"));
    assert_eq!(plain.directory, FOLDER);
    assert_eq!(
        (plain.witness, plain.redirect, plain.network),
        (Witness::Ptrace, Redirect::All, Network::Target)
    );
    assert_eq!((plain.verdict.calls, plain.verdict.nth), (Program::usual_verdict(), 1));
    assert_eq!(plain.outcome, Program::usual_outcome());
    assert!(plain.input.is_none() && plain.says.is_none() && plain.inject.is_none() && !plain.terminal);
}

#[test]
fn every_key_reaches_the_agent() {
    let whole = program(
        r#"
arguments = ["{address}", "-p", "{port}"]
environment = { LANG = "C" }
directory = "below"
before = ["mkdir -p x"]
input = "request.txt"
says = 'errno=(?<errno>\d+)'
verdict = { call = "poll", nth = 2 }
outcome = ["read"]
redirect = ["127.0.0.1:8083"]
terminal = true
inject = { errno = "ENOENT", rate = "10%" }
"#,
    );
    assert_eq!(whole.arguments, ["{address}", "-p", "{port}"]);
    assert_eq!(whole.environment, BTreeMap::from([("LANG".to_owned(), "C".to_owned())]));
    assert_eq!(
        (whole.directory.as_str(), whole.path.as_str()),
        ("/srv/programs/below", "/srv/programs/below/client3")
    );
    assert_eq!(
        (whole.before, whole.input.as_deref()),
        (vec!["mkdir -p x".to_owned()], Some("/srv/programs/below/request.txt"))
    );
    assert_eq!(
        (whole.verdict.calls, whole.verdict.nth, whole.outcome),
        (vec!["poll".to_owned()], 2, vec!["read".to_owned()])
    );
    assert_eq!(whole.redirect, Redirect::Only(vec!["127.0.0.1:8083".to_owned()]));
    assert_eq!(whole.says.as_deref(), Some(r"errno=(?<errno>\d+)"));
    let injected = whole.inject.expect("it is written");
    assert!(whole.terminal && injected.rate_ppm == 100_000 && injected.errno.to_string() == "ENOENT");
}

/// A name without a slash is looked for on PATH where the program is packed.
#[test]
fn a_bare_name_stays_a_name() {
    let text = lane("").replace("./client3", "nc");
    assert_eq!(program_with(&text, &[]).path, "nc");
}

#[test]
fn single_values_can_be_parameters_and_their_values_are_checked() {
    let text = "title = \"t\"\nexpect = [\"**\"]\npeer = \"rst\"\n[parameters]\nwho = \"ptrace\"\nbinary = \"./a\"\n\
                says = '(?<errno>\\d+)'\nwhere = \"all\"\ncall = \"select\"\nnth = 1\n[lane.client]\nprogram = \"${binary}\"\n\
                witness = \"${who}\"\nsays = \"${says}\"\nredirect = \"${where}\"\nverdict = { call = [\"${call}\"], nth = \"${nth}\" }\n";
    let given =
        [("who", "none"), ("binary", "./b"), ("where", "10.0.0.1:7"), ("call", "ppoll"), ("nth", "3")];
    let filled = program_with(text, &given);
    assert_eq!((filled.witness, filled.path.as_str()), (Witness::None, "/srv/programs/b"));
    assert_eq!(filled.redirect, Redirect::Only(vec!["10.0.0.1:7".to_owned()]));
    assert_eq!((filled.verdict.calls, filled.verdict.nth), (vec!["ppoll".to_owned()], 3));
    let scenario = parse(text).expect("valid");
    for (name, value, said) in [
        ("who", "strace", "not one of the allowed words"),
        ("says", "nothing", "neither the group"),
        ("says", "(", "not a regular expression"),
        ("where", "localhost:1", "not an address"),
        ("call", "recv", "not one of the allowed words"),
        ("nth", "0", "too small"),
        ("binary", "", "no program"),
    ] {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let wrong = scenario.resolve(&given).expect_err(value);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].parameter == name && format!("{wrong:?}").contains(said), "{wrong:?}");
    }
}

#[test]
fn an_injection_holds_only_under_ptrace() {
    let text = lane("witness = \"${who}\"\ninject = { errno = \"EBADF\", rate = \"1%\" }");
    let text = text.replace("[lane.client]", "[parameters]\nwho = \"ptrace\"\n[lane.client]");
    let scenario = parse(&text).expect("valid");
    let none = BTreeMap::from([("who".to_owned(), "none".to_owned())]);
    let wrong = scenario.resolve(&none).expect_err("nobody could inject it");
    assert!(wrong[0].message.contains("with `inject`"), "{wrong:?}");
}

#[test]
fn the_peer_of_another_scenario_comes_with_the_parameters_that_it_uses() {
    let scenario = parse(&lane("")).expect("valid");
    let names: Vec<&str> = scenario.parameters.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["peer_delay"]);
    let script = scenario.resolve(&BTreeMap::new()).expect("valid").script;
    let rst =
        crate::script::shipped("rst").expect("shipped").resolve(&BTreeMap::new()).expect("valid").script;
    let steps =
        |script: &rig_protocol::Script| script.lanes_of(Side::Peer).next().expect("a peer").steps.clone();
    assert_eq!(steps(&script), steps(&rst));
    assert_eq!(script.sockets, rst.sockets);
    let lanes: Vec<&str> = script.lanes.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(lanes, ["client", "peer"]);
    assert_eq!(describe_lane(&script, &script.lanes[0]), ["program ./client3"]);
}

#[test]
fn a_parameter_of_the_file_stands_before_that_of_the_peers_scenario() {
    let text = lane("").replace("[lane.client]", "[parameters]\npeer_delay = \"7ms\"\n[lane.client]");
    let scenario = parse(&text).expect("valid");
    assert_eq!(scenario.parameter("peer_delay").map(|one| one.default.as_str()), Some("7ms"));
    let shown = scenario.render(&BTreeMap::new()).expect("valid");
    assert!(shown.contains("sleep for=7ms"), "{shown}");
}

/// One that names itself would never end.
#[test]
fn the_peer_of_a_file_is_written_in_that_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("self.toml");
    std::fs::write(&file, lane("").replace("\"rst\"", "\"./self.toml\"")).expect("written");
    let said = Scenario::read(&file).expect_err("it names itself").to_string();
    assert_eq!(said, "the peer of scenario `./self.toml` cannot be used");
    let other = folder.path().join("other.toml");
    std::fs::write(&file, crate::script::shipped_text("rst").expect("shipped").as_bytes()).expect("written");
    std::fs::write(&other, lane("").replace("\"rst\"", "\"self.toml\"")).expect("written");
    Scenario::read(&other).expect("a file whose peer is written there");
}

#[test]
fn a_network_of_its_own_needs_no_peer() {
    let text = lane("network = \"own\"").replace("peer = \"rst\"\n", "");
    let own = program_with(&text, &[]);
    assert_eq!(own.network, Network::Own);
}

#[test]
fn outcomes_that_a_program_can_have_are_taken() {
    for pattern in [
        "readable,data,ECONNRESET,exit=0",
        "connect:ECONNREFUSED,uncalled,exit=1",
        "connect:*,*,*",
        "*:ECONNREFUSED,uncalled,exit=1..255",
        "*,SIGSEGV+core",
        "readable+hangup,eof,exit=*",
        "ready,data,deadline,deadline",
        "timeout,exit=0,**",
        "EBADF,**",
        "**",
        "*,*,*,*,*,*,*,*,*,*",
    ] {
        let text = lane("").replace("[\"**\"]", &format!("[\"{pattern}\"]"));
        parse(&text).unwrap_or_else(|problems| panic!("{pattern}: {problems}"));
    }
}

/// Where the witness varies from cell to cell, one file has the outcomes of all of them.
#[test]
fn a_witness_that_varies_is_expected_both_ways() {
    let text = lane("witness = \"${witness}\"")
        .replace("[\"**\"]", "[\"readable,data,exit=0\", \"unwatched,exit=0\"]")
        .replace("[lane.client]", "[parameters]\nwitness = \"ptrace\"\n[lane.client]");
    let scenario = parse(&text).expect("valid");
    for witness in Witness::ALL {
        let given = BTreeMap::from([("witness".to_owned(), witness.word().to_owned())]);
        scenario.resolve(&given).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", witness.word()));
    }
}
