//! Kernels of one's own in all their forms, as far as rig looks into them: hand-made trees, folders and packages.

use std::process::Command;

use super::bzimage::tests::bzimage;
use super::config::tests::enough;
use super::*;
use crate::elf::tests::module;
use crate::process;

const RELEASE: &str = "6.1.0-own";
const BOOT: [&str; 3] = ["virtio_pci", "virtio_net", "vmxnet3"];
const AVAILABLE: [&str; 2] = ["nf_tables", "nft_objref"];

/// A folder in which kernels are laid down.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let at = self.at(path);
        fs_err::create_dir_all(at.parent().unwrap()).unwrap();
        fs_err::write(at, bytes).unwrap();
    }

    fn read(&self, own: &Own) -> Result<OwnKernel, OwnError> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        own.read(Wanted { boot: &words(&BOOT), available: &words(&AVAILABLE) })
    }

    fn path(&self, path: &str) -> Result<OwnKernel, OwnError> {
        self.read(&Own::Path(self.at(path)))
    }

    /// What is refused, in words, with what to try.
    fn refused(&self, own: &Own) -> [String; 2] {
        let error = self.read(own).unwrap_err();
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
        let here = self.0.path().display().to_string();
        [error.to_string(), help].map(|text| text.replace(&here, ""))
    }
}

fn driver(needs: &str, release: &str) -> Vec<u8> {
    module(&[("depends", needs), ("vermagic", &format!("{release} SMP preempt mod_unload "))])
}

/// Where the drivers are modules.
fn modular() -> String {
    let drivers = ["VIRTIO_PCI", "VIRTIO_NET"]
        .map(|option| (format!("CONFIG_{option}=y"), format!("CONFIG_{option}=m")));
    drivers.iter().fold(enough(), |text, (yes, module)| text.replace(yes, module)) + "CONFIG_NF_TABLES=m\n"
}

/// A tree as `make` leaves it.
fn tree(bench: &Bench) {
    bench.put("linux/arch/x86/boot/bzImage", bzimage(RELEASE, None));
    bench.put("linux/.config", modular());
    bench.put("linux/modules.builtin", "kernel/drivers/virtio/virtio.ko\n");
    // Both spellings of the list, and one that was not built.
    bench.put("linux/modules.order", "drivers/virtio/virtio_pci.ko\nnet/netfilter/nf_tables.o\nkernel/drivers/net/virtio_net.ko\nfs/gone.o\n");
    bench.put("linux/drivers/virtio/virtio_pci.ko", driver("virtio", RELEASE));
    bench.put("linux/drivers/net/virtio_net.ko", driver("virtio", RELEASE));
    bench.put("linux/net/netfilter/nf_tables.ko", driver("", RELEASE));
}

fn names(modules: &[Module]) -> Vec<&str> {
    modules.iter().map(|module| module.name.as_str()).collect()
}

#[test]
fn a_built_tree_has_its_modules_where_they_were_built() {
    let bench = Bench::new();
    tree(&bench);
    let kernel = bench.path("linux").unwrap();
    assert_eq!((kernel.form, kernel.release.as_str()), ("tree", RELEASE));
    assert_eq!(names(&kernel.boot), ["virtio_pci", "virtio_net"]);
    assert_eq!(names(&kernel.available), ["nf_tables"]);
    assert_eq!(kernel.lacks, ["vmxnet3", "nft_objref"]);
    assert!(kernel.config_sha256.is_some());
    // By its kernel's file it is the same tree, and so is what a recipe calls one.
    assert_eq!(bench.path("linux/arch/x86/boot/bzImage").unwrap(), kernel);
    assert_eq!(bench.read(&Own::Tree(bench.at("linux"))).unwrap(), kernel);
    // What changes in it changes what is read.
    bench.put("linux/drivers/net/virtio_net.ko", driver("virtio,", RELEASE));
    assert_ne!(bench.path("linux").unwrap(), kernel);
}

