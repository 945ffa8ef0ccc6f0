//! Where in its source a kernel was: the places of a call trace as files and lines, by the debug information of its `vmlinux`.
//!
//! Does what the kernel's scripts/decode_stacktrace.sh does, inlined functions included. Reading ELF and DWARF is the crates' `object`, `gimli` and
//! `addr2line`. Must not know guests or consoles. Units: bytes of offset.
//! Errors: [`SymbolsError`]; it blames the file. Sources: kernel/kallsyms.c (`sprint_symbol`) and arch/x86/kernel/dumpstack.c on how a place is written.
//! Tests: `symbols/tests.rs`, on a small linked file and a relocatable one.

mod debug;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use debug::{Debug, Sections};

/// A file larger than this is not read: no kernel's is.
const MOST_BYTES: u64 = 4 << 30;
/// The symbol whose file tells where the source lay when it was built.
const KNOWN: (&str, &str) = ("panic", "kernel/panic.c");

/// Why places have no lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolsError {
    /// The file cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// It is no ELF file, or a damaged one, or its sections are compressed.
    #[error("{} has no debug information that can be read: {why}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It has none.
    #[error("{} has no debug information: build the kernel with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT", path.display())]
    NoDebug {
        /// Which.
        path: PathBuf,
    },
    /// It was built together with another kernel.
    #[error("{} is of another build than the kernel that ran: it is {own:?}", path.display())]
    OtherBuild {
        /// Which.
        path: PathBuf,
        /// What it says of itself.
        own: String,
    },
}

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

/// The files of a kernel that was built: its `vmlinux`, and the modules below the same folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The kernel with its symbols.
    pub vmlinux: PathBuf,
}

impl Built {
    /// The places of these lines of a console with their files and lines, one line for each place and in their order. `banner` is the line with which the
    /// kernel began (`Linux version …`), where it is known: a file of another build is refused.
    ///
    /// # Errors
    /// [`SymbolsError`], of the kernel's own file; what is wrong with a module's is said in its line.
    pub fn decode(&self, lines: &[String], banner: Option<&str>) -> Result<Vec<String>, SymbolsError> {
        let places: Vec<Place<'_>> = lines.iter().filter_map(|line| Place::find(line)).collect();
        let kernel = Sections::read(&self.vmlinux)?;
        if let (Some(own), Some(ran)) = (kernel.banner(), banner)
            && !ran.contains(own.trim())
        {
            return Err(SymbolsError::OtherBuild { path: self.vmlinux.clone(), own: own.trim().to_owned() });
        }
        let names: Vec<&str> = places.iter().filter_map(|place| place.module).collect();
        let modules = self.modules(&names);
        let kernel = kernel.understand()?;
        let modules: BTreeMap<_, _> = modules
            .iter()
            .map(|(name, read)| {
                let read = read.as_ref().map_err(Clone::clone);
                (name.as_str(), read.and_then(Sections::understand))
            })
            .collect();
        let root = kernel.source_root(KNOWN);
        let said = places.iter().map(|place| {
            let debug: Result<&Debug<'_>, String> = match place.module {
                None => Ok(&kernel),
                Some(name) => match modules.get(name) {
                    Some(Ok(debug)) => Ok(debug),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err(format!("no {name}.ko beside {}", self.vmlinux.display())),
                },
            };
            let module = place.module.map_or(String::new(), |name| format!(" [{name}]"));
            let lines = debug.and_then(|debug| debug.lines(place, &root));
            let doubt = if place.doubtful { "? " } else { "" };
            format!("{doubt}{}{module}: {}", place.text, lines.unwrap_or_else(|why| format!("({why})")))
        });
        Ok(said.collect())
    }

    /// The modules of these names, where they were built.
    fn modules(&self, names: &[&str]) -> BTreeMap<String, Result<Sections, SymbolsError>> {
        let mut found = BTreeMap::new();
        let Some(tree) = self.vmlinux.parent() else { return found };
        let order = std::fs::read_to_string(tree.join("modules.order")).unwrap_or_default();
        for line in order.lines() {
            // `kernel/net/a.ko` before 5.3, `net/a.ko`, and `net/a.o` since 6.2.
            let line = line.trim().strip_prefix("kernel/").unwrap_or(line.trim());
            let Some(stem) = line.strip_suffix(".ko").or_else(|| line.strip_suffix(".o")) else { continue };
            let file = stem.rsplit('/').next().unwrap_or(stem).replace('-', "_");
            if names.contains(&file.as_str()) {
                found.insert(file, Sections::read(&tree.join(format!("{stem}.ko"))));
            }
        }
        found
    }
}

/// The bytes of a file that is not larger than a kernel's can be.
fn read(path: &Path) -> Result<Vec<u8>, SymbolsError> {
    let unreadable = |why: String| SymbolsError::Unreadable { path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(unreadable(format!("it is no file of at most {} GiB", MOST_BYTES >> 30)));
    }
    std::fs::read(path).map_err(|error| unreadable(error.to_string()))
}
