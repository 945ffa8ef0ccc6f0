//! What the times of a script mean together: its deadline against its sleeps, the classes of a step against each other.
//!
//! Pure. Must not know where a time is written. Units: nanoseconds. Errors: [`TimingFault`], which blames whoever wrote the times.
//! Tests: `tests.rs`, `tests/diagnostics.rs`.

use std::time::Duration;

use rig_protocol::{Delay, Script, TimeClass, Timing};

/// Times that do not fit to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimingFault {
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: &'static str,
}

/// The deadline, where the script's own sleeps reach it: every trial would be cut.
pub(super) fn deadline_fault(script: &Script) -> Option<TimingFault> {
    let deadline = Duration::from_nanos(script.deadline_ns?);
    let longest = script.lanes.iter().max_by_key(|lane| lane.sleeps())?;
    let slept = longest.sleeps();
    (deadline <= slept).then(|| TimingFault {
        message: format!("the deadline ends before lane `{}` does", longest.name),
        label: format!("its sleeps take up to {}", shown(slept)),
        help: "a trial that lasts longer than `deadline` is cut: name a longer one, or shorten the sleeps",
    })
}

fn shown(time: Duration) -> String {
    Delay::Fixed { ns: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) }.to_string()
}

/// The first step that has two classes with times in common, as the indices of its lane and itself.
pub(super) fn overlap(script: &Script) -> Option<(usize, usize, TimingFault)> {
    script.lanes.iter().enumerate().find_map(|(lane, each)| {
        let mut steps = each.steps.iter().enumerate();
        steps.find_map(|(step, each)| match &each.timing {
            Some(Timing::Classes(classes)) => Some((lane, step, overlap_of(classes)?)),
            Some(Timing::Within(_)) | None => None,
        })
    })
}

fn overlap_of(classes: &[TimeClass]) -> Option<TimingFault> {
    let pairs =
        classes.iter().enumerate().flat_map(|(at, one)| classes[at + 1..].iter().map(move |two| (one, two)));
    let (one, two) = pairs.into_iter().find(|(one, two)| one.range.overlaps(two.range))?;
    Some(TimingFault {
        message: format!("the times `{}` and `{}` overlap", one.name, two.name),
        label: format!("{} and {}", one.range, two.range),
        help: "a time belongs to one class: let the second begin where the first ends",
    })
}
