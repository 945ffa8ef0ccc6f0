//! What a person sees while a run goes on: lines that are redrawn on a terminal; elsewhere one line per block, and one now and then, each with its time.
//!
//! A consumer of the spine like the record; a failing progress bar never stops a run. Must not know what is said (`progress/state.rs`). Units: seconds.
//! Errors: none. Tests: `progress/state.rs`; `tests/trouble/look.rs` (root).

mod state;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::streams::{self, Weight, is_quiet};
use crate::event::Event;
use state::{Reader, Said, State};

/// How often a plain (not redrawn) line is due while a block is played.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// The live table.
pub(super) struct ProgressTable {
    bars: MultiProgress,
    total: ProgressBar,
    now: ProgressBar,
    counts: ProgressBar,
    /// Whether something is redrawn.
    drawn: bool,
    state: State,
    last_plain: Instant,
}

impl ProgressTable {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = MultiProgress::new();
        let line = |template: &str| {
            let bar = bars.add(ProgressBar::new(1));
            bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
            bar
        };
        let total = line("{bar:28.green/dim} {msg}");
        let now = line("{spinner} {msg}");
        let counts = line("  {msg}");
        let drawn = terminal && !is_quiet();
        if drawn {
            now.enable_steady_tick(Duration::from_millis(120));
        } else {
            bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let state = State::of(if terminal { Reader::Terminal } else { Reader::Log });
        Self { bars, total, now, counts, drawn, state, last_plain: Instant::now() }
    }

    /// Takes one event.
    pub(super) fn consume(&mut self, event: &Event) {
        if let Some(Said { weight, line }) = self.state.consume(event) {
            self.say(weight, &line);
        }
        if self.drawn {
            self.total.set_length(self.state.blocks_total as u64);
            self.total.set_position(self.state.blocks_done as u64);
            self.total.set_message(self.state.total_line());
            self.now.set_message(self.state.now_line());
            self.counts.set_message(self.state.counts_line());
        } else if matches!(event, Event::BlockProgress { .. }) && self.last_plain.elapsed() > PLAIN_EVERY {
            let line = format!(
                "{} | {} | {}",
                self.state.total_line(),
                self.state.now_line(),
                self.state.counts_line()
            );
            self.say(Weight::Progress, &line);
        }
        if matches!(event, Event::RunEnded { .. }) {
            let _ = self.bars.clear();
        }
    }

    fn say(&mut self, weight: Weight, line: &str) {
        self.last_plain = Instant::now();
        if self.drawn {
            // A terminal that is gone is no reason to end the run.
            let _ = self.bars.println(line);
        } else {
            streams::log(weight, line);
        }
    }
}
