//! What all shards of a run have in common, and the words of each.
//!
//! Must not know who plays them. Units: shards, counted from 1. Errors: none. Tests: `engine/tests.rs`.

use super::quote::shell;

/// What all shards of a run have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The words after `rig matrix run` of every shard, without those that say which shard, which seed and where the record goes.
    pub words: Vec<String>,
    /// How many shards there are, at least 1.
    pub shards: u32,
    /// The seed of all of them: `rig results merge` refuses to join runs of different seeds.
    pub seed: u64,
}

impl Fleet {
    /// The words of all shards as a shell reads them.
    pub(super) fn words(&self) -> String {
        self.words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
    }

    /// The words of one shard as a shell reads them.
    pub(super) fn words_of(&self, shard: u32) -> String {
        let mut all = format!("--shard {shard}/{} --seed {}", self.shards, self.seed);
        if !self.words.is_empty() {
            all.push(' ');
            all.push_str(&self.words());
        }
        all
    }
}
