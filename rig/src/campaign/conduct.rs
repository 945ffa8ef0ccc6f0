//! The second half of a campaign: blocks are played while the record and whoever watches take in what happens.
//!
//! A failing record stops the run; a watcher never does. Must not know what a watcher does with an event. Units: `Duration`.
//! Errors: [`CampaignError::Record`]. Tests: `runner/dispatcher/tests.rs`, `tests/trouble`.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::event::Event;
use crate::record::{RecordError, Writer};
use crate::runner::{Boots, Dispatcher, Stopper, Why};

use super::error::CampaignError;
use super::open::Opened;
use super::order::{AfterVoid, Order};
use super::watcher::Watcher;

/// Plays the plan to its end, or to whatever ends it before.
pub(super) async fn conduct(
    opened: Opened,
    order: &Order,
    watcher: &mut impl Watcher,
) -> Result<(), CampaignError> {
    let Opened { laboratory, writer, run, done, .. } = opened;
    let (events, spine) = unbounded_channel();
    let (stopper, stop) = Stopper::new();
    watcher.may_stop(stopper.clone());
    if let Some(deadline) = order.deadline {
        let stopper = stopper.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stopper.stop(Why::Deadline);
        });
    }
    // The spine's first event; its receiver lives in this very function.
    let _ = events.send(Event::RunStarted { run: Box::new(run.clone()), done: done.clone() });
    let attempts = run.conduct.retries.saturating_add(1);
    let fail_fast = order.after_void == AfterVoid::Stop;
    let dispatcher =
        Dispatcher::new(Boots::of(laboratory), events, (stopper.clone(), stop), attempts, fail_fast);
    let playing = tokio::spawn(async move { _ = dispatcher.run(&run, &done).await });
    let recorded = consume(spine, writer, &stopper, watcher).await;
    playing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    Ok(recorded?)
}

async fn consume(
    mut spine: UnboundedReceiver<Event>,
    mut writer: Writer,
    stopper: &Stopper,
    watcher: &mut impl Watcher,
) -> Result<(), RecordError> {
    let mut recorded = Ok(());
    while let Some(event) = spine.recv().await {
        if recorded.is_ok() {
            recorded = record(&mut writer, &event);
            if recorded.is_err() {
                stopper.stop(Why::RecordFailed);
            }
        }
        watcher.happened(&event);
    }
    recorded
}

fn record(writer: &mut Writer, event: &Event) -> Result<(), RecordError> {
    match event {
        Event::PacketsCaptured { file, bytes, .. } => writer.capture(file, bytes),
        Event::BlockFinished { record, trials, .. } => writer.block(record, trials),
        Event::RunEnded { stopped } => writer.end(*stopped),
        Event::RunStarted { .. }
        | Event::BlockStarted { .. }
        | Event::BlockPhase { .. }
        | Event::BlockProgress { .. }
        | Event::CellStopped { .. }
        | Event::Interrupted => Ok(()),
    }
}
