//! Lines of the screen: what is said, broken into lines of 80 columns, and how much of it fits.
//!
//! Must not know what is said. Units: columns and lines. Errors: none. Tests: `tests/golden/answer.rs`.

use textwrap::{Options, WordSeparator, WordSplitter};

/// Columns of the screen.
const COLUMNS: usize = 80;

/// Lines of the screen.
pub(super) const LINES: usize = 24;

/// What a line is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// News, or a reason not to believe.
    Bad,
    /// To be kept in mind.
    Mind,
    /// Neither.
    Plain,
}

/// A line of the screen, at most 80 columns wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is to its reader.
    pub tone: Tone,
    /// Without a newline.
    pub text: String,
}

/// Something to say, not yet broken into lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Item {
    pub(in crate::report) tone: Tone,
    /// Stands before the first line; the others are indented as far.
    pub(in crate::report) mark: &'static str,
    pub(in crate::report) text: String,
}

impl Item {
    pub(in crate::report) fn new(tone: Tone, mark: &'static str, text: impl Into<String>) -> Self {
        Self { tone, mark, text: text.into() }
    }

    fn lines(&self) -> Vec<Line> {
        let first = format!("  {:<9} ", self.mark);
        let next = " ".repeat(first.len());
        // A name is not broken at its hyphens, nor a path at its slashes.
        let options = Options::new(COLUMNS)
            .initial_indent(&first)
            .subsequent_indent(&next)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        // A number and its sign stay together.
        let text = self.text.replace(" %", "\u{a0}%");
        let lines = textwrap::wrap(&text, options);
        lines
            .into_iter()
            .map(|line| Line { tone: self.tone, text: line.replace('\u{a0}', " ").trim_end().to_owned() })
            .collect()
    }
}

/// A part of the screen: a heading, and as many whole items as fit into so many lines.
pub(super) fn part(heading: &str, items: &[Item], most: usize, more: &str) -> Vec<Line> {
    let mut screen = vec![Line { tone: Tone::Heading, text: heading.to_owned() }];
    let mut left = most;
    for (at, item) in items.iter().enumerate() {
        let lines = item.lines();
        let is_last = at + 1 == items.len();
        // What does not fit needs a line that says so.
        if lines.len() + usize::from(!is_last) > left {
            let text = format!("{} more {more}", items.len() - at);
            screen.extend(Item::new(Tone::Mind, "...", text).lines());
            return screen;
        }
        left -= lines.len();
        screen.extend(lines);
    }
    screen
}
