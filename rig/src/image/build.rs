//! From a recipe's name to an image that can boot: look into the cache, else fetch, assemble and store.
//!
//! Must not know apt (it is behind [`Supply`]), cells or QEMU. Units: bytes.
//! Errors: `ImageError`; see there whom it blames.
//! Tests: below with a fake supply, offline and torn builds among them; real packages in `tests/qemu.rs`.

use std::path::Path;

use super::apt::Apt;
use super::assemble::{assemble, key_with, own_kernel, recipe_key};
use super::cache::{Cache, Image};
use super::error::ImageError;
use super::recipe::Recipe;
use super::recipes::Recipes;
use super::supply::{Freshness, Step, Supply};
use super::tool::go_on;
use crate::process;

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

/// The image of the kernel called `name` (which lies at `at`, where it is named by its path) out of the user's cache, built where it is missing. `tell`
/// hears of each step.
///
/// # Errors
/// As [`ensure_with`]; and there may be no folder for caches.
pub fn ensure_image(name: &str, at: Option<&Path>, tell: &mut dyn FnMut(Step)) -> Result<Image, ImageError> {
    let cache = Cache::of_user()?;
    let recipe = Recipes::default().load_at(name, at)?;
    ensure_with(&recipe, &cache, Fetch::IfMissing, &Apt::new(cache.root()), tell)
}

/// Whether the kernel called `name` (which lies at `at`, where it is named by its path) has a recipe, and can be a guest's as far as that is known before
/// a boot. Nothing is fetched or built.
///
/// # Errors
/// [`ImageError`]: the recipe is unknown or wrong, or its own kernel is.
pub fn check_kernel(name: &str, at: Option<&Path>) -> Result<(), ImageError> {
    let recipe = Recipes::default().load_at(name, at)?;
    own_kernel(&recipe).map(|_| ())
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
    let own = own_kernel(recipe)?;
    let key = key_with(recipe, own.as_ref());
    match (fetch, cache.find(&key)) {
        (Fetch::Never | Fetch::IfMissing, Some(image)) => return Ok(image),
        (Fetch::Never, None) => return Err(ImageError::NotBuilt { name: recipe.name.clone() }),
        (Fetch::IfMissing, None) | (Fetch::Refresh, _) => {}
    }
    // From here on work may take minutes: whoever asks rig to end is heard between its steps.
    let _held = process::HeldSignals::hold();
    let lock = cache.lock(tell)?;
    let freshness = match fetch {
        Fetch::Refresh => Freshness::Current,
        Fetch::Never | Fetch::IfMissing => {
            // Another rig may have built it while we waited.
            if let Some(image) = cache.find(&key) {
                return Ok(image);
            }
            Freshness::AnyKnown
        }
    };
    let supplies = supply.supply(recipe, freshness, tell)?;
    let kernel = match (&own, &supplies.kernel) {
        (None, Some(kernel)) => kernel.package.to_string(),
        (Some((own, _)), _) => own.release.clone(),
        (None, None) => recipe.name.clone(),
    };
    tell(Step::Assembly { kernel });
    let built = assemble(recipe, supplies, own)?;
    go_on()?;
    let image = cache.store(&lock, &key, &built)?;
    go_on()?;
    Ok(image)
}

/// The built image of a recipe, without lock, network or building.
pub fn cached(cache: &Cache, recipe: &Recipe) -> Option<Image> {
    cache.find(&recipe_key(recipe).ok()?)
}

/// Any guest's image that is built already, the first by name: for those who need a guest of whatever kind and fetch nothing.
pub fn any_built(cache: &Cache, recipes: &Recipes) -> Option<Image> {
    recipes.guests().iter().find_map(|name| cached(cache, &recipes.load(name).ok()?))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::package::{Files, Node};
    use super::super::recipes::HOST;
    use super::super::supply::{KernelSupply, PackageId, Supplies};
    use super::*;
    use crate::elf::tests::module;

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
                "tcp_diag",
                "vmw_vsock_virtio_transport",
                "vsock_loopback",
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
            let kernel = KernelSupply { package: id.clone(), files: kernel };
            let kernel = recipe.kernel.own.is_none().then_some(kernel);
            Ok(Supplies { kernel, programs, packages: vec![id] })
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
        let file = folder.path().join(format!("{HOST}.toml"));
        fs_err::write(file, include_str!("../../../images/6.1.toml")).unwrap();
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
        assert_eq!(
            miette::Diagnostic::help(&error).unwrap().to_string(),
            "did you mean `dropbear`?\nprograms of its packages: `busybox`, `dropbear`, `nft`"
        );
    }
}
