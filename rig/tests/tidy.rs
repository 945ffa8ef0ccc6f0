//! The house rules that a compiler does not check: direction of arrows, circles of files, size of files and functions, module heads, words
//! that do not belong here. Each rule is shown to fail on a planted fault.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/literals.rs"]
mod literals;
#[path = "tidy/phrases.rs"]
mod phrases;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use source::Source;

/// Files over 600 lines, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions over 60 lines (file, name, reason).
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

const MOST_FILE_LINES: usize = 600;
const MOST_FUNCTION_LINES: usize = 60;

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

/// Read once for all rules.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut found = vec![];
    files(&root(), "rs", &mut found);
    found.sort();
    assert!(found.len() > 200, "the walk found the sources");
    found
        .into_iter()
        .map(|path| Source::read(&relative(&path), fs::read_to_string(&path).expect("UTF-8")))
        .collect()
});

fn sources() -> Vec<&'static Source> {
    SOURCES.iter().collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

fn architecture() -> String {
    fs::read_to_string(root().join("rig/docs/architecture.md")).expect("the page is there")
}

/// What `rule` says of the tree with these files in it.
fn with_planted(planted: &[(&str, &str)], rule: impl Fn(&[&Source]) -> Vec<String>) -> Vec<String> {
    let planted: Vec<Source> =
        planted.iter().map(|(path, text)| Source::read(path, (*text).to_owned())).collect();
    let all: Vec<&Source> = SOURCES.iter().chain(&planted).collect();
    rule(&all)
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[track_caller]
fn assert_found(wrong: &[String], expected: &str) {
    assert!(
        wrong.iter().any(|one| one.contains(expected)),
        "not found: {expected}\nin:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn arrows_between_rooms_are_those_of_the_architecture_page() {
    assert_none(&arrows::between_rooms(&sources(), &arrows::table(&architecture())));
}

#[test]
fn a_wrong_arrow_and_a_stale_table_are_found() {
    let table = arrows::table(&architecture());
    let rule = |all: &[&Source]| arrows::between_rooms(all, &table);
    let upward = "//! x\nuse crate::report::render;\nfn f() { g!(crate::cli::main) }\n";
    let wrong = with_planted(&[("rig/src/script/planted.rs", upward)], rule);
    assert_found(&wrong, "rig/src/script/planted.rs:2: `script` must not use `report`");
    assert_found(&wrong, "rig/src/script/planted.rs:3: `script` must not use `cli`");
    let wrong = with_planted(&[("rig/src/attic/mod.rs", "//! x\n")], rule);
    assert_found(&wrong, "the table has no row for room `attic`");

    let all = sources();
    let mut unused = table.clone();
    unused.get_mut("console").expect("a row").insert("clock".to_owned());
    assert_found(
        &arrows::between_rooms(&all, &unused),
        "lets `console` use `clock`, and nothing in `console` does",
    );
    let mut stale = table.clone();
    stale.insert("attic".to_owned(), Default::default());
    assert_found(&arrows::between_rooms(&all, &stale), "a row for `attic`, which is no room");
    let mut back = table;
    back.get_mut("document").expect("a row").insert("cli".to_owned());
    assert_found(&arrows::between_rooms(&all, &back), "rooms in a circle");
}

/// Names that the audit may have of the record: what opens files, and says what the disk said.
const AUDIT_OF_THE_RECORD: &[&str] = &["Folder", "RecordError"];

/// What the audit uses of what it audits.
fn shared_with_the_audit(sources: &[&Source]) -> Vec<String> {
    let mut wrong = vec![];
    for source in sources.iter().filter(|source| source.path.starts_with("rig/src/audit/")) {
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim();
            let foreign = ["rig_stats", "rig_protocol"].iter().any(|name| line.contains(name));
            let of_record = line.split_once("crate::record::").filter(|_| !line.starts_with("//"));
            let names = |rest: &str| {
                let end =
                    rest.find(|c: char| !(c.is_alphanumeric() || "_{} ,".contains(c))).unwrap_or(rest.len());
                rest[..end]
                    .split(['{', '}', ',', ' '])
                    .map(str::to_owned)
                    .filter(|name| !name.is_empty())
                    .collect()
            };
            let names: Vec<String> = of_record.map(|(_, rest)| names(rest)).unwrap_or_default();
            if foreign || names.iter().any(|name| !AUDIT_OF_THE_RECORD.contains(&name.as_str())) {
                wrong.push(format!("{}:{}: {line}", source.path, number + 1));
            }
        }
    }
    wrong
}

#[test]
fn the_audit_shares_nothing_with_what_it_audits() {
    assert!(sources().iter().filter(|source| source.path.starts_with("rig/src/audit/")).count() > 10);
    assert_none(&shared_with_the_audit(&sources()));
}

#[test]
fn what_an_audit_shares_is_found() {
    let planted = "//! x\nuse crate::record::{Folder, Reader};\nuse crate::record::Folder;\nfn f() { rig_stats::holm(&[]) }\nuse crate::record::format::RunRecord;\n";
    let wrong = with_planted(&[("rig/src/audit/planted.rs", planted)], shared_with_the_audit);
    let lines: Vec<&str> = wrong.iter().filter_map(|one| one.split(':').nth(1)).collect();
    assert_eq!(lines, ["2", "4", "5"], "{wrong:?}");
}

#[test]
fn no_circle_of_files() {
    assert_none(&arrows::circles_of_files(&sources()));
}

#[test]
fn a_circle_of_files_is_found() {
    let wrong = with_planted(
        &[
            ("rig/src/script/planted_a.rs", "//! x\nuse super::planted_b::B;\npub struct A(B);\n"),
            // By way of a module that only hands the name on, and inside a macro.
            ("rig/src/script/planted_c/mod.rs", "//! x\npub use super::planted_a::A;\n"),
            (
                "rig/src/script/planted_b.rs",
                "//! x\npub struct B;\nfn f() { m!(crate::script::planted_c::A) }\n",
            ),
        ],
        arrows::circles_of_files,
    );
    assert_found(&wrong, "files in a circle: rig/src/script/planted_a.rs, rig/src/script/planted_b.rs");
    assert_found(&wrong, "rig/src/script/planted_a.rs -> rig/src/script/planted_b.rs: B");
}

fn long_functions(sources: &[&Source]) -> Vec<String> {
    let mut wrong = vec![];
    for source in sources.iter().filter(|source| !source.is_test()) {
        for function in source.functions.iter().filter(|function| function.lines > MOST_FUNCTION_LINES) {
            let listed =
                |(path, name, _): &&(&str, &str, &str)| *path == source.path && *name == function.name;
            if LONG_FUNCTIONS.iter().find(listed).is_none() {
                let source::Function { name, line, lines } = function;
                wrong.push(format!("{}:{line}: `{name}` has {lines} lines", source.path));
            }
        }
    }
    for (path, name, _) in LONG_FUNCTIONS {
        let needed = sources.iter().filter(|source| source.path == *path).any(|source| {
            source.functions.iter().any(|one| one.name == *name && one.lines > MOST_FUNCTION_LINES)
        });
        if !needed {
            wrong.push(format!("{path}: `{name}` is on the list of long functions and is none"));
        }
    }
    wrong
}

#[test]
fn functions_stay_small() {
    assert_none(&long_functions(&sources()));
}

#[test]
fn a_long_function_is_found() {
    let of = |lines: usize| {
        let body = "    f();\n".repeat(lines - 2);
        let text =
            format!("//! x\nimpl X {{\nfn planted() {{\n{body}}}\n}}\n#[cfg(test)]\nfn t() {{\n{body}}}\n");
        with_planted(&[("rig/src/planted.rs", &text)], long_functions)
    };
    assert_found(&of(61), "rig/src/planted.rs:3: `planted` has 61 lines");
    assert!(!of(60).iter().any(|one| one.contains("planted")));
    assert!(!of(61).iter().any(|one| one.contains("`t`")), "test code may be long");
}

fn long_files(sources: &[&Source]) -> Vec<String> {
    let long = |source: &&&Source| !source.is_test() && source.product_lines().count() > MOST_FILE_LINES;
    let unlisted = |source: &&&Source| !LONG_FILES.iter().any(|(path, _)| *path == source.path);
    let lines = |source: &&Source| format!("{}: {} lines", source.path, source.product_lines().count());
    sources.iter().filter(long).filter(unlisted).map(lines).collect()
}

#[test]
fn files_stay_small() {
    assert_none(&long_files(&sources()));
}

#[test]
fn a_long_file_is_found_whatever_stands_in_its_middle() {
    let tests = "#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
    let text = |lines: usize| format!("//! x\n{tests}{}", "const X: u8 = 0;\n".repeat(lines - 1));
    let of = |lines| with_planted(&[("rig/src/planted.rs", &text(lines))], long_files);
    assert_found(&of(601), "rig/src/planted.rs: 601 lines");
    assert!(of(600).is_empty());
}

#[test]
fn every_file_begins_with_what_it_holds() {
    let bare = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    assert_none(&bare.map(|source| format!("no module head in {}", source.path)).collect::<Vec<_>>());
}

/// The one place that writes to the standard streams.
const WRITERS: &[&str] = &["rig/src/cli/output.rs"];

#[test]
fn only_the_guarded_writers_print() {
    let mut wrong = vec![];
    for source in sources().iter().filter(|source| source.path.starts_with("rig/src/") && !source.is_test()) {
        if WRITERS.contains(&source.path.as_str()) {
            continue;
        }
        for (number, line) in source.product_lines() {
            // `println!` is part of the others' names.
            if ["println!(", "print!(", "panic_any("].iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&wrong);
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
    assert_none(&wrong);
}

/// Data files whose texts people read.
const TEXTS: &[&str] = &["rig/scenarios", "rig/explain", "images"];

#[test]
fn texts_are_plain() {
    let mut wrong = phrases::in_literals(&sources());
    let mut pages = vec![root().join("matrix.toml")];
    TEXTS.iter().for_each(|folder| files(&root().join(folder), "toml", &mut pages));
    assert!(pages.len() > 30, "the walk found the texts");
    for page in pages {
        wrong.extend(phrases::in_page(&relative(&page), &fs::read_to_string(&page).expect("UTF-8")));
    }
    assert_none(&wrong);
}

#[test]
fn a_riddle_is_found_wherever_it_is_written() {
    let of = |text: &str| with_planted(&[("rig/src/planted.rs", text)], phrases::in_literals);
    let planted = "//! x\n#[error(\"a zero stands \\\n    for nothing\")]\nstruct S;\nfn f() { g(format!(\"{x} cannot be meant\")) }\nconst C: &str = \"this is no answer\";\n";
    let wrong = of(planted);
    assert_found(&wrong, "rig/src/planted.rs:5: `cannot be meant`: say which value");
    assert_found(&wrong, "rig/src/planted.rs:6: `is no`");
    assert_found(&wrong, "rig/src/planted.rs:2: `stands for`");
    let right = "//! x\n/// It cannot be meant.\nconst C: &str = \"there is no answer, and this is no longer one\";\n#[cfg(test)]\nmod tests { const C: &str = \"aloud\"; }\nfn f() { g().expect(\"he reads\") }\n";
    assert_eq!(of(right), phrases::in_literals(&sources()));
    assert_found(&phrases::in_page("a.toml", "its number\ncomes\nto one"), "a.toml: `comes to`");
}

#[test]
fn no_drawers() {
    let drawers = ["util", "utils", "common", "helpers", "misc", "errors"];
    let stem =
        |source: &Source| Path::new(&source.path).file_stem().expect("a name").to_string_lossy().into_owned();
    let wrong: Vec<_> = sources()
        .iter()
        .filter(|source| drawers.contains(&stem(source).as_str()))
        .map(|s| s.path.clone())
        .collect();
    assert_none(&wrong);
}

#[test]
fn what_is_depended_on_is_allowed() {
    let rules = fs::read_to_string(root().join(".deny.toml")).expect("the file is there");
    let rules = dependencies::Rules::parse(&rules);
    let metadata = dependencies::metadata(&root());
    assert!(metadata["packages"].as_array().is_some_and(|all| all.len() > 50), "cargo knows the packages");
    assert_none(&rules.broken_by(&metadata));
    let planted = serde_json::json!({
        "packages": [
            {"id": "a", "name": "planted", "license": "MIT AND GPL-3.0-only", "source": "git+https://example.org/planted"},
            {"id": "b", "name": "anyhow", "license": "MIT", "source": null},
        ],
        "resolve": {"nodes": [{"id": "a", "dependencies": ["b"]}]},
    });
    let wrong = rules.broken_by(&planted);
    assert_found(&wrong, "planted comes from git+");
    assert_found(&wrong, "planted has the licence \"MIT AND GPL-3.0-only\"");
    assert_found(&wrong, "planted depends on anyhow: ");
}
