//! Tier *guest*: real guests of the real images under TCG: boot, SSH, the pump, plays that are disturbed, and every way to die.
//!
//! Needs root, QEMU and the images of the user's cache (or a package mirror to build them); what is missing is said aloud.
//! Each test makes its own network namespaces; nothing outside is touched. Times are bounds, never assertions.

#![expect(clippy::unwrap_used, reason = "a test ends where its scene cannot be set")]

#[path = "qemu/confined.rs"]
mod confined;
#[path = "qemu/identity.rs"]
mod identity;
#[path = "qemu/inspect.rs"]
mod inspect;
#[path = "qemu/own.rs"]
mod own;
#[path = "qemu/pair.rs"]
mod pair;
#[path = "qemu/panic.rs"]
mod panic;
#[path = "qemu/paths.rs"]
mod paths;
#[path = "qemu/play.rs"]
mod play;
#[path = "qemu/program.rs"]
mod program;
#[path = "qemu/reproduce.rs"]
mod reproduce;
#[path = "qemu/rules.rs"]
mod rules;
mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rig::configuration::Engine;
use rig::configuration::{Accelerator, Localtime, NicBackend, NicModel};
use rig::image::{GuestKeys, Overlay};
use rig::machine::launch_ssh::{self, AGENT_PATH, Exit, ProgramEnd, RemoteProgram, SshError, SshSession};
use rig::machine::qemu::probe::PROBE_DEADLINE;
use rig::machine::qemu::{
    DeathKind, Guest, GuestError, GuestPlan, LinkState, Medium, ProbeKit, QmpError, probe,
};
use rig::path::{Addressing, Mechanisms, PathSpec, TargetLink};
use rig::process::{Sealed, Tail};
use rig::testbed::Testbed;
use sha2::{Digest, Sha256};
use support::guest::{Bench, TestImage};

/// Reaching it is a failure of what is tested, not of a slow machine.
const LONG: Duration = Duration::from_secs(120);

/// The image, or the end of the test, said aloud.
macro_rules! image_or_return {
    ($name:literal) => {
        match support::guest::TestImage::find($name) {
            Ok(image) => image,
            Err(reason) => return support::skip(&reason),
        }
    };
}
pub(crate) use image_or_return;

async fn boot(plan: GuestPlan) -> Guest {
    match Guest::boot(plan, LONG).await {
        Ok(guest) => guest,
        Err(error) => panic!("{:?}", miette::Report::new(error)),
    }
}

async fn start(bench: &Bench, guest: &Guest, command: &str) -> RemoteProgram {
    let command = command.to_owned();
    launch_ssh::with_session(guest, bench.ssh(), LONG, move |session, left| {
        RemoteProgram::start(session, &command, None, left())
    })
    .await
    .unwrap()
}

/// Runs a command in the guest: its exit, its output.
async fn run(bench: &Bench, guest: &Guest, command: &str) -> (Exit, String) {
    let command = command.to_owned();
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&command, left());
    let finished = launch_ssh::with_session(guest, bench.ssh(), LONG, work).await.unwrap();
    (finished.exit, String::from_utf8_lossy(&finished.stdout).trim().to_owned())
}

