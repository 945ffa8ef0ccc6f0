//! What is taken from QEMU before it runs, because a guest is not trusted: whoever breaks out of it has nobody's identity, no capability, no
//! environment, a root file system that is read-only, a /dev of three nodes, and an end to its memory and processor time.
//!
//! Holds what is taken ([`Confinement`], found out by trying it once), and how, between fork and exec. Its network namespace, its descriptors and its
//! own system call filter (`-sandbox`) are elsewhere. Must not know guests. Units: bytes, seconds.
//! Errors: `io::Error` of the call that failed; what this host does not let rig take is a [`Lack`], and QEMU runs without that part.
//! Sources: credentials(7), capabilities(7), mount_setattr(2), setrlimit(2), proc(5) on oom_score_adj; Debian policy 9.2.2 on user ids.
//! Tests: below (root); on real guests in `tests/qemu/confined.rs`.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec of QEMU: only system calls, no allocation, no lock"
)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::process;

/// User and group ids that Debian's policy gives to nobody.
const FREE_IDS: std::ops::Range<u32> = 65_000..65_534;

/// Address space beside the guest's memory. Measured with QEMU 7.2: 1.45 GiB under TCG with two processors, of which one is room for translated code.
const AROUND_BYTES: u64 = 5 << 29;
/// And for each processor: its stack, and an arena of the C library.
const PROCESSOR_BYTES: u64 = 128 << 20;

/// What is in QEMU's /dev, where the host has it.
const NODES: [&CStr; 3] = [c"/dev/null", c"/dev/urandom", c"/dev/kvm"];

/// What is taken from a QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confinement {
    identity: Identity,
    mounts: Mounts,
}

/// Who it runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// Nobody's user and group, and this further group, which may open /dev/kvm.
    Other { id: u32, group: Option<u32> },
    /// Rig's, whose capabilities are taken: in this user namespace there is no other.
    Own,
}

/// What it sees of the file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mounts {
    /// All of the host's, read-only, but for its own /dev. Where its file lies in a folder that others may not enter, a way to it is made.
    ReadOnly(Option<Way>),
    /// As rig does.
    Shared,
}

/// A way to a file in a folder that others may not enter: an empty folder is mounted over that one, in which only the file's own folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    /// The folder that others may not enter.
    closed: CString,
    /// The folders below it that lead to `open`, in their order.
    between: Vec<CString>,
    /// What is shown: the program's folder, or the program where that is `closed` itself.
    open: CString,
    is_file: bool,
}

/// How much a QEMU may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Address space.
    pub(super) memory_bytes: u64,
    /// Of all its threads together; none: no end.
    pub(super) cpu_seconds: Option<u64>,
}

impl Limits {
    /// For a guest with this memory and so many processors, that lives no longer than `life`.
    pub(super) fn of(memory_mib: u32, vcpus: u32, life: Option<std::time::Duration>) -> Self {
        let vcpus = u64::from(vcpus);
        Self {
            memory_bytes: (u64::from(memory_mib) << 20) + AROUND_BYTES + vcpus * PROCESSOR_BYTES,
            // Beside the processors there are QEMU's main loop and its worker.
            cpu_seconds: life.map(|life| (life.as_secs() + 1).saturating_mul(vcpus + 2)),
        }
    }
}

/// What this host does not let rig take from QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It keeps rig's user id.
    Identity(String),
    /// It sees the host's file systems as rig does.
    Mounts(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(why) => write!(f, "QEMU keeps rig's user id, without capabilities: {why}"),
            Self::Mounts(why) => write!(f, "QEMU sees the file systems as rig does: {why}"),
        }
    }
}

/// What can be taken from a program, and what not.
type Found = (Confinement, Vec<Lack>);

impl Confinement {
    /// What can be taken from this program here: tried, by having it say its version, once in the life of rig.
    pub(super) fn of(program: &Path) -> Found {
        static KNOWN: Mutex<BTreeMap<PathBuf, Found>> = Mutex::new(BTreeMap::new());
        let mut known = process::lock(&KNOWN);
        let (confinement, lacks) =
            known.entry(program.to_owned()).or_insert_with(|| Self::try_out(program)).clone();
        (Self { identity: confinement.identity.anew(), ..confinement }, lacks)
    }

    fn try_out(program: &Path) -> Found {
        let whole = Self { identity: Identity::free(), mounts: Mounts::ReadOnly(Way::to(program)) };
        let foreign = matches!(whole.identity, Identity::Other { .. });
        let mut lacks = Vec::new();
        let mut found = Self { identity: Identity::Own, mounts: Mounts::Shared };
        // A program that does not run in any way is told where it is started.
        if (foreign && whole.lets_run(program).is_ok()) || found.lets_run(program).is_err() {
            return (whole, lacks);
        }
        let with_mounts = Self { mounts: whole.mounts.clone(), ..found.clone() };
        match with_mounts.lets_run(program) {
            Ok(()) => found = with_mounts,
            Err(why) => lacks.push(Lack::Mounts(why)),
        }
        let with_identity = Self { identity: whole.identity, ..found.clone() };
        let tried = if foreign { with_identity.lets_run(program) } else { Err(NO_OTHER_ID.to_owned()) };
        match tried {
            Ok(()) => found = with_identity,
            Err(why) => lacks.push(Lack::Identity(why)),
        }
        (found, lacks)
    }

