//! `rig docs`: the pages that the binary carries.
//!
//! Must not know what a page says. Units: columns. Errors: [`Failure`], exit 2, for an unknown topic. Tests: `tests/cli_input.rs`.

use super::output::print;
use super::{Exit, Failure};
use crate::docs::{self, PAGES};
use crate::document::hint;

/// Arguments of `rig docs`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which page; without one, the list of them
    topic: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.topic {
        None => {
            let width = PAGES.iter().map(|page| page.topic.len()).max().unwrap_or(0);
            print(
                &PAGES
                    .iter()
                    .map(|page| format!("{:width$}  {}\n", page.topic, page.about))
                    .collect::<String>(),
            )
        }
        Some(topic) => match docs::find(&topic) {
            Some(page) => print(page.text),
            None => {
                let help = hint(&topic, PAGES.iter().map(|page| page.topic), "the topics");
                Err(Failure::say(Exit::Input, format!("there is no page about `{topic}`"), help))
            }
        },
    }
}
