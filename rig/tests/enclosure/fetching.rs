//! What is fetched before a run ends with rig, behind a mirror that takes connections and says nothing.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Process, await_that, children};

/// A rig that waits for the mirror, all processes that it has for that, and what it waits on: once that is closed, fetching fails.
fn stalled(cache: &std::path::Path, mirror: &TcpListener) -> (Child, Vec<Process>, TcpStream) {
    // A signal that was ignored when rig began stays ignored: nohup(1) and a shell's `&` leave such behind, and then there was nothing to obey.
    let rig = Command::new("env")
        .args(["--default-signal", env!("CARGO_BIN_EXE_rig"), "image", "build", "6.1"])
        .current_dir(cache)
        .env("XDG_CACHE_HOME", cache)
        .env("http_proxy", format!("http://{}", mirror.local_addr().unwrap()))
        .env("https_proxy", format!("http://{}", mirror.local_addr().unwrap()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Its method is there, with other credentials than rig's.
    let (silent, _) = mirror.accept().unwrap();
    let mut found = children(Pid::from_raw(rig.id() as i32));
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    assert!(found.len() >= 4, "keeper, init, apt-get and a method: {found:?}");
    (rig, found.into_iter().map(Process::of).collect(), silent)
}

fn ends_by(signal: Signal, code: Option<i32>) {
    if !std::path::Path::new("/usr/bin/apt-get").exists() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let mirror = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut rig, fetching, _silent) = stalled(cache.path(), &mirror);
    kill(Pid::from_raw(rig.id() as i32), signal).unwrap();
    assert_eq!(rig.wait().unwrap().code(), code);
    await_that("nothing that fetched is left", || fetching.iter().all(Process::is_gone));
}

pub(crate) fn sigkill_leaves_nothing() {
    ends_by(Signal::SIGKILL, None);
}

pub(crate) fn what_asks_it_to_end_is_obeyed() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        ends_by(signal, Some(130));
    }
}
