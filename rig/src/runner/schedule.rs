//! The order of blocks: random, interleaved over all cells, recorded by its seed.
//!
//! A drift of the machine then falls on every configuration alike (measurement.md, fairness rule 2).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::matrix::Cell;
use crate::record::format::{BlockId, PlannedBlock};

/// The blocks of these cells in random order. Same cells (in any order) and same seed: same blocks in the same order.
pub fn schedule<'a>(cells: impl IntoIterator<Item = &'a Cell>, seed: u64) -> Vec<PlannedBlock> {
    let mut blocks: Vec<PlannedBlock> = cells.into_iter().flat_map(|cell| blocks_of(cell, seed)).collect();
    blocks.sort_by(|a, b| a.id.cmp(&b.id));
    blocks.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    blocks
}

/// A cell's trials, spread over its blocks as evenly as they go.
fn blocks_of(cell: &Cell, seed: u64) -> impl Iterator<Item = PlannedBlock> {
    let blocks = u64::from(cell.blocks.max(1));
    let (each, rest) = (cell.trials / blocks, cell.trials % blocks);
    (0..blocks).map(move |index| PlannedBlock {
        id: BlockId(format!("{}-{index}", cell.id)),
        cell: cell.id.clone(),
        index: index as u32,
        seed: block_seed(seed, &cell.id.0, index),
        trials: each + u64::from(index < rest),
    })
}

/// Blocks draw from seeds of their own, so that a block can be repeated alone.
fn block_seed(seed: u64, cell: &str, index: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(cell.as_bytes());
    hash.update(index.to_le_bytes());
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kit::cell;
    use super::*;

    proptest! {
        #[test]
        fn every_trial_of_every_cell_is_in_exactly_one_block(trials in 1u64..10_000, blocks in 1u32..20, seed: u64) {
            let mut cells = vec![cell("a"), cell("b")];
            cells[0].trials = trials;
            cells[0].blocks = blocks;
            let plan = schedule(&cells, seed);
            let sum: u64 = plan.iter().filter(|block| block.cell == cells[0].id).map(|block| block.trials).sum();
            prop_assert_eq!(sum, trials);
            let ids: std::collections::BTreeSet<_> = plan.iter().map(|block| block.id.clone()).collect();
            prop_assert_eq!(ids.len(), plan.len());
        }

        #[test]
        fn the_order_depends_on_the_seed_and_on_nothing_else(seed: u64) {
            let mut cells: Vec<_> = (0..12).map(|n| cell(&format!("cell-{n}"))).collect();
            let plan = schedule(&cells, seed);
            cells.reverse();
            prop_assert_eq!(&schedule(&cells, seed), &plan);
            prop_assert_ne!(schedule(&cells, seed ^ 1), plan);
        }
    }
}
