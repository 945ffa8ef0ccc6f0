//! Tier *pure*: what other people's programs say of what rig computes and writes. A program that is missing skips its test.

#[path = "support/packages.rs"]
mod packages;
#[path = "support/scale.rs"]
mod scale;
#[path = "oracles/statistics.rs"]
mod statistics;
#[path = "support/tools.rs"]
mod tools;
