//! Tier *netns*: cases that people have reported, answers that anybody can check, and the short catalogue, by the built rig on the host's own
//! kernel. Needs root and nft. The same in a guest: `guest/cases.rs`.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "catalogue/answers.rs"]
mod answers;
#[expect(dead_code, reason = "other tiers use more of it")]
mod blackbox;
#[path = "catalogue/cases.rs"]
mod cases;
#[path = "catalogue/fixture.rs"]
mod fixture;
#[path = "catalogue/short.rs"]
mod short;
