//! The configurations that a matrix file declares, and the guest kernels that it names first, whatever else it says.
//!
//! Must not know axes, profiles or images. Units: as the keys say. Errors: [`Problems`]; they blame the file.
//! Tests: below; `tests/trouble/alone.rs` and `tests/guest/alone.rs`.

use std::path::{Path, PathBuf};

use super::configuration::read_configuration;
use super::declared::{Matrix, Word};
use super::disk;
use super::keys::file as keys;
use super::layer::words;
use super::load::{MatrixText, named};
use crate::configuration::Configuration;
use crate::document::{Document, Problems};

/// A configuration as a file declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The configuration.
    pub configuration: Configuration,
    /// Why it is known that trials end otherwise than expected there.
    pub known: Option<String>,
}

/// The configurations and kernels of a matrix file.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineFile {
    /// What the file's problems call it.
    pub name: String,
    /// In file order.
    pub machines: Vec<Machine>,
    /// `kernel` of `[axes]`, in file order; empty where the file names none.
    pub kernels: Vec<String>,
    /// The folder from which paths in it are seen.
    pub folder: PathBuf,
}

impl Matrix {
    /// Only the configurations and kernels of a matrix file, found as by [`Matrix::load`]: a file that declares nothing else will do.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, has a table that no matrix file has, or a configuration of it is wrong.
    pub fn load_machines(path: Option<&Path>) -> Result<MachineFile, Problems> {
        let MatrixText { name, text, folder } = MatrixText::read(path)?;
        MachineFile::parse(&name, &text, &folder)
    }
}

impl MachineFile {
    /// Reads the configurations in the text of a matrix file. Its files are seen from `folder`.
    ///
    /// # Errors
    /// As [`Matrix::load_machines`].
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, Problems> {
        let (document, mut findings) = Document::parse(name, text)?;
        let root = &document.root;
        findings.refuse_unknown_keys(root, keys::FILE.head, &keys::FILE.names());
        let declared = named(&mut findings, root, "configuration", read_configuration);
        let machine =
            |(configuration, known)| Machine { configuration: disk::seen_from(folder, configuration), known };
        let machines = declared.into_iter().map(machine).collect();
        let axes = root.get("axes").and_then(|node| node.value.as_table());
        let kernels = match axes.and_then(|axes| axes.get(keys::KERNEL_AXIS)) {
            Some(node) => words(&mut findings, node, "axis `kernel`"),
            None => Vec::new(),
        };
        let kernels = kernels.into_iter().map(|Word { text, .. }| text).collect();
        findings.finish(Some(Self { name: name.to_owned(), machines, kernels, folder: folder.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_configurations_alone_will_do() {
        let text = "[configuration.mine]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"user\"\nknown = \"it is so\"\n";
        let file = MachineFile::parse("mine.toml", text, Path::new(".")).expect("valid");
        assert_eq!((file.name.as_str(), file.kernels.len(), file.machines.len()), ("mine.toml", 0, 1));
        assert_eq!(file.machines[0].configuration.name, "mine");
        assert_eq!(file.machines[0].known.as_deref(), Some("it is so"));
        let axes = "[axes]\nkernel = [\"6.12\", \"6.1\"]\n[configuration.host]\nkind = \"host\"\n";
        let file = MachineFile::parse("mine.toml", axes, Path::new(".")).expect("valid");
        assert_eq!(file.kernels, ["6.12", "6.1"]);
        let wrong = "[axes]\nkernel = [[]]\n[configuration.mine]\nkind = \"qemo\"\n[confguration.x]\n";
        assert_eq!(MachineFile::parse("mine.toml", wrong, Path::new(".")).expect_err("three slips").len(), 3);
    }
}
