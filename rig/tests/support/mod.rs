//! What tests of real things share.

pub(crate) mod guest;

/// Says why a test did not run what it is for.
#[expect(clippy::print_stderr, reason = "a tier that cannot run says so aloud")]
pub(crate) fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// Says a measured value; nothing is asserted about it.
#[expect(clippy::print_stderr, reason = "for who reads the test's output")]
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}
