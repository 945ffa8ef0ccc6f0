//! The threads on which a campaign waits.
//!
//! Must not be made before the enclosure, which forks. Units: none. Errors: [`CampaignError::NoRuntime`], which blames a limit of the host.

use tokio::runtime::{Builder, Runtime};

use super::error::CampaignError;

/// A runtime with all its drivers.
///
/// # Errors
/// [`CampaignError::NoRuntime`]
pub fn runtime() -> Result<Runtime, CampaignError> {
    Builder::new_multi_thread().enable_all().build().map_err(|cause| CampaignError::NoRuntime { cause })
}
