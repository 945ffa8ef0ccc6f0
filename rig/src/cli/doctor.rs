//! `rig doctor`

use serde::Serialize;

use super::image::Format;
use super::streams::say;
use super::{Exit, Failure};
use crate::campaign::examine;
use crate::capability::{Capability, guests_can_run};

/// Arguments of `rig doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `rig doctor --format json`
#[derive(Debug, Serialize)]
struct Answer<'a> {
    format: u32,
    guests_can_run: bool,
    capabilities: &'a [Capability],
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let capabilities = examine()?;
    let guests_can_run = guests_can_run(&capabilities);
    match arguments.format {
        Format::Text => print_text(&capabilities, guests_can_run),
        Format::Json => print_json(&Answer { format: 1, guests_can_run, capabilities: &capabilities }),
    }
    Ok(if guests_can_run { Exit::Done } else { Exit::Testbed })
}

fn print_json(answer: &Answer<'_>) {
    say(&serde_json::to_string_pretty(answer).expect("plain data serialises"));
}

fn print_text(capabilities: &[Capability], guests_can_run: bool) {
    for Capability { name, state, detail, advice, .. } in capabilities {
        let advice = advice.as_ref().map(|advice| format!(" -> {advice}")).unwrap_or_default();
        say(&format!("{name:<10} {:<8} {detail}{advice}", state.word()));
    }
    say(if guests_can_run { "guests can run here" } else { "guests cannot run here" });
}
