//! How long a guest takes from QEMU's start until it says that it is ready.
//!
//! Must not know how the accelerator was chosen. Units: seconds. Errors: [`BenchError`].

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::benchmark::{Benchmark, Pace};
use super::error::{BenchError, step};
use super::findings::Findings;
use super::network::{self, MTU_BYTES};
use crate::clock;
use crate::configuration::{
    Accelerator, Hardware, Localtime, Nic, NicBackend, NicModel, QemuSpec, Resolved, Tuning,
};
use crate::image::{GuestKeys, Loaded, Overlay};
use crate::machine::qemu::argv::DATA_MAC;
use crate::machine::qemu::{Guest, GuestError, GuestNet, GuestPlan, Medium};
use crate::path::{Addressing, TargetLink};
use crate::process;
use crate::testbed::{Testbed, TestbedError};

/// As for every guest of a run.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);

const CONTROL_PORT: u16 = 2222;

/// What a guest is made of.
#[derive(Debug)]
pub struct BootKit {
    /// `qemu-system-x86_64`
    pub qemu: PathBuf,
    /// Its kernel and initramfs.
    pub loaded: Loaded,
    /// What executes it.
    pub accelerator: Resolved,
}

pub(super) fn measure(pace: Pace, kit: &BootKit) -> Result<Findings, BenchError> {
    let runtime = process::start_runtime()?;
    let logs = process::new_run_dir().map_err(step("make a private folder"))?;
    let overlay = Overlay::new(&GuestKeys::generate(), Localtime::Present).to_cpio();
    let mut times = [("q35", vec![]), ("pc", vec![])];
    for _ in 0..pace.rounds() {
        for (machine, seconds) in &mut times {
            // The guest's network lives as long as the guest.
            let testbed = network::plain(TargetLink::Veth)?;
            let plan = plan(kit, machine, &overlay, &testbed, logs.path())?;
            seconds.push(runtime.block_on(boot(plan))?.as_secs_f64());
        }
    }
    let mut findings = Findings::new(Benchmark::Boot);
    let [(_, q35), (_, pc)] = &times;
    findings.figure("q35: ready", "s", q35);
    findings.figure("pc: ready", "s", pc);
    findings.ratio("pc: ready", "q35", pc, q35);
    findings.notes.push(format!(
        "{}, accelerator {} ({}), 1 vCPU, 256 MiB, user networking",
        kit.loaded.image.package,
        kit.accelerator.engine.word(),
        kit.accelerator.reason
    ));
    Ok(findings)
}

/// From QEMU's start until the guest is ready. The guest is gone then.
async fn boot(plan: GuestPlan) -> Result<Duration, GuestError> {
    let guest = Guest::boot(plan, BOOT_DEADLINE * clock::patience()).await?;
    let ready = guest.ready_after();
    guest.stop().await;
    Ok(ready)
}

fn plan(
    kit: &BootKit,
    machine: &str,
    overlay: &[u8],
    testbed: &Testbed,
    logs: &Path,
) -> Result<GuestPlan, TestbedError> {
    let namespace = testbed.target().as_fd().try_clone_to_owned();
    let addressing = Addressing::default();
    Ok(GuestPlan {
        spec: spec(machine),
        engine: kit.accelerator.engine,
        qemu: kit.qemu.clone(),
        medium: Medium::Kernel {
            kernel: kit.loaded.kernel.clone(),
            release: Some(kit.loaded.image.release.clone()),
            initramfs: kit.loaded.initramfs.clone(),
            overlay: overlay.to_vec(),
        },
        extra_cmdline: vec![],
        net: GuestNet {
            mac: DATA_MAC,
            address: addressing.target,
            prefix: addressing.prefix,
            mtu_bytes: MTU_BYTES,
            control_port: CONTROL_PORT,
        },
        taps: vec![],
        socket: None,
        gdb: None,
        namespace: Some(namespace.map_err(|source| TestbedError::Enter { source })?),
        life: Some(BOOT_DEADLINE * clock::patience()),
        console_log: logs.join("console.log"),
        qmp_log: logs.join("qmp.jsonl"),
        aftermath: None,
    })
}

fn spec(machine: &str) -> QemuSpec {
    QemuSpec {
        accelerator: Accelerator::Auto,
        machine: machine.to_owned(),
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
