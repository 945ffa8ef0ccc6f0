//! The generated part of `docs/hardware.md`: the matrix file beside it, which `tests/guest/hardware.rs` plays.
//!
//! Must not know what the file says. Units: none. Errors: none. Tests: `examples.rs` reads it as any block of a page.

use crate::part::Part;

pub(crate) const PARTS: &[Part] = &[Part { topic: "hardware", name: "file", make: file }];

fn file() -> String {
    let text = include_str!("../../docs/hardware.matrix.toml");
    format!("```toml\n# hardware.matrix.toml\n{text}```\n")
}
