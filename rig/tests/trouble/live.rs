//! `--live`: the page follows its run, and the last one carries it. `rig report --open`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::blackbox::{Lab, is_root, matrix};

/// What makes a browser load the page anew.
const REFRESH: &str = "http-equiv=\"refresh\"";

#[test]
fn the_page_is_there_while_the_run_goes_on_and_whole_at_its_end() {
    if !is_root("netns") {
        return;
    }
    let run = "trials = 4000\nblocks = 8\ncontrol_trials = 300\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"50ms\"";
    let lab = Lab::new(&matrix(run, r#""rst""#, r#""bare-metal""#));
    let mut going = lab.start(lab.rig("matrix run --live"));
    let first = going.await_that("the first page", || {
        let run = lab.runs().into_iter().next()?;
        fs::read_to_string(run.join("report.html")).ok()
    });
    assert!(first.contains(REFRESH) && first.contains("NOT COMPLETE"), "it says that it goes on");
    assert!(!first.contains("id=\"record\">"), "what is still being written is not carried");
    let ended = going.end().expect(0);
    assert!(ended.stderr.contains("the page of this run, while it goes on: "), "{}", ended.stderr);
    let last = lab.only_run().read("report.html");
    assert!(!last.contains(REFRESH) && last.contains("<script type=\"application/gzip\" id=\"record\">"));
    assert!(
        last.contains("8,000 counted") || last.contains("4,300 counted") || last.contains(" counted, 0 void"),
        "all are there"
    );
}

#[test]
fn a_page_is_opened_by_the_desktop_or_its_name_is_said() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&matrix("trials = 300\ncontrol_trials = 150", r#""rst""#, r#""bare-metal""#));
    lab.run("matrix run").expect(0);
    let page = lab.only_run();
    let bin = lab.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let mut command = lab.rig("report --open");
    command.env("PATH", &bin);
    let ended = lab.start(command).end().expect(4);
    assert!(
        ended.stderr.contains("this host has no xdg-open") && ended.stderr.contains("report.html"),
        "{}",
        ended.stderr
    );
    let opener = bin.join("xdg-open");
    fs::write(&opener, format!("#!/bin/sh\nprintf %s \"$1\" > {}/opened\n", lab.path().display())).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = lab.rig("report --open");
    command.env("PATH", &bin);
    lab.start(command).end().expect(0);
    let opened = fs::read_to_string(lab.path().join("opened")).unwrap();
    assert!(opened.ends_with(&format!("{}/report.html", page.id())), "{opened}");
}
