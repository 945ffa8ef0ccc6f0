//! The kernels of a campaign: their images, and which cells cannot be run because of what a kernel is or lacks.
//!
//! A kernel whose exact version has left the archive costs its cells, not the run. A run that goes on takes the images that it began with, by
//! their digests, whatever their recipes come to now. Must not know how an image is booted. Units: none.
//! Errors: [`CampaignError`]: an image cannot be had, or is another one than the run's. Tests: below.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::configuration::{Abilities, Lack, NicModel, QemuSpec, TargetSpec};
use crate::image::{Cache, Disks, Image, ImageError, Recipes, Step, USUAL, ensure_image, narrate};
use crate::machine::guest_vsock;
use crate::matrix::{Cell, HOST_KERNEL};
use crate::path::{Medium, Place};
use crate::record::format::RunRecord;

use super::error::CampaignError;
use super::host::lack;

/// What there is of the kernels that cells name.
#[derive(Debug, Default)]
pub(super) struct Kernels {
    /// By the name that cells have for them.
    pub(super) images: HashMap<String, Image>,
    /// Disks that are booted instead of an image, by the name that cells have for their kernel.
    pub(super) disks: Disks,
    /// Why there is no image.
    gone: BTreeMap<String, String>,
}

impl Kernels {
    /// For a new run: images are built where they are missing; on the host's network.
    ///
    /// # Errors
    /// [`CampaignError::Image`]
    pub(super) fn supply(
        kernels: Named<'_>,
        tell: &mut dyn FnMut(&str, &Step),
    ) -> Result<Self, CampaignError> {
        Self::supply_with(kernels, &mut |kernel, at| {
            ensure_image(kernel, at, &mut narrate(|step| tell(kernel, step)))
        })
    }

