//! In which round each block of a cell is played.
//!
//! Rounds follow each other, so that what changes over hours falls on every cell alike. Must not know the order within a round, nor how a block is played.
//! Pure. Units: rounds and blocks, from 0. Errors: none. Tests: below.

use sha2::{Digest, Sha256};

use super::cell::Cell;

/// How many rounds the blocks of these cells take: as many as the cell with the most has blocks.
pub fn rounds<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> u32 {
    cells.into_iter().map(|cell| cell.blocks.max(1)).max().unwrap_or(0)
}

/// The round of each block of a cell, in the order of the blocks. Of a cell with as many blocks as there are rounds each round has one; fewer are spread evenly,
/// from a beginning that is drawn. Cells that are compared with each other (one stratum) share that draw: what drifts meets both.
pub fn rounds_of(cell: &Cell, rounds: u32, seed: u64) -> impl Iterator<Item = u32> + use<> {
    let (blocks, offset) = (u128::from(cell.blocks.max(1)), u128::from(offset(cell, seed)));
    (0..blocks).map(move |index| {
        let place = ((index << u32::BITS) + offset) * u128::from(rounds) / (blocks << u32::BITS);
        u32::try_from(place).expect("the last block is before the end of the last round")
    })
}

/// How far into the span of one block, in parts of 2^32.
fn offset(cell: &Cell, seed: u64) -> u32 {
    let (scenario, parameters, path, arm, _) = cell.stratum();
    let stratum = (scenario, parameters, path, arm.localtime.word(), arm.timezone);
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(serde_json::to_vec(&stratum).expect("plain data with string keys serialises"));
    let digest = hash.finalize();
    u32::from_le_bytes(digest[..4].try_into().expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;
    use rig_protocol::Script;

    use super::*;
    use crate::configuration::{Configuration, TargetSpec};
    use crate::matrix::{HOST_KERNEL, Subject};
    use crate::path::PathSpec;

    fn cell(scenario: &str, blocks: u32) -> Cell {
        let configuration = Configuration { name: "metal".into(), target: TargetSpec::plain_host() };
        let subject = Subject {
            scenario: scenario.into(),
            parameters: BTreeMap::new(),
            configuration,
            kernel: HOST_KERNEL.into(),
            kernel_at: None,
            path: PathSpec::plain("direct", 1500),
            machine: None,
            script: Arc::new(Script::default()),
        };
        Cell { blocks, ..Cell::of(subject) }
    }

    proptest! {
        #[test]
        fn block_i_of_a_full_cell_is_in_round_i(blocks in 1u32..1_000, seed: u64) {
            let cell = cell("a", blocks);
            prop_assert_eq!(rounds([&cell]), blocks);
            prop_assert!(rounds_of(&cell, blocks, seed).eq(0..blocks));
        }

        #[test]
        fn fewer_blocks_are_spread_evenly(blocks in 1u32..50, more in 0u32..50, seed: u64) {
            let rounds = blocks + more;
            let places: Vec<u32> = rounds_of(&cell("a", blocks), rounds, seed).collect();
            prop_assert_eq!(places.len(), blocks as usize);
            prop_assert!(places.iter().all(|round| *round < rounds));
            let (least, most) = (rounds / blocks, rounds.div_ceil(blocks));
            for pair in places.windows(2) {
                prop_assert!((least..=most).contains(&(pair[1] - pair[0])), "{:?}", places);
            }
            // No gap at an end is longer than one between two blocks.
            prop_assert!(places[0] < most && rounds - places[places.len() - 1] <= most, "{:?}", places);
        }

        #[test]
        fn cells_of_one_stratum_are_played_in_the_same_rounds(seed: u64) {
            let one = cell("a", 3);
            prop_assert!(rounds_of(&one, 10, seed).eq(rounds_of(&one.again("other".into()), 10, seed)));
        }
    }

    #[test]
    fn a_cell_of_two_blocks_is_not_always_early() {
        let first = |seed| rounds_of(&cell("a", 2), 10, seed).next().expect("two");
        let seen: std::collections::BTreeSet<u32> = (0..200).map(first).collect();
        assert_eq!(seen, (0..5).collect());
    }
}
