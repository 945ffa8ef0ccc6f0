//! `rig man`: manual pages, made of the commands themselves.
//!
//! Must not know what a command says of itself, nor its examples and exit codes. Units: none.
//! Errors: [`Failure`]: exit 2 for an unknown command or a folder that is none, 4 where a page cannot be written.
//! Tests: below; `tests/examples.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use fs_err as fs;

use super::output::print;
use super::streams::say;
use super::{Exit, Failure, called, examples, exit_codes, matrix, program as program_usage, whole};
use crate::document::hint;

/// Where pages are installed for everybody; `man` looks there.
const FOR_ALL: &str = "/usr/local/share/man";

/// Arguments of `rig man`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which command, as after `rig`: `matrix run`; without one, the page of rig itself
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write all pages into DIR/man1 [default: /usr/local/share/man for root, else ~/.local/share/man]
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "command")]
    install: Option<Option<PathBuf>>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.install {
        Some(folder) => install(folder.as_deref()),
        None => print(&page_of(&arguments.command)?),
    }
}

/// Writes every page into `folder`, or where this user's `man` looks.
pub(super) fn install(folder: Option<&Path>) -> Result<Exit, Failure> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => usual_folder()?,
    };
    let section = folder.join("man1");
    fs::create_dir_all(&section).map_err(|error| unwritten(&section, &error))?;
    let pages = pages();
    for (name, text) in &pages {
        let path = section.join(format!("{name}.1"));
        fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
    }
    say(&format!(
        "{} manual pages are in {}\nread one: man rig-matrix-run\nwhere man does not find it: man -M {} rig-matrix-run",
        pages.len(),
        section.display(),
        called::quoted(&folder.to_string_lossy())
    ));
    Ok(Exit::Done)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let in_the_way = path.ancestors().any(|above| above.is_file());
    let exit = if in_the_way { Exit::Input } else { Exit::Testbed };
    let what = format!("cannot write {}: {error}", path.display());
    Failure::say(exit, what, "name a folder that you may write to: `rig man --install DIR`")
}

fn usual_folder() -> Result<PathBuf, Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(FOR_ALL.into());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    data.map(|data| data.join("man")).ok_or_else(|| {
        let help = "name one: `rig man --install DIR`";
        Failure::say(Exit::Input, "neither HOME nor XDG_DATA_HOME names a folder for manual pages", help)
    })
}

/// All commands as the installed program has them, whatever this reader calls it; without what only `--help` shows.
fn program() -> clap::Command {
    let mut program = whole::program().disable_help_subcommand(true);
    program = program.mut_subcommand("matrix", |group| {
        group.mut_subcommand("run", |run| run.override_usage(matrix::usage_of_run("rig")))
    });
    program = program.mut_subcommand("program", |group| {
        let group = group.mut_subcommand("run", |run| run.override_usage(program_usage::usage_of_run("rig")));
        group.mut_subcommand("trace", |trace| trace.override_usage(program_usage::usage_of_trace("rig")))
    });
    program.build();
    program
}

/// Every page with its name.
fn pages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    gather(&program(), &[], &mut found);
    found
}

fn gather(command: &clap::Command, words: &[&str], found: &mut Vec<(String, String)>) {
    found.push((name(words), render(command, words)));
    for one in command.get_subcommands() {
        gather(one, &[words, &[one.get_name()]].concat(), found);
    }
}

/// `rig-matrix-run`
fn name(words: &[&str]) -> String {
    std::iter::once("rig").chain(words.iter().copied()).collect::<Vec<_>>().join("-")
}

fn page_of(words: &[String]) -> Result<String, Failure> {
    let program = program();
    let mut command = &program;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            let above = command.get_bin_name().unwrap_or("rig");
            Failure::say(
                Exit::Input,
                format!("`{above}` has no command `{word}`"),
                hint(word, known, "there are"),
            )
        })?;
    }
    Ok(render(command, &words.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn render(command: &clap::Command, words: &[&str]) -> String {
    let man = Man::new(command.clone());
    // By hand: clap_mangen leaves an empty date out, and what follows it is then shown in its place.
    let version = env!("CARGO_PKG_VERSION");
    let mut page =
        format!(".TH \"{}\" 1 \"\" \"rig {version}\" \"Manual of rig\"\n", name(words)).into_bytes();
    let parts = [Man::render_name_section, Man::render_synopsis_section, Man::render_description_section];
    let parts =
        parts.into_iter().chain([Man::render_options_section as fn(&Man, &mut dyn std::io::Write) -> _]);
    for part in parts {
        part(&man, &mut page).expect("memory takes every byte");
    }
    let groups = command.get_subcommands().next().is_some();
    if groups {
        man.render_subcommands_section(&mut page).expect("memory takes every byte");
    }
    let mut text = String::from_utf8(page).expect("roff of UTF-8 is UTF-8");
    text.push_str(&further(command, words).to_roff());
    text
}

/// Examples, exit codes, and where to go on.
fn further(command: &clap::Command, words: &[&str]) -> Roff {
    let mut roff = Roff::new();
    if let Some(notes) = command.get_after_help() {
        roff.control("SH", ["NOTES"]);
        roff.text([roman(notes.to_string())]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for example in examples::of(words) {
        roff.control("TP", []);
        roff.text([bold(example.line)]);
        roff.text([roman(example.about)]);
    }
    if let Some((codes, note)) = exit_codes::of(words) {
        roff.control("SH", ["EXIT STATUS"]);
        for exit in codes {
            roff.control("TP", []);
            roff.text([bold((exit as u8).to_string())]);
            roff.text([roman(exit.meaning())]);
        }
        if let Some(note) = note {
            roff.control("PP", []);
            roff.text([roman(note)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut also = String::new();
    if !words.is_empty() {
        let _ = write!(also, "{}(1); ", name(&words[..words.len() - 1]));
    }
    roff.text([roman(format!("{also}`rig docs` lists the pages that the program carries."))]);
    roff
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_examples_and_exit_codes() {
        whole::is_made_by(crate::cli::Arguments::command);
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["rig", "rig-matrix", "rig-matrix-run", "rig-scenario-new", "rig-man"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(names.iter().all(|name| !name.ends_with("-help")), "{names:?}");
        for (name, text) in &pages {
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES", ".SH \"SEE ALSO\""] {
                assert!(text.contains(section), "{name}: {section}: {text}");
            }
            let words: Vec<&str> = name.split('-').skip(1).collect();
            assert_eq!(text.contains(".SH \"EXIT STATUS\""), exit_codes::of(&words).is_some(), "{name}");
            assert!(!text.contains("SH EXTRA"), "{name}");
        }
    }

    #[test]
    fn a_page_is_of_the_installed_program_and_an_unknown_command_is_refused() {
        whole::is_made_by(crate::cli::Arguments::command);
        let page = page_of(&["matrix".to_owned(), "run".to_owned()]).expect("there is one");
        assert!(page.starts_with(".TH \"rig-matrix-run\" 1 \"\" \"rig "), "{page}");
        assert!(!page.contains("cargo rig"), "{page}");
        assert!(page.contains("rig matrix run") && page.contains("\\fB130\\fR"), "{page}");
        assert!(page_of(&["matrix".to_owned(), "rnu".to_owned()]).is_err());
    }
}
