//! Folders from elsewhere, read and gone on with by root: nothing outside of them is touched, and nothing in them keeps rig waiting.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::Diagnostic;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rig::campaign::{Blame, CampaignError, write_reports};
use rig::record::format::Version;
use rig::record::{Folder, Layout, Reader, RecordError, Writer};
use rig::report::Format;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Bench, sound};
use crate::recorded::folder;

/// A run that can be gone on with, and a folder beside it that is nobody's business.
struct Place {
    _all: TempDir,
    dir: PathBuf,
    outside: PathBuf,
}

fn place() -> Place {
    let all = tempfile::tempdir().expect("a folder");
    let dir = Bench { complete: false, ..sound() }.write(&all.path().join("results"));
    let outside = all.path().join("outside");
    fs::create_dir(&outside).expect("made");
    Place { _all: all, dir, outside }
}

type Make = fn(&Path);

/// What may lie under a name instead of a file, and the words for it.
const OTHERS: [(&str, Make); 5] = [
    ("a pipe", |path| mkfifo(path, Mode::S_IRWXU).expect("made")),
    ("a symbolic link", |path| symlink("/dev/zero", path).expect("made")),
    ("a symbolic link", |path| symlink("nowhere", path).expect("made")),
    ("a folder", |path| fs::create_dir(path).expect("made")),
    ("a socket", |path| drop(UnixListener::bind(path).expect("made"))),
];

fn in_the_way(error: &RecordError) -> String {
    assert!(matches!(error, RecordError::InTheWay { .. }), "{error}");
    assert!(error.blames_the_input() && error.help().is_some());
    error.to_string()
}

#[test]
fn a_run_file_or_journal_that_is_no_file_is_named() {
    for file in [Layout::RUN, Layout::JOURNAL] {
        for (words, make) in OTHERS {
            let place = place();
            let path = place.dir.join(file);
            fs::remove_file(&path).expect("there");
            make(&path);
            let expected = format!("{} is {words}, not a file", path.display());
            assert_eq!(in_the_way(&Reader::open(&place.dir).expect_err(words)), expected);
            assert_eq!(in_the_way(&Reader::open_to_resume(&place.dir).expect_err(words)), expected);
            assert_eq!(in_the_way(&Writer::resume(&place.dir).expect_err(words)), expected);
        }
    }
}

#[test]
fn a_file_of_a_block_that_is_no_file_is_named_and_the_rest_is_read() {
    for (words, make) in OTHERS {
        let place = place();
        let whole = Reader::open(&place.dir).expect("readable");
        let block = whole.blocks.iter().find(|block| block.records > 0).expect("one keeps some");
        let (sums, kept) = (Layout::block(&block.id, 1), Layout::anomalies(&block.id, 1));
        for (file, lost) in [(&kept, 0), (&sums, 1)] {
            fs::remove_file(place.dir.join(file)).expect("there");
            make(&place.dir.join(file));
            let run = Reader::open(&place.dir).expect("the rest is there");
            let said = format!("{file} is {words}, not a file");
            assert!(run.cautions.iter().any(|caution| caution.starts_with(&said)), "{:?}", run.cautions);
            assert_eq!(run.blocks.len(), whole.blocks.len() - lost);
            in_the_way(&Writer::resume(&place.dir).expect_err(words));
        }
        in_the_way(&whole.trials(&block.id, 1).expect_err(words));
    }
}

#[test]
fn folders_that_are_links_are_neither_read_nor_cleared_nor_written() {
    for name in Layout::FOLDERS {
        let place = place();
        let (inside, moved) = (place.dir.join(name), place.outside.join(name));
        fs::rename(&inside, &moved).expect("moved");
        fs::write(moved.join("x.unfinished"), "somebody's").expect("written");
        symlink(&moved, &inside).expect("made");
        let before = fs::read_dir(&moved).expect("there").count();
        let error = in_the_way(&Writer::resume(&place.dir).expect_err("a link"));
        assert_eq!(error, format!("{} is a symbolic link, not a folder", inside.display()));
        assert_eq!(fs::read_dir(&moved).expect("there").count(), before);
        assert_eq!(fs::read(moved.join("x.unfinished")).expect("there"), b"somebody's");
        if name == Layout::BLOCKS {
            let run = Reader::open(&place.dir).expect("readable");
            assert!(run.blocks.is_empty() && run.cautions[1].contains("blocks is a symbolic link"));
        }
    }
}

