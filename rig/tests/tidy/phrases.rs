//! Phrases that a reader would have to read twice, in the texts that people see.
//!
//! Holds the list, with a reason for each. Data files with texts are read whole. Units: lines, from 1. Errors: none. Tests: planted phrases, in `tidy.rs`.

use super::source::Source;

/// A phrase that is always wrong in these texts.
struct Phrase {
    /// In lower case, with the spaces that it needs.
    wrong: &'static str,
    /// Longer ones that have it and are right.
    but: &'static [&'static str],
    why: &'static str,
}

const fn phrase(wrong: &'static str, why: &'static str) -> Phrase {
    Phrase { wrong, but: &[], why }
}

const PHRASES: &[Phrase] = &[
    phrase("aloud", "a program does not speak: it prints, or reports"),
    phrase("cannot be meant", "say which value is not valid, and of what"),
    phrase(" is meant", "say what a thing is for, or what is right"),
    phrase(" comes to ", "say what the result is"),
    phrase("stand for", "say what counts as what"),
    phrase("stands for", "say what counts as what, or replaces what"),
    phrase(" serves", "say that a thing is used, or works"),
    phrase(" dice", "say random, with its odds"),
    phrase("be said of", "say what has no result, and why"),
    phrase("as long as it takes", "name the limit"),
    phrase("count for nothing", "say that it does not count"),
    phrase(" he ", "people are they"),
    phrase(" his ", "people are they"),
    Phrase { wrong: " is no ", but: &["there is no ", " is no longer "], why: "write `is not a`" },
];

/// Each phrase of the list in a string literal of the sources.
pub(crate) fn in_literals(sources: &[&Source]) -> Vec<String> {
    let shown = |source: &&&Source| source.path.starts_with("rig/src/") && !source.is_test();
    let mut wrong = vec![];
    for source in sources.iter().filter(shown) {
        for (line, text) in source.literals.iter().filter(|(line, _)| !source.is_test_line(*line)) {
            wrong.extend(said(&format!("{}:{line}", source.path), text));
        }
    }
    wrong
}

/// Each phrase of the list in a text, by its lines joined: a phrase may be broken at the end of one.
pub(crate) fn in_page(path: &str, text: &str) -> Vec<String> {
    said(path, &text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn said(place: &str, text: &str) -> Vec<String> {
    let lower = format!(" {} ", text.to_lowercase());
    let has = |Phrase { wrong, but, .. }: &&Phrase| {
        but.iter().fold(lower.clone(), |text, right| text.replace(right, "")).contains(wrong)
    };
    let told = |Phrase { wrong, why, .. }: &Phrase| format!("{place}: `{}`: {why}", wrong.trim());
    PHRASES.iter().filter(has).map(told).collect()
}
