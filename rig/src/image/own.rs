//! Kernels of one's own: what lies at a path, and what of it a guest boots.
//!
//! Holds the four forms in which a kernel may come (a built tree, a bzImage, an installed kernel, packages) and what is looked at before a boot:
//! its header, its configuration, its modules. Must not know recipes, caches or QEMU. Units: bytes.
//! Errors: [`OwnError`]; it blames what lies there. Tests: `own/tests.rs`, on hand-made kernels; booted in `tests/qemu/own.rs`.

mod bzimage;
mod config;
mod error;
mod files;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::modules::{Content, Module, ModuleTree};
use crate::elf::{Elf, module_info};
use bzimage::Header;
use config::{Config, missing_drivers};
pub use error::OwnError;
use files::{Files, unreadable};

/// Where a kernel of one's own lies. Paths are seen from anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Own {
    /// It decides itself what it is.
    Path(PathBuf),
    /// A tree in which a kernel was built.
    Tree(PathBuf),
    /// A bzImage.
    Image {
        /// The file.
        bzimage: PathBuf,
        /// The folder of its modules: it has lib/modules/RELEASE, or is that. None for a kernel without.
        modules: Option<PathBuf>,
    },
    /// A folder of packages, or one package.
    Debs(PathBuf),
}

/// What a bzImage says of itself, `RELEASE (who@where) VERSION`; none of a file that is no bzImage.
pub(super) fn version_of(bytes: &[u8]) -> Option<String> {
    bzimage::header(bytes).ok()?;
    bzimage::version(bytes).map(str::to_owned)
}

/// A kernel of one's own, looked at and found fit: what goes into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnKernel {
    /// As what it came, in one word.
    pub(super) form: &'static str,
    /// `uname -r`.
    pub(super) release: String,
    /// The bzImage.
    pub(super) kernel: Vec<u8>,
    /// SHA-256 of its configuration, where that is known.
    pub(super) config_sha256: Option<String>,
    /// What is loaded at boot.
    pub(super) boot: Vec<Module>,
    /// What is loaded when something asks for it.
    pub(super) available: Vec<Module>,
    /// What was wanted of both, and the kernel has not got.
    pub(super) lacks: Vec<String>,
}

/// What lies at a place.
struct Found {
    form: &'static str,
    /// As it was given.
    asked: PathBuf,
    kernel: Vec<u8>,
    header: Header,
    modules: ModuleTree,
    config: Option<Config>,
}

/// The modules that a guest wants, and those that may wait to be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) boot: &'a [String],
    pub(super) available: &'a [String],
}

/// Where a tree has its kernel. arch/x86_64/boot has a link to it.
const IN_TREE: &str = "arch/x86/boot/bzImage";

impl Own {
    /// Reads what lies there: all that an image takes of it.
    ///
    /// # Errors
    /// [`OwnError`]: there is no kernel, or none that can be a guest's.
    pub(super) fn read(&self, wanted: Wanted<'_>) -> Result<OwnKernel, OwnError> {
        self.find()?.choose(wanted)
    }

    /// The tree that it was built in, where that is what lies there.
    pub(super) fn tree(&self) -> Option<PathBuf> {
        match self {
            Self::Path(path) => match resolve(path).ok()? {
                Self::Tree(tree) => Some(tree),
                _ => None,
            },
            Self::Tree(tree) => Some(tree.clone()),
            Self::Image { .. } | Self::Debs(_) => None,
        }
    }

    fn find(&self) -> Result<Found, OwnError> {
        match self {
            Self::Path(path) => match resolve(path)? {
                // Neither a file nor one of the folders that have their own look.
                Self::Path(root) => installed("installed", &root, Files::of_root(&root)?),
                other => other.find(),
            },
            Self::Tree(tree) => built(tree),
            Self::Image { bzimage, modules } => image(bzimage, modules.as_deref()),
            Self::Debs(path) => installed("packages", path, Files::of_packages(&packages(path)?, path)?),
        }
    }
}

/// What a path is; [`Own::Path`] again for a folder in which a kernel may be installed.
fn resolve(path: &Path) -> Result<Own, OwnError> {
    let metadata = std::fs::metadata(path).map_err(unreadable(path))?;
    if !metadata.is_dir() {
        return Ok(file(path));
    }
    Ok(if path.join(IN_TREE).exists() || is_source(path) {
        Own::Tree(path.to_owned())
    } else if !packages(path)?.is_empty() {
        Own::Debs(path.to_owned())
    } else {
        Own::Path(path.to_owned())
    })
}

