//! Blocks on a real guest that something happens to: each must end in a void with the true reason.
//!
//! The guest is found as anybody on the host would find it: QEMU by its command line (each scene starts it by a name of its own), the guest's
//! SSH server in QEMU's namespace. What only a wrong agent can do (garbage, a huge frame, another build, totals that do not add up)
//! is played by scripted agents beside `agent::conversation`.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rig::event::Event;
use rig::image::cpio::Archive;
use rig::machine::launch_ssh::{Abandon, ROOT, SshPlan, SshSession};
use rig::matrix::{Cell, Filter, Matrix, Selection};
use rig::process::Sealed;
use rig::record::format::{BlockRecord, BlockStatus};
use rig::runner::{Attempt, Laboratory, Player, Stopper};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::guest::{QEMU, TestImage, kill};
use crate::support::laboratory::{attempt, laboratory};
use crate::{LONG, image_or_return, support};

/// A laboratory, and a cell to play in it.
pub(crate) struct Scene {
    pub(crate) laboratory: Laboratory,
    pub(crate) cell: Cell,
    _results: TempDir,
}

impl Scene {
    fn new(image: TestImage) -> Self {
        Self::of(image, "quick", "virtio-tap")
    }

    /// The base scenario in this configuration of this profile.
    pub(crate) fn of(image: TestImage, profile: &str, configuration: &str) -> Self {
        let configuration = format!("configuration={configuration}");
        Self::with(image, profile, &["scenario=rst", &configuration, "client_delay=3s", "peer_delay=0ms"])
    }

    /// The first cell of this profile that these filters leave.
    pub(crate) fn with(image: TestImage, profile: &str, words: &[&str]) -> Self {
        let results = tempfile::tempdir().unwrap();
        let common = laboratory(results.path());
        let qemu = common.private.path().join(QEMU);
        fs_err::os::unix::fs::symlink(program(QEMU), &qemu).unwrap();
        let kernel = image.image.name.clone();
        let images = HashMap::from([(kernel.clone(), image.image.load().unwrap())]);
        let laboratory = Laboratory { images, qemu, keys: image.keys, ..common };
        let kernel = format!("kernel={kernel}");
        let words = words.iter().copied().chain([kernel.as_str()]);
        let filters = words.map(|word| Filter::parse(word).unwrap()).collect();
        let selection = Selection { profile: Some(profile.to_owned()), filters, trials: None };
        let cells = Matrix::load(None).unwrap().cells(&selection).unwrap();
        let cell = cells.into_iter().find(|cell| cell.control.is_none()).unwrap();
        Self { laboratory, cell, _results: results }
    }

    /// Plays so many trials, and disturbs the play when the first of them are under way. A QEMU that aborts by an assertion of its own before that takes its block with it: as a run
    /// does, the block is played again.
    pub(crate) async fn play(&self, trials: u64, disturb: impl AsyncFnOnce(&Self)) -> BlockRecord {
        const ATTEMPTS: u32 = 3;
        let mut disturb = Some(disturb);
        for number in 1..=ATTEMPTS {
            let attempt = Attempt { attempt: number, ..attempt(&self.cell, trials) };
            let (events, mut spine) = unbounded_channel();
            let (_stopper, stop) = Stopper::new();
            let playing = self.laboratory.play(attempt, events, stop);
            let disturbing = async {
                // Ends with the play, which holds the other end.
                while let Some(event) = spine.recv().await {
                    let disturb = disturb.take_if(|_| matches!(event, Event::BlockProgress { .. }));
                    if let Some(disturb) = disturb {
                        disturb(self).await;
                    }
                }
            };
            let (played, ()) = tokio::join!(playing, disturbing);
            let record = played.expect("nobody has told it to stop").0;
            if number == ATTEMPTS || disturb.is_none() || !is_qemus_own_fault(&record) {
                return record;
            }
            support::say(&format!("played again: {}", reason(&record)));
        }
        unreachable!("the last attempt returns")
    }

    /// The scene's QEMU: the one process that was started by this name.
    fn qemu(&self) -> u32 {
        self.qemus().into_iter().next().expect("the guest runs")
    }

