//! How a kernel writes a place in its code, and how that is read out of a line of its console.
//!
//! Must not know files. Units: bytes. Errors: none; a line without a place has none. Source: `sprint_symbol`, kernel/kallsyms.c.
//! Tests: in `symbols/tests.rs`.

/// A place as the kernel writes it: `function+0x9/0x190`, and `[module]` behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// All of it, as it is written.
    pub text: &'a str,
    /// The function.
    pub function: &'a str,
    /// How far into it.
    pub offset: u64,
    /// Its size.
    pub size: u64,
    /// Of which module, where it is not the kernel's own.
    pub module: Option<&'a str>,
    /// It is where a processor was, and not where a call returns to.
    pub exact: bool,
    /// It was found on the stack, and need not be a call of this trace (`? ` before it).
    pub doubtful: bool,
}

impl<'a> Place<'a> {
    /// The place in a line of the console.
    pub fn find(line: &'a str) -> Option<Self> {
        let mut from = 0;
        while let Some(at) = line[from..].find("+0x").map(|at| from + at) {
            if let Some(place) = Self::around(line, at) {
                return Some(place);
            }
            from = at + 3;
        }
        None
    }

    /// Where `at` is the plus sign.
    fn around(line: &'a str, at: usize) -> Option<Self> {
        let named = |c: char| c.is_ascii_alphanumeric() || "._$".contains(c);
        let begin = line[..at]
            .rfind(|c| !named(c))
            .map_or(0, |before| before + line[before..].chars().next().map_or(1, char::len_utf8));
        let function = &line[begin..at];
        let hex = |text: &str| text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
        let offset = &line[at + 3..];
        let (offset, rest) = offset.split_at(hex(offset));
        let rest = rest.strip_prefix("/0x")?;
        let (size, rest) = rest.split_at(hex(rest));
        if function.is_empty() {
            return None;
        }
        let module = rest.strip_prefix(" [").and_then(|rest| rest.split_once(']')).map(|(name, _)| {
            // With a build id behind it, where the kernel has one to say.
            name.split(' ').next().unwrap_or(name)
        });
        Some(Self {
            text: &line[begin..line.len() - rest.len()],
            function,
            offset: u64::from_str_radix(offset, 16).ok()?,
            size: u64::from_str_radix(size, 16).ok()?,
            module,
            exact: line[..begin].contains("RIP: "),
            doubtful: line[..begin].ends_with("? "),
        })
    }
}
