//! From a TOML text to its tree, or to all its syntax errors at once.
//!
//! Must not know what any file means. Units: byte offsets. Errors: [`Problems`]; they blame the text, or the file that cannot be read.
//! Tests: below.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use super::problem::{Problem, Problems, Span};
use super::tree::{Key, Node, Table, Value};
use super::word::closest;

/// A whole text.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text with its name.
    pub source: Arc<NamedSource<String>>,
    /// The root table.
    pub root: Table,
}

impl Document {
    /// Parses `text`; `name` is what diagnostics call it.
    ///
    /// # Errors
    /// All syntax errors at once; the tree of a text with syntax errors is not looked at, since a value that the parser had to
    /// skip would be reported as missing.
    pub fn parse(name: &str, text: &str) -> Result<(Self, Findings), Problems> {
        let source = Arc::new(NamedSource::new(name, text.to_owned()).with_language("toml"));
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut findings = Findings::new(Arc::clone(&source));
        let open = if errors.is_empty() { None } else { unclosed(text) };
        let is_before = |span: &Span| open.as_ref().is_none_or(|open| span.end <= open.start);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            // What follows an open bracket is read as a part of it: errors there are its own.
            if !is_before(&span) {
                continue;
            }
            findings
                .report(span, format!("this is not TOML: {}", first_line(error.message())), "here")
                .maybe_help(explain_syntax(error.message()));
        }
        if let Some(open) = open {
            let bracket = &text[open.clone()];
            let close = if bracket == "[" { "]" } else { "}" };
            findings
                .report(open, format!("this is not TOML: `{bracket}` is never closed"), "opened here")
                .help(format!("add the missing `{close}`"));
        }
        if !findings.is_empty() {
            return Err(findings.into_problems());
        }
        let root = convert_table(root.span(), root.get_ref(), text);
        Ok((Self { source, root }, findings))
    }

    /// Reads and parses a file.
    ///
    /// # Errors
    /// The file cannot be read, or its syntax is wrong.
    pub fn read(path: &Path) -> Result<(Self, Findings), Problems> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let mut problem = Problem::new(format!("cannot read {name}: {error}"));
            problem.help(match near(path) {
                Some(other) => format!("did you mean `{}`?", other.display()),
                None => "give the path of a readable UTF-8 text file".to_owned(),
            });
            problem
        })?;
        Self::parse(&name, &text)
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        self.source.inner()
    }
}

/// A file beside a missing one whose name is nearly the same.
fn near(missing: &Path) -> Option<PathBuf> {
    if missing.exists() {
        return None;
    }
    let folder = missing.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let asked = missing.file_name()?.to_str()?;
    let found = closest(asked, names.iter().map(String::as_str))?;
    Some(missing.with_file_name(found))
}

/// The place of the outermost bracket or brace that nothing closes. Brackets in texts and comments are none.
fn unclosed(text: &str) -> Option<Span> {
    let bytes = text.as_bytes();
    let mut open: Vec<(usize, u8)> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'"' | b'\'' => at = end_of_text(bytes, at)?,
            b'[' | b'{' => open.push((at, byte)),
            b']' | b'}' => {
                let partner = if byte == b']' { b'[' } else { b'{' };
                // A bracket that closes nothing is another fault, which the parser tells.
                if open.pop()?.1 != partner {
                    return None;
                }
            }
            _ => {}
        }
        at += 1;
    }
    open.first().map(|(at, _)| *at..at + 1)
}

