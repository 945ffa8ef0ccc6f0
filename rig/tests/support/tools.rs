//! What a single test needs of the host beside its tier: programs of other people.
//!
//! A test whose tool is missing says `skipped: ...` and passes; `.ci/run` counts these lines, and fails where there is one. Which tools there are is
//! said in `rig::capability::tool`, and nowhere else. Must not skip a tier: that is for what all tests of a tier need (root, namespaces, a guest).

use std::io::Write as _;
use std::path::PathBuf;

use rig::capability::tool::Tool;
use rig::process::find_program;

/// The file of a program that `rig setup --tests` installs; where this host lacks it, says that the test is skipped.
pub(crate) fn needs(program: &str) -> Option<PathBuf> {
    let tool = Tool::named(program).unwrap_or_else(|| panic!("{program} has no row in the table of tools"));
    let found = find_program(program);
    if found.is_none() {
        skip(&format!("no {program} (package {})", tool.package));
    }
    found
}

/// Says that the test is skipped: past the test harness, which keeps what a test that passes prints to itself. In one piece, and on a line of its own.
pub(crate) fn skip(what: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let line = format!("\nskipped: {name}: {what}: `rig setup --tests --yes` installs it\n");
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
