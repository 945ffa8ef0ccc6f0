//! What the emulated KVM host boots with: the image's base archive, and behind it a small one of ours.
//!
//! Must not know how images are built. Units: bytes. Errors: `io::Error`, which blames the disk.
//! The kernel unpacks archives that follow each other as one (Documentation/driver-api/early-userspace/buffer-format.rst).
//! Tests: below.

use std::io::{self, Write};
use std::path::Path;

use fs_err::File;

use crate::image::cpio::Archive;

/// The first PID 1.
const INIT: &str = include_str!("init.sh");

/// The archive behind the base: `/rehearsal/init`, and the path of the program that takes over.
fn addition(program: &str) -> Archive {
    let mut archive = Archive::default();
    archive.file("rehearsal/init", 0o755, INIT);
    archive.file("rehearsal/program", 0o644, format!("{program}\n"));
    archive
}

/// Writes the whole initramfs to `to`.
pub(super) fn write(base: &Path, program: &str, to: &Path) -> io::Result<()> {
    let mut out = File::create(to)?;
    io::copy(&mut File::open(base)?, &mut out)?;
    out.write_all(&addition(program).to_bytes())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn our_archive_follows_the_base() {
        let folder = tempfile::tempdir().unwrap();
        let (base, whole) = (folder.path().join("base"), folder.path().join("whole"));
        let mut archive = Archive::default();
        archive.file("bin/busybox", 0o755, "busybox");
        fs_err::write(&base, archive.to_bytes()).unwrap();
        write(&base, "/opt/my rig", &whole).unwrap();
        let (base, whole) = (fs_err::read(base).unwrap(), fs_err::read(whole).unwrap());
        assert_eq!(whole[..base.len()], base);
        assert_eq!(whole[base.len()..], addition("/opt/my rig").to_bytes());
        assert_eq!(
            addition("/opt/my rig").paths().collect::<Vec<_>>(),
            ["rehearsal", "rehearsal/init", "rehearsal/program"]
        );
    }

    #[test]
    fn the_shell_accepts_init() {
        let mut child = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(INIT.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// A module that the script mounts or drives through, and that the recipe forgot, would cost a boot to find.
    #[test]
    fn the_recipe_has_what_init_needs() {
        let recipe =
            crate::image::recipe::parse("rehearsal", "images/rehearsal.toml", crate::rehearse::image::RECIPE)
                .unwrap();
        for needed in [
            "9p",
            "9pnet_virtio",
            "overlay",
            "virtio_pci",
            "virtio_console",
            "kvm_amd",
            "vhost_net",
            "tun",
            "sch_netem",
        ] {
            assert!(recipe.initramfs.modules.iter().any(|module| module == needed), "{needed}");
        }
    }
}
