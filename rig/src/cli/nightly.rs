//! `rig nightly`: a run, the history, retention and notices in one, for a timer.
//!
//! Each step is this program again, as a child: what ends one step, be it a panic, never costs the night its notice. Must not know what a run is, nor how a run is
//! removed. Units: none. Errors: [`Failure`]: wrong input, another night that is still under way, a disk. Tests: below; `tests/nightly.rs` (root).

mod command;
mod files;
mod step;
mod turn;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fs_err as fs;

use self::command::Told;
use self::step::{Ended, Stage};
use self::turn::Turn;
use super::streams::{self, Weight};
use super::{Exit, Failure, called};
use crate::clock;
use crate::document::parse_deadline;
use crate::record;

/// The file, in the folder of the runs, that a notice is about.
const NOTICE: &str = "nightly.md";

/// Lines of the run's log that a notice has where there is no report.
const LAST_LINES: usize = 40;

/// What a reader of the help would not guess.
pub(super) const AFTER: &str = "Every night writes nightly.md into the folder of the runs: how it ended, and the report's summary or the last lines of the log. A second night in the \
    same folder is refused while the first is under way. The exit code is that of the step that went worst; page `nightly` (`rig docs nightly`) has timers and schedulers.";

/// Arguments of `rig nightly`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The profile of the matrix file
    #[arg(long, value_name = "NAME", default_value = "nightly")]
    profile: String,
    /// The folder in which runs are recorded
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Stop the run after this long (`90m`, `6h`); what is recorded until then is complete
    #[arg(long, value_name = "TIME", value_parser = checked_deadline)]
    deadline: Option<String>,
    /// After the run, remove all but so many of the newest runs, as `rig results gc` does
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// With --keep: keep every run that did not end with exit code 0, however old it is
    #[arg(long, requires = "keep")]
    keep_failed: bool,
    /// Run this command when the night does not end with exit code 0, and for each new alert of the history; `{}` in it becomes the path of a Markdown file, or of
    /// the alert's page. No shell reads it: words are split at blanks, outside of quotes
    #[arg(long, value_name = "COMMAND", value_parser = command::parse)]
    notify: Option<command::Words>,
    /// With --notify: run the command after every night
    #[arg(long, requires = "notify")]
    notify_always: bool,
    /// Write the units of systemd, workflows and the recipe of an image into this folder, and do nothing else
    #[arg(long, value_name = "DIR", exclusive = true)]
    write: Option<PathBuf>,
    /// Further arguments of `rig matrix run`: `-- kernel=6.1 --capture anomaly`
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

fn checked_deadline(text: &str) -> Result<String, String> {
    parse_deadline(text).map(|_| text.to_owned())
}

/// The step that tells of its findings itself.
const HISTORY: &str = "history";

/// A step of the night, and how it ended.
#[derive(Debug, Clone, Copy)]
struct Step {
    name: &'static str,
    code: u8,
}

impl Step {
    fn is_alert_of_history(&self) -> bool {
        self.name == HISTORY && self.code == Exit::Alert as u8
    }
}

/// `rig` is rig's own command line: the arguments of the run are read before anything begins.
pub(super) fn run(arguments: &Arguments, rig: clap::Command) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.write {
        return files::write(folder);
    }
    let words = arguments.of_run();
    refuse_wrong(&words, rig)?;
    let results = &arguments.results;
    fs::create_dir_all(results).map_err(|error| cannot("make the folder of the runs", &error))?;
    let turn = Turn::take(results)?;
    let mut stage = Stage::set().map_err(Failure::testbed)?;
    let before: BTreeSet<String> = record::list(results).into_iter().collect();
    let inherited = turn.given_to_children().map_err(|error| cannot("hand on the lock", &error))?;
    let run = stage.play(&words).map_err(|error| cannot("start the run", &error))?;
    drop(inherited);
    let mut steps = vec![Step { name: "run", code: run.code }];
    // The newest: another rig may write into the same folder.
    let recorded = record::list(results).into_iter().rfind(|id| !before.contains(id));
    // Who stopped it does not wait for anything, and knows.
    if run.code == Exit::Interrupted as u8 {
        return Ok(Exit::Interrupted);
    }
    if recorded.is_some() {
        let ended = stage.play(&arguments.of_history());
        let ended = ended.map_err(|error| cannot("start `rig history`", &error))?;
        steps.push(Step { name: HISTORY, code: ended.code });
    }
    if let Some(words) = arguments.of_retention() {
        let ended = stage.play(&words).map_err(|error| cannot("start `rig results gc`", &error))?;
        steps.push(Step { name: "gc", code: ended.code });
    }
    let exit = worst(&steps);
    let notice = notice(arguments, &steps, exit, recorded.as_deref(), &run, &mut stage);
    tell(arguments, untold(&steps), exit, &notice)?;
    streams::log(Weight::Progress, format_args!("night: {}", summary(&steps, exit)));
    Ok(exit)
}

impl Arguments {
    fn results_option(&self) -> [OsString; 2] {
        ["--results".into(), self.results.clone().into_os_string()]
    }

    fn of_run(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["matrix", "run"].map(OsString::from).to_vec();
        words.push(format!("--profile={}", self.profile).into());
        words.extend(self.results_option());
        words.extend(self.deadline.iter().flat_map(|time| [OsString::from("--deadline"), time.into()]));
        words.extend(self.arguments.clone());
        words
    }

    fn of_history(&self) -> Vec<OsString> {
        let mut words = vec![OsString::from(HISTORY)];
        words.extend(self.results_option());
        let notify = self.notify.iter();
        words.extend(notify.flat_map(|command| [OsString::from("--notify"), command.text().into()]));
        words
    }

