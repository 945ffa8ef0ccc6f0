//! A run as one file: written, carried, opened again; and files that are none.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use miette::Diagnostic as _;
use rig::record::{Reader, RecordError, Writer, export, find};

use crate::audited::agrees;
use crate::fixture::{Bench, sound};
use crate::reports::rig;

/// A run in `results/`, with packets.
fn written(folder: &Path) -> std::path::PathBuf {
    let bench = sound();
    let dir = bench.write(&folder.join("results"));
    fs::write(dir.join("report.txt"), "rendered").expect("written");
    dir
}

fn unpacked_by_tar(file: &Path, into: &Path) {
    fs::create_dir(into).expect("made");
    let tar = Command::new("tar").arg("xzf").arg(file).current_dir(into).status().expect("tar starts");
    assert!(tar.success());
}

#[test]
fn a_run_travels_as_one_file_and_every_command_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = written(folder.path());
    let file = folder.path().join("run.tar.gz");
    let (code, said, _) = rig(&["results", "export"], folder.path());
    assert_eq!(code, 0);
    assert!(said.starts_with("run.tar.gz (") && said.contains("`rig report run.tar.gz` reads it"), "{said}");
    // The same bytes, whenever and wherever.
    export(&dir, &folder.path().join("again.tar.gz")).expect("written");
    assert_eq!(fs::read(&file).expect("there"), fs::read(folder.path().join("again.tar.gz")).expect("there"));
    // A file of a file, too.
    let (code, ..) = rig(&["results", "export", "run.tar.gz", "--output", "third.tar.gz"], folder.path());
    assert_eq!(code, 0);
    assert_eq!(fs::read(&file).expect("there"), fs::read(folder.path().join("third.tar.gz")).expect("there"));

    let found = find(Path::new("nowhere"), file.to_str().expect("UTF-8")).expect("it is read");
    assert_eq!(found.shown(), file);
    assert!(!found.is_page() && found.is_unpacked());
    let (before, after) = (Reader::open(&dir).expect("a run"), Reader::open(found.dir()).expect("a run"));
    assert_eq!(before.record, after.record);
    assert_eq!(before.blocks, after.blocks);
    assert_eq!(after.cautions, Vec::<String>::new());
    agrees(found.dir());
    assert!(!found.dir().join("report.txt").exists(), "what was rendered stays at home");
    for command in ["report", "results verify", "compare", "explain ENOENT --run"] {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.push("run.tar.gz");
        words.extend((command == "compare").then_some("latest"));
        let of_file = rig(&words, folder.path());
        let place = words.iter().position(|word| *word == "run.tar.gz").expect("there");
        words[place] = before.record.id.as_str();
        assert_eq!(of_file, rig(&words, folder.path()), "{command}");
    }
    // Without rig: a run among runs.
    unpacked_by_tar(&file, &folder.path().join("elsewhere"));
    let by_tar = folder.path().join("elsewhere").join(&before.record.id);
    assert_eq!(Reader::open(&by_tar).expect("a run").blocks, before.blocks);
}

#[test]
fn what_is_in_the_way_stays_and_a_run_that_is_written_is_not_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = Bench { complete: false, ..sound() }.write(&folder.path().join("results"));
    let file = folder.path().join("run.tar.gz");
    symlink("nowhere", &file).expect("made");
    let error = export(&dir, &file).expect_err("a link is in the way");
    assert!(matches!(error, RecordError::Taken { .. }) && error.blames_the_input(), "{error}");
    fs::remove_file(&file).expect("there");
    let (writer, ..) = Writer::resume(&dir).expect("it can go on");
    assert!(matches!(export(&dir, &file), Err(RecordError::Locked { .. })));
    drop(writer);
    export(&dir, &file).expect("nobody writes it");
    let (code, _, said) = rig(&["results", "export", "--output", "x.tar.zst"], folder.path());
    assert_eq!(code, 2);
    assert!(said.contains("name it run.tar.gz"), "{said}");
    let (code, _, said) = rig(&["results", "export", "--output", "no/such/folder/x.tar.gz"], folder.path());
    assert_eq!(code, 4, "{said}");
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    // A page is what a browser opens.
    let (code, _, said) = rig(&["report", "run.tar.gz", "--open"], folder.path());
    assert_eq!(code, 2);
    assert!(said.contains("no page that a browser could open"), "{said}");
    let (code, _, said) = rig(&["matrix", "run", "--resume", "./run.tar.gz"], folder.path());
    assert_eq!(code, 2);
    assert!(said.contains("a run goes on in its own folder"), "{said}");
}

