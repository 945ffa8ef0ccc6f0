//! Expected outcomes of a program against what it can come to: `connect:ECONNREFUSED` before the verdict call, its label, those of the calls
//! behind it, and the end.
//!
//! Holds the judgement of one pattern; must not know where it is written. The words come from the protocol's table of watched calls.
//! Units: labels. Errors: [`Impossible`], which blames whoever wrote the pattern. Tests: `tests.rs`, `tests/diagnostics.rs`.

use nix::sys::signal::Signal;
use rig_protocol::{
    CallKind, Errno, LabelParts, Program, Tally, WatchedCall, Witness, numbers, watched_call,
};

use crate::document::hint;
use crate::script::outcome::{Impossible, is_failure, misspelt, strange_errno};
use crate::script::template::ProgramTemplate;

/// The one call whose failure before the verdict call is a label.
const CONNECT: &str = "connect";

/// The label of a wait of which its witness could not see what was ready.
const READY: &str = "ready";

/// Behind a signal's name where the kernel says that a core was dumped.
const CORE: &str = "+core";

/// What can make up an outcome of a program.
#[derive(Debug)]
pub(in crate::script) struct ProgramPossible {
    verdict: Vec<&'static WatchedCall>,
    outcome: Vec<&'static WatchedCall>,
    /// Somebody watches, with some value of the parameter that says who.
    watched: bool,
    /// Nobody watches, with some value of it.
    unwatched: bool,
}

impl ProgramPossible {
    pub(in crate::script) fn of(template: &ProgramTemplate, program: &Program) -> Self {
        let rows = |names: &[String]| names.iter().filter_map(|name| watched_call(name)).collect();
        let varies = template.witness.as_ref().is_some_and(|witness| witness.input.parameter().is_some());
        let nobody = program.witness == Witness::None;
        Self {
            verdict: rows(&program.verdict.calls),
            outcome: rows(&program.outcome),
            watched: varies || !nobody,
            unwatched: varies || nobody,
        }
    }

    /// Why no trial can end as the pattern says, if none can.
    pub(in crate::script) fn refuse(&self, pattern: &str) -> Option<Impossible> {
        let labels: Vec<&str> = pattern.split(',').collect();
        if let Some(wrong) = misspelt(&labels) {
            return Some(wrong);
        }
        let (failures, mut labels): (Vec<&str>, Vec<&str>) =
            labels.into_iter().partition(|label| is_failure(label));
        if let Some(wrong) = failures.iter().find_map(|label| self.strange_failure(label)) {
            return Some(wrong);
        }
        let open = labels.last() == Some(&"**");
        labels.truncate(labels.len() - usize::from(open));
        let (first, rest) = match labels.as_slice() {
            [] if open => return None,
            [first, rest @ ..] if open || !rest.is_empty() => (*first, rest),
            _ => return Some(too_short(pattern)),
        };
        let (end, calls) = match rest {
            // Only the end can follow it, so the last one is both.
            [calls @ .., last] if open && strange_end(last).is_some() => (None, [calls, &[*last]].concat()),
            [calls @ .., last] => (Some(*last), calls.to_vec()),
            [] => (None, Vec::new()),
        };
        self.strange_verdict(first)
            .or_else(|| end.and_then(strange_end))
            .or_else(|| self.strange_calls(first, &calls))
    }

    fn strange_failure(&self, label: &str) -> Option<Impossible> {
        if let Some(wrong) = strange_errno(label) {
            return Some(wrong);
        }
        let word = LabelParts::of(label).word;
        if !self.watched {
            return Some(Impossible::new(
                format!("nobody sees `{label}`"),
                "with the witness none only the end is known: \"unwatched,exit=0\"",
            ));
        }
        (word != CONNECT && word != "*").then(|| {
            Impossible::new(
                format!("a failed `{word}` is not a label of its own"),
                "of the calls before the verdict call only connect() is named where it fails: `connect:ECONNREFUSED`",
            )
        })
    }

    fn strange_verdict(&self, label: &str) -> Option<Impossible> {
        match label {
            "*" => None,
            Program::UNWATCHED if self.unwatched => None,
            Program::UNWATCHED => Some(Impossible::new(
                "this program is watched",
                "`unwatched` is the first label where `witness` is \"none\"",
            )),
            _ if !self.watched => Some(Impossible::new(
                format!("nobody sees `{label}`"),
                "with the witness none the first label is `unwatched`, and only the end follows: \"unwatched,exit=0\"",
            )),
            Program::UNCALLED | Tally::DEADLINE => None,
            _ => strange_label(label, &self.verdict, "the verdict call", &[Program::UNCALLED]),
        }
    }

