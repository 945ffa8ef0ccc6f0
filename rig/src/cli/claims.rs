//! `rig claims`: the claims, and what decides each of them.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::image::Format;
use super::output::print;
use super::{Exit, Failure, called, width};
use crate::claims::{Cells, Claim, Part, Set};
use crate::document::{Problem, Problems};
use crate::report::{Align, Page, Table};

/// Arguments of `rig claims`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Explain these claims instead of listing all
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// A folder with claims of your own, one file `ID.toml` each
    #[arg(long, value_name = "DIR")]
    claims: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let set = read(arguments.claims.as_deref())?;
    let asked = asked(&set, &arguments.ids)?;
    print(&match arguments.format {
        Format::Json => {
            let claims: Vec<Json> = asked.iter().map(|claim| described(claim)).collect();
            format!("{:#}\n", json!({ "format": 1, "claims": claims }))
        }
        Format::Text if arguments.ids.is_empty() => table(&asked),
        Format::Text => asked.iter().map(|claim| explained(claim)).collect::<Vec<_>>().join("\n"),
    })
}

/// The shipped claims, and those of a folder.
pub(super) fn read(folder: Option<&std::path::Path>) -> Result<Set, Failure> {
    folder.map_or_else(|| Ok(Set::shipped()), Set::with_folder).map_err(Failure::input)
}

fn asked<'s>(set: &'s Set, ids: &[String]) -> Result<Vec<&'s Claim>, Failure> {
    if ids.is_empty() {
        return Ok(set.iter().collect());
    }
    let (mut found, mut problems) = (Vec::new(), Problems::default());
    for id in ids {
        match set.get(&id.to_uppercase()) {
            Some(claim) => found.push(claim),
            None => {
                let message = format!("there is no claim `{id}`");
                let mut problem = Problem::in_text("command line", id, 0..id.len(), message, "not a claim");
                problem.help(set.nearest(&id.to_uppercase()));
                problems.append(problem.into());
            }
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Failure::input(problems)) }
}

/// Each word once, in order.
fn once(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all
}

fn scenarios(claim: &Claim) -> Vec<String> {
    let of = |cells: &Cells| {
        cells
            .scenario
            .0
            .iter()
            .map(|name| if name == "*" { "any".to_owned() } else { name.clone() })
            .collect::<Vec<_>>()
    };
    once(claim.parts.iter().flat_map(|part| part.selections()).flat_map(of))
}

fn table(claims: &[&Claim]) -> String {
    let mut table = Table::new([
        ("claim", Align::Left),
        ("rules", Align::Left),
        ("scenarios", Align::Left),
        ("what is claimed", Align::Left),
    ]);
    let or_none = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(" ") };
    for claim in claims {
        let rules = once(claim.parts.iter().map(|part| part.rule.key().to_owned()));
        table.row([claim.id.clone(), or_none(rules), or_none(scenarios(claim)), claim.text.clone()]);
    }
    let mut page = Page::new(width::for_table(), called::worded);
    table.write(&mut page, 2);
    page.into_text()
}

fn explained(claim: &Claim) -> String {
    let mut page = Page::new(width::for_text(), called::worded);
    page.wrap("", &format!("{}: {}", claim.id, claim.text), 5);
    page.wrap("  ", &format!("source: {}", claim.source.words()), 4);
    if let Some(prediction) = claim.prediction {
        let said = match prediction {
            crate::claims::Prediction::True => "that it holds on Linux",
            crate::claims::Prediction::False => "that it does not hold on Linux",
            crate::claims::Prediction::Conditional => "that it holds under a condition",
        };
        page.wrap("  ", &format!("expected: {said}; no rule reads this"), 4);
    }
    if let Some(note) = &claim.note {
        page.wrap("  ", &format!("note: {note}"), 4);
    }
    match claim.parts.as_slice() {
        [] => page.wrap("  ", "no scenario tests it yet", 4),
        [one] => part(&mut page, "  ", one),
        several => {
            for (at, one) in several.iter().enumerate() {
                page.wrap("  ", &format!("part {} of {}: {}", at + 1, several.len(), one.text), 4);
                part(&mut page, "    ", one);
            }
        }
    }
    page.into_text()
}

fn part(page: &mut Page, indent: &str, part: &Part) {
    let words = part.in_words();
    let mut line = |what: &str, said: &str| page.wrap(indent, &format!("{what}: {said}"), indent.len() + 2);
    line("rule", &format!("{}: {}", part.rule.key(), words.looks_at));
    let list = |cells: &[Cells]| cells.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if !part.cells.is_empty() {
        line("cells", &list(&part.cells));
    }
    if !part.beside.is_empty() {
        line("shown beside", &list(&part.beside));
    }
    for requirement in &part.requires {
        line("requires", &format!("{}: {}", requirement.word(), requirement.meaning()));
    }
    if let Some(what) = &part.by_construction {
        line("by construction", what);
    }
    if words.supported != words.refuted {
        line("supported where", &words.supported);
        line("refuted where", &words.refuted);
    }
}

/// For programs.
fn described(claim: &Claim) -> Json {
    let of_part = |part: &Part| {
        let words = part.in_words();
        json!({
            "text": part.text,
            "rule": part.rule.key(),
            "looks_at": words.looks_at,
            "supported": words.supported,
            "refuted": words.refuted,
            "cells": part.selections().map(ToString::to_string).collect::<Vec<_>>(),
            "beside": part.beside.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "requires": part.requires.iter().map(|one| one.word()).collect::<Vec<_>>(),
            "by_construction": part.by_construction,
        })
    };
    json!({
        "id": claim.id,
        "text": claim.text,
        "source": claim.source.words(),
        "prediction": claim.prediction.map(crate::claims::Prediction::word),
        "note": claim.note,
        "scenarios": scenarios(claim),
        "parts": claim.parts.iter().map(of_part).collect::<Vec<_>>(),
    })
}
