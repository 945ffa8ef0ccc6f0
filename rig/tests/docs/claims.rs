//! The generated part of `docs/claims.md`: every claim, by the document that says it.
//!
//! Made of `analysis::claims` and of the scenarios that ship. Must not know a rule. Units: none. Errors: none. Tests: below.

use rig::analysis::claims::{At, Source, StatedClaim, stated};
use rig::script::Catalogue;

use crate::markdown::{code, codes, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[Part { topic: "claims", name: "claims", make: claims }];

fn claims() -> String {
    let catalogue = Catalogue::embedded();
    let sections = Source::ALL.into_iter().map(|(source, number, letter)| {
        let mut text = format!("### Document {number}: {letter}01 and on\n\n");
        head(
            &mut text,
            &["id", "what is claimed", "decided by counts", "scenarios that name it", "cells that test it"],
        );
        for claim in stated().filter(|claim| Source::of(claim.id) == Some(source)) {
            let decided = if claim.decided { "yes" } else { "no" };
            let naming = naming(&catalogue, claim.id);
            let scenarios = if naming.is_empty() { "none".to_owned() } else { codes(naming.iter()) };
            row(
                &mut text,
                &[&code(claim.id), claim.text, decided, &scenarios, &cells(&claim, !naming.is_empty())],
            );
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

fn cells(claim: &StatedClaim, named: bool) -> String {
    let of = |at: &At| match at.paths {
        [] => format!("{} on any path", code(at.scenario)),
        paths => format!("{} on {}", code(at.scenario), codes(paths)),
    };
    match (claim.at, named) {
        ([], true) => "all of them".to_owned(),
        ([], false) => "none".to_owned(),
        (at, _) => at.iter().map(of).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn every_claim_is_on_the_page_under_its_document() {
    let page = page("claims");
    let mut found = 0;
    for (source, number, _) in Source::ALL {
        let (_, section) = page.split_once(&format!("\n### Document {number}")).expect("a section");
        let section = section.split("\n### ").next().expect("split gives at least one");
        for claim in stated().filter(|claim| Source::of(claim.id) == Some(source)) {
            assert!(section.contains(&format!("| `{}` | {} |", claim.id, claim.text)), "{}", claim.id);
            found += 1;
        }
        assert!(
            page.contains(&format!("## Document {number}:")) || page.contains(&format!("**{number}**")),
            "{number}"
        );
    }
    assert_eq!(found, stated().count());
}
