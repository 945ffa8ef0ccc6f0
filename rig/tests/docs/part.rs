//! The one mechanism for generated parts: between two marked lines of a page stands what a generator makes.
//!
//! A part without a generator, a generator without a part and a part that is not what its generator makes now are failures.
//! `RIG_WRITE_DOCS=1` writes the pages. Units: none. Errors: the page and the part. Tests: below.

use std::fs;
use std::path::{Path, PathBuf};

use rig::docs::PAGES;

/// A generated part of a page.
pub(crate) struct Part {
    /// The page.
    pub(crate) topic: &'static str,
    /// As its first and its last line call it.
    pub(crate) name: &'static str,
    /// What stands between them.
    pub(crate) make: fn() -> String,
}

/// Every part of every page.
const PARTS: &[&[Part]] = &[
    crate::claims::PARTS,
    crate::exit_codes::PARTS,
    crate::hardware::PARTS,
    crate::images::PARTS,
    crate::matrix::PARTS,
    crate::paths::PARTS,
    crate::record::PARTS,
    crate::scenarios::PARTS,
];

const BEGINS: &str = ": generated; `RIG_WRITE_DOCS=1 cargo test -p rig --test docs` writes it -->";

fn first_line(name: &str) -> String {
    format!("<!-- {name}{BEGINS}\n")
}

fn last_line(name: &str) -> String {
    format!("<!-- end of {name} -->\n")
}

/// The file of a page.
pub(crate) fn file(topic: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(topic).with_extension("md")
}

/// A page as it lies on the disk: what the program carries is this text at the time of its build. Where the pages are being written, it is what
/// will lie there, whichever test comes first.
pub(crate) fn page(topic: &str) -> String {
    let text = fs::read_to_string(file(topic)).unwrap_or_else(|error| panic!("{topic}: {error}"));
    if !is_writing() {
        return text;
    }
    remade(topic, &text).unwrap_or_else(|why| panic!("rig/docs/{topic}.md has {why}"))
}

/// The text of a file of the documentation, a page or not.
pub(crate) fn text_of(path: &Path) -> String {
    let topic = PAGES.iter().map(|page| page.topic).find(|topic| {
        fs::canonicalize(file(topic)).is_ok_and(|page| fs::canonicalize(path).is_ok_and(|path| path == page))
    });
    let read = || fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    topic.map_or_else(read, page)
}

fn is_writing() -> bool {
    std::env::var_os("RIG_WRITE_DOCS").is_some()
}

/// The page with this part made anew.
fn spliced(page: &str, name: &str, made: &str) -> Result<String, String> {
    let (first, last) = (first_line(name), last_line(name));
    let (before, rest) = page.split_once(&first).ok_or_else(|| format!("no line {}", first.trim_end()))?;
    let (_, after) = rest.split_once(&last).ok_or_else(|| format!("no line {}", last.trim_end()))?;
    Ok(format!("{before}{first}\n{}\n\n{last}{after}", made.trim_end()))
}

/// What a page would be with all of its parts made anew.
fn remade(topic: &str, text: &str) -> Result<String, String> {
    let mut parts = PARTS.iter().copied().flatten().filter(|part| part.topic == topic);
    parts.try_fold(text.to_owned(), |page, part| spliced(&page, part.name, &(part.make)()))
}

/// `RIG_WRITE_DOCS=1` writes the pages.
#[test]
fn every_part_of_every_page_says_what_the_code_says() {
    let mut stale = Vec::new();
    for topic in PAGES.iter().map(|page| page.topic) {
        let old = fs::read_to_string(file(topic)).expect("the page is there");
        let new = remade(topic, &old).unwrap_or_else(|why| panic!("rig/docs/{topic}.md has {why}"));
        if new != old && is_writing() {
            // Other tests read it meanwhile.
            let beside = file(topic).with_extension("md.new");
            fs::write(&beside, new).expect("the page can be written");
            fs::rename(&beside, file(topic)).expect("the page can be replaced");
        } else if new != old {
            stale.push(format!("rig/docs/{topic}.md"));
        }
    }
    let how = "`RIG_WRITE_DOCS=1 cargo test -p rig --test docs` writes them";
    assert!(stale.is_empty(), "not what the code says: {}; {how}", stale.join(", "));
}

#[test]
fn every_part_on_a_page_has_its_generator_and_every_generator_its_page() {
    let mut generators: Vec<(&str, &str)> =
        PARTS.iter().copied().flatten().map(|part| (part.topic, part.name)).collect();
    let mut found: Vec<(&str, String)> = Vec::new();
    for topic in PAGES.iter().map(|page| page.topic) {
        let text = page(topic);
        let names = text.lines().filter_map(|line| line.strip_prefix("<!-- ")?.strip_suffix(BEGINS));
        found.extend(names.map(|name| (topic, name.to_owned())));
    }
    generators.sort_unstable();
    found.sort_unstable();
    let found: Vec<(&str, &str)> = found.iter().map(|(topic, name)| (*topic, name.as_str())).collect();
    assert_eq!(found, generators);
}

#[test]
fn a_stale_part_is_seen_and_made_anew_and_the_rest_of_the_page_stays() {
    let page = format!("# A\n\n{}\nold\n\n{}\nB\n", first_line("x"), last_line("x"));
    let new = spliced(&page, "x", "new\n").expect("the part is there");
    assert_eq!(new, page.replace("old", "new"));
    assert_eq!(spliced(&new, "x", "new").as_deref(), Ok(new.as_str()));
    assert!(spliced(&page, "y", "new").is_err_and(|why| why.contains("<!-- y: generated")));
    assert!(spliced(&page.replace("end of x", "end"), "x", "new").is_err());
}
