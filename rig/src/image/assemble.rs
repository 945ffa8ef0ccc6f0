//! From packages to the files of an image.
//!
//! Pure: the same packages give the same bytes. Must not know where packages come from or where images are kept. Units: bytes.
//! Errors: `ImageError`; they blame the recipe or the kernel package. Tests: in `build.rs`, with packages out of memory.

use sha2::{Digest, Sha256};

use super::cache::Built;
use super::error::ImageError;
use super::initramfs;
use super::modules::{ModuleTree, normal};
use super::package::{Files, Node};
use super::recipe::Recipe;
use super::supply::{Supplies, kernel_release};

/// The code that an image's content depends on: another builder never meets its predecessor's images.
const BUILDER: [&str; 13] = [
    include_str!("assemble.rs"),
    include_str!("cpio.rs"),
    include_str!("depmod.rs"),
    include_str!("exact.rs"),
    include_str!("../elf.rs"),
    include_str!("init.sh"),
    include_str!("initramfs.rs"),
    include_str!("modules.rs"),
    include_str!("package.rs"),
    include_str!("apt.rs"),
    include_str!("listed.rs"),
    include_str!("state.rs"),
    include_str!("supply.rs"),
];

/// Hash of everything but the packages that an image depends on.
pub fn recipe_key(recipe: &Recipe) -> String {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(recipe).expect("plain data serialises"));
    for part in BUILDER {
        hasher.update(part);
    }
    format!("{:.16x}", hasher.finalize())
}

pub(super) fn assemble(recipe: &Recipe, supplies: Supplies) -> Result<Built, ImageError> {
    let Supplies { kernel_package, kernel: mut files, programs, packages } = supplies;
    let no_kernel = || ImageError::NoKernel {
        package: recipe.kernel.package.clone(),
        release: recipe.kernel.release.clone(),
    };
    let found = files.keys().find_map(|path| Some((path.clone(), kernel_release(path)?.to_owned())));
    let (path, release) = found.ok_or_else(no_kernel)?;
    let Some(Node::File(kernel)) = files.remove(&path) else { return Err(no_kernel()) };
    let tree = module_tree(&release, files);
    let mut lacks = Vec::new();
    let modules = tree.closure(&there(&tree, &recipe.initramfs.modules, &mut lacks))?;
    let mut available = tree.closure(&there(&tree, &recipe.initramfs.available, &mut lacks))?;
    available.retain(|module| !modules.contains(module));
    let mut archive = initramfs::assemble(&programs, &recipe.initramfs.commands, &modules)?;
    initramfs::add_available(&mut archive, &release, &available);
    Ok(Built {
        name: recipe.name.clone(),
        release,
        kernel_package,
        packages,
        modules: modules.into_iter().map(|module| module.name).collect(),
        lacks,
        kernel,
        initramfs: archive.to_bytes(),
    })
}

/// Modules without which a guest boots, and its /init does all of its work: a kernel that has not got them (they are newer, or became a part
/// of another) makes an image that says so. Any other name that a kernel has not got is an error of the recipe.
const DISPENSABLE: [&str; 8] = [
    // What a panic is told with, beside the console: since 5.13.
    "pvpanic_pci",
    // The NIC of some configurations only.
    "vmxnet3",
    // The packet filter of paths that have rules in the guest. nft_objref is a part of nf_tables since 6.2.
    "nf_tables",
    "nft_objref",
    "nft_reject_inet",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_ct",
];

/// Of the `wanted` modules those that must be there or are; the others are added to `lacks`.
fn there(tree: &ModuleTree, wanted: &[String], lacks: &mut Vec<String>) -> Vec<String> {
    let (there, absent): (Vec<String>, Vec<String>) = wanted
        .iter()
        .cloned()
        .partition(|module| tree.has(module) || !DISPENSABLE.contains(&normal(module).as_str()));
    lacks.extend(absent.iter().map(|module| normal(module)));
    there
}

fn module_tree(release: &str, files: Files) -> ModuleTree {
    let mut builtin = String::new();
    let mut modules = Vec::new();
    for (path, node) in files {
        match node {
            Node::File(bytes) if path.ends_with("/modules.builtin") => {
                builtin = String::from_utf8_lossy(&bytes).into_owned()
            }
            Node::File(bytes) => modules.push((path, bytes)),
            Node::Symlink(_) => {}
        }
    }
    ModuleTree::new(release, &builtin, modules)
}
