//! Programs in C that are compiled for these tests, a peer that resets, and the assignments that play them.

use std::path::{Path, PathBuf};
use std::process::Command;

use rig_protocol::{Program, Script, Side, Verdict, Witness};

use crate::driver::*;

/// Compiles a source beside this file; the flags are part of the file's name.
pub(crate) fn compile(source: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("program");
    std::fs::create_dir_all(&folder).expect("the target's own folder");
    let name = format!("{source}{}", flags.concat());
    let (made, file) = (folder.join(format!("{name}.{}", std::process::id())), folder.join(&name));
    let status = Command::new("gcc")
        .args(["-O1", "-pthread", "-o"])
        .arg(&made)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/program/{source}.c")))
        .args(flags)
        .status()
        .expect("gcc is required");
    assert!(status.success(), "gcc {source} {flags:?}");
    std::fs::rename(&made, &file).expect("in the same folder");
    file
}

/// Says that a test is skipped: past the test harness, which keeps what a test that passes prints to itself.
pub(crate) fn skip(what: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\nskipped: {what}\n").as_bytes());
}

pub(crate) const SAYS: &str = r"result=(?<returned>-?\d+), errno=(?<errno>.+)";

/// The client in one of its modes, against the peer of its script.
pub(crate) fn client(file: &Path, mode: &str) -> Program {
    Program { arguments: [mode, "{address}", "{port}"].map(str::to_owned).to_vec(), ..program(file) }
}

/// A program without arguments.
pub(crate) fn program(file: &Path) -> Program {
    let path = file.to_str().expect("a plain path").to_owned();
    Program {
        name: "./client".to_owned(),
        path,
        directory: "/".to_owned(),
        says: Some(SAYS.to_owned()),
        verdict: Verdict { calls: Program::usual_verdict(), nth: 1 },
        outcome: Program::usual_outcome(),
        ..Program::default()
    }
}

pub(crate) fn watched_by(program: Program, witness: Witness) -> Program {
    Program { witness, ..program }
}

/// Against a peer that reads a greeting, answers and resets.
pub(crate) fn against_reset(program: Program) -> Script {
    let answer = vec![accept(), read(), write("CDEF"), sleep(MS), linger(), close()];
    against(program, answer)
}

pub(crate) fn against(program: Program, peer: Vec<rig_protocol::Step>) -> Script {
    let mut script = script_of(vec![target_lane("client", vec![])], peer, &["**"]);
    script.program = Some(Box::new(program));
    script
}

/// A program that brings both ends.
pub(crate) fn alone(program: Program) -> Script {
    let script = against(program, vec![]);
    assert!(script.lanes_of(Side::Peer).next().is_none());
    script
}

pub(crate) fn setting(trials: u64) -> Setting {
    Setting { trials, ..Setting::default() }
}

/// One test after the other: they look for the processes that trials leave, and a fork of one test holds the pipes of another.
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
