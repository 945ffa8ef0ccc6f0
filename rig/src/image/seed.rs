//! The seed that lets rig into a cloud image: a FAT file system called CIDATA with the three files that cloud-init's NoCloud looks for.
//!
//! It holds the guest's host key and the key that logs in, and an address for the control NIC; it changes nothing else of the image.
//! Must not know QEMU. Units: bytes. Errors: none: it is made in memory.
//! Source: cloud-init's documentation, "NoCloud", "Networking config version 2", modules `ssh` and `users_groups`. Tests: below; booted in `tests/disk.rs`.

use std::io::{self, Cursor, Write};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use super::keys::GuestKeys;

/// The smallest FAT12 that mkfs.fat makes without being asked twice is about this.
const SEED_BYTES: usize = 1 << 20;

/// Where the control NIC is, and what address it gets.
#[derive(Debug, Clone, Copy)]
pub struct ControlLink<'a> {
    /// Its MAC address.
    pub mac: &'a str,
    /// Its address and prefix length: `203.0.113.15/24`.
    pub address: &'a str,
}

/// The image of the seed. `instance` must differ from guest to guest: cloud-init does its work once for each.
pub fn seed(keys: &GuestKeys, control: ControlLink<'_>, instance: &str) -> Vec<u8> {
    write(&[
        ("meta-data", format!("instance-id: {instance}\nlocal-hostname: guest\n")),
        ("user-data", user_data(keys)),
        ("network-config", network_config(control)),
    ])
    .expect("a file system in memory has room for three short files")
}

/// Root may log in with rig's key; the host key is rig's, so that rig knows whom it speaks to. `growpart` and package upgrades of the image's own
/// configuration stay as they are, but for a resize, which would cost minutes.
fn user_data(keys: &GuestKeys) -> String {
    let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let private = keys.host_private_key();
    format!(
        "#cloud-config\n\
         disable_root: false\n\
         users:\n  - name: root\n    ssh_authorized_keys:\n      - {}\n\
         ssh_deletekeys: true\n\
         ssh_keys:\n  ed25519_private: |\n{}  ed25519_public: {}\n\
         growpart:\n  mode: \"off\"\n\
         resize_rootfs: false\n",
        keys.authorized_keys().trim_end(),
        indented(&private),
        keys.host_public_key(),
    )
}

/// The control NIC and no other: the measured one is rig's, which names it and gives it its address.
fn network_config(control: ControlLink<'_>) -> String {
    let ControlLink { mac, address } = control;
    format!(
        "version: 2\nethernets:\n  control:\n    match:\n      macaddress: \"{mac}\"\n    dhcp4: false\n    addresses:\n      - {address}\n"
    )
}

fn write(files: &[(&str, String)]) -> io::Result<Vec<u8>> {
    let mut image = vec![0; SEED_BYTES];
    let label = FormatVolumeOptions::new().volume_label(*b"CIDATA     ").fat_type(FatType::Fat12);
    fatfs::format_volume(Cursor::new(image.as_mut_slice()), label)?;
    let system = FileSystem::new(Cursor::new(image.as_mut_slice()), FsOptions::new())?;
    for (name, text) in files {
        system.root_dir().create_file(name)?.write_all(text.as_bytes())?;
    }
    system.unmount()?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn files(image: &[u8]) -> Vec<(String, String)> {
        let mut image = image.to_vec();
        let system = FileSystem::new(Cursor::new(image.as_mut_slice()), FsOptions::new()).unwrap();
        assert_eq!(system.volume_label(), "CIDATA");
        let root = system.root_dir();
        let mut found: Vec<_> =
            root.iter().map(|entry| entry.unwrap()).filter(fatfs::DirEntry::is_file).collect();
        found.sort_by_key(fatfs::DirEntry::file_name);
        let read = |entry: &fatfs::DirEntry<'_, _>| {
            let mut text = String::new();
            entry.to_file().read_to_string(&mut text).unwrap();
            (entry.file_name(), text)
        };
        found.iter().map(read).collect()
    }

    #[test]
    fn the_seed_has_the_three_files_of_nocloud() {
        let keys = GuestKeys::generate();
        let control = ControlLink { mac: "52:54:00:00:01:02", address: "203.0.113.15/24" };
        let files = files(&seed(&keys, control, "rig-1"));
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["meta-data", "network-config", "user-data"]);
        assert!(files[0].1.contains("instance-id: rig-1\n"));
        assert!(
            files[1].1.contains("macaddress: \"52:54:00:00:01:02\"")
                && files[1].1.contains("- 203.0.113.15/24")
        );
        let user = &files[2].1;
        assert!(user.starts_with("#cloud-config\n") && user.contains(keys.authorized_keys().trim_end()));
        // The host key is the one that rig pins.
        let begin = user.find("-----BEGIN").unwrap();
        let end = user.find("-----END").unwrap();
        let key: String = user[begin..end].lines().map(|line| format!("{}\n", line.trim_start())).collect();
        let key =
            ssh_key::PrivateKey::from_openssh(format!("{}-----END OPENSSH PRIVATE KEY-----\n", key)).unwrap();
        assert_eq!(key.public_key().to_bytes().unwrap(), keys.host_key_blob());
        assert!(!user.contains(&keys.user_private_key()), "the key that logs in stays with rig");
    }
}
