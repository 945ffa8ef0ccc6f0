//! What the run says about the claims that its cells test.
//!
//! Holds which cells are about which part, and what the parts say together. Must not know where a claim was printed, nor how a part is decided: `claims` and `judges` do.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use std::collections::BTreeSet;

use crate::claims::{Claim, Part, Requirement, Rule, Set};
use crate::record::Run;

use super::controls::Sight;
use super::evidence::{Evidence, Finding};
use super::judges;
use super::measured::Measured;
use super::misspelt;
use super::model::HypothesisVerdict::{Documented, Refuted, Supported, Undecided};
use super::model::{
    AaPair, Because, Ground, Hypothesis, HypothesisVerdict, LeftOut, Missing, PartFinding, Why,
};
use super::rules::Rules;
use super::say;
use super::words::{list, several};

/// Judges every claim that a cell of the plan names or is about, in the order of their ids.
pub(super) fn judge(
    run: &Run,
    measured: &[Measured<'_>],
    sight: &Sight,
    again: Option<&AaPair>,
    rules: Rules,
) -> Vec<Hypothesis> {
    let set = Set::of_record(&run.record.claims);
    let basis = Basis { run, measured, sight, again, rules };
    let mut ids: BTreeSet<&str> =
        measured.iter().flat_map(|cell| &cell.cell().claims).map(String::as_str).collect();
    // A claim of the reader's own may be about shipped scenarios, which cannot name it, and one that compares two places is named by none; what no measurement
    // decides is said of every run.
    let is_told = |claim: &&Claim| {
        let takes = |part: &Part| measured.iter().any(|cell| part.takes(&claim.id, cell.cell()));
        is_documented(claim) || claim.parts.iter().any(takes)
    };
    ids.extend(set.iter().filter(is_told).chain(set.own()).map(|claim| claim.id.as_str()));
    ids.into_iter().map(|id| basis.hypothesis(&set, id)).collect()
}

/// Whether no cell of any run could decide it.
fn is_documented(claim: &Claim) -> bool {
    !claim.parts.is_empty() && claim.parts.iter().all(|part| matches!(part.rule, Rule::Documented { .. }))
}

/// Everything that was measured.
struct Basis<'a> {
    run: &'a Run,
    measured: &'a [Measured<'a>],
    sight: &'a Sight,
    again: Option<&'a AaPair>,
    rules: Rules,
}

