//! What is still to be played, in order: blocks in their rounds, void ones once more, and how the boots of guests are called.
//!
//! Pure. Must not know how a block is played. Units: rounds and attempts; attempts from 1. Errors: none. Tests: below, and the dispatcher's.

use std::collections::{HashMap, VecDeque};

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::super::attempt::Boot;
use crate::matrix::CellId;
use crate::record::format::{BlockId, BlockRecord, BlockStatus, PlannedBlock, RunRecord};

/// One try that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// The block. Its round is the one in which this try takes place, and its boot is none where it must not be shared.
    pub(super) block: PlannedBlock,
    pub(super) attempt: u32,
    /// The last attempt.
    last: u32,
}

impl Turn {
    /// Whether another attempt may follow this one.
    pub(super) fn has_another(&self) -> bool {
        self.attempt < self.last
    }
}

/// The tries that are to come.
#[derive(Debug)]
pub(super) struct Queue {
    turns: VecDeque<Turn>,
    seed: u64,
    /// How often a guest was booted for each planned boot.
    booted: HashMap<String, u32>,
}

impl Queue {
    /// Every block of `run` that `done` does not hold as complete, in the recorded order; each is tried at most `attempts` times.
    pub(super) fn of(run: &RunRecord, done: &[BlockRecord], attempts: u32) -> Self {
        let turn = |block: &PlannedBlock| {
            let before =
                done.iter().filter(|record| record.id == block.id).map(|record| record.attempt).max();
            let attempt = before.unwrap_or(0).saturating_add(1);
            let void = done.iter().any(|record| record.id == block.id && is_void(record));
            let boot = block.boot.clone().filter(|_| !void);
            // A resumed run gives a block its full number of attempts again: what failed then may work now.
            Turn {
                block: PlannedBlock { boot, ..block.clone() },
                attempt,
                last: attempt.saturating_add(attempts - 1),
            }
        };
        let open = run.blocks.iter().filter(|block| !is_complete(&block.id, done));
        let mut queue = Self { turns: open.map(turn).collect(), seed: run.seed, booted: HashMap::new() };
        done.iter().for_each(|record| queue.note(record));
        queue
    }

    /// The next try, and the boot of its guest.
    pub(super) fn next(&mut self) -> Option<(Turn, Boot)> {
        let turn = self.turns.pop_front()?;
        let boot = match &turn.block.boot {
            None => Boot::alone(&turn.block.id, turn.attempt),
            Some(planned) => {
                let number = self.booted.get(planned).copied().unwrap_or(0) + 1;
                let follow = self.turns.iter().take_while(|next| next.block.boot.as_ref() == Some(planned));
                let following = u32::try_from(follow.count()).unwrap_or(u32::MAX);
                Boot { planned: Some(planned.clone()), name: format!("{planned}.{number}"), following }
            }
        };
        Some((turn, boot))
    }

    /// Remembers which boots there were: the next one has another name.
    pub(super) fn note(&mut self, record: &BlockRecord) {
        let Some((planned, number)) = record.boot.as_ref().and_then(|boot| boot.name.rsplit_once('.')) else {
            return;
        };
        if let Ok(number) = number.parse::<u32>() {
            let most = self.booted.entry(planned.to_owned()).or_default();
            *most = number.max(*most);
        }
    }

    /// Takes the tries of a cell that needs none out, and gives their blocks.
    pub(super) fn leave_out(&mut self, cell: &CellId) -> Vec<PlannedBlock> {
        let (out, turns) =
            std::mem::take(&mut self.turns).into_iter().partition(|turn| turn.block.cell == *cell);
        self.turns = turns;
        let out: VecDeque<Turn> = out;
        out.into_iter().map(|turn| turn.block).collect()
    }

    /// Tries a void block again: at a place of the next round that is drawn, or after everything where there is no round to come. So a second try is random as
    /// the first one was, and what disturbed it has had time to pass. Its guest is then its own.
    pub(super) fn again(&mut self, turn: Turn) {
        let next = self.turns.iter().map(|other| other.block.round).find(|round| *round > turn.block.round);
        let round = next.unwrap_or(turn.block.round);
        let mut draws = ChaCha8Rng::seed_from_u64(self.draw_seed(&turn));
        let place = match next {
            Some(round) => self.gaps(round).choose(&mut draws).copied(),
            None => None,
        };
        let block = PlannedBlock { round, boot: None, ..turn.block };
        let turn = Turn { block, attempt: turn.attempt + 1, ..turn };
        self.turns.insert(place.unwrap_or(self.turns.len()), turn);
    }

    /// Where a block can be put into a round: anywhere but between two blocks that share a boot.
    fn gaps(&self, round: u32) -> Vec<usize> {
        let place = |found: Option<usize>| found.unwrap_or(self.turns.len());
        let first = place(self.turns.iter().position(|turn| turn.block.round >= round));
        let end = place(self.turns.iter().position(|turn| turn.block.round > round));
        let boot = |at: usize| self.turns.get(at).and_then(|turn| turn.block.boot.as_ref());
        let splits = |at: usize| at > 0 && boot(at).is_some() && boot(at) == boot(at - 1);
        (first..=end).filter(|at| !splits(*at)).collect()
    }

