//! One wrong place in a file or on the command line, and the collection of all of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource};
use thiserror::Error;

use super::excerpt::Excerpt;

/// Byte range in a document's text.
pub type Span = Range<usize>;

/// One wrong place: what is wrong, where (labels under the text), and what to try.
#[derive(Debug, Clone, Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    message: String,
    #[source_code]
    text: Option<Excerpt>,
    #[label(collection)]
    labels: Vec<LabeledSpan>,
    #[help]
    help: Option<String>,
}

impl Problem {
    /// A problem with no place in a file (the file cannot be read).
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), text: None, labels: Vec::new(), help: None }
    }

    /// A problem in a text that is no file: a command-line argument. `span` is in bytes of `text`.
    pub fn in_text(
        name: &str,
        text: &str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let source = Arc::new(NamedSource::new(name, text.to_owned()));
        Self::at(&source, span, message, label)
    }

    /// A problem at one place of `source`.
    pub(super) fn at(
        source: &Arc<NamedSource<String>>,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let excerpt = Excerpt::of(source);
        let mut problem = Self::new(message);
        problem.labels.push(LabeledSpan::new_primary_with_span(Some(label.into()), excerpt.place(span)));
        problem.text = Some(excerpt);
        problem
    }

    /// What to try.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// What to try, where there is something to say.
    pub fn maybe_help(&mut self, help: Option<String>) -> &mut Self {
        self.help = help.or(self.help.take());
        self
    }

    /// A second place that the reader must see to understand the first.
    pub fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        if let Some(excerpt) = &self.text {
            let span = excerpt.place(span);
            if !excerpt.parts(self.position(), span.start) {
                self.labels.push(LabeledSpan::new_with_span(Some(label.into()), span));
            }
        }
        self
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the first label begins, for the order of a listing.
    fn position(&self) -> usize {
        self.labels.first().map_or(0, LabeledSpan::offset)
    }
}

/// All problems of one input, by position. Never empty where it is returned as an error.
#[derive(Debug, Clone, Default, Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Collects; sorts by position within a text, keeping the order of different texts.
    pub fn new(problems: Vec<Problem>) -> Self {
        let mut problems = problems;
        problems.sort_by_key(Problem::position);
        Self(problems)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Adds those of another text behind these.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Why a text is no value of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What was expected, for the label: `expected a duration`.
    pub label: String,
    /// What to try.
    pub help: Option<String>,
}

impl Wrong {
    /// With nothing to try.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), help: None }
    }

    /// With something to try.
    pub fn with_help(label: impl Into<String>, help: impl Into<String>) -> Self {
        Self { label: label.into(), help: Some(help.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_sorted_by_position_and_spans_stay_inside_the_text() {
        let source = Arc::new(NamedSource::new("a.toml", "abc".to_owned()));
        let problems = Problems::new(vec![
            Problem::at(&source, 2..900, "second", "here"),
            Problem::at(&source, 0..1, "first", "here"),
            Problem::at(&source, 70..90, "third", "here"),
        ]);
        assert_eq!(problems.to_string(), "first; second; third");
        for problem in problems {
            let label = problem.labels.first().expect("one label each");
            assert!(label.offset() + label.len() <= 3, "{label:?}");
        }
    }
}
