//! Starting a program: what a child does between fork and exec.
//!
//! Holds the fork and the child's own steps, which use nothing but system calls on memory that was made before: other threads may have held the
//! heap's lock at the fork. Must not know trials or outcomes.
//! Units: none. Errors: [`Failed`]: the step and its errno, told through a pipe that the exec closes.
//! Source: fork(2), signal-safety(7), close_range(2), unshare(2), seccomp(2), netdevice(7), PR_SET_PDEATHSIG(2const).
//! Tests: `tests/program`.

use std::ffi::{CStr, CString, c_char};

use rig_protocol::Errno;

use super::errno::{check, is_failure};
use super::filter::Filter;
use super::raw::syscall;
use super::trace::{self, Report};
use super::{files, process, thread, time};

/// What is executed.
#[derive(Debug)]
pub(crate) struct Image {
    /// The file.
    pub(crate) path: CString,
    /// Its arguments, its own name first.
    pub(crate) arguments: Vec<CString>,
    /// `NAME=value`.
    pub(crate) environment: Vec<CString>,
    /// Where it starts.
    pub(crate) directory: CString,
    /// Its root directory, where it has one of its own.
    pub(crate) root: Option<CString>,
    /// The file that is its standard input, below its root; `None`: /dev/null, which that root need not have.
    pub(crate) input: Option<CString>,
}

/// How it is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Its standard output and error: a pipe's end, or a terminal.
    pub(crate) output: i32,
    /// Whether it gets a network namespace of its own.
    pub(crate) own_network: bool,
    /// The calling thread traces it, and is told of these calls.
    pub(crate) filter: Option<&'a Filter>,
    /// Until when it must be ready for its exec, on CLOCK_MONOTONIC: a path can lead to where nothing answers.
    pub(crate) deadline_ns: u64,
}

/// A step of the child that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Which one, in a word.
    pub(crate) step: &'static str,
    /// Why.
    pub(crate) errno: Errno,
}

impl Failed {
    fn of(step: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { step, errno }
    }
}

/// The child's steps, as its pipe numbers them.
const STEPS: [&str; 11] = [
    "process group",
    "standard input",
    "standard output",
    "network namespace",
    "loopback interface",
    "root",
    "directory",
    "limits",
    "parent",
    "seccomp",
    "exec",
];
const GROUP: usize = 0;
const INPUT: usize = 1;
const OUTPUT: usize = 2;
const NETWORK: usize = 3;
const LOOPBACK: usize = 4;
const ROOT: usize = 5;
const DIRECTORY: usize = 6;
const LIMITS: usize = 7;
const PARENT: usize = 8;
const SECCOMP: usize = 9;
const EXECUTE: usize = 10;
/// No step: all but the last two are done.
const READY: usize = STEPS.len();

/// The kernel's usual slack of timers; a child inherits that of the thread that forks it.
const USUAL_SLACK_NS: usize = 50_000;

/// A child that was forked and waits to be told to go on.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its number.
    pub(crate) pid: i32,
    go: i32,
    told: i32,
}

/// Forks. The child comes to a stand right before it is executed, and waits for [`Child::go`]; it is the leader of a process group of its own,
/// and dies with the calling thread.
pub(crate) fn fork(image: &Image, manner: &Manner<'_>) -> Result<Child, Failed> {
    let vector = |texts: &[CString]| -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (vector(&image.arguments), vector(&image.environment));
    let parent = std::process::id();
    let (wait, go) = files::pipe().map_err(Failed::of("pipe"))?;
    let (told, tell) = match files::pipe() {
        Ok(ends) => ends,
        Err(errno) => {
            close_both(wait, go);
            return Err(Failed::of("pipe")(errno));
        }
    };
    // SAFETY: the child touches no memory that another thread could have left half-written, and never returns from `live`.
    let forked = unsafe { syscall(libc::SYS_fork, [0; 6]) };
    if forked == 0 {
        let ends = Ends { wait, tell };
        // SAFETY: the vectors are terminated by null and their strings outlive the exec.
        unsafe { live(image, manner, &arguments, &environment, ends, parent) };
    }
    close_both(wait, tell);
    let pid = match check(forked) {
        Ok(pid) => pid as i32,
        Err(errno) => {
            close_both(go, told);
            return Err(Failed::of("fork")(errno));
        }
    };
    let in_time = await_word(told, manner.deadline_ns);
    match in_time.then(|| hear(told)).flatten() {
        Some(Told::Ready) => Ok(Child { pid, go, told }),
        heard => {
            close_both(go, told);
            abandon(pid);
            Err(match heard {
                Some(Told::Failed(failed)) => failed,
                Some(Told::Ready) | None if in_time => Failed { step: "start", errno: Errno(libc::ECHILD) },
                Some(Told::Ready) | None => Failed { step: "start", errno: Errno(libc::ETIMEDOUT) },
            })
        }
    }
}