/// What a file is. Modules and configuration lie where `make` and Debian put them: in the tree, or beside /boot.
fn file(path: &Path) -> Own {
    if path.extension().is_some_and(|extension| extension == "deb") {
        return Own::Debs(path.to_owned());
    }
    let real = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if real.ends_with(IN_TREE)
        && let Some(tree) = real.ancestors().nth(4)
    {
        return Own::Tree(tree.to_owned());
    }
    let modules =
        path.file_name().and_then(|name| name.to_str()?.strip_prefix("vmlinuz-")).and_then(|release| {
            let root = path.parent()?.parent()?;
            root.join("lib/modules").join(release).is_dir().then(|| root.to_owned())
        });
    Own::Image { bzimage: path.to_owned(), modules }
}

fn is_source(folder: &Path) -> bool {
    ["Kconfig", "Kbuild", "Makefile"].iter().all(|name| folder.join(name).is_file())
}

/// The packages of a folder that may hold parts of a kernel; the package itself where the path is one.
fn packages(path: &Path) -> Result<Vec<PathBuf>, OwnError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(path).map_err(unreadable(path))? {
        let entry = entry.map_err(unreadable(path))?.path();
        let Some(name) = entry.file_name().and_then(|name| name.to_str()) else { continue };
        let other = name.contains("-dbg")
            || ["linux-headers-", "linux-libc-dev"].iter().any(|other| name.starts_with(other));
        if name.starts_with("linux-") && name.ends_with(".deb") && !other {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

fn header_of(kernel: &[u8], path: &Path) -> Result<Header, OwnError> {
    bzimage::header(kernel).map_err(|wrong| OwnError::NoBzImage { path: path.to_owned(), wrong })
}

/// The configuration that is packed into the kernel.
fn packed_config(kernel: &[u8], header: &Header, path: &Path) -> Option<Config> {
    let text = bzimage::config(kernel, header)?;
    Some(Config::parse(&text, format!("the configuration in {} (CONFIG_IKCONFIG)", path.display())))
}

/// A tree in which `make` has run: its modules lie where they were built, and need not be installed.
fn built(tree: &Path) -> Result<Found, OwnError> {
    let path = tree.join(IN_TREE);
    if !path.exists() {
        let path = tree.to_owned();
        let there = path.is_dir();
        return Err(if there {
            OwnError::NotBuilt { path }
        } else {
            unreadable(&path)(std::io::ErrorKind::NotFound.into())
        });
    }
    let kernel = fs_err::read(&path).map_err(unreadable(&path))?;
    let header = header_of(&kernel, &path)?;
    let text = |name: &str| fs_err::read_to_string(tree.join(name)).unwrap_or_default();
    let order = text("modules.order");
    let files = order.lines().filter_map(|line| {
        // `kernel/net/a.ko` before 5.3, `net/a.ko`, and `net/a.o` since 6.2.
        let line = line.trim().strip_prefix("kernel/").unwrap_or(line.trim());
        let stem = line.strip_suffix(".ko").or_else(|| line.strip_suffix(".o"))?;
        let file = tree.join(format!("{stem}.ko"));
        file.is_file().then(|| (format!("{stem}.ko"), Content::File(file)))
    });
    let modules = ModuleTree::new(&header.release, &text("modules.builtin"), files);
    let at = tree.join(".config");
    let config = match fs_err::read(&at) {
        Ok(text) => Some(Config::parse(&text, at.display().to_string())),
        Err(_) => packed_config(&kernel, &header, &path),
    };
    Ok(Found { form: "tree", asked: tree.to_owned(), kernel, header, modules, config })
}

/// A bzImage by itself, or with a folder of modules.
fn image(path: &Path, modules: Option<&Path>) -> Result<Found, OwnError> {
    let kernel = fs_err::read(path).map_err(unreadable(path))?;
    let header = header_of(&kernel, path)?;
    let release = header.release.as_str();
    let beside = path.with_file_name(format!("config-{release}"));
    let config = match fs_err::read(&beside) {
        Ok(text) => Some(Config::parse(&text, beside.display().to_string())),
        Err(_) => packed_config(&kernel, &header, path),
    };
    let modules = modules.map_or(Ok(ModuleTree::default()), |folder| {
        Files::of_modules(&modules_folder(folder, release)?, release)?.modules(release, folder)
    })?;
    Ok(Found { form: "bzImage", asked: path.to_owned(), kernel, header, modules, config })
}

/// The folder of this release's modules: below lib/modules of `folder`, or `folder` itself.
fn modules_folder(folder: &Path, release: &str) -> Result<PathBuf, OwnError> {
    fs_err::read_dir(folder).map_err(unreadable(folder))?;
    let below = ["lib/modules", "usr/lib/modules", "."].map(|below| folder.join(below));
    if let Some(found) = below.iter().map(|below| below.join(release)).find(|folder| folder.is_dir()) {
        return Ok(found);
    }
    if ["modules.builtin", "modules.order", "kernel"].iter().any(|name| folder.join(name).exists()) {
        return Ok(folder.to_owned());
    }
    let there = below.iter().take(2).filter_map(|below| fs_err::read_dir(below).ok()).flatten().flatten();
    let mut there: Vec<String> =
        there.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    there.sort();
    Err(OwnError::NoModules { path: folder.to_owned(), release: release.to_owned(), there })
}

/// A kernel as packages install it.
fn installed(form: &'static str, asked: &Path, files: Files) -> Result<Found, OwnError> {
    let at = files.kernel(asked)?.to_owned();
    let kernel = files.read(&at, asked)?;
    let header = header_of(&kernel, &asked.join(&at))?;
    let config = files.config(&header.release, asked)?;
    let config = config.or_else(|| packed_config(&kernel, &header, &asked.join(&at)));
    let modules = files.modules(&header.release, asked)?;
    Ok(Found { form, asked: asked.to_owned(), kernel, header, modules, config })
}

impl Found {
    /// What of it goes into an image.
    fn choose(self, wanted: Wanted<'_>) -> Result<OwnKernel, OwnError> {
        self.refuse_what_cannot_boot(wanted.boot)?;
        let Self { form, asked, kernel, header: Header { release, .. }, modules, config } = self;
        let built_in: Vec<&str> = config.iter().flat_map(Config::built_in).collect();
        let modules = modules.with_built_in(built_in.into_iter());
        let closure = |wanted: &[String]| {
            let there: Vec<String> = wanted.iter().filter(|module| modules.loads(module)).cloned().collect();
            modules
                .closure(&there)
                .map_err(|source| OwnError::Modules { path: asked.clone(), source: Box::new(source) })
        };
        let boot = closure(wanted.boot)?;
        let mut available = closure(wanted.available)?;
        available.retain(|module| !boot.contains(module));
        for module in boot.iter().chain(&available) {
            if let Some(of) = built_for(module).filter(|of| *of != release) {
                let (path, module) = (asked, module.name.clone());
                return Err(OwnError::OtherRelease { path, module, of, release });
            }
        }
        // Of a kernel alone, without any list, nothing is known to be lacking.
        let known = !modules.is_empty() || config.is_some();
        let all = wanted.boot.iter().chain(wanted.available);
        let lacks =
            all.filter(|module| known && !modules.has(module)).map(|module| super::modules::normal(module));
        let lacks = lacks.collect();
        let config_sha256 = config.map(|config| config.sha256);
        Ok(OwnKernel { form, release, kernel, config_sha256, boot, available, lacks })
    }

    /// All that this kernel lacks for a boot, as far as it can be known before one.
    fn refuse_what_cannot_boot(&self, boot: &[String]) -> Result<(), OwnError> {
        let loads = |module: &str| {
            self.modules.loads(module) && boot.iter().any(|wanted| super::modules::normal(wanted) == module)
        };
        let (lacks, from) = match &self.config {
            Some(config) => (config.lacks(loads), config.found.clone()),
            None if self.modules.is_empty() => return Ok(()),
            None => {
                let lacks = missing_drivers(|module| self.modules.has(module));
                (lacks, format!("the list of modules of {}", self.asked.display()))
            }
        };
        if lacks.is_empty() {
            return Ok(());
        }
        Err(OwnError::Lacks { path: self.asked.clone(), release: self.header.release.clone(), lacks, from })
    }
}

/// The kernel that a module was built for: the first word of its `vermagic` (include/linux/vermagic.h).
fn built_for(module: &Module) -> Option<String> {
    let section = Elf::parse(&module.bytes).ok()?.section(".modinfo").ok()??;
    let (_, magic) = module_info(section).find(|(key, _)| key == "vermagic")?;
    magic.split_ascii_whitespace().next().map(str::to_owned)
}
