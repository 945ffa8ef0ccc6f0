//! What a host can lack: each lack is named, with what to do, and stops no more than it must.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value as Json;

use crate::blackbox::{Lab, is_root, matrix, program};

const QUICK: &str = "trials = 20\nblocks = 1\nin_flight = 20\ncontrol_trials = 150\ncontrol_blocks = 1";
const NOWHERE: Option<&str> = None;

fn lab() -> Lab {
    Lab::new(&matrix(
        &format!("{QUICK}\n[scenario.rst]\nclient_delay = \"10ms\""),
        r#""rst""#,
        r#""bare-metal", "virtio-tap""#,
    ))
}

/// Runs `test` on a thread with mounts of its own, which vanish with it; processes that it starts see them too.
pub(crate) fn with_private_mounts(test: impl FnOnce() + Send + 'static) {
    if !is_root("netns") {
        return;
    }
    let alone = move || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(NOWHERE, "/", NOWHERE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOWHERE).unwrap();
        test();
    };
    if let Err(panic) = thread::spawn(alone).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Puts /dev/null in the place of a file, on this thread's mounts.
pub(crate) fn mask(path: &str) {
    mount(Some("/dev/null"), path, NOWHERE, MsFlags::MS_BIND, NOWHERE).unwrap();
}

/// Takes a program away, wherever it is.
pub(crate) fn mask_program(name: &str) {
    let path = std::env::var_os("PATH").unwrap();
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    for folder in std::env::split_paths(&path).chain(system.map(Into::into)) {
        let file = folder.join(name);
        if file.is_file() {
            mask(file.to_str().unwrap());
        }
    }
}

/// Every bare-metal cell has its trials, and every virtual cell is skipped for a reason that has these words.
#[track_caller]
fn only_bare_metal(lab: &Lab, words: &str) {
    let run = lab.only_run();
    assert_eq!(run.ended(), Some(true));
    for cell in run.cells("bare-metal") {
        assert_eq!(
            (&cell["status"], &cell["trials"]),
            (&"complete".into(), &cell["trials_wanted"]),
            "{cell}"
        );
    }
    let skipped = run.cells("virtio-tap");
    assert_eq!(skipped.len(), 4, "rst and three controls");
    for cell in skipped {
        assert_eq!(cell["status"], "skipped", "{cell}");
        assert!(cell["reason"].as_str().unwrap().contains(words), "{cell}");
    }
}

