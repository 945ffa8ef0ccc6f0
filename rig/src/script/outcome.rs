//! Expected outcomes against what the steps can produce: a misspelt label would make every trial an anomaly.
//!
//! Holds the judgement of one pattern; must not know where it is written. The words come from each operation's row.
//! Units: labels. Errors: [`Impossible`], which blames whoever wrote the pattern.
//! Tests: `tests.rs`, `tests/diagnostics.rs`.

use rig_protocol::{Errno, FieldKind, LabelParts, Lane, Script, Side, Step, Tally, numbers};

use super::value::parse_errno;
use crate::document::{Wrong, hint};

/// Why an expected outcome can never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impossible {
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: String,
}

impl Impossible {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), label: "can never match", help: help.into() }
    }
}

/// The label of a call that the trial's deadline cut; no other kind of label follows.
const CUT: &str = Tally::DEADLINE;
/// The outcome of a peer lane that the end of the block cut.
const UNFINISHED: &str = Tally::UNFINISHED;
/// The outcome of a peer lane without outcome steps.
const PLAYED: &str = Tally::PLAYED;

/// What can make up an outcome of one side.
#[derive(Debug)]
pub(super) struct Possible<'s> {
    /// The steps whose labels do, in order.
    steps: Vec<&'s Step>,
    /// Names of the operations that say `NAME:ERRNO` where they fail.
    failing: Vec<&'static str>,
    /// Outcomes that are one word, and come from no step.
    words: &'static [&'static str],
}

impl<'s> Possible<'s> {
    /// Of the target: the verdict and outcome steps of the verdict's lane, and steps of any lane that fail.
    pub(super) fn of_target(script: &'s Script) -> Self {
        let has_verdict = |lane: &&Lane| lane.steps.iter().any(|step| step.verdict);
        let lanes = script.lanes_of(Side::Target).filter(has_verdict);
        let steps = lanes.flat_map(|lane| lane.steps.iter().filter(|step| step.outcome)).collect();
        Self { steps, failing: failing(script, Side::Target), words: &[] }
    }

    /// Of the peer: the steps that say so, and those that tell how the connection looks.
    pub(super) fn of_peer(script: &'s Script) -> Self {
        let steps = script.lanes_of(Side::Peer).flat_map(|lane| &lane.steps);
        let steps: Vec<&Step> = steps.filter(|step| step.outcome || step.op.schema().follow_up).collect();
        let words: &[&str] = if steps.is_empty() { &[PLAYED, UNFINISHED] } else { &[UNFINISHED] };
        Self { steps, failing: failing(script, Side::Peer), words }
    }

    /// Why no trial can end as the pattern says, if none can.
    pub(super) fn refuse(&self, pattern: &str) -> Option<Impossible> {
        if self.words.contains(&pattern) {
            return None;
        }
        let labels: Vec<&str> = pattern.split(',').collect();
        if let Some(wrong) = misspelt(&labels) {
            return Some(wrong);
        }
        let (failures, mut fixed): (Vec<&str>, Vec<&str>) =
            labels.into_iter().partition(|label| is_failure(label));
        if let Some(wrong) = failures.iter().find_map(|label| self.strange_failure(label)) {
            return Some(wrong);
        }
        let open = fixed.last() == Some(&"**");
        fixed.truncate(fixed.len() - usize::from(open));
        let cut = fixed.iter().position(|label| *label == CUT);
        if let Some(at) = cut {
            if let Some(behind) = fixed[at..].iter().find(|label| **label != CUT) {
                let message = format!("`{CUT}` must be the last label, and `{behind}` follows it");
                return Some(Impossible::new(
                    message,
                    "the outcome of a trial ends with the call that its deadline cuts",
                ));
            }
            fixed.truncate(at);
        }
        let enough = open || cut.is_some() || fixed.len() == self.steps.len();
        if fixed.len() > self.steps.len() || !enough {
            return Some(self.miscounted(fixed.len(), failures.len()));
        }
        fixed.iter().zip(&self.steps).find_map(|(label, step)| strange(label, step))
    }

    fn miscounted(&self, fixed: usize, failures: usize) -> Impossible {
        let steps = self.steps.len();
        let names: Vec<&str> = self.steps.iter().map(|step| step.op.name()).collect();
        let mut help = if names.is_empty() {
            "no step of this lane is an outcome step".to_owned()
        } else {
            format!(
                "the verdict and outcome steps are: {}; `**` at the end matches all further labels",
                names.join(", ")
            )
        };
        if !self.words.is_empty() {
            help.push_str(&format!("; or the whole outcome is `{}`", self.words.join("` or `")));
        }
        let plural = if fixed == 1 { "" } else { "s" };
        let besides = if failures > 0 { " besides those of failing steps" } else { "" };
        Impossible::new(
            format!("this outcome has {fixed} label{plural}{besides}, but the script produces {steps}"),
            help,
        )
    }

    /// `NAME:ERRNO` of an operation that no step names, or of no errno.
    fn strange_failure(&self, label: &str) -> Option<Impossible> {
        if let Some(wrong) = strange_errno(label) {
            return Some(wrong);
        }
        let word = LabelParts::of(label).word;
        if word == "*" || self.failing.contains(&word) {
            return None;
        }
        let help = hint(word, self.failing.iter().copied(), "its operations");
        Some(Impossible::new(format!("no `{word}` step can fail as `{label}`"), help))
    }
}

