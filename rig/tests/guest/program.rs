//! A user's program in a guest: the three columns there, and a tracepoint beside strace.

use serde_json::Value as Json;

use crate::blackbox::Lab;
use crate::blackbox::programs::{accounts, build, client, scenario};
use crate::blackbox::tools::needs;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../matrix.toml");

fn played(lab: &Lab, place: &str, file: &str, more: &str) -> Json {
    let line = format!(
        "scenario run {file} --format json --quiet --matrix {SHIPPED} --configuration {place} --kernel 6.1 {more}"
    );
    let ended = lab.run(&line).expect(0);
    let run: Json =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout));
    assert_eq!(run["status"], "complete", "{run}");
    assert!(run["kernel_release"].as_str().unwrap().starts_with("6.1."), "{run}");
    run
}

/// What the host's own libraries and the guest's kernel and /etc make of it.
pub(crate) fn a_program_tells_the_same_in_a_guest() {
    let lab = Lab::new("");
    client(&lab, "printed", &[]);
    client(&lab, "mended", &["-DMENDED"]);
    build(&lab, "gcc", "late-errno.c", "late", &[]);
    for (name, place, expected) in [
        ("printed", "virtio-tap", "1|none|-|-|-|SIGSEGV|killed"),
        ("mended", "virtio-tap-no-localtime", "1|ENOENT|ENOENT|1|ENOENT|exit=0|stale"),
        ("late", "virtio-tap-no-localtime", "-1/EBADF|EBADF|ENOENT|-1|ENOENT|exit=0|overwritten"),
    ] {
        let run = played(&lab, place, &scenario(&lab, name, ""), "--trials 20");
        assert_eq!(accounts(&run["program"]), [(expected.to_owned(), 20)], "{name} in {place}");
        assert_eq!(run["witness_rsts"], run["kernel_rsts"], "{run}");
        assert_eq!(run["program"]["redirected"], 20);
    }
}

/// strace is the program, and what it says of the call is what the kernel's tracepoint saw: in each of the same trials. Over the guest's own loopback the
/// client meets its peer at the address that it names.
pub(crate) fn a_tracepoint_and_strace_see_the_same_calls_of_the_same_trials() {
    if needs("strace").is_none() {
        return;
    }
    let lab = Lab::new("");
    build(&lab, "gcc", "late-errno.c", "late", &[]);
    let text = r#"title = "two witnesses"
expect = ["**"]
peer = "rst"
[lane.client]
program = "strace"
arguments = ["-f", "-e", "trace=select,pselect6", "./late"]
with = ["./late"]
witness = "tracepoint"
redirect = "none"
says = 'select6?\(.*= (?<returned>-?\d+)(?: (?<errno>E[A-Z]+))?'
"#;
    fs_err::write(lab.path().join("two.toml"), text).unwrap();
    let run = played(&lab, "virtio-tap", "two.toml", "--path loopback --trials 100");
    assert_eq!(accounts(&run["program"]), [("-1/EBADF|-|-|-1|EBADF|exit=0|agrees".to_owned(), 100)]);
    assert_eq!((&run["program"]["lost_events"], &run["program"]["redirected"]), (&0.into(), &0.into()));
}