#[test]
fn a_kernel_without_modules_has_its_drivers_built_in() {
    let bench = Bench::new();
    let config = enough() + "CONFIG_NF_TABLES=y\n";
    bench.put("linux/arch/x86/boot/bzImage", bzimage(RELEASE, None));
    bench.put("linux/.config", &config);
    let kernel = bench.path("linux").unwrap();
    assert_eq!((names(&kernel.boot), names(&kernel.available)), (vec![], vec![]));
    assert_eq!(kernel.lacks, ["vmxnet3", "nft_objref"]);
    // A bzImage says as much, where its configuration is packed into it.
    bench.put("bzImage", bzimage(RELEASE, Some(&config)));
    let alone = bench.path("bzImage").unwrap();
    assert_eq!(
        (alone.form, &alone.lacks, &alone.config_sha256),
        ("bzImage", &kernel.lacks, &kernel.config_sha256)
    );
    // Of one that says nothing of itself nothing is said.
    bench.put("silent", bzimage(RELEASE, None));
    let silent = bench.path("silent").unwrap();
    assert_eq!((silent.lacks.len(), silent.config_sha256), (0, None));
}

#[test]
fn what_a_kernel_lacks_is_said_at_once_with_the_options() {
    let bench = Bench::new();
    tree(&bench);
    let without = modular()
        .replace("CONFIG_VIRTIO_NET=m", "# CONFIG_VIRTIO_NET is not set")
        .replace("CONFIG_TMPFS=y\n", "");
    bench.put("linux/.config", without);
    let tree = Own::Tree(bench.at("linux"));
    assert_eq!(
        bench.refused(&tree),
        [
            "the kernel at /linux (6.1.0-own) cannot be a guest's: it lacks CONFIG_TMPFS, CONFIG_VIRTIO_NET",
            "switch on and build again:\nCONFIG_TMPFS=y  (/run and /tmp)\nCONFIG_VIRTIO_NET=y  (the network cards)\nas /linux/.config has it",
        ]
    );
    // A driver that is a module must be there.
    bench.put("linux/.config", modular());
    fs_err::remove_file(bench.at("linux/drivers/net/virtio_net.ko")).unwrap();
    assert!(bench.refused(&tree)[1].contains("here it is a module, and there is no virtio_net.ko"));
    // Without any configuration the list of modules tells.
    fs_err::remove_file(bench.at("linux/.config")).unwrap();
    let [what, help] = bench.refused(&tree);
    assert!(what.ends_with("it lacks CONFIG_VIRTIO_NET"), "{what}");
    assert!(help.contains("in no list of this kernel's modules"), "{help}");
}

#[test]
fn a_bzimage_with_a_folder_of_modules() {
    let bench = Bench::new();
    bench.put("bzImage", bzimage(RELEASE, Some(&modular())));
    let folder = format!("installed/lib/modules/{RELEASE}");
    bench.put(&format!("{folder}/kernel/virtio_pci.ko"), driver("", RELEASE));
    bench.put(&format!("{folder}/kernel/virtio_net.ko"), driver("", RELEASE));
    bench.put(&format!("{folder}/modules.builtin"), "");
    let with = |modules: &str| Own::Image { bzimage: bench.at("bzImage"), modules: Some(bench.at(modules)) };
    let kernel = bench.read(&with("installed")).unwrap();
    assert_eq!(names(&kernel.boot), ["virtio_pci", "virtio_net"]);
    assert_eq!(bench.read(&with(&folder)).unwrap(), kernel);
    bench.put("other/lib/modules/5.4/kernel/a.ko", "");
    let told = bench.refused(&with("other"));
    assert_eq!(told[0], "/other has no modules of kernel 6.1.0-own: it has those of 5.4");
    assert!(bench.refused(&with("gone"))[0].starts_with("cannot read the kernel at /gone"));
    // Of another build, in a folder with the right name.
    bench.put(&format!("{folder}/kernel/virtio_net.ko"), driver("", "6.1.0-own+"));
    let [what, _] = bench.refused(&with("installed"));
    assert_eq!(
        what,
        "module virtio_net of the kernel at /bzImage is of 6.1.0-own+, and the kernel is 6.1.0-own"
    );
    bench.put(&format!("{folder}/kernel/virtio_net.ko"), driver("gone", RELEASE));
    assert!(bench.refused(&with("installed"))[0].ends_with("cannot be put together"));
}

