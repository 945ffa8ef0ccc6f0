//! Faults of a path at their moments: begun, ended, repeated and counted while trials are played.
//!
//! Holds one timeline per fault. Must not know outcomes. A fault without a delay is in place before the target is told to play; other moments,
//! and how long each lasts, are counted from then.
//! Units: nanoseconds in the spec. Errors: [`StageError`]: a fault that cannot be carried out makes the block void.
//! Tests: below; real ones in `tests/paths.rs` (root) and `tests/guest.rs`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::stage::{Stage, StageError};
use crate::machine::qemu::LinkState;
use crate::middlebox::Command;
use crate::path::{Fault, FaultKind, PathCounter};
use crate::process;
use crate::record::{Part, VoidReason};
use crate::testbed::{Backend, Carrier, Contention};

/// How often each fault was carried out, as `fault.NAME`; for contention also the CPU time that it took, as `fault.NAME.cpu_ms`.
#[derive(Debug, Default)]
pub(super) struct Done {
    counted: Mutex<BTreeMap<String, u64>>,
    /// Changes that are being made.
    under_way: watch::Sender<u32>,
}

impl Done {
    fn add(&self, counter: PathCounter, by: u64) {
        *process::lock(&self.counted).entry(counter.to_string()).or_default() += by;
    }

    /// The counters; faults that never came are there with 0.
    pub(super) fn counters(self, faults: &[Fault]) -> BTreeMap<String, u64> {
        let mut counters = std::mem::take(&mut *process::lock(&self.counted));
        for counter in PathCounter::of_faults(faults) {
            counters.entry(counter.to_string()).or_default();
        }
        counters
    }
}

/// Plays while faults are carried out. A change that is under way at the end is waited for: the trials may have ended by it before whoever makes it
/// knows that it is made. Each change has a deadline of its own.
pub(super) async fn during<T>(
    conduct: impl Future<Output = Result<Infallible, StageError>>,
    play: impl Future<Output = Result<T, StageError>>,
    done: &Done,
) -> Result<T, StageError> {
    let mut conduct = pin!(conduct);
    let played = tokio::select! {
        biased;
        failed = &mut conduct => match failed? {},
        played = play => played?,
    };
    let mut under_way = done.under_way.subscribe();
    tokio::select! {
        biased;
        failed = conduct => match failed? {},
        // The sender lives as long as `done`.
        _ = under_way.wait_for(|changes| *changes == 0) => Ok(played),
    }
}

/// When a fault begins for the `n`-th time, counted from 0; `None` when it does not begin again.
fn moment(fault: &Fault, n: u32) -> Option<Duration> {
    match (n, fault.every_ns) {
        (0, _) => Some(Duration::from_nanos(fault.after_ns)),
        (_, 0) => None,
        (n, every) => {
            Some(Duration::from_nanos(fault.after_ns.saturating_add(every.saturating_mul(n.into()))))
        }
    }
}

/// One fault of a path; where it is to be there when the first trial begins, it has begun.
pub(super) struct Timeline<'a> {
    fault: &'a Fault,
    first: Option<UnderWay<'a>>,
}

/// A fault that has begun.
enum UnderWay<'a> {
    Busy(Busy<'a>),
    Changed(Option<Undo>),
}

/// Whether a fault is in place before the target is told to play. A guest that stands still could not be told.
fn precedes_trials(fault: &Fault) -> bool {
    fault.after_ns == 0 && !matches!(fault.kind, FaultKind::Pause)
}

/// Begins the faults without a delay: before the target is told to play, so that they meet the first trial too.
pub(super) async fn place<'a>(
    stage: &Stage,
    faults: &'a [Fault],
    done: &'a Done,
) -> Result<Vec<Timeline<'a>>, StageError> {
    let mut timelines = Vec::with_capacity(faults.len());
    for fault in faults {
        let first = if precedes_trials(fault) { Some(begin(stage, fault, done).await?) } else { None };
        timelines.push(Timeline { fault, first });
    }
    Ok(timelines)
}