    fn of_retention(&self) -> Option<Vec<OsString>> {
        let keep = self.keep?;
        let mut words: Vec<OsString> = ["results", "gc", "--keep"].map(OsString::from).to_vec();
        words.push(keep.to_string().into());
        words.extend(self.results_option());
        words.extend(self.keep_failed.then(|| OsString::from("--keep-failed")));
        Some(words)
    }
}

/// Wrong arguments of the run are told now, by the one who typed them, and not in a notice.
fn refuse_wrong(words: &[OsString], rig: clap::Command) -> Result<(), Failure> {
    let words = std::iter::once(OsString::from("rig")).chain(words.iter().cloned());
    match rig.try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.render().to_string();
            let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let how = "`rig matrix run --help` lists what may follow `--`; profile, results and deadline are options of `rig nightly` itself";
            Err(Failure::say(Exit::Input, what, how))
        }
    }
}

/// Whose end counts most comes first: a night with a finding and missing trials is one with a finding.
const WORST_FIRST: [Exit; 7] =
    [Exit::Interrupted, Exit::Bug, Exit::Input, Exit::Testbed, Exit::Alert, Exit::Short, Exit::Done];

fn worst(steps: &[Step]) -> Exit {
    let ended_so = |exit: &Exit| steps.iter().any(|step| step.code == *exit as u8);
    let unknown = steps.iter().any(|step| !Exit::ALL.iter().any(|exit| *exit as u8 == step.code));
    if unknown { Exit::Bug } else { WORST_FIRST.into_iter().find(ended_so).unwrap_or(Exit::Done) }
}

/// How the night ended but for what the history has told of already, with the same command.
fn untold(steps: &[Step]) -> Exit {
    let own: Vec<Step> = steps.iter().filter(|step| !step.is_alert_of_history()).copied().collect();
    worst(&own)
}

fn summary(steps: &[Step], exit: Exit) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("{} {}", step.name, step.code)).collect();
    format!("exit {} ({}); steps: {}", exit as u8, exit.meaning(), steps.join(", "))
}

/// What a person reads first in the morning: how the night ended, and the report's summary, or the last lines of the log.
fn notice(
    arguments: &Arguments,
    steps: &[Step],
    exit: Exit,
    recorded: Option<&str>,
    run: &Ended,
    stage: &mut Stage,
) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut text = format!(
        "# rig nightly on {}: exit {}\n\n{}, {}\n\n",
        host.trim(),
        exit as u8,
        clock::now_in_seconds(),
        summary(steps, exit)
    );
    let report = recorded.and_then(|id| {
        let mut words: Vec<OsString> = ["report", id, "--format", "markdown"].map(OsString::from).to_vec();
        words.extend(arguments.results_option());
        let ended = stage.take_down(&words).ok()?;
        (ended.code == 0).then_some(ended.said)
    });
    match (recorded, report) {
        (Some(id), Some(report)) => {
            text.push_str(&format!("Run: {}\n\n{report}", arguments.results.join(id).display()));
        }
        (id, _) => {
            text.push_str(&match id {
                Some(id) => format!("Run: {}, which has no report.", arguments.results.join(id).display()),
                None => "No run was recorded.".to_owned(),
            });
            text.push_str(" The last lines of its log:\n\n");
            run.last_lines(LAST_LINES).for_each(|line| text.push_str(&format!("    {line}\n")));
        }
    }
    text
}

/// Writes the notice, and runs the command where somebody wants to know. A command that fails is told; the night's own end stays what it is.
fn tell(arguments: &Arguments, own: Exit, exit: Exit, text: &str) -> Result<(), Failure> {
    let file = arguments.results.join(NOTICE);
    let unfinished = arguments.results.join(format!(".{NOTICE}.unfinished"));
    let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, &file));
    written.map_err(|error| cannot("write the notice", &error))?;
    let Some(words) = arguments.notify.as_ref().filter(|_| own != Exit::Done || arguments.notify_always)
    else {
        return Ok(());
    };
    let path = absolute(&file);
    match words.run(&path, exit as u8) {
        Told::Done => {}
        Told::Failed(why) => {
            let line = format!("the command of --notify failed: {why}; the notice is {}", path.display());
            streams::log(Weight::Warning, called::worded(&line));
        }
    }
    Ok(())
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn cannot(what: &str, error: &std::io::Error) -> Failure {
    Failure::say(
        Exit::Testbed,
        format!("cannot {what}: {error}"),
        "look at the folder, its permissions and its disk",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(of: &[u8]) -> Exit {
        let steps: Vec<Step> = of.iter().map(|&code| Step { name: "x", code }).collect();
        worst(&steps)
    }

    #[test]
    fn a_night_ends_as_its_worst_step() {
        assert_eq!(code(&[0, 0]), Exit::Done);
        assert_eq!(code(&[3, 0]), Exit::Short);
        assert_eq!((code(&[3, 5]), code(&[5, 4]), code(&[4, 2])), (Exit::Alert, Exit::Testbed, Exit::Input));
        assert_eq!((code(&[0, 137]), code(&[1, 5])), (Exit::Bug, Exit::Bug), "no code of rig's, or a bug");
        let steps = |run, history| [Step { name: "run", code: run }, Step { name: HISTORY, code: history }];
        assert_eq!((worst(&steps(0, 5)), untold(&steps(0, 5))), (Exit::Alert, Exit::Done));
        assert_eq!((untold(&steps(5, 5)), untold(&steps(0, 4))), (Exit::Alert, Exit::Testbed));
        let all: BTreeSet<u8> = WORST_FIRST.iter().map(|exit| *exit as u8).collect();
        assert_eq!(all.len(), Exit::ALL.len());
    }
}
