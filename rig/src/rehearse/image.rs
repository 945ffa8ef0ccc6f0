//! The image of the emulated KVM host: its recipe is in the binary.
//!
//! Must not know how images are built. Units: none. Errors: [`ImageError`]. Tests: `initramfs.rs` (what the recipe must have); `tests/rehearsal.rs`.

use crate::image::apt::Apt;
use crate::image::{Cache, Fetch, Image, ImageError, Step, ensure_with, recipe, recipes};

/// The emulated host's recipe; `images/rehearsal.toml` of the tree.
pub(super) const RECIPE: &str = include_str!("../../../images/rehearsal.toml");

/// The image of the emulated KVM host: out of the cache, or built from Debian packages.
///
/// # Errors
/// [`ImageError`]
pub fn find_image(cache: &Cache, tell: &mut dyn FnMut(Step)) -> Result<Image, ImageError> {
    let path = "images/rehearsal.toml (in the binary)";
    let recipe = recipe::parse(recipes::HOST, path, RECIPE)
        .map_err(|problems| ImageError::Recipe { path: path.to_owned(), problems })?;
    ensure_with(&recipe, cache, Fetch::IfMissing, &Apt::new(cache.root()), tell)
}
