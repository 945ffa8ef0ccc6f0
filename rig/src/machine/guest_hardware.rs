//! What a guest's own kernel shows of its hardware: NUMA nodes, queues of the measured NIC, its command line.
//!
//! Read over the control link, before the agent comes. Must not change anything. Units: nodes, queues.
//! Errors: [`HardwareError`], which blames the guest's kernel or QEMU; a block becomes void.
//! Sources: Documentation/ABI/stable/sysfs-devices-node, Documentation/ABI/testing/sysfs-class-net-queues, proc_cmdline(5).
//! Tests: below; with real guests in `tests/qemu/hardware.rs`.

use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::launch_ssh::{self, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::Guest;
use crate::configuration::QemuSpec;

/// Why a guest's hardware is not known, or not what was asked for.
#[derive(Debug, Error, Diagnostic)]
pub enum HardwareError {
    /// No way into the guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
    /// The guest could not look.
    #[error("the guest refuses: {how}: {said}")]
    #[diagnostic(help("`rig guest boot` opens a shell in the guest: look into /sys/devices/system/node"))]
    Refused {
        /// How the shell ended.
        how: String,
        /// What it said.
        said: String,
    },
    /// Its kernel shows something else.
    #[error("{what}: the guest shows {found}, not {asked}")]
    #[diagnostic(help("the kernel of the guest has no support for it, or QEMU did not give it"))]
    Otherwise {
        /// What was compared.
        what: &'static str,
        /// As the guest has it.
        found: String,
        /// As it was asked for.
        asked: String,
    },
}

/// Compares what the guest's kernel shows with what was asked for. Where nothing is, the guest is not asked.
///
/// # Errors
/// [`HardwareError`]
pub async fn verify(guest: &Guest, plan: SshPlan, within: Duration) -> Result<(), HardwareError> {
    let spec = guest.spec();
    let hardware = &spec.hardware;
    if hardware.numa.is_none() && hardware.kernel_cmdline.is_empty() && spec.nic.queues <= 1 {
        return Ok(());
    }
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(SCRIPT, left());
    compare(spec, &launch_ssh::with_session(guest, plan, within, work).await?)
}

/// Three lines: nodes, queues that receive, command line. A kernel without NUMA has no such folder.
const SCRIPT: &str = "cd /sys/devices/system/node 2>/dev/null; ls -d node[0-9]* 2>/dev/null | wc -l; ls -d /sys/class/net/data/queues/rx-* | wc -l; cat /proc/cmdline";

fn compare(spec: &QemuSpec, finished: &Finished) -> Result<(), HardwareError> {
    if finished.exit != Exit::Status(0) {
        let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
        return Err(HardwareError::Refused { how: finished.exit.to_string(), said });
    }
    let text = String::from_utf8_lossy(&finished.stdout);
    let mut lines = text.lines().map(str::trim);
    let [nodes, queues, command_line] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let same = |what, found: &str, asked: u32| {
        if found.parse() == Ok(asked) {
            return Ok(());
        }
        Err(HardwareError::Otherwise { what, found: found.to_owned(), asked: asked.to_string() })
    };
    if let Some(asked) = spec.hardware.numa {
        same("NUMA nodes", nodes, asked)?;
    }
    same("queues of the measured NIC", queues, spec.nic.queues)?;
    let missing = |word: &&String| !command_line.split_whitespace().any(|found| found == word.as_str());
    match spec.hardware.kernel_cmdline.iter().find(missing) {
        None => Ok(()),
        Some(word) => Err(HardwareError::Otherwise {
            what: "the kernel's command line",
            found: format!("{command_line:?}"),
            asked: format!("{word:?} in it"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(text: &str, status: i32) -> Finished {
        Finished { exit: Exit::Status(status), stdout: text.into(), stderr: b"no such thing\n".to_vec() }
    }

    #[test]
    fn each_difference_is_told_and_none_where_all_is_as_asked() {
        let spec: QemuSpec = serde_json::from_value(json!({
            "accelerator": "auto", "machine": "q35", "vcpus": 2, "memory_mib": 256, "numa": 2,
            "nic": { "model": "virtio-net", "backend": "tap", "queues": 2 }, "localtime": "present",
            "kernel_cmdline": ["nokaslr", "tsc=unstable"]
        }))
        .unwrap();
        let told =
            |text: &str, status| compare(&spec, &found(text, status)).map_err(|error| error.to_string());
        assert_eq!(told("2\n2\nquiet nokaslr tsc=unstable\n", 0), Ok(()));
        for (text, status, words) in [
            ("0\n2\nnokaslr tsc=unstable\n", 0, "NUMA nodes: the guest shows 0, not 2"),
            ("2\n1\nnokaslr tsc=unstable\n", 0, "queues of the measured NIC: the guest shows 1, not 2"),
            ("2\n2\nnokaslr xtsc=unstable\n", 0, "not \"tsc=unstable\" in it"),
            ("", 0, "NUMA nodes: the guest shows , not 2"),
            ("", 1, "no such thing"),
        ] {
            let said = told(text, status).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
