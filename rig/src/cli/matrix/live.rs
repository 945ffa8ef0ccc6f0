//! `--live`: the run's page, written again while the run goes on.
//!
//! Between two pages lies twenty times what the last one cost, so that the writing takes a twentieth of one CPU at most. Must not disturb the run: what cannot
//! be written is said once. Units: seconds. Errors: none. Tests: `tests/trouble/live.rs`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::campaign::{CampaignError, read_report};
use crate::cli::streams::{self, Weight};
use crate::event::Event;
use crate::record::{Folder, Layout};
use crate::report::{Carried, Format};

/// A reader does not look more often.
const LEAST: Duration = Duration::from_secs(2);

/// How many times the cost of a page lies between two.
const REST: u32 = 20;

/// In how many seconds a browser loads the page anew.
const REFRESH: u32 = 5;

/// A page that follows its run.
pub(super) struct Live {
    results: PathBuf,
    run: Option<PathBuf>,
    next: Instant,
    failed: bool,
}

impl Live {
    /// Of the run that will lie in this folder of runs.
    pub(super) fn new(results: PathBuf) -> Self {
        Self { results, run: None, next: Instant::now(), failed: false }
    }

    pub(super) fn consume(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => {
                let folder = self.results.join(&run.id);
                let page = folder.join(Layout::report(Format::HTML.extension));
                streams::log(
                    Weight::Progress,
                    format_args!("the page of this run, while it goes on: {}", page.display()),
                );
                self.run = Some(folder);
                self.write();
            }
            Event::BlockFinished { .. } if Instant::now() >= self.next => self.write(),
            Event::BlockFinished { .. }
            | Event::BlockStarted { .. }
            | Event::BlockPhase { .. }
            | Event::BlockProgress { .. }
            | Event::PacketsCaptured { .. }
            | Event::CellStopped { .. }
            | Event::Interrupted
            | Event::RunEnded { .. } => {}
        }
    }

    fn write(&mut self) {
        let Some(folder) = &self.run else { return };
        let begin = Instant::now();
        let written = page(folder);
        self.next = Instant::now() + (begin.elapsed() * REST).max(LEAST);
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            streams::log(Weight::Warning, format_args!("the page of this run cannot be written: {error}"));
        }
    }
}

fn page(folder: &std::path::Path) -> Result<(), CampaignError> {
    let model = read_report(folder)?;
    // The record is still being written: the page of the end carries it.
    let carried = Carried { packed: None, refresh: Some(REFRESH) };
    let text = Format::HTML.render_with(&model, &carried);
    Folder::open(folder)?.write(&Layout::report(Format::HTML.extension), text.as_bytes())?;
    Ok(())
}
