//! From the text of a claim's file to the claim, or to all that is wrong with it.
//!
//! Holds the keys of the file and of a part (`reading` has those of rules, `selection` those of cells). Must not know scenarios: `check` asks them.
//! Units: shares of 1. Errors: [`Problems`]; they blame the file. Tests: `tests.rs`, `tests/diagnostics.rs`.

use super::cells::Cells;
use super::claim::{Claim, Part, Prediction, Requirement, Source};
use super::keys::{self, names};
use super::reading;
use super::rule::Rule;
use super::selection::selection;
use crate::document::{Document, Findings, Node, Problem, Problems, Table, Value, hint};
use crate::script::is_claim_id;

/// More characters than this do not fit into a table.
pub(super) const LONGEST_TEXT: usize = 100;

/// Reads one file.
///
/// # Errors
/// All problems of the text at once.
pub(super) fn claim(id: &str, name: &str, text: &str) -> Result<Claim, Problems> {
    let (document, mut findings) = Document::parse(name, text)?;
    if !is_claim_id(id) {
        let message = format!("`{id}` is not the id of a claim");
        let mut problem = Problem::in_text(name, id, 0..id.len(), message, "the name of the file");
        problem
            .help("an id is a capital letter with capitals and digits behind it: `U1.toml` has the claim U1");
        findings.absorb(problem.into());
    }
    let claim = read(id, &document.root, &mut findings);
    findings.finish(claim)
}

fn read(id: &str, root: &Table, findings: &mut Findings) -> Option<Claim> {
    findings.refuse_unknown_keys(root, "the file of a claim", &names(keys::CLAIM));
    let claimed = text(root, findings, "text", LONGEST_TEXT);
    if root.get("text").is_none() {
        findings.missing(
            0..0,
            "the file of a claim",
            "text",
            "`text = \"after a RST, read() gives ECONNRESET\"`",
        );
    }
    let source = source(root, findings);
    let prediction = prediction(root, findings);
    let note = text(root, findings, "note", usize::MAX);
    let nodes: &[Node] = match root.get("part") {
        Some(node) => findings.list(node, "`part`").unwrap_or_default(),
        None => &[],
    };
    let claimed = claimed.unwrap_or_default();
    let single = (nodes.len() == 1).then_some(claimed.as_str());
    let parts: Vec<Part> = nodes.iter().filter_map(|node| part(node, single, findings)).collect();
    Some(Claim { id: id.to_owned(), text: claimed, source: source?, prediction, note, parts })
}

fn source(root: &Table, findings: &mut Findings) -> Option<Source> {
    match (root.get("document"), root.get("source")) {
        (Some(node), None) => {
            let number = findings.string(node, "`document`")?;
            let known = Source::DOCUMENTS.into_iter().find(|(_, known, _)| *known == number);
            if known.is_none() {
                let help = hint(number, Source::DOCUMENTS.map(|(_, number, _)| number), "the documents");
                let message = format!("there is no document `{number}`");
                findings
                    .report(node.span.clone(), message, "not one of the three")
                    .help(format!("{help}; who says something else is named by `source`"));
            }
            known.map(|(source, ..)| source)
        }
        (None, Some(node)) => findings.string(node, "`source`").map(|words| Source::Other(words.to_owned())),
        (Some(_), Some(node)) => {
            findings
                .report(node.span.clone(), "a claim has `document` or `source`, not both", "one too many")
                .help("`document` is for the three documents, `source` for everything else");
            None
        }
        (None, None) => {
            findings.missing(0..0, "the file of a claim", "source", "`source = \"the manual, page 7\"`");
            None
        }
    }
}

fn prediction(root: &Table, findings: &mut Findings) -> Option<Prediction> {
    let node = root.get("prediction")?;
    let found = match &node.value {
        Value::Boolean(true) => Some(Prediction::True),
        Value::Boolean(false) => Some(Prediction::False),
        Value::String(word) if word == Prediction::Conditional.word() => Some(Prediction::Conditional),
        _ => None,
    };
    if found.is_none() {
        let help = "it is `true`, `false` or `\"under a condition\"`";
        findings.report(node.span.clone(), "`prediction` is wrong", "not a prediction").help(help);
    }
    found
}

