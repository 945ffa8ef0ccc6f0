//! What a row of the table of claims can say.
//!
//! Holds the selection of cells and the kinds of rule. Must not hold a claim.
//! Units: none. Errors: none. Tests: `tests.rs` of this folder.

use crate::matrix::{Cell, glob_matches};

use super::super::evidence::{Evidence, Finding};
use super::super::judges;
use super::super::model::Question;

/// Cells of a scenario, on paths of these names (globs); no path named is all of them.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Globs of names of paths; none is every path.
    pub paths: &'static [&'static str],
}

pub(super) const fn at(scenario: &'static str, paths: &'static [&'static str]) -> At {
    At { scenario, paths }
}

impl At {
    fn holds(self, cell: &Cell) -> bool {
        let anywhere = self.paths.is_empty() && cell.subject.scenario == self.scenario;
        anywhere || self.paths.iter().any(|path| self.holds_on(path, cell))
    }

    pub(super) fn holds_on(self, path: &str, cell: &Cell) -> bool {
        cell.subject.scenario == self.scenario && glob_matches(path, &cell.subject.path.name)
    }
}

/// The rule by which a claim is decided.
pub(super) enum Rule {
    /// By none: it needs a look that no cell's counts give.
    Open,
    /// By one of its own.
    By(fn(&Evidence<'_>) -> Finding),
    /// It says that select() fails so, wherever; see [`judges::never_returned`].
    Returns(&'static [Question]),
    /// It says that select() fails so on a path; see [`judges::fails_on_path`].
    Fails(&'static [Question]),
    /// In KVM guests; see [`judges::fails_in_kvm`].
    FailsInKvm(&'static [Question]),
    /// Where a parameter has a value, as scenarios spell both; see [`judges::never_returned_where`].
    FailsWith((&'static str, &'static str), &'static [Question]),
    /// Behind a rule that rejects; see [`judges::reject_reproduces`].
    Rejected(&'static [Question]),
    /// It says how a script ends; see [`judges::ends_as`].
    Ends { claimed: &'static [&'static str], otherwise: &'static [&'static str] },
    /// It says that vhost or contention decides, the latter on paths of these names; see [`judges::bottleneck_decides`].
    Bottleneck(&'static [&'static str]),
}

/// Which document says a claim: the page `claims` tells what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The production report about select(), ENOENT and EBADF.
    Report,
    /// The article about TCP's states, timers and tools.
    Toolbox,
    /// The experiment with an echo server in Java.
    Echo,
}

impl Source {
    /// All of them, each with its number and the letter of its claims' ids.
    pub const ALL: [(Self, &'static str, char); 3] =
        [(Self::Report, "000", 'H'), (Self::Toolbox, "001", 'Q'), (Self::Echo, "002", 'J')];

    /// The source of the claim with this id.
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(.., letter)| id.starts_with(*letter)).map(|(source, ..)| source)
    }
}

/// A claim as a reader of a report meets it.
#[derive(Debug, Clone, Copy)]
pub struct StatedClaim {
    /// `H01`
    pub id: &'static str,
    /// As it was claimed.
    pub text: &'static str,
    /// Whether counts can decide it; otherwise a report says that no rule does.
    pub decided: bool,
    /// Which cells of those that name it test it; none named: all of them.
    pub at: &'static [At],
}

/// A claim, and how it is decided.
pub(in crate::analysis) struct Claim {
    pub(in crate::analysis) id: &'static str,
    /// As it was claimed. Many are false: that is what a run decides.
    pub(in crate::analysis) text: &'static str,
    /// Whether the cells that name it play the base program.
    pub(super) base: bool,
    /// Which cells of those that name it test it; none named: all of them.
    pub(super) at: &'static [At],
    /// Which cells decide nothing and stand beside.
    pub(super) beside: &'static [At],
    pub(super) rule: Rule,
}

pub(super) const fn claim(id: &'static str, text: &'static str) -> Claim {
    Claim { id, text, base: false, at: &[], beside: &[], rule: Rule::Open }
}

impl Claim {
    pub(super) const fn of_the_base_program(mut self) -> Self {
        self.base = true;
        self
    }

    pub(super) const fn at(mut self, at: &'static [At]) -> Self {
        self.at = at;
        self
    }

    pub(super) const fn beside(mut self, beside: &'static [At]) -> Self {
        self.beside = beside;
        self
    }

    pub(super) const fn judged(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Whether this is one of the cells that it is about, were it to name the claim.
    pub(super) fn is_about(&self, cell: &Cell) -> bool {
        self.at.is_empty() || self.at.iter().any(|at| at.holds(cell))
    }

    /// Whether a reader should see this cell beside those that decide.
    pub(in crate::analysis) fn is_beside(&self, cell: &Cell) -> bool {
        self.beside.iter().any(|at| at.holds(cell))
    }

    /// What a page says of it.
    pub(super) fn stated(&self) -> StatedClaim {
        StatedClaim { id: self.id, text: self.text, decided: self.has_judge(), at: self.at }
    }

    /// Whether counts can decide it.
    pub(in crate::analysis) fn has_judge(&self) -> bool {
        !matches!(self.rule, Rule::Open)
    }

    /// Decides; none without a judge.
    pub(in crate::analysis) fn decide(&self, evidence: &Evidence<'_>) -> Option<Finding> {
        Some(match &self.rule {
            Rule::Open => return None,
            Rule::By(rule) => rule(evidence),
            Rule::Returns(questions) => judges::never_returned(evidence, questions),
            Rule::Fails(questions) => judges::fails_on_path(evidence, questions),
            Rule::FailsInKvm(questions) => judges::fails_in_kvm(evidence, questions),
            Rule::FailsWith(parameter, questions) => {
                judges::never_returned_where(evidence, *parameter, questions)
            }
            Rule::Rejected(questions) => judges::reject_reproduces(evidence, questions),
            Rule::Ends { claimed, otherwise } => judges::ends_as(evidence, claimed, otherwise),
            Rule::Bottleneck(paths) => judges::bottleneck_decides(evidence, paths),
        })
    }
}
