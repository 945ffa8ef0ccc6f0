//! Runs of versions that are to come: what is known of them is read, with a caution, and what is not is passed over.

use std::fs;
use std::path::{Path, PathBuf};

use rig::analysis::analyse;
use rig::record::format::{FORMAT, FORMAT_MINOR, Version};
use rig::record::{Layout, Reader, RecordError, Writer};
use rig::report::Format;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::recorded::folder;

/// A copy of the finished run of the present format, whose files a newer rig could have written.
struct Newer {
    folder: TempDir,
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    format!("{:x}", hash.finalize())
}

impl Newer {
    fn new() -> Self {
        let copy = TempDir::new().expect("a folder");
        for name in ["", Layout::BLOCKS, Layout::ANOMALIES, Layout::CAPTURE, Layout::CONSOLE, Layout::QMP] {
            let (from, to) = (folder("format-2").join(name), copy.path().join(name));
            fs::create_dir_all(&to).expect("made");
            for entry in fs::read_dir(from).expect("there") {
                let path = entry.expect("readable").path();
                if path.is_file() {
                    fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
                }
            }
        }
        let newer = Self { folder: copy };
        newer.each(&["run.json"], |run| run["format_minor"] = json!(FORMAT_MINOR + 1));
        newer
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn blocks(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(Layout::BLOCKS)).expect("there");
        let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        entries.map(|entry| format!("{}/{}", Layout::BLOCKS, name(entry.expect("readable").path()))).collect()
    }

    /// Changes JSON files.
    fn each<N: AsRef<str>>(&self, names: &[N], change: impl Fn(&mut Value)) {
        for name in names {
            let path = self.path().join(name.as_ref());
            let mut file: Value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
            change(&mut file);
            fs::write(&path, file.to_string()).expect("written");
        }
        self.seal(|_| ());
    }

    /// Writes the journal anew, after a change of each entry, so that it vouches for the files as they are.
    fn seal(&self, change: impl Fn(&mut Value)) {
        let path = self.path().join(Layout::JOURNAL);
        let mut before = String::new();
        let mut sealed = String::new();
        for line in fs::read_to_string(&path).expect("there").lines() {
            let mut entry: Value = serde_json::from_str(line).expect("JSON");
            entry.as_object_mut().expect("an object").remove("sha256");
            if entry.get("run_sha256").is_some() {
                entry["run_sha256"] =
                    digest(&[&fs::read(self.path().join(Layout::RUN)).expect("there")]).into();
            }
            if let Some(files) = entry.get_mut("files").and_then(Value::as_object_mut) {
                for (name, sha256) in files.iter_mut() {
                    *sha256 = digest(&[&fs::read(self.path().join(name)).expect("there")]).into();
                }
            }
            change(&mut entry);
            let own = entry.to_string();
            before = digest(&[before.as_bytes(), own.as_bytes()]);
            sealed.push_str(&format!(
                "{},\"sha256\":\"{before}\"}}\n",
                own.strip_suffix('}').expect("an object")
            ));
        }
        fs::write(&path, sealed).expect("written");
    }
}

fn present() -> String {
    let run = Reader::open(&folder("format-2")).expect("it is read");
    assert_eq!(run.cautions, Vec::<String>::new());
    Format::from_name("csv").expect("a format").render(&analyse(&run))
}

