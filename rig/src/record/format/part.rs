//! Runs that are one: what a shard must say of the whole plan, and what a merged run keeps of the runs that it was made of.
//!
//! Plain data. Must not know how runs are merged. Units: in the keys. Errors: none. Tests: `tests/golden/merged`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::environment::Environment;
use crate::matrix::CellId;
use crate::record::id::BlockId;

/// A part of a matrix, played as a run of its own: `rig matrix run --shard 2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

impl fmt::Display for Shard {
    /// As the command line takes it: `2/3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A cell of the whole plan that is not among the cells of this run: other shards play it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellElsewhere {
    /// Its id.
    #[schemars(with = "String")]
    pub id: CellId,
    /// Its scenario, parameters, configuration, kernel and path, for people.
    pub label: String,
    /// Its place in the whole plan, from 0: the places that are not named here are those of `cells`, in their order.
    pub place: u32,
    /// The shards that play it, from 1.
    pub shards: Vec<u32>,
}

/// A run that is a part of this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartRecord {
    /// Its id.
    pub id: String,
    /// Which part of the matrix it was; null for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Its seed.
    pub seed: u64,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// The command that began it, as typed.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// The machine that it ran on.
    #[serde(default)]
    pub environment: Environment,
    /// Whether all its blocks were played.
    pub complete: bool,
    /// Why it ended before; null where it did not, and where its journal does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Cells that its machine could not play, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, SkippedCell>")]
    pub skipped: BTreeMap<CellId, SkippedCell>,
    /// What was damaged or missing in its folder when it was merged, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
}

/// Why a machine could not play a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedCell {
    /// In words.
    pub reason: String,
    /// What it lacks, in one word (`vhost-net`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lack: Option<String>,
}

/// Where a block of a merged run comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockSource {
    /// Id of the run that played it.
    pub run: String,
    /// Its name there.
    pub block: BlockId,
}

impl PartRecord {
    /// What tells the machine of this part from others, and one state of it from another: the first 8 hex digits of the SHA-256 of `environment` without its
    /// `accelerator_reason`, as JSON with sorted keys and without spaces. A guest is compared only with a host of the same ones.
    pub fn machine(&self) -> String {
        let mut environment = serde_json::to_value(&self.environment).expect("plain data with string keys");
        if let Some(fields) = environment.as_object_mut() {
            fields.remove("accelerator_reason");
        }
        // The map of serde_json is sorted.
        format!("{:.8x}", Sha256::digest(environment.to_string()))
    }

    /// What tells the blocks of this part from those of others, in their names: the drawn end of its id, or all of an id that has none.
    pub fn mark(&self) -> &str {
        mark_of(&self.id)
    }
}

/// [`PartRecord::mark`] of the run with this id.
pub fn mark_of(id: &str) -> &str {
    let end = id.rsplit('-').next().unwrap_or(id);
    if end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit()) { end } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(environment: Environment) -> PartRecord {
        PartRecord {
            id: "20261121-201950-1f3a09c4".into(),
            shard: None,
            seed: 1,
            started: String::new(),
            command_line: vec![],
            environment,
            complete: true,
            stopped: None,
            skipped: BTreeMap::new(),
            cautions: vec![],
        }
    }

    #[test]
    fn a_machine_is_told_by_everything_but_the_words_about_its_accelerator() {
        let one = part(Environment { machine: "ab".into(), ..Environment::default() });
        let said = Environment { accelerator_reason: "it works".into(), ..one.environment.clone() };
        let updated = Environment { qemu: "QEMU 8".into(), ..one.environment.clone() };
        let other = Environment { machine: "cd".into(), ..one.environment.clone() };
        assert_eq!(part(said).machine(), one.machine());
        assert_ne!(part(updated).machine(), one.machine());
        assert_ne!(part(other).machine(), one.machine());
        assert_eq!(one.machine().len(), 8);
    }

    #[test]
    fn a_mark_is_the_drawn_part_of_an_id() {
        assert_eq!(part(Environment::default()).mark(), "1f3a09c4");
        assert_eq!(mark_of("by-hand"), "by-hand");
    }
}
