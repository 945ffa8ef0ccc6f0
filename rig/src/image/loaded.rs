//! An image's bytes, read once: what was checked is what boots, whatever becomes of the cache's files meanwhile.
//!
//! Must not know who boots them. Units: none. Errors: [`ImageError`], which blames the cache's disk, or whoever writes in it.
//! Tests: below; booted in `tests/qemu.rs`.

use super::cache::{Image, digest_of};
use super::error::ImageError;
use super::own::version_of;
use crate::process::Sealed;

/// An image, and the bytes that every guest of it boots.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it is.
    pub image: Image,
    /// Its kernel.
    pub kernel: Sealed,
    /// Its base initramfs; an [`Overlay`](super::Overlay) goes behind it.
    pub initramfs: Sealed,
}

impl Loaded {
    /// What the kernel says of itself in the header of its bzImage, `RELEASE (who@where) VERSION`; none where it has no such header.
    pub fn version(&self) -> Option<String> {
        let mut bytes = Vec::new();
        self.kernel.copy_to(&mut bytes).ok()?;
        version_of(&bytes)
    }
}

impl Image {
    /// Reads both files, each once, and holds what was read against the image's digest.
    ///
    /// # Errors
    /// [`ImageError::Disk`], [`ImageError::Changed`]
    pub fn load(&self) -> Result<Loaded, ImageError> {
        let read = |path| {
            Sealed::read(path).map_err(ImageError::disk(format!("cannot read the image {}", self.name)))
        };
        let (kernel, initramfs) = (read(&self.kernel)?, read(&self.initramfs)?);
        if digest_of(kernel.sha256(), initramfs.sha256()) != self.digest {
            return Err(ImageError::Changed { image: self.name.clone(), digest: self.digest.clone() });
        }
        Ok(Loaded { image: self.clone(), kernel, initramfs })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::held::Held;
    use super::*;

    #[test]
    fn a_file_that_has_changed_since_the_check_is_not_booted() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs_err::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let sha256 = |text: &str| format!("{:x}", Sha256::digest(text));
        let image = Image {
            name: "6.1".to_owned(),
            kernel: file("vmlinuz", "kernel"),
            initramfs: file("initramfs", "files"),
            release: "6.1.0".to_owned(),
            package: "linux 6.1".to_owned(),
            digest: digest_of(&sha256("kernel"), &sha256("files")),
            kernel_sha256: sha256("kernel"),
            config_sha256: None,
            git: None,
            bytes: 11,
            packages: vec![],
            modules: vec![],
            lacks: vec![],
            held: Held::take(folder.path()),
        };
        let loaded = image.load().unwrap();
        assert_eq!(loaded.kernel.sha256(), sha256("kernel"));
        file("initramfs", "filez");
        let error = image.load().unwrap_err();
        assert!(matches!(error, ImageError::Changed { .. }), "{error}");
        assert_eq!(loaded.initramfs.sha256(), sha256("files"), "what was read before is as it was");
    }
}
