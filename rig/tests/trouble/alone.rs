//! `rig scenario run` by itself: what programs get of it, its packets, where it can be played and where not, and that it leaves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use rig::report::FileSchema;
use serde_json::Value as Json;

use crate::blackbox::belongings::Belongings;
use crate::blackbox::packets::{has_tshark, segments};
use crate::blackbox::processes::{family, interfaces};
use crate::blackbox::schema::Checker;
use crate::blackbox::{Lab, is_root, matrix};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../matrix.toml");

/// What it prints for programs, held against its schema.
fn json(stdout: &str) -> Json {
    let run: Json = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let schema = FileSchema::from_name("scenario-run").unwrap().schema();
    Checker::new(&schema, "scenario-run").check(&run, "the answer of scenario run");
    run
}

fn sum(counts: &Json) -> u64 {
    counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn programs_get_the_figures_of_a_cell_and_its_trials() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&matrix("", r#""rst""#, r#""bare-metal""#));
    let ended =
        lab.run("scenario run rst --trials 40 --in-flight 10 --seed 7 --format json --quiet").expect(0);
    assert_eq!(ended.stderr, "");
    let run = json(&ended.stdout);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    for (key, wanted) in [
        ("scenario", Json::from("rst")),
        ("configuration", "bare-metal".into()),
        ("kernel", "host".into()),
        ("kernel_release", release.trim().into()),
        ("path", "direct".into()),
        ("accelerator", "none".into()),
        ("status", "complete".into()),
        ("seed", 7.into()),
        ("trials", 40.into()),
        ("void", 0.into()),
        ("returns", serde_json::json!({ "1": 40 })),
        ("outcomes", serde_json::json!({ "readable,data,ECONNRESET": 40 })),
    ] {
        assert_eq!(run[key], wanted, "{key}");
    }
    assert_eq!(sum(&run["state_before"]), 40);
    assert_eq!(run["expectation"]["status"], "as_expected");
    let times = &run["latency_ns"]["trial"];
    assert!(times["p50"].as_u64().unwrap() <= times["max"].as_u64().unwrap(), "{times}");
    // A kept trial's steps are those of the lanes.
    let kept = run["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 1);
    let steps = kept[0]["steps"].as_array().unwrap();
    let text = |step: &Json| {
        let lane = usize::try_from(step["lane"].as_u64().unwrap()).unwrap();
        let of_lane = usize::try_from(step["step"].as_u64().unwrap()).unwrap();
        run["lanes"][lane]["steps"][of_lane].as_str().unwrap().to_owned()
    };
    assert!(steps.iter().any(|step| text(step).contains("select") && step["returned"] == 1), "{steps:?}");
    // The matrix knows it by the same name.
    let plan = lab.run("matrix plan --format json").expect(0);
    let plan: Json = serde_json::from_str(&plan.stdout).unwrap();
    let cells = plan["cells"].as_array().unwrap();
    assert!(cells.iter().any(|cell| cell["id"] == run["id"] && cell["scenario"] == "rst"), "{plan}");
    assert!(!lab.results().exists(), "nothing is recorded");
}

#[test]
fn a_failure_is_an_object_for_programs_too() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    for (line, code, why) in [
        (format!("scenario run rst --matrix {SHIPPED} --path pause"), 4, "a host cannot be paused"),
        ("scenario run rst --configuration virtio-tap".to_owned(), 2, "declares no configuration"),
        ("scenario run rts".to_owned(), 2, "there is no scenario `rts`"),
    ] {
        let ended = lab.run(&format!("{line} --format json")).expect(code);
        let failure: Json = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(failure["exit_code"], code);
        assert!(failure["error"].as_str().unwrap().contains(why), "{failure}");
    }
}

#[test]
fn places_are_chosen_by_the_names_of_the_matrix_file() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let run = |more: &str| lab.run(&format!("scenario run rst client_delay=5ms --trials 20 {more}"));
    // The host as it is needs no file; an arm of it is the file's.
    run("--configuration bare-metal").expect(0).says(&["configuration bare-metal"]);
    let arm = format!("--matrix {SHIPPED} --configuration bare-metal-no-localtime --format json");
    let arm = json(&run(&arm).expect(0).stdout);
    assert_eq!(arm["errno_seen"]["log_line"], serde_json::json!({ "ENOENT": 20 }), "{arm}");
    run(&format!("--matrix {SHIPPED} --configuration virtio-tp"))
        .expect(2)
        .says(&["declares no configuration `virtio-tp`", "did you mean `virtio-tap`"]);
    run("--configuration bare-metal --kernel 6.1").expect(2).says(&["runs on this host's own kernel"]);
    run(&format!("--matrix {SHIPPED} --configuration virtio-tap --kernel host"))
        .expect(2)
        .says(&["is a guest: its kernel is an image"]);
    run("--kernel 6.1").expect(2).says(&["--configuration"]);
    run("--matrix x.toml").expect(2).says(&["--configuration", "--path"]);
}

