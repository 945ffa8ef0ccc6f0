//! The words of the kernel axis: names of images, exact versions, and paths of kernels of one's own.
//!
//! Which images there are is not known here, nor what lies at a path. Units: none. Errors: problems with places; they blame the matrix file or
//! the command line. Tests: below; `tests/diagnostics.rs`.

use std::path::{Path, PathBuf};

use super::cell::HOST_KERNEL;
use super::declared::{Layer, Matrix, Word};
use super::glob;
use super::keys::file as keys;
use crate::document::{Findings, Problem, Problems};

/// Whether a kernel is named by where it lies: a word with a `/`, or one that begins with `.`.
pub fn is_kernel_path(word: &str) -> bool {
    word.contains('/') || word.starts_with('.')
}

/// Where the kernel lies that `word` names, seen from `folder`; none where the word is no path.
pub fn kernel_place(word: &str, folder: &Path) -> Option<PathBuf> {
    is_kernel_path(word).then(|| {
        // Without the `.` of "./linux" in the middle of what diagnostics print.
        let path: PathBuf = folder.join(word).components().collect();
        std::path::absolute(&path).unwrap_or(path)
    })
}

/// What is wrong with a word: the message, what to write beside it, and what to try.
fn wrong(word: &str) -> Option<[String; 3]> {
    let told = |message: String, label: &str, help: &str| Some([message, label.to_owned(), help.to_owned()]);
    if word == HOST_KERNEL {
        return told(
            "`host` cannot be a guest's kernel".to_owned(),
            "not an image",
            "remove it: a configuration with kind = \"host\" always runs the host's kernel",
        );
    }
    let is_name = !word.is_empty() && glob::is_plain(word) && !word.contains(char::is_whitespace);
    if is_name {
        return None;
    }
    told(
        format!("`{word}` cannot be the name of a kernel"),
        "not a name",
        "a kernel is named as its image, \"6.1\", by its exact version, \"6.12.95\", or by its path, \"./linux\"",
    )
}

/// Reports what cannot be the name of a kernel.
pub(super) fn verify_words(findings: &mut Findings, words: &[Word]) {
    for word in words {
        if let Some([message, label, help]) = wrong(&word.text) {
            findings.report(word.span.clone(), message, label).help(help);
        }
    }
}

impl Matrix {
    /// With these kernels instead of those that the file, its profiles and their includes name; paths are seen from `folder`.
    ///
    /// # Errors
    /// A word that cannot be the name of a kernel, or is given twice.
    pub fn with_kernels(mut self, kernels: &[String], folder: &Path) -> Result<Self, Problems> {
        if kernels.is_empty() {
            return Ok(self);
        }
        let mut problems = Vec::new();
        for (at, kernel) in kernels.iter().enumerate() {
            let twice = kernels[..at].contains(kernel);
            let told = wrong(kernel).or_else(|| {
                twice.then(|| {
                    [format!("kernel `{kernel}` is given twice"), String::new(), "give it once".to_owned()]
                })
            });
            if let Some([message, _, help]) = told {
                let mut problem = Problem::new(format!("--kernel: {message}"));
                problem.help(help);
                problems.push(problem);
            }
        }
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let words: Vec<Word> = kernels.iter().map(|text| Word { text: text.clone(), span: 0..0 }).collect();
        for layer in std::iter::once(&mut self.base).chain(self.profiles.iter_mut().map(|(_, layer)| layer)) {
            forget_kernels(layer);
        }
        self.base.axes.insert(keys::KERNEL_AXIS, words);
        self.kernels_from = folder.to_owned();
        Ok(self)
    }
}

fn forget_kernels(layer: &mut Layer) {
    layer.axes.remove(keys::KERNEL_AXIS);
    for include in layer.includes.iter_mut().flatten() {
        include.axes.remove(keys::KERNEL_AXIS);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Selection};
    use super::*;

    #[test]
    fn a_path_has_a_slash_or_begins_with_a_dot() {
        for path in ["./linux", "../linux", "/boot/vmlinuz", "a/b", ".", "..", ".hidden"] {
            assert!(is_kernel_path(path), "{path}");
        }
        for name in ["6.1", "6.12.95", "newest", "linux.deb"] {
            assert!(!is_kernel_path(name), "{name}");
            assert_eq!(kernel_place(name, Path::new("/a")), None);
        }
        assert_eq!(kernel_place("./linux", Path::new("/a/b")), Some("/a/b/linux".into()));
        assert_eq!(kernel_place("/linux", Path::new("/a/b")), Some("/linux".into()));
        assert!(kernel_place("./linux", Path::new("")).expect("a path").is_absolute());
    }

    fn kernels(matrix: &Matrix, profile: &str) -> Vec<(String, Option<PathBuf>)> {
        let selection = Selection { profile: Some(profile.to_owned()), ..Selection::default() };
        let cells = matrix.cells(&selection).expect("valid").into_iter().filter(|cell| !cell.is_baseline());
        let mut kernels: Vec<_> = cells.map(|cell| (cell.subject.kernel, cell.subject.kernel_at)).collect();
        kernels.sort();
        kernels.dedup();
        kernels
    }

    #[test]
    fn kernels_of_the_command_line_take_the_place_of_every_other() {
        let words = ["../linux", "6.1"].map(str::to_owned);
        let matrix = Matrix::load(None).expect("rig's own");
        let matrix = matrix.with_kernels(&words, Path::new("/a/b")).expect("kernels");
        for profile in ["quick", "nightly"] {
            let linux = ("../linux".to_owned(), Some("/a/b/../linux".into()));
            assert_eq!(kernels(&matrix, profile), [linux, ("6.1".to_owned(), None)], "{profile}");
        }
    }

    #[test]
    fn the_place_of_a_kernel_is_no_part_of_its_cells_id() {
        let cells = |folder: &str| {
            let matrix = Matrix::load(None).expect("rig's own");
            let matrix = matrix.with_kernels(&["./linux".to_owned()], Path::new(folder)).expect("a kernel");
            let filters = vec![Filter::parse("kernel=./linux").expect("a filter")];
            matrix.cells(&Selection { filters, ..Selection::default() }).expect("valid")
        };
        let (one, other) = (cells("/a"), cells("/b"));
        assert!(one.iter().zip(&other).all(|(one, other)| one.id == other.id) && one.len() == other.len());
        let guest = one.iter().find(|cell| !cell.is_baseline()).expect("a guest");
        assert_eq!(guest.subject.kernel_at.as_deref(), Some(Path::new("/a/linux")));
        let written = serde_json::to_string(guest).expect("plain data");
        assert!(!written.contains("/a/linux"), "no folder of this machine is recorded");
    }

    #[test]
    fn what_cannot_be_a_kernel_is_refused() {
        let refused = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let matrix = Matrix::load(None).expect("rig's own");
            matrix.with_kernels(&words, Path::new(".")).expect_err("refused").len()
        };
        assert_eq!(refused(&["host", "", "a b", "6.*", "6.1"]), 4);
        assert_eq!(refused(&["6.1", "6.1"]), 1);
    }
}
