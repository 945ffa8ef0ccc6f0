//! Typed reading of a tree: every mismatch becomes a problem, and reading goes on.

use std::ops::RangeInclusive;
use std::sync::Arc;

use miette::NamedSource;

use super::number::{Whole, read_whole};
use super::problem::{Problem, Problems, Span, Wrong};
use super::tree::{Key, Node, Table, Value};
use super::word;

/// With so many words the wrong ones of a text are compared to say what was meant. Nobody reads that many hints, and a generated file has millions of pairs.
const MOST_COMPARISONS: usize = 200_000;

/// What was found wrong in one text so far. Every reading method reports a mismatch and returns `None`.
#[derive(Debug)]
pub struct Findings {
    source: Arc<NamedSource<String>>,
    problems: Vec<Problem>,
    /// Of other texts: they follow, in their own order.
    foreign: Problems,
    /// So many words were compared with wrong ones.
    compared: usize,
}

impl Findings {
    /// Nothing found yet.
    pub fn new(source: Arc<NamedSource<String>>) -> Self {
        Self { source, problems: Vec::new(), foreign: Problems::default(), compared: 0 }
    }

    /// Adds a problem; the result takes `help` and further places.
    pub fn report(
        &mut self,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Problem {
        self.problems.push(Problem::at(&self.source, span, message, label));
        self.problems.last_mut().expect("pushed in the line before")
    }

    /// Adds problems that another text has.
    pub fn absorb(&mut self, problems: Problems) {
        self.foreign.append(problems);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.foreign.is_empty()
    }

    /// How many were found: to see whether a part added any.
    pub fn len(&self) -> usize {
        self.problems.len() + self.foreign.len()
    }

    /// All of them, by position.
    pub fn into_problems(self) -> Problems {
        let mut problems = Problems::new(self.problems);
        problems.append(self.foreign);
        problems
    }

    /// `value` where nothing was found, otherwise all problems.
    ///
    /// # Errors
    /// Something was found.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) | None => {
                debug_assert!(!self.is_empty(), "a value is missing without a problem");
                Err(self.into_problems())
            }
        }
    }

    /// [`word::hint`]; where a text has so many wrong words that nobody reads their hints, there is none.
    pub fn hint<'k>(
        &mut self,
        word: &str,
        known: impl IntoIterator<Item = &'k str>,
        there_are: &str,
    ) -> Option<String> {
        if self.compared >= MOST_COMPARISONS {
            return None;
        }
        let known: Vec<&str> = known.into_iter().collect();
        self.compared += known.len();
        Some(word::hint(word, known, there_are))
    }

    /// Reports every key of `table` that is not in `known`. `what` is the table as people call it: `[run]`, `a step`.
    pub fn refuse_unknown_keys(&mut self, table: &Table, what: &str, known: &[&str]) {
        for (key, _) in &table.entries {
            if !known.contains(&key.name.as_str()) {
                self.unknown_key(key, what, known);
            }
        }
    }

    /// Reports one unknown key.
    pub fn unknown_key(&mut self, key: &Key, what: &str, known: &[&str]) {
        let help = self.hint(&key.name, known.iter().copied(), &format!("the keys of {what}"));
        self.report(
            key.span.clone(),
            format!("unknown key `{}` in {what}", key.name),
            "not a key of this table",
        )
        .maybe_help(help);
    }

    /// Reports a missing key; the label stands at `span` (the table's name).
    pub fn missing(&mut self, span: Span, what: &str, key: &str, example: &str) {
        self.report(span, format!("{what} has no `{key}`"), format!("`{key}` is missing"))
            .help(format!("add {example}"));
    }

    /// A table.
    pub fn table<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            _ => self.mismatch(node, what, "a table"),
        }
    }

    /// A list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::Array(items) => Some(items),
            _ => self.mismatch(node, what, "a list"),
        }
    }

    /// A string.
    pub fn string<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::String(string) => Some(string),
            _ => self.mismatch(node, what, "a string"),
        }
    }

    /// A list of strings with their places; those that are no strings are reported and left out.
    pub fn strings(&mut self, node: &Node, what: &str) -> Option<Vec<(String, Span)>> {
        let items = self.list(node, what)?;
        Some(
            items
                .iter()
                .filter_map(|item| {
                    self.string(item, &format!("each value of {what}"))
                        .map(|string| (string.to_owned(), item.span.clone()))
                })
                .collect(),
        )
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => self.mismatch(node, what, "true or false"),
        }
    }

    /// A whole number within bounds: written as one, as a decimal number that comes to one (`1e6`), or in quotes as a flag takes it (`"10k"`).
    pub fn count(&mut self, node: &Node, what: &str, bounds: &RangeInclusive<u64>) -> Option<u64> {
        let whole = match &node.value {
            Value::Integer(integer) => Ok(integer
                .and_then(|integer| u64::try_from(integer).ok())
                .map_or(Whole::TooLarge, Whole::Count)),
            Value::Float(_) => read_whole(&node.spelled),
            Value::String(text) => read_whole(text),
            Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
                return self.mismatch(node, what, "a whole number");
            }
        };
        match whole {
            Ok(Whole::Count(count)) if bounds.contains(&count) => return Some(count),
            Ok(Whole::Count(_) | Whole::Negative | Whole::TooLarge) => {
                let (low, high) = (bounds.start(), bounds.end());
                let label = format!("must lie between {low} and {high}");
                self.report(node.span.clone(), format!("{what} is out of range"), label);
            }
            Err(Wrong { label, help }) => {
                self.report(node.span.clone(), format!("{what} is wrong"), label).maybe_help(help);
            }
        }
        None
    }

    /// A number strictly between 0 and 1.
    pub fn fraction(&mut self, node: &Node, what: &str) -> Option<f64> {
        let number = match node.value {
            Value::Float(float) => float,
            Value::Integer(Some(integer)) => integer as f64,
            _ => return self.mismatch(node, what, "a number"),
        };
        if number > 0.0 && number < 1.0 {
            return Some(number);
        }
        self.report(
            node.span.clone(),
            format!("{what} is out of range"),
            "must be greater than 0 and less than 1",
        );
        None
    }

    /// Reports a value of the wrong type.
    pub fn mismatch<T>(&mut self, node: &Node, what: &str, wanted: &str) -> Option<T> {
        let found = node.value.kind();
        self.report(
            node.span.clone(),
            format!("{what} must be {wanted}, not {found}"),
            format!("this is {found}"),
        );
        None
    }
}
