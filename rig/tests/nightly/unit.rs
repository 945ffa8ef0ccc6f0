//! The units in `rig/docs/ci/`: systemd takes them, and rig can live in what the service gives it.
//!
//! No systemd runs here. The service's command is started with its environment, its capabilities, its limits, and a file system of which it may write what the unit says;
//! what a device policy, address families and system calls forbid is left to systemd.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit};
use rig::record;

use crate::blackbox::tools::needs;
use crate::blackbox::{is_root, program};
use crate::quiet;

const NOWHERE: Option<&str> = None;

/// What systemd gives every service (systemd.exec(5), "Environment variables in spawned processes").
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci").join(name)
}

/// Values of the keys of a unit, in order.
fn keys(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, value)) = line.split_once('=') {
            keys.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    keys
}

/// Runs `test` where rig is installed in /usr/local/bin, what the unit lets it write is empty, and the rest of the root file system is read-only.
pub(crate) fn as_the_service_sees_it(test: impl FnOnce() + Send + 'static) {
    let installed = tempfile::tempdir().unwrap();
    fs::write(installed.path().join("rig"), "").unwrap();
    let alone = move || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let over = |from: Option<&str>, at: &str, kind: Option<&str>, flags: MsFlags| {
            mount(from, at, kind, flags, NOWHERE).unwrap_or_else(|errno| panic!("{at}: {errno}"));
        };
        over(NOWHERE, "/", NOWHERE, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        let bin = installed.path().to_str().unwrap();
        over(program().to_str(), &format!("{bin}/rig"), NOWHERE, MsFlags::MS_BIND);
        over(Some(bin), "/usr/local/bin", NOWHERE, MsFlags::MS_BIND | MsFlags::MS_REC);
        for place in ["/var/lib", "/var/cache", "/tmp"] {
            over(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty());
        }
        for made in ["/var/lib/rig", "/var/cache/rig"] {
            fs::create_dir(made).unwrap();
        }
        over(NOWHERE, "/", NOWHERE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY);
        assert!(fs::write("/etc/rig-was-here", "").is_err(), "the rest is read-only");
        test();
    };
    if let Err(panic) = thread::spawn(alone).join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn systemd_takes_the_units() {
    if !is_root("netns") {
        return;
    }
    let Some(analyze) = needs("systemd-analyze") else { return };
    as_the_service_sees_it(move || {
        let verified = |files: &[PathBuf]| {
            // The manual page is there once `rig man --install` was run.
            let output = quiet(&analyze).args(["verify", "--man=no"]).args(files).output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let units = ["rig-nightly.service", "rig-nightly.timer"].map(unit);
        let (taken, said) = verified(&units);
        assert!(taken && said.is_empty(), "{said}");
        let wrong = Path::new("/tmp/rig-nightly.service");
        let text = fs::read_to_string(&units[0]).unwrap();
        fs::write(wrong, text.replace("RestrictRealtime=yes", "RestrictRealtme=yes")).unwrap();
        let (_, said) = verified(&[wrong.to_owned()]);
        assert!(said.contains("RestrictRealtme"), "a misspelt key is found: {said}");
    });
}

/// The service's command as systemd would start it, with these options of the host.
fn started(options: &str) -> Command {
    let keys = keys(&fs::read_to_string(unit("rig-nightly.service")).unwrap());
    let all = |key: &str| keys.get(key).cloned().unwrap_or_default();
    let one = |key: &str| all(key).pop().unwrap_or_else(|| panic!("the unit says {key}"));
    let capabilities: Vec<String> = all("CapabilityBoundingSet")
        .join(" ")
        .split_whitespace()
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let mut command = Command::new("setpriv");
    command.arg(format!("--bounding-set=-all,{}", capabilities.join(",")));
    assert_eq!(one("NoNewPrivileges"), "yes");
    command.args(["--no-new-privs", "--", "prlimit"]);
    // A test may not be able to raise its limits, as systemd is.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let descriptors = one("LimitNOFILE").parse::<u64>().unwrap().min(most);
    command.arg(format!("--nofile={descriptors}")).arg("--");
    for word in one("ExecStart").split(' ') {
        if word == "$RIG_OPTIONS" {
            command.args(options.split(' '))
        } else {
            command.arg(word)
        };
    }
    command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
    for variable in all("Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        command.env(name, value);
    }
    command.current_dir(one("WorkingDirectory")).stdin(Stdio::null());
    command
}

#[test]
fn the_service_plays_a_night_in_its_environment_and_limits() {
    if !is_root("netns") {
        return;
    }
    as_the_service_sees_it(|| {
        let output = started("--profile quick -- configuration=bare-metal scenario=fin --trials 200")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
        let [run] = &record::list(Path::new("/var/lib/rig/results"))[..] else { panic!("one run: {said}") };
        let run = fs::read_to_string(format!("/var/lib/rig/results/{run}/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&run).unwrap();
        let cells = report["cells"].as_array().unwrap();
        assert!(cells.len() > 3 && cells.iter().all(|cell| cell["status"] == "complete"), "{report:#}");
    });
}
