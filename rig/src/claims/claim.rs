//! A claim as its file says it.
//!
//! Holds plain data. Must not know how it is spelled, nor how it is judged. Units: as stated. Errors: none. Tests: `tests.rs`.

use crate::matrix::Cell;

use super::cells::Cells;
use super::rule::Rule;

/// One published sentence, and how cells decide it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// `H01`: the name of its file.
    pub id: String,
    /// As it was claimed. Many are false: that is what a run decides.
    pub text: String,
    /// Who says so.
    pub source: Source,
    /// What its author expects on Linux. Shown to a reader, and never read by a judge.
    pub prediction: Option<Prediction>,
    /// What else a reader should know.
    pub note: Option<String>,
    /// What it consists of; none: nothing tests it yet.
    pub parts: Vec<Part>,
}

/// Which document says a claim: the page `claims` tells what each is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The production report about select(), ENOENT and EBADF.
    Report,
    /// The article about TCP's states, timers and tools.
    Toolbox,
    /// The experiment with an echo server in Java.
    Echo,
    /// Another one, in words.
    Other(String),
}

impl Source {
    /// The three documents, each with its number and the letter of its claims' ids.
    pub const DOCUMENTS: [(Self, &'static str, char); 3] =
        [(Self::Report, "000", 'H'), (Self::Toolbox, "001", 'Q'), (Self::Echo, "002", 'J')];

    /// `document 000`, or the words.
    pub fn words(&self) -> String {
        match (Self::DOCUMENTS.iter().find(|(source, ..)| source == self), self) {
            (Some((_, number, _)), _) => format!("document {number}"),
            (None, Self::Other(words)) => words.clone(),
            (None, Self::Report | Self::Toolbox | Self::Echo) => String::new(),
        }
    }
}

/// What the author of a file expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prediction {
    /// That it holds.
    True,
    /// That it does not.
    False,
    /// That it holds under a condition.
    Conditional,
}

impl Prediction {
    /// The word of a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Conditional => "under a condition",
        }
    }
}

/// One thing that a claim says: decided for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it says; the claim's own text where it is the only part.
    pub text: String,
    /// Which cells decide it. Of a rule that compares two selections, these are what both have in common.
    pub cells: Vec<Cells>,
    /// Which cells decide nothing and are shown.
    pub beside: Vec<Cells>,
    /// What a cell, or the run, must show before it may decide.
    pub requires: Vec<Requirement>,
    /// How it is decided.
    pub rule: Rule,
    /// Where something of rig's own makes what is found, by its setting: what, in words.
    pub by_construction: Option<String>,
}

impl Part {
    /// Whether a cell is one of those that may decide this part of the claim `id`.
    pub fn takes(&self, id: &str, cell: &Cell) -> bool {
        self.selections().any(|cells| cells.take(id, cell))
    }

    /// Whether a reader should see this cell beside those that decide.
    pub fn shows(&self, id: &str, cell: &Cell) -> bool {
        self.beside.iter().any(|cells| cells.take(id, cell))
    }

    /// Every selection by which it takes cells.
    pub fn selections(&self) -> impl Iterator<Item = &Cells> {
        let compared = match &self.rule {
            Rule::Differs(differs) => vec![&differs.a, &differs.b],
            Rule::Ends(_)
            | Rule::Returns(_)
            | Rule::PerTrial(_)
            | Rule::Order(_)
            | Rule::Said(_)
            | Rule::Takes(_)
            | Rule::Documented { .. } => Vec::new(),
        };
        self.cells.iter().chain(compared)
    }

    /// Whether it asks for this.
    pub fn requires(&self, requirement: Requirement) -> bool {
        self.requires.contains(&requirement)
    }
}

/// What a cell, or the run, must show before it may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// In each block at least as many RSTs reached the target as it has trials.
    ResetInEveryTrial,
    /// TCP_INFO said CLOSE before the verdict call of every trial.
    ResetBeforeCall,
    /// No errno was injected. Every rule asks for it, named or not.
    NothingInjected,
    /// Guests count only where they really ran on KVM.
    Kvm,
    /// The host is a physical machine.
    PhysicalHost,
    /// Only guests count.
    Guest,
    /// Only the host counts.
    Host,
}

impl Requirement {
    /// All, each with its word in a file and what it asks for.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (
            Self::ResetInEveryTrial,
            "reset-in-every-trial",
            "in each block at least as many RSTs reached the target as it has trials",
        ),
        (
            Self::ResetBeforeCall,
            "reset-before-call",
            "TCP_INFO said CLOSE before the verdict call in every trial",
        ),
        (
            Self::NothingInjected,
            "nothing-injected",
            "no errno was injected; every rule asks for it, also where it is not named",
        ),
        (Self::Kvm, "kvm", "guests count only where they really ran on KVM"),
        (Self::PhysicalHost, "physical-host", "the host is a physical machine"),
        (Self::Guest, "guest", "only guests count"),
        (Self::Host, "host", "only the host itself counts"),
    ];

    /// The word of a file.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, ..)| *one == self).map_or("", |(_, word, _)| word)
    }

    /// What it asks for.
    pub fn meaning(self) -> &'static str {
        Self::ALL.iter().find(|(one, ..)| *one == self).map_or("", |(.., meaning)| meaning)
    }
}
