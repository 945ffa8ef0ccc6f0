//! A Slurm cluster of one node, in a folder and namespaces of its own: munged, slurmctld and slurmd, all of them children of the test.
//!
//! Nothing of the host's own Slurm is read, written or reached: configuration and state are in the folder, the ports in a network of its own, and the node's name is
//! `localhost` in a UTS namespace, because it must resolve. The daemons die with the thread that started them. Must not know rig.
//! Facts: slurm.conf(5), cgroup.conf(5) of 22.05; `slurmd` initialises a cgroup plugin whatever tracks its processes.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::process::{complete_path, program_file};
use tempfile::TempDir;

use crate::blackbox::PATIENCE;

/// How long the daemons have until a job of one line is played; past it the host is one where they do not work.
const CANARY_PATIENCE: Duration = Duration::from_secs(90);

/// How long a daemon has to end.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// Runs `test` on a thread with a network and a host name of its own.
pub(crate) fn isolated(test: impl FnOnce() + Send + 'static) {
    let alone = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS).unwrap();
        // That of the namespace of who writes it (proc_sys_kernel(5)).
        fs::write("/proc/sys/kernel/hostname", "localhost").unwrap();
        // Slurm asks for addresses with AI_ADDRCONFIG (getaddrinfo(3)): without any but that of `lo` not even 127.0.0.1 resolves.
        for words in [
            "link set lo up",
            "link add slurm0 type veth peer name slurm1",
            "address add 192.0.2.1/24 dev slurm0",
            "link set slurm0 up",
        ] {
            let done = Command::new(program_file("ip")).args(words.split(' ')).status().unwrap();
            assert!(done.success(), "ip {words}");
        }
        test();
    };
    // The name of the test: `skipped: …` says it.
    let name = thread::current().name().unwrap_or("slurm").to_owned();
    if let Err(panic) = thread::Builder::new().name(name).spawn(alone).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Waits until `look` finds something.
pub(crate) fn await_that<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, &mut look).unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}

