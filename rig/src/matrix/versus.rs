//! Whether a baseline has something to compare: in a file, in each of its profiles, and with what the command line says instead.
//!
//! Must not know how a baseline is spelt. Units: none. Errors: problems that blame the matrix file or the command line. Tests: `tests/diagnostics.rs`, `tests/cli_input.rs`.

use super::baseline::{Asked, Baseline};
use super::declared::{Layer, Matrix};
use super::expand::Expansion;
use crate::document::{Findings, Problem, Problems, Span};

/// The kernels of the axis that the guests of a profile have, each once, in its order.
fn kernels<'m>(expansion: &Expansion<'m>) -> Vec<&'m str> {
    let mut kernels = Vec::new();
    for point in expansion.points() {
        let target = &point.configuration.target;
        let is_of_the_axis = !target.is_host() && target.disk().is_none() && point.control.is_none();
        if is_of_the_axis && !kernels.contains(&point.kernel) {
            kernels.push(point.kernel);
        }
    }
    kernels
}

/// Reports each baseline of the file that compares nothing in any profile that has it.
pub(super) fn verify_baselines(
    findings: &mut Findings,
    matrix: &Matrix,
    crossed: &[(Option<&Layer>, Vec<String>)],
) {
    let mut found: Vec<(Span, Option<[String; 3]>)> = Vec::new();
    for (layer, kernels) in crossed {
        let Some((baseline, Asked::File(span))) = matrix.baseline(*layer) else { continue };
        let kernels: Vec<&str> = kernels.iter().map(String::as_str).collect();
        let refused = baseline.refused(&kernels);
        match found.iter_mut().find(|(known, _)| *known == span) {
            Some((_, told)) => *told = told.take().and(refused),
            None => found.push((span, refused)),
        }
    }
    for (span, [message, label, help]) in found.into_iter().filter_map(|(span, told)| Some((span, told?))) {
        findings.report(span, message, label).help(help);
    }
}

/// The kernels of a crossed profile, for [`verify_baselines`].
pub(super) fn kernels_of(expansion: &Expansion<'_>) -> Vec<String> {
    kernels(expansion).into_iter().map(str::to_owned).collect()
}

impl Matrix {
    /// With this baseline instead of those that the file and its profiles name.
    #[must_use]
    pub fn with_baseline(mut self, baseline: Option<&Baseline>) -> Self {
        if let Some(baseline) = baseline {
            self.profiles.iter_mut().for_each(|(_, layer)| layer.run.baseline = None);
            self.base.run.baseline = Some((baseline.clone(), Asked::CommandLine));
        }
        self
    }

    /// What holds in this profile (`None`: in the file alone), and where it stands.
    fn baseline(&self, layer: Option<&Layer>) -> Option<(Baseline, Asked)> {
        let of_layer = layer.and_then(|layer| layer.run.baseline.clone());
        of_layer.or_else(|| self.base.run.baseline.clone())
    }

    /// Refuses a baseline with which nothing of this profile would be compared, whatever the filters say.
    ///
    /// # Errors
    /// Blames the command line or the file.
    pub(super) fn check_baseline(
        &self,
        layer: Option<&Layer>,
        expansion: &Expansion<'_>,
    ) -> Result<(), Problems> {
        let Some((baseline, asked)) = self.baseline(layer) else { return Ok(()) };
        let Some([message, label, help]) = baseline.refused(&kernels(expansion)) else { return Ok(()) };
        let mut problem = match asked {
            Asked::CommandLine => {
                let text = format!("--baseline {baseline}");
                Problem::in_text("command line", &text, 0..text.len(), message, label)
            }
            Asked::File(span) => Problem::in_text(self.name(), self.text(), span, message, label),
        };
        problem.help(help);
        Err(problem.into())
    }
}
