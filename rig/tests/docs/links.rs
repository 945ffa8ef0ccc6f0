//! Every relative link of the documentation leads somewhere: to a file that is there, and to a heading that is in it.
//!
//! Headings become anchors as GitHub makes them. Must not look at the network. Units: none. Errors: file and link. Tests: below.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::part::text_of;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All Markdown that people read: the pages, what lies beside the sources for newcomers.
fn files() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    below(&root().join("rig/docs"), &mut found);
    below(&root().join(".github"), &mut found);
    found
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The targets of `[text](target)`, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, behind)) = after.split_once(')') else { break };
            found.push(target.to_owned());
            rest = behind;
        }
    }
    found
}

/// The anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim();
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String = title.to_lowercase().chars().filter(|c| plain(*c)).collect();
        let slug = slug.replace(' ', "-");
        let times = count.entry(slug.clone()).or_default();
        found.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
        *times += 1;
    }
    found
}

/// Why a link of the file leads nowhere.
fn broken(file: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let to = if path.is_empty() { file.to_owned() } else { file.parent().expect("a folder").join(path) };
    if !to.exists() {
        return Some(format!("{}: {target}: no such file", file.display()));
    }
    let anchor = anchor?;
    let text = text_of(&to);
    (!anchors(&text).contains(anchor)).then(|| format!("{}: {target}: no such heading", file.display()))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut tried = 0;
    let mut wrong = Vec::new();
    for file in files() {
        let text = text_of(&file);
        for target in links(&text) {
            tried += 1;
            wrong.extend(broken(&file, &target));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(tried > 30, "{tried} links");
}

#[test]
fn a_link_to_nowhere_is_seen() {
    let text = "see [a](a.md), [b](#here) and `x`\n```\n[c](c.md)\n```\n";
    assert_eq!(links(text), ["a.md", "#here"]);
    let page = "# A `b`: c_d\n## Same\n## Same\n```sh\n# no heading\n```\n";
    assert_eq!(anchors(page), BTreeSet::from(["a-b-c_d", "same", "same-1"].map(str::to_owned)));
    let readme = root().join("README.md");
    assert!(broken(&readme, "nosuch.md").is_some());
    assert!(broken(&readme, "#no-such-heading").is_some());
    assert!(broken(&readme, "LICENSE").is_none() && broken(&readme, "#license").is_none());
}
