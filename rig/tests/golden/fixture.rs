//! Builds runs: a plan of cells, and blocks with the counts that a test wants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rig::configuration::{
    Accelerator, Configuration, Localtime, Nic, NicBackend, NicModel, QemuSpec, TargetSpec,
};
use rig::matrix::{Cell, CellId, Control, HOST_KERNEL, Subject};
use rig::path::PathSpec;
use rig::record::format::{
    BlockId, BlockRecord, BlockStatus, CaptureWhen, CellRecord, Conduct, Environment, FORMAT, Host,
    Judgement, Origin, PathRecord, PlannedBlock, RunRecord, TargetRecord, Witness,
};
use rig::record::{Layout, Writer};
use rig_protocol::{
    Call, Delay, Errno, Hello, Histogram, Lane, Op, Script, Side, Slot, Step, StepLog, Tally, TcpState,
    TrialRecord,
};

/// Trials of one block.
pub(crate) const BLOCK: u64 = 1_000;
const BUILD: &str = "5f1c0de5f1c0de5f1c0de5f1c0de5f1c0de5f1c0de5f1c0de5f1c0de5f1c0de5";

/// What a cell plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// The base program.
    Base,
    /// Another thread closes the descriptor.
    Watcher,
    /// Positive control: a descriptor that was closed.
    ClosedDescriptor,
    /// Positive control: ENOENT injected into 1 % of the calls.
    InjectedEnoent,
    /// Negative control.
    NoFault,
}

impl Play {
    pub(crate) const ALL: [Self; 5] =
        [Self::Base, Self::Watcher, Self::ClosedDescriptor, Self::InjectedEnoent, Self::NoFault];

    fn scenario(self) -> &'static str {
        match self {
            Self::Base => "reset-after-data",
            Self::Watcher => "watcher-closes",
            Self::ClosedDescriptor => "closed-descriptor",
            Self::InjectedEnoent => "inject-enoent",
            Self::NoFault => "data-only",
        }
    }
}

/// A run under construction.
pub(crate) struct Bench {
    pub(crate) record: RunRecord,
    pub(crate) blocks: Vec<(BlockRecord, Vec<TrialRecord>)>,
    pub(crate) complete: bool,
}

impl Bench {
    /// A plan with every [`Play`] in every configuration, two blocks of [`BLOCK`] trials each, nothing played yet.
    pub(crate) fn new(id: &str, configurations: &[(&str, &str)]) -> Self {
        let mut bench = Self { record: run_record(id), blocks: Vec::new(), complete: true };
        for (configuration, kernel) in configurations {
            for play in Play::ALL {
                bench.plan(cell(play, configuration, kernel));
            }
        }
        bench
    }

    /// Adds a cell and its two blocks to the plan.
    pub(crate) fn plan(&mut self, cell: Cell) {
        for index in 0..cell.blocks {
            self.record.blocks.push(PlannedBlock {
                id: BlockId(format!("{}-{index}", cell.id)),
                cell: cell.id.clone(),
                index,
                seed: u64::from(index) + 7,
                trials: cell.trials / u64::from(cell.blocks),
            });
        }
        self.record.cells.push(CellRecord { cell, skipped: None });
    }

    /// The cell of this play in this configuration and kernel.
    pub(crate) fn cell(&mut self, play: Play, configuration: &str, kernel: &str) -> &mut CellRecord {
        self.record
            .cells
            .iter_mut()
            .find(|record| {
                let subject = &record.cell.subject;
                subject.scenario == play.scenario()
                    && subject.configuration.name == configuration
                    && subject.kernel == kernel
            })
            .expect("in the plan")
    }

    /// Skips every cell of a configuration.
    pub(crate) fn skip(&mut self, configuration: &str, reason: &str) {
        for record in &mut self.record.cells {
            if record.cell.subject.configuration.name == configuration {
                record.skipped = Some(reason.to_owned());
                self.record.blocks.retain(|block| block.cell != record.cell.id);
            }
        }
    }