#[test]
fn broken_and_foreign_files_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = written(folder.path());
    let file = folder.path().join("run.tar.gz");
    export(&dir, &file).expect("written");
    let whole = fs::read(&file).expect("there");
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("written");
        let error = find(Path::new("nowhere"), file.to_str().expect("UTF-8")).expect_err("no run");
        assert!(error.blames_the_input() && error.help().is_some(), "{error}");
        error.to_string()
    };
    let damaged =
        |what: &str| assert!(what.contains("run.tar.gz is damaged: it cannot be unpacked"), "{what}");
    for end in [2, 20, whole.len() / 2, whole.len() - 1] {
        damaged(&refused(&whole[..end]));
    }
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    damaged(&refused(&changed));
    for other in [&b"some text"[..], b"", b"PK\x03\x04"] {
        assert!(refused(other).ends_with("run.tar.gz carries no run"));
    }
    // Of another program: a folder of documents.
    fs::create_dir(folder.path().join("other")).expect("made");
    fs::write(folder.path().join("other/letter.txt"), "dear").expect("written");
    let made = Command::new("tar").args(["czf", "run.tar.gz", "other"]).current_dir(folder.path()).status();
    assert!(made.expect("tar starts").success());
    let what = refused(&fs::read(&file).expect("there"));
    assert!(what.ends_with("is damaged: it has \"other/\", which a run does not have"), "{what}");
    // A bomb: 200 KiB of zeros that become 200 MiB.
    let mut gzip = Command::new("gzip")
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&file).expect("made"))
        .spawn()
        .expect("gzip starts");
    let mut header = tar::Header::new_ustar();
    header.set_path("blocks/a-0.1.json").expect("short");
    header.set_size(200 << 20);
    header.set_cksum();
    let mut pipe = gzip.stdin.take().expect("piped");
    pipe.write_all(header.as_bytes()).expect("written");
    (0..200).for_each(|_| pipe.write_all(&vec![0; 1 << 20]).expect("written"));
    drop(pipe);
    assert!(gzip.wait().expect("it ends").success());
    let what = refused(&fs::read(&file).expect("there"));
    assert!(what.contains("MiB then, which no such run is"), "{what}");
}

#[test]
fn an_export_that_is_killed_leaves_no_file_of_that_name_or_a_whole_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = written(folder.path());
    let mut packets = fs::File::create(dir.join("capture/large.pcapng")).expect("made");
    let noise: Vec<u8> = (0..1_u32 << 20).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    (0..16).for_each(|_| packets.write_all(&noise).expect("written"));
    let mut running = Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["results", "export"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let begun = || {
        let names = fs::read_dir(folder.path()).expect("listed").flatten().map(|entry| entry.file_name());
        { names }.any(|name| name.to_string_lossy().ends_with(".unfinished"))
    };
    while !begun() && running.try_wait().expect("asked").is_none() {
        std::thread::yield_now();
    }
    running.kill().expect("killed, or ended");
    running.wait().expect("it ends");
    let file = folder.path().join("run.tar.gz");
    if file.exists() {
        find(Path::new("nowhere"), file.to_str().expect("UTF-8")).expect("a whole one");
    }
    // What was left lies beside, and is in nobody's way.
    if !file.exists() {
        assert_eq!(rig(&["results", "export"], folder.path()).0, 0);
    }
    assert!(Reader::open(&dir).expect("a run").complete);
}