/// Whether something can be read before the deadline.
fn await_word(told: i32, deadline_ns: u64) -> bool {
    loop {
        let left_ms = deadline_ns.saturating_sub(time::monotonic_ns()) / 1_000_000;
        if !files::poll_all(&[told], i32::try_from(left_ms).unwrap_or(i32::MAX)).is_empty() {
            return true;
        }
        if left_ms == 0 {
            return false;
        }
    }
}

fn close_both(one: i32, other: i32) {
    files::close(one);
    files::close(other);
}

/// What a child says through its pipe.
enum Told {
    /// It stands before its exec.
    Ready,
    /// A step failed.
    Failed(Failed),
}

fn hear(told: i32) -> Option<Told> {
    let mut words = [0; 8];
    if files::read(told, &mut words) != words.len() {
        return None;
    }
    let (step, errno) = words.split_at(4);
    let word = |bytes: &[u8]| bytes.first_chunk().map(|word| u32::from_ne_bytes(*word));
    let (step, errno) = (word(step)? as usize, word(errno)?);
    Some(
        STEPS.get(step).map_or(Told::Ready, |step| Told::Failed(Failed { step, errno: Errno(errno as i32) })),
    )
}

impl Child {
    /// Lets it go on to its exec; gives the pipe's end from which [`failure`] reads whether it came there.
    pub(crate) fn go(self) -> i32 {
        files::close(self.go);
        self.told
    }
}

/// Why the exec was not reached, if it was not: to be asked once the child was seen executing or dead. Closes the pipe.
pub(crate) fn failure(told: i32) -> Option<Failed> {
    let heard = hear(told);
    files::close(told);
    match heard {
        Some(Told::Failed(failed)) => Some(failed),
        Some(Told::Ready) | None => None,
    }
}

struct Ends {
    wait: i32,
    tell: i32,
}

/// The child's life: every return value is looked at, and a failure ends it.
///
/// # Safety
/// The vectors must be terminated by null.
unsafe fn live(
    image: &Image,
    manner: &Manner<'_>,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    ends: Ends,
    parent: u32,
) -> ! {
    let stream = |number: usize| {
        // SAFETY: takes no pointer.
        let placed = unsafe { syscall(libc::SYS_dup2, [manner.output as usize, number, 0, 0, 0, 0]) };
        need(ends.tell, OUTPUT, placed);
    };
    stream(1);
    stream(2);
    let [wait, tell] = keep_only([ends.wait, ends.tell]);
    let need = |step: usize, returned: i64| need(tell, step, returned);
    let path = |text: &CString| text.as_ptr() as usize;
    let mut byte = 0_u8;
    // SAFETY: the paths are terminated strings, the vectors arrays of such; all made before the fork.
    unsafe {
        let death = libc::SIGKILL as usize;
        need(PARENT, syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, death, 0, 0, 0, 0]));
        if syscall(libc::SYS_getppid, [0; 6]) != i64::from(parent) {
            process::exit(1);
        }
        need(GROUP, syscall(libc::SYS_setpgid, [0; 6]));
        take_signals();
        syscall(libc::SYS_prctl, [libc::PR_SET_TIMERSLACK as usize, USUAL_SLACK_NS, 0, 0, 0, 0]);
        need(LIMITS, process::restore_limits());
        if manner.own_network {
            need(NETWORK, syscall(libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0, 0, 0, 0]));
            need(LOOPBACK, raise_loopback());
        }
        if image.input.is_none() {
            need(INPUT, read_from(c"/dev/null"));
        }
        if let Some(root) = &image.root {
            need(ROOT, syscall(libc::SYS_chroot, [path(root), 0, 0, 0, 0, 0]));
        }
        need(DIRECTORY, syscall(libc::SYS_chdir, [path(&image.directory), 0, 0, 0, 0, 0]));
        if let Some(input) = &image.input {
            need(INPUT, read_from(input));
        }
        tell_word(tell, READY, 0);
        // Until the parent closes the other end.
        syscall(libc::SYS_read, [wait as usize, (&raw mut byte) as usize, 1, 0, 0, 0]);
        if let Some(filter) = manner.filter {
            need(SECCOMP, install(filter));
        }
        let (arguments, environment) = (arguments.as_ptr() as usize, environment.as_ptr() as usize);
        need(EXECUTE, syscall(libc::SYS_execve, [path(&image.path), arguments, environment, 0, 0, 0]));
    }
    process::exit(1)
}

