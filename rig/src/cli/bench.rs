//! `rig bench`

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::image::Format;
use super::output::print;
use super::streams::tell;
use super::{Exit, Failure};
use crate::bench::{Benchmark, BootKit, Findings, Pace, measure, render};
use crate::campaign::accelerator;
use crate::image::{Cache, GuestKeys, Image, Recipes, any_built};
use crate::machine::qemu;
use crate::process::QEMU;
use crate::record::format::Host;
use crate::runner::environment;
use crate::{clock, process};

/// Arguments of `rig bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to measure; all when none is named
    #[arg(value_name = "NAME", value_enum)]
    names: Vec<Name>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Seconds instead of minutes: whether it works, not how fast
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The own middlebox beside a bridge of the kernel
    Middlebox,
    /// Forwarding while packets are captured
    Capture,
    /// Making a block's network
    Testbed,
    /// Trials per second beside a plain loop
    Agent,
    /// Start-up of a guest
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
    let wanted = |one: &Benchmark| asked.is_empty() || asked.contains(one);
    let image = an_image();
    process::enclose().map_err(Failure::testbed)?;
    let mut findings = Vec::new();
    for benchmark in Benchmark::ALL.into_iter().filter(wanted) {
        tell(format_args!("measuring {} ...", benchmark.name()));
        let boot = match benchmark {
            Benchmark::Boot => kit(image.clone())?,
            Benchmark::Middlebox | Benchmark::Capture | Benchmark::Testbed | Benchmark::Agent => {
                Err("not asked for".to_owned())
            }
        };
        findings.push(measure(benchmark, pace, &boot).map_err(Failure::testbed)?);
    }
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

/// Any image that is built already: a benchmark fetches nothing.
fn an_image() -> Result<Image, String> {
    qemu::version().map_err(|why| why.to_string())?;
    let cache = Cache::of_user().map_err(|error| error.to_string())?;
    any_built(&cache, &Recipes::default())
        .ok_or_else(|| "no guest image is built: `rig image build` makes them".to_owned())
}

fn kit(image: Result<Image, String>) -> Result<Result<BootKit, String>, Failure> {
    let image = match image {
        Ok(image) => image,
        Err(reason) => return Ok(Err(reason)),
    };
    let accelerator = process::start_runtime()
        .map_err(Failure::testbed)?
        .block_on(accelerator(Some(&image), &GuestKeys::generate()))
        .map_err(Failure::testbed)?;
    Ok(Ok(BootKit { qemu: PathBuf::from(QEMU), image, accelerator }))
}