/// A label that is no word.
pub(super) fn misspelt(labels: &[&str]) -> Option<Impossible> {
    let at = labels.iter().position(|label| label.is_empty() || label.trim() != *label)?;
    Some(Impossible {
        message: format!("label {} of this outcome is not a word", at + 1),
        label: "empty, or with spaces",
        help: "labels are joined by commas without spaces: \"readable,data,ECONNRESET\"".to_owned(),
    })
}

/// `NAME:ERRNO` of no errno.
pub(super) fn strange_errno(label: &str) -> Option<Impossible> {
    let errno = LabelParts::of(label).time.unwrap_or_default();
    let known = errno == "*" || errno == CUT;
    let Wrong { help, .. } = (!known).then(|| parse_errno(errno).err()).flatten()?;
    let message = format!("`{errno}` of `{label}` is not the name of an errno");
    Some(Impossible::new(message, help.unwrap_or_default()))
}

/// Names of the operations of one side, each once.
fn failing(script: &Script, side: Side) -> Vec<&'static str> {
    let mut names: Vec<&str> =
        script.lanes_of(side).flat_map(|lane| &lane.steps).map(|step| step.op.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a label is meant to be that of a failing step: an operation or an errno stands in it, each in its place.
pub(super) fn is_failure(label: &str) -> bool {
    let LabelParts { word, number, time } = LabelParts::of(label);
    let named = rig_protocol::schema_of(word).is_some() && number.is_none();
    time.is_some_and(|time| named || time.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// A label that the step never gives.
fn strange(label: &str, step: &Step) -> Option<Impossible> {
    if label == "*" {
        return None;
    }
    let parts = LabelParts::of(label);
    strange_word(label, parts, step)
        .or_else(|| strange_number(label, parts, step))
        .or_else(|| strange_time(label, parts, step))
}

fn strange_word(label: &str, LabelParts { word, .. }: LabelParts<'_>, step: &Step) -> Option<Impossible> {
    let known = step.op.schema().labels.words;
    if let Some(watch) = word.split('+').find_map(|part| unwatched(part, step)) {
        return Some(Impossible::new(
            format!("this `{}` never gives the label `{label}`", step.op.name()),
            format!("it says `{word}` only of sockets in `{watch}`, and has none there"),
        ));
    }
    if word == "*" || word.parse::<Errno>().is_ok() || word.split('+').all(|part| known.contains(&part)) {
        return None;
    }
    let candidates: Vec<&str> = known.iter().copied().chain(Errno::names()).collect();
    let help = if word.starts_with('E') {
        hint(word, candidates.iter().copied(), "the labels")
    } else {
        hint(word, known.iter().copied(), "its labels, besides the names of errnos")
    };
    Some(Impossible::new(format!("`{}` never gives the label `{label}`", step.op.name()), help))
}

/// The set of sockets that a word of readiness speaks of, where the step watches none for it. An operation with such sets has as many such words, in the same order.
fn unwatched(word: &str, step: &Step) -> Option<&'static str> {
    let schema = step.op.schema();
    let mut sets = schema.fields.iter().filter(|field| field.kind == FieldKind::Sockets);
    let at = schema.labels.words.iter().position(|known| *known == word)?;
    let set = sets.nth(at)?;
    let watched = serde_json::to_value(&step.op).ok()?.get(set.wire).is_some();
    (!watched).then_some(set.name)
}

fn strange_number(label: &str, parts: LabelParts<'_>, step: &Step) -> Option<Impossible> {
    let LabelParts { word, number, .. } = parts;
    let labels = step.op.schema().labels;
    let name = step.op.name();
    let never = || format!("`{name}` never gives the label `{label}`");
    let counts = (step.count || labels.always) && labels.counted.contains(&word);
    match number {
        None if counts => Some(Impossible::new(
            never(),
            format!("its label includes the number of bytes: `{word}=*`, `{word}=4` or `{word}=1..60000`"),
        )),
        Some(_) if !counts && labels.counted.contains(&word) => {
            Some(Impossible::new(never(), format!("add `count = true` to the step, or write `{word}`")))
        }
        Some(_) if !counts => Some(Impossible::new(never(), "this word has no number")),
        Some(number) => match numbers(number) {
            None => Some(Impossible::new(
                format!("`{number}` of `{label}` is not a number"),
                "write a number, a range with both ends (`1..60000`), or `*`",
            )),
            Some((low, high)) if low > high => Some(Impossible::new(
                format!("the range of `{label}` is empty"),
                format!("write `{word}={high}..{low}`"),
            )),
            Some(_) => None,
        },
        None => None,
    }
}

fn strange_time(label: &str, parts: LabelParts<'_>, step: &Step) -> Option<Impossible> {
    let name = step.op.name();
    let never = format!("`{name}` never gives the label `{label}`");
    match (&step.timing, parts.time) {
        (None, None) | (Some(_), Some("*")) => None,
        (None, Some(_)) => Some(Impossible::new(
            never,
            "its label has no word for its time: add `within` or `time` to the step",
        )),
        (Some(timing), None) if timing.may_be_silent() => None,
        (Some(timing), None) => {
            let first = timing.words().first().copied().unwrap_or("*").to_owned();
            Some(Impossible::new(
                never,
                format!("its label includes a word for its time: `{label}:{first}`, or `{label}:*`"),
            ))
        }
        (Some(timing), Some(word)) if timing.words().contains(&word) => None,
        (Some(timing), Some(word)) => {
            Some(Impossible::new(never, hint(word, timing.words(), "the words for its time")))
        }
    }
}
