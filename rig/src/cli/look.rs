//! `--quiet` and `--color`, which every command has.
//!
//! Holds what they mean for the crates that colour. Must not know what is printed. Units: none. Errors: clap's.
//! Tests: below; `tests/trouble/look.rs` (root), `tests/cli_input.rs`.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::{ColorChoice, ValueEnum};

use super::streams;

/// How a command shows what it says.
#[derive(Debug, clap::Args)]
pub(super) struct Look {
    /// Show no progress: only the answer, warnings and errors
    #[arg(long, global = true, help_heading = HEADING)]
    quiet: bool,
    /// Colour what is printed; auto: on a terminal, unless NO_COLOR or CLICOLOR=0 is set
    #[arg(long, global = true, help_heading = HEADING, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

const HEADING: &str = "Every command";

/// When output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    // No doc comments: every command's help would have a line for each.
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Whether colours were asked for or refused; unset where each output decides by itself.
static COLORED: OnceLock<bool> = OnceLock::new();

impl Look {
    /// From now on everything is shown so.
    pub(super) fn apply(&self) {
        if self.quiet {
            streams::be_quiet();
        }
        let colored = match self.color {
            Color::Auto => return,
            Color::Always => true,
            Color::Never => false,
        };
        // A process is called once.
        let _ = COLORED.set(colored);
        console::set_colors_enabled(colored);
        console::set_colors_enabled_stderr(colored);
    }
}

/// What `--color` demands; none where each output decides by itself.
pub(super) fn colored() -> Option<bool> {
    COLORED.get().copied()
}

/// What `--color` says, before the command line is read: clap's own errors and helps are coloured by it, too. What follows `--` is another program's.
pub(super) fn color_asked(arguments: impl IntoIterator<Item = OsString>) -> ColorChoice {
    let words = arguments.into_iter().take_while(|word| word != "--");
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
    let apart = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    let asked = joined.chain(apart).find_map(|word| Color::from_str(word, false).ok());
    asked.map_or(ColorChoice::Auto, ColorChoice::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_color_of_errors_of_the_command_line_is_asked_for_on_it() {
        let asked = |line: &str| color_asked(line.split(' ').map(OsString::from));
        assert_eq!(asked("rig doctor"), ColorChoice::Auto);
        assert_eq!(asked("rig --color never docter"), ColorChoice::Never);
        assert_eq!(asked("rig matrix plan --color=always"), ColorChoice::Always);
        assert_eq!(asked("rig rehearse -- matrix plan --color=always"), ColorChoice::Auto);
        assert_eq!(asked("rig doctor --color purple"), ColorChoice::Auto, "clap refuses it");
    }
}
