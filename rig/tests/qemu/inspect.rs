//! `rig guest boot`, as a person and as a script use it: the program itself, in its enclosure.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{image_or_return, support};

fn boot(cell: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
    command.args(["guest", "boot"]).args(cell);
    command
}

#[test]
fn a_command_is_run_in_the_guest_and_its_exit_status_passed_on() {
    let image = image_or_return!("6.1");
    let script = "uname -r; cat; ping -c 1 -W 5 192.0.2.1 > /dev/null && echo reached; [ -x /run/agent ] && echo armed; \
                  pidof agent || echo idle; echo aside >&2; exit 7";
    let mut rig = boot(&["configuration=virtio-tap", "kernel=6.1", "--", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    rig.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = rig.wait_with_output().unwrap();
    let (said, aside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{said}\n{aside}");
    assert_eq!(said, format!("{}\ntyped\nreached\narmed\nidle\n", image.image.release), "{aside}");
    for part in
        ["configuration=virtio-tap kernel=6.1 path=direct", &image.image.package, "192.0.2.2/24", "aside"]
    {
        assert!(aside.contains(part), "no {part} in\n{aside}");
    }
    let console = aside.lines().find_map(|line| line.strip_prefix("console")).unwrap().trim();
    assert!(fs_err::read_to_string(console).unwrap().contains("rig: ready"), "{console}");
}

/// What gdb's remote protocol says first: why the machine stands ("?"), and that it may go on (detach, "D").
#[test]
fn a_debugger_finds_the_guest_and_words_reach_its_kernel() {
    let _image = image_or_return!("6.1");
    let words = ["--gdb", "--append", "rig.test=7", "--append", "nokaslr"];
    let cell = ["configuration=virtio-tap", "kernel=6.1", "--", "read line; cat /proc/cmdline"];
    let mut rig = boot(&[&words[..], &cell].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(rig.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = told.find(|line| line.starts_with("gdb ")).expect("the line to type");
    let socket = line.split("target remote ").nth(1).unwrap().trim_end_matches('\'');
    let mut stub = UnixStream::connect(socket).unwrap();
    stub.write_all(b"+$?#3f").unwrap();
    let answer = packet(&mut stub);
    assert!(answer.starts_with(['T', 'S']), "{line}: {answer}");
    // Whoever debugs lets it stand: longer than a guest that has died is let linger.
    thread::sleep(Duration::from_secs(4));
    stub.write_all(b"+$D#44").unwrap();
    assert_eq!(packet(&mut stub), "OK");
    rig.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    let output = rig.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let aside: Vec<String> = told.collect();
    assert!(output.status.success() && said.trim_end().ends_with("rig.test=7 nokaslr"), "{said}\n{aside:#?}");
}

/// The next one: between `$` and `#`.
fn packet(stub: &mut UnixStream) -> String {
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'#').count() == 0 {
        let mut byte = [0];
        stub.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    text.rsplit_once('$').unwrap().1.trim_end_matches('#').to_owned()
}

/// In a user namespace root is nobody outside it: no capability over the host's network, devices or processes.
#[test]
fn two_guests_need_nothing_of_the_host_but_a_user_namespace() {
    let image = image_or_return!("6.1");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user"]);
    if !unshare.arg("true").status().is_ok_and(|status| status.success()) {
        return support::skip("no user namespace can be made here");
    }
    let script = "uname -r; ping -c 3 -W 5 192.0.2.1 > /dev/null && echo reached";
    let cell = ["--profile", "nightly", "configuration=virtio-pair", "kernel=6.1", "--", script];
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_rig"), "guest", "boot"])
        .args(cell)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, aside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, format!("{}\nreached\n", image.image.release), "{aside}");
    assert!(output.status.success() && aside.contains("192.0.2.2/24"), "{aside}");
    // Nor does the look at what runs: the kernel names who speaks QMP in here too.
    let log = aside.lines().find_map(|line| line.strip_prefix("qmp")).unwrap().trim();
    let log = fs_err::read_to_string(log).unwrap();
    let noted = log.lines().find(|line| line.contains("\"running\"")).unwrap();
    assert!(noted.contains("\"sha256\"") && noted.contains("dgram,id=data"), "{noted}");
}

#[test]
fn a_person_gets_a_shell_on_the_terminal_and_the_terminal_back() {
    let _image = image_or_return!("6.12");
    let (master, slave) = terminal((91, 17));
    let before = mode(&slave);
    let side = || Stdio::from(slave.try_clone().unwrap());
    let mut rig = boot(&["configuration=virtio-tap", "kernel=6.12"])
        .env("TERM", "xterm")
        .stdin(side())
        .stdout(side())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its end is the end of the person's screen.
    let screen = thread::spawn({
        let mut master = std::fs::File::from(master.try_clone().unwrap());
        move || {
            let mut seen = Vec::new();
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                seen.extend_from_slice(&bytes[..count]);
            }
            String::from_utf8_lossy(&seen).into_owned()
        }
    });
    // Typed ahead while the guest still boots, as people do; the terminal keeps it.
    let mut keys = std::fs::File::from(master);
    keys.write_all(b"echo $((6 * 7)) $TERM; stty size; tty; kill -9 $$\n").unwrap();
    let mut aside = String::new();
    rig.stderr.take().unwrap().read_to_string(&mut aside).unwrap();
    let status = rig.wait().unwrap();
    let after = mode(&slave);
    drop(slave);
    let screen = screen.join().unwrap();
    assert_eq!(status.code(), Some(128 + 9), "{screen}\n{aside}");
    assert!(
        screen.contains("42 xterm") && screen.contains("17 91") && screen.contains("/dev/pts/"),
        "{screen}"
    );
    assert_eq!(after, before, "the terminal is as it was");
    support::say(&aside);
}

/// Both ends of a terminal of so many columns and rows.
fn terminal((columns, rows): (u16, u16)) -> (OwnedFd, OwnedFd) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: writes two descriptors and reads one winsize; the other pointers may be null (openpty(3)).
    let result = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: two new descriptors that nobody else owns.
    let ends = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for end in [&ends.0, &ends.1] {
        // Nobody's child shall keep the screen open.
        nix::fcntl::fcntl(end.as_fd(), nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))
            .unwrap();
    }
    ends
}

/// The flags of a terminal's four modes.
fn mode(terminal: &OwnedFd) -> [libc::tcflag_t; 4] {
    // SAFETY: all zeroes is a termios; the call writes it.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let result = unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut modes) };
    assert_eq!(result, 0);
    [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag]
}