/// Carries out all faults of a path, each at its moments, until the caller drops it: trials end, faults do not.
pub(super) async fn conduct(
    stage: &Stage,
    timelines: Vec<Timeline<'_>>,
    done: &Done,
) -> Result<Infallible, StageError> {
    let began = Instant::now();
    try_join_all(timelines.into_iter().map(|timeline| follow(stage, timeline, began, done))).await?;
    std::future::pending().await
}

async fn follow(
    stage: &Stage,
    timeline: Timeline<'_>,
    began: Instant,
    done: &Done,
) -> Result<(), StageError> {
    let Timeline { fault, mut first } = timeline;
    for n in 0_u32.. {
        let Some(after) = moment(fault, n) else { break };
        sleep_until(began + after).await;
        let under_way = match first.take() {
            Some(under_way) => under_way,
            None => begin(stage, fault, done).await?,
        };
        end(stage, under_way, Duration::from_nanos(fault.for_ns)).await?;
    }
    Ok(())
}

/// Begins a fault, and counts it.
async fn begin<'a>(stage: &Stage, fault: &'a Fault, done: &'a Done) -> Result<UnderWay<'a>, StageError> {
    match &fault.kind {
        FaultKind::Contention { threads_per_cpu } => {
            let contention =
                Contention::start(*threads_per_cpu).map_err(StageError::failed(Part::BusyThreads))?;
            Ok(UnderWay::Busy(Busy { contention: Some(contention), name: &fault.name, done }))
        }
        kind => {
            done.under_way.send_modify(|changes| *changes += 1);
            change(stage, kind).await?;
            done.add(PathCounter::Fault(fault.name.clone()), 1);
            done.under_way.send_modify(|changes| *changes -= 1);
            Ok(UnderWay::Changed(undo_of(kind)))
        }
    }
}

/// Ends a fault when it has lasted so long; busy threads without an end go on for as long as the caller lets them.
async fn end(stage: &Stage, under_way: UnderWay<'_>, lasts: Duration) -> Result<(), StageError> {
    match under_way {
        UnderWay::Busy(busy) => {
            if lasts.is_zero() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(lasts).await;
            drop(busy);
        }
        UnderWay::Changed(Some(undo)) => {
            sleep_until(Instant::now() + lasts).await;
            undo_fault(stage, undo).await?;
        }
        UnderWay::Changed(None) => {}
    }
    Ok(())
}

/// Busy threads; counts what they took when they end, also where the future is dropped with them.
struct Busy<'a> {
    contention: Option<Contention>,
    name: &'a str,
    done: &'a Done,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let used_ns = self.contention.take().map_or(0, Contention::stop);
        self.done.add(PathCounter::FaultCpuTime(self.name.to_owned()), used_ns / 1_000_000);
        self.done.add(PathCounter::Fault(self.name.to_owned()), u64::from(used_ns > 0));
    }
}

/// What undoes a fault that has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    LinkUp,
    Resume,
    BackendUp,
    HostBack,
}

fn undo_of(kind: &FaultKind) -> Option<Undo> {
    match kind {
        FaultKind::LinkDown => Some(Undo::LinkUp),
        FaultKind::Pause => Some(Undo::Resume),
        FaultKind::BackendDown => Some(Undo::BackendUp),
        FaultKind::HostGone => Some(Undo::HostBack),
        FaultKind::Contention { .. }
        | FaultKind::VsockReset
        | FaultKind::ForgetConnections
        | FaultKind::Arm { .. } => None,
    }
}

/// Changes what a fault changes.
async fn change(stage: &Stage, kind: &FaultKind) -> Result<(), StageError> {
    match kind {
        FaultKind::LinkDown => set_link(stage, LinkState::Down, Carrier::Off).await,
        FaultKind::Pause => match stage.guest() {
            Some(guest) => Ok(guest.pause().await?),
            None => Err(VoidReason::NoGuestToPause.into()),
        },
        FaultKind::VsockReset => stage.reset_vsock().await,
        FaultKind::BackendDown => Ok(blocking(|| stage.testbed().set_backend(Backend::Down))?),
        FaultKind::HostGone => {
            Ok(blocking(|| stage.testbed().command(Command::HostGone { address: stage.peer_address() }))?)
        }
        FaultKind::ForgetConnections => Ok(blocking(|| stage.testbed().command(Command::ForgetConnections))?),
        FaultKind::Arm { action } => {
            Ok(blocking(|| stage.testbed().command(Command::Arm { action: action.clone() }))?)
        }
        FaultKind::Contention { .. } => unreachable!("contention has a beginning and an end of its own"),
    }
}