async fn end_of(agent: &mut RemoteProgram) -> ProgramEnd {
    tokio::time::timeout(LONG, agent.end.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap()
}

/// Bytes that a shifted, doubled or lost block changes.
fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_boots_obeys_carries_bytes_and_stops() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let guest = boot(bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1)).await;
    support::say(&format!("ready after {:?}", guest.ready_after()));

    let verified = guest.verify().await.unwrap();
    assert_eq!((verified.engine, verified.vcpus, verified.vhost_proof.as_str()), (Engine::Tcg, 1, ""));
    is_as_agreed(&image, &bench, &guest, ("virtio_net", Localtime::Absent)).await;
    // Nothing stands between rig and QEMU: what runs is what was asked for.
    assert_eq!(guest.running().unwrap().command_line, guest.command_line());
    assert_eq!(run(&bench, &guest, identity::MERGEABLE).await.1, "1");
    // The query on which the proof of vhost relies, in this QEMU's words.
    let asked = serde_json::json!({ "path": "/machine/peripheral/data-nic/virtio-backend" });
    let status = guest.qmp().execute_raw("x-query-virtio-status", asked, LONG).await.unwrap();
    assert_eq!(status["vhost-started"], false, "{status}");

    obeys(&bench, &guest).await;
    exits(&bench, &guest).await;
    echoes(&bench, &guest).await;
    stalls(&bench, &guest).await;
    takes_a_program(&bench, &guest).await;
    gives_a_shell(&bench, &guest).await;
    refuses_strangers(&bench, &guest).await;

    let pid = guest.pid();
    let ended = guest.stop().await;
    assert_eq!(ended.death.unwrap().kind, DeathKind::Stopped);
    assert_eq!((ended.status.as_str(), ended.log_trouble), ("ended with exit status 0", None));
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    let log = fs_err::read_to_string(bench.folder().join("qmp.jsonl")).unwrap();
    assert!(log.contains("command_line") && log.contains("set_link") && log.contains("SHUTDOWN"), "{log}");
    assert!(fs_err::read_to_string(bench.folder().join("console.log")).unwrap().contains("rig: ready"));
}

/// set_link, stop, cont.
async fn obeys(bench: &Bench, guest: &Guest) {
    let ping = "ping -c 1 -W 2 192.0.2.1 > /dev/null";
    reaches(bench, guest, "192.0.2.1").await;
    guest.set_link(LinkState::Down).await.unwrap();
    assert_eq!(
        run(bench, guest, ping).await.0,
        Exit::Status(1),
        "the control link is up, the measured is not"
    );
    guest.set_link(LinkState::Up).await.unwrap();
    reaches(bench, guest, "192.0.2.1").await;

    guest.pause().await.unwrap();
    assert!(!guest.is_running().await.unwrap());
    assert_eq!(*guest.death().borrow(), None, "a pause that was asked for is no death");
    guest.resume().await.unwrap();
    assert!(guest.is_running().await.unwrap());
    assert_eq!(run(bench, guest, "echo again").await, (Exit::Status(0), "again".to_owned()));
}

async fn exits(bench: &Bench, guest: &Guest) {
    assert_eq!(run(bench, guest, "echo out; exit 7").await, (Exit::Status(7), "out".to_owned()));
    assert_eq!(run(bench, guest, "kill -SEGV $$").await.0, Exit::Signal("SEGV".to_owned()));

    let script = "echo first >&2; read line; echo \"got $line\"; echo last >&2; exit 3";
    let mut agent = start(bench, guest, script).await;
    agent.stream.write_all(b"something\n").unwrap();
    let mut said = String::new();
    agent.stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "got something\n");
    let end = end_of(&mut agent).await;
    assert_eq!((end.exit, end.stderr.as_str()), (Exit::Status(3), "first\nlast\n"));

    // What floods its standard error must neither stall nor hide what it says on its output.
    let script = "dd if=/dev/zero bs=64k count=64 2>/dev/null | tr '\\0' x >&2; echo done";
    let mut agent = start(bench, guest, script).await;
    let mut said = String::new();
    agent.stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "done\n");
    let end = end_of(&mut agent).await;
    let last = "x".repeat(Tail::KEPT_BYTES);
    assert!(
        end.exit == Exit::Status(0) && end.stderr == format!("…{last}"),
        "{:?}, {} bytes",
        end.exit,
        end.stderr.len()
    );

    // A stream that is let go of is the end of the program's input, after all that was written.
    let mut agent = start(bench, guest, "cat > /run/taken").await;
    agent.stream.write_all(b"kept").unwrap();
    let (_, other) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(std::mem::replace(&mut agent.stream, other));
    assert_eq!(end_of(&mut agent).await.exit, Exit::Status(0));
    assert_eq!(run(bench, guest, "cat /run/taken").await.1, "kept");
}

