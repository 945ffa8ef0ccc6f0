//! Everything that is made of a program once, before the first of its trials.
//!
//! Holds its command line, environment, filter and rules, and the commands that run before. Must not know a trial.
//! Units: none. Errors: a reason in words, which becomes `Refused`.
//! Tests: `tests/program`.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use regex_lite::Regex;
use rig_protocol::{Network, Program, Witness, watched_call, watched_calls};

use super::libc_errno::Libraries;
use super::outcome::Ended;
use super::redirect::Guide;
use super::restart::RESTART;
use super::{stream, tracepoint};
use crate::clock::now_ns;
use crate::plan::Plan;
use crate::sys::filter::Filter;
use crate::sys::perf::{InUse, Tracepoints};
use crate::sys::spawn::{self, Image, Manner};
use crate::sys::trace::{self, Report};
use crate::sys::{files, orphans, tracefs};

/// A command before the trials lasts no longer.
const MOST_BEFORE: Duration = Duration::from_secs(120);

/// A program that is ready to be started many times.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What is executed.
    pub(crate) image: Image,
    /// The expression for its lines.
    pub(crate) says: Option<Regex>,
    /// What its tracer is told of; `None`: it is not traced.
    pub(crate) filter: Option<Filter>,
    /// Where its connects are led.
    pub(crate) guide: Option<Guide>,
    /// Where C libraries have their errno.
    pub(crate) libraries: Libraries,
    /// Whether each trial has a network of its own.
    pub(crate) own_network: bool,
    /// The kernel's tracepoints, where those are the witness.
    pub(crate) tracing: Option<Tracing>,
}

/// What every trial's events are made of.
#[derive(Debug)]
pub(crate) struct Tracing {
    /// Which tracepoints.
    pub(crate) tracepoints: Tracepoints,
    /// Names the calls.
    pub(crate) filter: CString,
}

impl Prepared {
    /// Makes everything ready, and runs what runs before.
    pub(crate) fn of(program: &Program, plan: &Plan) -> Result<Self, String> {
        let peer = plan.address.as_ref().map(|address| address.address());
        let own_network = program.network == Network::Own;
        let guide = if own_network { None } else { Guide::of(&program.redirect, peer)? };
        let says =
            program.says.as_deref().map(Regex::new).transpose().map_err(|error| format!("says: {error}"))?;
        let filter = match (program.witness, &guide) {
            (Witness::Ptrace, _) => {
                Some(Filter::tracing(watched_calls().iter().map(|row| row.number).chain([RESTART])))
            }
            (Witness::Tracepoint | Witness::None, Some(_)) => {
                Some(Filter::tracing(watched_call("connect").map(|row| row.number).into_iter()))
            }
            (Witness::Tracepoint | Witness::None, None) => None,
        };
        let tracing = match program.witness {
            Witness::Tracepoint => {
                Some(Tracing { tracepoints: tracefs::tracepoints()?, filter: tracepoint::filter() })
            }
            Witness::Ptrace | Witness::None => None,
        };
        let image = image(program, plan.root.as_deref(), peer)?;
        let libraries = Libraries::default();
        let prepared = Self { image, says, filter, guide, libraries, own_network, tracing };
        orphans::adopt();
        program.before.iter().try_for_each(|command| prepared.run_before(command))?;
        Ok(prepared)
    }

    /// Keeps the tracepoints in use, for the calling thread to hold while trials are played.
    pub(crate) fn hold_tracepoints(&self) -> Result<Option<InUse>, String> {
        let refuse = |errno| {
            let advice = "root or CAP_PERFMON may use it; the witness \"ptrace\" needs neither";
            format!("tracepoints: perf_event_open: {errno}; {advice}")
        };
        self.tracing.as_ref().map(|tracing| InUse::hold(tracing.tracepoints)).transpose().map_err(refuse)
    }

