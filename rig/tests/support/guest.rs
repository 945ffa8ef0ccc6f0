//! A network namespace with a tap in it, and an image to boot there.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rig::configuration::Engine;
use rig::configuration::{Accelerator, Hardware, Localtime, Nic, NicBackend, NicModel, QemuSpec, Tuning};
use rig::image::{Cache, Fetch, GuestKeys, Image, ImageError, Overlay, ensure};
use rig::machine::launch_ssh::{ROOT, SshPlan};
use rig::machine::qemu::argv::DATA_MAC;
use rig::machine::qemu::{GuestNet, GuestPlan, Medium};
use tempfile::TempDir;

/// A real image, and keys for the guests of one test.
#[derive(Debug, Clone)]
pub(crate) struct TestImage {
    pub(crate) image: Image,
    pub(crate) keys: GuestKeys,
}

impl TestImage {
    /// The image of the user's cache, built if it is missing; or why no guest can run here.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("not root: guests need namespaces and taps".to_owned());
        }
        if let Err(error) = Command::new(QEMU).arg("--version").output() {
            return Err(format!("{QEMU} cannot be started: {error}"));
        }
        rig::testbed::probe::tap().map_err(|why| why.to_string())?;
        match ensure(name, &Cache::of_user().unwrap(), Fetch::IfMissing, &mut |_| {}) {
            Ok(image) => Ok(Self { image, keys: GuestKeys::generate() }),
            Err(
                error @ (ImageError::Mirror { .. } | ImageError::Tool { .. } | ImageError::NoArchive { .. }),
            ) => Err(format!("no image {name}: {error}")),
            Err(error) => panic!("{:?}", miette::Report::new(error)),
        }
    }
}

/// Kills a process that the test has started.
pub(crate) fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// A namespace with a tap for the guest; the host's end of it is 192.0.2.1.
pub(crate) struct Bench {
    image: TestImage,
    namespace: Arc<OwnedFd>,
    queues: u32,
    folder: TempDir,
}

const PORT: u16 = 2222;

/// No test plays with a guest for so long.
const LIFE: Duration = Duration::from_secs(600);

/// The program that guests run in.
pub(crate) const QEMU: &str = "qemu-system-x86_64";

impl Bench {
    pub(crate) fn new(image: &TestImage, queues: u32) -> Self {
        let make = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            ip(&["link", "set", "lo", "up"]);
            Arc::new(OwnedFd::from(File::open("/proc/thread-self/ns/net").unwrap()))
        };
        let namespace = thread::spawn(make).join().unwrap();
        Self { image: image.clone(), namespace, queues, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn ssh(&self) -> SshPlan {
        SshPlan {
            port: PORT,
            namespace: Some(Arc::clone(&self.namespace)),
            host_key: Some(self.image.keys.host_key_blob()),
            user: ROOT.to_owned(),
            private_key: self.image.keys.user_private_key(),
        }
    }

    /// A guest here; its tap is made anew, the one of an earlier guest has vanished with it.
    pub(crate) fn plan(&self, model: NicModel, backend: NicBackend, queues: u32) -> GuestPlan {
        let taps = match backend {
            NicBackend::Tap | NicBackend::TapVhost => self.open_tap(),
            // The test brings what carries their frames.
            NicBackend::Macvtap
            | NicBackend::MacvtapVhost
            | NicBackend::User
            | NicBackend::Passt
            | NicBackend::Socket => Vec::new(),
        };
        let loaded = self.image.image.load().unwrap();
        GuestPlan {
            spec: QemuSpec {
                accelerator: Accelerator::Tcg,
                machine: "q35".to_owned(),
                vcpus: 1,
                memory_mib: 256,
                nic: Nic { model, backend, queues },
                localtime: Localtime::Absent,
                timezone: None,
                disk: None,
                tuning: Tuning::default(),
                hardware: Hardware::default(),
            },
            engine: Engine::Tcg,
            qemu: QEMU.into(),
            medium: Medium::Kernel {
                kernel: loaded.kernel,
                release: Some(loaded.image.release),
                initramfs: loaded.initramfs,
                overlay: Overlay::new(&self.image.keys, Localtime::Absent).to_cpio(),
            },
            extra_cmdline: Vec::new(),
            net: GuestNet {
                mac: DATA_MAC,
                address: Ipv4Addr::new(192, 0, 2, 2),
                prefix: 24,
                mtu_bytes: 1500,
                control_port: PORT,
            },
            taps,
            socket: None,
            gdb: None,
            namespace: Some(self.namespace.try_clone().unwrap()),
            life: Some(LIFE),
            console_log: self.folder.path().join("console.log"),
            qmp_log: self.folder.path().join("qmp.jsonl"),
            aftermath: None,
        }
    }

    /// Does something in the namespace, on a thread of its own.
    pub(crate) fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = Arc::clone(&self.namespace);
        let enter = move || {
            nix::sched::setns(&*namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        thread::spawn(enter).join().unwrap()
    }

    fn open_tap(&self) -> Vec<OwnedFd> {
        let queues = self.queues;
        let make = move || {
            let name = next_name();
            let taps: Vec<OwnedFd> = (0..queues).map(|_| open_queue(&name, queues)).collect();
            ip(&["address", "add", "192.0.2.1/24", "dev", &name]);
            ip(&["link", "set", &name, "up"]);
            taps
        };
        self.inside(make)
    }
}

/// A guest that has just been killed may hold its tap for another moment.
fn next_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("tap{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().unwrap().success(), "ip {arguments:?}");
}

/// One queue of a tap (Documentation/networking/tuntap.rst).
fn open_queue(name: &str, queues: u32) -> OwnedFd {
    let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    if queues > 1 {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    // SAFETY: all fields of ifreq are plain numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::try_from(from).unwrap();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).unwrap();
    // SAFETY: TUNSETIFF on an open /dev/net/tun with a complete ifreq.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as libc::Ioctl, &request) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    file.into()
}