impl<'a> Basis<'a> {
    fn hypothesis(&self, set: &Set, id: &str) -> Hypothesis {
        let Some(claim) = set.get(id) else {
            let because = if set.is_unreadable(id) { Because::Unreadable } else { Because::Unknown };
            let text = "(not among the claims that this rig knows)";
            return Hypothesis {
                id: id.to_owned(),
                claim: text.to_owned(),
                own: false,
                source: String::new(),
                verdict: Undecided,
                because,
                cells: self.ids(|cell| names(cell, id)),
                parts: Vec::new(),
                not_about: Vec::new(),
            };
        };
        let own = set.own().iter().any(|own| own.id == id);
        let mut parts: Vec<PartFinding> = claim.parts.iter().map(|part| self.part(id, part)).collect();
        for (part, found) in claim.parts.iter().zip(&mut parts).filter(|_| own) {
            if found.because == Because::Missing(Missing::Cell) {
                found.because = misspelt::what_is_missing(part, self.measured).into();
            }
        }
        let is_about = |cell: &Measured<'_>| {
            claim.parts.iter().any(|part| part.takes(id, cell.cell()) || part.shows(id, cell.cell()))
        };
        let played = |cell: &Measured<'_>| !cell.is_repeat();
        let (verdict, because) = together(claim, &parts);
        Hypothesis {
            id: id.to_owned(),
            claim: claim.text.clone(),
            own,
            source: claim.source.words(),
            verdict,
            because,
            cells: self
                .ids(|cell| played(cell) && claim.parts.iter().any(|part| part.takes(id, cell.cell()))),
            not_about: self.ids(|cell| names(cell, id) && !claim.parts.is_empty() && !is_about(cell)),
            parts,
        }
    }

    fn ids(&self, which: impl Fn(&Measured<'_>) -> bool) -> Vec<String> {
        self.measured.iter().filter(|cell| which(cell)).map(|cell| cell.cell().id.0.clone()).collect()
    }

    fn part(&self, id: &str, part: &Part) -> PartFinding {
        let about: Vec<&Measured<'_>> =
            self.measured.iter().filter(|cell| !cell.is_repeat() && part.takes(id, cell.cell())).collect();
        let say = say::divide(id, part, &about, self.sight);
        let emulated = say.left_out.iter().any(|one| one.why == Why::NotKvm);
        let cells = say.cells.iter().map(|cell| cell.cell().id.0.clone()).collect();
        let found = self.find(id, part, &about, say);
        let found = if emulated { self.not_passed_over(id, part, &about, found) } else { found };
        PartFinding {
            text: part.text.clone(),
            rule: part.rule.key().to_owned(),
            verdict: found.verdict,
            because: found.because,
            cells,
            trials: found.trials,
            bound: found.bound,
        }
    }

    /// An emulated guest supports nothing that is said of KVM; nor may what it shows be passed over.
    fn not_passed_over(&self, id: &str, part: &Part, about: &[&'a Measured<'a>], found: Finding) -> Finding {
        if found.verdict != Refuted {
            return found;
        }
        let requires = part.requires.iter().copied().filter(|one| *one != Requirement::Kvm).collect();
        let any_guest = Part { requires, ..part.clone() };
        let say = say::divide(id, &any_guest, about, self.sight);
        let with = self.find(id, &any_guest, about, say);
        match with.verdict {
            Supported => Finding {
                verdict: Undecided,
                because: Because::Measured(format!(
                    "shown with guests that did not run on KVM, and refuted without them: {}",
                    with.because
                )),
                ..found
            },
            Refuted | Undecided | Documented => found,
        }
    }

    fn find(&self, id: &str, part: &Part, about: &[&Measured<'_>], say: say::Say<'a>) -> Finding {
        let Self { run, again, rules, .. } = *self;
        let near = |cell: &&Measured<'_>| part.shows(id, cell.cell()) && cell.tally.trials > 0;
        let beside = self.measured.iter().filter(near).collect();
        let evidence = Evidence { run, cells: say.cells, beside, again, rules };
        let documented = part.rule.key() == "documented";
        if !documented {
            if about.is_empty() {
                return Missing::Cell.into();
            }
            if part.requires(Requirement::PhysicalHost)
                && let Some(missing) = not_physical(run)
            {
                return missing.into();
            }
            if evidence.cells.is_empty() {
                return Missing::Sound(say.left_out).into();
            }
        }
        let found = judges::judge(part, &evidence);
        worded(found, part, &say.left_out, &evidence)
    }
}

fn names(cell: &Measured<'_>, id: &str) -> bool {
    cell.cell().claims.iter().any(|claim| claim == id)
}

fn not_physical(run: &Run) -> Option<Missing> {
    run.record.environments().map(|one| Ground::of(&one.host)).find_map(|ground| match ground {
        Ground::Metal => None,
        Ground::NotKnown => Some(Missing::PhysicalHost(String::new())),
        Ground::Virtual(hypervisor) => Some(Missing::PhysicalHost(hypervisor.to_owned())),
    })
}

/// The finding with what a reader must not miss: what rig itself made, which cells had no say, and what stands beside.
fn worded(found: Finding, part: &Part, left_out: &[LeftOut], evidence: &Evidence<'_>) -> Finding {
    let because = match found.because {
        Because::Measured(said) => {
            let made = part.by_construction.as_ref().map(|what| format!("by construction ({what}): "));
            let without: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            let without = if without.is_empty() {
                String::new()
            } else {
                format!("; left out: {}", without.join("; "))
            };
            Because::Measured(format!("{}{said}{without}", made.unwrap_or_default()))
        }
        Because::Documented { reason, source } if !evidence.beside.is_empty() => {
            let seen = judges::outcomes_by_path(evidence);
            Because::Documented { reason: format!("{reason}; what was seen here: {seen}"), source }
        }
        // A comparison without a side is without one for a reason.
        Because::Missing(missing @ Missing::Side(_)) if !left_out.is_empty() => {
            let without: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            Because::Measured(format!("{missing}: {}", without.join("; ")))
        }
        other => other,
    };
    Finding { because, ..found }
}

/// What the parts say together. A part without a cell in this run has no say, and stands in no way; of what is documented nothing is measured.
fn together(claim: &Claim, parts: &[PartFinding]) -> (HypothesisVerdict, Because) {
    let [first, rest @ ..] = parts else { return (Undecided, Because::NoPart) };
    if rest.is_empty() {
        return (first.verdict, first.because.clone());
    }
    let of = |verdict| parts.iter().filter(|part| part.verdict == verdict).collect::<Vec<_>>();
    let (held, wrong, documented) = (of(Supported), of(Refuted), of(Documented));
    let not_played = |part: &&PartFinding| {
        matches!(part.because, Because::Missing(Missing::Cell | Missing::Named { .. } | Missing::Side(_)))
    };
    let (not_played, open): (Vec<_>, Vec<_>) = of(Undecided).into_iter().partition(not_played);
    let tested = held.len() + wrong.len() + open.len();
    if tested == 0 && documented.len() == parts.len() {
        return (Documented, first.because.clone());
    }
    if tested == 0 {
        let named = |part: &&PartFinding| matches!(part.because, Because::Missing(Missing::Named { .. }));
        let because = parts.iter().find(named).map(|part| part.because.clone());
        return (Undecided, because.unwrap_or_else(|| Missing::Cell.into()));
    }
    let mut said = format!("{} of {} hold", held.len(), several(claim.parts.len(), "part"));
    let mut tell = |what: &str, some: &[&PartFinding]| {
        if !some.is_empty() {
            let texts: Vec<&str> = some.iter().map(|part| part.text.as_str()).collect();
            said.push_str(&format!("; {what}: {}", list(&texts)));
        }
    };
    tell("refuted", &wrong);
    tell("undecided", &open);
    tell("not played", &not_played);
    tell("documented", &documented);
    let verdict = match (wrong.is_empty(), open.is_empty()) {
        (false, _) => Refuted,
        (true, true) => Supported,
        (true, false) => Undecided,
    };
    (verdict, Because::Measured(said))
}