    /// Runs a command with a shell where the program will run.
    fn run_before(&self, command: &str) -> Result<(), String> {
        let refuse = |why: &str| format!("before: `{command}`: {why}");
        let shell = |text: &str| text_of("a command", text);
        let image = Image {
            path: shell("/bin/sh")?,
            arguments: vec![shell("sh")?, shell("-c")?, shell(command)?],
            environment: self.image.environment.clone(),
            directory: self.image.directory.clone(),
            root: self.image.root.clone(),
            input: None,
        };
        let (output, into) = files::pipe().map_err(|errno| refuse(&format!("pipe: {errno}")))?;
        let deadline_ns = now_ns().saturating_add(u64::try_from(MOST_BEFORE.as_nanos()).unwrap_or(u64::MAX));
        let manner = Manner { output: into, own_network: false, filter: None, deadline_ns };
        let forked = spawn::fork(&image, &manner);
        files::close(into);
        let child = match forked {
            Ok(child) => child,
            Err(failed) => {
                files::close(output);
                return Err(refuse(&format!("{}: {}", failed.step, failed.errno)));
            }
        };
        let pid = child.pid;
        let told = child.go();
        let (ended, said) = wait_for(pid, output);
        files::close(output);
        match (spawn::failure(told), ended) {
            (Some(failed), _) => Err(refuse(&format!("{}: {}", failed.step, failed.errno))),
            (None, Ended::Exited(0)) => Ok(()),
            (None, ended) => Err(refuse(&format!("{}: {}", ended.word(), said.trim_end()))),
        }
    }
}

/// Waits for the end of a command, and hears the end of what it says.
fn wait_for(pid: i32, output: i32) -> (Ended, String) {
    let begin = Instant::now();
    let mut heard = super::says::Listener::new(None, 0);
    let ended = loop {
        if !files::poll_all(&[output], 10).is_empty() && !stream::take(output, &mut heard) {
            std::thread::sleep(Duration::from_millis(1));
        }
        match trace::wait(pid, libc::__WALL | libc::WNOHANG) {
            Ok(Some((_, Report::Exited(status)))) => break Ended::Exited(status),
            Ok(Some((_, Report::Killed(signal, core)))) => break Ended::Killed(signal, core),
            Ok(_) if begin.elapsed() > MOST_BEFORE => {
                trace::kill(-pid);
                spawn::abandon(pid);
                break Ended::Deadline;
            }
            Ok(_) => {}
            Err(_) => break Ended::Deadline,
        }
    };
    // What it left in the pipe; not what others of its group may write later.
    while !files::poll_all(&[output], 0).is_empty() && stream::take(output, &mut heard) {}
    (ended, heard.conclude().1)
}

/// The environment and the command line, as the kernel takes them.
fn image(program: &Program, root: Option<&str>, peer: Option<SocketAddr>) -> Result<Image, String> {
    let mut environment: BTreeMap<String, String> =
        [("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned())]
            .into();
    environment.insert("HOME".to_owned(), "/root".to_owned());
    for name in ["TZ", "PATH", "HOME"] {
        if let Ok(value) = std::env::var(name) {
            environment.insert(name.to_owned(), value);
        }
    }
    environment.extend(program.environment.clone());
    let filled = |argument: &String| match peer {
        Some(peer) => {
            argument.replace("{address}", &peer.ip().to_string()).replace("{port}", &peer.port().to_string())
        }
        None => argument.clone(),
    };
    // As a shell passes it on.
    let name = [&program.name].into_iter().filter(|name| !name.is_empty()).chain([&program.path]).next();
    let arguments = name.into_iter().cloned().chain(program.arguments.iter().map(filled));
    let assigned = environment.iter().map(|(name, value)| format!("{name}={value}"));
    Ok(Image {
        path: text_of("path", &program.path)?,
        arguments: arguments.map(|text| text_of("an argument", &text)).collect::<Result<_, _>>()?,
        environment: assigned.map(|text| text_of("environment", &text)).collect::<Result<_, _>>()?,
        directory: text_of("directory", &program.directory)?,
        root: root.map(|root| text_of("root", root)).transpose()?,
        input: program.input.as_deref().map(|input| text_of("input", input)).transpose()?,
    })
}

fn text_of(what: &str, text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{what} of the program has a byte 0"))
}