    fn strange_calls(&self, first: &str, calls: &[&str]) -> Option<Impossible> {
        let silent = [Program::UNCALLED, Program::UNWATCHED, Tally::DEADLINE];
        if silent.contains(&first) && !calls.is_empty() {
            return Some(Impossible::new(
                format!("`{}` follows `{first}`", calls[0]),
                format!("behind `{first}` only the end can stand: \"{first},exit=*\""),
            ));
        }
        let most = Program::MOST_OUTCOME_LABELS;
        if calls.len() > most {
            return Some(Impossible::new(
                format!(
                    "this outcome has {} labels between the verdict and the end, and {most} are the most",
                    calls.len()
                ),
                "`**` at the end matches all further labels",
            ));
        }
        if self.outcome.is_empty() && !calls.is_empty() {
            return Some(Impossible::new(
                format!("no call behind the verdict call gives `{}`", calls[0]),
                "`outcome` names no call: the end follows the verdict's label",
            ));
        }
        let cut = calls.iter().position(|label| *label == Tally::DEADLINE);
        if let Some(at) = cut.filter(|at| at + 1 < calls.len()) {
            return Some(Impossible::new(
                format!("`{}` follows `deadline`", calls[at + 1]),
                "the call that the deadline cuts is the last one: \"readable,deadline,deadline\"",
            ));
        }
        let calls = calls.iter().filter(|label| **label != "*" && **label != Tally::DEADLINE);
        calls.into_iter().find_map(|label| strange_label(label, &self.outcome, "a call of `outcome`", &[]))
    }
}

fn too_short(pattern: &str) -> Impossible {
    Impossible::new(
        format!("`{pattern}` has one label, and a program's outcome has at least two"),
        format!("the last label is how the program ended: \"{pattern},exit=0\"; \"{pattern},**\" takes any"),
    )
}

/// A label that none of these calls gives.
fn strange_label(
    label: &str,
    calls: &[&WatchedCall],
    what: &str,
    others: &[&'static str],
) -> Option<Impossible> {
    let LabelParts { word, number, time } = LabelParts::of(label);
    let mut known: Vec<&str> = calls.iter().flat_map(|call| call.labels.words).copied().collect();
    if calls.iter().any(|call| call.kind == CallKind::Waits) {
        known.push(READY);
    }
    known.sort_unstable();
    known.dedup();
    let never = || format!("{what} never gives the label `{label}`");
    if number.is_some() || time.is_some() {
        return Some(Impossible::new(
            never(),
            format!("labels of a program's calls are words alone: `{word}`"),
        ));
    }
    if word.parse::<Errno>().is_ok() || word.split('+').all(|part| known.contains(&part)) {
        return None;
    }
    known.extend(others);
    let errnos = Errno::names().filter(|_| word.starts_with('E'));
    let help = hint(word, known.iter().copied().chain(errnos), "its labels, besides the names of errnos");
    Some(Impossible::new(never(), help))
}

/// A label that is not how a program can end.
fn strange_end(label: &str) -> Option<Impossible> {
    const HELP: &str =
        "the last label is the end: `exit=0`, `exit=*`, a signal (`SIGSEGV`, `SIGSEGV+core`) or `deadline`";
    let LabelParts { word, number, time } = LabelParts::of(label);
    if matches!(label, "*" | Tally::DEADLINE) {
        return None;
    }
    if word == "exit" && time.is_none() {
        return match number.and_then(numbers) {
            Some((low, high)) if low <= high && low <= 255 => None,
            Some((low, high)) if low > high => Some(Impossible::new(
                format!("the range of `{label}` is empty"),
                format!("write `exit={high}..{low}`"),
            )),
            Some(_) => Some(Impossible::new(
                format!("no program ends with `{label}`"),
                "an exit status has eight bits: 0 to 255",
            )),
            None => Some(Impossible::new(
                format!("`{label}` has no exit status"),
                "write `exit=0`, a range (`exit=1..255`), or `exit=*` for any",
            )),
        };
    }
    let signal = label.strip_suffix(CORE).unwrap_or(label);
    if signal.parse::<Signal>().is_ok() {
        return None;
    }
    if signal.starts_with("SIG") {
        let names = Signal::iterator().map(Signal::as_str);
        let help = hint(signal, names, "signals");
        return Some(Impossible::new(format!("there is no signal `{signal}`"), help));
    }
    Some(Impossible::new(format!("`{label}` is not how a program ends"), HELP))
}
