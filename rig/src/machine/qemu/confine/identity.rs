//! Who QEMU runs as: an id that no account has, without any capability; or rig's own, without any capability.
//!
//! Holds the search for an id, and how it is taken, between fork and exec. Must not know QEMU. Units: none.
//! Errors: `io::Error` of the call. Sources: credentials(7), capabilities(7), user_namespaces(7), Debian policy 9.2.2. Tests: below, and in `spawn.rs`.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec of QEMU: only system calls, no allocation, no lock"
)]

use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::calls::{check, check_long};

/// User and group ids that Debian's policy gives to nobody.
const FREE_IDS: Range<u32> = 65_000..65_534;

/// Who it runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nobody's user and group, and this further group, which may open /dev/kvm.
    Other { id: u32, group: Option<u32> },
    /// Rig's, whose capabilities are taken: in this user namespace there is no other.
    Own,
}

impl Identity {
    /// An id that no account has; [`Self::Own`] where rig cannot have one.
    pub(super) fn free() -> Self {
        let accounts =
            ["/etc/passwd", "/etc/group"].map(|file| fs_err::read_to_string(file).unwrap_or_default());
        let maps = ["uid_map", "gid_map"]
            .map(|map| fs_err::read_to_string(format!("/proc/self/{map}")).unwrap_or_default());
        let group = std::fs::metadata("/dev/kvm").ok();
        let group = group.filter(|kvm| kvm.permissions().mode() & 0o060 == 0o060).map(|kvm| kvm.gid());
        let start = ChaCha8Rng::from_os_rng().random_range(FREE_IDS);
        let ids = (start..FREE_IDS.end).chain(FREE_IDS.start..start);
        let mut free = ids.filter(|&id| {
            accounts.iter().all(|accounts| !has_account(accounts, id))
                && maps.iter().all(|map| maps_id(map, id))
        });
        match free.next() {
            Some(id) if nix::unistd::geteuid().is_root() => Self::Other { id, group },
            _ => Self::Own,
        }
    }

    /// Another id of the same kind, so that one QEMU cannot reach into another's.
    pub(super) fn anew(&self) -> Self {
        match self {
            Self::Other { .. } => Self::free(),
            Self::Own => Self::Own,
        }
    }

    /// Takes it, and gives up every capability for good.
    pub(super) fn take(&self) -> io::Result<()> {
        // SAFETY: prctl(2) with numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        for capability in 0..64_u64 {
            // SAFETY: as above. Refused for numbers that the kernel does not know, and where rig lacks CAP_SETPCAP.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
        match self {
            Self::Other { id, group } => {
                let groups = [group.unwrap_or(0)];
                let (id, count) = (libc::c_ulong::from(*id), groups[..group.iter().count()].len());
                // SAFETY: raw calls, so that no lock of the C library is taken: they change this process, which has one thread. With the last
                // user id 0 all capabilities go (capabilities(7)).
                unsafe {
                    check_long(libc::syscall(libc::SYS_setgroups, count, groups.as_ptr()))?;
                    check_long(libc::syscall(libc::SYS_setresgid, id, id, id))?;
                    check_long(libc::syscall(libc::SYS_setresuid, id, id, id))
                }
            }
            Self::Own => drop_capabilities(),
        }
    }
}

/// Of a process that stays root in its user namespace: also execve(2) gives it none any more.
fn drop_capabilities() -> io::Result<()> {
    let fixed = libc::SECBIT_NOROOT | libc::SECBIT_NOROOT_LOCKED;
    // SAFETY: prctl(2) with numbers. Without CAP_SETPCAP there is nothing to give back either.
    unsafe { libc::prctl(libc::PR_SET_SECUREBITS, fixed, 0, 0, 0) };
    // struct __user_cap_header_struct, version 3, and two of __user_cap_data_struct: linux/capability.h.
    let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    // SAFETY: both are as large as the kernel reads.
    check_long(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) })
}

/// Whether passwd(5) or group(5) names this id: it is the third field of both.
fn has_account(accounts: &str, id: u32) -> bool {
    accounts.lines().filter_map(|line| line.split(':').nth(2)).any(|field| field.parse() == Ok(id))
}

/// Whether `/proc/self/uid_map` (user_namespaces(7)) has this id: `first there, first outside, count`.
fn maps_id(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        matches!((first, count), (Some(first), Some(count)) if (first..first + count).contains(&id.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_an_account_or_without_a_place_are_not_taken() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\nodd:x:65001:1::/:/bin/sh\n";
        assert!(has_account(accounts, 65_001) && has_account(accounts, 0));
        assert!(!has_account(accounts, 65_000) && !has_account("", 0));
        assert!(maps_id("         0          0 4294967295\n", 65_000));
        assert!(maps_id("0 100000 65536\n", 65_533) && !maps_id("0 1000 1\n", 65_000));
    }
}
