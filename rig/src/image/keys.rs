//! The SSH keys of one guest: made on the host for every run, so that the guest need not and that both ends are pinned.
//!
//! Must not know how they reach the guest. Units: bytes. Errors: none: the operating system always has random bytes.
//! Secrets are in memory and in the overlay only; `Debug` does not show them. Formats: RFC 4253 6.6, RFC 8709, OpenSSH's PROTOCOL.key,
//! and dropbear's signkey (its CHANGES, 2020.79). Tests: below, and by dropbear itself in `tests/qemu.rs`.

use std::fmt;

use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};
use ssh_key::rand_core::OsRng;
use ssh_key::{HashAlg, LineEnding};

const ALGORITHM: &str = "ssh-ed25519";

/// A guest's host key and the key that logs in.
#[derive(Clone)]
pub struct GuestKeys {
    host: Ed25519Keypair,
    user: PrivateKey,
}

impl fmt::Debug for GuestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestKeys").field("host", &self.host_fingerprint()).finish_non_exhaustive()
    }
}

impl GuestKeys {
    /// Fresh ones.
    pub fn generate() -> Self {
        let user = KeypairData::Ed25519(Ed25519Keypair::random(&mut OsRng));
        Self {
            host: Ed25519Keypair::random(&mut OsRng),
            user: PrivateKey::new(user, "rig").expect("an unencrypted ed25519 key has no way to fail"),
        }
    }

    /// The host key as the guest's dropbear reads it: both halves, private first.
    pub fn dropbear_host_key(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_string(&mut out, ALGORITHM.as_bytes());
        put_string(&mut out, &self.host.to_bytes());
        out
    }

    /// The host key as OpenSSH's server reads it. A secret.
    pub(super) fn host_private_key(&self) -> String {
        let key = PrivateKey::new(KeypairData::Ed25519(self.host.clone()), "guest")
            .expect("an unencrypted ed25519 key has no way to fail");
        pem(&key)
    }

    /// The public host key in one line, as OpenSSH's server reads it.
    pub(super) fn host_public_key(&self) -> String {
        let public = ssh_key::PublicKey::from(ssh_key::public::KeyData::Ed25519(self.host.public));
        public.to_openssh().expect("an ed25519 public key encodes")
    }

    /// The public host key as it goes over the wire: what a client compares to know that it is this guest.
    pub fn host_key_blob(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_string(&mut out, ALGORITHM.as_bytes());
        put_string(&mut out, self.host.public.as_ref());
        out
    }

    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fn host_fingerprint(&self) -> String {
        ssh_key::public::KeyData::Ed25519(self.host.public).fingerprint(HashAlg::Sha256).to_string()
    }

    /// The private key that logs in, as OpenSSH and libssh2 read it. A secret.
    pub fn user_private_key(&self) -> String {
        pem(&self.user)
    }

    /// The line of authorized_keys that lets it in.
    pub fn authorized_keys(&self) -> String {
        format!("{}\n", self.user.public_key().to_openssh().expect("an ed25519 public key encodes"))
    }
}

/// A private key as OpenSSH and libssh2 read it.
fn pem(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).expect("an unencrypted ed25519 key encodes").to_string()
}

/// A string of the SSH wire format (RFC 4251 5).
fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("keys are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_key_has_dropbears_form() {
        let keys = GuestKeys::generate();
        let file = keys.dropbear_host_key();
        assert_eq!(file.len(), 4 + 11 + 4 + 64);
        assert_eq!(&file[..15], b"\0\0\0\x0bssh-ed25519");
        assert_eq!(&file[15..19], &[0, 0, 0, 64]);
        // The public half at its end is the one that clients see.
        assert_eq!(file[19 + 32..], keys.host_key_blob()[19..]);
        let pair = Ed25519Keypair::from_bytes(file[19..].try_into().unwrap()).unwrap();
        assert_eq!(pair.public, keys.host.public);
    }

    #[test]
    fn the_fingerprint_is_of_the_wire_form() {
        let keys = GuestKeys::generate();
        let public = ssh_key::PublicKey::from_bytes(&keys.host_key_blob()).unwrap();
        assert_eq!(keys.host_fingerprint(), public.fingerprint(HashAlg::Sha256).to_string());
        assert!(keys.host_fingerprint().starts_with("SHA256:"));
    }

    #[test]
    fn the_user_key_opens_what_authorized_keys_locks() {
        let keys = GuestKeys::generate();
        let private = PrivateKey::from_openssh(keys.user_private_key()).unwrap();
        let public = ssh_key::PublicKey::from_openssh(keys.authorized_keys().trim()).unwrap();
        assert_eq!(private.public_key().key_data(), public.key_data());
    }

    #[test]
    fn no_two_guests_share_keys_and_debug_shows_no_secret() {
        let (one, two) = (GuestKeys::generate(), GuestKeys::generate());
        assert_ne!(one.host_key_blob(), two.host_key_blob());
        assert_ne!(one.authorized_keys(), two.authorized_keys());
        assert_eq!(format!("{one:?}"), format!("GuestKeys {{ host: \"{}\", .. }}", one.host_fingerprint()));
    }
}
