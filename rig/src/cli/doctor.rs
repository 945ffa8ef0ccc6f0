//! `rig doctor`: what this machine can and cannot do, as a table or as JSON.
//!
//! Must not find anything out. Units: none. Errors: [`Failure`]. Tests: `tests/trouble/host.rs`.

use serde::Serialize;

use super::image::Format;
use super::output::print;
use super::{Exit, Failure, called, width};
use crate::campaign::examine;
use crate::capability::{Capability, guests_can_run};
use crate::report::Page;

/// Arguments of `rig doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Output format
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
        Format::Text => print(&text(&capabilities, guests_can_run))?,
        Format::Json => print(&json(&Answer { format: 1, guests_can_run, capabilities: &capabilities }))?,
    };
    Ok(if guests_can_run { Exit::Done } else { Exit::Testbed })
}

fn json(answer: &Answer<'_>) -> String {
    let text = serde_json::to_string_pretty(answer).expect("plain data serialises");
    format!("{text}\n")
}

fn text(capabilities: &[Capability], guests_can_run: bool) -> String {
    let mut page = Page::new(width::for_table(), called::worded);
    for Capability { name, state, detail, advice, .. } in capabilities {
        let advice = advice.as_ref().map(|advice| format!(" -> {advice}")).unwrap_or_default();
        page.wrap(&format!("{name:<10} {:<8} ", state.word()), &format!("{detail}{advice}"), 20);
    }
    page.push_str(if guests_can_run { "guests can run here\n" } else { "guests cannot run here\n" });
    page.into_text()
}
