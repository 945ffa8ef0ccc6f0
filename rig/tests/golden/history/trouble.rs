//! What can be wrong with a folder of nights and its database: each is named, nothing is lost, nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fs_err as fs;
use rig::campaign::{Nights, Watched, watch_nights};
use rig::history::model::{History, Series};
use rig::history::{Database, FILE, HistoryError};
use rig::record::format::{BlockId, Shard as Part};
use rig::record::{Layout, Together, export, merge};
use rusqlite::Connection;

use super::made_up::{BLOCKS, Shelf, bench, hit, id_of_night};
use crate::fixture::BLOCK;
use crate::merged::{PLAN, shard};
use crate::reports::rig;

fn watched(shelf: &Shelf) -> Watched {
    watch_nights(&shelf.results(), &Nights::default()).expect("a history")
}

/// Trials over all series of EBADF.
fn trials(history: &History) -> u64 {
    history.series.iter().filter(|series| series.what == "EBADF").map(|series| series.n).sum()
}

const OF_A_NIGHT: u64 = 2 * BLOCKS as u64 * BLOCK;

#[test]
fn only_what_is_new_is_read_and_what_is_gone_is_forgotten() {
    let shelf = Shelf::new();
    (0..3).for_each(|night| drop(shelf.night(night, |_| {})));
    let first = watched(&shelf);
    assert_eq!(first.refreshed.read, [0, 1, 2].map(id_of_night));
    assert_eq!(trials(&first.history), 3 * OF_A_NIGHT);
    let again = watched(&shelf);
    assert_eq!((again.refreshed.read.len(), again.history == first.history), (0, true));
    shelf.night(3, |bench| hit(bench, 0, 3));
    fs::remove_dir_all(shelf.results().join(id_of_night(0))).expect("it goes");
    let later = watched(&shelf);
    assert_eq!(
        (later.refreshed.read, later.refreshed.forgotten),
        (vec![id_of_night(3)], vec![id_of_night(0)])
    );
    assert_eq!((later.history.nights_known, trials(&later.history)), (3, 3 * OF_A_NIGHT));
    // Made anew it is the same; and a run that is another one under the same name is read again.
    let wanted = Nights { rebuild: true, ..Nights::default() };
    let rebuilt = watch_nights(&shelf.results(), &wanted).expect("a history");
    assert_eq!((rebuilt.refreshed.read.len(), rebuilt.history == later.history), (3, true));
    fs::remove_dir_all(shelf.results().join(id_of_night(3))).expect("it goes");
    shelf.night(3, |bench| hit(bench, 0, 4));
    let other = watched(&shelf);
    assert_eq!(other.refreshed.read, [id_of_night(3)]);
    assert_eq!(other.history.series.iter().map(|series| series.count).max(), Some(4));
    let names = shelf.names();
    assert!(names.iter().all(|name| name == FILE || name.starts_with("2026")), "{names:?}");
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_what_to_do() {
    let shelf = Shelf::new();
    shelf.night(0, |_| {});
    let file = shelf.results().join(FILE);
    let refused = |wanted: &[&str]| {
        let (code, _, error) = rig(&["history"], shelf.folder());
        let plain = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 2 && wanted.iter().all(|part| plain.contains(part)), "{wanted:?}: {error}");
        let (code, text, error) = rig(&["history", "--rebuild"], shelf.folder());
        assert!(code == 0 && text.contains("nothing got worse"), "{error}");
    };
    watched(&shelf);
    Connection::open(&file).expect("it opens").pragma_update(None, "user_version", 99).expect("written");
    assert!(matches!(Database::open(&shelf.results()), Err(HistoryError::Newer { found: 99, known: 1, .. })));
    refused(&["has version 99 of the history", "--rebuild"]);
    fs::write(&file, "no database at all, but long enough to be taken for one: ".repeat(40))
        .expect("written");
    refused(&["history.sqlite is damaged", "--rebuild"]);
    let whole = fs::read(&file).expect("read");
    let cut: Vec<u8> =
        whole.iter().enumerate().map(|(at, byte)| if at > 4_096 { 0xff } else { *byte }).collect();
    fs::write(&file, cut).expect("written");
    refused(&["history.sqlite is damaged", "--rebuild"]);
    fs::remove_file(&file).expect("it goes");
    Connection::open(&file).expect("made").execute_batch("CREATE TABLE other (x)").expect("a table");
    refused(&["it is a database of another program", "--rebuild"]);
    let (code, _, error) = rig(&["history", "--results", "nowhere"], shelf.folder());
    assert!(code == 2 && error.contains("there is no folder nowhere"), "{error}");
}

