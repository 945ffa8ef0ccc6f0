//! The Python packages that tests use, in an environment of their own.
//!
//! A test asks for them here; where they are not installed, it says `skipped: ...` and passes. Which packages: `tests/oracles/requirements.txt`.

use rig::capability::oracles::Oracles;
use rig::image::Cache;

use crate::tools::{needs, skip};

/// The environment that has the packages; where it is not made, says that the test is skipped.
pub(crate) fn needs_packages() -> Option<Oracles> {
    needs("python3")?;
    let oracles = Oracles::of(Cache::of_user().expect("a cache folder").root());
    if !oracles.is_made() {
        skip(&format!("no Python packages in {}", oracles.folder().display()));
        return None;
    }
    Some(oracles)
}