#[test]
fn who_is_not_root_is_told_to_be() {
    if !is_root("netns") {
        return;
    }
    const NOBODY: u32 = 65_534;
    let lab = lab();
    // The build's folder may be closed to others.
    let copy = lab.path().join("rig");
    // By another process: a child that another test forks meanwhile would hold the file open for writing (ETXTBSY).
    assert!(Command::new("cp").arg(program()).arg(&copy).status().unwrap().success());
    fs::set_permissions(lab.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let start = |arguments: &str| {
        let mut command = Command::new(&copy);
        lab.settle(command.args(arguments.split_whitespace()));
        command.uid(NOBODY).gid(NOBODY).env("HOME", lab.path()).env_remove("XDG_CACHE_HOME");
        command.env("XDG_CACHE_HOME", lab.path().join("cache"));
        lab.start(command).end()
    };
    start("matrix run").expect(4).says(&["user 65534 may not make namespaces", "run as root (sudo)"]);
    assert!(lab.runs().is_empty(), "nothing was begun");
    let doctor = start("doctor").expect(4).says(&["effective user id is 65534", "run it with sudo"]);
    assert!(doctor.stdout.ends_with("guests cannot run here\n"), "{}", doctor.stdout);
    // What only reads needs no privileges.
    let host = matrix(QUICK, r#""rst""#, r#""bare-metal""#);
    fs::write(lab.path().join("host.toml"), host).unwrap();
    start("matrix check --matrix host.toml").expect(0);
    start("scenario list").expect(0).says(&["watcher"]);
}

#[test]
fn without_qemu_guests_are_skipped_and_the_host_is_measured() {
    with_private_mounts(|| {
        mask_program("qemu-system-x86_64");
        let lab = lab();
        lab.run("matrix run --seed 7").expect(0).says(&["no QEMU", "`rig setup` installs it"]);
        only_bare_metal(&lab, "no QEMU: qemu-system-x86_64 cannot be started");
        lab.run("matrix run --seed 7 --deny-skips").expect(3);
        // None of what was asked for can be run: that is no run.
        lab.run("matrix run configuration=virtio-tap")
            .expect(4)
            .says(&["this host can run none of the cells", "rig doctor"]);
        assert_eq!(lab.runs().len(), 2);
    });
}

#[test]
fn without_dev_net_tun_guests_are_skipped_and_the_host_is_measured() {
    with_private_mounts(|| {
        mask("/dev/net/tun");
        let lab = lab();
        lab.run("matrix run --seed 7").expect(0).says(&["/dev/net/tun cannot make a tap"]);
        only_bare_metal(&lab, "no tap: /dev/net/tun cannot make a tap");
        let doctor: Json = serde_json::from_str(&lab.run("doctor --format json").stdout).unwrap();
        let tap = doctor["capabilities"].as_array().unwrap().iter().find(|one| one["name"] == "tap").unwrap();
        assert_ne!(tap["state"], "usable", "{tap}");
    });
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    with_private_mounts(|| {
        let lab = Lab::new(&matrix(
            &format!("{QUICK}\n[scenario.rst]\nclient_delay = \"1ms\"\ntrials = 400\nblocks = 100"),
            r#""rst""#,
            r#""bare-metal""#,
        ));
        fs::create_dir(lab.results()).unwrap();
        let flags = MsFlags::empty();
        mount(Some("test"), &lab.results(), Some("tmpfs"), flags, Some("size=300k")).unwrap();
        let ended = lab.run("matrix run --seed 7").expect(4);
        let ended = ended.says(&["cannot write", "No space left on device", "free some space", "--resume"]);
        assert!(!ended.stdout.contains("What was found"), "{}", ended.stdout);
        let run = lab.only_run();
        assert!(ended.words().contains(&run.id()), "the file is named: {}", ended.stderr);
        assert_eq!(run.ended(), None);
        let (played, plan) = (run.order(), run.plan());
        assert!(!played.is_empty() && played.len() < plan.len() && plan.starts_with(&played));
        // What is there can be reported, and gone on with.
        lab.run("report latest").expect(0).says(&["NOT COMPLETE"]);
        let flags = MsFlags::MS_REMOUNT;
        mount(Some("test"), &lab.results(), Some("tmpfs"), flags, Some("size=64m")).unwrap();
        lab.run("matrix run --resume latest").expect(0);
        assert_eq!(run.order(), plan);
        assert_eq!(run.ended(), Some(true));
    });
}

#[test]
fn a_results_folder_that_cannot_be_written_is_named() {
    with_private_mounts(|| {
        let lab = lab();
        let command = "matrix run configuration=bare-metal --results";
        fs::write(lab.path().join("file"), "").unwrap();
        lab.run(&format!("{command} file/below")).expect(2).says(&["cannot make file/below", "--results"]);
        let folder = lab.path().join("fixed");
        fs::create_dir(&folder).unwrap();
        mount(Some("test"), &folder, Some("tmpfs"), MsFlags::MS_RDONLY, NOWHERE).unwrap();
        lab.run(&format!("{command} fixed")).expect(4).says(&[
            "cannot make fixed/",
            "must be writable",
            "--results",
        ]);
        assert!(lab.runs().is_empty());
    });
}

/// Runs `test` on a thread whose network has no outside.
fn cut_off(test: impl FnOnce() + Send + 'static) {
    let alone = move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        test();
    };
    if let Err(panic) = thread::spawn(alone).join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn without_a_mirror_a_warm_cache_serves_and_a_cold_one_says_so() {
    if !is_root("netns") {
        return;
    }
    // Warm from here on, whatever it was.
    Lab::new("").run("image build 6.1").expect(0);
    cut_off(|| {
        let lab = lab();
        lab.run("image build 6.1").expect(0).says(&["6.1: linux-image-"]);
        let mut command = lab.rig("matrix run configuration=virtio-tap");
        command.env("XDG_CACHE_HOME", lab.path().join("cold"));
        lab.start(command).end().expect(4).says(&["mirror"]);
        assert!(lab.runs().is_empty(), "nothing was begun");
        // Bare metal needs no image and no mirror.
        let mut command = lab.rig("matrix run --seed 7 configuration=bare-metal");
        command.env("XDG_CACHE_HOME", lab.path().join("cold"));
        lab.start(command).end().expect(0);
    });
}

#[test]
fn what_is_wrong_is_said_before_anything_starts() {
    let lab = lab();
    let wrong = [
        ("matrix run --matrix nowhere.toml", "nowhere.toml"),
        ("matrix run configuration=virtio-tep", "virtio-tep"),
        ("matrix run --profile quack", "quack"),
        ("matrix run --trials 0", "--trials"),
        ("matrix run --shard 3/2", "3/2"),
        ("matrix run --deadline soon", "--deadline"),
        ("matrix run --resume latest", "there is no run `latest`"),
        ("report nothing", "there is no run `nothing`"),
    ];
    for (arguments, word) in wrong {
        lab.run(arguments).expect(2).says(&[word]);
    }
    let text = fs::read_to_string(lab.path().join("matrix.toml")).unwrap();
    let text = text.replace("\"rst\"]", "\"rts\"]").replace("vcpus = 2", "vcpus = 0");
    fs::write(lab.path().join("wrong.toml"), text).unwrap();
    let ended = lab.run("matrix run --matrix wrong.toml").expect(2);
    ended.says(&["wrong.toml:", "rts", "did you mean `rst`", "vcpus", "problems"]);
    assert!(!lab.results().exists(), "nothing was begun");
}

#[test]
fn doctor_says_each_capability_in_a_line() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    let ended = lab.run("doctor --format json");
    let answer: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["format"], 1);
    let can_run = answer["guests_can_run"].as_bool().unwrap();
    let ended = ended.expect(if can_run { 0 } else { 4 });
    assert_eq!(ended.stderr, "");
    let capabilities = answer["capabilities"].as_array().unwrap();
    let names: Vec<&str> = capabilities.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let all = [
        "root",
        "qemu",
        "kvm",
        "vhost-net",
        "vhost-vsock",
        "netns",
        "mounts",
        "confinement",
        "tap",
        "macvtap",
        "passt",
        "nft",
        "netem",
        "kernels",
        "disk",
        "memory",
    ];
    assert_eq!(names, all);
    for one in capabilities {
        let is_usable = one["state"] == "usable";
        assert!(!one["detail"].as_str().unwrap().is_empty(), "{one}");
        assert!(is_usable || one["advice"].is_string(), "what is lacking comes with what to do: {one}");
    }
    assert_eq!(
        Path::new("/dev/vhost-net").exists(),
        capabilities[3]["state"] != "missing",
        "{}",
        capabilities[3]
    );

    let text = lab.run("doctor").expect(if can_run { 0 } else { 4 }).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), all.len() + 1, "{text}");
    for (line, name) in lines.iter().zip(all) {
        assert!(line.starts_with(name), "{text}");
    }
    let conclusion = if can_run { "guests can run here" } else { "guests cannot run here" };
    assert_eq!(lines.last(), Some(&conclusion));
    assert!(!lab.results().exists(), "a doctor leaves nothing");
}

#[test]
fn setup_installs_nothing_unasked() {
    with_private_mounts(|| {
        let lab = lab();
        lab.run("setup").expect(0).says(&["all programs that runs need are installed"]);
        mask("/usr/bin/strace");
        lab.run("setup").expect(0).says(&["all programs that runs need are installed"]);
        lab.run("setup --tests").expect(0).says(&[
            "missing: strace (package strace)",
            "runs do without it",
            "--yes",
        ]);
        mask("/usr/sbin/nft");
        lab.run("setup").expect(4).says(&["missing: nft (package nftables)", "--yes"]);
    });
}
