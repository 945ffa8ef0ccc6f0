//! `rig guest boot`: boots a cell's guest and opens a shell in it.
//!
//! Outside the enclosure: which guest, its image. Inside: the guest, and a shell or a command in it, until that ends.
//! What it is goes to standard error, so that standard output is the command's alone.

mod choose;
mod terminal;

use std::io::{self, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::image::tell_step;
use super::signals::Signals;
use super::streams::progress;
use super::{Exit, Failure};
use crate::campaign::{Core, Inspected, Site, Stub, enclosed_runtime};
use crate::configuration::NicBackend;
use crate::machine::launch_ssh::{self, AGENT_PATH, RemoteProgram};
use crate::machine::qemu::Remain;
use crate::matrix::{Cell, Matrix};
use crate::path::{Addressing, passt};
use crate::runner::{Inspection, Laboratory, Program};
use terminal::{RawMode, window_size};

/// Commands of `rig guest`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Boot a cell's guest on its testbed and open a root shell in it, or run a command there
    Boot(Boot),
}

/// Arguments of `rig guest boot`.
#[derive(Debug, clap::Args)]
pub(super) struct Boot {
    /// A cell's id or its first digits (see `rig matrix plan`), or filters that only one guest matches: configuration=virtio-tap kernel=6.1
    #[arg(value_name = "CELL", required = true)]
    cell: Vec<String>,
    /// The matrix file [default: ./matrix.toml where there is one, otherwise rig's own]
    #[arg(long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    /// The profile of the matrix file [default: the one that its [run] names, then the others]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The guest's kernel, instead of those that the matrix file names: an image, an exact version, or the path of your own (`./linux`)
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Words to add to the kernel's command line, once for each: --append loglevel=7 --append nokaslr
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    append: Vec<String>,
    /// Let QEMU wait for gdb: the line to type is printed; the guest runs on until gdb stops it
    #[arg(long)]
    gdb: bool,
    /// Keep the guest's memory where its kernel panics: a file that crash(8) opens, with the line to type
    #[arg(long)]
    keep_core: bool,
    /// Run this in the guest instead of a shell; its input, output and exit status are passed on
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Boot(arguments) => boot(&arguments),
    }
}

fn boot(arguments: &Boot) -> Result<ExitCode, Failure> {
    let matrix = Matrix::load(arguments.matrix.as_deref()).map_err(Failure::input)?;
    let matrix = matrix.with_kernels(arguments.kernel.as_slice(), Path::new(".")).map_err(Failure::input)?;
    let mut cell = choose::choose(&matrix, arguments.profile.as_deref(), &arguments.cell)?;
    choose::append(&mut cell, &arguments.append)?;
    let core = if arguments.keep_core { Core::Kept } else { Core::Dropped };
    let stub = if arguments.gdb { Stub::Gdb } else { Stub::None };
    let site = Site::prepare(cell, core, choose::hardware, &mut tell_step)?;
    let runtime = enclosed_runtime()?;
    let result = runtime.block_on(inside(site, stub, &arguments.command));
    // A thread that still reads the terminal must not hold the exit up.
    runtime.shutdown_background();
    result
}

async fn inside(site: Site, stub: Stub, command: &[String]) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen(&ending_signals());
    let cell = site.cell().clone();
    match site.boot(stub, signals.heard()).await? {
        None => Ok(Exit::Interrupted.into()),
        Some(inspected) => look_into(&cell, inspected, command, &mut signals).await,
    }
}

/// A guest that has been kept for it: says what it is, and opens a shell in it or runs the command, until that ends.
pub(super) async fn visit(
    cell: &Cell,
    inspected: Inspected,
    command: &[String],
) -> Result<ExitCode, Failure> {
    look_into(cell, inspected, command, &mut Signals::listen(&ending_signals())).await
}

async fn look_into(
    cell: &Cell,
    Inspected { laboratory, inspection }: Inspected,
    command: &[String],
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    introduce(cell, &laboratory, &inspection);
    let result = serve(&laboratory, &inspection, command, signals).await;
    inspection.end().await;
    for line in laboratory.remains.all().iter().flat_map(Remain::words) {
        progress(format_args!("{line}"));
    }
    if let Some(socket) = &laboratory.gdb {
        // Nobody listens any more; one that stays is taken away by the next.
        let _ = std::fs::remove_file(socket);
    }
    result
}

/// The signals that end the inspection.
fn ending_signals() -> [SignalKind; 4] {
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()]
}

