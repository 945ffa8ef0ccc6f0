//! The proof that a guest is what was asked for: its accelerator, its processors, and who really carries its packets.
//!
//! vhost-net is believed only on three grounds at once: QEMU holds /dev/vhost-net, QEMU says that vhost is started, and the kernel's
//! worker for this QEMU exists wherever rig can see one. Must not change anything. Units: counts.
//! Errors: [`GuestError::NotAsAsked`], which blames the host or QEMU.
//! Sources: drivers/vhost/vhost.c (`vhost-<pid>`: a kernel thread, since 6.4 a thread of QEMU), QEMU 7.2's qapi/virtio.json.
//! Tests: below, on made-up /proc trees; on real guests in `tests/qemu.rs`.

use std::io;
use std::path::Path;

use qapi::qmp;
use serde_json::{Value, json};

use super::argv::DATA_NIC;
use super::error::GuestError;
use super::guest::{Guest, QMP_DEADLINE};
use crate::configuration::{Engine, NicBackend};
use crate::process;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// As `query-kvm` confirmed it.
    pub engine: Engine,
    /// As `query-cpus-fast` counted them.
    pub vcpus: u32,
    /// Why it is believed that vhost-net carries the packets; empty where the configuration has none (and it was looked for).
    pub vhost_proof: String,
}

impl Guest {
    /// Compares the running guest with what was asked for.
    ///
    /// # Errors
    /// [`GuestError::NotAsAsked`], [`GuestError::Qmp`]
    pub async fn verify(&self) -> Result<Verified, GuestError> {
        let not = |what: String| GuestError::NotAsAsked { what };
        let kvm = self.qmp().execute(qmp::query_kvm {}, QMP_DEADLINE).await?;
        let engine = if kvm.enabled { Engine::Kvm } else { Engine::Tcg };
        if engine != self.engine() {
            return Err(not(format!("it runs on {engine}, not on {}", self.engine())));
        }
        let cpus = self.qmp().execute_raw("query-cpus-fast", json!({}), QMP_DEADLINE).await?;
        let vcpus = cpus.as_array().map_or(0, Vec::len);
        if vcpus != self.spec().vcpus as usize {
            return Err(not(format!("it has {vcpus} vcpus, not {}", self.spec().vcpus)));
        }
        // The workers are the host's, and so is the number in their names.
        let seen = process::host_pid(self.pid())
            .and_then(|pid| Vhost::look(process::host_proc(), pid))
            .map_err(GuestError::prepare("a look at the QEMU process in the host's /proc"))?;
        let vhost_proof = match self.spec().nic.backend {
            NicBackend::Tap | NicBackend::User | NicBackend::Socket => {
                seen.prove_off().map_err(not)?;
                String::new()
            }
            NicBackend::TapVhost => {
                let path = format!("/machine/peripheral/{DATA_NIC}/virtio-backend");
                let asked = json!({ "path": path });
                // An unstable query, there since QEMU 7.2; where it is refused, the other grounds must do.
                let status = self.qmp().execute_raw("x-query-virtio-status", asked, QMP_DEADLINE).await.ok();
                seen.prove_on(self.spec().nic.queues, status.as_ref()).map_err(not)?
            }
        };
        Ok(Verified { engine, vcpus: self.spec().vcpus, vhost_proof })
    }
}

/// What the host shows of a QEMU's use of vhost-net.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Vhost {
    /// Its open descriptors of /dev/vhost-net.
    descriptors: u32,
    /// Worker threads within QEMU (kernel 6.4 and later).
    tasks: u32,
    /// Kernel threads named after QEMU (before 6.4); a container's PID namespace hides them.
    kthreads: u32,
    /// Whether kernel threads can be seen at all: `kthreadd` is there.
    kthreads_visible: bool,
}

impl Vhost {
    fn look(proc: &Path, pid: u32) -> io::Result<Self> {
        let own = proc.join(pid.to_string());
        let mut seen = Self::default();
        for entry in own.join("fd").read_dir()? {
            // A descriptor that is closed meanwhile is not of interest.
            let link = std::fs::read_link(entry?.path()).unwrap_or_default();
            seen.descriptors += u32::from(link == Path::new("/dev/vhost-net"));
        }
        for entry in own.join("task").read_dir()? {
            seen.tasks += u32::from(comm(&entry?.path()).starts_with("vhost-"));
        }
        let worker = format!("vhost-{pid}");
        for entry in proc.read_dir()? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            let comm = comm(&entry.path());
            seen.kthreads_visible |= comm == "kthreadd";
            seen.kthreads += u32::from(comm == worker && entry.path() != own);
        }
        Ok(seen)
    }

    fn prove_off(&self) -> Result<(), String> {
        match self.descriptors + self.tasks + self.kthreads {
            0 => Ok(()),
            _ => Err(format!("vhost is on, and must not be: {}", self.describe())),
        }
    }

    /// The proof's text. One descriptor for each queue pair; a worker for each where workers are visible.
    fn prove_on(&self, queues: u32, status: Option<&Value>) -> Result<String, String> {
        let is_off = |why: String| Err(format!("vhost is not on: {why} ({})", self.describe()));
        if self.descriptors < queues {
            return is_off(format!("{queues} queue pairs need as many descriptors of /dev/vhost-net"));
        }
        let started = status.and_then(|status| status.get("vhost-started")).and_then(Value::as_bool);
        if started == Some(false) {
            return is_off("qemu says that it has not started it".to_owned());
        }
        let workers = self.tasks + self.kthreads;
        if workers == 0 && self.kthreads_visible {
            return is_off("the kernel has no worker for it".to_owned());
        }
        if workers == 0 && started.is_none() {
            return is_off("neither a worker nor qemu's word for it can be seen".to_owned());
        }
        let word = match started {
            Some(_) => "qemu says vhost-started",
            None => "qemu cannot be asked",
        };
        Ok(format!("{}; {word}", self.describe()))
    }

    fn describe(&self) -> String {
        let hidden = if self.kthreads_visible { "" } else { " (kernel threads are hidden)" };
        format!(
            "{} descriptors of /dev/vhost-net, {} worker threads in qemu, {} kernel threads{hidden}",
            self.descriptors, self.tasks, self.kthreads
        )
    }
}

