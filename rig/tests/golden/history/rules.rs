//! The rules of `[alert]` and `[[known]]`: each fires on its trouble, and is silent where it is told to be.

use rig::campaign::{Nights, watch_nights};
use rig::history::model::{AlertKind, History};

use super::made_up::{Shelf, bench, hit, id_of_night};
use crate::fixture::{Bench, Play, sound, turn, void};
use crate::reports::rig;
use rig_protocol::Errno;

fn history(shelf: &Shelf) -> History {
    watch_nights(&shelf.results(), &Nights::default()).expect("a history").history
}

fn kinds(history: &History) -> Vec<AlertKind> {
    history.alerts.iter().map(|alert| alert.kind).collect()
}

/// A night with guests and controls.
fn with_guests(night: usize) -> Bench {
    let mut bench = sound();
    let model = super::made_up::bench(night, 1);
    (bench.record.id, bench.record.started) = (model.record.id, model.record.started.clone());
    for (at, (block, _)) in bench.blocks.iter_mut().enumerate() {
        block.started = format!("{}02:{:02}:{:02}.000Z", &model.record.started[..11], 1 + at / 50, at % 50);
    }
    bench
}

#[test]
fn a_control_that_failed_and_a_rate_over_its_threshold_alert_in_the_newest_night_only() {
    let shelf = Shelf::new();
    let mut failed = with_guests(0);
    turn(failed.block(Play::NoFault, "virtio-tap", "6.1", 0), 3, Errno::EBADF);
    turn(failed.block(Play::Base, "virtio-tap", "6.1", 0), 4, Errno::EBADF);
    shelf.write(&failed);
    let said = history(&shelf);
    assert_eq!(kinds(&said), [AlertKind::ControlFailed, AlertKind::Rate], "{:#?}", said.alerts);
    shelf.write(&with_guests(1));
    assert_eq!(kinds(&history(&shelf)), []);
}

#[test]
fn a_guest_that_differs_from_bare_metal_alerts_unless_that_is_not_asked() {
    for (matrix, wanted) in [("", 1), ("[alert]\ndifference = false\n", 0)] {
        let shelf = Shelf::new();
        let mut night = with_guests(0);
        night.record.judgement.alert.clear();
        night.record.matrix = matrix.into();
        for index in 0..2 {
            turn(night.block(Play::Base, "virtio-tap", "6.1", index), 300, Errno::EBADF);
        }
        shelf.write(&night);
        let of_errno = history(&shelf)
            .alerts
            .iter()
            .filter(|one| one.kind == AlertKind::Difference && one.what == "EBADF")
            .count();
        assert_eq!(of_errno, wanted, "{matrix}");
    }
}

#[test]
fn a_cell_that_vanishes_alerts_and_one_that_was_not_asked_for_does_not() {
    let shelf = Shelf::new();
    shelf.night(0, |_| {});
    shelf.write(&bench(1, 1));
    let said = history(&shelf);
    assert_eq!(kinds(&said), [AlertKind::CellVanished]);
    assert!(said.alerts[0].words.contains("no longer in the plan"), "{:?}", said.alerts);
    // A run of a part of the matrix is no night of all of it.
    let shelf = Shelf::new();
    shelf.night(0, |_| {});
    let mut part = bench(1, 1);
    part.record.command_line.push("path=path-0".into());
    shelf.write(&part);
    assert_eq!(kinds(&history(&shelf)), []);
    // Nor is one that was interrupted.
    let shelf = Shelf::new();
    shelf.night(0, |_| {});
    let mut short = bench(1, 2);
    short.complete = false;
    short.blocks.truncate(1);
    shelf.write(&short);
    assert_eq!(kinds(&history(&shelf)), []);
}

#[test]
fn another_kernel_alerts_where_that_is_asked() {
    for (matrix, wanted) in
        [("[alert]\nkernel_changed = true\n", vec![AlertKind::KernelChanged]), ("", vec![])]
    {
        let shelf = Shelf::new();
        shelf.night(0, |_| {});
        shelf.night(1, |bench| {
            bench.record.environment.host.kernel = "6.1.0-45-amd64".into();
            bench.record.matrix = matrix.into();
        });
        let said = history(&shelf);
        assert_eq!(kinds(&said), wanted);
        assert_eq!(said.nights[1].changes.len(), 1, "{:?}", said.nights[1]);
    }
}

