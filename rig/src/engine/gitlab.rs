//! GitLab: a hidden job with `parallel:matrix`, which a job of a pipeline extends.
//!
//! Its variables are RIG_SHARD and RIG_ARGUMENTS; the second is quoted for a shell (`eval "rig matrix run $RIG_ARGUMENTS"`), and its dollars are doubled, since GitLab expands
//! variables in the values of variables. Errors: none. Tests: `engine/tests.rs`, `tests/engines.rs`.

use super::fleet::Fleet;
use super::quote::{dollars, yaml};

pub(super) fn render(fleet: &Fleet) -> String {
    let mut text = String::from(
        "# Made by `rig matrix plan --format gitlab`. A job that `extends: .rig-shards` is played once per entry.\n\
         .rig-shards:\n  parallel:\n    matrix:\n",
    );
    for shard in 1..=fleet.shards {
        text.push_str(&format!(
            "      - RIG_SHARD: {}\n        RIG_ARGUMENTS: {}\n",
            yaml(&format!("{shard}/{}", fleet.shards)),
            yaml(&dollars(&fleet.words_of(shard)))
        ));
    }
    text
}