#[test]
fn two_at_once_take_every_night_in_once() {
    let shelf = Shelf::new();
    (0..4).for_each(|night| drop(shelf.night(night, |_| {})));
    let results = shelf.results();
    let both: Vec<History> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| watch_nights(&results, &Nights::default()).expect("it waits").history))
            .collect();
        begun.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    for history in both {
        assert_eq!((history.nights_known, trials(&history)), (4, 4 * OF_A_NIGHT));
    }
    let runs: i64 = Connection::open(results.join(FILE))
        .expect("it opens")
        .query_row("SELECT count(*) FROM run", [], |row| row.get(0))
        .expect("a number");
    assert_eq!(runs, 4);
}

#[test]
fn what_lies_in_the_folder_twice_counts_once() {
    let shelf = Shelf::new();
    // Two shards of one night, each with one cell, and the run that they were joined to.
    let whole = bench(0, 2);
    for shard in 0..2_u32 {
        let mut part = bench(0, 2);
        part.record.id = format!("{}-{shard}", id_of_night(0));
        let cell = part.record.cells[shard as usize].cell.id.clone();
        part.record.shard = Some(Part { index: shard + 1, of: 2 });
        part.record.cells.retain(|record| record.cell.id == cell);
        part.record.blocks.retain(|block| block.cell == cell);
        part.blocks.retain(|(block, _)| block.cell == cell);
        for block in &mut part.record.blocks {
            block.id = BlockId::of(&cell, Some(shard + 1), block.index);
        }
        for (at, (block, _)) in part.blocks.iter_mut().enumerate() {
            block.id = BlockId::of(&cell, Some(shard + 1), at as u32);
            block.target.console = Layout::console(&block.id, 1);
            block.target.qmp = Layout::qmp(&block.id, 1);
        }
        shelf.write(&part);
    }
    let shards = watched(&shelf).history;
    assert_eq!((shards.nights_known, trials(&shards)), (2, OF_A_NIGHT), "{:?}", shards.cautions);
    let dir = shelf.write(&whole);
    let joined = watched(&shelf).history;
    assert_eq!((joined.nights_known, trials(&joined)), (1, OF_A_NIGHT), "{:?}", joined.cautions);
    // The same run as a file beside its folder, and then without it.
    export(&dir, &shelf.results().join("carried.tar.gz")).expect("written");
    assert_eq!(trials(&watched(&shelf).history), OF_A_NIGHT);
    fs::remove_dir_all(&dir).expect("it goes");
    let packed = watched(&shelf).history;
    assert_eq!((packed.nights_known, trials(&packed)), (1, OF_A_NIGHT));
    assert_eq!(packed.nights[0].run, id_of_night(0));
}

/// Trials of each thing that is watched, by machine and cell.
fn of_series(history: &History) -> BTreeMap<(String, String, String), u64> {
    let key = |one: &Series| (one.machine.clone(), one.cell.clone(), one.what.clone());
    history.series.iter().map(|one| (key(one), one.n)).collect()
}

