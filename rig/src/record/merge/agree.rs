//! What runs must have in common to be one.
//!
//! Each difference is named with both values, what a person can change first. Must not read files. Units: none. Errors: [`MergeError`].
//! Tests: `tests/golden/merged`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::format::{PartRecord, RunRecord};
use super::error::MergeError;
use super::source::Source;

/// What is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// Shards of one plan, with one seed.
    Shards,
    /// Nights of one plan, each whole or in shards.
    Nights,
}

/// Refuses what cannot be one run.
pub(super) fn check(sources: &[Source], together: Together) -> Result<(), MergeError> {
    let Some((first, others)) = sources.split_first() else { return Ok(()) };
    for other in others {
        alike(first, other)?;
    }
    let parts = || sources.iter().flat_map(|source| source.parts.iter().map(move |part| (source, part)));
    let other_seed = |part: &PartRecord| parts().find(|(_, other)| other.seed != part.seed);
    if together == Together::Shards
        && let Some((_, part)) = parts().next()
        && let Some((second, other)) = other_seed(part)
    {
        return Err(MergeError::Seeds {
            first: first.dir.clone(),
            first_seed: part.seed,
            second: second.dir.clone(),
            second_seed: other.seed,
        });
    }
    // By seed and place in the division.
    let mut seen: BTreeMap<_, (&Source, &PartRecord)> = BTreeMap::new();
    for (source, part) in parts() {
        let shard = part.shard.map(|shard| (shard.index, shard.of));
        let (known_in, known) = *seen.entry((part.seed, shard)).or_insert((source, part));
        if known.id != part.id {
            return Err(MergeError::ShardTwice {
                shard: part
                    .shard
                    .map_or_else(|| "1/1 (the whole plan)".to_owned(), |shard| shard.to_string()),
                first: known_in.dir.clone(),
                first_id: known.id.clone(),
                second: source.dir.clone(),
                second_id: part.id.clone(),
            });
        }
    }
    divided_alike(sources)
}

/// Shards of one seed are parts of one division.
fn divided_alike(sources: &[Source]) -> Result<(), MergeError> {
    let mut of_seed: BTreeMap<u64, (&Path, u32)> = BTreeMap::new();
    for source in sources {
        for part in &source.parts {
            let of = part.shard.map_or(1, |shard| shard.of);
            let (dir, known) = *of_seed.entry(part.seed).or_insert((&source.dir, of));
            if known != of {
                let what = format!("the first is one of {known} shards, the second one of {of}");
                return Err(mixed(dir, &source.dir, what, "divide a plan into the same number of shards"));
            }
        }
    }
    Ok(())
}

/// Everything of two records that does not belong to one shard or night.
fn alike(first: &Source, second: &Source) -> Result<(), MergeError> {
    let (a, b) = (&first.record, &second.record);
    let differ = |what: &str, a: &str, b: &str, advice: &str| {
        let what = format!("the first has {what} {a}, the second {b}");
        Err(mixed(&first.dir, &second.dir, what, advice))
    };
    if a.rig_version != b.rig_version {
        return differ("rig", &a.rig_version, &b.rig_version, "run all shards with one rig");
    }
    if a.agent_build_id != b.agent_build_id {
        let short = |id: &str| id.get(..12).unwrap_or(id).to_owned();
        let advice = "run all shards with the same file `rig`: the agent is in it";
        return differ("the agent", &short(&a.agent_build_id), &short(&b.agent_build_id), advice);
    }
    if a.profile != b.profile {
        return differ("profile", &a.profile, &b.profile, "run all shards with one --profile");
    }
    if a.matrix != b.matrix {
        let what = "their matrix files are not the same".to_owned();
        return Err(mixed(&first.dir, &second.dir, what, "run all shards with one matrix file"));
    }
    if let Some(what) = other_judgement(a, b) {
        return Err(mixed(&first.dir, &second.dir, what.to_owned(), "run all shards with the same options"));
    }
    for (kernel, image) in &a.images {
        let Some(other) = b.images.get(kernel).filter(|other| other.digest != image.digest) else { continue };
        let what = match image.package == other.package {
            true => {
                format!("their images of kernel {kernel} are not the same bytes (both of {})", image.package)
            }
            false => format!(
                "kernel {kernel} is {} in the first and {} in the second",
                image.package, other.package
            ),
        };
        let advice = "guests with other images are other guests: build the images from the same packages, or copy them (`rig image list` says where they are)";
        return Err(mixed(&first.dir, &second.dir, what, advice));
    }
    if a.plan_sha256 != b.plan_sha256 || a.plan_sha256.is_empty() && a.id != b.id {
        let what = match a.plan_sha256.is_empty() || b.plan_sha256.is_empty() {
            true => "one was recorded by a rig that did not write down which plan it is a part of".to_owned(),
            false => "they have other cells, numbers of trials or filters".to_owned(),
        };
        let advice = "run all shards with the same filters, --trials and --profile; `rig compare` compares runs of different plans";
        return Err(mixed(&first.dir, &second.dir, what, advice));
    }
    Ok(())
}

fn other_judgement(a: &RunRecord, b: &RunRecord) -> Option<&'static str> {
    let same = [
        (a.judgement == b.judgement, "they are judged otherwise"),
        (a.conduct == b.conduct, "their blocks are played otherwise"),
        (a.claims == b.claims, "they took other claims along"),
        (a.lock == b.lock, "they were begun by other locks"),
    ];
    same.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

fn mixed(first: &Path, second: &Path, what: String, advice: &str) -> MergeError {
    MergeError::Mixed { first: first.to_owned(), second: second.to_owned(), what, advice: advice.to_owned() }
}
