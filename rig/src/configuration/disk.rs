//! A disk of one's own that a guest boots: with its own kernel, C library and init.
//!
//! Plain data. Must not open it. Units: none. Errors: none. Tests: below; `image/disk.rs`, `tests/disk.rs`.

use serde::{Deserialize, Serialize};

/// A disk image that a guest boots by its firmware, instead of a kernel of the matrix's axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its file, seen from where rig is started.
    pub path: String,
    /// How rig gets in; none: rig's own key comes with a seed for cloud-init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
}

/// A way into a guest that its image has already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Root, or a user who becomes root by `sudo` without a password.
    pub user: String,
    /// The file with the private key, in OpenSSH's or PEM form, without a passphrase.
    pub key: String,
}

impl Disk {
    /// The name of its kernel on the matrix's kernel axis, where no other value has it: that of its file.
    pub fn kernel(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        if name.is_empty() { &self.path } else { name }
    }
}

/// How the bytes of a disk image are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// As on a disk.
    Raw,
    /// QEMU's (docs/interop/qcow2.txt).
    Qcow2,
}

impl DiskFormat {
    /// QEMU's name for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_kernel_has_the_name_of_the_file() {
        let disk = |path: &str| Disk { path: path.to_owned(), login: None };
        assert_eq!(disk("debian-12.qcow2").kernel(), "debian-12.qcow2");
        assert_eq!(disk("/srv/images/a.raw").kernel(), "a.raw");
        assert_eq!(serde_json::to_string(&disk("a")).expect("plain data"), r#"{"path":"a"}"#);
    }
}
