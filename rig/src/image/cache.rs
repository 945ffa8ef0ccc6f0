//! Built images on disk, below the user's cache folder.
//!
//! ```text
//! <root>/CACHEDIR.TAG             says that it is rig's (`clean.rs`)
//! <root>/lock in-use              who builds, and who uses images (`held.rs`)
//! <root>/images/<digest>/         image.json  vmlinuz  initramfs.cpio
//! <root>/recipes/<key>.json       which image a recipe came to
//! <root>/apt/ packages/           what fetching left; may go at any time
//! ```
//! A folder of an image appears by a rename, complete or not at all, and is checked against its digests before use: against damage, not
//! against malice, for whoever may write the cache may write the digests too.
//! Must not know how images are made. Units: bytes. Errors: `ImageError`; they blame the disk. Tests: below and in `build.rs`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::ImageError;
use super::held::{self, Held, Lock};
use super::supply::{PackageId, Step};

/// An image.json of another form is none of ours.
const FORMAT: u32 = 1;

pub(super) const MANIFEST: &str = "image.json";
const KERNEL: &str = "vmlinuz";
const INITRAMFS: &str = "initramfs.cpio";

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A guest image on disk, checked and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Of its recipe.
    pub name: String,
    /// The kernel, for `-kernel`.
    pub kernel: PathBuf,
    /// The base initramfs; an [`Overlay`](super::Overlay) goes behind it.
    pub initramfs: PathBuf,
    /// `uname -r` of the guest.
    pub release: String,
    /// Kernel package and version.
    pub package: String,
    /// Of kernel and initramfs: the same digest, the same guest.
    pub digest: String,
    /// SHA-256 of the kernel's file, in hex.
    pub kernel_sha256: String,
    /// SHA-256 of the kernel's configuration, in hex, where it is known.
    pub config_sha256: Option<String>,
    /// `git describe --always --dirty` of the tree that the kernel was built in, where it is a work tree of git.
    pub git: Option<String>,
    /// Size of both files.
    pub bytes: u64,
    /// Everything that files were taken from.
    pub packages: Vec<PackageId>,
    /// Kernel modules in the order in which they are loaded.
    pub modules: Vec<String>,
    /// Modules that its recipe names and its kernel has not got; the guest boots without them.
    pub lacks: Vec<String>,
    /// It is not removed while it is in hand.
    pub held: Held,
}

/// image.json
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    name: String,
    release: String,
    kernel_package: PackageId,
    packages: Vec<PackageId>,
    modules: Vec<String>,
    /// Modules that the recipe names and the kernel has not got.
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    config_sha256: Option<String>,
    kernel_sha256: String,
    initramfs_sha256: String,
}

/// recipes/<key>.json
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resolution {
    name: String,
    pub(super) digest: String,
    /// Where the kernel came from: the same bytes may have come in several ways.
    #[serde(default)]
    kernel: Option<PackageId>,
    /// What git calls the tree that the kernel was built in.
    #[serde(default)]
    git: Option<String>,
}

/// An image that is not on disk yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Built {
    pub(super) name: String,
    pub(super) release: String,
    pub(super) kernel_package: PackageId,
    pub(super) packages: Vec<PackageId>,
    pub(super) modules: Vec<String>,
    pub(super) lacks: Vec<String>,
    pub(super) kernel: Vec<u8>,
    pub(super) config_sha256: Option<String>,
    pub(super) git: Option<String>,
    pub(super) initramfs: Vec<u8>,
}

impl Image {
    /// Whether its kernel is one's own: then it is of none of the packages.
    pub fn is_own(&self) -> bool {
        self.packages.iter().all(|package| package.to_string() != self.package)
    }
}

impl Cache {
    /// The user's: `$XDG_CACHE_HOME/rig`, or `~/.cache/rig` (XDG Base Directory Specification).
    pub fn of_user() -> Result<Self, ImageError> {
        let absolute =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        base.map(|base| Self::at(base.join("rig"))).ok_or(ImageError::NoCacheFolder)
    }

    /// At this folder, which need not exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The image that the recipe with this key came to, if it is there whole. Touches neither lock nor network.
    pub(super) fn find(&self, key: &str) -> Option<Image> {
        let Resolution { name, digest, kernel, git } = self.resolution(key)?;
        let image = self.find_digest(&name, &digest)?;
        let package = kernel.map_or(image.package, |kernel| kernel.to_string());
        Some(Image { package, git, ..image })
    }

