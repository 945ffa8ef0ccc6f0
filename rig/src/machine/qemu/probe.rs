//! Which accelerator functions here: found out by booting a guest, never by looking at a device.
//!
//! There are hosts where /dev/kvm opens and gives virtual machines in which no kernel boots, so only a guest whose init speaks counts.
//! The answer is kept in a file for this boot of this host, this QEMU and this kernel image. Units: `Duration`.
//! Must not know configurations or cells. Errors: [`ProbeError`], which blames the host (KVM asked for and not there) or the disk.
//! The ioctls: Documentation/virt/kvm/api.rst. Tests: below; on this machine's real /dev/kvm in `tests/qemu.rs`.

#![expect(unsafe_code, reason = "the ioctls of /dev/kvm")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::OpenOptions;
use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::argv::{DATA_MAC, GuestNet};
use super::error::GuestError;
use super::guest::Guest;
use super::medium::Medium;
use super::plan::GuestPlan;
use super::program::file_of;
use crate::configuration::{
    Accelerator, Engine, Hardware, Localtime, Nic, NicBackend, NicModel, QemuSpec, Resolved, Tuning,
};
use crate::process::Sealed;

/// What a probe needs.
#[derive(Debug, Clone)]
pub struct ProbeKit {
    /// `qemu-system-x86_64`
    pub qemu: PathBuf,
    /// A kernel that guests really use.
    pub kernel: Sealed,
    /// Its initramfs; that its init speaks (`rig: ready` or `rig: failed`) is the proof.
    pub initramfs: Sealed,
    /// A cpio archive over it; may be empty.
    pub overlay: Vec<u8>,
    /// Where answers are kept (rig's cache).
    pub cache: PathBuf,
    /// A host on which KVM functions boots in a second or two; one that emulates KVM in about five.
    pub within: Duration,
    /// `/dev/kvm`
    pub device: PathBuf,
    /// What it says of KVM when a guest is late.
    pub lateness: Lateness,
}

/// What it says of KVM when a guest does not come up in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lateness {
    /// It does not function.
    Answer,
    /// Nothing yet: where KVM is itself emulated, a guest hangs now and then.
    Chance,
}

/// The folder of kept answers in rig's cache.
pub const FOLDER: &str = "probe";

/// The usual bound of a probe.
pub const PROBE_DEADLINE: Duration = Duration::from_secs(20);

/// Why there is no accelerator as asked.
#[derive(Debug, Error, Diagnostic)]
pub enum ProbeError {
    /// KVM was asked for by name.
    #[error("KVM was asked for, and does not work here: {reason}")]
    #[diagnostic(help(
        "use accelerator = \"auto\", run on another host, or try `rig rehearse`, which emulates one"
    ))]
    NoKvm {
        /// Why not.
        reason: String,
    },
    /// There is no place to keep an answer in.
    #[error("the probe has no folder for its result: {reason}")]
    #[diagnostic(help("set XDG_CACHE_HOME, or HOME"))]
    NoCache {
        /// Why not.
        reason: String,
    },
    /// The answer cannot be kept, or the probe's files cannot be made.
    #[error("cannot keep the probe's files in {path}")]
    #[diagnostic(help("make that directory writable, or set XDG_CACHE_HOME to one that is"))]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Finds out what an accelerator stands for on this host.
///
/// `auto` always has an answer; only `kvm` can fail for want of KVM. Asking for `tcg` asks nobody.
///
/// # Errors
/// [`ProbeError`]
pub async fn resolve(asked: Accelerator, kit: &ProbeKit) -> Result<Resolved, ProbeError> {
    if asked == Accelerator::Tcg {
        return Ok(Resolved {
            engine: Engine::Tcg,
            reason: "the configuration asks for emulation".to_owned(),
        });
    }
    let resolved = match refuse_quickly(&kit.device) {
        Some(reason) => Resolved { engine: Engine::Tcg, reason },
        None => resolve_by_guest(kit).await?,
    };
    match (asked, resolved.engine) {
        (Accelerator::Kvm, Engine::Tcg) => Err(ProbeError::NoKvm { reason: resolved.reason }),
        (Accelerator::Auto | Accelerator::Kvm | Accelerator::Tcg, Engine::Kvm | Engine::Tcg) => Ok(resolved),
    }
}