    fn draw_seed(&self, turn: &Turn) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(format!("{} again after {}", turn.block.id, turn.attempt));
        let digest = hash.finalize();
        u64::from_le_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes"))
    }
}

fn is_complete(block: &BlockId, done: &[BlockRecord]) -> bool {
    done.iter().any(|record| record.id == *block && record.status == BlockStatus::Complete)
}

fn is_void(record: &BlockRecord) -> bool {
    matches!(record.status, BlockStatus::Void { .. })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::kit::run;
    use super::*;
    use crate::record::format::BootRecord;

    /// Blocks of these rounds and boots.
    fn queue(blocks: &[(u32, Option<&str>)], seed: u64) -> Queue {
        let block = |(index, (round, boot)): (usize, &(u32, Option<&str>))| PlannedBlock {
            round: *round,
            boot: boot.map(str::to_owned),
            ..PlannedBlock::alone(BlockId(format!("b-{index}")), CellId("c".into()), 1, 1)
        };
        let blocks = blocks.iter().enumerate().map(block).collect();
        Queue::of(&RunRecord { seed, blocks, ..run(&[]) }, &[], 3)
    }

    fn order(mut queue: Queue) -> Vec<(String, u32)> {
        std::iter::from_fn(|| queue.next()).map(|(turn, _)| (turn.block.id.0, turn.block.round)).collect()
    }

    const SHARED: [(u32, Option<&str>); 6] =
        [(0, None), (0, None), (1, Some("x")), (1, Some("x")), (1, None), (2, None)];

    #[test]
    fn a_void_block_is_tried_again_within_the_next_round_and_splits_no_boot() {
        let places: BTreeSet<usize> = (0..200)
            .map(|seed| {
                let mut queue = queue(&SHARED, seed);
                let (turn, _) = queue.next().expect("six");
                queue.again(turn);
                let order = order(queue);
                assert_eq!(order.len(), 6);
                let place = order.iter().position(|(id, _)| id == "b-0").expect("again");
                assert_eq!(order[place].1, 1, "it is of the next round");
                place
            })
            .collect();
        // After b-1: before both of the boot, between it and b-4, or after b-4.
        assert_eq!(places, BTreeSet::from([1, 3, 4]));
    }

    #[test]
    fn a_void_block_of_the_last_round_is_tried_again_at_the_end_and_the_place_is_the_seeds() {
        let again = |seed, at: usize| {
            let mut queue = queue(&SHARED, seed);
            let turn = (0..=at).filter_map(|_| queue.next()).last().expect("there").0;
            queue.again(turn);
            order(queue)
        };
        assert_eq!(again(1, 5), [("b-5".to_owned(), 2)]);
        assert_eq!(again(7, 0), again(7, 0));
    }

    #[test]
    fn a_boot_is_called_by_its_number_and_says_who_follows() {
        let mut queue = queue(&[(0, Some("x")), (0, Some("x")), (0, Some("x")), (0, Some("y"))], 1);
        let mut names = vec![];
        while let Some((turn, boot)) = queue.next() {
            let of = |name: &str| BootRecord { name: name.to_owned(), place: 0 };
            // The second block found the guest of the first; then that guest was gone.
            let really = match turn.block.id.0.as_str() {
                "b-1" => "x.1",
                _ => boot.name.as_str(),
            };
            let mut record = BlockRecord::new(turn.block.id.clone(), turn.block.cell.clone(), 1);
            record.boot = Some(of(really));
            queue.note(&record);
            names.push((really.to_owned(), boot.following));
        }
        let told = [("x.1", 2), ("x.1", 1), ("x.2", 0), ("y.1", 0)];
        assert_eq!(names, told.map(|(name, following)| (name.to_owned(), following)));
    }

    #[test]
    fn what_is_tried_again_has_a_guest_of_its_own_also_after_a_resumption() {
        let mut queue = queue(&[(0, Some("x")), (0, Some("x"))], 1);
        let (turn, _) = queue.next().expect("two");
        queue.again(turn);
        let alone = Boot { planned: None, name: "b-0.2".into(), following: 0 };
        assert_eq!(
            queue.next().map(|(turn, boot)| (turn.block.id.0, boot.following)),
            Some(("b-1".into(), 0))
        );
        assert_eq!(queue.next().map(|(_, boot)| boot), Some(alone.clone()));

        let reason = crate::record::VoidReason::Late { within_s: 1 };
        let id = BlockId("b-0".into());
        let mut void = BlockRecord::new(id.clone(), CellId("c".into()), 1);
        void.status = BlockStatus::Void { reason };
        void.boot = Some(BootRecord { name: "x.1".into(), place: 0 });
        let block = |id: &str| PlannedBlock {
            boot: Some("x".into()),
            ..PlannedBlock::alone(BlockId(id.into()), CellId("c".into()), 1, 1)
        };
        let run = RunRecord { blocks: vec![block("b-0"), block("b-1")], ..run(&[]) };
        let mut resumed = Queue::of(&run, &[void], 1);
        assert_eq!(resumed.next().map(|(_, boot)| boot), Some(alone));
        assert_eq!(resumed.next().map(|(_, boot)| boot.name), Some("x.2".into()));
    }
}
