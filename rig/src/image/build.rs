//! From a recipe's name to an image that can boot: look into the cache, else fetch, assemble and store.
//!
//! Must not know apt (it is behind [`Supply`]), cells or QEMU. Units: bytes.
//! Errors: `ImageError`; see there whom it blames.
//! Tests: below with a fake supply, offline and torn builds among them; real packages in `tests/qemu.rs`.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::apt::Apt;
use super::cache::{Built, Cache};
use super::error::{ImageError, did_you_mean};
use super::initramfs;
use super::modules::ModuleTree;
use super::package::{Files, Node};
use super::recipe::{self, Recipe};
use super::supply::{Freshness, Step, Supplies, Supply};
use super::{Image, suggest};

/// The recipes in this binary; the same files as in the tree.
const EMBEDDED: [(&str, &str); 2] =
    [("6.1", include_str!("../../../images/6.1.toml")), ("6.12", include_str!("../../../images/6.12.toml"))];

/// The code that an image's content depends on: another builder never meets its predecessor's images.
const BUILDER: [&str; 9] = [
    include_str!("build.rs"),
    include_str!("cpio.rs"),
    include_str!("depmod.rs"),
    include_str!("elf.rs"),
    include_str!("init.sh"),
    include_str!("initramfs.rs"),
    include_str!("modules.rs"),
    include_str!("package.rs"),
    include_str!("apt.rs"),
];

/// Whether and when packages may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// Never.
    Never,
    /// When the image is not in the cache.
    IfMissing,
    /// Always: the newest packages.
    Refresh,
}

/// The one recipe that is no guest's: the emulated KVM host of `rig rehearse`.
pub const HOST: &str = "rehearsal";

/// Where recipes are looked for: this folder first (a checkout's `images`), then the binary.
#[derive(Debug, Clone)]
pub struct Recipes {
    folder: PathBuf,
}

impl Default for Recipes {
    fn default() -> Self {
        Self { folder: "images".into() }
    }
}

impl Recipes {
    /// With the files of `folder` before those of the binary.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// All names, in order: by version where names are versions.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = EMBEDDED.iter().map(|(name, _)| (*name).to_owned()).collect();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if let (Some("toml"), Some(stem)) =
                (path.extension().and_then(|e| e.to_str()), path.file_stem().and_then(|s| s.to_str()))
            {
                names.push(stem.to_owned());
            }
        }
        let numbers =
            |name: &str| name.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect::<Vec<_>>();
        names.sort_by(|one, other| numbers(one).cmp(&numbers(other)).then_with(|| one.cmp(other)));
        names.dedup();
        names
    }

    /// The names of guests: what can be a value of the matrix's kernel axis.
    pub fn guests(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name != HOST);
        names
    }

    /// The recipe called `name`, or the file at that path.
    pub fn load(&self, name: &str) -> Result<Recipe, ImageError> {
        if name.contains('/') || name.ends_with(".toml") {
            return load_file(Path::new(name));
        }
        let path = self.folder.join(format!("{name}.toml"));
        if path.exists() {
            return load_file(&path);
        }
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => parse(name, &format!("images/{name}.toml (in the binary)"), text),
            None => {
                let names = self.names();
                let help = did_you_mean(suggest(name, names.iter().map(String::as_str)).as_deref());
                let known = format!("there are {}; a path of your own file serves too", names.join(", "));
                Err(ImageError::UnknownRecipe { name: name.to_owned(), help: help.unwrap_or(known) })
            }
        }
    }
}

fn load_file(path: &Path) -> Result<Recipe, ImageError> {
    let text = fs_err::read_to_string(path).map_err(|source| ImageError::UnknownRecipe {
        name: path.display().to_string(),
        help: source.to_string(),
    })?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("image");
    parse(name, &path.display().to_string(), &text)
}

fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, ImageError> {
    recipe::parse(name, path, text).map_err(|problems| ImageError::Recipe { path: path.to_owned(), problems })
}

/// The image of the kernel called `name` out of the user's cache, built where it is missing. `tell` hears of each step.
///
/// # Errors
/// As [`ensure`]; and there may be no folder for caches.
pub fn ensure_image(name: &str, tell: &mut dyn FnMut(Step)) -> Result<Image, ImageError> {
    ensure(name, &Cache::of_user()?, Fetch::IfMissing, tell)
}

/// The image of the recipe called `name` (of `./images` or of the binary), or of the recipe file at that path. Blocks; without a
/// built image it needs the host's package mirror and half a minute.
///
/// # Errors
/// [`ImageError`]: the recipe is unknown or wrong, or the image cannot be built.
pub fn ensure(
    name: &str,
    cache: &Cache,
    fetch: Fetch,
    tell: &mut dyn FnMut(Step),
) -> Result<Image, ImageError> {
    let recipe = Recipes::default().load(name)?;
    ensure_with(&recipe, cache, fetch, &Apt::new(cache.root()), tell)
}

