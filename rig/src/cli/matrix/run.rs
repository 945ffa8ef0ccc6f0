//! `rig matrix run`: its arguments, what a person sees of it, its exit code. What a run is: `campaign/run.rs`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use super::live::Live;
use super::plan::Which;
use super::progress::ProgressTable;
use super::sharding::Sharding;
use crate::campaign::{self, AfterVoid, Ended, NewRun, Order, Watcher, Work};
use crate::cli::output::print;
use crate::cli::skips::DeniedSkips;
use crate::cli::streams::Weight;
use crate::cli::{Exit, Failure, called, number, report, screen, setup, signals, streams, width};
use crate::document::Problems;
use crate::event::Event;
use crate::image::Step;
use crate::machine::qemu::Remain;
use crate::matrix::{Undecidable, WeakControl};
use crate::record::format::CaptureWhen;
use crate::report::{answer, text};
use crate::runner::Stopper;

/// Arguments of `rig matrix run`.
#[derive(Debug, clap::Args)]
#[command(override_usage = usage(&called::name()))]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The folder in which runs are recorded
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Seed of the order of blocks and of every random draw [default: a new one]
    #[arg(long, value_name = "S", value_parser = number::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    #[command(flatten)]
    sharding: Sharding,
    /// Continue a run: its id, a unique part of it, or `latest` (if none is given)
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest", conflicts_with_all = ["filters", "matrix", "kernel", "baseline", "trials", "seed", "profile", "shard", "claims"])]
    resume: Option<String>,
    /// Keep to a plan that `rig matrix plan --lock FILE` wrote: with its seed, and its cells where no profile or filter is given. The report says what deviates from it
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    lock: Option<PathBuf>,
    /// Keep the packets of blocks: a pcapng file for each end, for Wireshark and tshark [default: never]
    #[arg(long, value_enum, value_name = "WHEN", conflicts_with = "resume")]
    capture: Option<Capture>,
    /// Keep the memory of a guest whose kernel panics: a file that crash(8) opens, in `core` of the run's folder, three at most
    #[arg(long)]
    keep_core: bool,
    /// Stop after this long (`90m`, `2h`); what is recorded until then is complete
    #[arg(long, value_name = "TIME", value_parser = parse_deadline)]
    deadline: Option<Duration>,
    /// First install what this host lacks, as `rig setup --yes` does
    #[arg(long)]
    setup: bool,
    /// Exit with 3 if any cell is skipped, and name the key that asks for what this host lacks.
    /// `--deny-skips=all-but:vhost-net,kvm` allows skips for these reasons
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = DeniedSkips::ALL
    )]
    deny_skips: Option<DeniedSkips>,
    /// Write the run's page, report.html in its folder, again and again while the run goes on
    #[arg(long)]
    live: bool,
    /// Stop after the first block that is still void after its retries
    #[arg(long)]
    fail_fast: bool,
}

/// A run that is gone on with has its cells: clap's own line would offer to choose them anew.
pub(in crate::cli) fn usage(name: &str) -> String {
    format!("{name} matrix run [OPTIONS] [FILTER]...\n       {name} matrix run --resume [RUN] [OPTIONS]")
}

/// Which blocks' packets are kept.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(in crate::cli) enum Capture {
    /// None; nothing is captured
    Never,
    /// Of blocks with an anomaly, other than controls
    Anomaly,
    /// Of every block
    Always,
}

impl From<Capture> for CaptureWhen {
    fn from(capture: Capture) -> Self {
        match capture {
            Capture::Never => Self::Never,
            Capture::Anomaly => Self::Anomaly,
            Capture::Always => Self::Always,
        }
    }
}

impl Arguments {
    fn order(self) -> Result<Order, Failure> {
        let work = match self.resume {
            Some(run) => Work::Again(run),
            None => Work::New(Box::new(NewRun {
                asked: self.which.into(),
                shard: self.sharding.shard,
                division: self.sharding.division(&self.results)?,
                seed: self.seed,
                capture: self.capture.map_or(CaptureWhen::Never, Into::into),
                lock: self.lock,
            })),
        };
        let after_void = if self.fail_fast { AfterVoid::Stop } else { AfterVoid::GoOn };
        Ok(Order {
            work,
            results: self.results,
            deadline: self.deadline,
            keep_core: self.keep_core,
            after_void,
        })
    }
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.setup {
        setup::run_unasked()?;
    }
    let denied = arguments.deny_skips.clone();
    let live = arguments.live.then(|| Live::new(arguments.results.clone()));
    carry_out_with(&arguments.order()?, denied.as_ref(), live)
}

/// Runs the campaign before this reader's eyes, and says what came of it.
pub(in crate::cli) fn carry_out(order: &Order, denied: Option<&DeniedSkips>) -> Result<Exit, Failure> {
    carry_out_with(order, denied, None)
}

fn carry_out_with(order: &Order, denied: Option<&DeniedSkips>, live: Option<Live>) -> Result<Exit, Failure> {
    let mut person = Person { shows_unmet: denied.is_some(), progress: None, live };
    let Ended { run_dir, model } = campaign::run(order, &mut person)?;
    let folder = run_dir.display().to_string();
    let last_screen = screen::coloured(&answer(&model, &folder, called::worded));
    if io::stdout().is_terminal() {
        // The report has many screens; it is in its file, and the last one names that.
        print(&last_screen)?;
    } else {
        let report = text(&model, width::report_page());
        print(&format!("{report}\nrecorded in {folder}\n\n{last_screen}"))?;
    }
    Ok(report::exit_of(&model, denied))
}

/// The person at the terminal, who is told what goes on and may stop it.
struct Person {
    /// Whether they deny skips.
    shows_unmet: bool,
    /// Made with the first event: it has a thread of its own on a terminal, and the enclosure comes before all threads.
    progress: Option<ProgressTable>,
    /// The page that follows the run, where it was asked for.
    live: Option<Live>,
}

impl Watcher for Person {
    fn image_step(&mut self, image: &str, step: &Step) {
        streams::log(Weight::Progress, format_args!("{image}: {step}"));
    }

    fn weak_control(&mut self, weak: &WeakControl) {
        streams::log(Weight::Warning, weak);
    }

    fn undecidable(&mut self, told: &Undecidable) {
        streams::log(Weight::Warning, told);
    }

    fn unmet(&mut self, problems: Problems) {
        if self.shows_unmet {
            // Now, not at the end: who denies skips may want to stop here.
            Failure::input(problems).show();
        }
    }

    fn may_stop(&mut self, stopper: Stopper) {
        signals::stop_on_signal(stopper);
    }

    fn panicked(&mut self, remain: &Remain) {
        if let Some(words) = remain.core_words() {
            streams::log(Weight::Warning, words);
        }
    }

    fn happened(&mut self, event: &Event) {
        self.progress.get_or_insert_with(ProgressTable::new).consume(event);
        if let Some(live) = &mut self.live {
            live.consume(event);
        }
        if matches!(event, Event::RunEnded { .. }) {
            // Its thread would go on to draw into the report.
            self.progress = None;
        }
    }
}

/// `90s`, `30m`, `2h`
fn parse_deadline(text: &str) -> Result<Duration, String> {
    crate::document::parse_deadline(text)
}
