//! Words of a text with their looks, and lines of them.
//!
//! Must not know where a text comes from. Units: columns, one per character. Errors: none. Tests: `layout.rs`.

use console::Style;

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Strong,
    Slanted,
}

impl Look {
    fn style(self) -> Style {
        let style = Style::new().for_stdout();
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Slanted => style.italic(),
        }
    }
}

/// What is not broken: pieces of different looks can follow each other without a space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word(Vec<(String, Look)>);

impl Word {
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text.chars().count()).sum()
    }

    fn render(&self) -> String {
        self.0.iter().map(|(text, look)| look.style().apply_to(text).to_string()).collect()
    }

    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }
}

/// A text in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    words: Vec<Word>,
    /// Whether the next piece begins a word.
    apart: bool,
}

impl Words {
    pub(super) fn push(&mut self, text: &str, look: Look) {
        for (at, part) in text.split(char::is_whitespace).enumerate() {
            self.apart |= at > 0;
            if part.is_empty() {
                continue;
            }
            if std::mem::take(&mut self.apart) || self.words.is_empty() {
                self.words.push(Word::default());
            }
            if let Some(word) = self.words.last_mut() {
                word.0.push((part.to_owned(), look));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Columns that it takes in one line.
    pub(super) fn width(&self) -> usize {
        let words: usize = self.words.iter().map(Word::width).sum();
        words + self.words.len().saturating_sub(1)
    }

    /// Columns of its longest word.
    pub(super) fn longest(&self) -> usize {
        self.words.iter().map(Word::width).max().unwrap_or(0)
    }

    pub(super) fn text(&self) -> String {
        self.words.iter().map(Word::text).collect::<Vec<_>>().join(" ")
    }

    /// Lines of at most so many columns, each with its width; a longer word has a line of its own.
    pub(super) fn lines(&self, columns: usize) -> Vec<(String, usize)> {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for word in &self.words {
            match lines.last_mut() {
                Some((line, width)) if *width + 1 + word.width() <= columns => {
                    line.push(' ');
                    line.push_str(&word.render());
                    *width += 1 + word.width();
                }
                Some(_) | None => lines.push((word.render(), word.width())),
            }
        }
        lines
    }
}

impl Words {
    /// With the words of another text after it.
    pub(super) fn extend(&mut self, other: &Self) {
        self.words.extend(other.words.iter().cloned());
        self.apart = true;
    }
}
