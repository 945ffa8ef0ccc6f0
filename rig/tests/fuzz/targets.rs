//! What is fuzzed: for each kind of bytes that comes from outside, the code that reads it, as one function from bytes to nothing.
//!
//! Shared by the seeded short run (`tests/fuzz.rs`) and by the targets of cargo-fuzz (`rig/fuzz/`). Must not judge what is read: a target is to come
//! back, whatever the bytes, without a panic and with little memory. Units: bytes. Errors: none.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rig::analysis::model::ReportModel;
use rig::document::{Problems, parse_count, parse_deadline, parse_duration};
use rig::image::{count_listed, package, recipe, sources};
use rig::matrix::{Filter, Matrix, PathFile, Plan, Selection};
use rig::record::format::{read_block, read_run};
use rig::report::Format;
use rig::script::Scenario;
use rig_protocol::{Assignment, FrameReader, Hello, Progress, Reply, Request, Role};
use sha2::{Digest, Sha256};

/// No input is longer: what is behind is cut off.
const MOST_BYTES: usize = 1 << 20;

/// A kind of bytes from outside.
pub(crate) struct Target {
    /// As its file in `rig/fuzz/fuzz_targets/` is called.
    pub name: &'static str,
    /// Reads it.
    pub run: fn(&[u8]),
    /// Sound inputs, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether an input is read to its end.
    pub sound: fn(&[u8]) -> bool,
    /// So many inputs of the short run.
    pub inputs: usize,
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "frames", run: frames, seeds: frame_seeds, sound: frames_are_sound, inputs: 5_000 },
    Target {
        name: "record",
        run: record,
        seeds: record_seeds,
        sound: |bytes| read_run(bytes).is_ok(),
        inputs: 2_000,
    },
    Target {
        name: "run_folder",
        run: run_folder,
        seeds: run_folder_seeds,
        sound: |bytes| reported(bytes).is_some(),
        inputs: 150,
    },
    Target {
        name: "matrix",
        run: matrix,
        seeds: matrix_seeds,
        sound: |bytes| Matrix::parse("m", &text(bytes), Path::new(".")).is_ok(),
        inputs: 400,
    },
    Target {
        name: "scenario",
        run: scenario,
        seeds: scenario_seeds,
        sound: |bytes| Scenario::parse("s", "s", &text(bytes)).is_ok(),
        inputs: 1_000,
    },
    Target {
        name: "recipe",
        run: image_recipe,
        seeds: recipe_seeds,
        sound: |bytes| recipe::parse("r", "r", &text(bytes)).is_ok(),
        inputs: 1_000,
    },
    Target {
        name: "package",
        run: package_content,
        seeds: package_seeds,
        sound: |bytes| package::unpack(bytes, &|_| true).is_ok_and(|files| files.len() == 3),
        inputs: 2_000,
    },
    Target {
        name: "package_list",
        run: package_list,
        seeds: package_list_seeds,
        sound: |bytes| count_listed(&text(bytes)) > 1,
        inputs: 2_000,
    },
    Target {
        name: "words",
        run: words,
        seeds: word_seeds,
        sound: |bytes| parse_count(&text(bytes)).is_ok(),
        inputs: 5_000,
    },
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_BYTES)]).into_owned()
}

fn below(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rig").join(folder)
}

/// The contents of all files below a folder.
fn contents(folder: &str) -> Vec<Vec<u8>> {
    let mut names: Vec<PathBuf> = fs::read_dir(below(folder))
        .expect("a folder of the tree")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.is_file())
        .collect();
    names.sort();
    names.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

/// As a terminal shows them: a place that cannot be shown is a fault too.
fn render(problems: Problems) {
    let theme = miette::GraphicalTheme::unicode_nocolor();
    let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(100);
    assert!(!problems.is_empty(), "an error without a problem");
    for problem in problems.into_iter().take(20) {
        let mut out = String::new();
        handler.render_report(&mut out, &problem).expect("a problem can be shown");
    }
}

/// What an agent says, and what a controller says to it.
pub(crate) fn frames(bytes: &[u8]) {
    let mut replies = FrameReader::<_, Reply>::new(bytes);
    while let Ok(reply) = replies.read() {
        // It is printed in errors and logs.
        assert!(!format!("{reply:?}").is_empty());
    }
    let mut requests = FrameReader::<_, Request>::new(bytes);
    while requests.read().is_ok() {}
}

