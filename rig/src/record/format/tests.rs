//! Files of other versions: what is known of them is read, and nothing of it is lost.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

fn files(folder: &str) -> Vec<PathBuf> {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs/format-1");
    let entries = fs::read_dir(run.join(folder)).expect("the folder is there");
    let files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_file()).collect();
    assert!(!files.is_empty());
    files
}

fn tree(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// What is in a tree and not the same in another, as paths with their values.
fn lost(old: &Value, new: &Value, place: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                match new.get(key) {
                    Some(other) => lost(value, other, &format!("{place}/{key}"), found),
                    None => found.push(format!("{place}/{key}: {value}")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let pairs = old.iter().zip(new).enumerate();
            pairs.for_each(|(index, (old, new))| lost(old, new, &format!("{place}/{index}"), found));
        }
        (old, new) if old == new => {}
        (old, new) => found.push(format!("{place}: {old} became {new}")),
    }
}

/// A tree in which the numbers of errnos and states have their names, where there are any: an upgrade leaves the naming to the reader.
fn named(tree: &Value) -> Value {
    let word = |text: &str| match (words::errno_of(text), words::state_of(text)) {
        (Ok(errno), _) => words::errno_word(errno),
        (_, Ok(state)) => words::state_word(state),
        _ => text.to_owned(),
    };
    match tree {
        Value::String(text) => word(text).into(),
        Value::Array(all) => all.iter().map(named).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (word(key), named(value))).collect(),
        other => other.clone(),
    }
}

fn assert_kept(old: &Value, new: &impl Serialize, what: &Path) {
    let mut found = Vec::new();
    lost(&named(old), &serde_json::to_value(new).expect("plain data"), "", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{}", what.display());
}

#[test]
fn nothing_of_a_run_of_format_1_is_lost_in_its_upgrade() {
    let [run, journal] = ["run.json", "journal.jsonl"]
        .map(|name| files(".").into_iter().find(|path| path.ends_with(name)).expect("there"));
    assert!(journal.exists());
    let text = fs::read_to_string(&run).expect("text");
    let read = read_run(text.as_bytes()).expect("it is read");
    assert_eq!((read.version, read.strange), (Version { major: 1, minor: 0 }, vec![]));
    assert_kept(&upgrade::run(tree(&text)).expect("of format 1"), &read.record, &run);
    for path in files("blocks") {
        let text = fs::read_to_string(&path).expect("text");
        let (block, version) = read_block(text.as_bytes()).expect("it is read");
        assert_eq!(version.major, 1);
        assert_kept(&upgrade::block(tree(&text)).expect("of format 1"), &block, &path);
    }
    for path in files("anomalies") {
        let mut lines = TrialLines::default();
        for line in fs::read_to_string(&path).expect("text").lines() {
            let trial = lines.read(line.as_bytes()).expect("it is read").expect("no head in format 1");
            assert_kept(&upgrade::trial(tree(line)).expect("of format 1"), &KeptTrial::from(&trial), &path);
        }
    }
}

/// `run.json` of the fixture in the present format.
fn present() -> Value {
    let run = files(".").into_iter().find(|path| path.ends_with("run.json")).expect("there");
    serde_json::to_value(read_run(&fs::read(run).expect("readable")).expect("read").record)
        .expect("plain data")
}

fn read(run: &Value) -> Result<ReadRun, Unreadable> {
    read_run(run.to_string().as_bytes())
}

#[test]
fn a_newer_minor_version_is_read_without_the_cells_that_nobody_here_understands() {
    let mut run = present();
    let whole = read(&run).expect("the present version");
    run["format_minor"] = json!(FORMAT_MINOR + 1);
    run["phase_of_the_moon"] = json!("full");
    run["cells"][0]["colour"] = json!("blue");
    let newer = read(&run).expect("fields that are not known are passed over");
    assert_eq!((&newer.record.cells, &newer.strange), (&whole.record.cells, &vec![]));
    assert!(newer.version.is_newer());

    run["cells"][0]["script"]["lanes"][0]["steps"][0]["operation"] = json!("levitate");
    let newer = read(&run).expect("the others are understood");
    assert_eq!(newer.record.cells, whole.record.cells[1..]);
    let gone = &whole.record.cells[0].cell.id;
    assert!(whole.record.blocks.iter().any(|block| block.cell == *gone));
    assert!(newer.record.blocks.iter().all(|block| block.cell != *gone), "nor its blocks");
    assert!(
        matches!(newer.strange.as_slice(), [one] if one.what.contains("levitate")),
        "{:?}",
        newer.strange
    );

    run["format_minor"] = json!(FORMAT_MINOR);
    assert!(matches!(read(&run), Err(Unreadable::Malformed(what)) if what.contains("levitate")));
}

#[test]
fn what_is_missing_has_its_default_and_a_newer_major_version_is_refused() {
    let mut run = present();
    for optional in
        ["seed", "profile", "matrix", "judgement", "conduct", "environment", "images", "format_minor"]
    {
        run.as_object_mut().expect("an object").remove(optional);
    }
    let read_back = read(&run).expect("all of these have defaults").record;
    assert_eq!((read_back.seed, read_back.judgement), (0, Judgement::default()));
    run["format"] = json!(FORMAT + 1);
    let refused = read(&run).expect_err("not ours").to_string();
    assert!(refused.contains(&format!("format {}.0", FORMAT + 1)), "{refused}");
    assert!(refused.contains(&format!("reads format {}", Version::WRITTEN)), "{refused}");
}

#[test]
fn a_block_needs_to_say_whose_it_is_and_how_it_ended_and_no_more() {
    let least = json!({"format": 2, "format_minor": FORMAT_MINOR, "id": "a-0", "cell": "a", "attempt": 1, "status": "complete"});
    let (block, _) = read_block(least.to_string().as_bytes()).expect("all else has defaults");
    assert_eq!(block, BlockRecord::new(BlockId("a-0".into()), crate::matrix::CellId("a".into()), 1));
    for needed in ["id", "cell", "attempt", "status"] {
        let mut block = least.clone();
        block.as_object_mut().expect("an object").remove(needed);
        assert!(read_block(block.to_string().as_bytes()).is_err(), "{needed}");
    }
}

#[test]
fn trials_are_read_behind_their_head() {
    let id = BlockId("a-0".into());
    let text = String::from_utf8(write_trials(&id, 2, &[])).expect("text");
    assert_eq!(tree(&text)["block"], "a-0");
    let mut lines = TrialLines::default();
    assert_eq!(lines.read(text.as_bytes()), Ok(None));
    let trial = json!({"trial": 4, "outcome": "EBADF"}).to_string();
    assert_eq!(lines.read(trial.as_bytes()).expect("read").map(|trial| trial.descriptor), Some(-1));
}
