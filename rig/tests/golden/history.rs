//! Many nights: made-up runs by the real writer, read back as one history; what got worse is told at the night that an independent recursion gives.

#[path = "history/independent.rs"]
mod independent;
#[path = "history/made_up.rs"]
mod made_up;
#[path = "history/notices.rs"]
mod notices;
#[path = "history/rules.rs"]
mod rules;
#[path = "history/trouble.rs"]
mod trouble;

use rig::campaign::{Nights, watch_nights};
use rig::history::Asked;
use rig::history::model::{AlertKind, History};
use rig::report::{FileSchema, HistoryFormat};
use serde_json::Value as Json;

use crate::reports::rig;
use crate::schema::Checker;
use independent::{Found, first_alarm};
use made_up::{Shelf, clustered, id_of_night, sixty};

/// What all nights of a folder say.
fn history(shelf: &Shelf) -> History {
    watch_nights(&shelf.results(), &Nights::default()).expect("a history").history
}

/// 60 nights, 21 cells with two blocks each: twenty are noisy and do not change, one rises.
#[test]
fn of_twenty_noisy_series_and_one_that_rises_exactly_that_one_alerts_at_the_right_night() {
    let (shelf, worse) = sixty();
    let said = history(&shelf);
    let alerts: Vec<(&str, &str)> =
        said.alerts.iter().map(|alert| (alert.cell.as_str(), alert.what.as_str())).collect();
    assert_eq!(alerts, [(worse.as_str(), "EBADF")], "{:#?}", said.alerts);
    let alert = &said.alerts[0];
    assert_eq!(alert.kind, AlertKind::Worse);
    // 21 cells, of each EBADF, ENOENT, any error and unexpected outcomes.
    assert_eq!(said.watched.series, 84);
    let ln_limit = (84.0 * 365.0_f64).ln();
    let Found { alarm, since } = first_alarm(&shelf.counts(&worse), ln_limit).expect("it rises");
    assert_eq!(
        (alert.night.as_str(), alert.since.as_str()),
        (id_of_night(alarm).as_str(), id_of_night(since).as_str())
    );
    // It finds nothing in others either: the first, and the noisiest.
    let cells = shelf.cells();
    for cell in [&cells[0], &cells[20]] {
        assert_eq!(first_alarm(&shelf.counts(cell), ln_limit), None, "{cell}");
    }
    let step = said.series.iter().find_map(|series| series.step.as_ref()).expect("one");
    assert_eq!(
        (step.since.as_str(), step.until.as_ref(), step.count_before),
        (alert.since.as_str(), None, 0)
    );
    // What changed with the night is told beside it.
    assert_eq!(alert.changes.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(), ["the host's kernel"]);
    let told = said.answer.join("\n");
    assert!(told.contains("1 of 84 series got worse, over 60 nights"), "{told}");
    assert!(
        told.contains(&format!("since {}", alert.since))
            && told.contains("with that night changed the host's kernel"),
        "{told}"
    );

    // In the night before nobody knew; and the command says so with its exit code.
    let before = id_of_night(alarm - 1);
    let (code, text, error) = rig(&["history", &before], shelf.folder());
    assert_eq!((code, error.as_str()), (0, ""), "{text}");
    assert!(text.contains(&format!("nothing got worse: 84 series over {alarm} nights")), "{text}");
    let (code, text, _) = rig(&["history"], shelf.folder());
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("xX") || text.contains("XX"), "{text}");
    assert!(text.contains("The answer"), "{text}");
    let (code, json, _) = rig(&["history", "--format", "json", "--rebuild"], shelf.folder());
    assert_eq!(code, 5);
    let rendered = HistoryFormat::from_name("json").expect("one").render(&said);
    assert!(json == rendered, "rebuilt it says the same");

    // One cell alone is judged by the budget of all.
    let (code, json, _) = rig(&["history", &worse, "--format", "json"], shelf.folder());
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (code, json["watched"]["series"].as_u64(), json["series"].as_array().map(Vec::len)),
        (5, Some(84), Some(4))
    );
    let quiet = shelf.cells().into_iter().find(|cell| *cell != worse).expect("twenty");
    assert_eq!(rig(&["history", &quiet], shelf.folder()).0, 0);
    let (code, _, error) = rig(&["history", "configuration=virtio-*"], shelf.folder());
    assert!(code == 2 && error.contains("no night has"), "{error}");
}

#[test]
fn every_format_says_the_same_and_the_page_needs_nothing_else() {
    let shelf = Shelf::new();
    (0..12).for_each(|night| {
        shelf.night(night, |bench| {
            let hits = if night >= 8 { 9 } else { 0 };
            made_up::hit(bench, 0, hits);
        });
    });
    let said = history(&shelf);
    let (code, written, error) =
        rig(&["history", "--format", "text,html,json", "--output", "out"], shelf.folder());
    assert_eq!((code, written.lines().count(), error.as_str()), (5, 3, ""));
    let of = |name: &str| fs_err::read_to_string(shelf.folder().join("out").join(name)).expect("written");
    assert_eq!(of("history.json"), HistoryFormat::from_name("json").expect("one").render(&said));
    let page = of("history.html");
    for part in [
        "Something asks for attention",
        "worse since 20260609-020000-00000008",
        "<svg",
        "Night by night",
        "CUSUM",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    assert!(!page.contains("src=\"http"), "nothing is fetched");
    let (code, _, error) = rig(&["history", "--format", "text,json"], shelf.folder());
    assert!(code == 2 && error.contains("--output"), "{error}");
    let schema = FileSchema::from_name("history").expect("it has one").schema();
    Checker::new(&schema, "history").check(&serde_json::to_value(&said).expect("plain data"), "a history");
}

/// A draw of a block whose trials share one chance is as often hit, and more often in clusters, than trials by themselves.
#[test]
fn noise_is_clustered_as_it_is_made() {
    let mut draws = made_up::draws(9);
    let blocks: Vec<u64> = (0..4_000).map(|_| clustered(&mut draws, 0.01, 0.005)).collect();
    let mean = blocks.iter().sum::<u64>() as f64 / 4_000.0;
    let variance = blocks.iter().map(|hits| (*hits as f64 - mean).powi(2)).sum::<f64>() / 3_999.0;
    assert!((mean - 10.0).abs() < 0.4, "{mean}");
    // n p (1 - p) (1 + 999 * 0.005) = 59.4
    assert!((variance / 59.4 - 1.0).abs() < 0.15, "{variance}");
    assert_eq!(Asked::default().nights, 20);
}
