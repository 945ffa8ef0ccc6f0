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

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The right to play where the cases can be played; says so where not. Their paths need nft. One test plays at a time: a scenario whose label says
/// how long a call took is not to be disturbed by the others.
pub(crate) fn turn() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    if !blackbox::is_root("netns") {
        return None;
    }
    blackbox::tools::needs("nft")?;
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}
