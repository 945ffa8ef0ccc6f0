//! The proof that a guest is what was asked for: its kernel, its accelerator, its processors, and who really carries its packets.
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
use super::mismatch::{Mismatch, VhostLack, VhostSigns};
use crate::configuration::Engine;
use crate::process;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// As `query-kvm` confirmed it.
    pub engine: Engine,
    /// As `query-cpus-fast` counted them.
    pub vcpus: u32,
    /// What the QEMU that runs says of its version: `10.0.2 Debian 1:10.0.2+ds-2`.
    pub version: String,
    /// Why it is believed that vhost-net carries the packets; empty where the configuration has none (and it was looked for).
    pub vhost_proof: String,
}

impl Guest {
    /// Compares the running guest with what was asked for.
    ///
    /// # Errors
    /// [`GuestError::NotAsAsked`], [`GuestError::Qmp`]
    pub async fn verify(&self) -> Result<Verified, GuestError> {
        if let Some(asked) = self.asked_release()
            && asked != self.release()
        {
            let (found, asked) = (self.release().to_owned(), asked.to_owned());
            return Err(Mismatch::Release { found, asked }.into());
        }
        let kvm = self.qmp().execute(qmp::query_kvm {}, QMP_DEADLINE).await?;
        let engine = if kvm.enabled { Engine::Kvm } else { Engine::Tcg };
        if engine != self.engine() {
            return Err(Mismatch::Engine { found: engine, asked: self.engine() }.into());
        }
        let cpus = self.qmp().execute_raw("query-cpus-fast", json!({}), QMP_DEADLINE).await?;
        let vcpus = cpus.as_array().map_or(0, Vec::len);
        if vcpus != self.spec().vcpus as usize {
            return Err(Mismatch::Vcpus { found: vcpus, asked: self.spec().vcpus }.into());
        }
        self.verify_hardware(&cpus).await?;
        let version = self.qmp().execute_raw("query-version", json!({}), QMP_DEADLINE).await?;
        // The workers are the host's, and so is the number in their names.
        let seen = process::host_pid(self.pid())
            .and_then(|pid| VhostSigns::look(process::host_proc(), pid))
            .map_err(GuestError::prepare("a look at the QEMU process in the host's /proc"))?;
        let seen = seen.without_vsock(self.vsock_cid().is_some());
        let vhost_proof = if self.spec().nic.backend.has_vhost() {
            let path = format!("/machine/peripheral/{DATA_NIC}/virtio-backend");
            let asked = json!({ "path": path });
            // An unstable query, there since QEMU 7.2; where it is refused, the other grounds must do.
            let status = self.qmp().execute_raw("x-query-virtio-status", asked, QMP_DEADLINE).await.ok();
            seen.prove_on(self.spec().nic.queues, status.as_ref())?
        } else {
            seen.prove_off()?;
            String::new()
        };
        let version = version_of(&version);
        Ok(Verified { engine, vcpus: self.spec().vcpus, version, vhost_proof })
    }
}

