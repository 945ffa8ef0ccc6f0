//! `rig scenario run --configuration`: one guest, booted for one scenario, without a matrix run.

use nix::sys::signal::Signal;
use serde_json::Value as Json;

use crate::QEMU;
use crate::blackbox::processes::{family, interfaces};
use crate::blackbox::{Lab, matrix};

fn lab() -> Lab {
    Lab::new(&matrix("", r#""rst""#, r#""virtio-tap""#))
}

pub(crate) fn a_scenario_is_played_in_one_guest() {
    let lab = lab();
    // The kernel is the first that the file names.
    let line = "scenario run rst client_delay=200ms --trials 10 --in-flight 5 --seed 7 --configuration virtio-tap --capture out --format json";
    let ended = lab.run(line).expect(0);
    assert!(
        ended.stderr.contains("booting a guest: configuration virtio-tap, kernel 6.1\n"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("playing 10 trials\n"), "{}", ended.stderr);
    let run: Json = serde_json::from_str(&ended.stdout).unwrap();
    let release = run["kernel_release"].as_str().unwrap();
    assert!(release.starts_with("6.1."), "the guest's, not the host's: {run}");
    let accelerator = run["accelerator"].as_str().unwrap();
    assert!(["kvm", "tcg"].contains(&accelerator), "{run}");
    assert!(!run["accelerator_reason"].as_str().unwrap().is_empty() && run["boot_ns"].as_u64() > Some(0));
    assert_eq!((&run["kernel"], &run["configuration"]), (&"6.1".into(), &"virtio-tap".into()));
    assert_eq!((&run["status"], &run["trials"]), (&"complete".into(), &10.into()), "{run}");
    assert!(run["kernel_rsts"].as_u64() >= Some(10) && run["witness_rsts"].as_u64() >= Some(10), "{run}");
    let captures = run["captures"].as_array().unwrap();
    assert_eq!(captures.len(), 2, "{captures:?}");
    for file in captures {
        let bytes = fs_err::read(lab.path().join(file.as_str().unwrap())).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!((0..10).all(|trial| text.contains(&format!("trial {trial} (example)"))), "{file}");
    }
    assert!(!lab.results().exists(), "nothing is recorded");
}

/// In the middle of the boot: the guest is there, and goes.
pub(crate) fn a_scenario_in_a_guest_leaves_nothing_when_it_is_stopped() {
    let lab = lab();
    let before = interfaces();
    for (signal, code) in [(Signal::SIGKILL, None), (Signal::SIGINT, Some(130))] {
        let mut running = lab.start(lab.rig("scenario run rst --configuration virtio-tap"));
        let root = running.pid();
        running.await_that("the guest is there", || {
            let family = family(root);
            // The agent of the peer comes before it: the QEMU that is only asked for its version is another one.
            let peer = family.iter().any(|one| one.is("guest-agent"));
            family.into_iter().find(|one| peer && one.is(QEMU))
        });
        let all = family(root);
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (code, ""), "{signal}: {ended:?}");
        let deadline = std::time::Instant::now() + crate::blackbox::belongings::GRACE;
        while !all.iter().all(crate::blackbox::processes::Process::is_gone) {
            assert!(std::time::Instant::now() < deadline, "{signal}: {all:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(interfaces(), before, "{signal}");
    }
}

/// The guest that is looked into is the one in which the block was played: its kernel has counted the block's connections.
pub(crate) fn a_replayed_block_leaves_its_guest_to_whoever_asks() {
    let run = "trials = 20\nblocks = 1\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"50ms\"";
    let lab = Lab::new(&matrix(run, r#""rst""#, r#""bare-metal", "virtio-tap""#));
    lab.run("matrix run --seed 7").expect(0);
    let report = lab.only_run().report();
    let cells = report["cells"].as_array().unwrap();
    let id = |configuration: &str| {
        let of = |cell: &&Json| cell["configuration"] == configuration;
        cells.iter().find(of).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let line = format!("replay latest {} --keep-guest -- cat /proc/net/snmp", id("virtio-tap"));
    let ended = lab.run(&line).expect(0);
    let (replayed, rest) = ended.stdout.split_once("Tcp: ").unwrap_or_else(|| panic!("{ended:?}"));
    assert!(replayed.contains("20 trials with seed"), "{replayed}");
    let (names, values) = rest.split_once("\nTcp: ").unwrap();
    let place = names.split(' ').position(|name| name == "ActiveOpens").unwrap();
    let opened: u64 = values.split(' ').nth(place).unwrap().parse().unwrap();
    assert!(opened >= 20, "{rest}");
    assert!(ended.stderr.contains("virtio-tap") && ended.stderr.contains("192.0.2.2/24"), "{}", ended.stderr);
    lab.run(&format!("replay latest {} --keep-guest", id("bare-metal"))).expect(2).says(&["it has no guest"]);
    lab.run("replay latest 00 --keep-guest --format json").expect(2).says(&["cannot be used with"]);
}
