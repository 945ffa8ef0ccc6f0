//! A page of Markdown, laid out for a terminal: headings, paragraphs, lists, tables, code.
//!
//! Must not know which page, nor whether anybody pages. Units: columns. Errors: none: all text is Markdown. Tests: below; `docs.rs` lays out every page.

use console::Style;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::columns::Columns;
use super::words::{Look, Words};
use crate::cli::called;
use crate::docs;

/// Under a heading.
const INDENT: usize = 2;

/// The page as lines of at most so many columns, unless a word or a line of code is longer.
pub(super) fn lay_out(markdown: &str, width: usize) -> String {
    let mut layout = Layout::new(width);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        layout.event(event);
    }
    layout.flush();
    layout.out
}

struct Layout {
    out: String,
    width: usize,
    /// What the next paragraph, item or cell says so far.
    words: Words,
    looks: Vec<Look>,
    /// The number of the next item of each list that is open; none in a list without numbers.
    lists: Vec<Option<u64>>,
    /// What the next line begins with instead of spaces.
    bullet: Option<String>,
    code: Option<String>,
    table: Option<Columns>,
    /// Where the links that are open lead to.
    links: Vec<String>,
    /// Depth of quotations.
    quotes: usize,
}

impl Layout {
    fn new(width: usize) -> Self {
        Self {
            out: String::new(),
            width,
            words: Words::default(),
            looks: Vec::new(),
            lists: Vec::new(),
            bullet: None,
            code: None,
            table: None,
            links: Vec::new(),
            quotes: 0,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.say(&text),
            },
            Event::Code(text) => self.say(&format!("`{text}`")),
            Event::SoftBreak | Event::HardBreak => self.say(" "),
            Event::Rule => self.line(&"-".repeat(self.width.saturating_sub(INDENT))),
            Event::InlineHtml(html) if !html.starts_with("<!--") && !html.starts_with("<br") => {
                self.say(&html)
            }
            Event::InlineHtml(html) if html.starts_with("<br") => self.say(" "),
            // Comments; and extensions that are not switched on.
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } | Tag::Paragraph => self.flush(),
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::CodeBlock(_) => {
                self.flush();
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Table(_) => {
                self.flush();
                self.table = Some(Columns::default());
            }
            Tag::TableHead => {
                self.row();
                self.looks.push(Look::Strong);
            }
            Tag::TableRow => self.row(),
            Tag::Emphasis => self.looks.push(Look::Slanted),
            Tag::Strong => self.looks.push(Look::Strong),
            Tag::Link { dest_url, .. } => self.links.push(dest_url.into_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => self.heading(),
            TagEnd::Paragraph => {
                self.flush();
                if self.lists.is_empty() {
                    self.gap();
                }
            }
            TagEnd::BlockQuote(_) => self.quotes -= 1,
            TagEnd::CodeBlock => self.code_block(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.gap();
                }
            }
            TagEnd::Item => self.flush(),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.words);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => self.end_table(),
            TagEnd::TableHead | TagEnd::Emphasis | TagEnd::Strong => {
                self.looks.pop();
            }
            TagEnd::Link => {
                if let Some(target) = self.links.pop() {
                    self.say(&leads_to(&target, &self.words.text()));
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        let look = self.looks.last().copied().unwrap_or(Look::Plain);
        self.words.push(text, look);
    }

    fn row(&mut self) {
        if let Some(table) = &mut self.table {
            table.rows.push(Vec::new());
        }
    }

    fn item(&mut self) {
        self.flush();
        let deep = self.lists.len().saturating_sub(1);
        if let Some(list) = self.lists.last_mut() {
            let mark = match list {
                Some(number) => {
                    *number += 1;
                    format!("{}. ", *number - 1)
                }
                None => "- ".to_owned(),
            };
            self.bullet = Some(format!("{}{mark}", " ".repeat(INDENT + 2 * deep)));
        }
    }

    fn heading(&mut self) {
        self.gap();
        let words = std::mem::take(&mut self.words);
        let bold = Style::new().for_stdout().bold();
        let text = words.text();
        for line in textwrap::wrap(&text, textwrap::Options::new(self.width).break_words(false)) {
            self.line_at(0, &bold.apply_to(line).to_string());
        }
        self.gap();
    }

    fn code_block(&mut self) {
        let code = self.code.take().unwrap_or_default();
        for line in code.lines() {
            self.line_at(self.margin() + 4, line);
        }
        if self.lists.is_empty() {
            self.gap();
        }
    }

    fn end_table(&mut self) {
        let table = self.table.take().unwrap_or_default();
        for line in table.lines(self.width.saturating_sub(INDENT)) {
            self.line(&line);
        }
        self.gap();
    }

    /// Where a line of text begins.
    fn margin(&self) -> usize {
        INDENT + 2 * (self.lists.len() + self.quotes)
    }

    /// Writes what was said since the last line.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        let bullet = self.bullet.take();
        let margin = self.margin();
        let begins = bullet.as_ref().map_or(margin, |bullet| bullet.chars().count()).max(margin);
        for (at, (line, _)) in words.lines(self.width.saturating_sub(begins)).into_iter().enumerate() {
            match (&bullet, at) {
                (Some(bullet), 0) => self.out.push_str(&format!("{bullet}{line}\n")),
                _ => self.line_at(begins, &line),
            }
        }
        if words.is_empty() {
            // An item begins with a list or with code: its mark waits.
            self.bullet = bullet;
        }
    }