/// As [`ensure`], for a loaded recipe and from any supply.
pub fn ensure_with(
    recipe: &Recipe,
    cache: &Cache,
    fetch: Fetch,
    supply: &dyn Supply,
    tell: &mut dyn FnMut(Step),
) -> Result<Image, ImageError> {
    let key = recipe_key(recipe);
    match (fetch, cached(cache, recipe)) {
        (Fetch::Never | Fetch::IfMissing, Some(image)) => return Ok(image),
        (Fetch::Never, None) => return Err(ImageError::NotBuilt { name: recipe.name.clone() }),
        (Fetch::IfMissing, None) | (Fetch::Refresh, _) => {}
    }
    let lock = cache.lock(tell)?;
    let freshness = match fetch {
        Fetch::Refresh => Freshness::Current,
        Fetch::Never | Fetch::IfMissing => {
            // Another rig may have built it while we waited.
            if let Some(image) = cached(cache, recipe) {
                return Ok(image);
            }
            Freshness::AnyKnown
        }
    };
    let supplies = supply.supply(recipe, freshness, tell)?;
    let kernel = &supplies.kernel_package;
    tell(Step::Assembly { kernel: format!("{} {}", kernel.name, kernel.version) });
    cache.store(&lock, &key, &assemble(recipe, supplies)?)
}

/// The built image of a recipe, without lock, network or building.
pub fn cached(cache: &Cache, recipe: &Recipe) -> Option<Image> {
    cache.find(&recipe_key(recipe))
}

/// Any guest's image that is built already, the first by name: for those who need a guest of whatever kind and fetch nothing.
pub fn any_built(cache: &Cache, recipes: &Recipes) -> Option<Image> {
    recipes.guests().iter().find_map(|name| cached(cache, &recipes.load(name).ok()?))
}

/// Hash of everything but the packages that an image depends on.
pub fn recipe_key(recipe: &Recipe) -> String {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(recipe).expect("plain data serialises"));
    for part in BUILDER {
        hasher.update(part);
    }
    format!("{:.16x}", hasher.finalize())
}