    /// Whether the program says its version within this.
    fn lets_run(&self, program: &Path) -> Result<(), String> {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_clear().current_dir("/");
        let this = self.clone();
        // SAFETY: it makes system calls only.
        unsafe { command.pre_exec(move || this.enter(None)) };
        let mut child = process::spawn(command).map_err(|error| error.to_string())?;
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} then ends with {status}", program.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// In the child, between fork and exec, where its network namespace is entered already. No allocation, no lock.
    pub(super) fn enter(&self, limits: Option<Limits>) -> io::Result<()> {
        die_first();
        match &self.mounts {
            Mounts::ReadOnly(way) => furnish(way.as_ref())?,
            Mounts::Shared => {}
        }
        if let Some(limits) = limits {
            limits.set()?;
        }
        self.identity.take()
    }

    /// Who it runs as, and what it sees, in words: for the log of the conversation with it.
    pub(super) fn describe(&self) -> String {
        let who = match self.identity {
            Identity::Other { id, .. } => format!("user and group {id}"),
            Identity::Own => "rig's user".to_owned(),
        };
        let sees = match self.mounts {
            Mounts::ReadOnly(_) => "a read-only root with a /dev of its own",
            Mounts::Shared => "the file systems as rig has them",
        };
        format!("{who}, no capability, no environment, {sees}")
    }
}

/// What this host does not let rig take from this QEMU; empty: everything is taken.
pub fn lacks(qemu: &Path) -> Vec<Lack> {
    Confinement::of(qemu).1
}

const NO_OTHER_ID: &str = "rig is not root, or its user namespace maps no id that belongs to nobody";

impl Identity {
    /// An id that no account has; [`Self::Own`] where rig cannot have one.
    fn free() -> Self {
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
    fn anew(&self) -> Self {
        match self {
            Self::Other { .. } => Self::free(),
            Self::Own => Self::Own,
        }
    }

    /// Takes it, and gives up every capability for good.
    fn take(&self) -> io::Result<()> {
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

impl Way {
    /// To this file (absolute, links followed), where there is no way for others.
    fn to(program: &Path) -> Option<Self> {
        let folder = program.parent()?;
        let enters = |folder: &&Path| {
            !std::fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0)
        };
        let chain: Vec<&Path> = folder.ancestors().collect();
        let closed = chain.iter().rev().copied().find(|folder| !enters(folder))?;
        let is_file = closed == folder || !enters(&folder);
        let open = if is_file { program } else { folder };
        let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
        let between = chain.iter().rev().filter(|one| one.starts_with(closed) && **one != closed);
        let between = between.filter(|one| **one != open).map(|one| text(one)).collect::<Option<_>>()?;
        Some(Self { closed: text(closed)?, between, open: text(open)?, is_file })
    }

    /// Mounts it. `shown` is what is to be seen there.
    fn make(&self, shown: &Opened) -> io::Result<()> {
        tmpfs(&self.closed)?;
        for folder in &self.between {
            make_folder(folder)?;
        }
        if self.is_file {
            make_file(&self.open)?
        } else {
            make_folder(&self.open)?
        }
        shown.bind(&self.open)
    }
}

impl Limits {
    fn set(self) -> io::Result<()> {
        let limit = |resource, soft: u64| {
            let limit = libc::rlimit { rlim_cur: soft, rlim_max: soft };
            // SAFETY: the kernel reads one rlimit.
            check(unsafe { libc::setrlimit(resource, &raw const limit) })
        };
        limit(libc::RLIMIT_AS, self.memory_bytes)?;
        limit(libc::RLIMIT_CORE, 0)?;
        // It writes no file.
        limit(libc::RLIMIT_FSIZE, 0)?;
        self.cpu_seconds.map_or(Ok(()), |seconds| limit(libc::RLIMIT_CPU, seconds))
    }
}

/// Where the host runs out of memory, the guest is to end and not rig. Where that cannot be said, nothing is lost.
fn die_first() {
    // SAFETY: open(2), write(2) and close(2) with constants.
    unsafe {
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, c"1000".as_ptr().cast(), 4);
            libc::close(file);
        }
    }
}

/// Moves the caller into mounts of its own: everything as it is and read-only, but for a small /dev and, where it is needed, a way to its file.
fn furnish(way: Option<&Way>) -> io::Result<()> {
    // SAFETY: a system call with a number.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    // Opened here: what another mount namespace has cannot be bound in this one.
    let nodes = NODES.map(|node| Opened::new(node).ok());
    let shown = way.map(|way| Opened::new(&way.open)).transpose()?;
    tmpfs(c"/dev")?;
    for (name, node) in NODES.iter().zip(&nodes) {
        if let Some(node) = node {
            node.again(name)?;
        }
    }
    if let (Some(way), Some(shown)) = (way, &shown) {
        way.make(shown)?;
    }
    read_only()
}

