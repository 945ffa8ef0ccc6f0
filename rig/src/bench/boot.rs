//! How long a guest takes from QEMU's start until it says that it is ready.
//!
//! Must not know how the accelerator was chosen. Units: seconds. Errors: [`BenchError`].

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use super::{BenchError, Benchmark, Findings, Pace, step};
use crate::clock;
use crate::configuration::Resolved;
use crate::configuration::{Accelerator, Localtime, Nic, NicBackend, NicModel, QemuSpec};
use crate::image::{GuestKeys, Image, Overlay};
use crate::machine::qemu::argv::DATA_MAC;
use crate::machine::qemu::{Guest, GuestNet, GuestPlan};
use crate::path::{Addressing, Mechanisms, PathSpec, TargetLink};
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
    pub image: Image,
    /// What executes it.
    pub accelerator: Resolved,
}

pub(super) fn measure(pace: Pace, kit: &BootKit) -> Result<Findings, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(step("make a runtime"))?;
    let logs = process::new_run_dir().map_err(step("make a private folder"))?;
    let overlay = Overlay::new(&GuestKeys::generate(), Localtime::Present).to_cpio();
    let mut times = [("q35", vec![]), ("pc", vec![])];
    for _ in 0..pace.rounds() {
        for (machine, seconds) in &mut times {
            let testbed = Testbed::build(
                &PathSpec::plain("bench", 1500),
                Addressing::default(),
                TargetLink::Veth,
                &Mechanisms::all(),
                0,
            )?;
            let namespace = testbed.target().as_fd().try_clone_to_owned();
            let addressing = Addressing::default();
            let plan = GuestPlan {
                spec: spec(machine),
                engine: kit.accelerator.engine,
                qemu: kit.qemu.clone(),
                kernel: kit.image.kernel.clone(),
                initramfs: kit.image.initramfs.clone(),
                overlay: overlay.clone(),
                extra_cmdline: vec![],
                net: GuestNet {
                    mac: DATA_MAC,
                    address: addressing.target,
                    prefix: addressing.prefix,
                    mtu_bytes: 1500,
                    control_port: CONTROL_PORT,
                },
                taps: vec![],
                socket: None,
                namespace: Some(namespace.map_err(|source| TestbedError::Enter { source })?),
                console_log: logs.path().join("console.log"),
                qmp_log: logs.path().join("qmp.jsonl"),
            };
            let within = BOOT_DEADLINE * clock::patience();
            let ready = runtime.block_on(async {
                let guest = Guest::boot(plan, within).await?;
                let ready = guest.ready_after();
                guest.stop().await;
                Ok::<_, BenchError>(ready)
            })?;
            seconds.push(ready.as_secs_f64());
        }
    }
    let mut findings = Findings::new(Benchmark::Boot);
    let [(_, q35), (_, pc)] = &times;
    findings.figure("q35: ready", "s", q35);
    findings.figure("pc: ready", "s", pc);
    findings.ratio("pc: ready", "q35", pc, q35);
    findings.notes.push(format!(
        "{}, accelerator {} ({}), 1 vCPU, 256 MiB, user networking",
        kit.image.package,
        kit.accelerator.engine.word(),
        kit.accelerator.reason
    ));
    Ok(findings)
}

fn spec(machine: &str) -> QemuSpec {
    QemuSpec {
        accelerator: Accelerator::Auto,
        machine: machine.to_owned(),
        vcpus: 1,
        memory_mib: 256,
        nic: Nic { model: NicModel::VirtioNet, backend: NicBackend::User, queues: 1 },
        localtime: Localtime::Present,
    }
}
