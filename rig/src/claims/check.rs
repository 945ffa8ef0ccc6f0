//! What is asked of a claim before it decides anything: whether it can fall both ways.
//!
//! Holds the checks of a claim against the scenarios that it means. Must not know a run. Units: none.
//! Errors: [`Problems`]; they blame the claim's file, at the place in it. Tests: `tests.rs`, `tests/diagnostics.rs`.

use std::collections::BTreeMap;

use rig_protocol::Script;

use super::catalogue::Set;
use super::cells::Cells;
use super::claim::{Claim, Part};
use super::rule::{Rule, What};
use crate::document::{Document, Findings, Node, Problems, Span, hint};
use crate::script::{Scenario, cannot_end_as};

impl Set {
    /// Checks the own claims against these scenarios.
    ///
    /// # Errors
    /// All that keeps one of them from falling both ways.
    pub fn check(&self, scenarios: &[Scenario]) -> Result<(), Problems> {
        let mut problems = Problems::default();
        for claim in self.own() {
            let name = format!("{}.toml", claim.id);
            if let Some(text) = self.files().get(&claim.id)
                && let Err(wrong) = check(claim, &name, text, scenarios)
            {
                problems.append(wrong);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Checks one claim, whose file has this text.
pub(super) fn check(claim: &Claim, name: &str, text: &str, scenarios: &[Scenario]) -> Result<(), Problems> {
    let (document, mut findings) = Document::parse(name, text)?;
    let nodes = document.root.get("part").and_then(|node| node.value.as_list()).unwrap_or_default();
    for (part, node) in claim.parts.iter().zip(nodes) {
        Checked { id: &claim.id, part, node, scenarios }.check(&mut findings);
    }
    findings.finish(Some(()))
}

/// A part beside its place in the file.
struct Checked<'a> {
    id: &'a str,
    part: &'a Part,
    node: &'a Node,
    scenarios: &'a [Scenario],
}

impl Checked<'_> {
    fn check(&self, findings: &mut Findings) {
        for cells in self.part.selections().chain(&self.part.beside) {
            self.check_selection(cells, findings);
        }
        let meant: Vec<(&Scenario, Script)> =
            self.part.selections().flat_map(|cells| self.meant(cells)).collect();
        for (key, patterns) in self.patterns() {
            self.check_patterns(key, &patterns, &meant, findings);
        }
        self.check_proof(&meant, findings);
    }

    /// A scenario that there is has the parameters that are named.
    fn check_selection(&self, cells: &Cells, findings: &mut Findings) {
        for scenario in
            self.scenarios.iter().filter(|one| cells.scenario.is_plain() && cells.scenario.hold(&one.name))
        {
            let known = || scenario.parameters.iter().map(|parameter| parameter.name.as_str());
            for name in cells.parameters.keys().filter(|name| scenario.parameter(name).is_none()) {
                let message = format!("scenario `{}` has no parameter `{name}`", scenario.name);
                let help = hint(name, known(), "its parameters");
                findings.report(self.node.span.clone(), message, "in this part").help(help);
            }
        }
    }

    /// The scenarios of a selection, each with the script that its cells play.
    fn meant<'s>(&'s self, cells: &'s Cells) -> impl Iterator<Item = (&'s Scenario, Script)> {
        let named = |scenario: &Scenario| scenario.claims.iter().any(|id| id == self.id);
        let takes = move |scenario: &&Scenario| {
            cells.scenario.hold(&scenario.name) && (cells.scenario.is_plain() || named(scenario))
        };
        self.scenarios.iter().filter(takes).filter_map(|scenario| {
            let plain = cells
                .parameters
                .iter()
                .filter(|(name, words)| words.is_plain() && scenario.parameter(name).is_some());
            let given: BTreeMap<String, String> =
                plain.map(|(name, words)| (name.clone(), words.0[0].clone())).collect();
            let script = scenario.resolve(&given).ok()?.script;
            Some((scenario, script))
        })
    }

    /// Lists of patterns of the rule, by their key.
    fn patterns(&self) -> Vec<(&'static str, Vec<&str>)> {
        match &self.part.rule {
            Rule::Ends(ends) => {
                vec![("claimed", part_of(&ends.claimed)), ("otherwise", part_of(&ends.otherwise))]
            }
            Rule::Order(order) => {
                vec![("claimed", part_of(&order.claimed)), ("else_claimed", part_of(&order.else_claimed))]
            }
            Rule::Differs(differs) => match &differs.what {
                What::Share(pattern) => vec![("what", vec![pattern.as_str()])],
                What::Rate(_) | What::ClosedBeforeCall | What::Latency => Vec::new(),
            },
            Rule::Returns(_)
            | Rule::PerTrial(_)
            | Rule::Said(_)
            | Rule::Takes(_)
            | Rule::Documented { .. } => Vec::new(),
        }
    }

    /// Each pattern can happen in one of the scenarios, and in each scenario one of the patterns: otherwise one end of the rule is out of reach.
    fn check_patterns(
        &self,
        key: &str,
        patterns: &[&str],
        meant: &[(&Scenario, Script)],
        findings: &mut Findings,
    ) {
        if meant.is_empty() {
            return;
        }
        for (at, pattern) in patterns.iter().enumerate() {
            let refused: Vec<_> =
                meant.iter().filter_map(|(_, script)| cannot_end_as(script, pattern)).collect();
            if refused.len() == meant.len()
                && let Some(why) = refused.into_iter().next()
            {
                let message =
                    format!("no trial of `{}` can end as `{pattern}`: {}", meant[0].0.name, why.label);
                findings.report(self.place(key, at), message, "can never match").maybe_help(why.help);
            }
        }
        for (scenario, script) in meant {
            if patterns.iter().all(|pattern| cannot_end_as(script, pattern).is_some()) {
                let message = format!("no trial of `{}` can end as `{key}` says", scenario.name);
                findings
                    .report(self.place(key, usize::MAX), message, "one end of this rule is out of reach")
                    .help("add a pattern of its outcomes, or leave the scenario out; `rig scenario show` has what it expects");
            }
        }
    }

    /// A block whose counter does not rise is void by the scenario's `proof`: a rule over the same counter could only be supported.
    fn check_proof(&self, meant: &[(&Scenario, Script)], findings: &mut Findings) {
        let Rule::PerTrial(rule) = &self.part.rule else { return };
        let plain = self.part.cells.iter().any(|cells| cells.scenario.is_plain());
        for (scenario, _) in
            meant.iter().filter(|(scenario, _)| plain && rule.counter.is_proven_by(&scenario.proof))
        {
            let name = rule.counter.name();
            let message = format!("`{name}` is what scenario `{}` proves its trials by", scenario.name);
            findings
                .report(self.place("counter", usize::MAX), message, "cannot be refuted")
                .help("a block without it is void (`proof`): name a scenario without that proof, or another counter");
        }
    }

    /// Where the pattern `at` of a key of the rule stands, or the key's value, or the part.
    fn place(&self, key: &str, at: usize) -> Span {
        let rule = self.node.value.as_table().and_then(|part| part.get(self.part.rule.key()));
        let Some(value) = rule.and_then(|rule| rule.value.as_table()?.get(key)) else {
            return self.node.span.clone();
        };
        value.value.as_list().and_then(|items| items.get(at)).unwrap_or(value).span.clone()
    }
}

fn part_of(patterns: &[String]) -> Vec<&str> {
    patterns.iter().map(String::as_str).collect()
}