/// What is known without booting a guest: that KVM cannot function, or the answer that was kept of an earlier probe.
pub fn known(kit: &ProbeKit) -> Option<Resolved> {
    match refuse_quickly(&kit.device) {
        Some(reason) => Some(Resolved { engine: Engine::Tcg, reason }),
        None => recall(&kit.cache.join(format!("accelerator-{}.json", identify(kit).ok()?))),
    }
}

/// The kept answer, or a fresh one, which is then kept.
async fn resolve_by_guest(kit: &ProbeKit) -> Result<Resolved, ProbeError> {
    let trouble = |source| ProbeError::Cache { path: kit.cache.clone(), source };
    let file = kit.cache.join(format!("accelerator-{}.json", identify(kit).map_err(trouble)?));
    if let Some(kept) = recall(&file) {
        return Ok(kept);
    }
    fs_err::create_dir_all(&kit.cache).map_err(trouble)?;
    let logs = tempfile::Builder::new().prefix("probe-").tempdir_in(&kit.cache).map_err(trouble)?;
    let (resolved, validity) = ask_again(async || boot_probe(kit, logs.path()).await).await;
    if validity == Validity::Lasting {
        keep(&file, &resolved).map_err(trouble)?;
    }
    Ok(resolved)
}

/// How often a guest that died is tried again.
const AGAIN: u32 = 2;

/// What the end of a probe's guest is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    /// It will hold for this boot of the host.
    Lasting,
    /// The host may do better next time: no memory, a missing file.
    Passing,
    /// A guest died in its boot. Where KVM does not function all do; where KVM is itself emulated, one does now and then.
    Chance,
}

/// Tries again what may have been chance; an answer that chance gives every time is none.
async fn ask_again(mut probe: impl AsyncFnMut() -> (Resolved, Validity)) -> (Resolved, Validity) {
    for _ in 0..AGAIN {
        match probe().await {
            (_, Validity::Chance) => {}
            told => return told,
        }
    }
    match probe().await {
        (Resolved { engine, reason }, Validity::Chance) => {
            (Resolved { engine, reason: format!("{reason} (as {AGAIN} before it)") }, Validity::Lasting)
        }
        told => told,
    }
}

/// An answer that was kept. One that does not decode is as good as none.
fn recall(file: &Path) -> Option<Resolved> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Whole or not at all: two runs may keep it at once.
fn keep(file: &Path, resolved: &Resolved) -> io::Result<()> {
    let folder = file.parent().expect("the file was named within the cache");
    let fresh = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&fresh, resolved)?;
    fresh.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// What can be told without a guest: no device, no permission, not KVM's version 12, no virtual machine.
fn refuse_quickly(device: &Path) -> Option<String> {
    // KVM_GET_API_VERSION and KVM_CREATE_VM, _IO(0xAE, 0) and _IO(0xAE, 1) of include/uapi/linux/kvm.h.
    const GET_API_VERSION: libc::Ioctl = 0xAE00;
    const CREATE_VM: libc::Ioctl = 0xAE01;
    let name = device.display();
    let kvm = match OpenOptions::new().read(true).write(true).open(device) {
        Ok(kvm) => kvm,
        Err(error) => {
            return Some(match error.kind() {
                io::ErrorKind::NotFound => format!("there is no {name}"),
                io::ErrorKind::PermissionDenied => format!("this user may not open {name}"),
                _ => format!("{name} does not open: {error}"),
            });
        }
    };
    // SAFETY: KVM's ioctl without an argument, on a descriptor that is open; another kind of file refuses it (ENOTTY).
    let version = unsafe { libc::ioctl(kvm.as_raw_fd(), GET_API_VERSION, 0) };
    if version != 12 {
        return Some(format!("{name} is not the interface of KVM (it says version {version})"));
    }
    // SAFETY: as above; machine type 0 is the default one.
    let machine = unsafe { libc::ioctl(kvm.as_raw_fd(), CREATE_VM, 0) };
    if machine < 0 {
        return Some(format!("KVM cannot create a VM: {}", io::Error::last_os_error()));
    }
    // SAFETY: the kernel has just given it to us; it is closed at once.
    drop(unsafe { OwnedFd::from_raw_fd(machine) });
    None
}

/// The probe's guest.
fn asked_for() -> QemuSpec {
    QemuSpec {
        accelerator: Accelerator::Kvm,
        machine: "q35".to_owned(),
        vcpus: 1,
        memory_mib: 256,
        nic: Nic { model: NicModel::VirtioNet, backend: NicBackend::User, queues: 1 },
        localtime: Localtime::Present,
        timezone: None,
        disk: None,
        tuning: Tuning::default(),
        hardware: Hardware::default(),
    }
}

