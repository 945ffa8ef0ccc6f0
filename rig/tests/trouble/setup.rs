//! `rig setup` on a host where an installation would take something away, and the one view that all commands have of the programs of a host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::blackbox::tools::needs;
use crate::blackbox::{Ended, Lab, is_root, matrix};
use crate::host::{mask_program, with_private_mounts};

const REMOVES: &str = "\
The following packages will be REMOVED:
  qemu-utils
Remv qemu-utils [1:10.0.2+ds-2+deb13u1~bpo12+1]
Inst qemu-system-x86 (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
";

const INSTALLS: &str = "\
Inst qemu-system-x86 (1:10.0.2+ds-2+deb13u1~bpo12+1 Debian Backports:oldstable-backports [amd64])
";

const POLICY: &str = "\
qemu-utils:
  Installed: 1:10.0.2+ds-2+deb13u1~bpo12+1
  Version table:
 *** 1:10.0.2+ds-2+deb13u1~bpo12+1 100
        100 http://archive.invalid/debian bookworm-backports/main amd64 Packages
        100 /var/lib/dpkg/status
";

/// A host without QEMU whose apt says this, and writes down what it was asked.
struct Host {
    lab: Lab,
}

impl Host {
    fn plain() -> Self {
        Self { lab: Lab::new("") }
    }

    /// `plainly`: what comes of an installation from the release that the host is of.
    fn new(plainly: &str) -> Self {
        mask_program("qemu-system-x86_64");
        let host = Self::plain();
        for (name, text) in [("plainly", plainly), ("from-release", INSTALLS), ("policy", POLICY)] {
            fs::write(host.lab.path().join(name), text).unwrap();
        }
        let folder = host.lab.path().display().to_string();
        host.program(
            "apt-get",
            &format!(
                "echo \"$@\" >> {folder}/asked
case \"$*\" in
*--simulate*--target-release*) cat {folder}/from-release ;;
*--simulate*) cat {folder}/plainly ;;
esac"
            ),
        );
        host.program("apt-cache", &format!("cat {folder}/policy"));
        host
    }

    fn program(&self, name: &str, script: &str) {
        let folder = self.lab.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &str) -> Ended {
        let mut command = self.lab.rig(arguments);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.lab.path().join("bin").display());
        command.env("PATH", path);
        self.lab.start(command).end()
    }

    /// What apt-get was asked that is more than a question.
    fn done(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.lab.path().join("asked")).unwrap();
        let is_question = |line: &&str| line.contains("--simulate") || line.contains("--print-uris");
        asked.lines().filter(|line| !is_question(line)).map(str::to_owned).collect()
    }
}

#[test]
fn nothing_is_begun_that_would_remove_a_package_and_the_way_out_is_told() {
    with_private_mounts(|| {
        let host = Host::new(REMOVES);
        for arguments in ["setup", "setup --yes", "matrix run --setup"] {
            host.run(arguments).expect(4).says(&[
                "apt-get would remove qemu-utils 1:10.0.2+ds-2+deb13u1~bpo12+1",
                "nothing was done",
                "is of bookworm-backports",
                "--target-release bookworm-backports",
                "qemu-system-x86`",
            ]);
        }
        assert_eq!(host.done(), Vec::<String>::new());
    });
}

#[test]
fn what_harms_nothing_is_shown_and_installed_without_leave_to_remove() {
    with_private_mounts(|| {
        let host = Host::new(INSTALLS);
        let shown = ["would fetch 0 B and install 1 package: qemu-system-x86", "nothing would be removed"];
        host.run("setup").expect(4).says(&shown).says(&["apt-get install --no-remove"]);
        assert_eq!(host.done(), Vec::<String>::new());
        // This apt-get installs nothing, and that is noticed.
        host.run("setup --yes").expect(4).says(&shown).says(&["there is still no qemu-system-x86_64"]);
        let [install] = &host.done()[..] else { panic!("one call: {:?}", host.done()) };
        assert!(install.contains("--no-remove") && install.contains("qemu-system-x86"), "{install}");
        assert!(!install.contains("tshark") && !install.contains("strace"), "{install}");
    });
}

/// An index of Python packages at which nobody listens: everything else is set up, and what is begun is not taken for whole.
#[test]
fn without_an_index_of_python_packages_setup_says_what_to_look_at() {
    if !is_root("netns") || needs("python3").is_none() {
        return;
    }
    // Its apt says that there is nothing, so no image is fetched.
    let host = Host::plain();
    host.program("apt-get", "exit 100");
    let lab = &host.lab;
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", lab.path().join("bin").display());
    let run = |arguments: &str| {
        let mut command = lab.rig(arguments);
        command.env("PATH", &path);
        command.env("XDG_CACHE_HOME", lab.path().join("cache")).env("PIP_CONFIG_FILE", "/dev/null");
        command.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PIP_NO_CACHE_DIR", "1");
        for fallback in ["PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"] {
            command.env_remove(fallback);
        }
        lab.start(command).end()
    };
    let oracles = lab.path().join("cache/rig/oracles");
    let wanted = ["would make a Python environment in", "scipy 1"];
    run("setup --tests").expect(0).says(&wanted);
    assert!(!oracles.exists(), "nothing unasked");
    run("setup --tests --yes").expect(4).says(&[
        "pip failed: ",
        "numpy",
        "pip config list",
        "is it reachable from here?",
    ]);
    let [begun] = &folders(&oracles)[..] else { panic!("one environment: {:?}", folders(&oracles)) };
    assert!(begun.join("bin/python").exists());
    run("setup --tests").expect(0).says(&wanted);
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

#[test]
fn programs_are_found_whatever_path_says() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&matrix("trials = 20", r#""rst""#, r#""bare-metal", "virtio-tap""#));
    let start = |arguments: &str, path: &str| {
        let home = std::env::var_os("HOME").unwrap_or_default();
        let mut command: Command = lab.rig(arguments);
        command.env_clear().env("HOME", home).env("PATH", path).env("NO_COLOR", "1");
        lab.start(command).end()
    };
    // What was free a moment ago, and how long a boot took, may differ.
    let view = |path: &str| {
        let doctor: Json = serde_json::from_str(&start("doctor --format json", path).stdout).unwrap();
        let mut rows = doctor["capabilities"].as_array().unwrap().clone();
        for row in &mut rows {
            if ["memory", "disk", "kvm"].contains(&row["name"].as_str().unwrap()) {
                row["detail"] = Json::Null;
            }
        }
        (rows, start("matrix plan", path).expect(0).stdout, start("setup", path).stdout)
    };
    let login = view("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for path in ["/usr/bin:/bin", "/nowhere"] {
        assert_eq!(view(path), login, "{path}");
    }
}
