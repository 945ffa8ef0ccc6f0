//! A QEMU process: started with exactly the descriptors it needs in the namespace it belongs to, watched and killed by its pidfd.
//!
//! It dies with rig and has a process group of its own, as all children ([`process::spawn`]). What it starts in that group (a script in
//! QEMU's place starts QEMU as its child) ends with it.
//! Must not know what the arguments mean. Units: none.
//! Errors: `io::Error`, which blames the host (no such program, no memory, no permission).
//! Tests: below, with `sh` in QEMU's place.

#![expect(unsafe_code, reason = "what happens between fork and exec of QEMU")]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::confine::{Confinement, Limits};
use crate::process;

/// What to start.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// The program's file.
    pub(super) program: OsString,
    /// What it is told that it is called.
    pub(super) called: OsString,
    pub(super) arguments: Vec<String>,
    /// The network namespace to start it in; none: rig's own.
    pub(super) namespace: Option<BorrowedFd<'a>>,
    /// The descriptors that it keeps, under the same numbers.
    pub(super) keep: &'a [BorrowedFd<'a>],
    /// What is taken from it before it runs.
    pub(super) confinement: Confinement,
    /// How much it may take.
    pub(super) limits: Limits,
}

#[cfg(test)]
impl Launch<'_> {
    /// Another program in QEMU's place, that may take little.
    pub(super) fn in_qemus_place(program: &str, arguments: &[&str]) -> Self {
        Self {
            program: program.into(),
            called: program.into(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            namespace: None,
            keep: &[],
            confinement: Confinement::of(std::path::Path::new(program)).0,
            limits: Limits { memory_bytes: 64 << 20, cpu_seconds: Some(60), file_bytes: 0 },
        }
    }
}