/// A thread's name; empty for one that has ended meanwhile.
fn comm(task: &Path) -> String {
    std::fs::read_to_string(task.join("comm")).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A /proc with QEMU as process 40, whose descriptors and threads are these; `others` are (pid, comm).
    fn proc(fds: &[&str], threads: &[&str], others: &[(u32, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &Path, name: &str| {
            fs_err::create_dir_all(path).unwrap();
            fs_err::write(path.join("comm"), format!("{name}\n")).unwrap();
        };
        let own = folder.path().join("40");
        put(&own, "qemu-system-x86");
        fs_err::create_dir_all(own.join("fd")).unwrap();
        for (number, target) in fds.iter().enumerate() {
            symlink(target, own.join("fd").join(number.to_string())).unwrap();
        }
        for (number, name) in threads.iter().enumerate() {
            put(&own.join("task").join((40 + number).to_string()), name);
        }
        for (pid, name) in others {
            put(&folder.path().join(pid.to_string()), name);
        }
        fs_err::create_dir_all(folder.path().join("sys")).unwrap();
        folder
    }

    fn look(folder: &TempDir) -> Vhost {
        Vhost::look(folder.path(), 40).unwrap()
    }

    const STARTED: bool = true;

    fn status(started: bool) -> Value {
        json!({ "name": "virtio-net", "vhost-started": started })
    }

    #[test]
    fn a_kernel_thread_or_a_thread_of_qemu_is_a_worker() {
        let before_6_4 = proc(
            &["/dev/vhost-net"],
            &["qemu-system-x86"],
            &[(2, "kthreadd"), (41, "vhost-40"), (50, "vhost-49")],
        );
        let seen = look(&before_6_4);
        assert_eq!(seen, Vhost { descriptors: 1, tasks: 0, kthreads: 1, kthreads_visible: true });
        seen.prove_on(1, None).unwrap();
        seen.prove_off().unwrap_err();

        let since_6_4 =
            proc(&["/dev/vhost-net", "/dev/net/tun"], &["qemu-system-x86", "vhost-40"], &[(1, "init")]);
        let seen = look(&since_6_4);
        assert_eq!(seen, Vhost { descriptors: 1, tasks: 1, kthreads: 0, kthreads_visible: false });
        let proof = seen.prove_on(1, Some(&status(STARTED))).unwrap();
        assert_eq!(
            proof,
            "1 descriptors of /dev/vhost-net, 1 worker threads in qemu, 0 kernel threads (kernel threads are hidden); qemu says vhost-started"
        );
    }

    #[test]
    fn each_missing_ground_is_named() {
        let none = look(&proc(&["/dev/net/tun"], &["qemu-system-x86"], &[(2, "kthreadd")]));
        none.prove_off().unwrap();
        assert!(none.prove_on(1, Some(&status(STARTED))).unwrap_err().contains("need as many descriptors"));

        let no_worker = look(&proc(&["/dev/vhost-net"], &["qemu-system-x86"], &[(2, "kthreadd")]));
        assert!(no_worker.prove_on(1, Some(&status(STARTED))).unwrap_err().contains("no worker"));
        assert!(no_worker.prove_on(2, None).unwrap_err().starts_with("vhost is not on: 2 queue pairs"));

        let idle = look(&proc(&["/dev/vhost-net"], &["vhost-40"], &[]));
        assert!(idle.prove_on(1, Some(&status(!STARTED))).unwrap_err().contains("not started it"));

        let hidden = look(&proc(&["/dev/vhost-net"], &["qemu-system-x86"], &[]));
        hidden.prove_on(1, Some(&status(STARTED))).unwrap();
        assert!(hidden.prove_on(1, None).unwrap_err().contains("neither"));
        hidden.prove_off().unwrap_err();
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let folder = proc(&[], &[], &[]);
        Vhost::look(folder.path(), 99).unwrap_err();
    }
}