/// Where the last quotation mark of a text stands that begins at `at`; nowhere, where the text has no end.
fn end_of_text(bytes: &[u8], at: usize) -> Option<usize> {
    let mark = bytes[at];
    let is_long = bytes[at..].starts_with(&[mark; 3]);
    let mut next = at + if is_long { 3 } else { 1 };
    loop {
        match *bytes.get(next)? {
            b'\\' if mark == b'"' => next += 1,
            b'\n' if !is_long => return None,
            found if found == mark && !is_long => return Some(next),
            found if found == mark && bytes[next..].starts_with(&[mark; 3]) => return Some(next + 2),
            _ => {}
        }
        next += 1;
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn explain_syntax(message: &str) -> Option<String> {
    if message.contains("duplicate key") {
        return Some("write every key and every [table] once; use [[name]] for a list of tables".to_owned());
    }
    if message.contains("string values must be quoted") {
        return Some("put text in quotes: name = \"value\"; also a number with a unit: trials = \"10k\", delay = \"5ms\"".to_owned());
    }
    None
}

fn convert_table(span: Span, table: &DeTable<'_>, text: &str) -> Table {
    let mut entries: Vec<(Key, Node)> = table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            (Key { name, span: key.span() }, convert(value, text))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    Table { span, entries }
}

fn convert(value: &Spanned<DeValue<'_>>, text: &str) -> Node {
    let span = value.span();
    let mut spelled = String::new();
    let mut spell = || spelled = text.get(span.clone()).unwrap_or_default().trim().to_owned();
    let converted = match value.get_ref() {
        DeValue::String(string) => Value::String(string.to_string()),
        DeValue::Integer(integer) => {
            spell();
            Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
        }
        DeValue::Float(float) => {
            spell();
            Value::Float(float.as_str().parse().unwrap_or(f64::NAN))
        }
        DeValue::Boolean(boolean) => {
            spell();
            Value::Boolean(*boolean)
        }
        DeValue::Datetime(_) => {
            spell();
            Value::Datetime
        }
        DeValue::Array(array) => Value::Array(array.iter().map(|item| convert(item, text)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(span.clone(), table, text)),
    };
    Node { span, value: converted, spelled }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Table {
        let (document, findings) = Document::parse("test.toml", text).expect("valid TOML");
        assert!(findings.is_empty());
        document.root
    }

    #[test]
    fn entries_stand_in_file_order_with_their_places_and_spelling() {
        let text = "zebra = 1_000\napple = { y = 0.010, x = [true, \"a\"] }\n[late.table]\nk = 0x10\n";
        let root = parse(text);
        let names: Vec<&str> = root.entries.iter().map(|(key, _)| key.name.as_str()).collect();
        assert_eq!(names, ["zebra", "apple", "late"]);
        let zebra = root.get("zebra").expect("zebra");
        assert_eq!((&zebra.value, zebra.spelled.as_str()), (&Value::Integer(Some(1000)), "1_000"));
        let Value::Table(apple) = &root.get("apple").expect("apple").value else { panic!("a table") };
        let y = apple.get("y").expect("y");
        assert_eq!((y.spelled.as_str(), &text[y.span.clone()]), ("0.010", "0.010"));
        let Value::Table(late) = &root.get("late").expect("late").value else { panic!("a table") };
        let Value::Table(table) = &late.get("table").expect("table").value else { panic!("a table") };
        assert_eq!(table.get("k").map(|node| &node.value), Some(&Value::Integer(Some(16))));
    }

    #[test]
    fn numbers_beyond_64_bits_are_no_numbers() {
        assert_eq!(
            parse("big = 99999999999999999999").get("big").map(|node| &node.value),
            Some(&Value::Integer(None))
        );
    }

    #[test]
    fn all_syntax_errors_come_at_once() {
        let problems =
            Document::parse("t.toml", "a = \nb = [1, 2\nc = 1\nc = 2\n").expect_err("wrong syntax");
        assert!(problems.len() >= 2, "{problems}");
    }

    #[test]
    fn deep_nesting_is_refused_and_overflows_nothing() {
        for (open, close) in [("[", "]"), ("{a=", "}")] {
            let text = format!("x = {}1{}", open.repeat(20_000), close.repeat(20_000));
            assert!(Document::parse("deep.toml", &text).is_err());
        }
        let dotted = format!("{}a = 1", "a.".repeat(20_000));
        // A dotted key nests as deep as it is long; whatever the parser says, it must come back.
        let _ = Document::parse("dotted.toml", &dotted).map(|(document, _)| document.root.entries.len());
    }
}
