//! Which cells may decide a part of a claim, and why the others may not.
//!
//! Holds what every rule asks for, and the requirements that a part names. Must not judge. Units: counts. Errors: none.
//! Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use std::collections::BTreeMap;

use crate::claims::{Part, Requirement, Rule, What};
use crate::configuration::{Engine, injects};

use super::controls::Sight;
use super::judges::is_counted;
use super::measured::Measured;
use super::model::{LeftOut, Question, Why};

/// The cells of a part: those that may decide, and what is said of the others.
pub(super) struct Say<'a> {
    pub(super) cells: Vec<&'a Measured<'a>>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Divides the cells that a part of the claim `id` is about.
pub(super) fn divide<'a>(id: &str, part: &Part, about: &[&'a Measured<'a>], sight: &Sight) -> Say<'a> {
    let mut say = Say { cells: Vec::new(), left_out: Vec::new() };
    let mut reasons: BTreeMap<Why, (usize, u64)> = BTreeMap::new();
    for cell in about {
        let asked = Asked { id, part, cell, sight };
        match asked.why_not() {
            None => say.cells.push(cell),
            Some(why) => {
                let (cells, trials) = reasons.entry(why).or_default();
                *cells += 1;
                *trials += cell.tally.trials;
            }
        }
    }
    say.left_out = reasons.into_iter().map(|(why, (cells, trials))| LeftOut { why, cells, trials }).collect();
    say
}

/// One cell that is asked whether it may decide.
struct Asked<'a, 'm> {
    id: &'a str,
    part: &'a Part,
    cell: &'a Measured<'m>,
    sight: &'a Sight,
}

impl Asked<'_, '_> {
    fn why_not(&self) -> Option<Why> {
        let cell = self.cell.cell();
        if cell.control.is_some() {
            return Some(Why::Control);
        }
        if self.cell.tally.trials == 0 {
            return Some(Why::NoTrials);
        }
        if self.cell.is_proxied() && !self.chosen(|cells| cells.configuration.is_plain()) {
            return Some(Why::Proxied);
        }
        if is_injected(self.cell) {
            return Some(Why::Injected);
        }
        let rule = &self.part.rule;
        if rule.counts_failures() {
            if !cell.is_plain() && !self.chosen(|cells| cells.scenario.is_plain()) {
                return Some(Why::OwnDescriptor);
            }
            if !self.cell.is_watched() {
                return Some(Why::NotWatched);
            }
        }
        self.questions()
            .into_iter()
            .find(|question| self.sight.blind_for(self.cell, *question).is_some())
            .map_or_else(
                || self.not_counted().or_else(|| self.requirement()),
                |question| Some(Why::Blind(question)),
            )
    }

    /// Whether a selection that takes the cell says so of itself.
    fn chosen(&self, of: impl Fn(&crate::claims::Cells) -> bool) -> bool {
        self.part.selections().any(|cells| of(cells) && cells.take(self.id, self.cell.cell()))
    }

    /// The errnos whose absence must mean something.
    fn questions(&self) -> Vec<Question> {
        use rig_protocol::Errno;
        let of = |errnos: &[Errno]| -> Vec<Question> {
            match errnos {
                [] => vec![Question::AnyError],
                some => some
                    .iter()
                    .filter_map(|errno| match *errno {
                        Errno::EBADF => Some(Question::Ebadf),
                        Errno::ENOENT => Some(Question::Enoent),
                        _ => None,
                    })
                    .collect(),
            }
        };
        match &self.part.rule {
            Rule::Returns(returns) => of(&returns.errnos),
            Rule::Differs(differs) => match &differs.what {
                What::Rate(errnos) => of(errnos),
                What::Share(_) | What::ClosedBeforeCall | What::Latency => Vec::new(),
            },
            Rule::Order(_) => of(&[]),
            Rule::Ends(_) | Rule::PerTrial(_) | Rule::Said(_) | Rule::Takes(_) | Rule::Documented { .. } => {
                Vec::new()
            }
        }
    }

    fn not_counted(&self) -> Option<Why> {
        let Rule::PerTrial(rule) = &self.part.rule else { return None };
        if rule.counter.is_proven_by(&self.cell.cell().proof) {
            return Some(Why::Proven);
        }
        (!is_counted(&rule.counter, self.cell)).then_some(Why::NotCounted)
    }

    fn requirement(&self) -> Option<Why> {
        let host = self.cell.cell().is_baseline();
        let lacks = |requirement: &Requirement| match requirement {
            Requirement::ResetInEveryTrial => (!had_resets(self.cell)).then_some(Why::NoReset),
            Requirement::ResetBeforeCall => {
                (self.cell.rst_before_call() < self.cell.tally.trials).then_some(Why::ResetLate)
            }
            Requirement::Kvm => {
                let kvm = self.cell.accelerators().into_iter().eq([Engine::Kvm.word()]);
                (!host && !kvm).then_some(Why::NotKvm)
            }
            Requirement::Guest => host.then_some(Why::NotGuest),
            Requirement::Host => (!host).then_some(Why::NotHost),
            // Every rule asks for the first, and the run answers the second.
            Requirement::NothingInjected | Requirement::PhysicalHost => None,
        };
        self.part.requires.iter().find_map(lacks)
    }
}

fn is_injected(cell: &Measured<'_>) -> bool {
    let script = &cell.cell().subject.script;
    injects(script) || !cell.tally.injected.is_empty()
}

/// Whether in each block as many RSTs reached the target as it has trials: by the witness, or where nobody watched by what the peer's kernel sent.
fn had_resets(cell: &Measured<'_>) -> bool {
    let sent = |counters: &BTreeMap<String, i64>| {
        u64::try_from(counters.get("Tcp.OutRsts").copied().unwrap_or(0)).unwrap_or(0)
    };
    cell.blocks.iter().all(|block| {
        let resets =
            if block.witness.absent { sent(&block.peer_tally.counters) } else { block.witness.rst_to_target };
        resets >= block.tally.trials
    })
}
