//! The order of blocks: rounds of blocks of all cells, random within each round, recorded by its seed.
//!
//! A drift of the machine then falls on every configuration alike (measurement.md, fairness rule 2). Blocks that may share a boot are beside each other within their
//! round. Pure. Must not know how a block is played. Units: as in `record`. Errors: none. Tests: below.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::matrix::{BootKey, Cell, rounds, rounds_of, shares_boot};
use crate::record::format::{BlockId, PlannedBlock, Shard};

/// The blocks of these cells: round by round, in random order within a round. Those of cells that can share a boot are one unit there, in random order within it.
/// Same cells (in any order), same seed and same shard: same blocks in the same order. A cell that several shards play has other draws in each: its blocks there
/// are more blocks, and no copies.
pub fn schedule<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    seed: u64,
    shard: Option<Shard>,
) -> Vec<PlannedBlock> {
    let seed = shard.map_or(seed, |shard| seed_of(seed, shard));
    let cells: Vec<&Cell> = cells.into_iter().collect();
    let count = rounds(cells.iter().copied());
    let mut by_round: BTreeMap<u32, Vec<(Option<BootKey>, PlannedBlock)>> = BTreeMap::new();
    for cell in cells {
        let key = shares_boot(cell).ok();
        for (block, round) in blocks_of(cell, seed, shard).zip(rounds_of(cell, count, seed)) {
            by_round.entry(round).or_default().push((key.clone(), PlannedBlock { round, ..block }));
        }
    }
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    by_round.into_iter().flat_map(|(round, blocks)| in_order(round, blocks, &mut draws)).collect()
}

/// The blocks of a round in random order.
fn in_order(
    round: u32,
    mut blocks: Vec<(Option<BootKey>, PlannedBlock)>,
    draws: &mut ChaCha8Rng,
) -> Vec<PlannedBlock> {
    blocks.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    let mut shared: BTreeMap<BootKey, Vec<PlannedBlock>> = BTreeMap::new();
    let mut units = Vec::new();
    for (key, block) in blocks {
        match key {
            Some(key) => shared.entry(key).or_default().push(block),
            None => units.push(vec![block]),
        }
    }
    for mut unit in shared.into_values() {
        unit.shuffle(draws);
        units.push(unit);
    }
    units.shuffle(draws);
    let mut boots = 0;
    for unit in units.iter_mut().filter(|unit| unit.len() > 1) {
        unit.iter_mut().for_each(|block| block.boot = Some(format!("r{round}-b{boots}")));
        boots += 1;
    }
    units.into_iter().flatten().collect()
}

/// A cell's trials, spread over its blocks as evenly as they go.
fn blocks_of(cell: &Cell, seed: u64, shard: Option<Shard>) -> impl Iterator<Item = PlannedBlock> {
    let blocks = u64::from(cell.blocks.max(1));
    let (each, rest) = (cell.trials / blocks, cell.trials % blocks);
    (0..blocks).map(move |index| {
        let id = BlockId::of(&cell.id, shard.map(|shard| shard.index), index as u32);
        let trials = each + u64::from(index < rest);
        let block = PlannedBlock::alone(id, cell.id.clone(), block_seed(seed, &cell.id.0, index), trials);
        PlannedBlock { index: index as u32, ..block }
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

    use std::collections::BTreeSet;

    use super::super::kit::{cell, guest_cell};
    use super::*;

    /// Twelve cells on the host and six in guests, of 1 to 6 blocks.
    fn mixed() -> Vec<Cell> {
        let hosts = (0..12).map(|n| cell(&format!("cell-{n}")));
        let guests = (0..6).map(|n| guest_cell(&format!("guest-{n}")));
        let sized = hosts.chain(guests).zip((1..=6).cycle());
        sized.map(|(cell, blocks)| Cell { blocks, trials: 60, ..cell }).collect()
    }

    proptest! {
        #[test]
        fn every_trial_of_every_cell_is_in_exactly_one_block(trials in 1u64..10_000, blocks in 1u32..20, seed: u64) {
            let mut cells = vec![cell("a"), cell("b")];
            cells[0].trials = trials;
            cells[0].blocks = blocks;
            let plan = schedule(&cells, seed, None);
            let sum: u64 = plan.iter().filter(|block| block.cell == cells[0].id).map(|block| block.trials).sum();
            prop_assert_eq!(sum, trials);
            let ids: BTreeSet<_> = plan.iter().map(|block| block.id.clone()).collect();
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
        fn rounds_follow_each_other_and_are_shuffled_each_for_itself(seed: u64) {
            let plan = schedule(&mixed(), seed, None);
            prop_assert!(plan.is_sorted_by_key(|block| block.round));
            prop_assert_eq!(plan.last().map(|block| block.round), Some(5));
            for cell in mixed().iter().filter(|cell| cell.blocks == 6) {
                let own = plan.iter().filter(|block| block.cell == cell.id);
                prop_assert!(own.map(|block| (block.index, block.round)).eq((0..6).map(|n| (n, n))));
            }
            let order = |round| plan.iter().filter(move |block| block.round == round && block.boot.is_none()).map(|block| &block.cell);
            prop_assert!((1..6).any(|round| !order(round).eq(order(0))), "every round has the same order");
        }

        #[test]
        fn blocks_of_a_boot_are_side_by_side_in_one_round_and_in_no_fixed_order(seed: u64) {
            let cells = mixed();
            let plan = schedule(&cells, seed, None);
            let guests: BTreeSet<_> = cells.iter().filter(|cell| !cell.is_baseline()).map(|cell| &cell.id).collect();
            let units: Vec<_> = plan.chunk_by(|a, b| a.boot.is_some() && a.boot == b.boot).filter(|unit| unit[0].boot.is_some()).collect();
            let names: BTreeSet<_> = units.iter().map(|unit| unit[0].boot.clone()).collect();
            prop_assert_eq!(names.len(), units.len(), "a name is of one unit");
            for unit in &units {
                prop_assert!(unit.len() > 1 && unit.iter().all(|block| block.round == unit[0].round && guests.contains(&block.cell)));
            }
            // A guest's block is alone only where no other is in its round.
            for block in plan.iter().filter(|block| block.boot.is_none() && guests.contains(&block.cell)) {
                let in_round = plan.iter().filter(|other| other.round == block.round && guests.contains(&other.cell));
                prop_assert_eq!(in_round.count(), 1);
            }
        }

        #[test]
        fn shards_play_a_cell_in_blocks_of_their_own(seed: u64) {
            let mut cells: Vec<_> = (0..12).map(|n| cell(&format!("cell-{n}"))).collect();
            cells[0].blocks = 2;
            let part = |index| schedule(&cells, seed, Some(Shard { index, of: 3 }));
            let parts = [part(1), part(2), part(3), schedule(&cells, seed, None)];
            let all = || parts.iter().flatten();
            let ids: BTreeSet<_> = all().map(|block| &block.id).collect();
            prop_assert_eq!(ids.len(), all().count());
            let seeds: BTreeSet<_> = all().map(|block| block.seed).collect();
            prop_assert_eq!(seeds.len(), all().count());
            let order = |blocks: &[PlannedBlock]| -> Vec<_> { blocks.iter().map(|block| block.cell.clone()).collect() };
            prop_assert!(order(&parts[0]) != order(&parts[1]) || order(&parts[1]) != order(&parts[2]));
        }
    }
}
