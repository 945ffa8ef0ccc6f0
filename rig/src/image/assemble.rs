//! From packages to the files of an image.
//!
//! Pure: the same packages give the same bytes. Must not know where packages come from or where images are kept. Units: bytes.
//! Errors: `ImageError`; they blame the recipe or the kernel package. Tests: in `build.rs`, with packages out of memory.

use sha2::{Digest, Sha256};

use super::cache::Built;
use super::error::ImageError;
use super::initramfs;
use super::modules::ModuleTree;
use super::package::{Files, Node};
use super::recipe::Recipe;
use super::supply::Supplies;

/// The code that an image's content depends on: another builder never meets its predecessor's images.
const BUILDER: [&str; 9] = [
    include_str!("assemble.rs"),
    include_str!("cpio.rs"),
    include_str!("depmod.rs"),
    include_str!("elf.rs"),
    include_str!("init.sh"),
    include_str!("initramfs.rs"),
    include_str!("modules.rs"),
    include_str!("package.rs"),
    include_str!("apt.rs"),
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
    let path = files.keys().find(|path| path.starts_with("boot/vmlinuz-")).cloned().ok_or_else(no_kernel)?;
    let release = path.trim_start_matches("boot/vmlinuz-").to_owned();
    let Some(Node::File(kernel)) = files.remove(&path) else { return Err(no_kernel()) };
    let tree = module_tree(&release, files);
    let modules = tree.closure(&recipe.initramfs.modules)?;
    let mut available = tree.closure(&recipe.initramfs.available)?;
    available.retain(|module| !modules.contains(module));
    let mut archive = initramfs::assemble(&programs, &recipe.initramfs.commands, &modules)?;
    initramfs::add_available(&mut archive, &release, &available);
    Ok(Built {
        name: recipe.name.clone(),
        release,
        kernel_package,
        packages,
        modules: modules.into_iter().map(|module| module.name).collect(),
        kernel,
        initramfs: archive.to_bytes(),
    })
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