fn within<T>(patience: Duration, look: &mut dyn FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The daemons, last started first.
pub(crate) struct Cluster {
    folder: TempDir,
    daemons: Vec<(&'static str, Child)>,
}

impl Cluster {
    /// Starts it and has it play a job of one line.
    ///
    /// # Errors
    /// Why it does not, with what the daemons logged last.
    pub(crate) fn start() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("rig-slurm-").tempdir().unwrap();
        let mut cluster = Self { folder, daemons: Vec::new() };
        cluster.configure();
        let at = |name: &str| format!("{}/{name}", cluster.path().display());
        let munged = [
            "--foreground".to_owned(),
            "--force".to_owned(),
            format!("--socket={}", at("munge.sock")),
            format!("--key-file={}", at("munge.key")),
            format!("--pid-file={}", at("munged.pid")),
            format!("--log-file={}", at("munged.log")),
            format!("--seed-file={}", at("munge.seed")),
        ];
        cluster.daemon("munged", &munged);
        let socket = cluster.path().join("munge.sock");
        if within(END_PATIENCE, &mut || socket.exists().then_some(())).is_none() {
            return Err(cluster.last_words());
        }
        cluster.daemon("slurmctld", &["-D".to_owned()]);
        cluster.daemon("slurmd", &["-D".to_owned()]);
        if cluster.plays_a_job() { Ok(cluster) } else { Err(cluster.last_words()) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self) {
        let folder = self.path().display();
        let mut key = [0; 1024];
        File::open("/dev/urandom").unwrap().read_exact(&mut key).unwrap();
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o400).open(self.path().join("munge.key")).unwrap();
        std::io::Write::write_all(&mut file, &key).unwrap();
        for state in ["state", "spool"] {
            fs::create_dir(self.path().join(state)).unwrap();
        }
        // config_overrides: a node may say that it has more processors than there are. cred_expire (5 at least): a requeued task waits so long, and 120 s without it.
        let conf = format!(
            "ClusterName=rig\nSlurmctldHost=localhost(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\nAuthInfo=socket={folder}/munge.sock,cred_expire=5\n\
             SlurmctldPort=6817\nSlurmdPort=6818\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n\
             AccountingStorageType=accounting_storage/none\nJobCompType=jobcomp/none\nMpiDefault=none\nSwitchType=switch/none\nSchedulerType=sched/builtin\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\nSlurmdParameters=config_overrides\nMailProg=/bin/true\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool\nSlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n\
             SlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd.log\n\
             NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN\nPartitionName=rig Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
        );
        fs::write(self.path().join("slurm.conf"), conf).unwrap();
        fs::write(self.path().join("cgroup.conf"), "CgroupPlugin=autodetect\nIgnoreSystemd=yes\n").unwrap();
    }

    /// A command of Slurm, or one that starts some.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program_file(name));
        command.env("SLURM_CONF", self.path().join("slurm.conf")).env("PATH", complete_path());
        command
    }

    fn daemon(&mut self, name: &'static str, arguments: &[String]) {
        let log = File::create(self.path().join(format!("{name}.said"))).unwrap();
        // setpriv: it dies with this thread, whatever becomes of the test.
        let mut command = self.command("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program_file(name)).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).current_dir(self.path());
        self.daemons.insert(0, (name, command.spawn().unwrap()));
    }

    fn plays_a_job(&mut self) -> bool {
        let mark = self.path().join("canary");
        let mut submitted = false;
        within(CANARY_PATIENCE, &mut || {
            if self.daemons.iter_mut().any(|(_, daemon)| daemon.try_wait().unwrap().is_some()) {
                return Some(false);
            }
            if !submitted {
                let mut sbatch = self.command("sbatch");
                sbatch.args(["--output=/dev/null", "--wrap"]).arg(format!("touch {}", mark.display()));
                submitted = sbatch.output().unwrap().status.success();
            }
            mark.exists().then_some(true)
        })
        .unwrap_or(false)
    }

    /// The last line that each daemon logged.
    fn last_words(&self) -> String {
        let last = |name: &str| {
            let logs = ["log", "said"].map(|kind| self.path().join(format!("{name}.{kind}")));
            let text: String = logs.iter().map(|log| fs::read_to_string(log).unwrap_or_default()).collect();
            text.lines().last().map(|line| format!("{name}: {line}"))
        };
        ["munged", "slurmctld", "slurmd"].iter().filter_map(|name| last(name)).collect::<Vec<_>>().join("; ")
    }

    /// What a command of Slurm says; its failure is the test's.
    #[track_caller]
    pub(crate) fn say(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.command(name).args(arguments).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name} {arguments:?}: {said}\n{}", self.last_words());
        said
    }

    /// The first process of a task of an array: the script, or what it became by exec.
    pub(crate) fn process_of(&self, array: &str, task: u32) -> Pid {
        let wanted = [
            format!("SLURM_CONF={}", self.path().join("slurm.conf").display()),
            format!("SLURM_ARRAY_JOB_ID={array}"),
            format!("SLURM_ARRAY_TASK_ID={task}"),
        ];
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut found: Vec<i32> = processes
            .filter(|pid| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let environment = String::from_utf8_lossy(&environment).into_owned();
                let variables: Vec<&str> = environment.split('\0').collect();
                wanted.iter().all(|one| variables.contains(&one.as_str()))
            })
            .collect();
        // The parent of all others: none of the rest is its parent.
        let all = found.clone();
        found.retain(|pid| !all.contains(&parent(*pid)));
        let [first] = found[..] else { panic!("one first process of task {task} of job {array}: {all:?}") };
        Pid::from_raw(first)
    }
}

fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Jobs first: their processes are not the test's children.
        let _ = self.command("scancel").args(["--full", "--signal=KILL", "--user=root"]).output();
        let _ = self.command("scancel").arg("--user=root").output();
        within(END_PATIENCE, &mut || {
            let left = self.command("squeue").arg("--noheader").output().ok()?;
            left.stdout.is_empty().then_some(())
        });
        for (_, daemon) in &mut self.daemons {
            // It may have ended.
            let _ = kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), Signal::SIGTERM);
            if within(END_PATIENCE, &mut || daemon.try_wait().ok().flatten()).is_none() {
                let _ = daemon.kill();
                let _ = daemon.wait();
            }
        }
    }
}
