//! The rehearsal tier: boots the emulated KVM host with the real binary, and runs small programs and a whole matrix of this host in it.
//!
//! Two rehearsals at a time, the long one and one of the short ones: each keeps one CPU busy. Needs QEMU, and for the first time the package mirror; where QEMU is missing it says so and does nothing else.
//! Units: seconds. Nothing here is timed except by bounds that only a hang reaches.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[path = "rehearsal/matrix.rs"]
mod matrix;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/examples.rs"]
mod support;
#[path = "support/tools.rs"]
mod tools;

/// Held while one of the short ones runs.
static ONE_SHORT_ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_SHORT_ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far more than the longest of them takes on a machine that is busy, or whose host is: then each of a dozen guests takes 40 s.
const BOUND: Duration = Duration::from_secs(1_500);

fn can_run(test: &str) -> bool {
    let there = Command::new("qemu-system-x86_64")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        // Past libtest, which keeps what a passing test prints to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED tier rehearsal: {test} needs qemu-system-x86_64");
    }
    there
}

fn rehearse(folder: &Path, options: &[&str], script: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["rehearse", "--memory-mib", "2048", "--vcpus", "2"])
        .args(options)
        .args(["--exec", "--", "sh", "-c", script])
        .current_dir(folder)
        .env("FROM_OUTSIDE", "a b")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rig starts")
}

fn await_end(child: &mut Child) -> ExitStatus {
    await_end_within(child, BOUND)
}

fn await_end_within(child: &mut Child, bound: Duration) -> ExitStatus {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().expect("it is our child");
            panic!("the rehearsal did not end within {} s", bound.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), signal).expect("it runs");
}

/// One boot for all that a command inside can see and do; it ends by Ctrl-C.
const SCRIPT: &str = r#"
trap 'echo interrupted; echo late > results/late; exit 7' INT
fail() { echo "FAILED $*"; exit 1; }
[ "$(uname -n)" = rehearsal ] || fail hostname
[ "$RIG_REHEARSED$FROM_OUTSIDE" = "1a b" ] || fail environment
for device in kvm vhost-net net/tun; do [ -c /dev/$device ] || fail $device; done
grep -qw svm /proc/cpuinfo || fail svm
read -r line
[ "$line" = "from outside" ] || fail input
echo inside > results/there || fail results
echo inside > extra/there || fail share
echo lost > here || fail "the root is not writable"
[ "$(cat before)" = "of the host" ] || fail "the host's files"
unshare --user --map-root-user true || fail "user namespaces"
unshare --net --mount --pid --fork true || fail namespaces
ip link add left type veth peer name right && tc qdisc add dev left root netem delay 10ms || fail netem
nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp flags rst counter reject with tcp reset' || fail nft
echo to-stderr >&2
echo ready
sleep 1000 &
wait
fail "the signal did not come"
"#;

#[test]
fn a_command_runs_in_an_emulated_kvm_host_as_it_would_here() {
    if !can_run("the rehearsal") {
        return;
    }
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("extra")).expect("a folder");
    fs::write(folder.path().join("before"), "of the host\n").expect("a file");
    let mut child = rehearse(folder.path(), &["--share", "extra", "--console", "console.log"], SCRIPT);
    child.stdin.take().expect("a pipe").write_all(b"from outside\n").expect("it reads");
    let (sender, stderr) = channel();
    let mut errors = child.stderr.take().expect("a pipe");
    thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        let _ = sender.send(text);
    });
    let (sender, lines) = channel();
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));

    let console = || fs::read_to_string(folder.path().join("console.log")).unwrap_or_default();
    let first = lines.recv_timeout(BOUND);
    if first.as_deref() != Ok("ready") {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{first:?}\n{}\n{}", stderr.recv_timeout(BOUND).unwrap_or_default(), console());
    }
    signal(&child, Signal::SIGINT);
    let status = await_end(&mut child);
    let rest: Vec<String> = lines.iter().collect();
    let stderr = stderr.recv_timeout(BOUND).expect("it has ended");
    assert_eq!((status.code(), rest), (Some(7), vec!["interrupted".to_owned()]), "{stderr}\n{}", console());
    assert!(stderr.lines().any(|line| line == "to-stderr"), "{stderr}");

    let read = |name: &str| fs::read_to_string(folder.path().join(name));
    assert_eq!(read("results/there").expect("brought back"), "inside\n");
    assert_eq!(read("results/late").expect("written at the very end"), "late\n");
    assert_eq!(read("extra/there").expect("brought back"), "inside\n");
    assert!(read("here").is_err(), "what is not shared is not written");
}

/// Processes whose command line names `folder`.
fn users_of(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().expect("UTF-8").to_owned();
    let processes = fs::read_dir("/proc").expect("proc").flatten();
    processes
        .filter_map(|process| {
            let words = String::from_utf8(fs::read(process.path().join("cmdline")).ok()?).ok()?;
            words.contains(&needle).then_some(words)
        })
        .collect()
}

fn await_users(folder: &Path, wanted: impl Fn(&[String]) -> bool) {
    let deadline = Instant::now() + BOUND;
    loop {
        let users = users_of(folder);
        if wanted(&users) {
            return;
        }
        assert!(Instant::now() < deadline, "still {users:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// However it ends, nothing is left: neither QEMU nor an empty folder.
#[test]
fn nothing_survives_it() {
    if !can_run("dying together") {
        return;
    }
    let _alone = alone();
    for how in [Signal::SIGKILL, Signal::SIGINT] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = rehearse(folder.path(), &[], "sleep 1000");
        // The share of the results folder is in QEMU's command line.
        await_users(folder.path(), |users| users.iter().any(|user| user.contains("qemu-system-x86_64")));
        signal(&child, how);
        let status = await_end(&mut child);
        await_users(folder.path(), <[String]>::is_empty);
        match how {
            Signal::SIGINT => {
                assert_eq!(status.code(), Some(130));
                assert!(!folder.path().join("results").exists());
            }
            _ => assert!(!status.success()),
        }
    }
}

#[test]
fn every_example_of_a_rehearsal_works_as_it_is_pasted() {
    if !can_run("examples") {
        return;
    }
    let _alone = alone();
    let rows = rig::cli::EXAMPLES.iter().filter(|example| example.runs == rig::cli::Runs::Rehearsal);
    assert!(rows.inspect(|example| support::play(example)).count() > 0);
}

#[test]
fn wrong_input_boots_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let says = |arguments: &[&str], inside: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_rig"))
            .arg("rehearse")
            .args(arguments)
            .current_dir(folder.path())
            .env("RIG_REHEARSED", inside)
            .output()
            .expect("rig starts");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(says(&[], "").contains("COMMAND"));
    assert!(says(&["--as-init"], "").contains("first process"));
    assert!(says(&["--", "doctor"], "1").contains("a rehearsal inside a rehearsal"));
    assert!(says(&["--share", "missing", "--", "doctor"], "").contains("no folder missing"));
    assert!(says(&["--share", "/proc", "--", "doctor"], "").contains("belongs to the host's kernel"));
    assert!(says(&["--", "matrix", "run", "--results", "/"], "").contains("root cannot be shared"));
    assert!(says(&["--deadline=-3s", "--", "doctor"], "").contains("not negative"));
    assert!(!folder.path().join("results").exists());
}