    fn line(&mut self, line: &str) {
        self.line_at(INDENT, line);
    }

    fn line_at(&mut self, column: usize, line: &str) {
        let line = format!("{}{line}", " ".repeat(column));
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// An empty line, unless there is one or nothing above it.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

/// Where a reader finds what a link leads to; nothing where its own text says it.
fn leads_to(target: &str, said: &str) -> String {
    let file = target.split('#').next().unwrap_or_default();
    match file.strip_suffix(".md") {
        _ if file.is_empty() || said.ends_with(target) => String::new(),
        Some(topic) if docs::find(topic).is_some() => {
            format!(" ({})", called::worded(&format!("`rig docs {topic}`")))
        }
        Some(_) | None => format!(" ({file})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A *title*\n\nSome **bold** words, `code`, and [paths](paths.md#x), [a page](https://example.org).\nNo break.\n\n\
        - one item that goes on and on until it has to be broken somewhere\n  - below it\n- two\n\n1. first\n2. second\n\n\
        ```\ncode  stays   as it is, however long the line of it may be: nobody breaks a command\n```\n\n\
        | key | meaning |\n|---|---|\n| `a` | a cell of words that goes on under itself |\n| `b`,`c` | short |\n\n<!-- a comment -->\n## End\n";

    #[test]
    fn a_page_is_laid_out_for_its_width() {
        insta::assert_snapshot!(lay_out(PAGE, 44), @r"
        A title
        
          Some bold words, `code`, and paths (`rig
          docs paths`), a page
          (https://example.org). No break.
        
          - one item that goes on and on until it
            has to be broken somewhere
            - below it
          - two
        
          1. first
          2. second
        
              code  stays   as it is, however long the line of it may be: nobody breaks a command
        
          key      meaning
          -------  ---------------------------------
          `a`      a cell of words that goes on
                   under itself
          `b`,`c`  short
        
        End
        ");
    }

    #[test]
    fn a_table_whose_words_do_not_fit_beside_each_other_becomes_a_list() {
        let table = "| key | value | meaning |\n|---|---|---|\n| `a_very_long_key` | `another_long_word` | what it means to a reader |\n";
        insta::assert_snapshot!(lay_out(table, 36), @r"
        `a_very_long_key`
            value: `another_long_word`
            meaning: what it means to a
            reader
        ");
    }
}
