//! `rig bench`

use clap::ValueEnum;
use serde::Serialize;

use super::image::Format;
use super::output::print;
use super::streams::progress;
use super::{Exit, Failure};
use crate::bench::{Benchmark, Findings, Pace, render};
use crate::campaign::measure;
use crate::clock;
use crate::record::format::Host;
use crate::runner::environment;

/// Arguments of `rig bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to measure [default: all]
    #[arg(value_name = "NAME", value_enum)]
    names: Vec<Name>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Take seconds instead of minutes: shows whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// rig's own middlebox, compared with a bridge of the kernel
    Middlebox,
    /// Forwarding while packets are captured
    Capture,
    /// Setting up the network of a block
    Testbed,
    /// Trials per second, compared with a plain loop
    Agent,
    /// Booting a guest
    Boot,
}

impl From<Name> for Benchmark {
    fn from(name: Name) -> Self {
        match name {
            Name::Middlebox => Self::Middlebox,
            Name::Capture => Self::Capture,
            Name::Testbed => Self::Testbed,
            Name::Agent => Self::Agent,
            Name::Boot => Self::Boot,
        }
    }
}

/// `rig bench --format json`
#[derive(Debug, Serialize)]
struct Answer<'a> {
    format: u32,
    rig_version: &'static str,
    quick: bool,
    /// In an emulated host timings mean nothing.
    rehearsed: bool,
    host: Host,
    benchmarks: &'a [Findings],
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let pace = if arguments.quick { Pace::Quick } else { Pace::Full };
    let asked: Vec<Benchmark> = arguments.names.iter().map(|name| Benchmark::from(*name)).collect();
    let findings = measure(&asked, pace, &mut |one| progress(format_args!("measuring {} ...", one.name())))?;
    let rehearsed = clock::is_rehearsed();
    match arguments.format {
        Format::Text => {
            let note = if rehearsed { "\nin an emulated host: these timings mean nothing\n" } else { "" };
            print(&format!("{}{note}", render(&findings)))
        }
        Format::Json => {
            let answer = Answer {
                format: 1,
                rig_version: env!("CARGO_PKG_VERSION"),
                quick: arguments.quick,
                rehearsed,
                host: environment::host(),
                benchmarks: &findings,
            };
            let json = serde_json::to_string_pretty(&answer).expect("plain data serialises");
            print(&format!("{json}\n"))
        }
    }
}
