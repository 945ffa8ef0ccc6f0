//! PID 1 inside the emulated KVM host: mounts what the command needs, runs it, and powers off when its end has arrived.
//!
//! Runs after `init.sh` has made the root. Must not know what the command does. Units: bytes, `Duration`.
//! Errors: a sentence, because it travels: over the control port once that is open, on the console (`rig: failed ...`) before.
//! Tests: `tests/rehearsal.rs`; `command` is tested as an ordinary process.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec, and the first process of an emulated host"
)]

mod command;
mod uplink;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fs_err as fs;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use self::command::Running;
use self::uplink::{Uplink, send};
use super::wire::{BEAT, Ending, Mount, PORT, Start, ToGuest, ToHost};

/// For the control port to appear after its driver was loaded.
const PORT_PATIENCE: Duration = Duration::from_secs(20);
/// For what is left of the command after SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_secs(20);
/// For the driver to say that everything has arrived.
const RELEASE_PATIENCE: Duration = Duration::from_secs(30);

/// What an ordinary machine has mounted: source and type, where, options; and whether it can do without.
const MOUNTS: [(&str, &str, &str, bool); 5] = [
    ("devpts", "/dev/pts", "mode=0620,ptmxmode=0666,gid=5", false),
    ("tmpfs", "/dev/shm", "mode=1777", false),
    ("tmpfs", "/run", "mode=0755", false),
    ("tracefs", "/sys/kernel/tracing", "", true),
    ("cgroup2", "/sys/fs/cgroup", "", true),
];

/// Limits that follow from the memory's size by default; a measurement has thousands of threads
/// (Linux: kernel/fork.c, Documentation/admin-guide/sysctl).
const SYSCTLS: [(&str, &str); 5] = [
    ("kernel/hostname", "rehearsal"),
    ("kernel/pid_max", "262144"),
    ("kernel/threads-max", "131072"),
    ("vm/max_map_count", "1048576"),
    ("net/core/somaxconn", "65535"),
];

/// Serves as PID 1 of the emulated KVM host and powers it off. Returns only if this process is not PID 1, with that as the error.
pub fn serve_as_init() -> io::Error {
    if std::process::id() != 1 {
        return io::Error::other("only the first process of an emulated KVM host can be its init");
    }
    if let Err(what) = serve() {
        // The console; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "rig: failed {what}");
    }
    power_off()
}

fn serve() -> Result<(), String> {
    furnish()?;
    let port = open_port()?;
    let mut downlink = port.try_clone().map_err(|error| format!("share the control port: {error}"))?;
    let uplink: Uplink = Arc::new(Mutex::new(Box::new(port)));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    send(&uplink, &ToHost::Hello { release });
    let start = match ToGuest::read(&mut downlink) {
        Ok(Some(ToGuest::Start(start))) => start,
        other => return Err(format!("expected the command, got {other:?}")),
    };
    let beating = Arc::clone(&uplink);
    // It ends with the machine.
    thread::spawn(move || {
        loop {
            thread::sleep(BEAT);
            send(&beating, &ToHost::Alive);
        }
    });
    let (released, release) = channel();
    let last = match run(&start, &uplink, downlink, released) {
        Ok(ending) => ToHost::Ended(ending),
        Err(what) => ToHost::Failed(what),
    };
    // SAFETY: sync(2) takes nothing and cannot fail.
    unsafe { libc::sync() };
    for mount in start.mounts.iter().rev() {
        // Nobody is left who could keep it busy; what a lazy one leaves open ends with the machine, and it was synced.
        let _ = umount2(Path::new(&mount.folder), MntFlags::empty());
    }
    send(&uplink, &last);
    let _ = release.recv_timeout(RELEASE_PATIENCE);
    Ok(())
}

fn furnish() -> Result<(), String> {
    for (kind, folder, options, optional) in MOUNTS {
        let made = fs::create_dir_all(folder)
            .and_then(|()| Ok(mount(Some(kind), folder, Some(kind), MsFlags::MS_NOSUID, Some(options))?));
        match made {
            Err(error) if !optional => return Err(format!("mount {folder}: {error}")),
            Ok(()) | Err(_) => {}
        }
    }
    for (name, value) in SYSCTLS {
        // A kernel without it is no reason to stop: the record keeps the values that matter.
        let _ = fs::write(format!("/proc/sys/{name}"), value);
    }
    // As a login on Debian has it: low until a program asks for more.
    setrlimit(Resource::RLIMIT_NOFILE, 1024, 1 << 20)
        .map_err(|error| format!("set the limit of open files: {error}"))
}

