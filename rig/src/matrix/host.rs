//! What a matrix file asks for and a host has not: kernels without an image, paths that cannot be made.
//!
//! Must not know images or hosts; what they lack is told. Units: none.
//! Errors: problems at the keys that ask for it. Tests: `tests/diagnostics.rs`.

use std::sync::Arc;

use super::declared::Matrix;
use crate::configuration::{AskedBy, Lack};
use crate::document::{Findings, Problems, hint};

impl Matrix {
    /// Every kernel that some profile names and that is neither an image in `known` nor `exact`, a version of its own: the image room knows which
    /// there are.
    ///
    /// # Errors
    /// All unknown ones, with what was probably meant.
    pub fn verify_kernels(&self, known: &[String], exact: impl Fn(&str) -> bool) -> Result<(), Problems> {
        let mut findings = Findings::new(Arc::clone(&self.source));
        let layers = std::iter::once(&self.base).chain(self.profiles.iter().map(|(_, layer)| layer));
        for layer in layers {
            let includes = layer.includes.iter().flatten().filter_map(|include| include.axes.get("kernel"));
            for word in layer.axes.get("kernel").into_iter().chain(includes).flatten() {
                if !known.contains(&word.text) && !exact(&word.text) {
                    let help = hint(&word.text, known.iter().map(String::as_str), "the images");
                    findings
                        .report(
                            word.span.clone(),
                            format!("there is no image for kernel `{}`", word.text),
                            "not an image",
                        )
                        .help(help);
                }
            }
        }
        findings.finish(Some(()))
    }

    /// What a host cannot do of the paths of this file: one problem for each path and reason, at the key that asks for it. What a
    /// configuration lacks, whatever its path, is not told here.
    pub fn explain_lacks(&self, lacks: &[(String, Lack)]) -> Problems {
        let mut findings = Findings::new(Arc::clone(&self.source));
        for (index, (path, lack)) in lacks.iter().enumerate() {
            let said = lacks.iter().take(index).any(|(other, before)| other == path && before == lack);
            if let Some(places) =
                self.places.get(path).filter(|_| !said && lack.asked_by() != AskedBy::Configuration)
            {
                places.report(&mut findings, path, lack);
            }
        }
        findings.into_problems()
    }
}
