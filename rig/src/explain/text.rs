//! The answer as text for a terminal.
//!
//! Holds the layout. Must not compute a number, and must not word what was measured.
//! Units: columns of a terminal. Errors: none.
//! Tests: `tests/golden/explained.rs`.

use super::answer::Answer;
use super::catalogue::{Explanation, LiveCommand, Source};
use super::measured;

/// Columns of the word that says who sets an errno, with the space behind it.
const WHO: usize = 13;

/// Space that must not be broken at, while a paragraph is wrapped.
const KEPT: char = '\u{a0}';

impl Answer {
    /// For people: lines of at most so many columns. A command is one line, however long, so that it can be pasted.
    pub fn text(&self, columns: usize) -> String {
        Text { columns, written: String::new() }.render(self)
    }
}

/// What is written so far, and how wide it may be.
struct Text {
    columns: usize,
    written: String,
}

impl Text {
    /// Ends with a newline.
    fn render(mut self, answer: &Answer) -> String {
        let name = answer.errno.word();
        self.written = match answer.errno.name {
            Some(_) => format!("{name} ({}): {}\n", answer.errno.number, answer.errno.text),
            None => format!("{name}: a number without a name\n"),
        };
        match answer.explanation {
            Some(explanation) => self.explanation(explanation),
            None => self.wrap(
                "",
                "",
                "rig has no page about it. For every errno: it is only defined right after a call that returned -1, errno(3). \
                 strace shows whether the kernel returned it, and from which call; if the kernel did not, the program printed an errno that was left over from another call.",
            ),
        }
        self.written.push_str("\nWhat rig measured here\n");
        match (&answer.measured, &answer.not_measured) {
            (Some(seen), _) => {
                let told = measured::tell(&name, seen);
                self.wrap("  ", "  ", &format!("Run {}. {}", seen.run, told.first));
                if !told.rows.is_empty() {
                    self.rows(&told.rows);
                    self.wrap("  ", "  ", measured::LEGEND);
                }
                told.further.iter().for_each(|sentence| self.wrap("  ", "  ", sentence));
            }
            (None, Some(why)) => self.wrap("  ", "  ", why),
            (None, None) => {}
        }
        self.written
    }

    fn explanation(&mut self, explanation: &Explanation) {
        self.wrap("", "", &explanation.meaning);
        self.written.push('\n');
        self.wrap("In short: ", "", &explanation.in_short);
        self.written.push_str("\nWho can set it\n");
        explanation.sources.iter().for_each(|source| self.source(source));
        self.written.push_str("\nHow to tell, on the live system (PID=... is the process)\n");
        explanation.commands.iter().for_each(|command| self.command(command));
    }

    fn source(&mut self, source: &Source) {
        let Source { call, who, when, reference, tell } = source;
        let first = format!("  {:WHO$}", who.word());
        let text = format!("{}: {when} Tell: {tell} [{reference}]", call.join(", "));
        self.wrap(&first, &" ".repeat(first.len()), &text);
    }

    fn command(&mut self, command: &LiveCommand) {
        // One line, however long: it is there to be pasted.
        self.written.push_str(&format!("  {}\n", command.run));
        self.wrap("      ", "      ", &command.look_for);
    }

    /// Columns as wide as their widest cell.
    fn rows(&mut self, rows: &[Vec<String>]) {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        for row in rows {
            let cells = row.iter().enumerate().map(|(column, cell)| format!("  {cell:0$}", width(column)));
            self.written.push_str(cells.collect::<String>().trim_end());
            self.written.push('\n');
        }
    }

    /// Writes a paragraph. A number and its `%` stay together.
    fn wrap(&mut self, first: &str, further: &str, text: &str) {
        let options = textwrap::Options::new(self.columns)
            .initial_indent(first)
            .subsequent_indent(further)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = text.replace(" %", &format!("{KEPT}%"));
        for line in textwrap::wrap(&text, options) {
            self.written.push_str(line.replace(KEPT, " ").trim_end());
            self.written.push('\n');
        }
    }
}