    fn supply_with(kernels: Named<'_>, get: &mut Get<'_>) -> Result<Self, CampaignError> {
        let mut found = Self::default();
        for (kernel, at) in kernels {
            match get(kernel, at) {
                Ok(image) => {
                    found.images.insert(kernel.to_owned(), image);
                }
                Err(error) if error.is_gone() => {
                    found.gone.insert(kernel.to_owned(), error.why_gone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// The same with these disks.
    pub(super) fn with(self, disks: Disks) -> Self {
        Self { disks, ..self }
    }

    /// For a run that goes on.
    ///
    /// # Errors
    /// [`CampaignError::Image`], [`CampaignError::OtherImage`]
    pub(super) fn of_run(
        old: &RunRecord,
        kernels: Named<'_>,
        tell: &mut dyn FnMut(&str, &Step),
    ) -> Result<Self, CampaignError> {
        let cache = Cache::of_user()?;
        let mut found = Self::default();
        for (kernel, at) in kernels {
            let image = match begun_with(old, kernel, &cache) {
                Some(image) => image,
                None => {
                    same(old, kernel, ensure_image(kernel, at, &mut narrate(|step| tell(kernel, step)))?)?
                }
            };
            found.images.insert(kernel.to_owned(), image);
        }
        Ok(found)
    }

    /// What of this cell's kernel keeps it from being run.
    pub(super) fn lack(&self, cell: &Cell) -> Option<Lack> {
        let kernel = cell.subject.kernel.as_str();
        if let Some(why) = self.gone.get(kernel) {
            return Some(Lack::Kernel { kernel: kernel.to_owned(), why: why.clone() });
        }
        let TargetSpec::Qemu(spec) = &cell.subject.configuration.target else { return None };
        let rules = cell.subject.path.rules.iter().any(|rule| rule.at == Place::Target);
        let loopback = cell.subject.path.medium == Medium::Loopback;
        let calls_itself = loopback && cell.subject.script.is_over_vsock();
        let image = self.images.get(kernel)?;
        // What is built into a kernel of one's own is in no list of modules: its guest tells what it lacks.
        if let Some(module) = driver_lacked(spec, &image.modules).filter(|_| !image.is_own()) {
            let others = images_with(module);
            return Some(Lack::Driver { kernel: kernel.to_owned(), module, others });
        }
        let lacks = &image.lacks;
        let module = needed(spec, rules, calls_itself)
            .into_iter()
            .find(|module| lacks.iter().any(|lack| lack == module))?;
        Some(Lack::Module { kernel: kernel.to_owned(), module: module.to_owned() })
    }
}

/// Kernels by the names that cells have for them, and where those lie that are named by their path.
pub(super) type Named<'a> = BTreeMap<&'a str, Option<&'a Path>>;

/// Gets the image of a kernel, by its name and where it lies.
type Get<'a> = dyn FnMut(&str, Option<&Path>) -> Result<Image, ImageError> + 'a;

/// The kernels of the cells that this host can run but for those.
pub(super) fn kernels_of<'a>(cells: impl Iterator<Item = &'a Cell>, abilities: &Abilities) -> Named<'a> {
    let (mut kernels, mut disks) = (Named::new(), false);
    for cell in cells.filter(|cell| lack(abilities, cell).is_none()) {
        match (cell.subject.configuration.target.disk(), cell.subject.kernel.as_str()) {
            (Some(_), _) => disks = true,
            (None, HOST_KERNEL) => {}
            (None, kernel) => _ = kernels.insert(kernel, cell.subject.kernel_at.as_deref()),
        }
    }
    if disks && kernels.is_empty() {
        // What executes guests is asked of one of rig's own.
        kernels.insert(USUAL, None);
    }
    kernels
}

/// The driver of a NIC for which only some images have one, where this one has not. Such a NIC has one driver at least.
fn driver_lacked(spec: &QemuSpec, modules: &[String]) -> Option<&'static str> {
    if matches!(spec.nic.model, NicModel::VirtioNet | NicModel::Vmxnet3) {
        return None;
    }
    let drivers = spec.nic.model.drivers();
    let there = |driver: &&str| modules.iter().any(|module| module == driver);
    if drivers.iter().any(there) { None } else { drivers.first().copied() }
}

/// Images whose recipes name this module.
fn images_with(module: &str) -> Vec<String> {
    let recipes = Recipes::default();
    let names = |name: &String| {
        recipes.load(name).is_ok_and(|recipe| recipe.initramfs.modules.iter().any(|named| named == module))
    };
    recipes.guests().into_iter().filter(names).collect()
}

/// Of the modules that an image may lack, those that this guest cannot do without.
fn needed(spec: &QemuSpec, rules: bool, calls_itself: bool) -> Vec<&'static str> {
    let nic = match spec.nic.model {
        NicModel::Vmxnet3 => Some("vmxnet3"),
        // Whether there is the driver of another NIC is seen elsewhere: not every image names it.
        _ => None,
    };
    let modules = [
        (rules, "nf_tables"),
        (spec.tuning.vsock, guest_vsock::DEVICE),
        (calls_itself, guest_vsock::LOOPBACK),
    ];
    let modules = modules.into_iter().filter_map(|(wanted, module)| wanted.then_some(module));
    nic.into_iter().chain(modules).collect()
}

/// The image with which the run began, if the cache still has it.
fn begun_with(old: &RunRecord, kernel: &str, cache: &Cache) -> Option<Image> {
    cache.find_digest(kernel, &old.images.get(kernel)?.digest)
}

/// Refuses an image that is not the run's.
fn same(old: &RunRecord, kernel: &str, image: Image) -> Result<Image, CampaignError> {
    if old.images.get(kernel).is_some_and(|then| then.digest == image.digest) {
        return Ok(image);
    }
    Err(CampaignError::OtherImage { run: old.id.clone(), image: kernel.to_owned(), package: image.package })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::campaign::Asked;
    use crate::record::format::ImageRecord;

    /// An image in a cache, as its module documents the form.
    fn put(cache: &Cache, kernel: &str, lacks: &[&str]) -> Image {
        let hash = |text: &str| format!("{:x}", Sha256::digest(text));
        let (kernel_sha256, initramfs_sha256) = (hash(kernel), hash("i"));
        let digest = format!("{:.16x}", Sha256::digest(format!("{kernel_sha256} {initramfs_sha256}")));
        let folder = cache.root().join("images").join(&digest);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("vmlinuz"), kernel).unwrap();
        fs_err::write(folder.join("initramfs.cpio"), "i").unwrap();
        let package = serde_json::json!({ "name": "linux-image-1", "version": kernel, "sha256": "0" });
        let manifest = serde_json::json!({
            "format": 1, "name": "6.1", "release": "6.1.0-test", "kernel_package": package, "packages": [], "modules": [],
            "lacks": lacks, "kernel_sha256": kernel_sha256, "initramfs_sha256": initramfs_sha256,
        });
        fs_err::write(folder.join("image.json"), manifest.to_string()).unwrap();
        cache.find_digest("6.1", &digest).unwrap()
    }

