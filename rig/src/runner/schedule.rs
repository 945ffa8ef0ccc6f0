//! The order of blocks: random, interleaved over all cells, recorded by its seed.
//!
//! A drift of the machine then falls on every configuration alike (measurement.md, fairness rule 2).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::matrix::Cell;
use crate::record::format::{BlockId, PlannedBlock, Shard};

/// The blocks of these cells in random order. Same cells (in any order), same seed and same shard: same blocks in the same order. A cell that several shards play
/// has other draws in each: its blocks there are more blocks, and no copies.
pub fn schedule<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    seed: u64,
    shard: Option<Shard>,
) -> Vec<PlannedBlock> {
    let seed = shard.map_or(seed, |shard| seed_of(seed, shard));
    let mut blocks: Vec<PlannedBlock> =
        cells.into_iter().flat_map(|cell| blocks_of(cell, seed, shard)).collect();
    blocks.sort_by(|a, b| a.id.cmp(&b.id));
    blocks.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    blocks
}

/// A cell's trials, spread over its blocks as evenly as they go.
fn blocks_of(cell: &Cell, seed: u64, shard: Option<Shard>) -> impl Iterator<Item = PlannedBlock> {
    let blocks = u64::from(cell.blocks.max(1));
    let (each, rest) = (cell.trials / blocks, cell.trials % blocks);
    (0..blocks).map(move |index| PlannedBlock {
        id: BlockId::of(&cell.id, shard.map(|shard| shard.index), index as u32),
        cell: cell.id.clone(),
        index: index as u32,
        seed: block_seed(seed, &cell.id.0, index),
        trials: each + u64::from(index < rest),
    })
}

/// The seed of a part of a run.
fn seed_of(seed: u64, Shard { index, of }: Shard) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(format!("shard {index}/{of}"));
    first_bytes(hash)
}

/// Blocks draw from seeds of their own, so that a block can be repeated alone.
fn block_seed(seed: u64, cell: &str, index: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(cell.as_bytes());
    hash.update(index.to_le_bytes());
    first_bytes(hash)
}

fn first_bytes(hash: Sha256) -> u64 {
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
            let plan = schedule(&cells, seed, None);
            let sum: u64 = plan.iter().filter(|block| block.cell == cells[0].id).map(|block| block.trials).sum();
            prop_assert_eq!(sum, trials);
            let ids: std::collections::BTreeSet<_> = plan.iter().map(|block| block.id.clone()).collect();
            prop_assert_eq!(ids.len(), plan.len());
        }

        #[test]
        fn the_order_depends_on_the_seed_and_on_nothing_else(seed: u64) {
            let mut cells: Vec<_> = (0..12).map(|n| cell(&format!("cell-{n}"))).collect();
            let plan = schedule(&cells, seed, None);
            cells.reverse();
            prop_assert_eq!(&schedule(&cells, seed, None), &plan);
            prop_assert_ne!(schedule(&cells, seed ^ 1, None), plan);
        }

        #[test]
        fn shards_play_a_cell_in_blocks_of_their_own(seed: u64) {
            let mut cells: Vec<_> = (0..12).map(|n| cell(&format!("cell-{n}"))).collect();
            cells[0].blocks = 2;
            let part = |index| schedule(&cells, seed, Some(Shard { index, of: 3 }));
            let parts = [part(1), part(2), part(3), schedule(&cells, seed, None)];
            let all = || parts.iter().flatten();
            let ids: std::collections::BTreeSet<_> = all().map(|block| &block.id).collect();
            prop_assert_eq!(ids.len(), all().count());
            let seeds: std::collections::BTreeSet<_> = all().map(|block| block.seed).collect();
            prop_assert_eq!(seeds.len(), all().count());
            let order = |blocks: &[PlannedBlock]| -> Vec<_> { blocks.iter().map(|block| block.cell.clone()).collect() };
            prop_assert!(order(&parts[0]) != order(&parts[1]) || order(&parts[1]) != order(&parts[2]));
        }
    }
}