    /// All processes that were started by this name.
    pub(crate) fn qemus(&self) -> Vec<u32> {
        let name = self.laboratory.qemu.to_str().unwrap();
        let is_ours = |pid: &u32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).next() == Some(name.as_bytes())
        };
        let folders = fs_err::read_dir("/proc").unwrap();
        let pids = folders.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        pids.filter(is_ours).collect()
    }

    /// Runs a command in the guest. What becomes of it is seen by what becomes of the block.
    async fn run_in_guest(&self, command: &str) {
        let namespace = fs_err::File::open(format!("/proc/{}/ns/net", self.qemu())).unwrap();
        let plan = SshPlan {
            port: 2222,
            namespace: Some(Arc::new(OwnedFd::from(namespace.into_file()))),
            host_key: Some(self.laboratory.keys.host_key_blob()),
            user: ROOT.to_owned(),
            private_key: self.laboratory.keys.user_private_key(),
        };
        let command = command.to_owned();
        let work = move || {
            let session = SshSession::connect(&plan, &Abandon::default(), LONG).unwrap();
            drop(session.run(&command, Duration::from_secs(20)));
        };
        tokio::task::spawn_blocking(work).await.unwrap();
    }
}

/// Where PATH has it.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists()).unwrap()
}

/// More trials than any of these tests waits for.
pub(crate) const MANY: u64 = 20_000;

/// Whether QEMU aborted because an assertion of its own failed, which emulation (TCG) does now and then.
fn is_qemus_own_fault(record: &BlockRecord) -> bool {
    let BlockStatus::Void { reason } = &record.status else { return false };
    let reason = reason.to_string();
    reason.contains("qemu was killed by SIGABRT") && reason.contains("Assertion")
}

pub(crate) fn reason(record: &BlockRecord) -> String {
    match &record.status {
        BlockStatus::Void { reason } => reason.to_string(),
        BlockStatus::Aborted { reason } => reason.clone(),
        BlockStatus::Complete => panic!("complete, with {} outcomes", record.tally.trials),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_that_nothing_happens_to_is_complete() {
    let scene = Scene::new(image_or_return!("6.12"));
    let record = scene.play(200, async |_| {}).await;
    assert_eq!(record.status, BlockStatus::Complete);
    assert_eq!((record.tally.trials, record.tally.void()), (200, 0));
    assert_eq!(record.target.accelerator, "tcg");
    assert!(record.target.vhost_proof.is_empty() && !record.target.command_line.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_mid_play_is_the_voids_reason() {
    let scene = Scene::new(image_or_return!("6.1"));
    let crash = "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger";
    let record = scene.play(MANY, async |scene| scene.run_in_guest(crash).await).await;
    assert_eq!(
        reason(&record),
        "guest died: the guest's kernel panicked: Kernel panic - not syncing: sysrq triggered crash"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qemu_killed_in_mid_play_is_the_voids_reason() {
    let scene = Scene::new(image_or_return!("6.1"));
    let record = scene.play(MANY, async |scene| kill(scene.qemu())).await;
    assert_eq!(reason(&record), "guest died: qemu was killed by SIGKILL");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_in_mid_play_is_the_voids_reason() {
    let scene = Scene::new(image_or_return!("6.1"));
    let record = scene.play(MANY, async |scene| scene.run_in_guest("kill -9 $(pidof agent)").await).await;
    let reason = reason(&record);
    assert!(reason.starts_with("target's agent ended: killed by SIGKILL: target: agent gone"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nic_lost_in_mid_play_is_the_voids_reason() {
    let mut scene = Scene::new(image_or_return!("6.1"));
    // Trials whose peer is out of reach wait for longer than this.
    scene.laboratory.block_deadline = Duration::from_secs(25);
    let unplug = "echo 1 > /sys/class/net/data/device/../remove";
    let record = scene.play(MANY, async |scene| scene.run_in_guest(unplug).await).await;
    let reason = reason(&record);
    assert!(reason.starts_with("the guest's measured NIC is gone"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_hangs_in_its_boot_is_the_voids_reason() {
    let mut scene = Scene::new(image_or_return!("6.1"));
    for loaded in scene.laboratory.images.values_mut() {
        loaded.initramfs = with_init(&loaded.initramfs, b"#!/bin/sh\nexec /bin/busybox sleep 1000\n");
    }
    scene.laboratory.boot_deadline = Duration::from_secs(5);
    let record = scene.play(MANY, async |_| panic!("no trial is played")).await;
    let reason = reason(&record);
    assert!(reason.starts_with("guest: ") && reason.contains("not ready within 5s"), "{reason}");
    // That init of the test's own does not say that it has begun.
    assert!(
        reason.contains("(no console output)") || reason.contains("(the kernel began, no init did)"),
        "{reason}"
    );
    assert!(record.target_hello.is_none());
    support::say(&reason);
}

/// An initramfs with another init: what comes later in one replaces what came before.
pub(crate) fn with_init(initramfs: &Sealed, init: &[u8]) -> Sealed {
    let mut over = Archive::default();
    over.file("init", 0o755, init);
    let mut bytes = Vec::new();
    initramfs.copy_to(&mut bytes).unwrap();
    bytes.extend(over.to_bytes());
    Sealed::of(bytes.as_slice()).unwrap()
}