    fn run_with(image: &Image) -> RunRecord {
        let mut run = RunRecord::new("20260101-000000-abcd".to_owned());
        let (package, release, digest) = (image.package.clone(), image.release.clone(), image.digest.clone());
        run.images
            .insert("6.1".to_owned(), ImageRecord { package, release, digest, ..ImageRecord::default() });
        run
    }

    #[test]
    fn a_run_goes_on_with_the_image_that_it_began_with() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let (old, new) = (put(&cache, "1", &[]), put(&cache, "2", &[]));
        let run = run_with(&old);
        // No recipe is asked: it may be gone, or come to the other image.
        assert_eq!(begun_with(&run, "6.1", &cache), Some(old.clone()));
        assert_eq!(begun_with(&run, "5.10", &cache), None);
        fs_err::remove_dir_all(old.kernel.parent().unwrap()).unwrap();
        assert_eq!(begun_with(&run, "6.1", &cache), None);
        assert!(same(&run, "6.1", old).is_ok());
        let error = same(&run, "6.1", new).unwrap_err();
        assert!(matches!(error, CampaignError::OtherImage { .. }), "{error:?}");
    }

    fn named<'a>(kernels: &[&'a str]) -> Named<'a> {
        kernels.iter().map(|kernel| (*kernel, None)).collect()
    }

    fn cell(filters: [&str; 2]) -> Cell {
        let filters = filters.map(str::to_owned).to_vec();
        let asked = Asked { profile: Some("nightly".to_owned()), filters, ..Asked::default() };
        let (_, selected) = asked.select().unwrap();
        let mut cells = selected.cells.into_iter().filter(|cell| cell.control.is_none());
        cells.next().unwrap()
    }

    #[test]
    fn a_kernel_that_is_gone_costs_its_cells_alone() {
        let folder = tempfile::tempdir().unwrap();
        let image = put(&Cache::at(folder.path()), "1", &["vmxnet3", "pvpanic_pci"]);
        let kernels = Kernels::supply_with(named(&["6.1", "6.12"]), &mut |kernel, _| match kernel {
            "6.1" => Ok(image.clone()),
            _ => Err(ImageError::Gone {
                file: "linux_6.12_amd64.deb".to_owned(),
                release: "trixie".to_owned(),
            }),
        })
        .unwrap();
        let lack = |filters| kernels.lack(&cell(filters)).map(|lack| lack.to_string());
        assert_eq!(lack(["configuration=virtio-tap", "kernel=6.1"]), None);
        assert_eq!(
            lack(["configuration=virtio-tap", "kernel=6.12"]).as_deref(),
            Some("no kernel 6.12: the archive of trixie no longer has linux_6.12_amd64.deb (404 Not Found)")
        );
        assert_eq!(
            lack(["configuration=vmxnet3-tap", "kernel=6.1"]).as_deref(),
            Some("kernel 6.1 has no module vmxnet3")
        );
        let failed = Kernels::supply_with(named(&["6.1"]), &mut |name, _| {
            Err(ImageError::NotBuilt { name: name.to_owned() })
        });
        assert!(failed.is_err(), "what can be mended ends the run before it begins");
    }
}
