//! Guest tier: builds the real images and boots them under TCG, with nothing between the image and QEMU but this file.
//!
//! Shows that `/init` keeps its agreement: marks on the console, MAC addresses found, SSH with the keys of the overlay.
//! Needs QEMU, and a built image or the package mirror; without them each test says aloud that it was skipped and why.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test says what it expects, and why it was skipped"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rig::image::apt::Apt;
use rig::image::console::KERNEL_OPTIONS;
use rig::image::{
    Cache, ControlLink, DataLink, Fetch, GuestKeys, Image, ImageError, Mark, Overlay, Recipes, ensure,
    ensure_with,
};
use rig::target::Localtime;

/// Until the mark; a loaded machine without KVM takes its time.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);

const CONTROL_MAC: &str = "52:54:00:00:00:01";
const DATA_MAC: &str = "52:54:00:00:00:02";

fn image(name: &str) -> Option<Image> {
    if Command::new("qemu-system-x86_64").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no qemu-system-x86_64 here");
        return None;
    }
    match ensure(name, &Cache::of_user().unwrap(), Fetch::IfMissing) {
        Ok(image) => Some(image),
        Err(error @ (ImageError::Mirror { .. } | ImageError::Tool { .. } | ImageError::NoArchive { .. })) => {
            eprintln!("SKIPPED: no image {name}: {error}");
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

struct Guest {
    qemu: Child,
    lines: Receiver<String>,
    console: Vec<String>,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Guest {
    fn boot(image: &Image, overlay: &Overlay, data_mac_in_guest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let initrd = folder.path().join("initrd");
        overlay.append_to(&image.initramfs, &initrd).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = Ipv4Addr::new(192, 0, 2, 15);
        let control = ControlLink { mac: CONTROL_MAC.to_owned(), address, prefix: 24, gateway: None };
        let data = DataLink {
            mac: data_mac_in_guest.to_owned(),
            address: Ipv4Addr::new(198, 51, 100, 2),
            prefix: 24,
            mtu_bytes: 1400,
            gateway: None,
        };
        let mut words: Vec<String> = KERNEL_OPTIONS.iter().map(|word| (*word).to_owned()).collect();
        words.extend([control.argument(), data.argument()]);
        let mut command = Command::new("qemu-system-x86_64");
        command.args([
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-serial",
            "stdio",
        ]);
        // QEMU 7.2 emulates cmpxchg16b wrongly when an interrupt meets it; the slab allocator of 6.12 then panics at random.
        command.args(["-machine", "q35", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "256", "-smp", "1"]);
        command
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&initrd)
            .arg("-append")
            .arg(words.join(" "));
        command.arg("-netdev").arg(format!(
            "user,id=control,net=192.0.2.0/24,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{address}:22"
        ));
        command.args(["-device", &format!("virtio-net-pci,netdev=control,mac={CONTROL_MAC},romfile=")]);
        command.args(["-netdev", "user,id=data,net=198.51.100.0/24,restrict=on"]);
        command.args(["-device", &format!("vmxnet3,netdev=data,mac={DATA_MAC},romfile=")]);
        let mut qemu =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(qemu.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        Self { qemu, lines, console: Vec::new(), port, _folder: folder }
    }

    /// The first mark on the console.
    fn mark(&mut self) -> Mark {
        let started = Instant::now();
        loop {
            let left = BOOT_DEADLINE.saturating_sub(started.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let mark = Mark::in_line(&line);
                    self.console.push(line);
                    if let Some(mark) = mark {
                        return mark;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no mark in time; console:\n{}", self.console.join("\n"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("QEMU ended; console:\n{}", self.console.join("\n"))
                }
            }
        }
    }

    fn log_in(&self, keys: &GuestKeys) -> ssh2::Session {
        let mut session = ssh2::Session::new().unwrap();
        session.set_timeout(60_000);
        session.set_tcp_stream(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap());
        session.handshake().unwrap();
        let (host_key, _) = session.host_key().unwrap();
        assert_eq!(host_key, keys.host_key_blob(), "the guest has the host key that was made for it");
        assert_eq!(session.host_key_hash(ssh2::HashType::Sha256).unwrap(), keys.host_key_sha256());
        session.userauth_pubkey_memory("root", None, &keys.user_private_key(), None).unwrap();
        session
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn run(session: &ssh2::Session, command: &str, input: &[u8]) -> String {
    let mut channel = session.channel_session().unwrap();
    channel.exec(command).unwrap();
    channel.write_all(input).unwrap();
    channel.send_eof().unwrap();
    let mut output = String::new();
    channel.read_to_string(&mut output).unwrap();
    channel.wait_close().unwrap();
    assert_eq!(channel.exit_status().unwrap(), 0, "{command}: {output}");
    output.trim().to_owned()
}

fn boots_and_serves(name: &str, localtime: Localtime) {
    let Some(image) = image(name) else { return };
    let keys = GuestKeys::generate();
    let mut guest = Guest::boot(&image, &Overlay::new(&keys, localtime), DATA_MAC);
    assert_eq!(guest.mark(), Mark::Ready { release: image.release.clone() }, "{}", guest.console.join("\n"));
    let session = guest.log_in(&keys);
    let ask = |command: &str| run(&session, command, b"");
    assert_eq!(ask("uname -r"), image.release);
    let agent: Vec<u8> =
        (0..1_400_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(
        run(&session, "cat > /run/agent && chmod +x /run/agent && wc -c < /run/agent", &agent),
        "1400000"
    );
    assert_eq!(ask("cat /sys/class/net/data/address /sys/class/net/data/mtu"), format!("{DATA_MAC}\n1400"));
    assert_eq!(ask("basename $(readlink /sys/class/net/data/device/driver)"), "vmxnet3");
    assert_eq!(ask("basename $(readlink /sys/class/net/control/device/driver)"), "virtio_net");
    assert!(ask("ip -4 address show data").contains("198.51.100.2/24"));
    assert_eq!(ask("ip -6 address"), "", "no IPv6 among the counted packets");
    assert!(!ask("ip route").contains("default"), "measured traffic cannot leave through the control link");
    assert_eq!(ask("cat /proc/sys/kernel/threads-max /proc/sys/vm/max_map_count"), "131072\n1048576");
    assert_eq!(ask("ulimit -H -n; ulimit -S -n; ulimit -u"), "1048576\n1024\nunlimited");
    let there = ask("[ -e /etc/localtime ] && echo present || echo absent");
    match localtime {
        Localtime::Present => assert_eq!(there, "present"),
        Localtime::Absent => assert_eq!(there, "absent"),
    }
    assert_eq!(ask("cat /proc/sys/kernel/tainted"), "0", "the measured kernel is as Debian made it");
    // Nobody else gets in.
    let stranger = ssh2::Session::new().and_then(|mut session| {
        session.set_tcp_stream(TcpStream::connect((Ipv4Addr::LOCALHOST, guest.port)).unwrap());
        session.handshake()?;
        session.userauth_pubkey_memory("root", None, &GuestKeys::generate().user_private_key(), None)
    });
    assert!(stranger.is_err());
}

#[test]
fn kernel_6_1_boots_and_serves() {
    boots_and_serves("6.1", Localtime::Present);
}

#[test]
fn kernel_6_12_boots_and_serves() {
    boots_and_serves("6.12", Localtime::Absent);
}

#[test]
fn a_guest_without_its_nic_says_so_and_powers_off() {
    let Some(image) = image("6.1") else { return };
    let overlay = Overlay::new(&GuestKeys::generate(), Localtime::Absent);
    let mut guest = Guest::boot(&image, &overlay, "52:54:00:00:00:99");
    let reason = "no interface with MAC 52:54:00:00:00:99".to_owned();
    assert_eq!(guest.mark(), Mark::Failed { reason }, "{}", guest.console.join("\n"));
    let started = Instant::now();
    while guest.qemu.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < BOOT_DEADLINE, "the guest powers itself off");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_overlay_without_a_host_key_is_said() {
    let Some(image) = image("6.1") else { return };
    let overlay = Overlay { host_key: Vec::new(), ..Overlay::new(&GuestKeys::generate(), Localtime::Absent) };
    let mut guest = Guest::boot(&image, &overlay, DATA_MAC);
    let Mark::Failed { reason } = guest.mark() else { panic!("{}", guest.console.join("\n")) };
    assert!(reason.contains("host key"), "{reason}");
}

/// The same packages give the same bytes, in another cache and at another time.
#[test]
fn an_image_is_reproducible() {
    let Some(first) = image("6.1") else { return };
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipes::of("nowhere").load("6.1").unwrap();
    // Fetched packages and lists are shared; what is built is not.
    let apt = Apt::new(Cache::of_user().unwrap().root());
    let second = match ensure_with(&recipe, &Cache::at(folder.path()), Fetch::IfMissing, &apt, &mut |_| {}) {
        Ok(second) => second,
        Err(error @ ImageError::Mirror { .. }) => {
            eprintln!("SKIPPED: {error}");
            return;
        }
        Err(error) => panic!("{error:?}"),
    };
    if second.packages == first.packages {
        assert_eq!(second.digest, first.digest);
    } else {
        eprintln!("SKIPPED: the mirror has newer packages than the image");
    }
}
