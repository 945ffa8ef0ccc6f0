//! The arms of a guest, with the A/A pair of the run.

use rig_protocol::Errno;

use crate::blackbox::{Lab, matrix};

const ABSENT: &str = "localtime = \"absent\"\n";

pub(crate) fn a_time_zone_keeps_localtime_from_its_file() {
    let run = "trials = 60\nblocks = 1\nin_flight = 60\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"1ms\"";
    let guest = "kind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\nvcpus = 2\n";
    let text = matrix(run, r#""rst""#, r#""absent", "absent-tz""#).replace("aa_pair = false\n", "");
    let lab = Lab::new(&format!(
        "{text}[configuration.absent]\n{guest}{ABSENT}[configuration.absent-tz]\n{guest}{ABSENT}timezone = \"UTC0\"\n[profile.one]\ncontrols = [\"negative\"]\n"
    ));
    // Nothing proves that an EBADF would be seen: every cell is blind.
    lab.run("matrix run --profile one --seed 7").expect(3);
    let run = lab.only_run();
    let record = run.record();
    let of = |name: &str| {
        let mut cells = record.cells.iter().map(|record| &record.cell);
        let wanted =
            |cell: &&rig::matrix::Cell| cell.control.is_none() && cell.subject.configuration.name == name;
        let id = &cells.find(wanted).unwrap().id;
        let block = run.played().into_iter().find(|block| block.cell == *id).unwrap();
        assert!(!block.target_hello.unwrap().localtime, "{name}");
        block.tally.errno_after_localtime
    };
    assert_eq!(of("absent"), [(Errno::ENOENT, 60)].into());
    assert_eq!(of("absent-again"), [(Errno::ENOENT, 60)].into());
    let with_zone = of("absent-tz");
    assert!(with_zone.get(&Errno::ENOENT).copied().unwrap_or(0) <= 1, "{with_zone:?}");
    let again = &run.report()["again"];
    assert_eq!(
        (&again["configuration"], &again["verdict"]),
        (&"absent-again".into(), &"passed".into()),
        "{again}"
    );
}