    /// Plays every block of the plan as a sound kernel would.
    pub(crate) fn play_all(&mut self) {
        for block in self.record.blocks.clone() {
            let cell =
                self.record.cells.iter().find(|record| record.cell.id == block.cell).expect("in the plan");
            let played = play(&cell.cell, &block);
            let trials = examples(&played);
            self.blocks.push((played, trials));
        }
    }

    /// The first attempt at the `index`-th block of a cell.
    pub(crate) fn block(
        &mut self,
        play: Play,
        configuration: &str,
        kernel: &str,
        index: u32,
    ) -> &mut BlockRecord {
        let id = BlockId(format!("{}-{index}", self.cell(play, configuration, kernel).cell.id));
        self.blocks.iter_mut().map(|(block, _)| block).find(|block| block.id == id).expect("played")
    }

    /// Puts it on disk as a run would.
    pub(crate) fn write(&self, results: &Path) -> PathBuf {
        let mut writer = Writer::create(results, &self.record).expect("a fresh folder");
        for (block, trials) in &self.blocks {
            writer.block(block, trials).expect("written");
        }
        writer.end(self.complete).expect("written");
        writer.dir().to_owned()
    }
}

/// Moves `n` trials of a block from "readable" to a return of -1 with this errno.
pub(crate) fn turn(block: &mut BlockRecord, n: u64, errno: Errno) {
    let tally = &mut block.tally;
    *tally.returns.get_mut("1").expect("it has readable trials") -= n;
    let readable =
        tally.outcomes.keys().find(|outcome| outcome.starts_with("readable")).cloned().expect("readable");
    *tally.outcomes.get_mut(&readable).expect("found") -= n;
    *tally.returns.entry(format!("-1/{errno}")).or_default() += n;
    *tally.outcomes.entry(errno.to_string()).or_default() += n;
    tally.anomalies += n;
}

/// Makes an attempt void.
pub(crate) fn void(block: &mut BlockRecord, reason: &str) {
    block.status = BlockStatus::Void { reason: reason.into() };
    block.tally = Tally::default();
    block.peer_tally = Tally::default();
    block.witness = Witness::default();
    block.target.origin = None;
    block.target_hello = None;
    block.records = 0;
}

fn run_record(id: &str) -> RunRecord {
    RunRecord {
        format: FORMAT,
        id: id.to_owned(),
        seed: 20_261_121,
        started: "2026-11-21T20:19:50.000Z".into(),
        rig_version: "0.1.0".into(),
        agent_build_id: BUILD.into(),
        command_line: vec!["rig".into(), "matrix".into(), "run".into()],
        profile: "quick".into(),
        matrix: "# the matrix\n".into(),
        judgement: Judgement {
            confidence: 0.95,
            margin: 0.005,
            alert: BTreeMap::from([
                ("EBADF".into(), 0.0),
                ("ENOENT".into(), 0.0),
                ("any_error".into(), 0.001),
            ]),
        },
        conduct: Conduct {
            retries: 2,
            block_deadline_ms: 300_000,
            keep_examples: 3,
            keep_anomalies: 1_000,
            capture: CaptureWhen::Never,
        },
        images: BTreeMap::new(),
        environment: Environment {
            host: Host {
                kernel: "6.1.0-44-amd64".into(),
                virtualized: "none".into(),
                cpu: "Example CPU 3000".into(),
                cpus: 2,
                memory_mib: 7_950,
                clocksource: "tsc".into(),
                localtime: true,
            },
            qemu: "QEMU emulator version 7.2.22".into(),
            accelerator: "tcg".into(),
            accelerator_reason: "/dev/kvm opens, but no guest boots on it".into(),
            sysctls: BTreeMap::from([("net.ipv4.tcp_fin_timeout".into(), "60".into())]),
            rehearsed: false,
        },
        cells: Vec::new(),
        blocks: Vec::new(),
    }
}

