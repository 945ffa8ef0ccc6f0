//! GitHub Actions: the value of `strategy.matrix`, for `fromJSON`.
//!
//! One line, as a file `$GITHUB_OUTPUT` takes it. Each job has its `shard` (for names) and its `arguments`, quoted for a shell: the workflow hands them over in an
//! environment variable, never in the text of a script. The seed is in them as text: a number of JSON is not exact above 2^53 there. Errors: none.
//! Tests: `engine/tests.rs`, `tests/engines.rs`.

use serde_json::{Value as Json, json};

use super::fleet::Fleet;

pub(super) fn render(fleet: &Fleet) -> String {
    let job = |shard: u32| json!({ "shard": format!("{shard}/{}", fleet.shards), "index": shard, "arguments": fleet.words_of(shard) });
    let jobs: Vec<Json> = (1..=fleet.shards).map(job).collect();
    format!("{}\n", json!({ "include": jobs }))
}
