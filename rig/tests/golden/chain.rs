//! The journal's chain, computed anew from the raw text: what an outsider needs to check a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rig::record::format::{FORMAT, FORMAT_MINOR};
use rig::record::{Reader, RecordError, Writer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fixture::{Bench, sound};

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// As the head of `record/entry.rs` says it.
fn check_chain(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("journal.jsonl")).expect("text");
    let mut before = String::new();
    let mut entries = vec![];
    for line in text.split_inclusive('\n') {
        let own = format!("{}}}", &line[..line.len() - 78]);
        let digest = &line[line.len() - 67..line.len() - 3];
        assert_eq!(sha256(format!("{before}{own}").as_bytes()), digest, "{line}");
        let entry: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(entry["sha256"], digest);
        before = digest.to_owned();
        entries.push(entry);
    }
    entries
}

#[test]
fn an_outsider_can_compute_every_digest_of_a_run() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = Bench { complete: false, ..sound() }.write(results.path());
    // Gone on with: the chain goes on as well.
    let (mut writer, _, blocks) = Writer::resume(&dir).expect("it can go on");
    writer.end(None).expect("ended");
    let entries = check_chain(&dir);
    let of_kind = |kind: &str| entries.iter().filter(|entry| entry["entry"] == kind).collect::<Vec<_>>();
    let run = sha256(&fs::read(dir.join("run.json")).expect("there"));
    assert_eq!(of_kind("started").len(), 2);
    for started in of_kind("started") {
        assert_eq!(
            (started["format"].as_u64(), started["format_minor"].as_u64()),
            (Some(FORMAT.into()), Some(FORMAT_MINOR.into()))
        );
        assert_eq!(started["run_sha256"], run.as_str());
    }
    assert_eq!(of_kind("block").len(), blocks.len());
    let mut kept = 0;
    for block in of_kind("block") {
        let files: BTreeMap<String, String> = serde_json::from_value(block["files"].clone()).expect("a map");
        kept += files.keys().filter(|name| name.starts_with("anomalies/")).count();
        for (name, digest) in files {
            assert_eq!(sha256(&fs::read(dir.join(&name)).expect("there")), digest, "{name}");
        }
    }
    assert!(kept > 0, "some trials were kept whole");
}

#[test]
fn a_line_that_was_taken_out_doubled_or_moved_is_noticed() {
    let results = tempfile::tempdir().expect("a folder");
    let bench = sound();
    let dir = bench.write(results.path());
    let journal = dir.join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("text");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let without = [&lines[..4], &lines[5..]].concat();
    let doubled = [&lines[..5], &lines[4..]].concat();
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    for (name, lines, number, lost) in
        [("without", without, 5, 2), ("doubled", doubled, 6, 0), ("swapped", swapped, 5, 3)]
    {
        fs::write(&journal, lines.concat()).expect("changed");
        let run = Reader::open(&dir).expect(name);
        let words = format!("line {number} of journal.jsonl was changed, or follows a line that was");
        assert!(run.cautions.iter().any(|caution| caution.starts_with(&words)), "{name}: {:?}", run.cautions);
        assert_eq!(run.blocks.len(), bench.blocks.len() - lost, "{name}");
    }
}

#[test]
fn every_changed_byte_of_a_line_names_it_also_in_the_last_one() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::new("20261121-201950-1f3a", &[("bare-metal", "host")]);
    bench.play_all();
    bench.blocks.truncate(2);
    let dir = bench.write(results.path());
    let journal = dir.join("journal.jsonl");
    let whole = fs::read(&journal).expect("there");
    let mut line = 1;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&journal, &bytes).expect("changed");
        let run = Reader::open(&dir).expect("readable");
        let named = |caution: &String| {
            caution.starts_with(&format!("line {line} of journal.jsonl "))
                || caution.starts_with(&format!("the last line of journal.jsonl ({line}) "))
        };
        assert!(run.cautions.iter().any(named), "byte {place} of line {line}: {:?}", run.cautions);
        if whole[place] == b'\n' {
            line += 1;
        }
    }
    assert_eq!(line, 5, "started, two blocks, ended");
}

#[test]
fn a_run_is_not_gone_on_with_under_another_run_file() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = Bench { complete: false, ..sound() }.write(results.path());
    let run = dir.join("run.json");
    let text = fs::read_to_string(&run).expect("text");
    fs::write(&run, text.replace("\"margin\": 0.", "\"margin\": 0.9")).expect("changed");
    assert_ne!(fs::read_to_string(&run).expect("text"), text, "the margin was replaced");
    let before = fs::read(dir.join("journal.jsonl")).expect("there");
    for error in
        [Writer::resume(&dir).expect_err("changed"), Reader::open_to_resume(&dir).expect_err("changed")]
    {
        let RecordError::Damaged { path, reason } = &error else { panic!("{error}") };
        assert!(path.ends_with("run.json") && reason.contains("SHA-256 differs"), "{error}");
        assert!(error.blames_the_input());
    }
    assert_eq!(fs::read(dir.join("journal.jsonl")).expect("there"), before, "nothing was written");
    let cautions = Reader::open(&dir).expect("it can be read").cautions;
    assert!(cautions[0].starts_with("run.json is not the file that was written"), "{cautions:?}");
    fs::write(&run, text).expect("as it was");
    assert_eq!(Reader::open_to_resume(&dir).expect("whole again").id, "20261121-201950-1f3a");
}
