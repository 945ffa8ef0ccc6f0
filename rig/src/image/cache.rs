//! Built images on disk, below the user's cache folder.
//!
//! ```text
//! <root>/lock                     held while something is built or removed
//! <root>/images/<digest>/         image.json  vmlinuz  initramfs.cpio
//! <root>/recipes/<key>.json       which image a recipe came to
//! <root>/apt/ packages/           what fetching left; may go at any time
//! ```
//! A folder of an image appears by a rename, complete or not at all, and is checked against its digests before use.
//! Must not know how images are made. Units: bytes. Errors: `ImageError`; they blame the disk. Tests: below and in `build.rs`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use fs_err as fs;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::ImageError;
use super::loaded::digest_of;
use super::supply::{PackageId, Step};

/// An image.json of another form is none of ours.
const FORMAT: u32 = 1;

/// Building takes half a minute with a warm cache; a cold one may sit on a slow line.
const LOCK_DEADLINE: Duration = Duration::from_secs(900);

const MANIFEST: &str = "image.json";
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
    /// Size of both files.
    pub bytes: u64,
    /// Everything that files were taken from.
    pub packages: Vec<PackageId>,
    /// Kernel modules in the order in which they are loaded.
    pub modules: Vec<String>,
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
    kernel_sha256: String,
    initramfs_sha256: String,
}

/// recipes/<key>.json
#[derive(Debug, Serialize, Deserialize)]
struct Resolution {
    name: String,
    digest: String,
}

/// An image that is not on disk yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Built {
    pub(super) name: String,
    pub(super) release: String,
    pub(super) kernel_package: PackageId,
    pub(super) packages: Vec<PackageId>,
    pub(super) modules: Vec<String>,
    pub(super) kernel: Vec<u8>,
    pub(super) initramfs: Vec<u8>,
}

/// What `clean` removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freed {
    /// Of files.
    pub bytes: u64,
    /// Folders of images.
    pub images: u64,
}

/// What may stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The images that these recipe keys came to: enough to work offline.
    Recipes(Vec<String>),
    /// At most so many bytes: fetched packages go first, then the images that were used longest ago.
    Bytes(u64),
    /// Nothing.
    Nothing,
}