#[test]
fn what_an_interrupted_write_left_is_cleared_wherever_it_is() {
    let place = place();
    let left =
        ["report.txt.0badcafe.unfinished", "run.json.0badcafe.unfinished", "blocks/x.json.1.unfinished"];
    for name in left {
        fs::write(place.dir.join(name), "half").expect("written");
    }
    // No write of ours makes these.
    fs::create_dir(place.dir.join("mine.unfinished")).expect("made");
    symlink(&place.outside, place.dir.join("link.unfinished")).expect("made");
    fs::write(place.dir.join("notes.txt"), "somebody's").expect("written");
    drop(Writer::resume(&place.dir).expect("it can go on"));
    for name in left {
        assert!(!place.dir.join(name).exists(), "{name}");
    }
    assert!(place.dir.join("mine.unfinished").is_dir() && place.dir.join("link.unfinished").exists());
    assert!(place.dir.join("notes.txt").exists() && place.outside.exists());
}

#[test]
fn a_link_among_the_logs_is_found_before_a_guest_could_write_through_it() {
    let place = place();
    let target = place.outside.join("target");
    fs::write(&target, "somebody's").expect("written");
    symlink(&target, place.dir.join("console/x.log")).expect("made");
    let error = in_the_way(&Writer::resume(&place.dir).expect_err("a link"));
    assert!(error.ends_with("console/x.log is a symbolic link, not a file"), "{error}");
}

#[test]
fn the_folder_of_a_run_may_itself_be_reached_through_links() {
    let place = place();
    let link = place.outside.join("link");
    symlink(&place.dir, &link).expect("made");
    let blocks = Reader::open(&link).expect("readable").blocks.len();
    assert_eq!(Writer::resume(&link).expect("it can go on").2.len(), blocks);
}

/// Changes `run.json`, and says what opening it says.
fn refused(dir: &Path, change: impl FnOnce(&mut Value)) -> String {
    let path = dir.join(Layout::RUN);
    let whole = fs::read(&path).expect("there");
    let mut run: Value = serde_json::from_slice(&whole).expect("JSON");
    change(&mut run);
    fs::write(&path, run.to_string()).expect("changed");
    let error = Reader::open(dir).expect_err("it breaks a rule");
    fs::write(&path, whole).expect("restored");
    let RecordError::Damaged { path: named, reason } = error else { panic!("{error}") };
    assert_eq!(named, path);
    reason
}

