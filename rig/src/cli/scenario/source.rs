//! The file of a scenario, for who wants to change it.
//!
//! Must not know the language. Units: none. Errors: [`Failure`], exit 2, for an unknown name or a file that is no scenario. Tests: `tests/cli_input.rs`.

use std::path::Path;

use crate::cli::{Exit, Failure};
use crate::script::{Catalogue, is_path, shipped_text};

/// The file of a scenario, as it is: a shipped one, or the one at that path. It is a valid scenario.
pub(super) fn source_text(word: &str) -> Result<String, Failure> {
    let scenario = Catalogue::embedded().find(word, Path::new("")).map_err(Failure::input)?;
    if !is_path(word)
        && let Some(text) = shipped_text(&scenario.name)
    {
        return Ok(text.into_owned());
    }
    fs_err::read_to_string(word)
        .map_err(|error| Failure::say(Exit::Input, error, "the file was there a moment ago: try again"))
}