#[test]
fn whatever_a_newer_minor_version_adds_is_passed_over_and_the_figures_are_the_same() {
    let newer = Newer::new();
    newer.each(&["run.json"], |run| {
        run["phase_of_the_moon"] = json!("full");
        run["conduct"]["capture"] = json!("on_full_moon");
        run["environment"]["host"]["colour"] = json!("blue");
    });
    newer.each(&newer.blocks(), |block| {
        block["format_minor"] = json!(FORMAT_MINOR + 1);
        block["mood"] = json!({ "of": "the agent" });
        block["target"]["origin"] = json!("snapshot");
        block["tally"]["latency_ns"]["connect"] = json!({ "count": 1, "max_ns": 5 });
        block["tally"]["smells"] = json!({ "good": 3 });
        if let Some(captures) = block.get_mut("captures").and_then(Value::as_array_mut) {
            captures.push(json!("capture/of-another-kind.pcapng"));
        }
    });
    newer.seal(|entry| {
        entry["weather"] = json!("fair");
        if let Some(files) = entry.get_mut("files").and_then(Value::as_object_mut) {
            files.insert("perf/x.json".into(), json!("0".repeat(64)));
        }
    });
    let run = Reader::open(newer.path()).expect("it is read");
    let [caution] = &run.cautions[..] else { panic!("{:#?}", run.cautions) };
    let version = Version { major: FORMAT, minor: FORMAT_MINOR + 1 };
    assert!(
        caution.contains(&format!(
            "written in format {version}, and this rig knows format {}",
            Version::WRITTEN
        ))
    );
    assert_eq!(Format::from_name("csv").expect("a format").render(&analyse(&run)), present());
    let text = Format::TEXT.render(&analyse(&run));
    assert!(text.contains(&format!("the run was written in format {version}")), "{text}");
}

#[test]
fn a_cell_that_nobody_here_understands_is_left_out_by_name_with_its_blocks() {
    let newer = Newer::new();
    newer.each(&["run.json"], |run| {
        run["cells"][0]["script"]["lanes"][0]["steps"][0]["operation"] = json!("levitate");
        run["cells"][1].as_object_mut().expect("an object").remove("path");
    });
    let before = Reader::open(&folder("format-2")).expect("it is read");
    let run = Reader::open(newer.path()).expect("it is read");
    let gone = &before.record.cells[..2];
    assert_eq!(run.record.cells, before.record.cells[2..]);
    assert_eq!(run.blocks.len() + 2, before.blocks.len());
    assert_eq!(run.cautions.len(), 3, "the version, and the two cells: {:#?}", run.cautions);
    for record in gone {
        let named = |caution: &&String| caution.contains(&format!("cell {:?}: ", record.cell.id.0));
        assert_eq!(run.cautions.iter().filter(named).count(), 1, "{:#?}", run.cautions);
    }
    assert!(
        run.cautions
            .iter()
            .any(|caution| caution.contains("levitate") && caution.ends_with("it is left out"))
    );
}

#[test]
fn a_run_of_a_newer_version_is_not_gone_on_with() {
    let newer = Newer::new();
    let journal = fs::read(newer.path().join(Layout::JOURNAL)).expect("there");
    for error in [
        Writer::resume(newer.path()).expect_err("newer"),
        Reader::open_to_resume(newer.path()).expect_err("newer"),
    ] {
        assert!(matches!(&error, RecordError::NewerToResume { .. }), "{error}");
        assert!(error.blames_the_input());
    }
    assert_eq!(fs::read(newer.path().join(Layout::JOURNAL)).expect("there"), journal, "and not touched");
}

#[test]
fn a_newer_major_version_is_refused_with_both_versions_and_what_to_do() {
    let newer = Newer::new();
    newer.each(&["run.json"], |run| run["format"] = json!(FORMAT + 1));
    let error = Reader::open(newer.path()).expect_err("of another shape");
    let words = error.to_string();
    assert!(
        words.contains(&format!(
            "has format {}.{}; this rig reads format {}",
            FORMAT + 1,
            FORMAT_MINOR + 1,
            Version::WRITTEN
        )),
        "{words}"
    );
    let help = miette::Diagnostic::help(&error).expect("what to do").to_string();
    assert!(help.contains("with the rig that wrote it (version 0.1.0)"), "{help}");
}

#[test]
fn a_damaged_block_of_the_present_version_is_still_told() {
    let newer = Newer::new();
    newer.each(&["run.json"], |run| run["format_minor"] = json!(FORMAT_MINOR));
    let blocks = newer.blocks();
    newer.each(&blocks[..1], |block| {
        block["tally"]["latency_ns"]["connect"] = json!({ "count": 1, "max_ns": 5 });
    });
    let run = Reader::open(newer.path()).expect("it is read");
    assert!(run.cautions[0].contains(&format!("{} contradicts itself", blocks[0])), "{:#?}", run.cautions);
}
