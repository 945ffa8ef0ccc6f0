//! A finished run of which one byte is not what was written: it is noticed, and the file is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use rig::record::{Layout, Reader, RecordError, Writer};
use tempfile::TempDir;

use crate::fixture::Bench;
use crate::recorded::folder;
use crate::scale::scale;

/// A finished run that has every kind of file, and their names.
struct Finished {
    _results: TempDir,
    dir: PathBuf,
    files: Vec<String>,
}

/// Changed and restored by one test at a time: each has its own.
fn finished() -> Finished {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::new("20261121-201950-1f3a", &[("bare-metal", "host"), ("virtio-tap", "6.1")]);
    bench.play_all();
    let mut writer = Writer::create(results.path(), &bench.record).expect("fresh");
    let dir = writer.dir().to_owned();
    for (place, (block, trials)) in bench.blocks.iter_mut().enumerate() {
        let (id, attempt) = (&block.id, block.attempt);
        // Guests, of which one talks to another.
        if block.target.accelerator != "none" {
            fs::write(dir.join(Layout::console(id, attempt)), "rig: ready 6.1\n").expect("logged");
            fs::write(dir.join(Layout::qmp(id, attempt)), "{\"kind\":\"note\"}\n").expect("logged");
            if place % 2 == 0 {
                let mut peer = block.target.clone();
                peer.console = Layout::peer_console(id, attempt);
                peer.qmp = Layout::peer_qmp(id, attempt);
                fs::write(dir.join(&peer.console), "rig: ready 6.1 too\n").expect("logged");
                fs::write(dir.join(&peer.qmp), "{}\n").expect("logged");
                block.peer = Some(peer);
            }
        }
        if place % 3 == 0 {
            block.captures = vec![Layout::target_capture(id, attempt)];
            writer.capture(&block.captures[0], b"packets").expect("written");
        }
        writer.block(block, trials).expect("written");
    }
    writer.end(None).expect("ended");
    let files = files_below(&dir);
    for folder in Layout::FOLDERS {
        assert!(files.iter().any(|file| file.starts_with(folder)), "there is a file in {folder}/");
    }
    Finished { _results: results, dir, files }
}

fn files_below(dir: &Path) -> Vec<String> {
    let mut files = vec![Layout::RUN.to_owned(), Layout::JOURNAL.to_owned()];
    for folder in Layout::FOLDERS {
        let Ok(entries) = fs::read_dir(dir.join(folder)) else { continue };
        for entry in entries {
            files.push(format!("{folder}/{}", entry.expect("readable").file_name().display()));
        }
    }
    files.sort();
    files
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Append(u8),
    Remove,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        6 => (any::<Index>(), 0..8_u8).prop_map(|(place, bit)| Damage::Flip(place, bit)),
        2 => any::<Index>().prop_map(Damage::Cut),
        1 => any::<u8>().prop_map(Damage::Append),
        1 => Just(Damage::Remove),
    ]
}

/// Damages a file for as long as it takes to open the run.
fn opened_with(dir: &Path, file: &str, damage: &Damage) -> Result<Vec<String>, RecordError> {
    let path = dir.join(file);
    let whole = fs::read(&path).expect("there");
    let mut bytes = whole.clone();
    match damage {
        Damage::Flip(place, bit) => bytes[place.index(whole.len())] ^= 1 << bit,
        Damage::Cut(place) => bytes.truncate(place.index(whole.len())),
        Damage::Append(byte) => bytes.push(*byte),
        Damage::Remove => {}
    }
    match damage {
        Damage::Remove => fs::remove_file(&path).expect("removed"),
        _ => fs::write(&path, &bytes).expect("changed"),
    }
    let opened = Reader::open(dir).map(|run| run.cautions);
    fs::write(&path, whole).expect("restored");
    opened
}

fn is_named(file: &str, opened: &Result<Vec<String>, RecordError>) -> bool {
    match opened {
        Ok(cautions) => cautions.iter().any(|caution| caution.contains(file)),
        Err(error) => error.to_string().contains(file),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scale(600, 20000), ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_any_file_is_noticed(file in any::<Index>(), damage in damage()) {
        static RUN: LazyLock<Finished> = LazyLock::new(finished);
        let file = file.get(&RUN.files);
        let opened = opened_with(&RUN.dir, file, &damage);
        prop_assert!(is_named(file, &opened), "{file}: {opened:?}");
    }

    /// Weighs as much as all others together above: the two files that everything rests on.
    #[test]
    fn any_change_of_the_run_or_its_journal_is_noticed(run in any::<bool>(), damage in damage()) {
        static RUN: LazyLock<Finished> = LazyLock::new(finished);
        let file = if run { Layout::RUN } else { Layout::JOURNAL };
        let opened = opened_with(&RUN.dir, file, &damage);
        prop_assert!(is_named(file, &opened), "{file}: {opened:?}");
    }

    /// Format 1 has digests of the blocks only; of the rest it is said that nothing can be noticed.
    #[test]
    fn any_change_of_a_block_of_format_1_is_noticed(file in any::<Index>(), damage in damage()) {
        static RUN: LazyLock<(TempDir, Vec<String>)> = LazyLock::new(|| {
            let copy = tempfile::tempdir().expect("a folder");
            let files = files_below(&folder("format-1"));
            for file in &files {
                let to = copy.path().join(file);
                fs::create_dir_all(to.parent().expect("a folder")).expect("made");
                fs::copy(folder("format-1").join(file), to).expect("copied");
            }
            (copy, files)
        });
        let (dir, files) = &*RUN;
        let file = file.get(files);
        let opened = opened_with(dir.path(), file, &damage);
        if file.starts_with(Layout::BLOCKS) {
            prop_assert!(is_named(file, &opened), "{file}: {opened:?}");
        } else {
            let place = file.split_inclusive('/').next().expect("a name");
            prop_assert!(is_named(place, &opened), "{file}: {opened:?}");
        }
    }
}

#[test]
fn what_is_unchanged_is_not_complained_of() {
    let run = finished();
    assert_eq!(Reader::open(&run.dir).expect("readable").cautions, Vec::<String>::new());
}

#[test]
fn a_run_of_format_1_says_once_what_cannot_be_noticed() {
    let run = Reader::open(&folder("format-1")).expect("readable");
    let [caution] = &run.cautions[..] else { panic!("{:?}", run.cautions) };
    for file in ["run.json", "journal.jsonl", "anomalies/", "capture/", "console/", "qmp/"] {
        assert!(caution.contains(file), "{caution}");
    }
    assert!(run.complete);
}

#[test]
fn the_sums_stand_where_a_file_beside_them_was_changed() {
    let run = finished();
    let blocks = Reader::open(&run.dir).expect("readable").blocks;
    let beside = run.files.iter().filter(|file| file.contains('/') && !file.starts_with(Layout::BLOCKS));
    for file in beside {
        fs::write(run.dir.join(file), "changed").expect("changed");
    }
    let opened = Reader::open(&run.dir).expect("readable");
    assert_eq!(opened.blocks, blocks);
    assert_eq!(opened.cautions.len(), run.files.len() - 2 - blocks.len());
    for caution in opened.cautions {
        assert!(caution.contains("is not the file that was written (SHA-256 differs)"), "{caution}");
        assert!(caution.ends_with("the counts remain"), "{caution}");
    }
}
