//! How an enclosure lives and dies.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use nix::net::if_::if_nameindex;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use rig::path::{Addressing, Mechanisms, PathSpec, Place, TargetLink};
use rig::process::{self, EnclosureError};
use rig::testbed::{Namespace, Testbed};
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{LinkUnspec, LinkVeth};

use crate::harness::{Line, Process, await_that, start};

pub(crate) fn exit_codes_pass_through() {
    for code in [0, 1, 5, 130, 255] {
        let enclosed = start(|_| code);
        assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, code));
    }
}

pub(crate) fn death_by_a_signal_passes_through() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL, Signal::SIGABRT, Signal::SIGSEGV] {
        let enclosed = start(|_| {
            nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
            // Rust's own handler of SIGSEGV expects a fault that comes again.
            // SAFETY: installs no handler.
            let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
            raise(signal).unwrap();
            98
        });
        assert_eq!(enclosed.end(), WaitStatus::Signaled(enclosed.outer, signal, false));
    }
}

/// A body with everything that a run has: a testbed tied to `survivor`, a bound child, an orphan in a session of its own, threads.
fn live_fully(line: &mut Line, survivor: &Namespace) {
    let path = PathSpec::plain("direct", 1500);
    let mut testbed =
        Testbed::build(&path, Addressing::default(), TargetLink::Tap { queues: 2 }, &Mechanisms::all(), 1)
            .unwrap();
    tie(survivor, testbed.namespace(Place::Switch));
    let mut sleeper = Command::new("sleep");
    sleeper.arg("1000");
    testbed.target().enter_on_spawn(&mut sleeper).unwrap();
    let mut sleeper = process::spawn(sleeper).unwrap();
    // Its parent ends at once, so init is its parent; in a new session, out of reach of any group's signal.
    let mut orphan = Command::new("sh");
    orphan.args(["-c", "setsid sleep 1000 & exit 0"]).status().unwrap();
    let taps = testbed.take_taps();
    thread::spawn(move || {
        let _keep = (taps, testbed);
        loop {
            thread::park();
        }
    });
    line.say("ready");
    line.hear();
    assert_eq!(sleeper.try_wait().unwrap(), None, "alive until the very end");
}

/// See `tests/netns.rs`: the link in the survivor goes when the kernel frees the other namespace, and not before.
fn tie(survivor: &Namespace, inside: &Namespace) {
    let far = LinkUnspec::new_with_name("tie").setns_by_fd(inside.as_fd().as_raw_fd()).build();
    let pair = LinkVeth::new("tie", "tie").set_info_data(InfoData::Veth(InfoVeth::Peer(far))).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let add = async {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        handle.link().add(pair).execute().await.unwrap();
    };
    survivor.run(|| runtime.block_on(add)).unwrap();
}

fn links(namespace: &Namespace) -> usize {
    namespace.run(|| if_nameindex().unwrap().iter().count()).unwrap()
}

pub(crate) fn sigkill_of_any_of_the_three_ends_all() {
    for victim in ["outer", "init", "body"] {
        let survivor = Namespace::new().unwrap();
        let mut enclosed = start(|line| {
            live_fully(line, &survivor);
            97
        });
        assert_eq!(enclosed.line.hear(), "ready");
        assert_eq!(links(&survivor), 2, "lo and the tie");
        let (init, body) = enclosed.inner();
        let everybody = enclosed.everybody();
        assert!(everybody.len() >= 5, "outer, init, body, two sleepers: {everybody:?}");
        let pid = match victim {
            "outer" => enclosed.outer,
            "init" => init,
            _ => body,
        };
        kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(enclosed.end(), WaitStatus::Signaled(enclosed.outer, Signal::SIGKILL, false), "{victim}");
        await_that("no process is left", || everybody.iter().all(Process::is_gone));
        await_that("no namespace and no tap is left", || links(&survivor) == 1);
        assert!(!Path::new("/proc/fs/rig").exists());
    }
}

pub(crate) fn sigkill_at_any_moment_of_the_start() {
    for moment in 0..60_u32 {
        let mut enclosed = start(|line| {
            line.say("ready");
            // A park may return for nothing, and does where a scope of the forked process has left its token.
            loop {
                thread::park();
            }
        });
        // From before the first fork to after the last mount.
        thread::sleep(Duration::from_micros(100) * moment);
        kill(enclosed.outer, Signal::SIGKILL).unwrap();
        assert_eq!(enclosed.end(), WaitStatus::Signaled(enclosed.outer, Signal::SIGKILL, false));
        // Each of the three has the other end of the line.
        enclosed.line.await_end();
    }
}

pub(crate) fn the_end_of_the_body_ends_all() {
    let survivor = Namespace::new().unwrap();
    let mut enclosed = start(|line| {
        live_fully(line, &survivor);
        3
    });
    assert_eq!(enclosed.line.hear(), "ready");
    let everybody = enclosed.everybody();
    enclosed.line.say("end");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 3));
    // Without waiting: the kernel ends a PID namespace before it reports the end of its init.
    assert!(everybody.iter().all(Process::is_gone), "{everybody:?}");
    await_that("no namespace and no tap is left", || links(&survivor) == 1);
}

pub(crate) fn orphans_are_reaped() {
    let enclosed = start(|_| {
        // The orphan's pid, from a child that ends before it. `kill -0` works on zombies too.
        let output = Command::new("sh").args(["-c", "sleep 0.05 >/dev/null & echo $!"]).output().unwrap();
        let orphan = String::from_utf8(output.stdout).unwrap();
        let process = Path::new("/proc").join(orphan.trim());
        await_that("init reaps", || !process.exists());
        // And a child of our own is left for us.
        let mut child = Command::new("true").spawn().unwrap();
        let own = Path::new("/proc").join(child.id().to_string()).join("stat");
        await_that("it ends", || fs::read_to_string(&own).unwrap().contains(") Z "));
        i32::from(!child.wait().unwrap().success())
    });
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 0));
}

