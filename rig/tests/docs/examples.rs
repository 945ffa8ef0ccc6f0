//! What the pages show is taken: each ```toml block is read by the reader of its kind, each `rig` command line of a ```sh block by the program.
//!
//! A block whose first line is `# NAME.toml` is also a file of that name, which the page's other blocks may name. Must not run a command.
//! Units: none. Errors: the page and the block. Tests: below.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rig::docs::PAGES;
use rig::matrix::{Matrix, Selection};
use rig::script::Scenario;

use crate::part::page;

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block { language: language.to_owned(), text: String::new() })
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    found
}

/// The pages, and what else shows commands.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<(String, String)> =
        PAGES.iter().map(|found| (format!("rig/docs/{}.md", found.topic), page(found.topic))).collect();
    pages.push(("README.md".to_owned(), fs::read_to_string(root.join("README.md")).expect("there")));
    pages
}

/// What is wrong with a block of TOML.
fn refused(text: &str, folder: &Path) -> Result<&'static str, String> {
    if text.contains("[lane.") {
        let scenario = Scenario::parse("shown", "shown.toml", text).map_err(|wrong| wrong.to_string())?;
        let resolved = scenario.resolve(&BTreeMap::new()).map_err(|wrong| format!("{wrong:?}"))?;
        assert!(!resolved.script.lanes.is_empty());
        Ok("scenario")
    } else if text.contains("[initramfs]") {
        rig::image::recipe::parse("shown", "shown.toml", text).map_err(|wrong| wrong.to_string())?;
        Ok("recipe")
    } else if text.contains("[axes]") {
        let matrix = Matrix::parse("shown.toml", text, folder).map_err(|wrong| wrong.to_string())?;
        let cells = matrix.cells(&Selection::default()).map_err(|wrong| wrong.to_string())?;
        if cells.is_empty() { Err("it has no cells".to_owned()) } else { Ok("matrix") }
    } else if text.contains("[path.") {
        let file = folder.join("shown.toml");
        fs::write(&file, text).expect("written");
        Matrix::load_paths(Some(&file)).map_err(|wrong| wrong.to_string())?;
        Ok("paths")
    } else {
        Err("it is no scenario, no recipe, no matrix and no path".to_owned())
    }
}

#[test]
fn every_toml_block_of_the_pages_is_valid_input() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, text) in pages() {
        let folder = tempfile::tempdir().expect("a folder");
        let shown: Vec<Block> = blocks(&text).into_iter().filter(|block| block.language == "toml").collect();
        for block in &shown {
            let file = block.text.lines().next().and_then(|line| line.strip_prefix("# "));
            if let Some(file) = file.filter(|file| file.ends_with(".toml") && !file.contains(' ')) {
                fs::write(folder.path().join(file), &block.text).expect("written");
            }
        }
        for block in &shown {
            let kind = refused(&block.text, folder.path())
                .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{}", block.text));
            *kinds.entry(kind).or_default() += 1;
        }
    }
    for kind in ["scenario", "recipe", "matrix"] {
        assert!(kinds.contains_key(kind), "no page shows a {kind}: {kinds:?}");
    }
}

/// The words of a line as a shell splits them, up to a comment, in commands: `a 'b c' && d | e # f`.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![vec![]];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => {
                let ended = word.take();
                match ended.as_deref() {
                    Some("&&" | "||" | "|" | ";") => commands.push(vec![]),
                    _ => commands.last_mut().expect("never empty").extend(ended),
                }
            }
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// The command line as rig gets it, if the command is rig's.
fn of_rig(command: &[String]) -> Option<Vec<String>> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let rest = match words.as_slice() {
        ["rig", rest @ ..] | ["cargo", "rig", rest @ ..] => rest,
        _ => return None,
    };
    let redirected = rest.iter().position(|word| word.starts_with('>')).unwrap_or(rest.len());
    Some(["rig"].iter().chain(&rest[..redirected]).map(|word| (*word).to_owned()).collect())
}

#[test]
fn every_command_of_rig_on_the_pages_is_one() {
    let mut tried = 0;
    for (name, text) in pages() {
        for block in blocks(&text).iter().filter(|block| block.language == "sh") {
            let joined = block.text.replace("\\\n", " ");
            for line in joined.lines() {
                for words in commands(line).iter().filter_map(|command| of_rig(command)) {
                    if let Err(error) = rig::cli::program().try_get_matches_from(&words) {
                        assert!(!error.use_stderr(), "{name}: {line}\n{error}");
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 15, "{tried} commands");
}

#[test]
fn a_line_is_split_as_a_shell_splits_it() {
    let line = "cargo rig a 'b c' --x=\"1 2\" && ls | rig d > out # rig e";
    let of: Vec<Vec<String>> = commands(line).iter().filter_map(|command| of_rig(command)).collect();
    assert_eq!(of, [&["rig", "a", "b c", "--x=1 2"][..], &["rig", "d"]]);
    let page = "a\n```sh\nrig b\n```\nc\n```toml\nd = 1\n```\n";
    let found: Vec<String> =
        blocks(page).into_iter().map(|block| format!("{} {}", block.language, block.text)).collect();
    assert_eq!(found, ["sh rig b\n", "toml d = 1\n"]);
}

#[test]
fn wrong_blocks_are_refused() {
    let here = tempfile::tempdir().expect("a folder");
    for wrong in [
        "x = 1",
        "[axes]\nscenario = [\"rst\"]",
        "[lane.client]\nsteps = []",
        "[initramfs]",
        "[path.x]\nspeed = 1",
    ] {
        assert!(refused(wrong, here.path()).is_err(), "{wrong}");
    }
    assert!(
        rig::cli::program().try_get_matches_from(["rig", "matrx"]).is_err_and(|error| error.use_stderr())
    );
}