fn frame(messages: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for (sequence, message) in messages.iter().enumerate() {
        out.extend(u32::try_from(message.len()).expect("short").to_le_bytes());
        out.extend(u32::try_from(sequence).expect("few").to_le_bytes());
        out.extend(message.as_bytes());
    }
    out
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let script =
        Scenario::parse("rst", "rst", include_str!("../../scenarios/rst.toml")).expect("it is sound");
    let script = script.resolve(&Default::default()).expect("it is sound").script;
    let assignment = Assignment {
        script,
        role: Role::Target { connect: "127.0.0.1:1".to_owned() },
        trials: 10,
        in_flight: 8,
        seed: 1,
        keep_examples: 1,
        keep_anomalies: 1,
        trial_deadline_ns: 1_000_000,
        root: None,
    };
    let written = |message: serde_json::Result<String>| message.expect("plain data");
    let play = written(serde_json::to_string(&Request::Play(Box::new(assignment))));
    let replies = [
        Reply::Hello(Hello::default()),
        Reply::Ready { listening: String::new() },
        Reply::Progress(Progress::default()),
        Reply::Tally(Box::default()),
    ];
    let replies = replies.map(|reply| written(serde_json::to_string(&reply)));
    let replies: Vec<&str> = replies.iter().map(String::as_str).collect();
    vec![
        frame(&[&play, "\"finish\""]),
        frame(&replies),
        frame(&["[1e308,-5,18446744073709551615,null,\"\\ud83e\\udd80\"]"]),
    ]
}

fn frames_are_sound(bytes: &[u8]) -> bool {
    FrameReader::<_, Reply>::new(bytes).read().is_ok()
}

/// The files of a run, each by itself.
pub(crate) fn record(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(MOST_BYTES)];
    let _ = read_run(bytes).map(|run| format!("{run:?}").len());
    let _ = read_block(bytes).map(|block| format!("{block:?}").len());
}

/// The recorded run whose files the record's seeds are: of the format that has no digest of run.json.
const RUN: &str = "tests/golden/runs/format-1";

fn record_seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents(&format!("{RUN}/blocks"));
    seeds.extend(contents(RUN));
    seeds.push(fs::read(below("tests/golden/runs/format-2/run.json")).expect("it is there"));
    seeds
}

/// A file of a run by its name, and the name behind the content where it goes back into the folder.
fn run_folder_seeds() -> Vec<Vec<u8>> {
    let mut names = vec!["run.json".to_owned(), "journal.jsonl".to_owned()];
    let blocks = fs::read_dir(below(&format!("{RUN}/blocks"))).expect("a folder of the tree");
    let block_names = blocks.map(|entry| entry.expect("a readable entry").file_name());
    names.extend(block_names.map(|name| format!("blocks/{}", name.to_string_lossy())));
    names.sort();
    let seed = |name: &String| {
        let mut bytes = name.clone().into_bytes();
        bytes.push(b'\n');
        bytes.extend(fs::read(below(RUN).join(name)).expect("it is there"));
        bytes
    };
    names.iter().map(seed).collect()
}

/// A whole run of which one file is another (its digest in the journal is right again), read and reported in every format. The first line of the bytes is the
/// file's name, the others are what it holds.
pub(crate) fn run_folder(bytes: &[u8]) {
    if let Some(model) = reported(bytes) {
        for format in Format::ALL {
            assert!(!format.render(&model).is_empty());
        }
    }
}

fn reported(bytes: &[u8]) -> Option<ReportModel> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (name, content) = (text(&bytes[..end]), &bytes[end + 1..bytes.len().min(MOST_BYTES + end)]);
    let known = [Some("run.json".to_owned()), Some("journal.jsonl".to_owned())];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut journal = String::new();
    let mut met = known.contains(&Some(name.clone()));
    for part in ["", "blocks", "anomalies", "console"] {
        let _ = fs::create_dir(folder.path().join(part));
        for entry in fs::read_dir(below(RUN).join(part)).expect("a folder of the tree") {
            let path = entry.expect("a readable entry").path();
            let within = path.strip_prefix(below(RUN)).expect("below it").to_string_lossy().into_owned();
            if path.is_file() {
                let before = fs::read(&path).expect("a readable file");
                met |= within == name;
                let now = if within == name { content } else { before.as_slice() };
                fs::write(folder.path().join(&within), now).expect("a writable folder");
                if within == "journal.jsonl" {
                    journal = String::from_utf8_lossy(now).into_owned();
                }
            }
        }
    }
    if !met {
        return None;
    }
    if let Some(before) = name.starts_with("blocks/").then(|| fs::read(below(RUN).join(&name))) {
        let digest = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes));
        let before = digest(&before.expect("it was met"));
        let journal = journal.replace(&before, &digest(content));
        fs::write(folder.path().join("journal.jsonl"), journal).expect("a writable folder");
    }
    rig::campaign::read_report(folder.path()).ok()
}

/// A matrix file: checked, selected and planned.
pub(crate) fn matrix(bytes: &[u8]) {
    let text = text(bytes);
    let folder = Path::new("/nonexistent");
    match Matrix::parse("m.toml", &text, folder) {
        Err(problems) => render(problems),
        Ok(matrix) => {
            let cells = matrix.cells(&Selection::default()).expect("a valid file has cells");
            assert!(!Plan::make(cells, &|_| None).cells.is_empty());
        }
    }
    if let Err(problems) = PathFile::parse("m.toml", &text) {
        render(problems);
    }
}

