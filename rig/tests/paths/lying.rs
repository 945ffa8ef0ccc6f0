//! A target's agent that contradicts itself, with the real runner around it: its block is void, and the next one is played.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rig::path::PathSpec;
use rig_protocol::{FrameWriter, PROTOCOL_VERSION};
use serde_json::{Value as Json, json};

use crate::play::{RST_ONLY, cell, host_laboratory, play_in, skipped};

/// Starts the real agent, but says the frames in `frames` instead where there are such and the peer has its agent: it is started first.
fn liar(folder: &Path) -> String {
    let here = folder.display();
    format!(
        "#!/bin/sh\n\
         if [ -e {here}/frames ]; then\n\
         if [ -e {here}/peer ]; then rm {here}/peer; cat {here}/frames; exec sleep 60; fi\n\
         : > {here}/peer\n\
         fi\n\
         exec {here}/guest-agent\n"
    )
}

/// What an agent of the right build says that comes to these sums.
fn frames(tally: &Json) -> Vec<u8> {
    let hello = json!({
        "protocol_version": PROTOCOL_VERSION, "build_id": rig::agent::build_id(), "kernel_release": "6.1.0",
        "kernel_version": "#1", "hypervisor": false, "clocksource": "tsc", "cpus": 1, "localtime": true, "sysctls": {}
    });
    let voids = tally["voids"].as_object().expect("an object").values();
    let void = voids.fold(0_u64, |sum, n| sum.wrapping_add(n.as_u64().expect("a number")));
    let fin = json!({ "frames": 3, "trials": tally["trials"], "void": void, "records": 0 });
    let mut bytes = Vec::new();
    let mut writer = FrameWriter::new(&mut bytes);
    let all = [
        json!({ "hello": hello }),
        json!({ "ready": { "listening": "" } }),
        json!({ "tally": tally }),
        json!({ "fin": fin }),
    ];
    all.iter().for_each(|frame| writer.write(frame).expect("into memory"));
    bytes
}

#[test]
fn a_block_whose_agent_contradicts_itself_is_void_and_the_next_one_is_played() {
    if skipped("an agent that contradicts itself") {
        return;
    }
    let results = tempfile::tempdir().expect("a folder");
    let mut laboratory = host_laboratory(results.path());
    let folder = laboratory.private.path().to_owned();
    laboratory.agent = folder.join("liar");
    fs_err::write(&laboratory.agent, liar(&folder)).expect("written");
    fs_err::set_permissions(&laboratory.agent, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let cell = cell(&PathSpec::plain("direct", 1500), RST_ONLY, 100);
    let mut lies = 0;
    for line in include_str!("../agent/contradictions.jsonl").lines() {
        let case: Json = serde_json::from_str(line).expect("a case a line");
        // What is said in a label and what a sign of life counts is looked at with scripted agents.
        let tally = &case["body"]["tally"];
        if tally.is_null() || case["case"].as_str().expect("a name").starts_with("label") {
            continue;
        }
        fs_err::write(folder.join("frames"), frames(tally)).expect("written");
        let played = play_in(&laboratory, &cell);
        let reason = played.reason().expect("void");
        assert!(reason.contains("totals do not add up: "), "{}: {reason}", case["case"]);
        assert_eq!(played.record.tally.trials, 0, "{}", case["case"]);
        lies += 1;
    }
    assert_eq!(lies, 6);
    fs_err::remove_file(folder.join("frames")).expect("there");
    let played = play_in(&laboratory, &cell);
    assert_eq!((played.reason(), played.record.tally.trials), (None, 100));
}