async fn undo_fault(stage: &Stage, undo: Undo) -> Result<(), StageError> {
    match undo {
        Undo::LinkUp => set_link(stage, LinkState::Up, Carrier::On).await,
        Undo::Resume => match stage.guest() {
            Some(guest) => Ok(guest.resume().await?),
            None => Err(VoidReason::NoGuestToPause.into()),
        },
        Undo::BackendUp => Ok(blocking(|| stage.testbed().set_backend(Backend::Up))?),
        Undo::HostBack => {
            Ok(blocking(|| stage.testbed().command(Command::HostBack { address: stage.peer_address() }))?)
        }
    }
}

async fn set_link(stage: &Stage, guest: LinkState, host: Carrier) -> Result<(), StageError> {
    match stage.guest() {
        Some(running) => Ok(running.set_link(guest).await?),
        None => Ok(blocking(|| stage.testbed().set_target_link(host))?),
    }
}

/// Some milliseconds of netlink or of a thread's answer, without holding up the other tasks of this thread.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(after_ns: u64, every_ns: u64) -> Fault {
        Fault { name: "f".into(), kind: FaultKind::LinkDown, after_ns, for_ns: 0, every_ns }
    }

    #[test]
    fn a_fault_comes_once_or_again_and_again() {
        let ns = Duration::from_nanos;
        assert_eq!([moment(&fault(5, 0), 0), moment(&fault(5, 0), 1)], [Some(ns(5)), None]);
        assert_eq!([moment(&fault(5, 7), 1), moment(&fault(5, 7), 3)], [Some(ns(12)), Some(ns(26))]);
    }

    #[test]
    fn a_fault_without_a_delay_is_there_before_the_first_trial_unless_the_guest_then_could_not_begin_it() {
        let of = |kind, after_ns| precedes_trials(&Fault { kind, ..fault(after_ns, 0) });
        let contention = || FaultKind::Contention { threads_per_cpu: 1 };
        assert!(of(FaultKind::LinkDown, 0) && of(contention(), 0) && of(FaultKind::HostGone, 0));
        assert!(of(FaultKind::ForgetConnections, 0) && of(FaultKind::Arm { action: "a".into() }, 0));
        assert!(!of(FaultKind::LinkDown, 1) && !of(contention(), 1) && !of(FaultKind::Pause, 0));
    }

    #[tokio::test]
    async fn a_change_under_way_is_waited_for_and_its_failure_is_told() {
        let done = Done::default();
        let played = || std::future::ready(Ok(7));
        let idle = during(std::future::pending(), played(), &done).await;
        assert_eq!(idle.expect("nothing is under way"), 7);
        done.under_way.send_modify(|changes| *changes += 1);
        let change = async {
            tokio::task::yield_now().await;
            done.add(PathCounter::Fault("f".into()), 1);
            done.under_way.send_modify(|changes| *changes -= 1);
            std::future::pending().await
        };
        assert_eq!(during(change, played(), &done).await.expect("the change ends"), 7);
        done.under_way.send_modify(|changes| *changes += 1);
        let failing = async {
            tokio::task::yield_now().await;
            Err(StageError::from(VoidReason::NoGuestToPause))
        };
        during(failing, played(), &done).await.expect_err("the change fails");
        assert_eq!(done.counters(&[])["fault.f"], 1);
    }

    #[test]
    fn a_fault_that_never_came_is_counted_as_none() {
        let done = Done::default();
        done.add(PathCounter::Fault("g".into()), 2);
        let counters = done.counters(&[fault(1, 0)]);
        assert_eq!(counters, BTreeMap::from([("fault.f".into(), 0), ("fault.g".into(), 2)]));
    }
}