/// Makes a file the standard input.
fn read_from(path: &CStr) -> i64 {
    // SAFETY: the path is terminated; the second call takes no pointer.
    unsafe {
        let opened = syscall(libc::SYS_open, [path.as_ptr() as usize, libc::O_RDONLY as usize, 0, 0, 0, 0]);
        if is_failure(opened) {
            return opened;
        }
        let placed = syscall(libc::SYS_dup2, [opened as usize, 0, 0, 0, 0, 0]);
        files::close(opened as i32);
        placed
    }
}

fn need(tell: i32, step: usize, returned: i64) {
    if is_failure(returned) {
        tell_and_end(tell, step, returned);
    }
}

fn tell_and_end(tell: i32, step: usize, returned: i64) -> ! {
    tell_word(tell, step, returned);
    process::exit(1)
}

fn tell_word(tell: i32, step: usize, returned: i64) {
    let words = [step as u32, returned.unsigned_abs() as u32];
    // SAFETY: the kernel reads eight bytes of ours.
    unsafe { syscall(libc::SYS_write, [tell as usize, (&raw const words) as usize, 8, 0, 0, 0]) };
}

/// Moves two descriptors to 3 and 4, closed by the exec, and closes all others behind them.
fn keep_only(kept: [i32; 2]) -> [i32; 2] {
    // Far from where anything of a worker lies, so that neither move overwrites the other.
    const FAR: i32 = 200;
    let moved = [0, 1].map(|index| {
        files::place(kept[index], FAR + index as i32);
        files::place(FAR + index as i32, 3 + index as i32);
        3 + index as i32
    });
    files::close_from(5);
    moved
}

/// Nothing blocked, and nothing ignored: what was ignored would be so in the program, too (the agent ignores SIGPIPE).
fn take_signals() {
    // `struct kernel_sigaction` and a `sigset_t` of the kernel: 8 bytes.
    let (usual, none) = ([0_u64; 4], 0_u64);
    for signal in 1..=64 {
        // SAFETY: the kernel reads both; SIGKILL and SIGSTOP are refused.
        unsafe { syscall(libc::SYS_rt_sigaction, [signal, (&raw const usual) as usize, 0, 8, 0, 0]) };
    }
    let set = libc::SIG_SETMASK as usize;
    // SAFETY: the kernel reads the mask.
    unsafe { syscall(libc::SYS_rt_sigprocmask, [set, (&raw const none) as usize, 0, 8, 0, 0]) };
}

/// `ip link set lo up`.
fn raise_loopback() -> i64 {
    let kind = libc::SOCK_DGRAM as usize | libc::SOCK_CLOEXEC as usize;
    // SAFETY: takes no pointer.
    let socket = unsafe { syscall(libc::SYS_socket, [libc::AF_INET as usize, kind, 0, 0, 0, 0]) };
    if is_failure(socket) {
        return socket;
    }
    // `struct ifreq`: a name of 16 bytes and a union of 24, whose first two are the flags.
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16] = (libc::IFF_UP | libc::IFF_RUNNING) as u8;
    let request = (&raw const request) as usize;
    // SAFETY: the kernel reads 40 bytes of ours.
    let raised =
        unsafe { syscall(libc::SYS_ioctl, [socket as usize, libc::SIOCSIFFLAGS as usize, request, 0, 0, 0]) };
    files::close(socket as i32);
    raised
}

/// Root may filter without giving up new privileges; then a setuid program works as ever.
fn install(filter: &Filter) -> i64 {
    let program = filter.program();
    let program = (&raw const program) as usize;
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    // SAFETY: the kernel copies the program, which it only reads.
    let again = || unsafe { syscall(libc::SYS_seccomp, [mode, 0, program, 0, 0, 0]) };
    match again() {
        refused if refused == -i64::from(libc::EACCES) => {
            thread::give_up_new_privileges().map_or_else(|errno| -i64::from(errno.0), |()| again())
        }
        returned => returned,
    }
}

/// Ends a child that is not to go on, and takes it away.
pub(crate) fn abandon(pid: i32) {
    trace::kill(pid);
    loop {
        match trace::wait(pid, libc::__WALL) {
            Ok(Some((_, Report::Exited(_) | Report::Killed(..)))) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}