#[test]
fn names_in_a_record_are_those_that_a_writer_gives() {
    let place = place();
    let dir = &place.dir;
    assert_eq!(refused(dir, |run| run["id"] = json!("../x")), r#"its id is "../x", which names no run"#);
    let evil = "a\u{1b}[2J/../b";
    let said = refused(dir, |run| run["cells"][1]["id"] = json!(evil));
    assert_eq!(said, r#"cells[1].id is "a\u{1b}[2J/../b", which names no cell"#);
    let said = refused(dir, |run| run["cells"][1]["id"] = run["cells"][0]["id"].clone());
    assert!(said.starts_with("cells[1].id is ") && said.ends_with("as that of a cell before it"), "{said}");
    let said = refused(dir, |run| run["blocks"][2]["cell"] = json!("ffffffffffff"));
    assert_eq!(said, r#"blocks[2].cell is "ffffffffffff", which is none of its cells"#);
    let said = refused(dir, |run| run["blocks"][2]["id"] = json!("../../../tmp/x"));
    assert!(said.starts_with(r#"blocks[2].id is "../../../tmp/x" and not "#), "{said}");
    let said = refused(dir, |run| run["blocks"][2]["index"] = json!(7));
    assert!(said.starts_with("blocks[2].id is ") && said.ends_with("-7\""), "{said}");
    let said = refused(dir, |run| run["blocks"][1] = run["blocks"][0].clone());
    assert!(said.ends_with("as that of a block before it"), "{said}");
}

/// What is said of a block that names this file as its packets.
fn cautions_of(change: fn(&mut rig::record::format::BlockRecord)) -> Vec<String> {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    change(&mut bench.blocks[0].0);
    let run = Reader::open(&bench.write(results.path())).expect("readable");
    assert_eq!(run.blocks.len(), bench.blocks.len() - 1);
    run.cautions
}

#[test]
fn files_that_a_block_names_are_its_own() {
    let cautions = cautions_of(|block| block.target.console = "console/other.log".into());
    let [caution] = &cautions[..] else { panic!("{cautions:?}") };
    assert!(caution.contains(r#"(target.console is "console/other.log" and not "console/"#), "{caution}");
    let cautions = cautions_of(|block| block.target.qmp = block.target.console.clone());
    assert!(cautions[0].contains("(target.qmp is \"console/"), "{cautions:?}");
    let cautions = cautions_of(|block| block.captures = vec!["capture/\n".into()]);
    assert!(cautions[0].contains(r#"(captures[0] is "capture/\n" and not "#), "{cautions:?}");
}

/// A copy of the run of format 1 with another journal.
fn format_1(change: impl FnOnce(String) -> String) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    let from = folder("format-1");
    fs::create_dir(copy.path().join("blocks")).expect("made");
    for entry in fs::read_dir(from.join("blocks")).expect("there") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), copy.path().join("blocks").join(entry.file_name())).expect("copied");
    }
    fs::copy(from.join(Layout::RUN), copy.path().join(Layout::RUN)).expect("copied");
    let journal = fs::read_to_string(from.join(Layout::JOURNAL)).expect("there");
    fs::write(copy.path().join(Layout::JOURNAL), change(journal)).expect("written");
    copy
}

#[test]
fn a_journal_from_elsewhere_does_not_choose_which_files_are_read() {
    let copy = format_1(|journal| journal.replace("\"file\":\"blocks/", "\"file\":\"blocks/../../other/"));
    let run = Reader::open(copy.path()).expect("readable");
    assert_eq!(run.blocks.len(), 0);
    assert!(run.cautions[1].contains("journal.jsonl names \"blocks/../../other/"), "{:?}", run.cautions);
    let copy = format_1(|journal| journal.replace("\"id\":\"", "\"id\":\"../\\n"));
    let run = Reader::open(copy.path()).expect("readable");
    assert_eq!(run.blocks.len(), 0);
    assert!(run.cautions[1].contains(r#"names block "../\n"#), "{:?}", run.cautions);
    assert!(run.cautions[1].contains("which run.json does not plan"), "{:?}", run.cautions);
}

#[test]
fn a_run_of_format_1_is_not_gone_on_with_and_not_touched() {
    let copy = format_1(|journal| journal);
    let before = fs::read(copy.path().join(Layout::JOURNAL)).expect("there");
    for error in
        [Writer::resume(copy.path()).expect_err("old"), Reader::open_to_resume(copy.path()).expect_err("old")]
    {
        assert!(
            matches!(error, RecordError::OldFormat { found: Version { major: 1, minor: 0 }, .. }),
            "{error}"
        );
        let words = format!("has format 1.0; this rig resumes runs of format {} only", Version::WRITTEN);
        assert!(error.to_string().ends_with(&words), "{error}");
        let help = error.help().expect("what to do").to_string();
        assert!(help.contains("rig report") && help.contains("--seed 7"), "{help}");
        assert!(error.blames_the_input());
    }
    assert_eq!(fs::read(copy.path().join(Layout::JOURNAL)).expect("there"), before);
    assert!(!copy.path().join(Layout::CONSOLE).exists());
}

#[test]
fn files_that_never_end_are_not_read_to_their_end() {
    let place = place();
    let grow = |file: &str, bytes: u64| {
        let file = OpenOptions::new().write(true).open(place.dir.join(file)).expect("there");
        file.set_len(bytes).expect("sparse");
    };
    let folder = Folder::open(&place.dir).expect("there");
    grow(Layout::RUN, 1 << 40);
    let error = folder.read(Layout::RUN, 1 << 20).expect_err("large");
    assert!(error.to_string().contains("run.json is damaged: it is larger than 1 MiB"), "{error}");
}

#[test]
fn a_report_replaces_a_link_and_leaves_what_it_leads_to() {
    let place = place();
    let target = place.outside.join("target");
    fs::write(&target, "somebody's").expect("written");
    for format in Format::ALL {
        symlink(&target, place.dir.join(Layout::report(format.extension))).expect("made");
    }
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name).collect();
    let rig = Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["report", "--format", &formats.join(",")])
        .arg(&place.dir)
        .output()
        .expect("rig starts");
    assert!(rig.status.success(), "{}", String::from_utf8_lossy(&rig.stderr));
    assert_eq!(fs::read(&target).expect("there"), b"somebody's");
    for format in Format::ALL {
        let path = place.dir.join(Layout::report(format.extension));
        assert!(fs::symlink_metadata(&path).expect("written").is_file(), "{}", path.display());
    }
    let left = fs::read_dir(&place.dir).expect("there").flatten();
    let left: Vec<_> =
        left.filter(|file| file.file_name().display().to_string().contains("unfinished")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_report_that_cannot_be_written_leaves_the_old_one() {
    let place = place();
    let model = sound().model();
    write_reports(&model, &[Format::TEXT], &place.dir, &place.outside).expect("written");
    let path = place.outside.join(Layout::report("txt"));
    fs::remove_file(&path).expect("there");
    fs::create_dir(&path).expect("made");
    let error = write_reports(&model, &[Format::TEXT], &place.dir, &place.outside).expect_err("in the way");
    assert!(error.to_string().contains("is a folder, not a file"), "{error}");
    assert_eq!(fs::read_dir(&place.outside).expect("there").count(), 1, "nothing half-written is left");
}

#[test]
fn a_full_disk_leaves_the_old_report_whole() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: a small disk can be mounted by root only");
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    // A small disk in a mount namespace of this thread: gone with it.
    let disk = place.path().to_owned();
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace of our own");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("private");
        mount(Some("small"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=256k"))
            .expect("a small disk");
        let model = sound().model();
        let json = [Format::from_name("json").expect("a format")];
        write_reports(&model, &json, &disk, &disk).expect("it fits");
        let report = disk.join(Layout::report("json"));
        let old = fs::read(&report).expect("there");
        let fill = fs::write(disk.join("fill"), vec![0; 1 << 20]).expect_err("it does not fit");
        assert_eq!(fill.kind(), std::io::ErrorKind::StorageFull);
        let error = write_reports(&model, &json, &disk, &disk).expect_err("the disk is full");
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert_eq!(error.blame(), Blame::Testbed);
        assert_eq!(fs::read(&report).expect("there"), old);
        assert_eq!(fs::read_dir(&disk).expect("there").count(), 2, "nothing half-written is left");
    })
    .join()
    .expect("the assertions above");
}

#[test]
fn the_command_refuses_a_pipe_and_a_run_that_exists_with_2() {
    let place = place();
    fs::remove_file(place.dir.join(Layout::RUN)).expect("there");
    mkfifo(&place.dir.join(Layout::RUN), Mode::S_IRWXU).expect("made");
    let rig =
        Command::new(env!("CARGO_BIN_EXE_rig")).arg("report").arg(&place.dir).output().expect("rig starts");
    // As one line: it is wrapped where the path's length makes it.
    let said = String::from_utf8_lossy(&rig.stderr).replace('\u{2502}', " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(rig.status.code(), Some(2), "{said}");
    assert!(said.contains("is a pipe, not a file"), "{said}");

    let results = tempfile::tempdir().expect("a folder");
    let bench = sound();
    bench.write(results.path());
    let error = Writer::create(results.path(), &bench.record).expect_err("it exists");
    assert!(matches!(error, RecordError::Exists { .. }), "{error}");
    assert_eq!(CampaignError::from(error).blame(), Blame::Input);
}

#[test]
fn a_name_leads_nowhere_else() {
    let place = place();
    fs::write(place.outside.join("x"), "somebody's").expect("written");
    let folder = Folder::open(&place.dir).expect("there");
    for name in ["../../outside/x", "blocks/../../../outside/x", "/etc/hostname", "/proc/self/exe", ""] {
        assert!(folder.read(name, 1 << 20).is_err(), "{name}");
        assert!(folder.write(name, b"mine").is_err(), "{name}");
        assert!(folder.log(name).is_err(), "{name}");
    }
    assert_eq!(fs::read(place.outside.join("x")).expect("there"), b"somebody's");
    let mut file = folder.log("new.jsonl").expect("made");
    file.write_all(b"one").expect("written");
    drop(file);
    folder.log("new.jsonl").expect("there").write_all(b"two").expect("appended");
    assert_eq!(folder.read("new.jsonl", 6).expect("six bytes"), b"onetwo");
    folder.remove("new.jsonl").expect("removed");
    folder.remove("new.jsonl").expect("nothing to do");
}