fn matrix_seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents("tests/diagnostics/matrix");
    seeds.extend(contents("tests/diagnostics/path"));
    seeds.push(include_bytes!("../../../matrix.toml").to_vec());
    seeds.push(include_bytes!("../cli/small.matrix").to_vec());
    seeds
}

/// A scenario file.
pub(crate) fn scenario(bytes: &[u8]) {
    match Scenario::parse("s", "s.toml", &text(bytes)) {
        Ok(scenario) => assert!(scenario.render(&Default::default()).is_ok()),
        Err(problems) => render(problems),
    }
}

fn scenario_seeds() -> Vec<Vec<u8>> {
    let mut seeds = contents("scenarios");
    seeds.extend(contents("tests/diagnostics/scenario"));
    seeds
}

/// A recipe of an image.
pub(crate) fn image_recipe(bytes: &[u8]) {
    if let Err(problems) = recipe::parse("r", "r.toml", &text(bytes)) {
        render(problems);
    }
}

fn recipe_seeds() -> Vec<Vec<u8>> {
    contents("../images")
}

/// What dpkg-deb gives of a package: a tar archive.
pub(crate) fn package_content(bytes: &[u8]) {
    let most = &bytes[..bytes.len().min(MOST_BYTES)];
    if let Ok(files) = package::unpack(most, &|_| true) {
        let held: usize = files.values().map(|node| format!("{node:?}").len()).sum();
        // A hard link holds its file again; sparse files are not made longer than they are.
        assert!(held <= (files.len() + 1) * 5 * MOST_BYTES, "{held} bytes of {}", bytes.len());
        for path in files.keys() {
            let _ = package::resolve(&files, path);
        }
    }
}

fn package_seeds() -> Vec<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    for (name, kind, target, content) in [
        ("./usr/lib/modules/a.ko", tar::EntryType::Regular, "", &b"module"[..]),
        ("./usr/lib/link", tar::EntryType::Symlink, "../lib/modules/a.ko", &[]),
        ("./usr/lib/again", tar::EntryType::Link, "./usr/lib/modules/a.ko", &[]),
        ("./usr/bin", tar::EntryType::Directory, "", &[]),
    ] {
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if target.is_empty() {
            archive.append_data(&mut header, name, content).expect("into memory");
        } else {
            archive.append_link(&mut header, name, target).expect("into memory");
        }
    }
    vec![archive.into_inner().expect("into memory")]
}

/// What apt says of packages, and the lists of sources.
pub(crate) fn package_list(bytes: &[u8]) {
    let text = text(bytes);
    let _ = (count_listed(&text), sources::parse_list(&text), sources::parse_deb822(&text));
}

fn package_list_seeds() -> Vec<Vec<u8>> {
    [
        "Package: linux-image-amd64\nVersion: 6.1.176-1\nArchitecture: amd64\nDepends: linux-image-6.1.0-50-amd64 (= 6.1.176-1), x | y\nSHA256: ab\n\nPackage: b\n",
        "linux-image\n  Depends: a\n |Depends: b\n<virtual>\nb:amd64\n",
        "deb [arch=amd64 signed-by=/usr/share/k.gpg] http://deb.example/debian bookworm main\n",
        "Types: deb deb-src\nURIs: http://deb.example\n  http://b.example\nSuites: bookworm\nComponents: main\nEnabled: no\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Verified once: filters are what is fuzzed.
static SHIPPED: LazyLock<Matrix> = LazyLock::new(|| {
    Matrix::parse("matrix.toml", include_str!("../../../matrix.toml"), Path::new(".")).expect("it is sound")
});

/// Words of the command line: counts, times, and filters.
pub(crate) fn words(bytes: &[u8]) {
    let mut line = String::new();
    let _ = (&bytes[..bytes.len().min(4_096)]).read_to_string(&mut line);
    let _ = (parse_count(&line), parse_duration(&line).is_ok(), parse_deadline(&line).is_ok());
    let words: Vec<String> = line.split_whitespace().take(6).map(str::to_owned).collect();
    match Filter::parse_all(&words) {
        Err(problems) => render(problems),
        Ok(filters) => {
            let selection = Selection { profile: None, filters, trials: None };
            if let Err(problems) = SHIPPED.cells(&selection) {
                render(problems);
            }
        }
    }
}

fn word_seeds() -> Vec<Vec<u8>> {
    [
        "configuration=bare-metal kernel=host scenario=rst client_delay=3s",
        "configuration=virtio-* claim=H0? control=inject-enoent path=direct",
        "kernel!=6.1 kernel=6.1,6.12 kernel=!host",
        "1e6",
        "18446744073709551615",
        "-10_000.5k",
        "2h 30m 1.5s",
        "client_delay=uniform(0ms,",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