/// A text of one line, of so many characters at most.
fn text(table: &Table, findings: &mut Findings, key: &str, most: usize) -> Option<String> {
    let node = table.get(key)?;
    let text = findings.string(node, &format!("`{key}`"))?.trim();
    let length = text.chars().count();
    if length == 0 || length > most {
        let label =
            if length == 0 { "empty".to_owned() } else { format!("{length} characters, at most {most}") };
        findings.report(node.span.clone(), format!("`{key}` does not fit into a table"), label);
    }
    Some(text.to_owned())
}

fn part(node: &Node, single: Option<&str>, findings: &mut Findings) -> Option<Part> {
    let table = findings.table(node, "a part")?;
    findings.refuse_unknown_keys(table, "a part", &names(keys::PART));
    let own = text(table, findings, "text", LONGEST_TEXT);
    if own.is_none() && single.is_none() && table.get("text").is_none() {
        findings.missing(node.span.clone(), "this part", "text", "`text`: what it says, of several parts");
    }
    let rule = rule(node, table, findings)?;
    let compares = matches!(rule, Rule::Differs(_));
    let documented = matches!(rule, Rule::Documented { .. });
    if table.get("cells").is_none() && !compares && !documented {
        findings.missing(node.span.clone(), "this part", "cells", "`cells = [{ scenario = \"rst\" }]`");
    }
    if compares && let Some((key, _)) = table.entry("cells") {
        let message = "a part that compares two selections has no `cells` of its own";
        findings
            .report(key.span.clone(), message, "not here")
            .help("write them into `a` and `b` of `differs`");
    }
    Some(Part {
        text: own.or(single.map(str::to_owned)).unwrap_or_default(),
        cells: selections(table, findings, "cells"),
        beside: selections(table, findings, "beside"),
        requires: requires(table, findings),
        rule,
        by_construction: text(table, findings, "by_construction", usize::MAX),
    })
}

fn rule(node: &Node, table: &Table, findings: &mut Findings) -> Option<Rule> {
    let of_rules = |name: &str| keys::RULES.iter().any(|(rule, _)| *rule == name);
    let mut found = table.entries.iter().filter(|(key, _)| of_rules(&key.name));
    let there_are = keys::RULES.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some((key, value)) = found.next() else {
        findings
            .report(node.span.clone(), "this part has no rule", "nothing decides it")
            .help(format!("a part has one of {there_are}"));
        return None;
    };
    if let Some((other, _)) = found.next() {
        findings
            .report(other.span.clone(), "a part has one rule", "a second one")
            .also(key.span.clone(), "the first")
            .help("what is decided by two rules is two parts");
    }
    reading::rule(&key.name, value, findings)
}

fn requires(table: &Table, findings: &mut Findings) -> Vec<Requirement> {
    let Some(node) = table.get("requires") else { return Vec::new() };
    let words = findings.strings(node, "`requires`").unwrap_or_default();
    let mut found = Vec::new();
    for (word, span) in words {
        match Requirement::ALL.into_iter().find(|(_, known, _)| *known == word) {
            Some((requirement, ..)) => found.push(requirement),
            None => {
                let help =
                    findings.hint(&word, Requirement::ALL.map(|(_, word, _)| word), "a part can require");
                let message = format!("nothing is required by `{word}`");
                findings.report(span, message, "not a requirement").maybe_help(help);
            }
        }
    }
    found
}

fn selections(table: &Table, findings: &mut Findings, key: &str) -> Vec<Cells> {
    let Some(node) = table.get(key) else { return Vec::new() };
    let nodes = findings.list(node, &format!("`{key}`")).unwrap_or_default();
    if nodes.is_empty() && matches!(node.value, Value::Array(_)) {
        findings.report(node.span.clone(), format!("`{key}` names no cells"), "empty").help("leave it out");
    }
    nodes.iter().filter_map(|node| selection(node, findings, "a selection of cells")).collect()
}