#[test]
fn shards_of_two_machines_are_the_same_series_when_they_are_joined() {
    let shelf = Shelf::new();
    let mut dirs = Vec::new();
    for (index, machine) in [(1, "aa"), (2, "bb"), (3, "aa")] {
        let mut part = shard(index, 7, machine, PLAN);
        for (at, (block, _)) in part.blocks.iter_mut().enumerate() {
            block.started = format!("2026-11-21T20:2{index}:{at:02}.000Z");
        }
        dirs.push(shelf.write(&part));
    }
    let apart = watched(&shelf).history;
    let machines: BTreeSet<&str> = apart.series.iter().map(|one| one.machine.as_str()).collect();
    assert_eq!((apart.nights_known, machines), (3, ["aa", "bb"].into()));
    merge(&dirs, Together::Shards, None, &shelf.results()).unwrap_or_else(|error| panic!("{error}"));
    let joined = watched(&shelf).history;
    assert_eq!(of_series(&joined), of_series(&apart), "{:?}", joined.cautions);
    assert_eq!(joined.nights_known, 2, "one of each machine");
    // Without the shards it still says the same.
    dirs.iter().for_each(|dir| fs::remove_dir_all(dir).expect("it goes"));
    assert_eq!(of_series(&watched(&shelf).history), of_series(&apart));
}

#[test]
fn rehearsals_and_other_machines_are_series_of_their_own() {
    let shelf = Shelf::new();
    (0..3)
        .for_each(|night| drop(shelf.night(night, |bench| bench.record.environment.rehearsed = night == 1)));
    let two = watched(&shelf).history;
    assert_eq!(two.watched.series, 16);
    let played: Vec<(bool, u64)> = two
        .series
        .iter()
        .filter(|one| one.what == "EBADF")
        .map(|one| (one.rehearsed, one.nights_played))
        .collect();
    assert_eq!(played, [(false, 2), (false, 2), (true, 1), (true, 1)]);
    // A record of a rig that names the machine.
    say_machine(&shelf.results().join(id_of_night(2)));
    let three = watched(&shelf).history;
    assert_eq!((three.watched.series, three.nights[2].machine.as_str()), (24, "b0b0b0b0"));
}

/// Writes `environment.machine` into a `run.json`.
fn say_machine(run: &Path) {
    let file = run.join(Layout::RUN);
    let mut record: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
    record["environment"]["machine"] = "b0b0b0b0".into();
    fs::write(&file, record.to_string()).expect("written");
}

#[test]
fn what_cannot_be_read_is_named_and_in_no_figure() {
    let shelf = Shelf::new();
    (0..3).for_each(|night| drop(shelf.night(night, |_| {})));
    watched(&shelf);
    fs::write(shelf.results().join(id_of_night(1)).join(Layout::RUN), "{").expect("written");
    fs::write(shelf.results().join("half.tar.gz"), b"\x1f\x8bnot a run").expect("written");
    let Watched { history, refreshed, .. } = watched(&shelf);
    assert_eq!((history.nights_known, trials(&history)), (2, 2 * OF_A_NIGHT));
    assert_eq!(refreshed.forgotten, [id_of_night(1)]);
    for (place, caution) in [id_of_night(1), "half.tar.gz".to_owned()].iter().zip(&history.cautions) {
        assert!(caution.starts_with(&format!("{place} cannot be read, and is in no figure: ")), "{caution}");
    }
    assert_eq!(history.cautions.len(), 2, "{:?}", history.cautions);
}

#[test]
fn a_clock_that_was_put_back_is_named_and_nights_stand_in_the_order_of_their_beginning() {
    let shelf = Shelf::new();
    shelf.night(0, |_| {});
    shelf.night(1, |bench| bench.record.started = "2026-06-01T02:00:30.000Z".into());
    let history = watched(&shelf).history;
    assert_eq!(
        history.nights.iter().map(|night| night.run.clone()).collect::<Vec<_>>(),
        [0, 1].map(id_of_night)
    );
    assert!(
        history.cautions.iter().any(|caution| caution.contains("the clock was put back")),
        "{:?}",
        history.cautions
    );
}
