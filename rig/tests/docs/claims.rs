//! The generated parts of `docs/claims.md`: every claim by the document that says it, and the keys of a claim's file.
//!
//! Made of `rig::claims` and of the scenarios that ship. Must not know a rule. Units: none. Errors: none. Tests: below.

use rig::claims::keys::{CELLS, CLAIM, PART, RULES, Rows};
use rig::claims::{Claim, Requirement, Set, Source};
use rig::script::Catalogue;

use crate::markdown::{code, codes, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[
    Part { topic: "claims", name: "claims", make: claims },
    Part { topic: "claims", name: "keys of claims", make: keys },
];

fn claims() -> String {
    let (catalogue, set) = (Catalogue::embedded(), Set::shipped());
    let sections = Source::DOCUMENTS.into_iter().map(|(source, number, letter)| {
        let mut text = format!("### Document {number}: {letter}01 and on\n\n");
        head(
            &mut text,
            &["id", "what is claimed", "rules", "scenarios that name it", "cells that decide it"],
        );
        for claim in set.iter().filter(|claim| claim.source == source) {
            let naming = naming(&catalogue, &claim.id);
            let scenarios = if naming.is_empty() { "none".to_owned() } else { codes(naming.iter()) };
            row(&mut text, &[&code(&claim.id), &claim.text, &rules(claim), &scenarios, &cells(claim)]);
        }
        text
    });
    sections.collect::<Vec<_>>().join("\n")
}

/// The scenarios that ship and name a claim.
fn naming<'c>(catalogue: &'c Catalogue, id: &str) -> Vec<&'c str> {
    let names = catalogue.iter().filter(|scenario| scenario.claims.iter().any(|claim| claim == id));
    names.map(|scenario| scenario.name.as_str()).collect()
}

fn rules(claim: &Claim) -> String {
    let mut rules: Vec<&str> = claim.parts.iter().map(|part| part.rule.key()).collect();
    rules.dedup();
    if rules.is_empty() { "none yet".to_owned() } else { codes(rules.iter()) }
}

fn cells(claim: &Claim) -> String {
    let mut cells: Vec<String> =
        claim.parts.iter().flat_map(|part| part.selections()).map(ToString::to_string).collect();
    cells.dedup();
    if cells.is_empty() { "none".to_owned() } else { cells.join("; ").replace('*', "\\*") }
}

fn keys() -> String {
    let mut text = String::new();
    let mut table = |title: &str, rows: Rows| {
        text.push_str(&format!("{title}\n\n"));
        head(&mut text, &["key", "value", "meaning"]);
        for (key, value, meaning) in rows {
            row(&mut text, &[&code(key), value, meaning]);
        }
        text.push('\n');
    };
    table("The file:", CLAIM);
    table("A part:", PART);
    table("A selection of cells, where a word with a `!` in front is any but that:", CELLS);
    for (rule, rows) in RULES {
        table(&format!("Rule `{rule}`:"), rows);
    }
    text.push_str("Words of `requires`:\n\n");
    head(&mut text, &["word", "what it asks for"]);
    for (_, word, meaning) in Requirement::ALL {
        row(&mut text, &[&code(word), meaning]);
    }
    text
}

#[test]
fn every_claim_is_on_the_page_under_its_document() {
    let page = page("claims");
    let mut found = 0;
    for (source, number, _) in Source::DOCUMENTS {
        let (_, section) = page.split_once(&format!("\n### Document {number}")).expect("a section");
        let section = section.split("\n### ").next().expect("split gives at least one");
        for claim in Set::shipped().iter().filter(|claim| claim.source == source) {
            assert!(section.contains(&format!("| `{}` | {} |", claim.id, claim.text)), "{}", claim.id);
            found += 1;
        }
        assert!(
            page.contains(&format!("## Document {number}:")) || page.contains(&format!("**{number}**")),
            "{number}"
        );
    }
    assert_eq!(found, 97);
}
