//! `rig matrix plan --format slurm|github|gitlab|kubernetes`: what every shard is told.
//!
//! All get the same file, profile, filters and seed, so that their runs can be joined. Must not know what an engine's file looks like (`engine`).
//! Units: shards. Errors: [`Failure`]: wrong input, more shards than cells, a name that an engine cannot carry. Tests: `tests/engines.rs`, `tests/cli_input.rs`.

use std::path::Path;

use super::sharding::Sharding;
use crate::campaign::{Asked, Shard, draw_seed};
use crate::cli::{Exit, Failure};
use crate::engine::{Engine, Fleet};
use crate::matrix::{DEFAULT_FILE, Selected};

/// The engine's text, ready to be printed. Nothing is asked of this host: the shards are played elsewhere.
pub(super) fn render(
    asked: &Asked,
    selected: Selected,
    engine: Engine,
    shards: u32,
    seed: Option<u64>,
    sharding: &Sharding,
) -> Result<String, Failure> {
    let Selected { profile, settings, cells, .. } = selected;
    // Where the last one has cells, all have some.
    let last: Shard = format!("{shards}/{shards}").parse().expect("the argument is at least 1");
    let division = sharding.division(Path::new("results"))?.with(settings.baseline.as_ref());
    last.take(cells, &division).map_err(Failure::input)?;
    let fleet = Fleet {
        words: [sharding.words(), words(asked, &profile)?].concat(),
        shards,
        seed: seed.unwrap_or_else(draw_seed),
    };
    engine.render(&fleet).map_err(|refused| {
        Failure::say(Exit::Input, refused, "ask for fewer shards, or rename what has this name")
    })
}

/// What was asked for, as `rig matrix run` takes it. A value is in one word with its option: it may begin with a dash.
fn words(asked: &Asked, profile: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    // Where this file is missing, a shard would play rig's own.
    let here = Path::new(DEFAULT_FILE);
    if let Some(file) = asked.matrix.as_deref().or_else(|| here.is_file().then_some(here)) {
        words.push(format!("--matrix={}", text(file)?));
    }
    if !profile.is_empty() {
        words.push(format!("--profile={profile}"));
    }
    words.extend(asked.kernels.iter().map(|kernel| format!("--kernel={kernel}")));
    words.extend(asked.baseline.as_ref().map(|baseline| format!("--baseline={baseline}")));
    words.extend(asked.trials.map(|trials| format!("--trials={trials}")));
    if let Some(claims) = &asked.claims {
        words.push(format!("--claims={}", text(claims)?));
    }
    words.extend(asked.filters.iter().cloned());
    Ok(words)
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        let what = format!("the name {} is not UTF-8, and engines take text", path.display());
        Failure::say(Exit::Input, what, "give it a name that is UTF-8")
    })
}
