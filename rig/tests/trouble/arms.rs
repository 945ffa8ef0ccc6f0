//! The arms of bare metal: what localtime() leaves in errno where the measured program has an /etc/localtime, and where it has none.

use std::collections::BTreeMap;

use rig_protocol::Errno;

use crate::blackbox::{Lab, Recorded, is_root, matrix};

const ARMS: &str = "[configuration.absent]\nkind = \"host\"\nlocaltime = \"absent\"\n\
    [configuration.absent-tz]\nkind = \"host\"\nlocaltime = \"absent\"\ntimezone = \"UTC0\"\n[path.loop]\nmedium = \"loopback\"\n";

/// What localtime() left, by configuration and path, and whether the agent saw the file.
fn left(run: &Recorded) -> BTreeMap<(String, String), (BTreeMap<Errno, u64>, bool)> {
    let cells = run.record().cells;
    let told = run.played().into_iter().filter_map(|block| {
        let cell = &cells.iter().find(|record| record.cell.id == block.cell).unwrap().cell;
        let subject = &cell.subject;
        let place = (subject.configuration.name.clone(), subject.path.name.clone());
        let seen = block.target_hello.unwrap().localtime;
        cell.control.is_none().then_some((place, (block.tally.errno_after_localtime, seen)))
    });
    told.collect()
}

#[test]
fn localtime_leaves_enoent_where_its_file_is_absent_on_any_host() {
    if !is_root("netns") {
        return;
    }
    let run = "trials = 60\nblocks = 1\nin_flight = 60\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"1ms\"";
    let text = matrix(run, r#""rst""#, r#""bare-metal", "absent", "absent-tz""#)
        .replace("path = [\"direct\"]", "path = [\"direct\", \"loop\"]");
    let lab = Lab::new(&format!("{text}{ARMS}"));
    lab.run("matrix run --seed 7").expect(0);
    let run = lab.only_run();
    let left = left(&run);
    for path in ["direct", "loop"] {
        let of = |configuration: &str| &left[&(configuration.to_owned(), path.to_owned())];
        assert_eq!(of("bare-metal"), &([(Errno(0), 60)].into(), true), "{path}");
        assert_eq!(of("absent"), &([(Errno::ENOENT, 60)].into(), false), "{path}");
        // With TZ the file is not looked for; glibc looks once for a zone of that name.
        let (errnos, seen) = of("absent-tz");
        let enoent = errnos.get(&Errno::ENOENT).copied().unwrap_or(0);
        assert!(enoent <= 1 && errnos[&Errno(0)] == 60 - enoent && !seen, "{path}: {errnos:?}");
    }
    let controls: Vec<String> = run.report()["controls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|control| {
            format!("{} {}", control["configuration"].as_str().unwrap(), control["status"].as_str().unwrap())
        })
        .collect();
    assert_eq!(controls, ["bare-metal passed"; 3], "arms of one machine have their controls together");
}
