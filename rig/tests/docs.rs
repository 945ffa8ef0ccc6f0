//! Documentation tier: the pages of `rig/docs/` say what the tables of the code say, and what they show works.
//!
//! Each generator makes one part of a page from a public table, `part` holds all pages against all generators, and `RIG_WRITE_DOCS=1` writes
//! them. Must not know what a key is used for. Units: none. Errors: a failed test names the page and says how to write it.
//! Pure: no network, no root, no guest.

#[path = "docs/citations.rs"]
mod citations;
#[path = "docs/claims.rs"]
mod claims;
#[path = "docs/examples.rs"]
mod examples;
#[path = "docs/exit_codes.rs"]
mod exit_codes;
#[path = "docs/fields.rs"]
mod fields;
#[path = "docs/hardware.rs"]
mod hardware;
#[path = "docs/images.rs"]
mod images;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/matrix.rs"]
mod matrix;
#[path = "docs/part.rs"]
mod part;
#[path = "docs/paths.rs"]
mod paths;
#[path = "docs/record.rs"]
mod record;
#[path = "docs/scenarios.rs"]
mod scenarios;
