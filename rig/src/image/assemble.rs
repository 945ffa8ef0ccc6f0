//! From packages to the files of an image.
//!
//! Pure: the same packages give the same bytes. Must not know where packages come from or where images are kept. Units: bytes.
//! Errors: `ImageError`; they blame the recipe, its own kernel or the kernel package. Tests: in `build.rs`, with packages out of memory.

use sha2::{Digest, Sha256};

use super::cache::Built;
use super::error::ImageError;
use super::git;
use super::initramfs;
use super::modules::{Content, Module, ModuleTree, normal};
use super::own::{OwnKernel, Wanted};
use super::package::{Files, Node, config_release, kernel_release};
use super::recipe::{InitramfsRecipe, Recipe};
use super::supply::{KernelSupply, PackageId, Supplies};

/// The code that an image's content depends on: another builder never meets its predecessor's images.
const BUILDER: [&str; 17] = [
    include_str!("assemble.rs"),
    include_str!("cpio.rs"),
    include_str!("depmod.rs"),
    include_str!("exact.rs"),
    include_str!("../elf.rs"),
    include_str!("init.sh"),
    include_str!("initramfs.rs"),
    include_str!("modules.rs"),
    include_str!("own.rs"),
    include_str!("own/bzimage.rs"),
    include_str!("own/config.rs"),
    include_str!("own/files.rs"),
    include_str!("package.rs"),
    include_str!("apt.rs"),
    include_str!("listed.rs"),
    include_str!("state.rs"),
    include_str!("supply.rs"),
];

/// Hash of everything but the packages that an image depends on: of a kernel of one's own all that goes in.
///
/// # Errors
/// [`ImageError::Own`]: the recipe's own kernel cannot be read.
pub fn recipe_key(recipe: &Recipe) -> Result<String, ImageError> {
    Ok(key_with(recipe, own_kernel(recipe)?.as_ref()))
}

/// The recipe's own kernel, where it names one, read; and what git calls its tree.
pub(super) fn own_kernel(recipe: &Recipe) -> Result<Option<(OwnKernel, Option<String>)>, ImageError> {
    let InitramfsRecipe { modules, available, .. } = &recipe.initramfs;
    let Some(own) = &recipe.kernel.own else { return Ok(None) };
    let kernel = own.read(Wanted { boot: modules, available })?;
    Ok(Some((kernel, own.tree().and_then(|tree| git::describe(&tree)))))
}

/// [`recipe_key`], where the kernel was read already.
pub(super) fn key_with(recipe: &Recipe, own: Option<&(OwnKernel, Option<String>)>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(recipe).expect("plain data serialises"));
    for part in BUILDER {
        hasher.update(part);
    }
    if let Some((kernel, described)) = own {
        hasher.update(Sha256::digest(&kernel.kernel));
        for module in kernel.boot.iter().chain(&kernel.available) {
            hasher.update(Sha256::digest(&module.bytes));
        }
        hasher.update(
            serde_json::to_vec(&(&kernel.config_sha256, &kernel.lacks, described))
                .expect("plain data serialises"),
        );
    }
    format!("{:.16x}", hasher.finalize())
}

/// A kernel and what is loaded into it.
struct Parts {
    package: PackageId,
    release: String,
    kernel: Vec<u8>,
    config_sha256: Option<String>,
    boot: Vec<Module>,
    available: Vec<Module>,
    lacks: Vec<String>,
}

/// Puts the files of an image together; `own` is the recipe's own kernel, where it has one.
pub(super) fn assemble(
    recipe: &Recipe,
    supplies: Supplies,
    own: Option<(OwnKernel, Option<String>)>,
) -> Result<Built, ImageError> {
    let Supplies { kernel, programs, packages } = supplies;
    let git = own.as_ref().and_then(|(_, described)| described.clone());
    let parts = match (own, kernel) {
        (Some((own, _)), _) => of_ones_own(own, git.as_deref()),
        (None, kernel) => of_packages(recipe, kernel.ok_or_else(|| no_kernel(recipe))?)?,
    };
    let mut archive = initramfs::assemble(&programs, &recipe.initramfs.commands, &parts.boot)?;
    initramfs::add_available(&mut archive, &parts.release, &parts.available);
    Ok(Built {
        name: recipe.name.clone(),
        release: parts.release,
        kernel_package: parts.package,
        packages,
        modules: parts.boot.into_iter().map(|module| module.name).collect(),
        lacks: parts.lacks,
        kernel: parts.kernel,
        config_sha256: parts.config_sha256,
        git,
        initramfs: archive.to_bytes(),
    })
}

/// What stands where other kernels have their package and its version: how the kernel came, and what it is.
fn of_ones_own(own: OwnKernel, git: Option<&str>) -> Parts {
    let OwnKernel { form, release, kernel, config_sha256, boot, available, lacks } = own;
    let version = git.unwrap_or(&release).to_owned();
    let package =
        PackageId { name: form.to_owned(), version, sha256: format!("{:x}", Sha256::digest(&kernel)) };
    Parts { package, release, kernel, config_sha256, boot, available, lacks }
}

fn no_kernel(recipe: &Recipe) -> ImageError {
    ImageError::NoKernel { package: recipe.kernel.package.clone(), release: recipe.kernel.release.clone() }
}

fn of_packages(recipe: &Recipe, supply: KernelSupply) -> Result<Parts, ImageError> {
    let KernelSupply { package, mut files } = supply;
    let found = files.keys().find_map(|path| Some((path.clone(), kernel_release(path)?.to_owned())));
    let (path, release) = found.ok_or_else(|| no_kernel(recipe))?;
    let Some(Node::File(kernel)) = files.remove(&path) else { return Err(no_kernel(recipe)) };
    let config = files.iter().find_map(|(path, node)| match node {
        Node::File(bytes) if config_release(path) == Some(release.as_str()) => {
            Some(format!("{:x}", Sha256::digest(bytes)))
        }
        _ => None,
    });
    let tree = module_tree(&release, files);
    let mut lacks = Vec::new();
    let boot = tree.closure(&there(&tree, &recipe.initramfs.modules, &mut lacks))?;
    let mut available = tree.closure(&there(&tree, &recipe.initramfs.available, &mut lacks))?;
    available.retain(|module| !boot.contains(module));
    Ok(Parts { package, release, kernel, config_sha256: config, boot, available, lacks })
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
            Node::File(bytes) => modules.push((path, Content::Bytes(bytes))),
            Node::Symlink(_) => {}
        }
    }
    ModuleTree::new(release, &builtin, modules)
}
