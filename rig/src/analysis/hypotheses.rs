//! What the run says about the claims that its cells test.
//!
//! Holds which cells test which claim, and by which rule it is decided. Must not know where a claim was printed.
//! Units: shares of 1. Errors: none; a claim without a judge is undecided, and says so.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use crate::matrix::{Cell, glob_matches};
use crate::record::Run;

use super::Rules;
use super::cells::{Measured, Question};
use super::claims;
use super::controls::Sight;
use super::judges::{self, Finding};
use super::model::{Comparison, Hypothesis, HypothesisVerdict};

use Question::{Ebadf, Enoent};

/// Why a claim without a judge is undecided.
pub const NO_JUDGE: &str = "no judge for this claim in the cells of this run";

/// What a judge may look at.
#[derive(Clone)]
pub(super) struct Evidence<'a> {
    pub(super) run: &'a Run,
    /// The plain cells of the claim that have trials. Proxied ones are left out: their guests never meet the peer's reset.
    pub(super) cells: Vec<&'a Measured<'a>>,
    /// Cells that decide nothing here and that a reader should see beside the others.
    pub(super) beside: Vec<&'a Measured<'a>>,
    pub(super) comparisons: Vec<&'a Comparison>,
    pub(super) sight: &'a Sight,
    pub(super) rules: Rules,
}

/// Cells of a scenario, on paths of these names (globs); no path named is all of them.
#[derive(Debug, Clone, Copy)]
struct At {
    scenario: &'static str,
    paths: &'static [&'static str],
}

