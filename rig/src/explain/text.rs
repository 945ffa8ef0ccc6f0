//! The answer as text for a terminal.
//!
//! Holds the layout. Must not compute a number, and must not word what was measured.
//! Units: columns of a terminal. Errors: none.
//! Tests: `tests/golden/explained.rs`.

use super::answer::Answer;
use super::catalogue::{Explanation, LiveCommand, Source};
use super::measured;

/// An answer is readable in a terminal this wide.
const WIDTH: usize = 100;

/// Columns of the word that says who sets an errno, with the space behind it.
const WHO: usize = 13;

/// Space that must not be broken at, while a paragraph is wrapped.
const KEPT: char = '\u{a0}';

impl Answer {
    /// For people: lines of at most 100 columns. A command is one line, however long, so that it can be pasted.
    pub fn text(&self) -> String {
        render(self)
    }
}

/// Ends with a newline.
fn render(answer: &Answer) -> String {
    let name = answer.errno.word();
    let mut out = match answer.errno.name {
        Some(_) => format!("{name} ({}): {}\n", answer.errno.number, answer.errno.text),
        None => format!("{name}: a number without a name\n"),
    };
    match answer.explanation {
        Some(explanation) => write_explanation(&mut out, explanation),
        None => wrap(
            &mut out,
            "",
            "",
            "No file of rig explains it. What can be said of every errno: it is only defined right after a call that returned -1, errno(3). \
             strace shows whether the kernel returned it, and from which call; where it did not, the program printed an errno that was \
             left over from another call.",
        ),
    }
    out.push_str("\nWhat rig measured here\n");
    match (&answer.measured, &answer.not_measured) {
        (Some(seen), _) => {
            let told = measured::tell(&name, seen);
            wrap(&mut out, "  ", "  ", &format!("Run {}. {}", seen.run, told.first));
            if !told.rows.is_empty() {
                write_rows(&mut out, &told.rows);
                wrap(&mut out, "  ", "  ", measured::LEGEND);
            }
            told.further.iter().for_each(|sentence| wrap(&mut out, "  ", "  ", sentence));
        }
        (None, Some(why)) => wrap(&mut out, "  ", "  ", why),
        (None, None) => {}
    }
    out
}

fn write_explanation(out: &mut String, explanation: &Explanation) {
    wrap(out, "", "", &explanation.meaning);
    out.push('\n');
    wrap(out, "In short: ", "", &explanation.in_short);
    out.push_str("\nWho can set it\n");
    explanation.sources.iter().for_each(|source| write_source(out, source));
    out.push_str("\nHow to tell, on the live system (PID=... is the process)\n");
    explanation.commands.iter().for_each(|command| write_command(out, command));
}

fn write_source(out: &mut String, source: &Source) {
    let Source { call, who, when, reference, tell } = source;
    let first = format!("  {:WHO$}", who.word());
    let text = format!("{}: {when} Tell: {tell} [{reference}]", call.join(", "));
    wrap(out, &first, &" ".repeat(first.len()), &text);
}

fn write_command(out: &mut String, command: &LiveCommand) {
    // One line, however long: it is there to be pasted.
    out.push_str(&format!("  {}\n", command.run));
    wrap(out, "      ", "      ", &command.look_for);
}

/// Columns as wide as their widest cell.
fn write_rows(out: &mut String, rows: &[Vec<String>]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("  {cell:0$}", width(column)));
        out.push_str(cells.collect::<String>().trim_end());
        out.push('\n');
    }
}

/// Writes a paragraph. A number and its `%` stay together.
fn wrap(out: &mut String, first: &str, further: &str, text: &str) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(further)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let text = text.replace(" %", &format!("{KEPT}%"));
    for line in textwrap::wrap(&text, options) {
        out.push_str(line.replace(KEPT, " ").trim_end());
        out.push('\n');
    }
}
