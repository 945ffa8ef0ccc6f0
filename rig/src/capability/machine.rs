//! Probes of the machine itself: privileges, KVM, memory, disk.
//!
//! Must not know networks or images. Units: MiB, bytes.
//! Errors: none; see [`Capability`].
//! Tests: below.

use std::path::Path;

use fs_err as fs;
use nix::sys::statvfs::statvfs;

use super::row::{Capability, Need};

/// A guest's memory plus what QEMU takes around it.
const GUEST_MIB: u64 = 512 + 64;

/// Two images, fetched packages and lists, and a nightly run's record.
const WANTED_DISK_BYTES: u64 = 1 << 30;

/// Whether we are root: namespaces, taps and nftables need it.
pub fn root() -> Capability {
    if nix::unistd::geteuid().is_root() {
        Capability::usable("root", Need::Guests, "effective user is root")
    } else {
        let user = nix::unistd::geteuid();
        Capability::missing("root", Need::Guests, format!("effective user id is {user}"), "run it with sudo")
    }
}

/// Whether a KVM guest really boots, which an opened device does not tell.
///
/// `boots` starts a tiny guest and says what it found; without it the device alone is looked at.
pub fn kvm(boots: Option<&dyn Fn() -> Result<String, String>>) -> Capability {
    let advice = "guests run emulated (TCG): right results, slower, and never counted as KVM";
    let opened = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    let device = match opened {
        Ok(device) => device,
        Err(error) => return Capability::missing("kvm", Need::Some, error.to_string(), advice),
    };
    drop(device);
    match boots.map(|boots| boots()) {
        Some(Ok(detail)) => Capability::usable("kvm", Need::Some, detail),
        Some(Err(reason)) => Capability::present("kvm", Need::Some, reason, advice),
        None => Capability::present(
            "kvm",
            Need::Some,
            "/dev/kvm opens",
            "the first block shows whether a guest boots",
        ),
    }
}

/// How many guests fit into the free memory.
pub fn memory() -> Capability {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match available_mib(&text) {
        Some(free) => memory_for(free),
        None => Capability::present(
            "memory",
            Need::Some,
            "/proc/meminfo does not say",
            "start one guest at a time",
        ),
    }
}

fn memory_for(free_mib: u64) -> Capability {
    let guests = free_mib / GUEST_MIB;
    let detail =
        format!("{free_mib} MiB free: {guests} guest{} of 512 MiB", if guests == 1 { "" } else { "s" });
    if guests > 0 {
        Capability::usable("memory", Need::Guests, detail)
    } else {
        Capability::missing("memory", Need::Guests, detail, format!("free at least {GUEST_MIB} MiB"))
    }
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

/// Whether there is space in these folders (or where they will be made).
pub fn disk(folders: &[(&str, &Path)]) -> Capability {
    let mut details = Vec::new();
    let mut short = None;
    for (what, folder) in folders {
        match free_bytes(folder) {
            Ok(free) => {
                details.push(format!("{:.1} GiB free for {what}", free as f64 / f64::from(1 << 30)));
                if free < WANTED_DISK_BYTES {
                    short = Some(folder.display().to_string());
                }
            }
            Err(reason) => {
                details.push(format!("{what}: {reason}"));
                short = Some(folder.display().to_string());
            }
        }
    }
    let detail = details.join(", ");
    match short {
        None => Capability::usable("disk", Need::Some, detail),
        Some(folder) => Capability::present(
            "disk",
            Need::Some,
            detail,
            format!("make at least 1 GiB of space at {folder}"),
        ),
    }
}

fn free_bytes(folder: &Path) -> Result<u64, String> {
    let absolute = std::path::absolute(folder).map_err(|error| error.to_string())?;
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let found = statvfs(existing).map_err(|errno| format!("{}: {errno}", existing.display()))?;
    Ok(found.blocks_available() * found.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::super::row::State;
    use super::*;

    #[test]
    fn memory_is_counted_in_guests() {
        assert_eq!(available_mib("MemTotal: 1 kB\nMemAvailable:    2097152 kB\n"), Some(2048));
        assert_eq!(available_mib("MemTotal: 1 kB\n"), None);
        assert_eq!(memory_for(2048).detail, "2048 MiB free: 3 guests of 512 MiB");
        assert_eq!(memory_for(500).state, State::Missing);
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_has_the_space_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        assert_eq!(free_bytes(&deep).is_ok(), free_bytes(folder.path()).is_ok());
        assert!(disk(&[("results", &deep)]).detail.contains("GiB free for results"));
    }

    #[test]
    fn kvm_counts_only_when_a_guest_boots() {
        let no = |reason: &'static str| move || Err::<String, String>(reason.to_owned());
        let capability = kvm(Some(&no("hangs after \"Probing EDD\"")));
        assert_ne!(capability.state, State::Usable);
        if std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok() {
            assert_eq!(capability.detail, "hangs after \"Probing EDD\"");
            assert_eq!(kvm(Some(&|| Ok("booted in 0.5 s".to_owned()))).state, State::Usable);
            assert_eq!(kvm(None).state, State::Present);
        } else {
            assert_eq!(capability.state, State::Missing);
        }
    }
}
