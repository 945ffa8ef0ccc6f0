//! Where in its source a kernel was: the places of a call trace as files and lines, by the debug information of its `vmlinux`.
//!
//! Does what the kernel's scripts/decode_stacktrace.sh does, inlined functions included. Reading ELF and DWARF is the crates' `object`, `gimli` and
//! `addr2line`. Must not know guests or consoles. Units: bytes of offset.
//! Errors: [`SymbolsError`]; it blames the file. Sources: kernel/kallsyms.c (`sprint_symbol`) and arch/x86/kernel/dumpstack.c on how a place is written.
//! Tests: `symbols/tests.rs`, on a small linked file and a relocatable one.

mod debug;
mod error;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use debug::{Debug, Sections};
pub use error::SymbolsError;
pub use place::Place;

/// The symbol whose file tells where the source lay when it was built.
const KNOWN: (&str, &str) = ("panic", "kernel/panic.c");

/// The files of a kernel that was built: its `vmlinux`, and the modules below the same folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The kernel with its symbols.
    pub vmlinux: PathBuf,
    /// What the kernel that runs says of itself in the header of its bzImage, where it has one: `RELEASE (who@where) VERSION` (arch/x86/boot/version.c).
    pub version: Option<String>,
}

/// Whether a banner, `Linux version RELEASE (who@where) (compiler) VERSION` (init/version.c), is that of a kernel with this version text.
fn says(banner: &str, version: &str) -> bool {
    let Some((release, rest)) = version.trim().split_once(") ") else {
        return banner.contains(version.trim());
    };
    banner.starts_with(&format!("Linux version {release})")) && banner.ends_with(rest)
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
        let own =
            kernel.banner().ok_or_else(|| SymbolsError::NoKernel { path: self.vmlinux.clone() })?.trim();
        let printed = banner.is_none_or(|ran| ran.contains(own));
        if !(printed && self.version.as_deref().is_none_or(|version| says(own, version))) {
            return Err(SymbolsError::OtherBuild { path: self.vmlinux.clone(), own: own.to_owned() });
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
