//! Signals, from scripts and from a terminal.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid, fork, getpgrp, setpgid, write};

use crate::harness::{Line, await_that, inner, start, start_prepared, stat, wait_for};

/// A body that tells each signal that it gets, and ends on SIGTERM.
fn tell_signals(line: &mut Line) -> i32 {
    let told = SigSet::from_iter([
        Signal::SIGINT,
        Signal::SIGUSR1,
        Signal::SIGHUP,
        Signal::SIGTERM,
        Signal::SIGQUIT,
    ]);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&told), None).unwrap();
    line.say("ready");
    loop {
        let signal = told.wait().unwrap();
        line.say(signal);
        if signal == Signal::SIGTERM {
            return 7;
        }
    }
}

pub(crate) fn to_the_outer_process() {
    let mut enclosed = start(tell_signals);
    assert_eq!(enclosed.line.hear(), "ready");
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGINT] {
        kill(enclosed.outer, signal).unwrap();
        assert_eq!(enclosed.line.hear(), signal.as_str());
        // Had it been passed on twice, the second would come before this.
        kill(enclosed.outer, Signal::SIGUSR1).unwrap();
        assert_eq!(enclosed.line.hear(), "SIGUSR1");
    }
    kill(enclosed.outer, Signal::SIGTERM).unwrap();
    assert_eq!(enclosed.line.hear(), "SIGTERM");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 7));
}

pub(crate) fn to_the_group() {
    let mut enclosed = start(tell_signals);
    assert_eq!(enclosed.line.hear(), "ready");
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        killpg(enclosed.outer, signal).unwrap();
        assert_eq!(enclosed.line.hear(), signal.as_str());
        // This one only init can pass on, after it has decided about the one before.
        kill(enclosed.outer, Signal::SIGUSR1).unwrap();
        assert_eq!(enclosed.line.hear(), "SIGUSR1");
    }
    killpg(enclosed.outer, Signal::SIGTERM).unwrap();
    assert_eq!(enclosed.line.hear(), "SIGTERM");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 7));
}

fn state(pid: Pid) -> String {
    stat(pid).expect("it runs")[0].clone()
}

pub(crate) fn stop_and_continue() {
    let mut enclosed = start(tell_signals);
    assert_eq!(enclosed.line.hear(), "ready");
    let (_, body) = enclosed.inner();
    for _ in 0..2 {
        kill(enclosed.outer, Signal::SIGTSTP).unwrap();
        let stopped = wait_for(enclosed.outer, WaitPidFlag::WUNTRACED);
        assert_eq!(stopped, WaitStatus::Stopped(enclosed.outer, Signal::SIGTSTP));
        await_that("the body stops", || state(body) == "T");
        kill(enclosed.outer, Signal::SIGCONT).unwrap();
        assert_eq!(wait_for(enclosed.outer, WaitPidFlag::WCONTINUED), WaitStatus::Continued(enclosed.outer));
        await_that("the body goes on", || state(body) != "T");
        kill(enclosed.outer, Signal::SIGINT).unwrap();
        assert_eq!(enclosed.line.hear(), "SIGINT");
    }
    kill(enclosed.outer, Signal::SIGTERM).unwrap();
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 7));
}

pub(crate) fn dispositions() {
    // As nohup(1) does, and as a shell that blocks a signal for its children.
    let prepare = || {
        // SAFETY: installs no handler.
        unsafe { nix::sys::signal::signal(Signal::SIGHUP, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::from(Signal::SIGUSR2)), None).unwrap();
    };
    let mut enclosed = start_prepared(prepare, |line| {
        let mut mask = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut mask)).unwrap();
        let blocked: Vec<&str> = mask.iter().map(Signal::as_str).collect();
        line.say(blocked.join(" "));
        line.hear();
        5
    });
    assert_eq!(enclosed.line.hear(), "SIGUSR2");
    // Would end the body, were it not ignored.
    kill(enclosed.outer, Signal::SIGHUP).unwrap();
    killpg(enclosed.outer, Signal::SIGHUP).unwrap();
    kill(enclosed.outer, Signal::SIGUSR2).unwrap();
    let (_, body) = enclosed.inner();
    let pending = 1_u64 << (Signal::SIGUSR2 as u64 - 1);
    await_that("SIGUSR2, sent last, has arrived", || {
        let status = std::fs::read_to_string(format!("/proc/{body}/status")).unwrap();
        let shared = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap().trim().to_owned();
        u64::from_str_radix(&shared, 16).unwrap() & pending != 0
    });
    enclosed.line.say("end");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 5));
}