fn assemble(recipe: &Recipe, supplies: Supplies) -> Result<Built, ImageError> {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::elf::tests::module;
    use super::super::supply::PackageId;
    use super::*;

    /// Gives packages out of memory, while the mirror is up.
    struct Fake {
        up: Cell<bool>,
        kernel_version: Cell<&'static str>,
        asked: Cell<u32>,
    }

    impl Fake {
        fn new() -> Self {
            Self { up: Cell::new(true), kernel_version: Cell::new("1"), asked: Cell::new(0) }
        }
    }

    impl Supply for Fake {
        fn supply(
            &self,
            recipe: &Recipe,
            _: Freshness,
            _: &mut dyn FnMut(Step),
        ) -> Result<Supplies, ImageError> {
            self.asked.set(self.asked.get() + 1);
            if !self.up.get() {
                return Err(ImageError::mirror(
                    "package lists",
                    &recipe.kernel.release,
                    "no route".to_owned(),
                ));
            }
            let version = self.kernel_version.get();
            let id = PackageId {
                name: "linux-image-test".to_owned(),
                version: version.to_owned(),
                sha256: version.repeat(64),
            };
            let file = |bytes: &[u8]| Node::File(bytes.to_vec());
            let drivers = ["virtio_pci", "virtio_net", "vmxnet3", "pvpanic_pci"];
            let filters = [
                "nf_tables",
                "nft_objref",
                "nft_reject_inet",
                "nft_reject_ipv4",
                "nft_reject_ipv6",
                "nft_ct",
            ];
            let mut kernel: Files = drivers
                .iter()
                .chain(&filters)
                .map(|name| {
                    (format!("lib/modules/6.1.0-test/kernel/{name}.ko"), file(&module(&[("depends", "")])))
                })
                .collect();
            kernel.insert("boot/vmlinuz-6.1.0-test".to_owned(), file(version.as_bytes()));
            let programs = Files::from([
                ("bin/busybox".to_owned(), file(b"busybox")),
                ("usr/sbin/dropbear".to_owned(), file(b"dropbear")),
                ("usr/sbin/nft".to_owned(), file(b"nft")),
            ]);
            Ok(Supplies { kernel_package: id.clone(), kernel, programs, packages: vec![id] })
        }
    }

    fn setting() -> (tempfile::TempDir, Cache, Recipe, Fake) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        (folder, cache, Recipes::of("nowhere").load("6.1").unwrap(), Fake::new())
    }

    fn get(cache: &Cache, recipe: &Recipe, fetch: Fetch, supply: &Fake) -> Result<Image, ImageError> {
        ensure_with(recipe, cache, fetch, supply, &mut |_| {})
    }

    #[test]
    fn is_built_once_and_then_needs_no_mirror() {
        let (_folder, cache, recipe, supply) = setting();
        let image = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap();
        assert_eq!((image.name.as_str(), image.release.as_str()), ("6.1", "6.1.0-test"));
        assert_eq!(image.modules, ["virtio_pci", "virtio_net", "vmxnet3", "pvpanic_pci"]);
        supply.up.set(false);
        assert_eq!(get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap(), image);
        assert_eq!(get(&cache, &recipe, Fetch::Never, &supply).unwrap(), image);
        assert_eq!(supply.asked.get(), 1, "a built image needs no look at the mirror");
    }

    #[test]
    fn a_cold_cache_without_a_mirror_says_so() {
        let (_folder, cache, recipe, supply) = setting();
        supply.up.set(false);
        assert!(matches!(get(&cache, &recipe, Fetch::Never, &supply), Err(ImageError::NotBuilt { .. })));
        assert_eq!(supply.asked.get(), 0);
        let error = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap_err();
        assert_eq!(error.to_string(), "cannot fetch package lists of bookworm: no route");
        assert!(miette::Diagnostic::help(&error).is_some());
        assert_eq!(cache.list(), [], "nothing half-built stays");
    }

    #[test]
    fn a_refresh_takes_new_packages_and_a_failed_one_keeps_the_old_image() {
        let (_folder, cache, recipe, supply) = setting();
        let old = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap();
        supply.up.set(false);
        assert!(get(&cache, &recipe, Fetch::Refresh, &supply).is_err());
        assert_eq!(cached(&cache, &recipe), Some(old.clone()));
        supply.up.set(true);
        supply.kernel_version.set("2");
        let new = get(&cache, &recipe, Fetch::Refresh, &supply).unwrap();
        assert_ne!(old.digest, new.digest);
        assert_eq!(cached(&cache, &recipe), Some(new));
    }

    #[test]
    fn any_built_image_is_a_guests_and_a_broken_recipe_hides_no_other() {
        let (folder, cache, recipe, supply) = setting();
        let recipes = Recipes::of(folder.path());
        assert_eq!(any_built(&cache, &recipes), None);
        fs_err::write(folder.path().join(format!("{HOST}.toml")), EMBEDDED[0].1).unwrap();
        get(&cache, &recipes.load(HOST).unwrap(), Fetch::IfMissing, &supply).unwrap();
        assert_eq!(any_built(&cache, &recipes), None, "the host of a rehearsal is no guest");
        let image = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap();
        fs_err::write(folder.path().join("5.10.toml"), "x = 1").unwrap();
        assert_eq!(any_built(&cache, &recipes), Some(image));
    }

    #[test]
    fn a_torn_image_is_built_again() {
        let (_folder, cache, recipe, supply) = setting();
        let image = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap();
        let whole = fs_err::read(&image.initramfs).unwrap();
        fs_err::write(&image.initramfs, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap(), image);
        assert_eq!(fs_err::read(&image.initramfs).unwrap(), whole);
        assert_eq!(supply.asked.get(), 2);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let (_one, cache, recipe, supply) = setting();
        let (_two, other, ..) = setting();
        let images = [&cache, &other].map(|cache| get(cache, &recipe, Fetch::IfMissing, &supply).unwrap());
        assert_eq!(images[0].digest, images[1].digest);
        assert_eq!(fs_err::read(&images[0].initramfs).unwrap(), fs_err::read(&images[1].initramfs).unwrap());
    }

    #[test]
    fn what_the_recipe_asks_for_wrongly_blames_it() {
        let (_folder, cache, mut recipe, supply) = setting();
        recipe.initramfs.modules.push("e1000".to_owned());
        let error = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap_err();
        assert!(error.blames_input(), "{error}");
        recipe.initramfs.modules.pop();
        recipe.initramfs.commands.push("dropbearr".to_owned());
        let error = get(&cache, &recipe, Fetch::IfMissing, &supply).unwrap_err();
        assert!(error.blames_input(), "{error}");
        assert_eq!(miette::Diagnostic::help(&error).unwrap().to_string(), "did you mean \"dropbear\"?");
    }

    #[test]
    fn recipes_by_name_by_folder_and_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let recipes = Recipes::of(folder.path());
        assert_eq!(recipes.names(), ["6.1", "6.12"]);
        let text = EMBEDDED[0].1.replace("Debian 12", "mine");
        for name in ["6.1", "6.9-own"] {
            fs_err::write(folder.path().join(format!("{name}.toml")), &text).unwrap();
        }
        assert_eq!(recipes.names(), ["6.1", "6.12", "6.9-own"]);
        assert!(recipes.load("6.1").unwrap().title.starts_with("mine"), "a file wins over the binary");
        let path = folder.path().join("6.9-own.toml").display().to_string();
        assert_eq!(recipes.load(&path).unwrap().name, "6.9-own");
        let error = recipes.load("6.11").unwrap_err();
        assert!(error.blames_input());
        assert_eq!(miette::Diagnostic::help(&error).unwrap().to_string(), "did you mean \"6.1\"?");
        fs_err::write(folder.path().join("bad.toml"), "x = 1").unwrap();
        assert!(matches!(recipes.load("bad"), Err(ImageError::Recipe { .. })));
        for (name, _) in EMBEDDED {
            Recipes::of("nowhere").load(name).unwrap();
        }
    }
}
