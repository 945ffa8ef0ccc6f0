//! What a report says of every kernel beside the baseline's (`baseline = "kernel:6.1"`).
//!
//! Plain data, and its words. Must not judge: `analysis/baseline.rs` does. Units: numbers of pairs of cells. Errors: none. Tests: `tests/golden/baseline.rs`.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::words::{Rounding, count, enough, list, percent};
use super::{CellPair, UncomparedCell};

/// So many cells that differ are named; the others are a number.
const NAMED: usize = 3;

/// Every cell on another kernel against the one on the baseline's kernel that differs from it in the kernel only.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KernelBaseline {
    /// The baseline's kernel: a value of the kernel axis.
    pub kernel: String,
    /// What comes of each other kernel, in the order of the plan.
    pub kernels: Vec<KernelAnswer>,
    /// The pairs, in the order of the plan: `first` is the cell on the baseline's kernel. They are compared as guests are with bare metal, and corrected for one another only.
    pub pairs: Vec<CellPair>,
    /// Cells on other kernels for which the run has none on the baseline's.
    pub not_compared: Vec<UncomparedCell>,
}

/// What comes of a kernel, beside the baseline's. Of a pair of cells the gravest counts that its comparisons of errnos and outcomes say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KernelAnswer {
    /// Value of the kernel axis.
    pub kernel: String,
    /// Number of its cells that have one on the baseline's kernel.
    pub cells: u64,
    /// Cells in which errnos and outcomes are the same within the margin.
    pub same: u64,
    /// Cells in which something differs, be it by less than the margin, and that is news.
    pub differ: u64,
    /// Cells that differ as races do, or for a reason that the matrix names.
    pub differ_as_known: u64,
    /// Cells with too few trials or blocks to tell.
    pub undecided: u64,
    /// Cells of which nothing is known: no control proves that it would be seen, or the A/A pair differs.
    pub blind: u64,
    /// Cells of which one of the two has no trial.
    pub not_run: u64,
    /// Its cells for which the run has none on the baseline's kernel.
    pub without: u64,
    /// How many trials a side would show that the undecided cells are the same, were their rates equal; null where there is none, and where no number would.
    pub trials_needed: Option<u64>,
    /// The same in a sentence.
    pub text: String,
}

impl KernelAnswer {
    /// With its sentence: `./linux ends as 6.1 does in 12 of 12 cells, within 0.5 %.`; `differing` are the cells that do.
    pub(in crate::analysis) fn told(self, baseline: &str, margin: f64, differing: Vec<String>) -> Self {
        let cells = |n: u64| format!("{} {}", count(n), if n == 1 { "cell" } else { "cells" });
        let known = self.same + self.differ + self.differ_as_known > 0;
        let mut text = match known {
            true => format!(
                "{} ends as {baseline} does in {} of {}, within {}",
                self.kernel,
                count(self.same),
                cells(self.cells),
                percent(margin, Rounding::Nearest)
            ),
            false => format!(
                "whether {} ends as {baseline} does in {} is not known",
                self.kernel,
                cells(self.cells)
            ),
        };
        if self.differ > 0 {
            let mut named: Vec<&str> = differing.iter().take(NAMED).map(String::as_str).collect();
            let more = differing.len().saturating_sub(NAMED);
            let more = format!("{} more", count(more as u64));
            if differing.len() > NAMED {
                named.push(&more);
            }
            text.push_str(&format!("; it DIFFERS in {}: {}", count(self.differ), list(&named)));
        }
        let needed =
            self.trials_needed.map_or(String::new(), |n| format!(" ({} a side are enough)", enough(n)));
        let rest = [
            (self.differ_as_known, "different as a race is, or for a known reason".to_owned()),
            (self.undecided, format!("undecided: too few trials or blocks{needed}")),
            (self.blind, "blind".to_owned()),
            (self.not_run, "not run".to_owned()),
            (self.without, format!("without such a cell on {baseline}")),
        ];
        for (n, words) in rest.into_iter().filter(|(n, _)| *n > 0) {
            text.push_str(&format!("; {} {words}", count(n)));
        }
        text.push('.');
        Self { text, ..self }
    }
}
