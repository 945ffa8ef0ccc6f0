//! The pages that the binary carries: what `rig docs` shows, and what the repository has in `rig/docs/`.
//!
//! Holds the list of the pages and their text as it is written, Markdown. Must not know how a page is shown; what is generated in a page is checked by `tests/docs.rs`.
//! Units: none. Errors: none; an unknown topic is the caller's to tell. Tests: below.

/// A page of the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The word that names it: `rig docs TOPIC`, and the stem of its file.
    pub topic: &'static str,
    /// What a reader gets, in one line.
    pub about: &'static str,
    /// The whole page, Markdown.
    pub text: &'static str,
}

macro_rules! page {
    ($topic:literal, $about:literal) => {
        Page { topic: $topic, about: $about, text: include_str!(concat!("../../docs/", $topic, ".md")) }
    };
}

/// Every page, in the order in which a newcomer reads them.
pub const PAGES: &[Page] = &[
    page!("scenarios", "write a scenario: its keys, every operation, label and value"),
    page!("programs", "your own program as the client: what the kernel said, what libc held, what it said"),
    page!("configurations", "where the measured kernel runs: NICs, backends, accelerators, how to add one"),
    page!(
        "hardware",
        "properties of a NIC's device, machine versions, CPUs, another QEMU: what is checked, and what is verified in the guest"
    ),
    page!("paths", "what lies between the two ends: links, faults, firewalls, every key"),
    page!("matrix", "the matrix file: axes, profiles, controls, filters, every key"),
    page!("images", "guest kernels and what else is in a guest: recipes, and how to build and remove images"),
    page!("kernels", "kernels of your own: a built tree, a bzImage, .deb files; what they must have"),
    page!("exit-codes", "what each exit code means for a script, and the JSON of a failure"),
    page!("claims", "every claim that is tested, who says it, and what decides it"),
    page!("report", "the report and its page, comparisons, and playing a block again"),
    page!("nightly", "a run every night: timers, schedulers, and who is told"),
    page!("results", "the runs of a folder: list them, carry one as a file, remove old ones"),
    page!("history", "many nights as one: what got worse, since when, and who is told"),
    page!("measurement", "how rig measures, and what keeps a comparison fair"),
    page!("record", "what lies in a run's folder: every file, field, column and label"),
    page!("glossary", "what the words mean"),
    page!("architecture", "how the code is laid out, and where to add what"),
    page!("contributing", "tests, snapshots, generated pages, commits"),
];

/// The page of a topic.
pub fn find(topic: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.topic == topic)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_page_is_in_the_list_once_and_begins_with_its_title() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .collect();
        let listed: BTreeSet<String> = PAGES.iter().map(|page| page.topic.to_owned()).collect();
        assert_eq!(files, listed);
        assert_eq!(listed.len(), PAGES.len());
        for page in PAGES {
            assert!(page.text.starts_with("# ") && !page.about.is_empty(), "{}", page.topic);
            assert_eq!(find(page.topic).expect(page.topic).text, page.text);
        }
        assert!(find("nothing").is_none());
    }
}
