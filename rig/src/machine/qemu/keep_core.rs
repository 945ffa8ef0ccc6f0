//! Whether a guest's memory is kept when its kernel panics, and the conversation by which it is.
//!
//! Must not know what a core consists of (`vmcore`). Units: bytes, MiB of memory, `Duration`.
//! Errors: a sentence that says why a core is not kept. Source: QEMU's qapi/dump.json.
//! Tests: below; real ones in `tests/qemu/panic.rs`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::statvfs::statvfs;
use nix::unistd::pipe2;
use serde_json::json;

use super::qmp::Qmp;
use super::vmcore::{Taken, take};

/// For the whole of a guest's memory, on a slow disk.
pub const DUMP_DEADLINE: Duration = Duration::from_secs(60);
/// For a descriptor to be taken.
const HAND_DEADLINE: Duration = Duration::from_secs(10);
/// So many files of cores lie in one folder at most.
pub const MOST_CORES: usize = 3;
/// What is left free on the disk.
const SPARE_BYTES: u64 = 64 << 20;
/// QEMU dumps what the firmware and the devices have as well.
const AROUND_BYTES: u64 = 64 << 20;
/// QEMU's name for the pipe.
const PIPE: &str = "core";
/// How the name of a core ends.
const ENDING: &str = "vmcore";

/// A file with a guest's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it has the kernel's note VMCOREINFO, by which crash and gdb find the kernel.
    pub named: bool,
}

/// What keeping a core needs.
#[derive(Debug)]
pub(super) struct CoreKeeper {
    pub(super) path: PathBuf,
    pub(super) qmp: Arc<OnceLock<Qmp>>,
    pub(super) memory_mib: u32,
}

impl CoreKeeper {
    /// Has QEMU write the memory of a guest that has died.
    pub(super) async fn keep(self) -> Result<Core, String> {
        let memory_bytes = u64::from(self.memory_mib) << 20;
        has_place(&self.path, memory_bytes)?;
        let qmp = self.qmp.get().ok_or("qemu was not spoken to yet")?;
        let (near, far) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| format!("no pipe: {errno}"))?;
        // Faster; a host that does not allow it is slower.
        let _ = fcntl(&far, FcntlArg::F_SETPIPE_SZ(1 << 20));
        let named = json!({ "fdname": PIPE });
        let handed = qmp.execute_of_the_dead("getfd", named, Some(far), HAND_DEADLINE).await;
        handed.map_err(|error| error.to_string())?;
        let path = self.path.clone();
        let taking =
            tokio::task::spawn_blocking(move || take(File::from(near), &path, memory_bytes + AROUND_BYTES));
        let dump = json!({ "paging": false, "protocol": format!("fd:{PIPE}") });
        let dumped = qmp.execute_of_the_dead("dump-guest-memory", dump, None, DUMP_DEADLINE);
        // A core that lies there whole is one, whatever QEMU says of it; where QEMU refuses, nothing will come.
        let both = async {
            let mut taking = std::pin::pin!(taking);
            let taken = tokio::select! {
                biased;
                taken = &mut taking => taken,
                dumped = dumped => {
                    dumped.map_err(|error| error.to_string())?;
                    taking.await
                }
            };
            taken.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        let late = || format!("it was not written within {} s", DUMP_DEADLINE.as_secs());
        let Taken { named } = tokio::time::timeout(DUMP_DEADLINE, both).await.map_err(|_| late())??;
        qmp.note(
            &json!({ "core": self.path.file_name().map(|name| name.to_string_lossy()), "vmcoreinfo": named }),
        );
        Ok(Core { path: self.path, named })
    }
}

/// Whether a core of this size may lie there.
fn has_place(path: &Path, memory_bytes: u64) -> Result<(), String> {
    let folder = path.parent().ok_or("it has no folder")?;
    let cannot = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(cannot)?;
    if !fs::symlink_metadata(folder).map_err(cannot)?.is_dir() {
        return Err(format!("{} is a link", folder.display()));
    }
    let is_core = |other: &PathBuf| other != path && other.extension().is_some_and(|end| end == ENDING);
    let others = fs::read_dir(folder).map_err(cannot)?.flatten().map(|entry| entry.path()).filter(is_core);
    if others.count() >= MOST_CORES {
        return Err(format!("{MOST_CORES} others lie in {} already", folder.display()));
    }
    room_for_core(folder, memory_bytes)
}

/// Whether the disk of a folder, which exists, has room for the memory of a guest.
///
/// # Errors
/// A sentence with both sizes.
pub fn room_for_core(folder: &Path, memory_bytes: u64) -> Result<(), String> {
    let found = statvfs(folder).map_err(|errno| format!("{}: {errno}", folder.display()))?;
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    if free < memory_bytes + SPARE_BYTES {
        return Err(format!(
            "{} has {} MiB free, and a core of a guest with {} MiB needs up to {} MiB",
            folder.display(),
            free >> 20,
            memory_bytes >> 20,
            (memory_bytes + SPARE_BYTES) >> 20
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_some_cores_and_one_of_the_same_name_again() {
        let folder = tempfile::tempdir().unwrap();
        let cores = folder.path().join("core");
        for number in 0..MOST_CORES {
            let path = cores.join(format!("{number}.vmcore"));
            assert_eq!(has_place(&path, 1), Ok(()));
            fs_err::write(path, "").unwrap();
        }
        fs_err::write(cores.join("x.unfinished"), "").unwrap();
        assert_eq!(has_place(&cores.join("0.vmcore"), 1), Ok(()));
        let refused = has_place(&cores.join("new.vmcore"), 1).unwrap_err();
        assert!(refused.starts_with("3 others lie in ") && refused.ends_with("core already"), "{refused}");
    }

    #[test]
    fn a_disk_that_is_too_small_is_named_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let refused = has_place(&folder.path().join("core/a.vmcore"), 1 << 60).unwrap_err();
        assert!(
            refused.contains(" MiB free, and a core of a guest with 1099511627776 MiB needs"),
            "{refused}"
        );
        std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
        let refused = has_place(&folder.path().join("link/a.vmcore"), 1).unwrap_err();
        assert!(refused.ends_with("link is a link"), "{refused}");
    }
}
