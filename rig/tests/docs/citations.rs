//! What the sources cite is there: a page by its file's name, a document by its number.
//!
//! Reads the sources of rig, agent and protocol as text. Must not know Rust. Units: lines, from 1. Errors: file and line. Tests: below.

use std::fs;
use std::path::{Path, PathBuf};

use crate::part::page;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn sources() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the tree") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in
        ["rig/src", "rig/scenarios", "rig/explain", "guest-agent/src", "guest-agent/protocol/src", "images"]
    {
        below(&root().join(folder), &mut found);
    }
    assert!(found.len() > 100, "the walk found the sources");
    found
}

/// The names of Markdown files in a line.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    line.split(move |c| !of_name(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.strip_suffix(".md").is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/')))
}

fn is_there(name: &str) -> bool {
    let place = if name.contains('/') { root().join(name) } else { root().join("rig/docs").join(name) };
    let below_rig = root().join("rig").join(name);
    place.is_file() || below_rig.is_file() || (!name.contains('/') && root().join(name).is_file())
}

/// The numbers of documents in a line: `document 000`.
fn documents(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("document ")
        .filter_map(|(at, word)| line.get(at + word.len()..at + word.len() + 3))
        .filter(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

#[test]
fn every_page_and_document_that_the_sources_cite_is_there() {
    let claims = page("claims");
    let mut wrong = Vec::new();
    let mut tried = 0;
    for file in sources() {
        let text = fs::read_to_string(&file).expect("UTF-8");
        for (index, line) in text.lines().enumerate() {
            let at = || format!("{}:{}", file.display(), index + 1);
            for name in cited(line) {
                tried += 1;
                if !is_there(name) {
                    wrong.push(format!("{}: {name}", at()));
                }
            }
            for number in documents(line) {
                tried += 1;
                if !claims.contains(&format!("**{number}**")) {
                    wrong.push(format!("{}: document {number} is not on the page of claims", at()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(tried > 8, "{tried} citations");
}

#[test]
fn a_citation_of_nothing_is_seen() {
    let line = "/// As docs/record.md and (hypotheses.md, \"pin\") say of document 007: see a.md.";
    assert_eq!(cited(line).collect::<Vec<_>>(), ["docs/record.md", "hypotheses.md", "a.md"]);
    assert_eq!(documents(line).collect::<Vec<_>>(), ["007"]);
    assert!(is_there("docs/record.md") && is_there("record.md") && is_there("README.md"));
    assert!(!is_there("hypotheses.md"));
}
