//! The enclosure, and the threads in it: what everything that boots or plays begins with, in this order.
//!
//! Must not know what runs there. Units: none. Errors: [`CampaignError`], which blames the host. Tests: `tests/enclosure.rs`.

use tokio::runtime::Runtime;

use crate::process;

use super::error::CampaignError;

/// Enters the enclosure and starts threads in it; a process that has threads cannot be enclosed any more.
///
/// # Errors
/// [`CampaignError::Enclosure`], [`CampaignError::Runtime`]
pub fn enclosed_runtime() -> Result<Runtime, CampaignError> {
    process::enclose()?;
    Ok(process::start_runtime()?)
}