/// A terminal, and on it a shell as small as can be: one foreground job, told to go on when it stops.
pub(crate) fn terminal() {
    let mut master = 0;
    // SAFETY: the optional pointers may be null; this process has one thread, so the child may do anything.
    let shell =
        unsafe { libc::forkpty(&raw mut master, std::ptr::null_mut(), std::ptr::null(), std::ptr::null()) };
    if shell == 0 {
        let code = std::panic::catch_unwind(be_shell).unwrap_or(99);
        // SAFETY: ends the fork without the rest of the test.
        unsafe { libc::_exit(code) }
    }
    assert!(shell > 0);
    // SAFETY: a new descriptor that nobody else owns.
    let master = unsafe { OwnedFd::from_raw_fd(master) };
    let mut screen = String::new();
    let mut await_text = |text: &str| {
        await_that(text, || {
            let mut bytes = [0; 256];
            let mut fds =
                [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&master), nix::poll::PollFlags::POLLIN)];
            if nix::poll::poll(&mut fds, nix::poll::PollTimeout::from(50_u8)) == Ok(1) {
                let count = nix::unistd::read(&master, &mut bytes).unwrap_or(0);
                screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
            screen.contains(text)
        });
        // What came before is done with; what is left is kept for the next look.
        let (seen, rest) = screen.split_once(text).unwrap();
        let (seen, rest) = (seen.to_owned(), rest.to_owned());
        screen = rest;
        seen
    };
    await_text("ready");
    for _ in 0..3 {
        write(&master, b"\x03").unwrap();
        await_text("<SIGINT>");
        write(&master, b"\x1c").unwrap();
        let between = await_text("<SIGQUIT>");
        assert!(!between.contains("<SIGINT>"), "one Ctrl-C came twice: {between:?}");
        write(&master, b"\x1a").unwrap();
        await_text("{stopped by SIGTSTP}");
        await_text("{continued}");
    }
    write(&master, b"q\n").unwrap();
    await_text("{ended with 7}");
    let status = wait_for(Pid::from_raw(shell), WaitPidFlag::empty());
    assert_eq!(status, WaitStatus::Exited(Pid::from_raw(shell), 0));
    assert!(master.as_raw_fd() > 2);
}

/// In the session leader on the terminal.
fn be_shell() -> i32 {
    // The shell itself may hand the terminal over from the background.
    // SAFETY: installs no handler.
    unsafe { nix::sys::signal::signal(Signal::SIGTTOU, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
    // SAFETY: this process has one thread.
    let job = match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
            // SAFETY: no pointers.
            assert_eq!(unsafe { libc::tcsetpgrp(0, getpgrp().as_raw()) }, 0);
            // SAFETY: installs no handler.
            unsafe { nix::sys::signal::signal(Signal::SIGTTOU, nix::sys::signal::SigHandler::SigDfl) }
                .unwrap();
            rig::process::enclose().unwrap();
            let code = be_job();
            // SAFETY: ends the body.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => child,
    };
    loop {
        match wait_for(job, WaitPidFlag::WUNTRACED) {
            WaitStatus::Stopped(_, signal) => {
                print(&format!("{{stopped by {signal}}}"));
                let (_, body) = inner(job);
                await_that("the body stops too", || state(body) == "T");
                killpg(job, Signal::SIGCONT).unwrap();
                await_that("it goes on", || state(body) != "T");
                print("{continued}");
            }
            WaitStatus::Exited(_, code) => {
                print(&format!("{{ended with {code}}}"));
                return 0;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The body on the terminal: tells its signals, ends when it can read a line.
fn be_job() -> i32 {
    let told = SigSet::from_iter([Signal::SIGINT, Signal::SIGQUIT]);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&told), None).unwrap();
    std::thread::spawn(move || {
        loop {
            print(&format!("<{}>", told.wait().unwrap()));
        }
    });
    print("ready");
    // Only a foreground process may read from its terminal.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line == "q\n" { 7 } else { 96 }
}

fn print(text: &str) {
    write(std::io::stdout(), text.as_bytes()).unwrap();
}