fn installed(bench: &Bench, root: &str) {
    bench.put(&format!("{root}/boot/vmlinuz-{RELEASE}"), bzimage(RELEASE, None));
    bench.put(&format!("{root}/boot/config-{RELEASE}"), modular());
    for name in ["virtio_pci", "virtio_net"] {
        bench.put(&format!("{root}/lib/modules/{RELEASE}/kernel/{name}.ko"), driver("", RELEASE));
    }
    bench.put(&format!("{root}/lib/modules/{RELEASE}/modules.builtin"), "");
}

#[test]
fn an_installed_kernel_is_found_below_its_root() {
    let bench = Bench::new();
    installed(&bench, "root");
    let kernel = bench.path("root").unwrap();
    assert_eq!((kernel.form, names(&kernel.boot)), ("installed", vec!["virtio_pci", "virtio_net"]));
    let by_file = bench.path(&format!("root/boot/vmlinuz-{RELEASE}")).unwrap();
    assert_eq!((by_file.form, by_file.boot), ("bzImage", kernel.boot));
    bench.put("root/boot/vmlinuz-5.4", bzimage("5.4", None));
    assert_eq!(bench.refused(&Own::Path(bench.at("root")))[0], "/root has 2 kernels: 5.4, 6.1.0-own");
}

#[test]
fn packages_are_read_but_for_symbols_and_headers() {
    let bench = Bench::new();
    installed(&bench, "tree");
    bench.put(
        "tree/DEBIAN/control",
        "Package: linux-image-own\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: t\n",
    );
    fs_err::create_dir_all(bench.at("debs")).unwrap();
    let package = bench.at("debs/linux-image-6.1.0-own_1_amd64.deb");
    let mut build = Command::new(process::program_file("dpkg-deb"));
    let built = build.args(["--build", "--root-owner-group"]).arg(bench.at("tree")).arg(&package).output();
    if !built.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no dpkg-deb here");
        return;
    }
    for other in ["linux-image-6.1.0-own-dbg_1_amd64.deb", "linux-headers-6.1.0-own_1_amd64.deb", "other.deb"]
    {
        bench.put(&format!("debs/{other}"), "no package");
    }
    let kernel = bench.path("debs").unwrap();
    assert_eq!((kernel.form, names(&kernel.boot)), ("packages", vec!["virtio_pci", "virtio_net"]));
    assert_eq!(bench.read(&Own::Debs(package)).unwrap(), kernel);
    bench.put("debs/linux-image-torn_1_amd64.deb", "torn");
    assert_eq!(bench.refused(&Own::Path(bench.at("debs")))[0], "a package of /debs cannot be read");
}

#[test]
fn what_is_no_kernel_is_refused_by_what_it_is() {
    let bench = Bench::new();
    let refused = |path: &str| bench.refused(&Own::Path(bench.at(path))).concat();
    assert!(refused("gone").starts_with("cannot read the kernel at /gone"));
    fs_err::create_dir_all(bench.at("empty")).unwrap();
    assert!(refused("empty").starts_with("/empty has no kernel"));
    for name in ["Kconfig", "Kbuild", "Makefile"] {
        bench.put(&format!("source/{name}"), "");
    }
    assert!(refused("source").contains("has no arch/x86/boot/bzImage"));
    let whole = bzimage(RELEASE, None);
    bench.put("torn", &whole[..whole.len() - 16]);
    assert!(refused("torn").contains("cut short"));
    bench.put("text", "not a kernel");
    assert!(refused("text").contains("not a bzImage"));
    bench.put("tree/arch/x86/boot/bzImage", "");
    assert!(
        refused("tree")
            .contains("/tree/arch/x86/boot/bzImage cannot be a guest's kernel: it is an empty file")
    );
    assert!(
        bench.refused(&Own::Tree(bench.at("nowhere")))[0].starts_with("cannot read the kernel at /nowhere")
    );
}