/// A complete cell of the plan.
pub(crate) fn cell(play: Play, configuration: &str, kernel: &str) -> Cell {
    let parameters = match play {
        Play::Base => BTreeMap::from([
            ("client_delay".to_owned(), "1ms".to_owned()),
            ("peer_delay".to_owned(), "5ms".to_owned()),
        ]),
        Play::Watcher | Play::ClosedDescriptor | Play::InjectedEnoent | Play::NoFault => BTreeMap::new(),
    };
    let subject = Subject {
        scenario: play.scenario().into(),
        parameters,
        configuration: Configuration { name: configuration.into(), target: target(configuration) },
        kernel: kernel.into(),
        path: PathSpec::plain("plain", 1500),
        script: Arc::new(script(play)),
    };
    let control = |name: &str, errno, expected_rate| Control { name: name.into(), errno, expected_rate };
    Cell {
        id: subject.id(),
        title: "a fixture".into(),
        claims: match play {
            Play::Base => ["H01", "H02", "H03", "H13", "H16", "H59"].map(str::to_owned).to_vec(),
            Play::Watcher => vec!["H02".into(), "H58".into()],
            Play::ClosedDescriptor => vec!["H05".into()],
            Play::InjectedEnoent | Play::NoFault => Vec::new(),
        },
        control: match play {
            Play::Base | Play::Watcher => None,
            Play::ClosedDescriptor => Some(control("closed-descriptor", Errno::EBADF, 1.0)),
            Play::InjectedEnoent => Some(control("injected-enoent", Errno::ENOENT, 0.01)),
            Play::NoFault => Some(control("no-fault", Errno::EBADF, 0.0)),
        },
        alert: play != Play::Watcher,
        trials: 2 * BLOCK,
        blocks: 2,
        in_flight: 100,
        proof: Vec::new(),
        subject,
    }
}

fn target(configuration: &str) -> TargetSpec {
    let backend = match configuration {
        "bare-metal" => return TargetSpec::Host,
        "virtio-vhost" => NicBackend::TapVhost,
        "virtio-user" => NicBackend::User,
        _ => NicBackend::Tap,
    };
    TargetSpec::Qemu(QemuSpec {
        accelerator: Accelerator::Auto,
        machine: "q35".into(),
        vcpus: 2,
        memory_mib: 256,
        nic: Nic { model: NicModel::VirtioNet, backend, queues: 1 },
        localtime: Localtime::Present,
    })
}

fn script(play: Play) -> Script {
    let step = |op| Step { op, verdict: false, outcome: false, may_fail: false };
    let socket = Slot(0);
    let select = Op::Select {
        read: vec![socket],
        write: Vec::new(),
        except: Vec::new(),
        timeout: Delay::Fixed { ns: 5_000_000_000 },
        call: Call::Select,
    };
    let mut client = vec![step(Op::Connect { socket })];
    if play == Play::ClosedDescriptor {
        client.push(step(Op::Close { socket }));
    }
    client.push(Step { verdict: true, outcome: true, ..step(select) });
    client.push(Step { outcome: true, ..step(Op::Read { socket, bytes: 64 }) });
    let mut lanes = vec![Lane { name: "client".into(), side: Side::Target, steps: client }];
    if play == Play::Watcher {
        lanes.push(Lane {
            name: "watcher".into(),
            side: Side::Target,
            steps: vec![step(Op::Close { socket })],
        });
    }
    lanes.push(Lane { name: "peer".into(), side: Side::Peer, steps: vec![step(Op::Accept { socket })] });
    Script {
        name: play.scenario().into(),
        sockets: vec!["s".into()],
        marks: Vec::new(),
        lanes,
        expect: vec!["readable,**".into()],
    }
}