/// A path, opened so that it can be mounted elsewhere (`O_PATH`).
struct Opened(OwnedFd);

impl Opened {
    fn new(path: &CStr) -> io::Result<Self> {
        // SAFETY: open(2) with a C string; the result is checked, and owned by nobody else.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
            check(fd).map(|()| Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// The device again, for everybody; where rig may not make devices, the host's own with the host's permissions.
    fn again(&self, name: &CStr) -> io::Result<()> {
        // SAFETY: all zeroes is a valid stat; fstat(2) fills it; mknod(2) takes a C string and numbers.
        let made = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            check(libc::fstat(raw(&self.0), &raw mut stat))?;
            let before = libc::umask(0);
            let made = libc::mknod(name.as_ptr(), libc::S_IFCHR | 0o666, stat.st_rdev);
            libc::umask(before);
            made
        };
        if made == 0 {
            return Ok(());
        }
        make_file(name)?;
        self.bind(name)
    }

    fn bind(&self, place: &CStr) -> io::Result<()> {
        let mut name = [0; 32];
        mount(Some(own_descriptor(raw(&self.0), &mut name)), place, None, libc::MS_BIND, None)
    }
}

/// `/proc/self/fd/N`, without the allocation that `format!` makes.
fn own_descriptor(fd: RawFd, room: &mut [u8; 32]) -> &CStr {
    const FOLDER: &[u8] = b"/proc/self/fd/";
    room[..FOLDER.len()].copy_from_slice(FOLDER);
    let (mut digits, mut count, mut left) = ([0; 10], 0, fd.unsigned_abs());
    loop {
        digits[count] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        (count, left) = (count + 1, left / 10);
        if left == 0 {
            break;
        }
    }
    for (to, digit) in room[FOLDER.len()..].iter_mut().zip(digits[..count].iter().rev()) {
        *to = *digit;
    }
    CStr::from_bytes_until_nul(room).unwrap_or(c"")
}

fn raw(fd: &OwnedFd) -> RawFd {
    std::os::fd::AsRawFd::as_raw_fd(fd)
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: mount(2) with C strings or null.
    check(unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(data).cast())
    })
}

fn tmpfs(place: &CStr) -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
    mount(Some(c"rig"), place, Some(c"tmpfs"), flags, Some(c"mode=0755,size=64k"))
}

fn make_folder(path: &CStr) -> io::Result<()> {
    // SAFETY: mkdir(2) and chmod(2) with C strings; the second because of the mask.
    unsafe {
        check(libc::mkdir(path.as_ptr(), 0o755))?;
        check(libc::chmod(path.as_ptr(), 0o755))
    }
}

fn make_file(path: &CStr) -> io::Result<()> {
    // SAFETY: mknod(2) with a C string and numbers.
    check(unsafe { libc::mknod(path.as_ptr(), libc::S_IFREG | 0o444, 0) })
}

/// Every mount of this namespace, since Linux 5.12.
fn read_only() -> io::Result<()> {
    // struct mount_attr of linux/mount.h: attr_set, attr_clr, propagation, userns_fd.
    let attributes = [libc::MOUNT_ATTR_RDONLY, 0, 0, 0];
    let recursive = libc::AT_RECURSIVE.unsigned_abs();
    // SAFETY: the kernel reads as many bytes as it is told, which are there.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            recursive,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    })
}

fn check(result: libc::c_int) -> io::Result<()> {
    check_long(result.into())
}

fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
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

    #[test]
    fn a_descriptor_has_its_name() {
        for fd in [0, 7, 10, 65_535, RawFd::MAX] {
            let mut room = [0; 32];
            assert_eq!(own_descriptor(fd, &mut room).to_str().unwrap(), format!("/proc/self/fd/{fd}"));
        }
    }

    #[test]
    fn a_way_is_made_only_where_there_is_none() {
        assert_eq!(Way::to(Path::new("/bin/sh")), None);
        let folder = tempfile::tempdir().unwrap();
        let folder = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        let c = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        // The folder itself is closed (0700): the file alone is shown.
        let alone = Way::to(&folder.join("qemu")).unwrap();
        assert_eq!((alone.closed, alone.open, alone.is_file), (c(&folder), c(&folder.join("qemu")), true));
        fs_err::create_dir_all(folder.join("a/b")).unwrap();
        let way = Way::to(&folder.join("a/b/qemu")).unwrap();
        assert_eq!((way.closed, way.open, way.is_file), (c(&folder), c(&folder.join("a/b")), false));
        assert_eq!(way.between, [c(&folder.join("a"))]);
    }

    #[test]
    fn limits_grow_with_the_guest() {
        let small = Limits::of(256, 1, Some(std::time::Duration::from_secs(9)));
        let large = Limits::of(1024, 4, None);
        assert_eq!(large.memory_bytes - small.memory_bytes, (768 << 20) + 3 * PROCESSOR_BYTES);
        assert_eq!((small.cpu_seconds, large.cpu_seconds), (Some(30), None));
    }
}
