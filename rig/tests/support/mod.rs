//! What tests of real things share.

pub(crate) mod guest;
pub(crate) mod laboratory;

use std::io::Write;

/// Says why a test did not run what it is for. Past the test harness, which keeps what a test that passes prints to itself.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED tier guest: {reason}");
}

/// Says a measured value; nothing is asserted about it.
#[expect(clippy::print_stderr, reason = "for who reads the test's output")]
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}