async fn echoes(bench: &Bench, guest: &Guest) {
    let mut agent = start(bench, guest, "exec cat").await;
    let sent = pattern(1 << 20);
    let mut writer = agent.stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
        // Odd sizes: no boundary of any layer.
        copy.chunks(4093).for_each(|chunk| writer.write_all(chunk).unwrap());
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    agent.stream.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert_eq!(received.len(), sent.len());
    assert_eq!(Sha256::digest(&received), Sha256::digest(&sent));
    assert_eq!(end_of(&mut agent).await.exit, Exit::Status(0));
}

async fn stalls(bench: &Bench, guest: &Guest) {
    // The host does not read: the program must stall, lose nothing, and go on when the host does read.
    let bytes = 8 << 20;
    let mut agent = start(bench, guest, "dd if=/dev/zero bs=64k count=128 2>/dev/null; echo end >&2").await;
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(*agent.end.borrow(), None, "8 MiB fit nowhere but in a buffer that must not exist");
    let mut received = Vec::new();
    agent.stream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), bytes);
    assert_eq!(end_of(&mut agent).await, ProgramEnd { exit: Exit::Status(0), stderr: "end\n".into() });

    // The guest does not read for a while: the same the other way round.
    let mut agent = start(bench, guest, "sleep 1; wc -c").await;
    agent.stream.write_all(&vec![b'x'; bytes]).unwrap();
    agent.stream.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    agent.stream.read_to_string(&mut said).unwrap();
    assert_eq!(said.trim(), bytes.to_string());
}

async fn takes_a_program(bench: &Bench, guest: &Guest) {
    let mut program = b"#!/bin/sh\necho \"agent $1\"; read line; echo \"$line\"; exit 5\n#".to_vec();
    program.extend(pattern(1 << 20).iter().map(|byte| b'a' + byte % 26));
    let started = Instant::now();
    let command = "/run/agent --flag".to_owned();
    let mut agent =
        launch_ssh::launch(guest, bench.ssh(), Arc::from(program), AGENT_PATH, command, LONG).await.unwrap();
    let mut first = [0; 13];
    agent.stream.read_exact(&mut first).unwrap();
    support::say(&format!("from connect to the agent's first output {:?}", started.elapsed()));
    assert_eq!(&first, b"agent --flag\n");
    agent.stream.write_all(b"bye\n").unwrap();
    let mut rest = String::new();
    agent.stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "bye\n");
    assert_eq!(end_of(&mut agent).await.exit, Exit::Status(5));

    let nowhere = launch_ssh::with_session(guest, bench.ssh(), LONG, |session, left| {
        session.push("/proc/agent", &pattern(1 << 20), left())
    });
    let refused = nowhere.await.unwrap_err();
    assert!(
        matches!(&refused, SshError::Command { stderr, .. } if stderr.contains("/proc/agent")),
        "{refused}"
    );
}

/// The shell of `rig guest boot`.
async fn gives_a_shell(bench: &Bench, guest: &Guest) {
    let open = |session: SshSession, left: &dyn Fn() -> Duration| {
        RemoteProgram::shell(session, "xterm", (91, 17), left())
    };
    let mut shell = launch_ssh::with_session(guest, bench.ssh(), LONG, open).await.unwrap();
    shell.stream.write_all(b"echo $((6 * 7)) $TERM; stty size; exit 4\n").unwrap();
    let mut said = String::new();
    shell.stream.read_to_string(&mut said).unwrap();
    assert!(said.contains("42 xterm") && said.contains("17 91"), "{said}");
    assert_eq!(end_of(&mut shell).await.exit, Exit::Status(4));
}

