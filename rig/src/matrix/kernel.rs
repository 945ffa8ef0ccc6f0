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
