//! The house rules that a compiler does not check: direction of arrows, size of rooms, module heads, words that do not belong here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// `rig/docs/architecture.md`, "Direction": what each room may use. `cli` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("agent", &[]),
    ("analysis", &["configuration", "matrix", "path", "record"]),
    (
        "bench",
        &[
            "agent",
            "clock",
            "configuration",
            "image",
            "machine",
            "middlebox",
            "path",
            "process",
            "script",
            "testbed",
        ],
    ),
    (
        "campaign",
        &[
            "agent",
            "analysis",
            "clock",
            "configuration",
            "document",
            "event",
            "image",
            "machine",
            "matrix",
            "path",
            "process",
            "record",
            "report",
            "runner",
            "testbed",
        ],
    ),
    ("capability", &["configuration", "image", "machine", "process", "testbed"]),
    ("clock", &[]),
    ("configuration", &["path"]),
    ("console", &[]),
    ("document", &[]),
    ("event", &["record"]),
    ("image", &["configuration"]),
    ("machine", &["configuration", "console", "path", "process", "testbed"]),
    ("matrix", &["configuration", "document", "middlebox", "path", "script"]),
    ("middlebox", &[]),
    ("path", &["middlebox"]),
    ("process", &[]),
    ("record", &["clock", "matrix"]),
    ("rehearse", &["clock", "console", "image", "process"]),
    ("report", &["analysis", "record"]),
    (
        "runner",
        &[
            "agent",
            "capability",
            "clock",
            "configuration",
            "event",
            "image",
            "machine",
            "matrix",
            "middlebox",
            "path",
            "process",
            "record",
            "script",
            "testbed",
        ],
    ),
    ("script", &["document"]),
    ("testbed", &["middlebox", "path", "process"]),
];

/// Files over 600 lines, with the reason.
const LONG: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("rig/ lies in the workspace").to_owned()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            // Build output and runs, at the top only.
            let produced = ["target", "results"].iter().any(|folder| path == root().join(folder));
            if !produced && !name.starts_with(".git") {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn rust() -> Vec<(String, String)> {
    let mut found = vec![];
    files(&root(), "rs", &mut found);
    found.sort();
    assert!(found.len() > 40, "the walk found the sources");
    found.into_iter().map(|path| (relative(&path), fs::read_to_string(&path).expect("UTF-8"))).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

/// The code of a file without its `#[cfg(test)] mod tests { ... }` at the end.
fn product(text: &str) -> &str {
    text.split("\n#[cfg(test)]\n").next().expect("split gives at least one")
}

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = vec![];
    for (path, text) in rust() {
        let Some(inner) = path.strip_prefix("rig/src/") else { continue };
        let room = inner.split(['/', '.']).next().expect("a first part");
        if ["cli", "lib", "main"].contains(&room) || is_test(&path) {
            continue;
        }
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("{path}: room `{room}` is not in the table of arrows"));
            continue;
        };
        for (number, line) in product(&text).lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty()
                    && used != room
                    && used.starts_with(char::is_lowercase)
                    && !may.contains(&used.as_str())
                {
                    wrong.push(format!("{path}:{}: `{room}` must not use `{used}`", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rooms_stay_small() {
    let mut wrong = vec![];
    for (path, text) in rust() {
        let lines = product(&text).lines().count();
        if lines > 600 && !is_test(&path) && !LONG.iter().any(|(long, _)| *long == path) {
            wrong.push(format!("{path}: {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "split by job, or give the reason in LONG:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_holds() {
    let wrong: Vec<_> =
        rust().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(wrong.is_empty(), "no module head in:\n{}", wrong.join("\n"));
}

#[test]
fn words_that_do_not_belong_here() {
    let forbidden = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("#[all", "ow("),
        concat!("/ro", "ot/.cargo"),
        concat!("deb.deb", "ian.org"),
    ];
    let mut wrong = vec![];
    let mut all = vec![];
    for extension in ["rs", "toml", "md"] {
        files(&root(), extension, &mut all);
    }
    for path in all {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for word in forbidden {
            if text.contains(word) {
                wrong.push(format!("{}: {word}", relative(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_drawers() {
    let mut wrong = vec![];
    for (path, _) in rust() {
        let stem = Path::new(&path).file_stem().expect("a name").to_string_lossy().into_owned();
        if ["util", "utils", "common", "helpers", "misc", "errors"].contains(&stem.as_str()) {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "name the room by what it holds:\n{}", wrong.join("\n"));
}