/// A running process. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pidfd: AsyncFd<OwnedFd>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it; its standard error is a pipe, which comes along.
    pub(super) fn start(launch: Launch<'_>) -> io::Result<(Self, ChildStderr)> {
        let mut command = Command::new(&launch.program);
        command
            .arg0(&launch.called)
            .args(&launch.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.env_clear().current_dir("/");
        let keep: Vec<RawFd> = launch.keep.iter().map(AsRawFd::as_raw_fd).collect();
        let namespace = launch.namespace.map(|namespace| namespace.as_raw_fd());
        let Launch { confinement, limits, .. } = launch;
        // SAFETY: the closure runs between fork and exec and makes system calls only: no allocation, no lock. The descriptors are
        // borrowed for `launch`, which outlives the spawn.
        unsafe {
            command.pre_exec(move || {
                before_exec(namespace, &keep).and_then(|()| confinement.enter(Some(limits)))
            })
        };
        let mut child = process::spawn(command)?;
        let stderr = child.stderr.take().expect("standard error was asked to be a pipe");
        match process::open_pidfd(child.id()).and_then(watch_pidfd) {
            Ok(pidfd) => Ok((Self { child, pidfd, status: None }, stderr)),
            Err(error) => {
                // It is of no use to us when it cannot be watched; both calls fail only if it has ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. Cancel-safe.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        // A pidfd is readable once the process has ended (pidfd_open(2)), and stays so.
        self.pidfd.readable().await?.retain_ready();
        self.kill_group();
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// Kills it; one that has ended already stays what it is.
    pub(super) fn kill(&self) {
        send_kill(self.pidfd.get_ref());
    }

    /// Kills what is left of its process group. Only before it was waited for: until then nobody else can have its number.
    fn kill_group(&self) {
        let Ok(group) = i32::try_from(self.child.id()) else { return };
        // Fails only where nothing is left.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }

    /// A second handle that can kill it, for whoever does not own it.
    pub(super) fn killer(&self) -> io::Result<OwnedFd> {
        self.pidfd.get_ref().try_clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
            self.kill_group();
            // SIGKILL cannot be refused, so this returns in milliseconds; an error means that it is gone.
            let _ = self.child.wait();
        }
    }
}

/// Kills the process behind a pidfd.
pub(super) fn send_kill(pidfd: &OwnedFd) {
    // SAFETY: pidfd_send_signal(2) with a descriptor that we own and no siginfo. Its only possible error here is ESRCH: it is gone.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        );
    }
}

fn watch_pidfd(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one descriptor for its whole life, and nobody takes it out of the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}

/// In the child, between fork and exec; what [`process::bind`] does comes after it.
fn before_exec(namespace: Option<RawFd>, keep: &[RawFd]) -> io::Result<()> {
    let check = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    if let Some(namespace) = namespace {
        // SAFETY: a system call on plain numbers; see `Process::start` for why it is allowed here.
        check(unsafe { libc::setns(namespace, libc::CLONE_NEWNET) })?;
    }
    process::seal_descriptors()?;
    // And back for those that are meant.
    for &fd in keep {
        // SAFETY: as above.
        check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::{AsFd, FromRawFd};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::thread;

    use super::*;

    fn launch<'a>(program: &str, arguments: &[&str], keep: &'a [BorrowedFd<'a>]) -> Launch<'a> {
        Launch { keep, ..Launch::in_qemus_place(program, arguments) }
    }

    fn shell<'a>(script: &str, keep: &'a [BorrowedFd<'a>]) -> Launch<'a> {
        launch("/bin/sh", &["-c", script], keep)
    }

    #[tokio::test]
    async fn it_keeps_only_the_descriptors_that_are_meant() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let leaked = open_leaky();
        let keep = [theirs.as_fd()];
        let (mut process, mut stderr) = Process::start(shell("ls -l /proc/$$/fd >&2", &keep)).unwrap();
        assert!(process.ended().await.unwrap().success());
        let mut listing = String::new();
        stderr.read_to_string(&mut listing).unwrap();
        assert!(listing.contains(&format!(" {} -> {}\n", theirs.as_raw_fd(), file_of(&theirs))), "{listing}");
        // By file, not by number: a shell keeps descriptors of its own, at the first numbers from 10 that are free.
        for other in [file_of(&leaked), file_of(&ours)] {
            assert!(!listing.contains(&format!(" -> {other}\n")), "{other} is in {listing}");
        }
    }

    /// What a descriptor of this process stands for, as `ls -l /proc/self/fd` shows it.
    fn file_of(fd: &impl AsRawFd) -> String {
        std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap().display().to_string()
    }

    /// A descriptor as a C library may open it, without `FD_CLOEXEC`, of a file that nothing else has open.
    fn open_leaky() -> OwnedFd {
        // SAFETY: memfd_create(2) with a constant name; the result is checked and owned by nobody else.
        let fd = unsafe { libc::memfd_create(c"rig-leaky".as_ptr(), 0) };
        assert!(fd >= 0);
        // SAFETY: as above.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }

    /// What a script says on standard error, and how it ends.
    async fn said(script: &str) -> (ExitStatus, String) {
        let (mut process, mut stderr) = Process::start(shell(script, &[])).unwrap();
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        (process.ended().await.unwrap(), text)
    }

    #[tokio::test]
    async fn it_is_nobody_without_capabilities_and_without_an_environment() {
        let (_, text) = said("exec >&2; cat /proc/self/status; wc -c </proc/$$/environ; pwd").await;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"] {
            assert_eq!(field(set), ["0000000000000000"], "{set} of {text}");
        }
        assert_eq!(field("NoNewPrivs:"), ["1"]);
        if nix::unistd::geteuid().is_root() {
            let ids = [field("Uid:"), field("Gid:")].concat();
            assert!(ids.iter().all(|id| (65_000..65_534).contains(&id.parse::<u32>().unwrap())), "{text}");
        }
        assert!(text.ends_with("\n0\n/\n"), "{text}");
    }

    #[tokio::test]
    async fn it_writes_to_no_file_system_and_has_three_devices() {
        let (_, text) = said(
            "exec >&2; for at in /var/tmp /tmp /run /dev; do touch $at/rig-was-here; done; echo /dev/*; echo >/dev/null && echo on",
        )
        .await;
        let refused = ["Permission denied", "Read-only file system"].map(|why| text.matches(why).count());
        assert_eq!(refused.iter().sum::<usize>(), 4, "{text}");
        for place in ["/var/tmp", "/tmp", "/run", "/dev"] {
            assert!(!Path::new(place).join("rig-was-here").exists(), "{place}");
        }
        let devices: Vec<&str> =
            text.lines().find(|line| line.starts_with("/dev/")).unwrap().split(' ').collect();
        assert!(
            devices.iter().all(|device| ["/dev/kvm", "/dev/null", "/dev/urandom"].contains(device)),
            "{text}"
        );
        assert!(text.ends_with("\non\n"), "{text}");
    }

    #[tokio::test]
    async fn memory_over_its_limit_ends_it_and_nobody_else() {
        // One endless line, which tail keeps.
        let (status, text) = said("exec >&2; yes | tr -d '\\n' | tail -c +1 | tail; exit $?").await;
        assert!(!status.success() && text.contains("memory exhausted"), "{status} {text}");
    }

    #[tokio::test]
    async fn processor_time_has_an_end() {
        let limits = Limits { memory_bytes: 64 << 20, cpu_seconds: Some(1), file_bytes: 0 };
        let (mut process, _stderr) =
            Process::start(Launch { limits, ..shell("while :; do :; done", &[]) }).unwrap();
        // The soft limit is the hard one: setrlimit(2).
        assert_eq!(process.ended().await.unwrap().signal(), Some(libc::SIGKILL));
    }

    #[tokio::test]
    async fn a_program_in_a_closed_folder_runs_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::create_dir(folder.join("open")).unwrap();
        fs_err::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        fs_err::write(folder.join("secret"), "").unwrap();
        for place in [folder.join("program"), folder.join("open/program")] {
            fs_err::write(&place, "#!/bin/sh\nls \"${0%/*}\" >&2\n").unwrap();
            fs_err::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let (mut process, mut stderr) =
                Process::start(launch(place.to_str().unwrap(), &[], &[])).unwrap();
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            assert!(process.ended().await.unwrap().success());
            assert_eq!(text, "program\n", "{}", place.display());
        }
    }

    #[tokio::test]
    async fn the_end_is_told_once_and_for_ever() {
        let (mut process, mut stderr) = Process::start(shell("echo oh >&2; exit 7", &[])).unwrap();
        assert_eq!(process.ended().await.unwrap().code(), Some(7));
        assert_eq!(process.ended().await.unwrap().code(), Some(7));
        process.kill();
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        assert_eq!(text, "oh\n");
    }

    #[tokio::test]
    async fn a_kill_by_another_handle_ends_the_wait() {
        let (mut process, _stderr) = Process::start(shell("exec sleep 1000", &[])).unwrap();
        let killer = process.killer().unwrap();
        send_kill(&killer);
        assert_eq!(process.ended().await.unwrap().signal(), Some(libc::SIGKILL));
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone() {
        let (process, _stderr) = Process::start(shell("exec sleep 1000", &[])).unwrap();
        let pid = process.pid();
        drop(process);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn what_it_has_started_ends_with_it() {
        let start = |script| {
            let (process, mut stderr) = Process::start(shell(script, &[])).unwrap();
            let mut said = [0; 3];
            stderr.read_exact(&mut said).unwrap();
            (process, stderr)
        };
        // The pipe ends when nobody holds its other end any more: neither the shell nor what it started.
        let gone = |mut stderr: ChildStderr| assert_eq!(stderr.read_to_end(&mut vec![]).unwrap(), 0);

        const WAITS: &str = "sleep 1000 & echo on >&2; wait";
        let (mut process, stderr) = start(WAITS);
        send_kill(&process.killer().unwrap());
        assert_eq!(process.ended().await.unwrap().signal(), Some(libc::SIGKILL));
        gone(stderr);
        let (process, stderr) = start(WAITS);
        drop(process);
        gone(stderr);
        let (mut process, stderr) = start("sleep 1000 & echo on >&2");
        assert!(process.ended().await.unwrap().success());
        gone(stderr);
    }

    #[tokio::test]
    async fn it_survives_the_thread_that_asked_for_it() {
        let runtime = tokio::runtime::Handle::current();
        let started = thread::spawn(move || {
            let _context = runtime.enter();
            Process::start(shell("read line; exit 0", &[])).unwrap()
        });
        let (mut process, _stderr) = started.join().unwrap();
        assert!(process.ended().await.unwrap().success());
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        assert_eq!(
            Process::start(launch("/nonexistent/qemu", &[], &[])).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
