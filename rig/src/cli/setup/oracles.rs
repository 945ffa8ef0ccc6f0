//! Makes the Python environment whose packages check rig's statistics and pages.
//!
//! Must not know which packages (`capability/oracles.rs`), nor where pip gets them: that is pip's own configuration. Units: none.
//! Errors: [`Failure`], which blames the host and names what the tests do without it. Tests: below; `tests/trouble/setup.rs` (root).

use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fs_err as fs;
use nix::fcntl::{Flock, FlockArg};

use super::super::streams::say;
use super::super::{Exit, Failure};
use crate::capability::oracles::{FOLDER, Oracles, PYTHON, REQUIREMENTS};
use crate::image::Cache;

/// Makes it where it is not there; without `yes`, says what would be made.
pub(super) fn set_up(yes: bool) -> Result<(), Failure> {
    let cache = Cache::of_user()?;
    let oracles = Oracles::of(cache.root());
    let place = oracles.folder().display();
    if oracles.is_made() {
        say(&format!("the Python packages of the tests are in {place}"));
    } else if yes {
        make(&oracles, &cache.root().join(FOLDER))?;
        say(&format!("the Python packages of the tests are in {place} now"));
    } else {
        say(&format!(
            "`rig setup --tests --yes` would make a Python environment in {place}: {}",
            Oracles::packages().join(", ")
        ));
    }
    Ok(())
}

/// An environment that was begun and not finished, or that another Python made, is made anew; those of other lists go.
fn make(oracles: &Oracles, all: &Path) -> Result<(), Failure> {
    let unwritten = |error: io::Error| {
        let help = "is there space on the disk, and may you write there?";
        Failure::say(Exit::Testbed, format!("the Python environment cannot be made: {error}"), help)
    };
    fs::create_dir_all(all).map_err(unwritten)?;
    let _turn = take_turn(all).map_err(unwritten)?;
    // Another setup may have made it meanwhile.
    if oracles.is_made() {
        return Ok(());
    }
    for entry in fs::read_dir(all).map_err(unwritten)? {
        let path = entry.map_err(unwritten)?.path();
        if path.is_dir() {
            fs::remove_dir_all(path).map_err(unwritten)?;
        }
    }
    say(&format!("making a Python environment in {}", oracles.folder().display()));
    let mut venv = Command::new(PYTHON);
    venv.args(["-I", "-m", "venv"]).arg(oracles.folder());
    finish(
        "python3 -m venv",
        venv,
        "is the package python3-venv there? `rig setup --tests --yes` installs it",
    )?;
    let list = oracles.folder().join("requirements.txt");
    fs::write(&list, REQUIREMENTS).map_err(unwritten)?;
    let mut pip = Command::new(oracles.python());
    // The list names all that is needed.
    pip.args(["-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"]);
    pip.args(["--disable-pip-version-check", "--no-warn-script-location", "--retries=1", "--requirement"]);
    pip.arg(&list);
    finish("pip", pip, WITHOUT_INDEX)?;
    oracles.declare_made().map_err(unwritten)
}

/// The lock goes with the process that holds it.
fn take_turn(all: &Path) -> io::Result<Flock<std::fs::File>> {
    let file = std::fs::File::create(all.join("lock"))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

const WITHOUT_INDEX: &str = "pip asks the package index that it is configured for (`pip config list`): is it reachable from here? \
     Everything else is set up; without these packages `cargo test` skips the tests that need them, and says which";

fn finish(name: &str, mut command: Command, help: &str) -> Result<(), Failure> {
    let failed = |why: &str| Failure::say(Exit::Testbed, format!("{name} failed: {why}"), help);
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(&error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(&complaint(&output))) }
}

/// What went wrong, in the program's own words: its lines of errors, or the last line that it said.
fn complaint(Output { status, stdout, stderr }: &Output) -> String {
    let said = format!("{}\n{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("ERROR: ")).collect();
    match (errors.is_empty(), lines.last()) {
        (false, _) => errors.join("; "),
        (true, Some(last)) => (*last).to_owned(),
        (true, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_complaint_is_the_programs_own() {
        let of = |stdout: &str, stderr: &str| {
            let status = ExitStatus::from_raw(256);
            complaint(&Output { status, stdout: stdout.into(), stderr: stderr.into() })
        };
        let refused = "WARNING: Retrying after connection broken\nERROR: Could not find a version that satisfies numpy\nERROR: No match for numpy\n";
        assert_eq!(
            of("Collecting numpy\n", refused),
            "Could not find a version that satisfies numpy; No match for numpy"
        );
        assert_eq!(
            of("", "Traceback\n  File x\nModuleNotFoundError: No module named 'venv'\n\n"),
            "ModuleNotFoundError: No module named 'venv'"
        );
        assert_eq!(of("", ""), "exit status: 1");
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_is_named_with_what_to_try() {
        for (program, why) in [("/nowhere/python", "No such file"), ("false", "exit status: 1")] {
            let failure = finish("pip", Command::new(program), "ask the index").expect_err("it failed");
            let shown = format!("{failure:?}");
            assert!(shown.contains("pip failed") && shown.contains(why), "{shown}");
        }
        assert!(finish("true", Command::new("true"), "").is_ok());
    }
}