    /// The image with this digest, if it is there whole, as what a recipe called `name` came to: for a run that goes on with what it began with.
    pub fn find_digest(&self, name: &str, digest: &str) -> Option<Image> {
        let folder = self.images().join(digest);
        let image = self.open(&folder).filter(|image| image.digest == digest)?;
        // For `Keep::Bytes`; a read-only cache serves all the same.
        let _ = touch(&folder.join(MANIFEST));
        Some(Image { name: name.to_owned(), ..image })
    }

    pub(super) fn resolution(&self, key: &str) -> Option<Resolution> {
        read_json(&self.resolution_path(key))
    }

    /// The names of recipes that have come to an image, each once.
    pub fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.root.join("recipes")).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| read_json::<Resolution>(&entry.path()))
            .map(|resolution| resolution.name)
            .collect()
    }

    /// All whole images, by name.
    pub fn list(&self) -> Vec<Image> {
        let mut images: Vec<Image> =
            folders(&self.images()).iter().filter_map(|folder| self.open(folder)).collect();
        images.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.digest.cmp(&other.digest)));
        images
    }

    /// Puts an image in, as what the recipe with this key came to.
    pub(super) fn store(&self, _lock: &Lock, key: &str, built: &Built) -> Result<Image, ImageError> {
        self.write(key, built).map_err(ImageError::disk("cannot put the image into the cache"))?;
        self.find(key).ok_or_else(|| ImageError::Disk {
            doing: "the image that was just written cannot be read back".to_owned(),
            source: io::ErrorKind::InvalidData.into(),
        })
    }

    fn write(&self, key: &str, built: &Built) -> io::Result<()> {
        let manifest = Manifest {
            format: FORMAT,
            name: built.name.clone(),
            release: built.release.clone(),
            kernel_package: built.kernel_package.clone(),
            packages: built.packages.clone(),
            modules: built.modules.clone(),
            lacks: built.lacks.clone(),
            config_sha256: built.config_sha256.clone(),
            kernel_sha256: format!("{:x}", Sha256::digest(&built.kernel)),
            initramfs_sha256: format!("{:x}", Sha256::digest(&built.initramfs)),
        };
        let digest = digest_of(&manifest.kernel_sha256, &manifest.initramfs_sha256);
        fs::create_dir_all(self.images())?;
        let folder = self.images().join(&digest);
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(self.images())?;
        write_synced(&new.path().join(KERNEL), &built.kernel)?;
        write_synced(&new.path().join(INITRAMFS), &built.initramfs)?;
        let json = serde_json::to_vec_pretty(&manifest).expect("plain data with string keys serialises");
        write_synced(&new.path().join(MANIFEST), &json)?;
        if self.open(&folder).is_none() {
            // What lies there is torn.
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::rename(new.keep(), &folder)?;
        }
        let (kernel, git) = (Some(built.kernel_package.clone()), built.git.clone());
        let resolution = Resolution { name: built.name.clone(), digest, kernel, git };
        let json = serde_json::to_vec(&resolution).expect("plain data with string keys serialises");
        let path = self.resolution_path(key);
        let recipes = self.root.join("recipes");
        fs::create_dir_all(&recipes)?;
        let mut file = tempfile::NamedTempFile::new_in(&recipes)?;
        file.write_all(&json)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The image in this folder, if it is whole.
    fn open(&self, folder: &Path) -> Option<Image> {
        if !folder.join(MANIFEST).is_file() {
            return None;
        }
        // Before it is looked at: what is whole now must be so later.
        let held = Held::take(&self.root);
        let manifest: Manifest = read_json(&folder.join(MANIFEST))?;
        let digest = digest_of(&manifest.kernel_sha256, &manifest.initramfs_sha256);
        let (kernel, initramfs) = (folder.join(KERNEL), folder.join(INITRAMFS));
        let whole = manifest.format == FORMAT
            && folder.file_name()?.to_str()? == digest
            && file_digest(&kernel)? == manifest.kernel_sha256
            && file_digest(&initramfs)? == manifest.initramfs_sha256;
        whole.then(|| Image {
            name: manifest.name,
            package: manifest.kernel_package.to_string(),
            release: manifest.release,
            bytes: file_size(&kernel) + file_size(&initramfs),
            kernel,
            initramfs,
            digest,
            kernel_sha256: manifest.kernel_sha256,
            config_sha256: manifest.config_sha256,
            git: None,
            packages: manifest.packages,
            modules: manifest.modules,
            lacks: manifest.lacks,
            held,
        })
    }

    /// Waits until no other rig builds.
    pub(super) fn lock(&self, tell: &mut dyn FnMut(Step)) -> Result<Lock, ImageError> {
        fs::create_dir_all(&self.root).map_err(ImageError::disk("cannot make the cache folder"))?;
        let lock = held::lock(&self.root, tell)?;
        self.mark().map_err(ImageError::disk("cannot mark the cache as rig's"))?;
        Ok(lock)
    }

    /// Removes resolutions whose image is gone.
    pub(super) fn forget_unresolved(&self) -> io::Result<()> {
        let Ok(entries) = fs::read_dir(self.root.join("recipes")) else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            // What has another name is not ours.
            let is_ours = path.extension().is_some_and(|extension| extension == "json") && path.is_file();
            let there = !is_ours
                || read_json::<Resolution>(&path)
                    .is_some_and(|resolution| self.images().join(resolution.digest).exists());
            if !there {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    pub(super) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    fn resolution_path(&self, key: &str) -> PathBuf {
        self.root.join("recipes").join(format!("{key}.json"))
    }
}

/// What identifies an image: the bytes that boot. Of both files' SHA-256.
pub(super) fn digest_of(kernel_sha256: &str, initramfs_sha256: &str) -> String {
    format!("{:.16x}", Sha256::digest(format!("{kernel_sha256} {initramfs_sha256}")))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn file_digest(path: &Path) -> Option<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs::File::open(path).ok()?, &mut hasher).ok()?;
    Some(format!("{:x}", hasher.finalize()))
}

fn file_size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn touch(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(path)?.file().set_modified(SystemTime::now())
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::image) fn built(name: &str, kernel: &str) -> Built {
        let package = PackageId {
            name: "linux-image-1".to_owned(),
            version: "1-1".to_owned(),
            sha256: "00".to_owned(),
        };
        Built {
            name: name.to_owned(),
            release: "6.1.0-test".to_owned(),
            kernel_package: package.clone(),
            packages: vec![package],
            modules: Vec::new(),
            lacks: vec!["pvpanic_pci".to_owned()],
            kernel: kernel.as_bytes().to_vec(),
            config_sha256: None,
            git: None,
            initramfs: vec![0; 512],
        }
    }

    pub(in crate::image) fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("rig"));
        (folder, cache)
    }

    pub(in crate::image) fn put(cache: &Cache, key: &str, built: &Built) -> Image {
        let lock = cache.lock(&mut |_| {}).unwrap();
        cache.store(&lock, key, built).unwrap()
    }

    #[test]
    fn what_was_put_in_is_found() {
        let (_folder, cache) = cache();
        assert_eq!(cache.find("k"), None);
        let image = put(&cache, "k", &built("6.1", "kernel"));
        assert_eq!(image.package, "linux-image-1 1-1");
        assert_eq!(fs::read(&image.kernel).unwrap(), b"kernel");
        assert_eq!(cache.find("k"), Some(image.clone()));
        assert_eq!(cache.list(), [image]);
        assert_eq!(cache.find("other"), None);
    }

    #[test]
    fn the_same_content_is_stored_once_and_keeps_both_names() {
        let (_folder, cache) = cache();
        let one = put(&cache, "k", &built("6.1", "kernel"));
        let two = put(&cache, "l", &built("mine", "kernel"));
        assert_eq!((one.digest, two.name.as_str()), (two.digest, "mine"));
        assert_eq!(cache.list().len(), 1);
        fs::write(cache.root().join("recipes/m.json"), "torn").unwrap();
        assert_eq!(cache.names(), ["6.1", "mine"].map(str::to_owned).into());
    }

    #[test]
    fn a_torn_image_is_never_used_and_replaced() {
        let (_folder, cache) = cache();
        let image = put(&cache, "k", &built("6.1", "kernel"));
        for damage in ["kerne", "kerneL"] {
            fs::write(&image.kernel, damage).unwrap();
            assert_eq!(cache.find("k"), None, "{damage}");
            assert_eq!(cache.list(), []);
            assert_eq!(put(&cache, "k", &built("6.1", "kernel")), image);
        }
        fs::remove_file(&image.initramfs).unwrap();
        assert_eq!(cache.find("k"), None);
    }

    #[test]
    fn an_image_is_found_by_its_digest_whatever_its_recipe_comes_to_now() {
        let (_folder, cache) = cache();
        let old = put(&cache, "k", &built("6.1", "kernel"));
        let new = put(&cache, "k", &built("6.1", "newer kernel"));
        assert_eq!(cache.find("k"), Some(new));
        assert_eq!(cache.find_digest("6.1", &old.digest), Some(old.clone()));
        assert_eq!(cache.find_digest("mine", &old.digest).map(|image| image.name).as_deref(), Some("mine"));
        fs::write(&old.kernel, "kerneL").unwrap();
        for digest in [old.digest.as_str(), "0123456789abcdef", "", "..", "../images"] {
            assert_eq!(cache.find_digest("6.1", digest), None, "{digest}");
        }
    }
}
