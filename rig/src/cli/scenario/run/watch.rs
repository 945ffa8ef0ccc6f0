//! What the person sees of a scenario while it is played in a guest: its image, its boot, how many trials.
//!
//! Must not know what comes of it. Units: trials. Errors: none. Tests: `tests/guest/alone.rs`.

use std::time::{Duration, Instant};

use crate::analysis::words::count;
use crate::campaign::Watcher;
use crate::cli::image::tell_step;
use crate::cli::signals;
use crate::cli::streams::progress;
use crate::document::Problems;
use crate::event::{Event, Phase};
use crate::image::Step;
use crate::machine::qemu::Remain;
use crate::matrix::{Cell, Undecidable, WeakControl};
use crate::runner::Stopper;

/// How often it is said how many trials were played.
const EVERY: Duration = Duration::from_secs(5);

/// The person who waits.
pub(in crate::cli) struct Person {
    /// What is booted; none where nothing is.
    guest: Option<String>,
    trials: u64,
    last: Instant,
}

impl Person {
    pub(in crate::cli) fn of(cell: &Cell) -> Self {
        let subject = &cell.subject;
        let guest = || format!("configuration {}, kernel {}", subject.configuration.name, subject.kernel);
        let guest = (!cell.is_baseline()).then(guest);
        Self { guest, trials: cell.trials, last: Instant::now() }
    }
}

impl Watcher for Person {
    fn image_step(&mut self, image: &str, step: &Step) {
        tell_step(image, step);
    }

    fn weak_control(&mut self, _: &WeakControl) {}

    fn undecidable(&mut self, _: &Undecidable) {}

    fn unmet(&mut self, _: Problems) {}

    fn may_stop(&mut self, stopper: Stopper) {
        signals::stop_on_signal(stopper);
    }

    fn panicked(&mut self, remain: &Remain) {
        remain.words().iter().for_each(|line| progress(format_args!("{line}")));
    }

    fn happened(&mut self, event: &Event) {
        match event {
            Event::BlockPhase { phase: Phase::Boot, .. } => {
                if let Some(guest) = &self.guest {
                    progress(format_args!("booting a guest: {guest}"));
                }
            }
            Event::BlockPhase { phase: Phase::Play, .. } => {
                self.last = Instant::now();
                if self.guest.is_some() {
                    progress(format_args!("playing {} trials", count(self.trials)));
                }
            }
            Event::BlockProgress { progress: so_far, .. } if self.last.elapsed() >= EVERY => {
                self.last = Instant::now();
                progress(format_args!("{} of {} trials played", count(so_far.trials), count(self.trials)));
            }
            Event::RunStarted { .. }
            | Event::BlockStarted { .. }
            | Event::BlockPhase { .. }
            | Event::BlockProgress { .. }
            | Event::PacketsCaptured { .. }
            | Event::BlockFinished { .. }
            | Event::CellStopped { .. }
            | Event::Interrupted
            | Event::RunEnded { .. } => {}
        }
    }
}