/// Boots a guest under KVM.
async fn boot_probe(kit: &ProbeKit, logs: &Path) -> (Resolved, Validity) {
    let tcg = |reason: String| Resolved { engine: Engine::Tcg, reason };
    // Port 0: libslirp takes a free one, nobody is going to connect.
    let address = std::net::Ipv4Addr::UNSPECIFIED;
    let net = GuestNet { mac: DATA_MAC, address, prefix: 24, mtu_bytes: 1500, control_port: 0 };
    let plan = GuestPlan {
        spec: asked_for(),
        engine: Engine::Kvm,
        qemu: kit.qemu.clone(),
        medium: Medium::Kernel {
            kernel: kit.kernel.clone(),
            release: None,
            initramfs: kit.initramfs.clone(),
            overlay: kit.overlay.clone(),
        },
        extra_cmdline: match kit.lateness {
            // `quiet` of the ordinary command line is taken back: how far a kernel came is the reason that is recorded.
            Lateness::Answer => vec!["loglevel=7".to_owned()],
            // Each character on an emulated serial line is an exit of the guest: half a minute for a whole boot.
            Lateness::Chance => vec![],
        },
        net,
        taps: Vec::new(),
        socket: None,
        gdb: None,
        namespace: None,
        life: Some(kit.within),
        console_log: logs.join("console.log"),
        qmp_log: logs.join("qmp.jsonl"),
        aftermath: None,
    };
    match Guest::boot(plan, kit.within).await {
        Ok(guest) => {
            let reason = format!(
                "a guest booted under KVM in {:.1} s (kernel {})",
                guest.ready_after().as_secs_f64(),
                guest.release()
            );
            guest.stop().await;
            (Resolved { engine: Engine::Kvm, reason }, Validity::Lasting)
        }
        // Its kernel and its init ran, which is what was asked.
        Err(GuestError::InitFailed { .. }) => {
            let reason = "a guest's kernel and init ran under KVM".to_owned();
            (Resolved { engine: Engine::Kvm, reason }, Validity::Lasting)
        }
        Err(error) => {
            let (reason, validity) = explain(&error, kit.lateness);
            (tcg(reason), validity)
        }
    }
}

/// Why the probe's guest did not come up, in one line.
fn explain(error: &GuestError, lateness: Lateness) -> (String, Validity) {
    match error {
        GuestError::NotReady { within, last_words, .. } => {
            let reason = format!(
                "/dev/kvm opens, but a guest under KVM did not come up within {within:?}; {last_words}"
            );
            let validity = match lateness {
                Lateness::Answer => Validity::Lasting,
                Lateness::Chance => Validity::Chance,
            };
            (reason, validity)
        }
        GuestError::Start { reason, stderr, .. } => {
            let told = stderr.lines().find(|line| line.contains("failed")).unwrap_or(reason);
            (format!("/dev/kvm opens, but qemu does not run a guest with it: {told}"), Validity::Lasting)
        }
        GuestError::Died { reason, .. } | GuestError::Panicked { reason, .. } => {
            (format!("/dev/kvm opens, but a guest under KVM dies in its boot: {reason}"), Validity::Chance)
        }
        GuestError::InitFailed { .. }
        | GuestError::Unsupported(_)
        | GuestError::Prepare { .. }
        | GuestError::Spawn { .. }
        | GuestError::NoVhost { .. }
        | GuestError::NoVsock { .. }
        | GuestError::Qmp(_)
        | GuestError::NotAsAsked { .. } => (format!("KVM could not be tried: {error}"), Validity::Passing),
    }
}

