//! `rig docs`: the pages that the binary carries.
//!
//! Must not know what a page says, nor how it is laid out (`docs/layout.rs`). Units: columns.
//! Errors: [`Failure`], exit 2, for an unknown topic or a word that no page has. Tests: below; `tests/cli_input.rs`, `tests/examples.rs`.

mod columns;
mod layout;
mod pager;
mod words;

use std::io::{self, IsTerminal};

use clap::ValueEnum;

use super::output::print;
use super::{Exit, Failure, called, width};
use crate::docs::{self, PAGES};
use crate::document::hint;
use crate::report::Page;

/// Arguments of `rig docs`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which page; without one, the list of them
    topic: Option<String>,
    /// The lines of all pages that have this word
    #[arg(long, value_name = "WORD", conflicts_with_all = ["topic", "format"])]
    search: Option<String>,
    /// Output format [default: text on a terminal, markdown elsewhere]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print a long page at once, not through $PAGER
    #[arg(long)]
    no_pager: bool,
}

/// How a page is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Laid out for the width of the terminal
    Text,
    /// As it is written
    Markdown,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match (&arguments.topic, &arguments.search) {
        (None, None) => print(&list()),
        (_, Some(word)) => search(word),
        (Some(topic), None) => show(topic, &arguments),
    }
}

fn list() -> String {
    let longest = PAGES.iter().map(|page| page.topic.len()).max().unwrap_or(0);
    let mut out = Page::new(width::for_text(), called::worded);
    for page in PAGES {
        out.wrap(&format!("{:longest$} ", page.topic), page.about, longest + 2);
    }
    out.push_str("\n");
    out.wrap("", "`rig docs TOPIC` shows one, `rig docs --search WORD` finds a word in all of them", 0);
    out.into_text()
}

fn show(topic: &str, arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(page) = docs::find(topic) else {
        return Err(Failure::say(Exit::Input, format!("there is no page about `{topic}`"), instead(topic)));
    };
    let terminal = io::stdout().is_terminal();
    let format = arguments.format.unwrap_or(if terminal { Format::Text } else { Format::Markdown });
    match format {
        Format::Markdown => print(&without_marks(page.text)),
        Format::Text => {
            let text = layout::lay_out(&called::worded(page.text), width::for_text());
            if terminal && !arguments.no_pager {
                pager::show(&text);
            }
            print(&text)
        }
    }
}

/// Without the lines that say to contributors how a part of the page is made.
fn without_marks(page: &str) -> String {
    page.split_inclusive('\n').filter(|line| !line.starts_with("<!--")).collect()
}

/// For who asks for a page that is none: the word may stand in others.
fn instead(word: &str) -> String {
    let topics = hint(word, PAGES.iter().map(|page| page.topic), "the topics");
    let found: Vec<String> = PAGES
        .iter()
        .filter_map(|page| match hits(page, word).count() {
            0 => None,
            1 => Some(format!("{} (1 line)", page.topic)),
            count => Some(format!("{} ({count} lines)", page.topic)),
        })
        .collect();
    if found.is_empty() {
        return topics;
    }
    let quoted = called::quoted(word);
    format!("{topics}\n`{word}` is in {}: `rig docs --search {quoted}` shows where", found.join(", "))
}

/// The lines that have the word, in either case, with their numbers.
fn hits<'p>(page: &'p docs::Page, word: &str) -> impl Iterator<Item = (usize, &'p str)> {
    let wanted = word.to_lowercase();
    let lines = page.text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(move |(_, line)| !wanted.is_empty() && line.to_lowercase().contains(&wanted))
}

fn search(word: &str) -> Result<Exit, Failure> {
    let mut out = Page::new(width::for_text(), str::to_owned);
    for page in PAGES {
        for (number, line) in hits(page, word) {
            out.wrap(&format!("{}:{number}:", page.topic), line.trim_start_matches(['#', '|', ' ', '-']), 4);
        }
    }
    let text = out.into_text();
    if text.is_empty() {
        let help = hint(word, PAGES.iter().map(|page| page.topic), "the topics");
        return Err(Failure::say(Exit::Input, format!("no page has the word `{word}`"), help));
    }
    print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_topic_names_the_topics_and_the_pages_that_have_the_word() {
        let help = instead("pathz");
        assert!(help.starts_with("did you mean `paths`?\nthe topics: "), "{help}");
        let help = instead("Firewall");
        assert!(help.contains("paths (") && help.contains("`rig docs --search Firewall`"), "{help}");
        assert!(!instead("").contains("--search"));
        assert!(!instead("no such words anywhere").contains("--search"));
    }

    #[test]
    fn every_page_fits_into_its_width_but_for_code_and_words_that_do_not() {
        for page in PAGES {
            for width in [60, 80, 110] {
                let text = layout::lay_out(page.text, width);
                let mut code = false;
                for line in text.lines() {
                    code = line.starts_with("      ") && (code || !line.contains("  | "));
                    let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
                    let fits = line.chars().count() <= width || code || longest + 30 > width;
                    assert!(fits, "{} at {width}: {line:?}", page.topic);
                }
            }
        }
    }
}