const fn at(scenario: &'static str, paths: &'static [&'static str]) -> At {
    At { scenario, paths }
}

impl At {
    fn holds(self, cell: &Cell) -> bool {
        let path = cell.subject.path.name.as_str();
        cell.subject.scenario == self.scenario
            && (self.paths.is_empty() || self.paths.iter().any(|name| glob_matches(name, path)))
    }
}

/// The rule by which a claim is decided.
enum Rule {
    /// By one of its own.
    By(fn(&Evidence<'_>) -> Finding),
    /// It says that select() fails so; see [`judges::fails_on_path`].
    Fails(&'static [Question]),
    /// It says how a script ends; see [`judges::ends_as`].
    Ends { claimed: &'static [&'static str], otherwise: &'static [&'static str] },
}

/// How a claim is decided.
struct Row {
    id: &'static str,
    /// Which cells of those that name the claim test it; none named: all of them.
    at: &'static [At],
    beside: &'static [At],
    rule: Rule,
}

const fn row(id: &'static str, at: &'static [At], rule: Rule) -> Row {
    Row { id, at, beside: &[], rule }
}

const BOTH: &[Question] = &[Ebadf, Enoent];
const FORGED: &[&str] =
    &["forged-plus-1000", "forged-train", "forged-outside", "forged-before-next", "ips-inexact"];

/// Which claims can be decided, and how. A claim that is not named here needs a look that no cell's counts give.
const ROWS: &[Row] = &[
    row("H01", &[], Rule::By(|evidence| judges::never_returned(evidence, &[Enoent]))),
    row("H02", &[], Rule::By(|evidence| judges::never_returned(evidence, &[Ebadf]))),
    row("H03", &[], Rule::By(judges::more_often_in_kvm)),
    row("H08", &[at("rst", &[])], Rule::By(judges::place_decides)),
    row("H13", &[], Rule::By(judges::data_is_discarded)),
    row("H16", &[], Rule::By(judges::order_decides)),
    row("H17", &[at("rst", &["direct", "loopback*"])], Rule::By(judges::loopback_is_late)),
    row("H18", &[at("rst", &["rtt-*"])], Rule::Fails(BOTH)),
    row("H19", &[], Rule::By(judges::more_often_in_kvm)),
    row("H20", &[at("rst", &[])], Rule::By(judges::bottleneck_decides)),
    row("H21", &[at("path-resets", &["firewall-*"])], Rule::By(judges::firewall_resets)),
    row(
        "H22",
        &[at("state-lost", &["firewall-*", "host-gone"])],
        Rule::Ends { claimed: &["readable,ECONNRESET"], otherwise: &["readable,data", "timeout,**"] },
    ),
    Row {
        id: "H23",
        at: &[at("forged-rst", FORGED)],
        // The two inexact numbers that Linux believes.
        beside: &[at("answer-in-two", &["forged-*"]), at("forged-after-fin", &["forged-*"])],
        rule: Rule::Ends { claimed: &["readable,**"], otherwise: &["timeout,ok,data"] },
    },
    Row {
        id: "H24",
        at: &[at("path-resets", &["balancer-*"])],
        beside: &[at("path-resets", &["haproxy-*"])],
        rule: Rule::Ends {
            claimed: &["readable,data,ECONNRESET", "readable,ECONNRESET,eof"],
            otherwise: &["readable,data,eof", "readable,data,EAGAIN", "timeout,**"],
        },
    },
    row("H25", &[at("rst", &["direct", "rtt-*"])], Rule::By(judges::distance_shifts_order)),
    Row {
        id: "H26",
        at: &[at("rst-patient", &["lose-data"])],
        beside: &[at("rst-patient", &["lose-data-and-answer"])],
        rule: Rule::Ends {
            claimed: &["readable,ECONNRESET,eof"],
            otherwise: &["readable,data,**", "timeout,**"],
        },
    },
    row("H27", &[at("rst", &[])], Rule::By(judges::queues_are_purged)),
    row("H28", &[], Rule::By(judges::data_is_discarded)),
    row(
        "H29",
        &[at("rst", &["overtake"])],
        // Both halves are claimed, so either alone contradicts it.
        Rule::Ends {
            claimed: &["EBADF,ECONNRESET,**", "ENOENT,ECONNRESET,**"],
            otherwise: &["readable,**", "timeout,**"],
        },
    ),
    row("H30", &[at("rst", &[])], Rule::By(|evidence| judges::fails_in_kvm(evidence, BOTH))),
    row("H31", &[at("path-resets", &["firewall-*"])], Rule::Fails(BOTH)),
    row("H32", &[at("path-resets", &["balancer-*", "haproxy-*"])], Rule::Fails(BOTH)),
    row("H33", &[at("path-resets", &["ips-*", "forged-*"]), at("forged-rst", FORGED)], Rule::Fails(BOTH)),
    row("H34", &[at("rst", &["overtake"])], Rule::Fails(BOTH)),
    Row {
        id: "H35",
        at: &[at("rst", &["method-1"])],
        beside: &[at("rst", &["jitter", "reorder"])],
        rule: Rule::Fails(BOTH),
    },
    row("H36", &[at("rst", &[])], Rule::By(|evidence| judges::fails_in_kvm(evidence, BOTH))),
    row(
        "H37",
        &[at("rst", &[])],
        Rule::By(|evidence| judges::never_returned_where(evidence, ("peer_delay", "5ms"), BOTH)),
    ),
    row(
        "H38",
        &[at("rst", &["reject-*"]), at("path-resets", &["reject-*"])],
        Rule::By(|evidence| judges::reject_reproduces(evidence, BOTH)),
    ),
    row(
        "H39",
        &[at("rst", &[])],
        Rule::By(|evidence| judges::never_returned_where(evidence, ("client_delay", "1s"), &[Ebadf])),
    ),
    row("H56", &[at("path-resets", &["forged-exact"])], Rule::Fails(&[Ebadf])),
    row("H59", &[], Rule::By(judges::close_sends_a_reset)),
    row(
        "H60",
        &[at("rst-corked", &["direct"])],
        Rule::Ends { claimed: &["readable,ECONNRESET,eof"], otherwise: &["readable,data,**"] },
    ),
];

fn row_of(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

impl Row {
    fn decide(&self, evidence: &Evidence<'_>) -> Finding {
        match &self.rule {
            Rule::By(rule) => rule(evidence),
            Rule::Fails(questions) => judges::fails_on_path(evidence, questions),
            Rule::Ends { claimed, otherwise } => judges::ends_as(evidence, claimed, otherwise),
        }
    }
}

/// Whether a cell tests a claim: its scenario names it, and where the claim is about a path, it is that path.
fn tests(cell: &Cell, id: &str) -> bool {
    let fits = |row: &Row| row.at.is_empty() || row.at.iter().any(|at| at.holds(cell));
    cell.claims.iter().any(|claim| claim == id) && row_of(id).is_none_or(fits)
}

/// Judges every claim that a cell of the plan tests, in the order of their ids.
pub(super) fn judge(
    run: &Run,
    measured: &[Measured<'_>],
    sight: &Sight,
    comparisons: &[Comparison],
    rules: Rules,
) -> Vec<Hypothesis> {
    let named = measured.iter().flat_map(|cell| cell.cell().claims.iter().map(move |id| (cell, id)));
    let mut ids: Vec<&str> =
        named.filter(|(cell, id)| tests(cell.cell(), id)).map(|(_, id)| id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let has_a_say = |cell: &&Measured<'_>| cell.is_plain() && !cell.is_proxied() && cell.tally.trials > 0;
    ids.into_iter()
        .map(|id| {
            let of_claim: Vec<&Measured<'_>> =
                measured.iter().filter(|cell| tests(cell.cell(), id)).collect();
            let cells: Vec<_> = of_claim.iter().copied().filter(has_a_say).collect();
            let (verdict, because) = match row_of(id) {
                None => (HypothesisVerdict::Undecided, NO_JUDGE.to_owned()),
                Some(_) if cells.is_empty() => {
                    let why = "no cell of it has trials (proxied ones do not count)";
                    (HypothesisVerdict::Undecided, why.to_owned())
                }
                Some(row) => {
                    let near = |cell: &&Measured<'_>| row.beside.iter().any(|at| at.holds(cell.cell()));
                    let beside = measured.iter().filter(near).filter(has_a_say).collect();
                    let compared = |c: &&Comparison| cells.iter().any(|cell| cell.cell().id.0 == c.cell);
                    let comparisons = comparisons.iter().filter(compared).collect();
                    row.decide(&Evidence { run, cells, beside, comparisons, sight, rules })
                }
            };
            Hypothesis {
                id: id.to_owned(),
                claim: claims::text(id).unwrap_or("(not among the claims that this rig knows)").to_owned(),
                verdict,
                because,
                cells: of_claim.iter().map(|cell| cell.cell().id.0.clone()).collect(),
            }
        })
        .collect()
}

impl<'a> Evidence<'a> {
    /// The cells that could have seen it.
    pub(super) fn seeing(&self, question: Question) -> Vec<&'a Measured<'a>> {
        self.cells.iter().copied().filter(|cell| self.sight.blind_for(cell, question).is_none()).collect()
    }

    /// The same with other cells.
    pub(super) fn with(&self, cells: Vec<&'a Measured<'a>>) -> Self {
        Self { cells, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_a_claim_and_stands_once() {
        assert!(ROWS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for row in ROWS {
            assert!(claims::text(row.id).is_some(), "{}", row.id);
        }
    }

    #[test]
    fn every_cell_that_a_row_means_is_of_a_shipped_scenario_that_names_the_claim() {
        for row in ROWS {
            for at in row.at {
                let scenario = crate::script::shipped(at.scenario).expect(at.scenario);
                assert!(scenario.claims.iter().any(|id| id == row.id), "{} in {}", row.id, at.scenario);
            }
        }
    }
}
