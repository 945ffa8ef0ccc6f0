//! `rig rehearse`

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::streams::progress;
use super::{Exit, Failure};
use crate::document::parse_deadline;
use crate::image::{Cache, narrate};
use crate::process;
use crate::rehearse::{
    self, Bounds, Machine, Note, Outcome, Rehearsal, RehearsalError, normalise_shares, results_folder,
};

/// Arguments of `rig rehearse`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Memory of the emulated host in MiB [default: half of what is available, at most 8192]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1024..))]
    memory_mib: Option<u32>,
    /// CPUs of the emulated host; with more than one, the host emulated by QEMU 7.2 sometimes crashes
    #[arg(long, value_name = "N", default_value_t = Machine::VCPUS, value_parser = clap::value_parser!(u32).range(1..=64))]
    vcpus: u32,
    /// Another folder that the command may write to (the results folder always is); all other writes are lost
    #[arg(long, value_name = "DIR")]
    share: Vec<PathBuf>,
    /// Stop the command after this long
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = parse_deadline)]
    deadline: Duration,
    /// Write the console output of the emulated host's kernel to this file
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,
    /// Run COMMAND as a program of this host, not as a command of rig
    #[arg(long)]
    exec: bool,
    /// Be the first process of the emulated host
    #[arg(long, hide = true, exclusive = true)]
    as_init: bool,
    /// What to run, as after `rig`: `matrix run --profile quick`
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "as_init")]
    command: Vec<String>,
}

/// `rig` is rig's own command line: the command is read before the emulated host is booted for it.
pub(super) fn run(arguments: Arguments, rig: clap::Command) -> Result<ExitCode, Failure> {
    if arguments.as_init {
        let error = rehearse::serve_as_init();
        return Err(Failure::say(Exit::Input, error, "use `rig rehearse -- COMMAND`"));
    }
    if rehearse::is_inside() {
        let help = "leave out `rehearse`: this already is the emulated KVM host";
        return Err(Failure::say(Exit::Input, "a rehearsal inside a rehearsal", help));
    }
    if !arguments.exec
        && let Some(answered) = answered_here(&arguments.command, rig)?
    {
        return Ok(answered.into());
    }
    let base = std::env::current_dir().map_err(|error| cannot("find the working directory", &error))?;
    let plan = compose(&arguments, &base)?;
    let results = base.join(results_folder(&arguments.command));
    let made = make_results(&results)?;
    let outcome = play(&plan, arguments.console.as_deref());
    if made {
        // It refuses a folder with something in it: then it is what the command was run for.
        let _ = std::fs::remove_dir(&results);
    }
    match outcome? {
        Outcome::Ended(ending) => Ok(ending.code().into()),
        Outcome::Abandoned => Ok(Exit::Interrupted.into()),
    }
}

/// The end of a command that needs no emulated host: wrong input, and what clap itself answers (`--help`).
fn answered_here(command: &[String], rig: clap::Command) -> Result<Option<Exit>, Failure> {
    let words = std::iter::once("rig").chain(command.iter().map(String::as_str));
    match rig.try_get_matches_from(words) {
        Ok(found) if found.subcommand_name() == Some("rehearse") => {
            let help = "leave out the second `rehearse`";
            Err(Failure::say(Exit::Input, "a rehearsal inside a rehearsal", help))
        }
        Ok(_) => Ok(None),
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Input } else { Exit::Done };
            // Nothing can be done for a user whose terminal is gone.
            let _ = error.print();
            Ok(Some(exit))
        }
    }
}

/// Whether it was not there before.
fn make_results(results: &Path) -> Result<bool, Failure> {
    if results.is_dir() {
        return Ok(false);
    }
    fs_err::create_dir_all(results).map_err(|error| cannot("make the results folder", &error))?;
    Ok(true)
}

fn cannot(what: &str, error: &dyn fmt::Display) -> Failure {
    Failure::say(Exit::Testbed, format!("cannot {what}: {error}"), "look at the folder and its permissions")
}

fn compose(arguments: &Arguments, base: &Path) -> Result<Rehearsal, Failure> {
    let folder = base.to_str().ok_or_else(|| {
        Failure::say(
            Exit::Input,
            "the name of the working directory is not UTF-8",
            "work in a folder whose path is UTF-8",
        )
    })?;
    let rig = std::env::current_exe().map_err(|error| cannot("find rig's own file", &error))?;
    let mut folders = arguments.share.clone();
    if let Some(missing) = folders.iter().find(|share| !base.join(share).is_dir()) {
        let what = format!("there is no folder {} to share", missing.display());
        return Err(Failure::say(Exit::Input, what, "make it first"));
    }
    folders.push(results_folder(&arguments.command));
    let mut command = arguments.command.clone();
    if !arguments.exec {
        command.insert(0, rig.to_string_lossy().into_owned());
    }
    Ok(Rehearsal {
        rig,
        command,
        folder: folder.to_owned(),
        // What is not UTF-8 cannot be passed on, and nothing of ours reads it.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect::<BTreeMap<_, _>>(),
        shares: normalise_shares(base, &folders).map_err(|error| Failure::input([error]))?,
        machine: Machine {
            vcpus: arguments.vcpus,
            memory_mib: arguments
                .memory_mib
                .unwrap_or_else(|| Machine::fitting_memory(available_memory_mib())),
        },
        bounds: Bounds { run: arguments.deadline, ..Bounds::default() },
    })
}

/// `MemAvailable` of proc(5); 0 where it cannot be read, which gives the smallest machine.
fn available_memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

fn play(plan: &Rehearsal, console: Option<&Path>) -> Result<Outcome, Failure> {
    let cache = Cache::of_user()?;
    let image = rehearse::find_image(&cache, &mut narrate(|step| say(format_args!("{step}"))))?;
    if nix::unistd::geteuid().is_root() {
        // Others do without: emulation needs no privileges, and QEMU dies with us by its parent-death signal.
        process::enclose().map_err(Failure::testbed)?;
    }
    let machine = plan.machine;
    say(format_args!(
        "booting an emulated KVM host: Linux {}, {} {}, {} MiB",
        image.release,
        machine.vcpus,
        if machine.vcpus == 1 { "CPU" } else { "CPUs" },
        machine.memory_mib
    ));
    rehearse::rehearse(plan, &image, console, &mut tell_note).map_err(|error| match error {
        error @ RehearsalError::Garbled { .. } => Failure::bug(error),
        error => Failure::testbed(error),
    })
}

fn tell_note(note: Note) {
    match note {
        Note::Booted { release: _, after } => {
            say(format_args!("up after {:.1} s; times inside mean nothing", after.as_secs_f64()))
        }
        Note::Interrupting { bound } => say(format_args!(
            "the command was told to stop and has {} s; once more ends it at once",
            bound.as_secs()
        )),
    }
}

/// To standard error: standard output is the rehearsed command's.
fn say(what: fmt::Arguments<'_>) {
    progress(format_args!("rehearsal: {what}"));
}
