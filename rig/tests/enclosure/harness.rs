//! As much of libtest's command line as cargo and nextest use, and the fork in which an enclosure is made.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, geteuid, setpgid};

pub(crate) type Test = (&'static str, fn());

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the tests that the command line names, one after the other, on the one thread that there is.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the harness")]
pub(crate) fn main(tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    // The values of `--format terse` and the like are no test's name.
    let named: Vec<&str> = filters
        .iter()
        .map(|filter| filter.as_str())
        .filter(|word| !["terse", "pretty"].contains(word))
        .collect();
    let wanted = |name: &str| {
        named.is_empty()
            || named.iter().any(|filter| if has("--exact") { name == *filter } else { name.contains(filter) })
    };
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| wanted(name) && !has("--ignored")).collect();
    if has("--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !geteuid().is_root() {
        eprintln!("SKIPPED tier netns: not root ({} tests of the enclosure)", chosen.len());
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let failed = chosen
        .iter()
        .filter(|(name, test)| {
            let passed = catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            !passed
        })
        .count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed",
        if failed == 0 { "ok" } else { "FAILED" },
        chosen.len() - failed
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// What the body and the test say to each other, line by line.
pub(crate) struct Line {
    reader: File,
    writer: File,
}

impl Line {
    fn pair() -> (Self, Self) {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let line = |stream: std::os::unix::net::UnixStream| Self {
            reader: File::from(OwnedFd::from(stream.try_clone().unwrap())),
            writer: File::from(OwnedFd::from(stream)),
        };
        (line(here), line(there))
    }

    pub(crate) fn say(&mut self, word: impl std::fmt::Display) {
        self.writer.write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    /// The next byte, `None` at the end; a deadline, so that a failing test ends.
    fn next(&mut self, deadline: Instant) -> Option<u8> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap());
        assert!(fds[0].any() == Some(true), "no word and no end within {PATIENCE:?}");
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(1) => Some(byte[0]),
            // A reset means that the end had not read all.
            Ok(_) | Err(_) => None,
        }
    }

    /// The next line.
    pub(crate) fn hear(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut line = Vec::new();
        loop {
            match self.next(deadline) {
                Some(b'\n') => return String::from_utf8(line).unwrap(),
                Some(byte) => line.push(byte),
                None => panic!("the line broke off after {line:?}"),
            }
        }
    }

    /// Waits until no process has the other end any more.
    pub(crate) fn await_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.next(deadline).is_some() {}
    }
}

/// An enclosure under test.
pub(crate) struct Enclosed {
    pub(crate) outer: Pid,
    pub(crate) line: Line,
}

/// Forks; the fork gets a process group of its own, encloses itself and runs `body`, whose result is its exit code.
pub(crate) fn start(body: impl FnOnce(&mut Line) -> i32) -> Enclosed {
    start_prepared(|| {}, body)
}

/// The same, with something done before the enclosure is made.
pub(crate) fn start_prepared(prepare: impl FnOnce(), body: impl FnOnce(&mut Line) -> i32) -> Enclosed {
    let (line, theirs) = Line::pair();
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => {
            // Both do it, so that it is done for both.
            let _ = setpgid(child, child);
            Enclosed { outer: child, line }
        }
        ForkResult::Child => {
            drop(line);
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            become_body(theirs, prepare, body)
        }
    }
}

/// In a fork: never returns into the test.
pub(crate) fn become_body(mut line: Line, prepare: impl FnOnce(), body: impl FnOnce(&mut Line) -> i32) -> ! {
    let code = catch_unwind(std::panic::AssertUnwindSafe(|| {
        prepare();
        rig::process::enclose().unwrap();
        body(&mut line)
    }));
    // SAFETY: ends the fork without the rest of the test.
    unsafe { libc::_exit(code.unwrap_or(99)) }
}

impl Enclosed {
    /// See [`inner`].
    pub(crate) fn inner(&self) -> (Pid, Pid) {
        inner(self.outer)
    }

    /// Everything below and with the outer process.
    pub(crate) fn everybody(&self) -> Vec<Process> {
        let mut found = vec![self.outer];
        let mut next = 0;
        while next < found.len() {
            found.extend(children(found[next]));
            next += 1;
        }
        found.into_iter().map(Process::of).collect()
    }

    /// How the outer process ended.
    pub(crate) fn end(&self) -> WaitStatus {
        wait_for(self.outer, WaitPidFlag::empty())
    }
}

/// Pids of init and body, as the test sees them. The body must have said something already.
pub(crate) fn inner(outer: Pid) -> (Pid, Pid) {
    let [init] = children(outer)[..] else { panic!("the outer process has not one child") };
    let body = *children(init).iter().min_by_key(|pid| inner_number(**pid)).expect("init has a child");
    assert_eq!((inner_number(init), inner_number(body)), (1, 2));
    (init, body)
}

impl Drop for Enclosed {
    fn drop(&mut self) {
        // For a test that failed; a pid that was waited for is not ours any more, but then waitpid says so.
        if matches!(waitpid(self.outer, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive)) {
            let _ = kill(self.outer, Signal::SIGKILL);
            let _ = waitpid(self.outer, None);
        }
    }
}

/// waitpid(2) with a deadline.
pub(crate) fn wait_for(pid: Pid, flags: WaitPidFlag) -> WaitStatus {
    let mut status = WaitStatus::StillAlive;
    await_that("the process changes its state", || {
        status = waitpid(pid, Some(flags | WaitPidFlag::WNOHANG)).unwrap();
        status != WaitStatus::StillAlive
    });
    status
}

pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A process that cannot be confused with a later one of the same number.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    started: String,
}

impl Process {
    pub(crate) fn of(pid: Pid) -> Self {
        Self { pid, started: stat(pid).expect("it runs")[19].clone() }
    }

    /// Not even a zombie.
    pub(crate) fn is_gone(&self) -> bool {
        stat(self.pid).is_none_or(|fields| fields[19] != self.started)
    }
}

/// Fields of /proc/PID/stat from the third on: state, ppid, ... proc_pid_stat(5).
pub(crate) fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.map(Pid::from_raw)
        .filter(|pid| stat(*pid).is_some_and(|fields| fields[1] == parent.to_string()))
        .collect()
}

/// Its number in its own PID namespace.
fn inner_number(pid: Pid) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    numbers.split_whitespace().next_back().unwrap().parse().unwrap()
}
