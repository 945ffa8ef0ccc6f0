//! TOML texts with the span of everything in them, and the collection of all their problems at once.
//!
//! Holds the tree, typed reading with diagnostics, counts, lengths of time, and did-you-mean hints. Must not know what any file means.
//! Units: byte offsets. Errors: [`Problems`]; they blame the text and say where, under the text, and what to try.
//! Tests: beside the modules; whole wrong files in `tests/diagnostics.rs`.

mod duration;
mod excerpt;
mod findings;
mod number;
mod parse;
mod problem;
mod tree;
mod word;

pub use duration::{parse_deadline, parse_duration};
pub use findings::Findings;
pub use number::{parse_count, parse_count_within};
pub use parse::Document;
pub use problem::{Problem, Problems, Span, Wrong};
pub use tree::{Key, Node, Table, Value, key_text};
pub use word::{closest, did_you_mean, hint, listing};