fn play(cell: &Cell, block: &PlannedBlock) -> BlockRecord {
    let host = cell.is_baseline();
    let n = block.trials;
    let errors = match cell.subject.scenario.as_str() {
        "watcher-closes" => Some((if host { 402 } else { 250 } + u64::from(block.index), Errno::EBADF)),
        "closed-descriptor" => Some((n, Errno::EBADF)),
        "inject-enoent" => Some((n / 100, Errno::ENOENT)),
        _ => None,
    };
    let mut tally = Tally { trials: n, ..Tally::default() };
    let (hits, errno) = errors.unwrap_or((0, Errno::EBADF));
    let mut put = |label: &str, outcome: &str, count: u64| {
        if count > 0 {
            tally.returns.insert(label.into(), count);
            tally.outcomes.insert(outcome.into(), count);
        }
    };
    let with_reset = cell.subject.scenario == "reset-after-data";
    put("1", if with_reset { "readable,data,ECONNRESET" } else { "readable,data" }, n - hits);
    put(&format!("-1/{errno}"), &errno.to_string(), hits);
    tally.anomalies = hits;
    if cell.subject.scenario == "inject-enoent" {
        tally.injected.insert(Errno::ENOENT, hits);
    }
    let resets = if with_reset { n } else { 0 };
    if with_reset {
        tally.state_before.insert(TcpState::CLOSE.0, n);
    } else {
        tally.state_before.insert(1, n);
    }
    let mut call = Histogram::default();
    (0..n).for_each(|i| call.record(2_000 + i * if host { 1 } else { 30 }));
    tally.latency.insert("call".into(), call);
    let mut peer_tally = Tally::default();
    if resets > 0 {
        peer_tally.counters.insert("Tcp.OutRsts".into(), resets as i64);
    }
    let release =
        if host { "6.1.0-44-amd64".into() } else { format!("{}.0-1-cloud-amd64", cell.subject.kernel) };
    BlockRecord {
        id: block.id.clone(),
        cell: cell.id.clone(),
        attempt: 1,
        status: BlockStatus::Complete,
        started: "2026-11-21T20:20:00.000Z".into(),
        elapsed_ns: 9_000_000_000,
        target: TargetRecord {
            origin: Some(if host { Origin::Host } else { Origin::Cold }),
            accelerator: if host { "none" } else { "tcg" }.into(),
            kernel_package: String::new(),
            command_line: Vec::new(),
            boot_ns: 3_000_000_000,
            vhost_proof: if cell.subject.configuration.name == "virtio-vhost" {
                "vhost-4711".into()
            } else {
                "".into()
            },
            console: Layout::console(&block.id, 1),
            qmp: Layout::qmp(&block.id, 1),
        },
        peer: None,
        target_hello: Some(hello(release, !host)),
        peer_hello: Some(hello("6.1.0-44-amd64".into(), false)),
        path: PathRecord::default(),
        captures: vec![],
        records: hits.min(3),
        tally,
        peer_tally,
        witness: Witness { rst_to_target: resets, ..Witness::default() },
    }
}

fn hello(kernel_release: String, hypervisor: bool) -> Hello {
    Hello {
        protocol_version: 1,
        build_id: BUILD.into(),
        kernel_release,
        kernel_version: "#1 SMP".into(),
        hypervisor,
        clocksource: "tsc".into(),
        cpus: 2,
        localtime: true,
        sysctls: BTreeMap::new(),
    }
}

/// As many whole trials as the block says it keeps.
fn examples(block: &BlockRecord) -> Vec<TrialRecord> {
    (0..block.records)
        .map(|trial| TrialRecord {
            trial,
            outcome: "EBADF".into(),
            anomaly: true,
            void: false,
            local_port: 40_000,
            descriptor: 3,
            steps: vec![StepLog {
                lane: 0,
                step: 1,
                begin_ns: 1,
                end_ns: 2,
                returned: -9,
                errno_after: Errno::EBADF,
                ready: None,
                data: None,
                state_before: Some(7),
            }],
        })
        .collect()
}

/// The plan of an ordinary run.
pub(crate) const ORDINARY: [(&str, &str); 4] =
    [("bare-metal", HOST_KERNEL), ("virtio-tap", "6.1"), ("virtio-tap", "6.12"), ("virtio-vhost", "6.1")];

/// Every block played, vhost skipped, all zeros where zeros belong.
pub(crate) fn sound() -> Bench {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY);
    bench.skip("virtio-vhost", "/dev/vhost-net does not exist");
    bench.play_all();
    bench
}

/// The id of a cell, for tests that damage files.
pub(crate) fn id_of(bench: &mut Bench, play: Play, configuration: &str, kernel: &str) -> CellId {
    bench.cell(play, configuration, kernel).cell.id.clone()
}
