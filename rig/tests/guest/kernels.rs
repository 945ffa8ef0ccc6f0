//! Kernels on one axis, a built tree among them, compared with one of them: what was played is complete, and each pair is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::image::{Cache, Fetch, Image, ImageError, ensure};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::blackbox::{self, Lab, Recorded};
use crate::scale::scale;

#[expect(clippy::print_stderr, reason = "for who reads the test's output")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// The image of a kernel, built where it is missing; said aloud where the archive has none.
fn image(name: &str) -> Option<Image> {
    match ensure(name, &Cache::of_user().unwrap(), Fetch::IfMissing, &mut |_| {}) {
        Ok(image) => Some(image),
        Err(error @ (ImageError::Mirror { .. } | ImageError::Tool { .. } | ImageError::NoArchive { .. })) => {
            say(&format!("left out, as there is no image {name}: {error}"));
            None
        }
        Err(error) => panic!("{:?}", miette::Report::new(error)),
    }
}

/// The kernels of the axis: 6.1, the exact version that it is, and at night all that Debian has.
fn kernels(baseline: &Image) -> Vec<String> {
    let exact = baseline.package.rsplit(' ').next().unwrap().to_owned();
    let named = ["5.10", "6.1", &exact, "6.12", "newest"];
    let wanted = scale(&named[1..3], &named[..]);
    wanted.iter().filter(|name| image(name).is_some()).map(|name| (*name).to_owned()).collect()
}

/// The package that this image's kernel came in, where the cache still has it.
fn package_of(image: &Image) -> Option<PathBuf> {
    let begin = image.package.split_once(' ').map(|(name, version)| format!("{name}_{version}_"))?;
    let entries = fs::read_dir(Cache::of_user().ok()?.root().join("packages")).ok()?.flatten();
    entries.map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().replace("%3a", ":").starts_with(&begin))
    })
}

