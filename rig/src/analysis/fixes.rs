//! What it takes to show that a fix works: a run without a hit that was seen here.
//!
//! Holds for which cells it is told. Must not know how it is worded. Units: trials, blocks, shares of 1. Errors: none.
//! Tests: `tests/golden/locked.rs`.

use crate::configuration::injects;
use crate::matrix::shows_a_fix;

use super::measured::Measured;
use super::model::{Fix, Question};
use super::rules::Rules;

/// For EBADF and ENOENT of every cell that measures what the kernel does and has hits.
pub(super) fn tell(measured: &[Measured<'_>], rules: Rules) -> Vec<Fix> {
    let of_cell = |cell: &Measured<'_>| {
        [Question::Ebadf, Question::Enoent]
            .into_iter()
            .filter_map(|question| {
                let count = question.count(&cell.tally);
                (count.hits() > 0).then(|| {
                    let blocks = (cell.blocks.len() as u64).max(1);
                    let size = shows_a_fix(count.share(), (count.trials() / blocks).max(1), rules.icc);
                    Fix {
                        cell: cell.cell().id.0.clone(),
                        scenario: cell.cell().subject.scenario.clone(),
                        configuration: cell.cell().subject.configuration.name.clone(),
                        errno: question,
                        count: count.hits(),
                        n: count.trials(),
                        trials: size.map(|size| size.trials),
                        blocks: size.map(|size| size.blocks),
                    }
                })
            })
            .collect::<Vec<_>>()
    };
    let measures = |cell: &&Measured<'_>| cell.cell().is_plain() && !injects(&cell.cell().subject.script);
    measured.iter().filter(measures).flat_map(of_cell).collect()
}