/// Names what the answer depends on: the boot of this host, its kernel and CPU, /dev/kvm, QEMU, the guest's kernel.
fn identify(kit: &ProbeKit) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for file in ["/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/osrelease"] {
        add(&fs_err::read(file)?);
    }
    let cpu = fs_err::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find(|line| line.starts_with("model name")).unwrap_or("unknown");
    add(model.as_bytes());
    for bytes in [&kit.kernel, &kit.initramfs] {
        add(bytes.sha256().as_bytes());
    }
    for file in [&kit.device, &file_of(&kit.qemu)] {
        let meta = fs_err::metadata(file)?;
        add(file.as_os_str().as_encoded_bytes());
        for number in [meta.ino(), meta.rdev(), meta.len()] {
            add(&number.to_le_bytes());
        }
        // A device's times say when somebody used it; a file's modification says what it is.
        add(&if meta.rdev() == 0 { meta.mtime() } else { 0 }.to_le_bytes());
    }
    add(&kit.within.as_millis().to_le_bytes());
    Ok(format!("{:.16x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kit(folder: &Path, device: &str) -> ProbeKit {
        let file = |name: &str| {
            let path = folder.join(name);
            fs_err::write(&path, name).unwrap();
            path
        };
        ProbeKit {
            qemu: file("qemu"),
            kernel: Sealed::of(&b"kernel"[..]).unwrap(),
            initramfs: Sealed::of(&b"initramfs"[..]).unwrap(),
            overlay: Vec::new(),
            cache: folder.join("cache"),
            within: Duration::from_secs(60),
            device: device.into(),
            lateness: Lateness::Answer,
        }
    }

    #[tokio::test]
    async fn one_death_is_chance_and_three_are_an_answer() {
        let told = |reason: &str, engine| Resolved { engine, reason: reason.into() };
        let played = async |answers: &[Validity]| {
            let mut left = answers.iter().copied();
            let engine = |answer| if answer == Validity::Lasting { Engine::Kvm } else { Engine::Tcg };
            let probe = async || {
                left.next().map(|answer| (told("why", engine(answer)), answer)).expect("asked too often")
            };
            let answer = ask_again(probe).await;
            assert_eq!(left.next(), None, "asked too seldom");
            answer
        };
        use Validity::{Chance, Lasting, Passing};
        assert_eq!(played(&[Lasting]).await, (told("why", Engine::Kvm), Lasting));
        assert_eq!(played(&[Chance, Lasting]).await, (told("why", Engine::Kvm), Lasting));
        assert_eq!(played(&[Chance, Chance, Passing]).await.1, Passing);
        let dead = told("why (as 2 before it)", Engine::Tcg);
        assert_eq!(played(&[Chance, Chance, Chance]).await, (dead, Lasting));
    }

    #[tokio::test]
    async fn without_a_device_auto_is_tcg_and_kvm_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let kit = kit(folder.path(), "/nonexistent/kvm");
        let auto = resolve(Accelerator::Auto, &kit).await.unwrap();
        assert_eq!(auto, Resolved { engine: Engine::Tcg, reason: "there is no /nonexistent/kvm".into() });
        let kvm = resolve(Accelerator::Kvm, &kit).await.unwrap_err();
        assert_eq!(
            kvm.to_string(),
            "KVM was asked for, and does not work here: there is no /nonexistent/kvm"
        );
        assert_eq!(resolve(Accelerator::Tcg, &kit).await.unwrap().engine, Engine::Tcg);
    }

    #[test]
    fn another_device_is_not_kvm() {
        let refused = refuse_quickly(Path::new("/dev/null")).unwrap();
        assert_eq!(refused, "/dev/null is not the interface of KVM (it says version -1)");
    }

    #[test]
    fn an_answer_is_kept_whole_and_garbage_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answer.json");
        assert_eq!(recall(&file), None);
        let resolved = Resolved { engine: Engine::Kvm, reason: "a guest booted".into() };
        keep(&file, &resolved).unwrap();
        assert_eq!(recall(&file), Some(resolved));
        fs_err::write(&file, "{").unwrap();
        assert_eq!(recall(&file), None);
    }

    #[test]
    fn another_kernel_is_another_question() {
        let folder = tempfile::tempdir().unwrap();
        let mut kit = kit(folder.path(), "/dev/null");
        let before = identify(&kit).unwrap();
        assert_eq!(identify(&kit).unwrap(), before);
        kit.kernel = Sealed::of(&b"a newer one"[..]).unwrap();
        assert_ne!(identify(&kit).unwrap(), before);
    }

    #[tokio::test]
    async fn a_probe_that_cannot_be_made_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut kit = kit(folder.path(), "/dev/null");
        kit.qemu = folder.path().join("no-program");
        fs_err::write(&kit.qemu, "no program").unwrap();
        let resolved = resolve_by_guest(&kit).await.unwrap();
        assert_eq!(resolved.engine, Engine::Tcg);
        assert!(resolved.reason.starts_with("KVM could not be tried: cannot start"), "{}", resolved.reason);
        assert_eq!(fs_err::read_dir(&kit.cache).unwrap().count(), 0);
    }
}
