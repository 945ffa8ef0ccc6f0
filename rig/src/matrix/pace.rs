//! How long a trial waits by its own script, and how many trials are under way at once because of it.
//!
//! Must not know cells. Units: in the names. Errors: none. Tests: below; what it makes of a cell in `tests.rs`.

use std::thread;
use std::time::Duration;

use rig_protocol::{Delay, LabelParts, Op, Script, Step, Tally, Wait, own_labels};

use crate::configuration::{Configuration, TargetSpec};
use crate::program::{self, Place};

/// Trials that begin per second, where the file does not say how many are under way at once: what an emulated guest on a busy host
/// plays without dropping packets. More would measure overflowing queues; the same number on every configuration is what makes them comparable.
const BEGINNING_PER_SECOND: f64 = 200.0;

/// How many trials of a script are under way at once in a configuration where nobody says so. Of a program as many as its processors and memory bear
/// ([`program::in_flight`]); of steps [`BEGINNING_PER_SECOND`] for as long as one waits,
/// at least 8 (a closed loop that small cannot overload anything), at most 1,000. A scenario that names a deadline says that its trials may
/// wait for as long, whatever it is that they wait for (a connect to nobody takes two minutes), so that counts as their wait.
pub fn own_pace(script: &Script, configuration: &Configuration) -> u32 {
    if let Some(program) = &script.program {
        return program::in_flight(place(configuration), program::bytes(&program.parts));
    }
    let declared = script.deadline_ns.map_or(Duration::ZERO, Duration::from_nanos);
    let waits = typical_wait(script).max(declared);
    (waits.as_secs_f64() * BEGINNING_PER_SECOND).clamp(8.0, 1_000.0) as u32
}

fn place(configuration: &Configuration) -> Place {
    match &configuration.target {
        TargetSpec::Host(_) => {
            Place::Host { cpus: thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32) }
        }
        TargetSpec::Qemu(spec) => Place::Guest { vcpus: spec.vcpus, memory_mib: spec.memory_mib },
    }
}

/// How long one trial usually waits: its sleeps, the timeout of its verdict call only where that is what is expected, and until its deadline
/// where nothing else is.
pub(super) fn typical_wait(script: &Script) -> Duration {
    let times_out = expects_timeout(script);
    let lane = |steps: &[Step]| {
        steps
            .iter()
            .map(|step| match step.op.schema().wait {
                Wait::Whole => usual_wait(&step.op),
                Wait::AtMost if step.verdict && times_out => usual_wait(&step.op),
                Wait::AtMost | Wait::No => Duration::ZERO,
            })
            .sum::<Duration>()
    };
    let waits = script.lanes.iter().map(|each| lane(&each.steps)).max().unwrap_or_default();
    match script.deadline_ns {
        Some(ns) if expects_deadline(script) => waits.max(Duration::from_nanos(ns)),
        Some(_) | None => waits,
    }
}

/// Whether a trial that goes as expected always lasts until its deadline.
fn expects_deadline(script: &Script) -> bool {
    // The last label, `deadline` or `connect:deadline`, is that of the step that was cut; `ok:deadline` would be a time.
    let cut = |pattern: &String| {
        let last = pattern.rsplit(',').next().unwrap_or_default();
        let of_another_step = own_labels(last).next().is_none();
        last == Tally::DEADLINE || (of_another_step && LabelParts::of(last).time == Some(Tally::DEADLINE))
    };
    !script.expect.is_empty() && script.expect.iter().all(cut)
}

/// The labels of a verdict call whose time was up, as the agent writes them: of select(), poll() and epoll_wait(), and of a wait for io_uring.
const TIMED_OUT: [&str; 2] = ["timeout", "ETIME"];

/// Whether a trial that goes as expected always waits its verdict call out: no other beginning of an outcome is expected.
fn expects_timeout(script: &Script) -> bool {
    match script.expect.as_slice() {
        [only] => only.split(',').next().is_some_and(|first| TIMED_OUT.contains(&LabelParts::of(first).word)),
        _ => false,
    }
}

/// How long a step takes where nothing ends it before.
fn usual_wait(op: &Op) -> Duration {
    op.delay().map_or_else(|| op.longest_wait(), mean)
}