/// What this host cannot do is told as in the plan, before anything is booted for it.
#[test]
fn what_cannot_be_played_here_is_refused_in_the_words_of_the_plan() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&fs::read_to_string(SHIPPED).unwrap());
    let plan = lab
        .run("matrix plan --profile nightly --format json configuration=virtio-* scenario=rst path=direct");
    let plan: Json = serde_json::from_str(&plan.expect(0).stdout).unwrap();
    let mut told = BTreeSet::new();
    for cell in plan["cells"].as_array().unwrap().iter().filter(|cell| cell["status"] == "skipped") {
        let (configuration, kernel) =
            (cell["configuration"].as_str().unwrap(), cell["kernel"].as_str().unwrap());
        if !told.insert(configuration.to_owned()) {
            continue;
        }
        let line = format!("scenario run rst --trials 5 --configuration {configuration} --kernel {kernel}");
        let reason = cell["reason"].as_str().unwrap();
        let ended = lab.run(&line).expect(4);
        let folded = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.words().contains(&folded), "{folded} is not in {}", ended.stderr);
    }
    // A pair and a loopback do not go together on any host that has QEMU; on one without, that is the reason.
    let pair = lab.run("scenario run rst --configuration virtio-pair --path loopback").expect(4);
    assert!(pair.stderr.contains("is a loopback") || pair.stderr.contains("no QEMU"), "{}", pair.stderr);
}

#[test]
fn every_packet_has_the_name_of_its_trial() {
    if !is_root("netns") || !has_tshark() {
        return;
    }
    let lab = Lab::new("");
    let ended =
        lab.run("scenario run rst client_delay=5ms --trials 30 --capture new/out --examples 0").expect(0);
    let files: Vec<_> =
        fs::read_dir(lab.path().join("new/out")).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for end in [".target.pcapng", ".peer.pcapng"] {
        let file = files.iter().find(|file| file.to_string_lossy().ends_with(end)).unwrap();
        assert!(ended.stdout.contains(&format!("new/out/{}", file.file_name().unwrap().to_string_lossy())));
        let shown = segments(file);
        let names: BTreeSet<&str> = shown.iter().map(|packet| packet.comment.as_str()).collect();
        let wanted: BTreeSet<String> =
            (0..30).map(|trial| format!("trial {trial} (example): readable,data,ECONNRESET")).collect();
        assert_eq!(names, wanted.iter().map(String::as_str).collect(), "{end}");
    }
    assert!(!ended.stdout.contains("trial 0:"), "no example was asked for: {}", ended.stdout);
    // The line that is offered works when it is pasted.
    let line = ended.stdout.lines().find(|line| line.trim_start().starts_with("tshark ")).unwrap();
    let pasted = Command::new("sh").args(["-c", line]).current_dir(lab.path()).output().unwrap();
    let pasted = String::from_utf8(pasted.stdout).unwrap();
    assert!(pasted.contains("trial 29 (example)") && pasted.contains('R'), "{pasted}");
}

#[test]
fn packets_that_cross_no_interface_are_refused_and_so_is_a_folder_that_cannot_be_made() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&fs::read_to_string(SHIPPED).unwrap());
    let run = |more: &str| lab.run(&format!("scenario run rst --trials 5 {more}")).expect(2);
    run("--path loopback --capture out").says(&["path `loopback` is a loopback"]);
    run("--configuration virtio-pair --capture out").says(&["joined by a pair of sockets"]);
    run("--capture matrix.toml/out").says(&["cannot make the folder of --capture"]);
    assert!(!lab.path().join("out").exists());
}

#[test]
fn stopped_or_killed_it_leaves_nothing() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let before = interfaces();
    for (signal, code) in [(Signal::SIGKILL, None), (Signal::SIGINT, Some(130)), (Signal::SIGTERM, Some(130))]
    {
        let mut running = lab.start(lab.rig("scenario run rst client_delay=60s --trials 5"));
        let root = running.pid();
        running.await_that("both agents are there", || {
            let agents = family(root).into_iter().filter(|process| process.is("guest-agent")).count();
            (agents == 2).then_some(())
        });
        let belongings = Belongings::of(&running, before.clone());
        running.signal(signal);
        let ended = running.end();
        belongings.vanish();
        assert_eq!(ended.status.code(), code, "{signal}: {ended:?}");
        assert_eq!(ended.stdout, "", "{signal}");
    }
}