async fn refuses_strangers(bench: &Bench, guest: &Guest) {
    let connect = |plan| launch_ssh::with_session(guest, plan, LONG, |_, _| Ok(()));
    let mut plan = bench.ssh();
    *plan.host_key.as_mut().unwrap().last_mut().unwrap() ^= 1;
    let error = connect(plan).await.unwrap_err();
    assert!(matches!(error, SshError::HostKey { .. }), "{error}");
    let mut plan = bench.ssh();
    plan.private_key = GuestKeys::generate().user_private_key();
    let error = connect(plan).await.unwrap_err();
    assert!(matches!(error, SshError::Refused { .. }), "{error}");
}

/// What the image's init promises.
async fn is_as_agreed(image: &TestImage, bench: &Bench, guest: &Guest, nic: (&str, Localtime)) {
    let (driver, localtime) = nic;
    assert_eq!(guest.release(), image.image.release);
    let localtime = match localtime {
        Localtime::Present => "present",
        Localtime::Absent => "absent",
    };
    for (command, answer) in [
        ("uname -r", guest.release()),
        ("cat /sys/class/net/data/address /sys/class/net/data/mtu", "52:54:00:00:01:01\n1500"),
        ("basename $(readlink /sys/class/net/data/device/driver)", driver),
        ("basename $(readlink /sys/class/net/control/device/driver)", "virtio_net"),
        // No IPv6 among the counted packets.
        ("ip -6 address", ""),
        // Measured traffic cannot leave through the control link.
        ("ip route | grep default | grep control; true", ""),
        ("cat /proc/sys/kernel/threads-max /proc/sys/vm/max_map_count", "131072\n1048576"),
        ("ulimit -H -n; ulimit -S -n; ulimit -u", "1048576\n1024\nunlimited"),
        ("[ -e /etc/localtime ] && echo present || echo absent", localtime),
        // The measured kernel is as Debian made it.
        ("cat /proc/sys/kernel/tainted", "0"),
    ] {
        assert_eq!(run(bench, guest, command).await, (Exit::Status(0), answer.to_owned()), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boots_that_fail_say_how() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let plan = |word: &str| {
        let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1);
        plan.extra_cmdline = vec![word.to_owned()];
        plan
    };

    let panics = Guest::boot(plan("rdinit=/nonexistent"), LONG).await.unwrap_err();
    assert!(
        matches!(&panics, GuestError::Panicked { reason, .. } if reason.contains("Kernel panic - not syncing")),
        "{panics}"
    );

    let missing = "rig.data=52:54:00:00:00:99,192.0.2.2/24,1500";
    let no_nic = Guest::boot(plan(missing), LONG).await.unwrap_err();
    assert!(
        matches!(&no_nic, GuestError::InitFailed { reason } if reason.contains("no interface with MAC 52:54:00:00:00:99")),
        "{no_nic}"
    );

    let mut no_keys = plan("");
    let Medium::Kernel { overlay, .. } = &mut no_keys.medium else { panic!("an image of rig's") };
    overlay.clear();
    let no_keys = Guest::boot(no_keys, LONG).await.unwrap_err();
    assert!(
        matches!(&no_keys, GuestError::InitFailed { reason } if reason.contains("no host key")),
        "{no_keys}"
    );

    let mut no_kernel = plan("");
    let Medium::Kernel { kernel, .. } = &mut no_kernel.medium else { panic!("an image of rig's") };
    *kernel = Sealed::of(&b"no kernel"[..]).unwrap();
    let refused = Guest::boot(no_kernel, LONG).await.unwrap_err();
    assert!(
        matches!(&refused, GuestError::Start { stderr, advice, .. }
            if stderr.contains("kernel too old") && advice.contains("image build")),
        "{refused}"
    );

    let mut no_qemu = plan("");
    no_qemu.qemu = "/nonexistent/qemu".into();
    assert!(matches!(Guest::boot(no_qemu, LONG).await.unwrap_err(), GuestError::Spawn { .. }));
}

/// Every configuration that needs no KVM, and with each another end: a boot is too dear for one of them alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_vmxnet3_guest_of_6_12_carries_packets_and_its_panic_is_told_with_the_kernels_words() {
    let image = image_or_return!("6.12");
    let bench = Bench::new(&image, 1);
    let mut plan = bench.plan(NicModel::Vmxnet3, NicBackend::Tap, 1);
    let Medium::Kernel { overlay, .. } = &mut plan.medium else { panic!("an image of rig's") };
    *overlay = Overlay::new(&image.keys, Localtime::Present).to_cpio();
    let guest = boot(plan).await;
    is_as_agreed(&image, &bench, &guest, ("vmxnet3", Localtime::Present)).await;
    reaches(&bench, &guest, "192.0.2.1").await;
    rules::takes_rules(&bench, &guest).await;

    let crash = |session: SshSession, left: &dyn Fn() -> Duration| {
        session.run("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 1000", left())
    };
    let error = launch_ssh::with_session(&guest, bench.ssh(), LONG, crash).await.unwrap_err();
    const REASON: &str = "the guest's kernel panicked: Kernel panic - not syncing: sysrq triggered crash";
    assert!(matches!(&error, SshError::Abandoned { reason, .. } if reason == REASON), "{error}");
    let death = guest.died().await;
    assert_eq!((death.kind, death.reason.as_str()), (DeathKind::Panicked, REASON));
    guest.stop().await;
    let console = fs_err::read_to_string(bench.folder().join("console.log")).unwrap();
    assert!(console.contains("Call Trace"), "{console}");
    let log = fs_err::read_to_string(bench.folder().join("qmp.jsonl")).unwrap();
    assert!(log.contains("GUEST_PANICKED"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multiqueue_guest_carries_packets_and_a_kill_ends_every_wait_with_the_reason() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 2);
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 2);
    plan.spec.vcpus = 2;
    let guest = boot(plan).await;
    assert_eq!(guest.verify().await.unwrap().vcpus, 2);
    assert_eq!(run(&bench, &guest, "ls -d /sys/class/net/data/queues/rx-* | wc -l").await.1, "2");
    reaches(&bench, &guest, "192.0.2.1").await;

    let mut agent = start(&bench, &guest, "exec cat").await;
    let sleep = |session: SshSession, left: &dyn Fn() -> Duration| session.run("sleep 1000", left());
    let waiting = launch_ssh::with_session(&guest, bench.ssh(), LONG, sleep);
    let kill = async {
        // So that the wait is really under way.
        tokio::time::sleep(Duration::from_millis(700)).await;
        support::guest::kill(guest.pid());
    };
    let (waited, ()) = tokio::join!(waiting, kill);
    let error = waited.unwrap_err();
    const REASON: &str = "qemu was killed by SIGKILL";
    assert!(matches!(&error, SshError::Abandoned { reason, .. } if reason == REASON), "{error}");
    let death = guest.died().await;
    assert_eq!((death.kind, death.reason.as_str()), (DeathKind::Exited, REASON));
    let mut rest = Vec::new();
    assert_eq!(agent.stream.read_to_end(&mut rest).unwrap(), 0);
    assert_eq!(end_of(&mut agent).await.exit, Exit::Broken(REASON.to_owned()));
    let refused = guest.is_running().await.unwrap_err();
    assert!(matches!(refused, GuestError::Qmp(QmpError::Closed { .. })), "{refused}");
    assert_eq!(guest.stop().await.status, "was killed by SIGKILL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_behind_slirp_carries_packets_and_is_gone_when_it_is_dropped() {
    let image = image_or_return!("6.12");
    let bench = Bench::new(&image, 1);
    let guest = boot(bench.plan(NicModel::VirtioNet, NicBackend::User, 1)).await;
    assert_eq!(guest.verify().await.unwrap().vhost_proof, "");
    reaches(&bench, &guest, "198.51.100.2").await;
    let mut death = guest.death();
    drop(guest);
    let told = tokio::time::timeout(LONG, death.wait_for(Option::is_some)).await.unwrap().unwrap().clone();
    assert_eq!(told.unwrap().kind, DeathKind::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_passt_ends_is_dead_and_says_why() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let (path, addressing) = (PathSpec::plain("direct", 1500), Addressing::default());
    let build = || Testbed::build(&path, addressing, TargetLink::Passt, &Mechanisms::all(), 1).unwrap();
    let mut testbed = tokio::task::block_in_place(build);
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Passt, 1);
    plan.socket = testbed.take_socket();
    let guest = boot(plan).await;
    assert_eq!(guest.verify().await.unwrap().vhost_proof, "");
    assert_eq!(run(&bench, &guest, "ip -4 -o address show dev data | grep -c 198.51.100.15/24").await.1, "1");
    // passt goes with its testbed.
    drop(testbed);
    let death = guest.died().await;
    assert_eq!(death.kind, DeathKind::Unplugged, "{death:?}");
    assert_eq!(death.reason, "passt, which carried the frames of the guest's NIC, has ended");
    guest.stop().await;
}

/// Over the measured NIC.
async fn reaches(bench: &Bench, guest: &Guest, neighbour: &str) {
    let ping = format!("ping -c 1 -W 2 {neighbour} > /dev/null");
    let patient = format!("for i in 1 2 3 4 5 6 7 8; do {ping} && exit 0; done; exit 1");
    assert_eq!(run(bench, guest, &patient).await.0, Exit::Status(0), "{neighbour}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vhost_guest_proves_it_or_says_what_is_missing() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let plan = bench.plan(NicModel::VirtioNet, NicBackend::TapVhost, 1);
    if !std::path::Path::new("/dev/vhost-net").exists() {
        let refused = Guest::boot(plan, LONG).await.unwrap_err();
        assert!(matches!(refused, GuestError::NoVhost { .. }), "{refused}");
        return support::say("/dev/vhost-net is not here: only its refusal was tested");
    }
    let guest = boot(plan).await;
    let verified = guest.verify().await.unwrap();
    assert!(verified.vhost_proof.contains("1 descriptors of /dev/vhost-net"), "{}", verified.vhost_proof);
    guest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_says_what_functions_and_keeps_the_answer() {
    let image = image_or_return!("6.1");
    let folder = tempfile::tempdir().unwrap();
    let loaded = image.image.load().unwrap();
    let kit = ProbeKit {
        qemu: support::guest::QEMU.into(),
        kernel: loaded.kernel,
        initramfs: loaded.initramfs,
        overlay: Overlay::new(&image.keys, Localtime::Present).to_cpio(),
        cache: folder.path().join("cache"),
        within: PROBE_DEADLINE,
        device: "/dev/kvm".into(),
        lateness: probe::Lateness::Answer,
    };
    let resolved = probe::resolve(Accelerator::Auto, &kit).await.unwrap();
    support::say(&format!("auto is {}: {}", resolved.engine, resolved.reason));
    let by_name = probe::resolve(Accelerator::Kvm, &kit).await;
    match resolved.engine {
        Engine::Kvm => {
            assert_eq!(by_name.unwrap(), resolved);
            let bench = Bench::new(&image, 1);
            let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1);
            plan.engine = Engine::Kvm;
            let guest = boot(plan).await;
            assert_eq!(guest.verify().await.unwrap().engine, Engine::Kvm);
            guest.stop().await;
        }
        Engine::Tcg => {
            let refused = by_name.unwrap_err().to_string();
            assert!(refused.ends_with(&resolved.reason), "{refused}");
            assert!(!resolved.reason.contains("could not be tried"), "{}", resolved.reason);
        }
    }
    if std::path::Path::new("/dev/kvm").exists() {
        let kept: Vec<_> = fs_err::read_dir(&kit.cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(kept.len(), 1, "one answer, and no left-over of the probe: {kept:?}");
        let kept: serde_json::Value = serde_json::from_slice(&fs_err::read(&kept[0]).unwrap()).unwrap();
        assert_eq!(kept["reason"], resolved.reason.as_str());
    }
}
