//! Single configurations and paths of a matrix file, for a smaller file that is made of them.
//!
//! Must not know what a configuration or a path is. Units: none. Errors: [`Problems`]; they blame the file. Tests: below.

use std::fmt::Write as _;
use std::path::Path;

use super::declared::Matrix;
use super::disk;
use super::kernel::kernel_place;
use super::load::{MatrixText, PathFile};
use super::machines::{Machine, MachineFile};
use crate::document::{Document, Node, Problems, Table, Value, key_text};

/// What a matrix file declares, with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Excerpt {
    /// What the file's problems call it.
    pub name: String,
    /// Its configurations.
    pub machines: Vec<Machine>,
    /// The names of its paths.
    pub paths: Vec<String>,
    /// `kernel` of `[axes]`, in file order.
    pub kernels: Vec<String>,
    tables: Table,
}

impl Matrix {
    /// The configurations and paths of a matrix file, found as by [`Matrix::load`]: a file that declares nothing else will do.
    ///
    /// # Errors
    /// As [`Matrix::load_machines`] and [`Matrix::load_paths`].
    pub fn load_excerpt(path: Option<&Path>) -> Result<Excerpt, Problems> {
        let MatrixText { name, text, folder } = MatrixText::read(path)?;
        let machines = MachineFile::parse(&name, &text, &folder)?;
        let paths = PathFile::parse(&name, &text)?;
        let paths = paths.paths.into_iter().map(|path| path.name).collect();
        let mut tables = Document::parse(&name, &text)?.0.root;
        disk::name_in_full(&folder, &mut tables);
        let MachineFile { machines, kernels, .. } = machines;
        let kernels = kernels.into_iter().map(|kernel| at_home(kernel, &folder)).collect();
        Ok(Excerpt { name, machines, paths, kernels, tables })
    }
}

/// A kernel's path as it is seen from anywhere: what is made of this file lies elsewhere.
fn at_home(kernel: String, folder: &Path) -> String {
    kernel_place(&kernel, folder).map_or(kernel, |place| place.display().to_string())
}

impl Excerpt {
    /// The configuration of this name.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.configuration.name == name)
    }

    /// The tables of these configurations and paths, as TOML. What the file does not declare is not in it.
    pub fn text(&self, configurations: &[&str], paths: &[&str]) -> String {
        let mut out = String::new();
        for (kind, names) in [("configuration", configurations), ("path", paths)] {
            let declared = self.tables.get(kind).and_then(|node| node.value.as_table());
            for name in names {
                if let Some(table) = declared.and_then(|table| table.get(name)?.value.as_table()) {
                    write_table(&mut out, &format!("{kind}.{}", key_text(name)), table);
                }
            }
        }
        out
    }

    /// Its `[alert]`, as TOML; empty where it has none.
    pub fn alert(&self) -> String {
        let mut out = String::new();
        if let Some(alert) = self.tables.get("alert").and_then(|node| node.value.as_table()) {
            write_table(&mut out, "alert", alert);
        }
        out
    }
}

/// A table under its header, and those in it under theirs; in the order of the file, which means something: of two actions the first one acts first.
fn write_table(out: &mut String, header: &str, table: &Table) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "[{header}]");
    for (name, node) in &table.entries {
        if node.value.as_table().is_none() {
            let _ = writeln!(out, "{} = {}", key_text(&name.name), inline(node));
        }
    }
    out.push('\n');
    for (name, node) in &table.entries {
        if let Some(below) = node.value.as_table() {
            write_table(out, &format!("{header}.{}", key_text(&name.name)), below);
        }
    }
}

/// A value in one line.
fn inline(node: &Node) -> String {
    match &node.value {
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(_) | Value::Float(_) | Value::Datetime => node.spelled.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entries = table
                .entries
                .iter()
                .map(|(name, node)| format!("{} = {}", key_text(&name.name), inline(node)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{EMBEDDED, Selection};

    fn excerpt(text: &str) -> Excerpt {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("m.toml");
        std::fs::write(&file, text).expect("written");
        Matrix::load_excerpt(Some(&file)).expect("valid")
    }

    #[test]
    fn files_of_a_configuration_are_found_from_elsewhere() {
        let text = "[configuration.mine]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\n\
                    disk = \"a.raw\"\nlogin = { key = \"/k\" }\n";
        let taken = excerpt(text).text(&["mine"], &[]);
        let disk = taken.lines().find_map(|line| line.strip_prefix("disk = \"")).expect("a disk");
        assert!(disk.starts_with('/') && disk.ends_with("/a.raw\""), "{taken}");
        assert!(taken.contains("key = \"/k\""), "{taken}");
    }

    /// Every path and every configuration means in the smaller file what it means in the larger one.
    #[test]
    fn what_is_taken_out_means_the_same() {
        let whole = Matrix::parse("whole", EMBEDDED, Path::new(".")).expect("valid");
        let excerpt = excerpt(EMBEDDED);
        let configurations: Vec<String> =
            excerpt.machines.iter().map(|machine| machine.configuration.name.clone()).collect();
        let paths = excerpt.paths.clone();
        let every =
            |all: &[String]| all.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let taken = excerpt.text(
            &configurations.iter().map(String::as_str).collect::<Vec<_>>(),
            &paths.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let text = format!(
            "[axes]\nscenario = \"fin\"\nkernel = \"6.1\"\nconfiguration = [{}]\npath = [{}]\n{}{taken}",
            every(&configurations),
            every(&paths),
            excerpt.alert(),
        );
        let part =
            Matrix::parse("part", &text, Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        assert_eq!(part.paths().collect::<Vec<_>>().len(), paths.len());
        for path in whole.paths() {
            assert!(part.paths().any(|other| other == path), "{}", path.name);
        }
        assert_eq!(part.alert(), whole.alert());
        let cells = part.cells(&Selection::default()).expect("cells");
        for configuration in &whole.configurations {
            assert!(
                cells.iter().any(|cell| cell.subject.configuration == *configuration),
                "{}",
                configuration.name
            );
        }
    }

    #[test]
    fn what_is_not_declared_is_left_out() {
        let small =
            excerpt("[configuration.a]\nkind = \"host\"\n[path.\"b.c\"]\ndelay = { both = \"5ms\" }\n");
        assert_eq!((small.alert(), small.kernels.len()), (String::new(), 0));
        let text = small.text(&["a", "bare-metal"], &["b.c"]);
        assert!(text.contains("[configuration.a]") && !text.contains("bare-metal"), "{text}");
        assert!(text.contains("[path.\"b.c\"") && text.contains("both = \"5ms\""), "{text}");
    }
}