/// What has been booted.
fn introduce(cell: &Cell, laboratory: &Laboratory, inspection: &Inspection) {
    let guest = inspection.guest();
    let target = inspection.target();
    let addressing = Addressing::default();
    let (address, peer) = match guest.spec().nic.backend {
        NicBackend::Tap
        | NicBackend::TapVhost
        | NicBackend::Macvtap
        | NicBackend::MacvtapVhost
        | NicBackend::Socket => {
            let address = format!("{}/{} on `data`", addressing.target, addressing.prefix);
            (address, format!("{} (answers pings; nothing listens)", addressing.peer))
        }
        backend @ (NicBackend::User | NicBackend::Passt) => {
            let by = backend.proxy().unwrap_or_default();
            let address = format!("{}/{} on `data`, behind {by}", passt::GUEST, passt::PREFIX);
            (address, format!("{} (nothing listens)", addressing.peer))
        }
    };
    let vhost =
        if target.vhost_proof.is_empty() { String::new() } else { format!("; {}", target.vhost_proof) };
    let system = target.system.as_ref().map(|system| {
        let rules = match system.rules.lines().count() {
            0 => "no packet filter rules that nft shows".to_owned(),
            lines => format!("{lines} lines of packet filter rules"),
        };
        ("system", format!("{}, {}; {rules}", system.os, system.init))
    });
    let gdb = laboratory.gdb.as_ref().map(|socket| ("gdb", debugger(cell, socket)));
    let rows = [
        ("guest", choose::hardware(cell)),
        ("kernel", format!("{} ({})", guest.release(), target.kernel_package)),
        ("runs on", format!("{} ({}){vhost}", guest.engine(), laboratory.accelerator.reason)),
        ("ready", format!("after {:.1} s", guest.ready_after().as_secs_f64())),
        ("address", address),
        ("peer", peer),
        ("agent", format!("{AGENT_PATH} (not started)")),
        ("console", laboratory.results.join(&target.console).display().to_string()),
        ("qmp", laboratory.results.join(&target.qmp).display().to_string()),
    ];
    for (name, value) in rows.into_iter().chain(system).chain(gdb) {
        progress(format_args!("{name:<8} {value}"));
    }
}

/// The line that starts gdb, with the symbols of a tree that was built with them (`CONFIG_DEBUG_INFO`).
fn debugger(cell: &Cell, socket: &Path) -> String {
    let tree = cell.subject.kernel_at.as_ref().map(|at| at.join("vmlinux")).filter(|path| path.is_file());
    let symbols = tree.map_or(String::new(), |path| format!(" '{}'", path.display()));
    format!("gdb{symbols} -ex 'target remote {}'", socket.display())
}

/// A shell on the user's terminal, or the command, to its end.
async fn serve(
    laboratory: &Laboratory,
    inspection: &Inspection,
    command: &[String],
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let interactive = command.is_empty() && io::stdin().is_terminal();
    let program = if interactive {
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
        Program::Shell { terminal, size: window_size().unwrap_or((80, 24)) }
    } else {
        // As ssh(1) does: the guest's shell reads the words again. Without any, it reads what stands on standard input.
        let line = if command.is_empty() { "exec sh".to_owned() } else { command.join(" ") };
        Program::Command { line, stderr: Box::new(io::stderr()) }
    };
    let agent = inspection.start(laboratory, program).await.map_err(Failure::testbed)?;
    let raw = if interactive { Some(RawMode::enter().map_err(|error| lost(&error))?) } else { None };
    let end = tokio::select! {
        biased;
        () = signals.heard() => None,
        end = connect(agent, interactive) => Some(end),
    };
    drop(raw);
    match end {
        None => Ok(Exit::Interrupted.into()),
        Some(end) => conclude(end?, laboratory, inspection),
    }
}

/// Shovels between standard input and output and the guest until the guest's program ends. `None` where nobody reads its output any more.
async fn connect(mut agent: RemoteProgram, interactive: bool) -> Result<Option<launch_ssh::Exit>, Failure> {
    if interactive {
        follow_window(agent.window.clone());
    }
    let input = agent.stream.try_clone().map_err(|error| lost(&error))?;
    let output = agent.stream.try_clone().map_err(|error| lost(&error))?;
    // Not one of tokio's threads: nothing can end a read of a terminal, and the process must not wait for it.
    std::thread::spawn(move || {
        let mut input = input;
        // A guest that no longer reads shows by its end.
        let _ = copy(&mut io::stdin().lock(), &mut input);
        let _ = input.shutdown(Shutdown::Write);
    });
    let mut output = output;
    let copied = tokio::task::spawn_blocking(move || copy(&mut output, &mut io::stdout().lock())).await;
    match copied.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
        Err(error) => return Err(lost(&error)),
    }
    let end = agent.end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
    Ok(Some(match end {
        Some(end) => end.exit,
        None => launch_ssh::Exit::Broken("the connection's thread is gone".to_owned()),
    }))
}

/// Byte by byte as they come: a prompt has no line feed.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(&buffer[..count])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes on the terminal's changes of size.
fn follow_window(window: launch_ssh::Window) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    tokio::spawn(async move {
        while changes.recv().await.is_some() {
            if let Some(size) = window_size() {
                window.resize(size);
            }
        }
    });
}

/// The exit status of the guest's program is that of this one; a signal's is 128 and its number, as shells have it.
fn conclude(
    end: Option<launch_ssh::Exit>,
    laboratory: &Laboratory,
    inspection: &Inspection,
) -> Result<ExitCode, Failure> {
    match end {
        None => Ok(Exit::Done.into()),
        Some(launch_ssh::Exit::Status(status)) => Ok(u8::try_from(status).unwrap_or(u8::MAX).into()),
        Some(launch_ssh::Exit::Signal(name)) => {
            let number = Signal::from_str(&format!("SIG{name}")).map_or(0, |signal| signal as i32);
            Ok(u8::try_from(128 + number).unwrap_or(u8::MAX).into())
        }
        Some(launch_ssh::Exit::Broken(reason)) => {
            let console = laboratory.results.join(&inspection.target().console);
            Err(Failure::say(
                Exit::Testbed,
                format!("the guest is gone: {reason}"),
                format!("its console's log is {}", console.display()),
            ))
        }
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::say(
        Exit::Testbed,
        format!("the connection between this terminal and the guest failed: {error}"),
        "give a command after `--`, which needs no terminal",
    )
}