/// Held while something in the cache is made or removed; ends with the process at the latest.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Flock<std::fs::File>,
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
        let resolution: Resolution = read_json(&self.resolution_path(key))?;
        let image = self.open(&self.images().join(&resolution.digest))?;
        // For `Keep::Bytes`; a read-only cache serves all the same.
        let _ = touch(&self.images().join(&resolution.digest).join(MANIFEST));
        Some(Image { name: resolution.name, ..image })
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
            kernel_sha256: format!("{:x}", Sha256::digest(&built.kernel)),
            initramfs_sha256: format!("{:x}", Sha256::digest(&built.initramfs)),
        };
        let digest = digest(&manifest);
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
        let resolution = Resolution { name: built.name.clone(), digest };
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
        let manifest: Manifest = read_json(&folder.join(MANIFEST))?;
        let digest = digest(&manifest);
        let (kernel, initramfs) = (folder.join(KERNEL), folder.join(INITRAMFS));
        let whole = manifest.format == FORMAT
            && folder.file_name()?.to_str()? == digest
            && file_digest(&kernel)? == manifest.kernel_sha256
            && file_digest(&initramfs)? == manifest.initramfs_sha256;
        whole.then(|| Image {
            name: manifest.name,
            package: format!("{} {}", manifest.kernel_package.name, manifest.kernel_package.version),
            release: manifest.release,
            bytes: file_size(&kernel) + file_size(&initramfs),
            kernel,
            initramfs,
            digest,
            packages: manifest.packages,
            modules: manifest.modules,
        })
    }

    /// Waits until no other rig builds or cleans.
    pub(super) fn lock(&self, tell: &mut dyn FnMut(Step)) -> Result<Lock, ImageError> {
        fs::create_dir_all(&self.root).map_err(ImageError::disk("cannot make the cache folder"))?;
        let path = self.root.join("lock");
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ImageError::disk("cannot open the cache's lock"))?
            .into_parts()
            .0;
        let started = Instant::now();
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Lock { _file: lock }),
                Err((file, nix::errno::Errno::EWOULDBLOCK | nix::errno::Errno::EINTR)) => file,
                Err((_, errno)) => return Err(ImageError::disk("cannot lock the image cache")(errno.into())),
            };
            if started.elapsed() > LOCK_DEADLINE {
                return Err(ImageError::Busy { path, seconds: LOCK_DEADLINE.as_secs() });
            }
            tell(Step::OtherRig);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Removes what need not stay.
    pub fn clean(&self, keep: &Keep) -> Result<Freed, ImageError> {
        let _lock = self.lock(&mut |_| {})?;
        self.remove(keep).map_err(ImageError::disk("cannot clean the cache"))
    }

    fn remove(&self, keep: &Keep) -> io::Result<Freed> {
        let mut freed = Freed::default();
        let total = || {
            size_of(&self.images()) + size_of(&self.root.join("packages")) + size_of(&self.root.join("apt"))
        };
        let (limit, keys): (u64, &[String]) = match keep {
            Keep::Recipes(keys) => (0, keys),
            Keep::Bytes(limit) => (*limit, &[]),
            Keep::Nothing => (0, &[]),
        };
        let kept: Vec<String> = keys
            .iter()
            .filter_map(|key| read_json::<Resolution>(&self.resolution_path(key)))
            .map(|resolution| resolution.digest)
            .collect();
        for fetched in ["packages", "apt"] {
            if total() > limit {
                freed.bytes += remove_folder(&self.root.join(fetched))?;
            }
        }
        let mut folders = folders(&self.images());
        folders.sort_by_key(|folder| last_use(folder));
        for folder in folders {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !kept.iter().any(|digest| digest == name) && total() > limit {
                freed.bytes += remove_folder(&folder)?;
                freed.images += 1;
            }
        }
        self.forget_unresolved()?;
        Ok(freed)
    }

    /// Removes resolutions whose image is gone.
    fn forget_unresolved(&self) -> io::Result<()> {
        let Ok(entries) = fs::read_dir(self.root.join("recipes")) else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            let there = read_json::<Resolution>(&path)
                .is_some_and(|resolution| self.images().join(resolution.digest).exists());
            if !there {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    fn resolution_path(&self, key: &str) -> PathBuf {
        self.root.join("recipes").join(format!("{key}.json"))
    }
}

/// What identifies an image: the bytes that boot.
fn digest(manifest: &Manifest) -> String {
    digest_of(&manifest.kernel_sha256, &manifest.initramfs_sha256)
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

fn last_use(folder: &Path) -> SystemTime {
    let manifest = fs::metadata(folder.join(MANIFEST)).and_then(|metadata| metadata.modified());
    // Torn ones go first.
    manifest.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn size_of(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_of(&entry.path())).sum()
}

/// The bytes that it held.
fn remove_folder(path: &Path) -> io::Result<u64> {
    let bytes = size_of(path);
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(name: &str, kernel: &str) -> Built {
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
            kernel: kernel.as_bytes().to_vec(),
            initramfs: vec![0; 512],
        }
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("rig"));
        (folder, cache)
    }

    fn put(cache: &Cache, key: &str, built: &Built) -> Image {
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
    fn only_one_builds_at_a_time() {
        let (_folder, cache) = cache();
        let lock = cache.lock(&mut |_| {}).unwrap();
        let (sender, told) = std::sync::mpsc::channel();
        let other = cache.clone();
        let second = std::thread::spawn(move || other.lock(&mut |step| sender.send(step).unwrap()).is_ok());
        assert_eq!(told.recv().unwrap(), Step::OtherRig);
        drop(lock);
        assert!(second.join().unwrap());
    }

    #[test]
    fn cleaning_bounds_the_size_and_spares_what_is_needed() {
        let (_folder, cache) = cache();
        let old = put(&cache, "k", &built("6.1", "kernel"));
        let new = put(&cache, "l", &built("6.12", "other kernel"));
        let before = SystemTime::now() - Duration::from_secs(3600);
        let manifest = old.kernel.with_file_name(MANIFEST);
        fs::OpenOptions::new().append(true).open(manifest).unwrap().file().set_modified(before).unwrap();
        fs::create_dir_all(cache.root.join("packages")).unwrap();
        fs::write(cache.root.join("packages/p.deb"), [0; 100]).unwrap();

        let freed = cache.clean(&Keep::Bytes(u64::MAX)).unwrap();
        assert_eq!(freed, Freed::default());
        let all = size_of(&cache.images());
        assert_eq!(cache.clean(&Keep::Bytes(all)).unwrap(), Freed { bytes: 100, images: 0 });
        let freed = cache.clean(&Keep::Bytes(all - 1)).unwrap();
        assert_eq!((freed.images, cache.list()), (1, vec![new.clone()]));
        assert_eq!((cache.find("k"), cache.find("l")), (None, Some(new.clone())));
        assert_eq!(cache.clean(&Keep::Recipes(vec!["l".to_owned()])).unwrap().images, 0);
        assert_eq!(cache.list(), [new]);
        assert_eq!(cache.clean(&Keep::Nothing).unwrap().images, 1);
        assert_eq!(cache.list(), []);
    }
}
