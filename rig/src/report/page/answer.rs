//! The answer first: the conclusion, what was found, what differs.
//!
//! Must not word a finding. Units: rates in per cent. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::ReportModel;
use crate::analysis::words::several;
use crate::report::answer::{Item, conclude, differs, found};

use super::section::Section;
use super::tone::of_tone;

#[derive(Template)]
#[template(path = "page/answer.html")]
struct Answer<'a> {
    tone: &'static str,
    shape: &'static str,
    word: &'static str,
    found: Vec<Told>,
    differs: Vec<Told>,
    /// Where trials can be looked at; empty where there are none.
    anomalies: String,
    sentences: &'a [String],
}

struct Told {
    tone: &'static str,
    shape: &'static str,
    mark: &'static str,
    text: String,
}

pub(super) fn section(model: &ReportModel) -> Section {
    let (tone, word) = conclude(model);
    let (tone, shape, _) = of_tone(tone);
    let anomalies = match model.anomalies.trials.len() {
        0 => String::new(),
        n => format!("{} to look at step by step", several(n, "unexpected trial")),
    };
    let answer = Answer {
        tone,
        shape,
        word,
        found: told(found::items(model)),
        differs: told(differs::items(model)),
        anomalies,
        sentences: &model.sentences,
    };
    Section::new("answer", "The answer", &answer)
}

fn told(items: Vec<Item>) -> Vec<Told> {
    let one = |item: Item| {
        let (tone, shape, _) = of_tone(item.tone);
        Told { tone, shape, mark: item.mark, text: item.text }
    };
    items.into_iter().map(one).collect()
}