fn mean(delay: Delay) -> Duration {
    Duration::from_nanos(match delay {
        Delay::Fixed { ns } => ns,
        Delay::Uniform { low_ns, high_ns } => low_ns / 2 + high_ns / 2,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rig_protocol::{Call, Keep, Lane, PollCall, Side, Slot};

    use super::*;

    fn expecting(outcomes: &[&str]) -> Script {
        let silent = crate::script::shipped("silent").expect("it is shipped");
        let silent = silent.resolve(&BTreeMap::new()).expect("its defaults are sound").script;
        let expect = outcomes.iter().map(|&outcome| outcome.to_owned()).collect();
        Script { expect, ..silent }
    }

    fn host() -> Configuration {
        Configuration { name: "metal".to_owned(), target: TargetSpec::plain_host() }
    }

    /// A process is more than a few calls, whatever its deadline is: a thousand of them at once would measure the scheduler.
    #[test]
    fn processes_are_as_many_as_the_processors_bear() {
        let program = Some(Box::new(rig_protocol::Program::default()));
        let script = Script { program, deadline_ns: Some(180_000_000_000), ..expecting(&["**"]) };
        let cpus = thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
        assert_eq!(own_pace(&script, &host()), program::in_flight(Place::Host { cpus }, 0));
    }

    #[test]
    fn a_deadline_is_waited_for_where_nothing_else_is_expected() {
        let with = |outcomes: &[&str]| Script { deadline_ns: Some(180_000_000_000), ..expecting(outcomes) };
        assert_eq!(typical_wait(&with(&["deadline"])), Duration::from_secs(180));
        assert_eq!(typical_wait(&with(&["deadline", "readable,deadline"])), Duration::from_secs(180));
        let before = ["connect:deadline", "*:deadline", "readable,deadline"];
        assert_eq!(typical_wait(&with(&before)), Duration::from_secs(180));
        assert!(typical_wait(&with(&["deadline", "readable:deadline"])) < Duration::from_secs(180));
        assert!(typical_wait(&with(&["deadline", "readable"])) < Duration::from_secs(180));
        assert!(typical_wait(&expecting(&["deadline"])) < Duration::from_secs(180));
    }

    #[test]
    fn a_declared_deadline_sets_the_pace_whatever_is_expected() {
        let with = |deadline_ns, outcomes: &[&str]| {
            own_pace(&Script { deadline_ns, ..expecting(outcomes) }, &host())
        };
        let refused = &["ETIMEDOUT,ok"][..];
        let own = with(None, refused);
        assert!(own < 200, "{own}");
        assert_eq!(with(Some(1_000_000_000), refused), 200);
        assert_eq!(with(Some(180_000_000_000), refused), 1_000);
        assert_eq!(with(Some(1), refused), own);
    }

    #[test]
    fn every_door_of_readiness_is_waited_out_where_that_is_expected() {
        let second = Delay::Fixed { ns: 1_000_000_000 };
        let of = |op: Op, outcome: &str| {
            let lanes = vec![Lane {
                name: "client".to_owned(),
                side: Side::Target,
                steps: vec![Step { verdict: true, ..Step::of(op) }],
            }];
            typical_wait(&Script { lanes, ..expecting(&[outcome]) })
        };
        let poll = Op::Poll { sockets: vec![], events: vec![], timeout: second, call: PollCall::Poll };
        assert_eq!(of(poll.clone(), "timeout"), Duration::from_secs(1));
        assert_eq!(of(poll, "readable"), Duration::ZERO);
        let wait = Op::UringWait { ring: Slot(0), id: 1, timeout: second };
        assert_eq!(of(wait, "ETIME"), Duration::from_secs(1));
        let raw = Op::SelectRaw {
            read: vec![],
            write: vec![],
            except: vec![],
            nfds: None,
            seconds: 0,
            microseconds: 1_500_000,
            keep: Keep::Nothing,
            call: Call::Select,
        };
        assert_eq!(of(raw, "timeout"), Duration::from_millis(1_500));
    }

    #[test]
    fn a_timeout_is_waited_for_only_where_it_is_the_one_thing_expected() {
        let waiting = typical_wait(&expecting(&["timeout"]));
        assert!(waiting > Duration::ZERO);
        assert_eq!(typical_wait(&expecting(&["timeout,ok,data"])), waiting);
        assert_eq!(typical_wait(&expecting(&["timeout:slow,ok,data"])), waiting);
        for others in [&["readable"][..], &["timeouts"], &["readable,timeout"], &["timeout", "EBADF"], &[]] {
            assert!(typical_wait(&expecting(others)) < waiting, "{others:?}");
        }
    }
}