pub(crate) fn the_body_has_its_own_proc_network_and_room() {
    assert!(!process::is_enclosed());
    assert_eq!(process::host_proc(), Path::new("/proc"));
    assert_eq!(process::host_pid(getpid().as_raw() as u32).unwrap(), getpid().as_raw() as u32);
    let host_network = fs::read_link("/proc/self/ns/net").unwrap();
    let mut enclosed = start(|line| {
        assert!(process::is_enclosed());
        assert_eq!((getpid().as_raw(), getppid().as_raw()), (2, 1));
        assert_eq!(fs::read_link("/proc/self").unwrap(), Path::new("2"));
        assert_ne!(fs::read_link("/proc/self/ns/net").unwrap(), host_network);

        let mut look = Command::new("readlink");
        look.arg("/proc/self/ns/net");
        let seen = |look: &mut Command| String::from_utf8(look.output().unwrap().stdout).unwrap();
        assert_eq!(Path::new(seen(&mut look).trim()), fs::read_link("/proc/self/ns/net").unwrap());
        process::use_host_network(&mut look).unwrap();
        assert_eq!(Path::new(seen(&mut look).trim()), host_network);

        let names: Vec<_> = if_nameindex().unwrap().iter().map(|one| one.name().to_owned()).collect();
        assert_eq!(names, [c"lo".to_owned()]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"x").unwrap();
        listener.accept().unwrap().0.read_exact(&mut [0]).unwrap();

        let room = process::new_run_dir().unwrap();
        assert_eq!(fs::metadata(room.path()).unwrap().permissions().mode() & 0o7777, 0o700);
        std::os::unix::net::UnixListener::bind(room.path().join("a-socket-with-a-rather-long-name.sock"))
            .unwrap();
        let other = process::new_run_dir().unwrap();
        assert_ne!(room.path(), other.path());
        let gone = other.path().to_owned();
        drop(other);
        assert!(!gone.exists());

        // A child, as the host numbers it; and one that has ended.
        let mut child = Command::new("sleep").arg0("sleep").arg("1000").spawn().unwrap();
        let number = process::host_pid(child.id()).unwrap();
        let name = process::host_proc().join(format!("{number}/comm"));
        // execve(2) lets the parent go on a little before it sets the name.
        await_that("it has its name", || fs::read_to_string(&name).unwrap() == "sleep\n");
        let ended = child.id();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process::host_pid(ended).unwrap_err().raw_os_error(), Some(libc::ESRCH));

        line.say(process::host_pid(2).unwrap());
        line.say(room.path().display());
        line.hear();
        0
    });
    let number: i32 = enclosed.line.hear().parse().unwrap();
    let (_, body) = enclosed.inner();
    assert_eq!(number, body.as_raw());
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name(body), name(enclosed.outer));
    let room = enclosed.line.hear();
    assert!(!Path::new(&room).exists(), "{room} is not the host's");
    enclosed.line.say("end");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 0));
}

pub(crate) fn nested() {
    let mut enclosed = start(|line| {
        // From here on, the first body is the second's outer process.
        process::enclose().unwrap();
        assert_eq!((getpid().as_raw(), getppid().as_raw()), (2, 1));
        assert_eq!(if_nameindex().unwrap().iter().count(), 1);
        process::new_run_dir().unwrap();
        line.say(process::host_pid(2).unwrap());
        line.hear();
        42
    });
    let number = Pid::from_raw(enclosed.line.hear().parse().unwrap());
    let everybody = enclosed.everybody();
    assert_eq!(everybody.len(), 5);
    let (_, first_body) = enclosed.inner();
    let [second_init] = crate::harness::children(first_body)[..] else { panic!("no second init") };
    assert_eq!(crate::harness::children(second_init), [number]);
    enclosed.line.say("end");
    assert_eq!(enclosed.end(), WaitStatus::Exited(enclosed.outer, 42));
    assert!(everybody.iter().all(Process::is_gone));
}

pub(crate) fn who_may_not_enclose_is_told_why() {
    let refused = |prepare: fn(), expected: fn(&EnclosureError) -> bool| {
        // SAFETY: this process has one thread.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => {
                let status = crate::harness::wait_for(child, nix::sys::wait::WaitPidFlag::empty());
                assert_eq!(status, WaitStatus::Exited(child, 0));
            }
            ForkResult::Child => {
                prepare();
                let before = getpid();
                let right = process::enclose().is_err_and(|error| expected(&error)) && getpid() == before;
                // SAFETY: ends the fork without the rest of the test.
                unsafe { libc::_exit(i32::from(!right)) }
            }
        }
    };
    refused(
        || nix::unistd::setuid(nix::unistd::Uid::from_raw(65534)).unwrap(),
        |error| matches!(error, EnclosureError::NotRoot { uid: 65534 }),
    );
    refused(
        || {
            thread::spawn(thread::park);
        },
        |error| matches!(error, EnclosureError::Threads { threads: 2 }),
    );
    refused(drop_capabilities, |error| {
        matches!(error, EnclosureError::Refused { what: "make a PID namespace", .. })
    });
}

/// Root, but without any capability, as in an unprivileged container: capset(2).
fn drop_capabilities() {
    // `_LINUX_CAPABILITY_VERSION_3` and three empty sets of two words, include/uapi/linux/capability.h.
    let header = [0x2008_0522_u32, 0];
    let none = [0_u32; 6];
    // SAFETY: the kernel reads the two arrays, of the size that this version has.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(result, 0);
}
