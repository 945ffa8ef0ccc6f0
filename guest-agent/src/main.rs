//! The guest agent: plays rig's scripts inside the measured kernel, and beside it as the peer.
//!
//! Holds the process's beginning and end. It speaks frames on standard input and output; standard error is for panics.
//! Units: none. Errors: exit 0 when the controller is gone, 101 on a panic or a broken conversation: never a `Fin` then.
//! Must not be started by hand, except with `--version`; `--offloads` sets those of an interface first, with `--sleep` it is a child of its
//! own that a `fork` step executes, and with `--forget` it only makes the kernel forget the hosts that TCP has talked to.
//! Tests: `tests/loopback` drives two agents over pipes.

mod clock;
mod counters;
mod draw;
mod incoming;
mod interfaces;
mod interp;
mod machine;
mod ops;
mod plan;
mod pool;
mod program;
mod seat;
mod sequence;
mod session;
mod stage;
#[expect(unsafe_code, reason = "the one place for it: raw system calls and libc")]
mod sys;
mod tally;
mod watch;

use std::io::{ErrorKind, Write};

use crate::session::Broken;
use crate::sys::interface::Inquiry;
use crate::sys::{child, metrics, process};

/// What is set of an interface before anything is told of it: `--offloads data,gro=off`.
const OFFLOADS: &str = "--offloads";

/// What TCP has learned of other hosts is forgotten, and nothing else is done.
const FORGET: &str = "--forget";

/// As Rust's own runtime says it after a panic.
const PANICKED: i32 = 101;

fn main() {
    exit_on_panic();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        None => {}
        Some(OFFLOADS) => set_offloads(&arguments.next().unwrap_or_default()),
        Some("--version") => return print_version(),
        Some(FORGET) => return forget(),
        Some(child::SLEEP) => child::sleep(&arguments.next().unwrap_or_default()),
        Some(other) => panic!("unknown argument {other:?}: frames come on standard input"),
    }
    if let Err(errno) = session::prepare_process() {
        panic!("sigaction: {errno}");
    }
    let (input, output) = process::standard_streams();
    match session::serve(input, output) {
        Ok(()) => process::exit(0),
        // The controller went away while we wrote, as it does when it ends our input.
        Err(Broken::Output(error)) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        Err(Broken::Output(error)) => panic!("replies: {error}"),
        Err(Broken::Overlap) => panic!("an assignment came while another was being played"),
    }
}

/// A panic in any thread ends the process, whatever the profile: a trial that nobody counts must not look like one that did
/// not happen.
fn exit_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        process::exit(PANICKED);
    }));
}

/// What the kernel refuses is seen in what `Hello` tells of the interface.
fn set_offloads(wanted: &str) {
    let mut parts = wanted.split(',');
    let (Some(interface), Some(inquiry)) = (parts.next(), Inquiry::open()) else { return };
    for part in parts {
        let known = match part.split_once('=') {
            Some((name, "on")) => inquiry.set(interface, name, true),
            Some((name, "off")) => inquiry.set(interface, name, false),
            Some(_) | None => None,
        };
        assert!(known.is_some(), "{OFFLOADS}: {part:?} is no offload");
    }
}

fn forget() {
    if let Err(errno) = metrics::forget() {
        panic!("{FORGET}: {errno}");
    }
}

fn print_version() {
    let line = format!("guest-agent {} {}\n", env!("CARGO_PKG_VERSION"), machine::build_id());
    // A closed pipe is the reader's choice.
    let _ = std::io::stdout().write_all(line.as_bytes());
}