/// The answer to `query-version` in one line.
fn version_of(answer: &Value) -> String {
    let number = |name: &str| answer.pointer(&format!("/qemu/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let package = answer.get("package").and_then(Value::as_str).unwrap_or_default().trim();
    let text = format!("{}.{}.{} {package}", number("major"), number("minor"), number("micro"));
    text.trim_end().to_owned()
}

impl VhostSigns {
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

    /// The signs of vhost-net alone: a vsock device has one worker of its own, of the same name.
    fn without_vsock(mut self, has_device: bool) -> Self {
        let workers = if self.tasks > 0 { &mut self.tasks } else { &mut self.kthreads };
        *workers = workers.saturating_sub(u32::from(has_device));
        self
    }

    fn prove_off(self) -> Result<(), Mismatch> {
        match self.descriptors + self.tasks + self.kthreads {
            0 => Ok(()),
            _ => Err(Mismatch::VhostOn { seen: self }),
        }
    }

    /// The proof's text. One descriptor for each queue pair; a worker for each where workers are visible.
    fn prove_on(self, queues: u32, status: Option<&Value>) -> Result<String, Mismatch> {
        let started = status.and_then(|status| status.get("vhost-started")).and_then(Value::as_bool);
        if let Some(lack) = self.lack(queues, started) {
            return Err(Mismatch::VhostOff { lack, seen: self });
        }
        let word = match started {
            Some(_) => "qemu says vhost-started",
            None => "qemu cannot be asked",
        };
        Ok(format!("{self}; {word}"))
    }

    fn lack(&self, queues: u32, started: Option<bool>) -> Option<VhostLack> {
        let workers = self.tasks + self.kthreads;
        if self.descriptors < queues {
            Some(VhostLack::Descriptors { queues })
        } else if started == Some(false) {
            Some(VhostLack::NotStarted)
        } else if workers == 0 && self.kthreads_visible {
            Some(VhostLack::Worker)
        } else if workers == 0 && started.is_none() {
            Some(VhostLack::Sign)
        } else {
            None
        }
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

    fn look(folder: &TempDir) -> VhostSigns {
        VhostSigns::look(folder.path(), 40).unwrap()
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
        assert_eq!(seen, VhostSigns { descriptors: 1, tasks: 0, kthreads: 1, kthreads_visible: true });
        seen.clone().prove_on(1, None).unwrap();
        seen.prove_off().unwrap_err();

        let since_6_4 =
            proc(&["/dev/vhost-net", "/dev/net/tun"], &["qemu-system-x86", "vhost-40"], &[(1, "init")]);
        let seen = look(&since_6_4);
        assert_eq!(seen, VhostSigns { descriptors: 1, tasks: 1, kthreads: 0, kthreads_visible: false });
        let proof = seen.prove_on(1, Some(&status(STARTED))).unwrap();
        assert_eq!(
            proof,
            "1 descriptors of /dev/vhost-net, 1 worker threads in qemu, 0 kernel threads (kernel threads are hidden); qemu says vhost-started"
        );
    }

    #[test]
    fn the_worker_of_a_vsock_device_is_not_taken_for_vhost_nets() {
        let with =
            |threads: &[&str], others: &[(u32, &str)]| look(&proc(&["/dev/vhost-vsock"], threads, others));
        let threads = with(&["qemu-system-x86", "vhost-40"], &[]);
        threads.clone().without_vsock(true).prove_off().unwrap();
        threads.without_vsock(false).prove_off().unwrap_err();
        let kernels = with(&["qemu-system-x86"], &[(2, "kthreadd"), (41, "vhost-40")]);
        kernels.without_vsock(true).prove_off().unwrap();
        let both = look(&proc(&["/dev/vhost-net", "/dev/vhost-vsock"], &["vhost-40"], &[(2, "kthreadd")]));
        let Mismatch::VhostOff { lack, .. } = both.without_vsock(true).prove_on(1, None).unwrap_err() else {
            panic!("a worker too few")
        };
        assert_eq!(lack, VhostLack::Worker);
    }

    #[test]
    fn each_missing_ground_is_named() {
        let lack = |seen: &VhostSigns, queues, status: Option<&Value>| match seen
            .clone()
            .prove_on(queues, status)
            .unwrap_err()
        {
            Mismatch::VhostOff { lack, .. } => lack,
            other => panic!("{other}"),
        };
        let none = look(&proc(&["/dev/net/tun"], &["qemu-system-x86"], &[(2, "kthreadd")]));
        none.clone().prove_off().unwrap();
        assert_eq!(lack(&none, 1, Some(&status(STARTED))), VhostLack::Descriptors { queues: 1 });

        let no_worker = look(&proc(&["/dev/vhost-net"], &["qemu-system-x86"], &[(2, "kthreadd")]));
        assert_eq!(lack(&no_worker, 1, Some(&status(STARTED))), VhostLack::Worker);
        let sentence = no_worker.clone().prove_on(2, None).unwrap_err().to_string();
        assert_eq!(
            sentence,
            "vhost is not on: 2 queue pairs need as many descriptors of /dev/vhost-net \
             (1 descriptors of /dev/vhost-net, 0 worker threads in qemu, 0 kernel threads)"
        );

        let idle = look(&proc(&["/dev/vhost-net"], &["vhost-40"], &[]));
        assert_eq!(lack(&idle, 1, Some(&status(!STARTED))), VhostLack::NotStarted);

        let hidden = look(&proc(&["/dev/vhost-net"], &["qemu-system-x86"], &[]));
        hidden.clone().prove_on(1, Some(&status(STARTED))).unwrap();
        assert_eq!(lack(&hidden, 1, None), VhostLack::Sign);
        assert_eq!(
            hidden.prove_off().unwrap_err().to_string(),
            "vhost is on, and must not be: 1 descriptors of /dev/vhost-net, 0 worker threads in qemu, \
             0 kernel threads (kernel threads are hidden)"
        );
    }

    #[test]
    fn a_version_is_one_line() {
        let told = |package: &str| {
            version_of(&json!({ "qemu": { "major": 10, "minor": 0, "micro": 2 }, "package": package }))
        };
        assert_eq!(told("Debian 1:10.0.2"), "10.0.2 Debian 1:10.0.2");
        assert_eq!(told(""), "10.0.2");
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let folder = proc(&[], &[], &[]);
        VhostSigns::look(folder.path(), 99).unwrap_err();
    }
}
