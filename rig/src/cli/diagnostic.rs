//! A failure as it is shown: as wide as the reader's terminal, no name broken at its hyphens, and its commands as the reader can type them.
//!
//! Must not know what failed. Units: columns. Errors: none. Tests: below; `tests/cli_input.rs`.

use std::error::Error;
use std::fmt;

use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, Report, Severity, SourceCode};
use textwrap::{WordSeparator, WordSplitter};

use super::{called, look, width};

/// How failures are drawn from now on. The first call counts.
pub(super) fn draw_for_this_reader() {
    // Somebody else's choice stays: there is nothing to do about it here.
    let _ = miette::set_hook(Box::new(|_| {
        let options = MietteHandlerOpts::new()
            .width(width::for_messages())
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        let options = match look::colored() {
            Some(colored) => options.color(colored),
            None => options,
        };
        Box::new(options.build())
    }));
}

/// What is to be shown of a report.
pub(super) fn worded(report: Report) -> Report {
    let cause = report.source().map(|cause| Box::new(Cause::of(cause)));
    Report::new(Worded { words: called::worded(&report.to_string()), cause, inner: report })
}

/// A report whose texts are worded. All else is its own.
#[derive(Debug)]
struct Worded {
    words: String,
    cause: Option<Box<Cause>>,
    inner: Report,
}

impl fmt::Display for Worded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Error for Worded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Diagnostic for Worded {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.inner.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.inner.help()?.to_string();
        Some(Box::new(called::worded(&help)))
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.inner.url()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.inner.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.inner.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        self.inner.related()
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.inner.diagnostic_source()
    }
}

/// Why something failed, with the reason for that.
#[derive(Debug)]
struct Cause {
    words: String,
    deeper: Option<Box<Self>>,
}

impl Cause {
    fn of(error: &dyn Error) -> Self {
        Self {
            words: called::worded(&error.to_string()),
            deeper: error.source().map(|deeper| Box::new(Self::of(deeper))),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.deeper.as_deref().map(|deeper| deeper as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error, Diagnostic)]
    #[error("what")]
    #[diagnostic(help("what to try"), code(a::code))]
    struct Failed {
        #[source]
        source: io::Error,
        #[source_code]
        text: String,
        #[label("here")]
        span: miette::SourceSpan,
    }

    #[test]
    fn nothing_of_a_report_is_lost() {
        let source = io::Error::other(io::Error::other("deepest"));
        let shown = worded(Report::new(Failed { source, text: "text".to_owned(), span: (0, 2).into() }));
        let causes: Vec<String> = shown.chain().map(ToString::to_string).collect();
        assert_eq!(causes, ["what", "deepest"]);
        assert_eq!(shown.help().map(|help| help.to_string()).as_deref(), Some("what to try"));
        assert_eq!(shown.code().map(|code| code.to_string()).as_deref(), Some("a::code"));
        assert_eq!(shown.labels().map(Iterator::count), Some(1));
        assert!(shown.source_code().is_some());
    }
}
