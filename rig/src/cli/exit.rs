//! Exit codes of the contract, and the failures that carry them.

use std::fmt;
use std::process::ExitCode;

use miette::{Diagnostic, Report};

use super::called;
use super::diagnostic::worded;
use super::failed_json::{self, Said};
use super::streams::tell;
use crate::analysis::words::count;
use crate::campaign::{Blame, CampaignError};
use crate::document::Problems;
use crate::history::HistoryError;
use crate::image::ImageError;
use crate::record::RecordError;

/// What a script can rely on. The words of a command's help: [`Exit::meaning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All asked cells have their trials.
    Done = 0,
    /// A bug in rig.
    Bug = 1,
    /// The input is wrong: file, flag, filter.
    Input = 2,
    /// Some cells are short.
    Short = 3,
    /// The testbed cannot be used.
    Testbed = 4,
    /// An alert fired, or a comparison shows a difference that is news, however small, or surely more trials than are tolerated ended otherwise than their
    /// scenario expects.
    Alert = 5,
    /// Interrupted; the record is complete up to there.
    Interrupted = 130,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Bug, Self::Input, Self::Short, Self::Testbed, Self::Alert, Self::Interrupted];

    /// For a command's help.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Bug => "a bug in rig",
            Self::Input => "the input is wrong: a file, a flag, a filter, the name of a run",
            Self::Short => {
                "short: trials or a control are missing, a denied cell was skipped, or it was stopped early"
            }
            Self::Testbed => "this machine cannot do it: `rig doctor` says why",
            Self::Alert => "a finding: an alert, a difference, or outcomes that a scenario does not expect",
            Self::Interrupted => "interrupted; everything that was recorded before is complete",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// More problems of one input are counted and not shown: the first have the same cause, or are enough to go on with.
const MOST_SHOWN: usize = 50;

/// Why a command cannot go on, with the exit code that tells whom it blames.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    reports: Vec<Report>,
}

impl Failure {
    /// The input is wrong; all its problems at once.
    pub fn input<D: Diagnostic + Send + Sync + 'static>(problems: impl IntoIterator<Item = D>) -> Self {
        Self { exit: Exit::Input, reports: problems.into_iter().map(Report::new).collect() }
    }

    /// The testbed cannot be used.
    pub fn testbed(problem: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self { exit: Exit::Testbed, reports: vec![Report::new(problem)] }
    }

    /// A bug in rig, or a disk that fails under it.
    pub fn bug(problem: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self { exit: Exit::Bug, reports: vec![Report::new(problem)] }
    }

    /// A plain sentence with help.
    pub fn say(exit: Exit, what: impl fmt::Display, help: impl fmt::Display) -> Self {
        let report = miette::miette!(help = help.to_string(), "{what}");
        Self { exit, reports: vec![report] }
    }

    /// With these problems of the input before it: they say more exactly what it is about.
    pub fn showing<D: Diagnostic + Send + Sync + 'static>(
        mut self,
        problems: impl IntoIterator<Item = D>,
    ) -> Self {
        self.reports.splice(0..0, problems.into_iter().map(Report::new));
        self
    }

    /// Prints it to standard error, where one is known before the command ends; nothing where there is nothing to say.
    pub fn show(self) {
        let problems = self.reports.len();
        for report in self.reports.into_iter().take(MOST_SHOWN) {
            tell(format_args!("{:?}", worded(report)));
        }
        match problems {
            0 | 1 => {}
            all @ 2..=MOST_SHOWN => tell(format_args!("{all} problems")),
            all => tell(format_args!("{} problems; the first {MOST_SHOWN} are shown", count(all as u64))),
        }
    }

    /// Prints it to standard error, and to standard output as JSON where that was asked for; gives the exit code.
    pub fn print(self) -> ExitCode {
        let exit = self.exit;
        if failed_json::is_asked(std::env::args_os()) {
            let said = |report: &Report| Said {
                error: called::worded(
                    &report.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "),
                ),
                help: report.help().map(|help| called::worded(&help.to_string())).unwrap_or_default(),
            };
            let problems: Vec<Said> = self.reports.iter().map(said).collect();
            failed_json::print(exit as u8, &problems);
        }
        self.show();
        exit.into()
    }
}

impl From<CampaignError> for Failure {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Input(problems) => Self::input(problems),
            CampaignError::Image(error) => error.into(),
            CampaignError::NothingReady { reasons, unmet } => {
                Self::testbed(CampaignError::NothingReady { reasons, unmet: Problems::default() })
                    .showing(unmet)
            }
            error => match error.blame() {
                Blame::Input => Self::input([error]),
                Blame::Testbed => Self::testbed(error),
                Blame::User => Self { exit: Exit::Interrupted, reports: vec![Report::new(error)] },
            },
        }
    }
}

/// A recipe's problems are shown all at once; else the exit code tells whether the recipe or the machine is to blame.
impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Recipe { problems, .. } => Self::input(problems),
            ImageError::Interrupted => Self { exit: Exit::Interrupted, reports: vec![Report::new(error)] },
            error if error.blames_input() => Self::input([error]),
            error => Self::testbed(error),
        }
    }
}

/// Exit 2 where the asked run is wrong, 4 where the disk is.
impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        if error.blames_the_input() { Self::input([error]) } else { Self::testbed(error) }
    }
}

/// Exit 2 where what was asked or the database's file is wrong, 4 where the machine is.
impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        if error.blames_the_input() { Self::input([error]) } else { Self::testbed(error) }
    }
}