/// The device of the control port. No udev here: sysfs tells which it is.
fn open_port() -> Result<fs::File, String> {
    let deadline = Instant::now() + PORT_PATIENCE;
    loop {
        if let Some(device) = find_port(Path::new("/sys/class/virtio-ports")) {
            let opened = fs::OpenOptions::new().read(true).write(true).open(device);
            return opened.map_err(|error| format!("open the control port: {error}"));
        }
        if Instant::now() >= deadline {
            return Err(format!("no control port {PORT} within {} s", PORT_PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn find_port(ports: &Path) -> Option<PathBuf> {
    let port = fs::read_dir(ports)
        .ok()?
        .flatten()
        .find(|port| fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim() == PORT))?;
    Some(Path::new("/dev").join(port.file_name()))
}

fn mount_share(share: &Mount) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| format!("mount the share {}: {error}", share.folder);
    fs::create_dir_all(&share.folder).map_err(|error| said(&error))?;
    // mmap: written through, and mapped files work (Linux: Documentation/filesystems/9p.rst).
    let options = "trans=virtio,version=9p2000.L,msize=512000,cache=mmap";
    mount(Some(share.tag.as_str()), share.folder.as_str(), Some("9p"), MsFlags::empty(), Some(options))
        .map_err(|error| said(&error))
}

/// Runs the command to its end, and ends all that it left behind.
fn run(start: &Start, uplink: &Uplink, downlink: fs::File, released: Sender<()>) -> Result<Ending, String> {
    let running = start.mounts.iter().try_for_each(mount_share).and_then(|()| Running::start(start, uplink));
    let running = match running {
        Ok(running) => Arc::new(running),
        Err(what) => {
            thread::spawn(move || await_release(downlink, &released));
            return Err(what);
        }
    };
    let pid = running.pid();
    let steered = Arc::clone(&running);
    thread::spawn(move || steer(downlink, &steered, &released));
    let ending = reap_until(pid)?;
    running.forget();
    kill_the_rest();
    running.drain(KILL_PATIENCE);
    Ok(ending)
}

/// Does what the driver says until it releases us or is gone.
fn steer(mut downlink: fs::File, running: &Running, released: &Sender<()>) {
    while let Ok(Some(message)) = ToGuest::read(&mut downlink) {
        match message {
            ToGuest::Input(bytes) => running.input(bytes),
            ToGuest::Signal(number) => running.signal(number),
            ToGuest::Resize(window) => running.resize(window),
            ToGuest::OutputClosed(stream) => running.close(stream),
            ToGuest::Release | ToGuest::Start(_) => break,
        }
    }
    // Nobody waits for it while the command still runs and the driver is gone: then the machine is gone too.
    let _ = released.send(());
}

fn await_release(mut downlink: fs::File, released: &Sender<()>) {
    while let Ok(Some(message)) = ToGuest::read(&mut downlink) {
        if message == ToGuest::Release {
            break;
        }
    }
    let _ = released.send(());
}

/// Takes every process that ends, as PID 1 must, until it is this one.
fn reap_until(wanted: Pid) -> Result<Ending, String> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == wanted => {
                return Ok(Ending::Exited { code: u8::try_from(code & 0xff).expect("one byte") });
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == wanted => {
                return Ok(Ending::Killed { signal: signal as i32 });
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(format!("wait for the command: {errno}")),
        }
    }
}

fn kill_the_rest() {
    let deadline = Instant::now() + KILL_PATIENCE;
    while Instant::now() < deadline {
        // All but ourselves (kill(2)). Its success says nothing: kernel threads count too, and survive.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                // Orphans become our children, so that without children there are no processes.
                Err(Errno::ECHILD) => return,
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {}
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[expect(clippy::disallowed_methods, reason = "the end of PID 1 is the end of the machine")]
fn power_off() -> ! {
    // SAFETY: reboot(2) with a valid command. It does not return to PID 1 of the initial namespace.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
    // If it does, the kernel panics at PID 1's exit, which ends the machine as well.
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_serve_as_init() {
        assert!(serve_as_init().to_string().contains("only the first process"));
    }

    #[test]
    fn the_port_is_found_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_port(folder.path()), None);
        for (port, name) in [("vport0p1", "org.example"), ("vport1p3", PORT)] {
            fs::create_dir(folder.path().join(port)).unwrap();
            fs::write(folder.path().join(port).join("name"), format!("{name}\n")).unwrap();
        }
        assert_eq!(find_port(folder.path()), Some("/dev/vport1p3".into()));
    }
}
