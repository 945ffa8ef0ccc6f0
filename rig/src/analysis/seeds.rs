//! Seeds of what is drawn when a run is analysed.
//!
//! Must not know what is drawn. Units: none. Errors: none. Tests: `tests/golden/outcomes.rs`.

use sha2::{Digest, Sha256};

/// Of the run's seed and a name: whatever else the run has does not change it. Below 2^53, which every reader of JSON holds exactly.
pub(super) fn seed_of(run: u64, name: &str) -> u64 {
    let digest = Sha256::new().chain_update(run.to_le_bytes()).chain_update(name).finalize();
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)) >> 11
}