/// The package as the tree that it was built in, before any `make modules_install` (v6.1, scripts/Makefile.modfinal and Makefile.modinst): each module where it was
/// built, and its name in `modules.order` without `kernel/`.
fn lay_out_tree(package: &Path, release: &str, tree: &Path) {
    let root = tempfile::tempdir().unwrap();
    let done = Command::new("dpkg-deb").arg("-x").arg(package).arg(root.path()).status().unwrap();
    assert!(done.success(), "{done}");
    let modules = root.path().join("lib/modules").join(release);
    let copied = Command::new("cp").arg("-r").arg(modules.join("kernel")).arg(tree).status().unwrap();
    assert!(copied.success(), "{copied}");
    for folder in ["arch/x86/boot", "include/config"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    let boot = |name: &str| root.path().join("boot").join(format!("{name}-{release}"));
    fs::copy(boot("vmlinuz"), tree.join("arch/x86/boot/bzImage")).unwrap();
    fs::copy(boot("config"), tree.join(".config")).unwrap();
    fs::copy(modules.join("modules.builtin"), tree.join("modules.builtin")).unwrap();
    let order = fs::read_to_string(modules.join("modules.order")).unwrap();
    let order: String =
        order.lines().map(|line| format!("{}\n", line.trim_start_matches("kernel/"))).collect();
    fs::write(tree.join("modules.order"), order).unwrap();
    fs::write(tree.join("include/config/kernel.release"), format!("{release}\n")).unwrap();
}

/// SHA-256 of a file, in hex.
fn sha256(file: &Path) -> String {
    format!("{:x}", Sha256::digest(fs::read(file).unwrap()))
}

pub(crate) fn kernels_are_compared_with_one_of_them() {
    let Some(baseline) = image("6.1") else { return blackbox::skip("guest", "no image of kernel 6.1") };
    let Some(package) = package_of(&baseline) else {
        return blackbox::skip("guest", "the cache no longer has the package of kernel 6.1");
    };
    let mut kernels = kernels(&baseline);
    kernels.push("./linux".to_owned());
    let (trials, blocks) = scale((100, 2), (400, 4));
    let lab = Lab::new(&format!(
        "[run]\ntrials = {trials}\nblocks = {blocks}\ncontrol_trials = 100\ncontrol_blocks = 1\naa_pair = {}\nbaseline = \"kernel:6.1\"\n\
         [axes]\nscenario = [\"rst\", \"uring-remove-race\"]\nconfiguration = [\"bare-metal\", \"virtio-tap\"]\nkernel = {kernels:?}\npath = [\"direct\"]\n\
         [scenario.rst]\nclient_delay = \"50ms\"\n[configuration.bare-metal]\nkind = \"host\"\n\
         [configuration.virtio-tap]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\n[path.direct]\n\
         [control.closed-descriptor]\nscenario = \"control-closed-descriptor\"\n[control.inject-enoent]\nscenario = \"control-inject-enoent\"\nparameters = {{ rate = \"50%\" }}\n",
        scale(false, true)
    ));
    let tree = lab.path().join("linux");
    lay_out_tree(&package, &baseline.release, &tree);
    // What the tree lacks is said before anything is booted.
    let driver = tree.join("drivers/net/virtio_net.ko");
    let bytes = fs::read(&driver).unwrap();
    fs::remove_file(&driver).unwrap();
    lab.run("matrix plan --kernel 6.1 --kernel ./linux").expect(2).says(&["there is no virtio_net.ko"]);
    fs::write(&driver, bytes).unwrap();
    let planned: Json = serde_json::from_str(&lab.run("matrix plan --format json").expect(0).stdout).unwrap();
    let ended = lab.run("matrix run --seed 7");
    // A race, or a busy host, may make a difference: it is told, and no failure of the run.
    assert!(matches!(ended.status.code(), Some(0 | 3 | 5)), "{ended:?}");
    let run = lab.only_run();
    let report = run.report();
    everything_was_played(&run, &report);
    let file = &report["run"]["kernel_files"]["./linux"];
    assert_eq!(
        (file["own"].as_bool(), file["sha256"].as_str()),
        (Some(true), Some(&*sha256(&tree.join("arch/x86/boot/bzImage"))))
    );
    assert_eq!(file["config_sha256"], sha256(&tree.join(".config")));
    let baseline = &report["kernel_baseline"];
    assert_eq!(baseline["kernel"], "6.1");
    let others: BTreeSet<&str> = kernels.iter().map(String::as_str).filter(|name| *name != "6.1").collect();
    let answers = baseline["kernels"].as_array().unwrap();
    assert_eq!(answers.iter().map(|one| one["kernel"].as_str().unwrap()).collect::<BTreeSet<_>>(), others);
    let pairs = baseline["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2 * others.len(), "two scenarios on each kernel");
    let ids = |pair: &Json| (pair["second"]["cell"].clone(), pair["first"]["cell"].clone());
    let of_plan = planned["baseline"]["pairs"].as_array().unwrap();
    let of_plan: Vec<_> =
        of_plan.iter().map(|pair| (pair["cell"].clone(), pair["baseline"].clone())).collect();
    assert_eq!(pairs.iter().map(ids).collect::<Vec<_>>(), of_plan);
    for pair in pairs {
        assert_eq!(
            (pair["first"]["configuration"].as_str(), pair["first"]["kernel"].as_str()),
            (Some("virtio-tap"), Some("6.1"))
        );
        assert_eq!(pair["errnos"].as_array().unwrap().len(), 3);
        for one in pair["errnos"].as_array().unwrap() {
            assert!(one["verdict"] != "not_run" && one["verdict"] != "blind", "{pair}");
            assert_eq!((&one["blocks1"], &one["blocks2"]), (&blocks.into(), &blocks.into()), "{pair}");
        }
    }
    let text = run.read("report.txt");
    assert!(text.contains(&file["sha256"].as_str().unwrap()[..12]), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for answer in answers {
        let told = answer["text"].as_str().unwrap();
        assert!(told.contains("ends as 6.1 does in") && words.contains(told), "{told}: {text}");
        assert_eq!(
            (&answer["blind"], &answer["not_run"], &answer["without"]),
            (&0.into(), &0.into(), &0.into())
        );
    }
    lab.run("results verify latest").expect(0).says(&["kernel baseline", "0 differ"]);
}

/// No void, and every control has found what it must.
fn everything_was_played(run: &Recorded, report: &Json) {
    assert_eq!(run.ended(), Some(true));
    for cell in report["cells"].as_array().unwrap() {
        assert_eq!(cell["void"], 0, "{cell}");
        assert!(cell["status"] == "complete" || cell["configuration"] != "virtio-tap", "{cell}");
    }
    for control in report["controls"].as_array().unwrap() {
        assert_eq!(control["passed"], true, "{control}");
    }
}