#[test]
fn a_known_issue_raises_no_alarm_until_its_day_has_passed() {
    let until = |day: &str| {
        let known = format!(
            "[[known]]\nreason = \"a driver\"\nuntil = \"{day}\"\npath = \"path-0\"\nlink = \"bug 7\"\n"
        );
        let shelf = Shelf::new();
        for night in 0..12 {
            shelf.night(night, |bench| {
                hit(bench, 0, if night >= 8 { 9 } else { 0 });
                bench.record.matrix = known.clone();
            });
        }
        shelf
    };
    // The last night is that of 12 June.
    let shelf = until("2026-06-12");
    let said = history(&shelf);
    assert_eq!((kinds(&said), said.alerts()), (vec![AlertKind::Worse], false));
    let known = said.alerts[0].known.as_ref().expect("it is known");
    assert_eq!((known.reason.as_str(), known.until.as_deref()), ("a driver", Some("2026-06-12")));
    let (code, text, _) = rig(&["history"], shelf.folder());
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 0 && plain.contains("known until 2026-06-12: a driver, bug 7"), "{text}");
    let shelf = until("2026-06-11");
    let (code, text, _) = rig(&["history"], shelf.folder());
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == 5 && plain.contains("was known until 2026-06-11: what it is about alerts again"),
        "{text}"
    );
    // Another file of rules takes their place.
    let file = shelf.folder().join("rules.toml");
    let rules = format!("{}\n[[known]]\nreason = \"r\"\nuntil = \"2030-01-01\"\n", rig::matrix::EMBEDDED);
    fs_err::write(&file, rules).expect("written");
    let (code, text, error) = rig(&["history", "--matrix", "rules.toml"], shelf.folder());
    assert_eq!(code, 0, "{text}{error}");
}

#[test]
fn a_step_is_news_for_as_many_nights_as_are_shown_or_until_the_rate_falls() {
    let code = |shelf: &Shelf, nights: &str| rig(&["history", "--nights", nights], shelf.folder()).0;
    let shelf = Shelf::new();
    let play = |nights: std::ops::Range<usize>, hits: u64| {
        nights.for_each(|night| drop(shelf.night(night, |bench| hit(bench, 0, hits))));
    };
    play(0..10, 0);
    play(10..20, 20);
    assert_eq!((code(&shelf, "20"), code(&shelf, "3")), (5, 0), "after three nights it is the rate");
    play(20..40, 0);
    let said = history(&shelf);
    let step = said.series.iter().find_map(|series| series.step.as_ref()).expect("one");
    let fell = step.until.as_deref().expect("it fell");
    assert_eq!((step.since.as_str(), fell), (id_of_night(10).as_str(), id_of_night(20).as_str()));
    assert_eq!((code(&shelf, "60"), step.count_since, step.n_since), (0, 200, 20_000));
}

#[test]
fn a_configuration_whose_cells_are_each_below_the_threshold_alerts_as_a_whole() {
    let shelf = Shelf::new();
    let mut night = bench(0, 40);
    night.record.judgement.alert = [("EBADF".to_owned(), 0.001)].into();
    for (block, _) in &mut night.blocks {
        turn(block, 2, Errno::EBADF);
    }
    shelf.write(&night);
    let said = history(&shelf);
    assert_eq!(kinds(&said), [AlertKind::ConfigurationRate], "{:#?}", said.alerts);
    assert_eq!(said.alerts[0].configuration, "bare-metal");
}

#[test]
fn cells_that_lose_trials_are_in_the_ledger_with_reasons_and_days() {
    let shelf = Shelf::new();
    for night in 0..6 {
        shelf.night(night, |bench| {
            if [1, 4].contains(&night) {
                void(&mut bench.blocks[0].0, "boot: the guest did not come up");
            }
        });
    }
    let said = history(&shelf);
    let [flake] = said.flakes.as_slice() else { panic!("{:?}", said.flakes) };
    assert_eq!((flake.void, flake.n, flake.nights, flake.nights_played), (2_000, 12_000, 2, 6));
    let days = [1, 4].map(super::made_up::id_of_night);
    assert_eq!([flake.first.clone(), flake.last.clone()], days);
    assert_eq!(flake.reasons.values().sum::<u64>(), 2_000);
    // What happened before the shown nights is no longer news.
    let (_, json, _) = rig(&["history", "--nights", "1", "--format", "json"], shelf.folder());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["flakes"], serde_json::json!([]));
}

#[test]
fn a_call_that_lasts_longer_since_a_night_is_told_and_alerts_nobody() {
    let shelf = Shelf::new();
    for night in 0..24 {
        shelf.night(night, |bench| {
            for (block, _) in &mut bench.blocks {
                let mut call = rig_protocol::Histogram::default();
                (0..1_000).for_each(|i| call.record(if night >= 14 { 9_000 } else { 3_000 } + i));
                block.tally.latency.insert("call".into(), call);
            }
        });
    }
    let said = history(&shelf);
    assert!(said.alerts.is_empty() && said.latencies.len() == 2, "{:?}", said.latencies);
    assert!(said.latencies.iter().all(|step| step.since == super::made_up::id_of_night(14)));
}
