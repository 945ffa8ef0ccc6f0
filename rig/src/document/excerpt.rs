//! The text of a problem as it is shown: a line that is far longer than a screen is shown around the place alone.
//!
//! Must not know what is wrong there. Units: bytes. Errors: miette's own, where a place lies outside of the text. Tests: below.

use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, NamedSource, SourceCode, SourceSpan, SpanContents};

/// An excerpt is cut where it has more than this: a list of values that somebody generated can be a line of megabytes.
const LONGEST_EXCERPT: usize = 2_000;

/// So much stands before and behind the place in an excerpt that is cut.
const AROUND: usize = 40;

/// As much of a place that is longer than an excerpt.
const CUT_PLACE: usize = 80;

/// A text that is shown in part.
#[derive(Debug, Clone)]
pub(super) struct Excerpt(Arc<NamedSource<String>>);

impl Excerpt {
    pub(super) fn of(source: &Arc<NamedSource<String>>) -> Self {
        Self(Arc::clone(source))
    }

    /// Whether two places of one line lie so far apart that no excerpt shows both.
    pub(super) fn parts(&self, one: usize, other: usize) -> bool {
        let (first, last) = (one.min(other), one.max(other));
        last - first > LONGEST_EXCERPT / 2 && !self.0.inner().as_bytes()[first..last].contains(&b'\n')
    }

    /// A place inside the text, as much of it as can be shown. Spans come from a parser that may point just behind the text, or into a character;
    /// the renderer refuses the first and breaks at the second.
    pub(super) fn place(&self, span: Range<usize>) -> Range<usize> {
        let text = self.0.inner();
        let start = boundary(text, span.start);
        let end = span.end.clamp(start, text.len());
        if end - start <= LONGEST_EXCERPT {
            return start..boundary(text, end);
        }
        let cut = boundary(text, start + CUT_PLACE);
        start..text[start..cut].find('\n').map_or(cut, |line_end| start + line_end)
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.0.read_span(span, lines_before, lines_after)?;
        if whole.data().len() <= LONGEST_EXCERPT {
            return Ok(whole);
        }
        let text = self.0.inner();
        let (place, place_end) = (span.offset(), span.offset() + span.len());
        let line = text[..place].rfind('\n').map_or(0, |end| end + 1);
        let start = boundary(text, place.saturating_sub(AROUND).max(line));
        let end = boundary(text, place_end + AROUND);
        let end = text[place_end..end].find('\n').map_or(end, |at| place_end + at);
        let at = self.0.read_span(&(start, 0).into(), 0, 0)?;
        let contents = MietteSpanContents::new_named(
            self.0.name().to_owned(),
            &text.as_bytes()[start..end],
            (start, end - start).into(),
            at.line(),
            start - line,
            1,
        );
        Ok(Box::new(contents.with_language("toml")))
    }
}

/// The nearest place at or below `at` that is between two characters.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use crate::document::{Document, Problems};

    fn render(problems: Problems) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        let mut out = String::new();
        for problem in problems {
            handler.render_report(&mut out, &problem).expect("rendering into a string");
        }
        out
    }

    #[test]
    fn a_line_of_megabytes_is_shown_around_the_place() {
        let list = "\"\u{e9}-value\", ".repeat(100_000);
        let text = format!("title = 1\nwords = [{list}\"here\", {list}]\nlast = 1\n");
        let (document, mut findings) = Document::parse("long.toml", &text).expect("TOML");
        let at = text.find("\"here\"").expect("it is there");
        findings.report(at..at + 6, "a value is wrong", "this one").also(10..15, "far in front of it");
        findings.report(10..at + 20, "a table is wrong", "all of this");
        findings.report(text.len() - 2..text.len() - 1, "the last is wrong", "this");
        let column = at - document.text().find("words").expect("it is there") + 1;
        let shown = render(findings.into_problems());
        assert!(shown.len() < 5_000, "{} bytes", shown.len());
        assert!(shown.contains("this one") && shown.contains("\u{e9}-value\", \"here\", "), "{shown}");
        assert!(shown.contains(":2:") && shown.contains(&format!(":{}", column)[..4]), "{column}: {shown}");
        assert!(shown.contains("all of this") && shown.contains("the last is wrong"), "{shown}");
    }

    #[test]
    fn no_place_of_a_long_text_makes_it_panic() {
        let text = format!("words = [{}]\nx = 1\n", "\"\u{1F980}\", ".repeat(1_000));
        for at in (0..text.len()).step_by(7) {
            let (_, mut findings) = Document::parse("long.toml", &text).expect("TOML");
            findings
                .report(at..at + at % 300, "wrong", "here")
                .also(text.len() - at..text.len() + 9, "and here");
            assert!(render(findings.into_problems()).contains("wrong"));
        }
    }
}
