//! The page of a history: accessible in every view, of one piece, no wider than its window; the step is in the first things that are read.

use std::path::{Path, PathBuf};

use fs_err as fs;
use rig::history::model::{
    AlertKind, FactChange, Flake, HISTORY_FORMAT, HISTORY_FORMAT_MINOR, History, HistoryAlert, NightSummary,
    Point, Series, StepSummary, WatchedSummary,
};
use rig::report::HistoryFormat;

use crate::accessible::{accessible_closed_and_open, fits_and_fetches_nothing};
use crate::browser::{Browser, View};

/// The night of the step, from 0.
const SINCE: usize = 21;

fn run(night: usize) -> String {
    format!("202606{:02}-020000-0000000{}", night + 1, night % 10)
}

fn changes() -> Vec<FactChange> {
    let of = |what: &str, before: &str, after: &str| FactChange {
        what: what.into(),
        before: before.into(),
        after: after.into(),
    };
    vec![
        of("kernel 6.1", "linux-image-6.1.0-44 6.1.190-1", "linux-image-6.1.0-45 6.1.192-1"),
        of("QEMU", "7.2.21", "7.2.22"),
    ]
}

fn series(cell: &str, what: &str, step: bool) -> Series {
    let nights = (0..30).map(|night| {
        let count =
            if step && night >= SINCE { 4 + night as u64 % 3 } else { u64::from(!step && night % 7 == 3) };
        let share = count as f64 / 3_000.0;
        Point {
            run: run(night),
            count,
            n: 3_000,
            low: share * 0.3,
            high: share * 1.9 + 0.001,
            icc: 0.001,
            cusum: Some(count as f64),
        }
    });
    let mark = |night: usize| match (step, night) {
        (true, SINCE..) => 'X',
        (false, night) if night % 7 == 3 => 'o',
        _ => '.',
    };
    Series {
        cell: cell.into(),
        machine: "1f3a09c4".into(),
        rehearsed: false,
        scenario: "reset-after-data".into(),
        parameters: [("client_delay".to_owned(), "uniform(0ms, 15ms)".to_owned())].into(),
        configuration: "virtio-vhost-mq".into(),
        kernel: "6.1".into(),
        path: "forged-before-next".into(),
        what: what.into(),
        strip: (10..30).map(mark).collect(),
        nights: nights.collect(),
        nights_played: 30,
        count: if step { 45 } else { 4 },
        n: 90_000,
        step: step.then(|| StepSummary {
            since: run(SINCE),
            alarm: run(SINCE + 1),
            until: None,
            count_before: 0,
            n_before: 63_000,
            count_since: 45,
            n_since: 27_000,
            nights_since_alarm: 7,
        }),
    }
}

fn history() -> History {
    let nights = (0..30).map(|night| NightSummary {
        run: run(night),
        started: String::new(),
        machine: "1f3a09c4".into(),
        rehearsed: false,
        profile: "nightly".into(),
        shard: String::new(),
        complete: night != 12,
        cells: 500,
        trials: 1_500_000,
        void: 1_000,
        changes: if night == SINCE { changes() } else { Vec::new() },
    });
    let alert = HistoryAlert {
        kind: AlertKind::Worse,
        key: "worse:x".into(),
        machine: "1f3a09c4".into(),
        rehearsed: false,
        cell: "0a1b2c3d4e5f".into(),
        scenario: "reset-after-data".into(),
        configuration: "virtio-vhost-mq".into(),
        kernel: "6.1".into(),
        path: "forged-before-next".into(),
        what: "EBADF".into(),
        since: run(SINCE),
        night: run(SINCE + 1),
        is_new: false,
        words: format!(
            "EBADF got worse: 0 of 63,000 (0 %) before, 45 of 27,000 (0.17 %) since {}",
            run(SINCE)
        ),
        changes: changes(),
        known: None,
    };
    let flake = Flake {
        cell: "5f4e3d2c1b0a".into(),
        machine: "1f3a09c4".into(),
        rehearsed: false,
        scenario: "silent".into(),
        configuration: "virtio-pair".into(),
        kernel: "6.12".into(),
        path: "direct".into(),
        void: 9_000,
        n: 90_000,
        share: 0.1,
        nights: 9,
        nights_played: 30,
        reasons: [("block: the guest did not come up".to_owned(), 9_000)].into(),
        first: run(2),
        last: run(28),
    };
    History {
        format: HISTORY_FORMAT,
        format_minor: HISTORY_FORMAT_MINOR,
        nights_known: 30,
        nights: nights.collect(),
        watched: WatchedSummary {
            series: 2_000,
            nights_per_year: 365,
            false_alarms_per_year: 1,
            evidence: 730_000.0,
        },
        alerts: vec![alert],
        series: vec![
            series("0a1b2c3d4e5f", "EBADF", true),
            series("0a1b2c3d4e60", "ENOENT", false),
            series("0a1b2c3d4e61", "outcome", false),
        ],
        flakes: vec![flake],
        latencies: Vec::new(),
        answer: vec![
            "1 of 2,000 series got worse, over 30 nights:".into(),
            format!(
                "EBADF of reset-after-data on virtio-vhost-mq 6.1: 0 of 63,000 before, 45 of 27,000 since {}",
                run(SINCE)
            ),
        ],
        cautions: vec!["a run cannot be read, and is in no figure".into()],
    }
}

fn page(folder: &Path, open: bool) -> PathBuf {
    let text = HistoryFormat::HTML.render(&history());
    let text = if open { text.replace("<details", "<details open") } else { text };
    let path = folder.join("history.html");
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn axe_finds_nothing_closed_or_open() {
    accessible_closed_and_open(page);
}

#[test]
fn it_fits_a_phone_and_a_desk_and_fetches_nothing() {
    fits_and_fetches_nothing(page);
}

/// Whoever opens the page sees which series, since which night, and the curve of it, before anything else.
#[test]
fn the_step_is_on_the_first_screens() {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = page(folder.path(), false);
    let mut tab = browser.start();
    for scripts in [true, false] {
        tab.show(&page, View { width: 1440, scripts, ..View::default() });
        let top = |selector: &str| {
            let asked = format!("document.querySelector('{selector}').getBoundingClientRect().top");
            tab_number(&tab.evaluate(&asked))
        };
        let mut top = top;
        assert!(top("#answer") < 500.0);
        assert!(top("#trends svg") < 1_200.0, "{}", top("#trends svg"));
        if let Some(folder) = std::env::var_os("RIG_PICTURES") {
            let name = format!("history{}.png", if scripts { "" } else { "-no-scripts" });
            fs::write(Path::new(&folder).join(name), tab.screenshot()).expect("the folder is there");
        }
        let drawn = tab.evaluate("document.querySelectorAll('#trends figure:first-of-type .c-dot').length");
        assert_eq!(drawn, 30, "a mark for each night");
    }
}

fn tab_number(value: &serde_json::Value) -> f64 {
    value.as_f64().expect("pixels")
}
