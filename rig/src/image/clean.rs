//! What is removed from the cache, looked up before anything goes.
//!
//! Removes only what has a name of rig's own form, in a folder that carries rig's mark (CACHEDIR.TAG, bford.info/cachedir), and follows no
//! link. Must not know who asks or how it is shown. Units: bytes.
//! Errors: `ImageError`; they blame the disk, a folder that is not rig's, or name who uses the images. Tests: below.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

use super::cache::{Cache, MANIFEST};
use super::error::ImageError;
use super::held;

/// The file that says that a folder is a cache: backup programs leave it out.
const TAG: &str = "CACHEDIR.TAG";

/// Its first line, as the specification wants it.
const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

/// The line that says whose cache it is.
const OURS: &str = "# This file is a cache directory tag created by rig.";

/// Everything that rig puts into its cache. `probe` has what was found out about the host's accelerator, `visits` the logs of guests that
/// were looked into, `oracles` what only the tests of rig use.
const OWN: [&str; 10] = [
    held::BUILD_LOCK,
    held::USE_LOCK,
    TAG,
    "images",
    "recipes",
    "apt",
    "packages",
    PROBE,
    "visits",
    "oracles",
];

const PROBE: &str = "probe";

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

/// Something that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// In words.
    pub what: What,
    /// Where it is.
    pub path: PathBuf,
    /// Of files.
    pub bytes: u64,
}

/// What is to go, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A built image.
    Image {
        /// Of its recipe.
        name: String,
        /// Kernel package and version.
        package: String,
        /// What a run that began with it has recorded.
        digest: String,
    },
    /// An image that is not whole.
    TornImage,
    /// What apt fetched: packages, or the lists of a release.
    Downloads,
    /// What a killed rig left.
    Leftover,
    /// What was found out about this host's accelerator.
    Probe,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freed {
    /// Of files.
    pub bytes: u64,
    /// Whole images among it.
    pub images: u64,
    /// All that was removed.
    pub things: u64,
}

impl Cache {
    /// Says on disk that the folder is rig's, where it is new or has nothing in it that is not.
    pub(super) fn mark(&self) -> io::Result<()> {
        let tag = self.root().join(TAG);
        if is_marked(&tag) || !is_own_form(self.root()) {
            return Ok(());
        }
        let text = format!(
            "{SIGNATURE}\n{OURS}\n# Everything in it can be fetched and built again; `rig image clean` empties it.\n\
             # For information about cache directory tags see https://bford.info/cachedir/\n"
        );
        fs::write(tag, text)
    }

    /// What goes where only this may stay.
    ///
    /// # Errors
    /// [`ImageError::NotOfRig`]
    pub fn superfluous(&self, keep: &Keep) -> Result<Vec<Doomed>, ImageError> {
        self.check()?;
        let (limit, kept) = match keep {
            Keep::Recipes(keys) => (0, self.resolved(keys)),
            Keep::Bytes(limit) => (*limit, vec![]),
            Keep::Nothing => (0, vec![]),
        };
        let mut doomed = Vec::new();
        let images = self.images_by_last_use();
        let downloads = self.downloads();
        let mut total: u64 = images.iter().chain(&downloads).map(|one| one.bytes).sum();
        for one in downloads.into_iter().chain(images) {
            let stays = matches!(&one.what, What::Image { digest, .. } if kept.contains(digest));
            if !stays && total > limit {
                total -= one.bytes;
                doomed.push(one);
            }
        }
        doomed.extend(self.leftovers_of(&["images", "recipes"]));
        Ok(doomed)
    }

    /// What a rig that was killed may have left; with `probes` also what was found out about this host.
    ///
    /// # Errors
    /// [`ImageError::NotOfRig`]
    pub fn leftovers(&self, probes: bool) -> Result<Vec<Doomed>, ImageError> {
        self.check()?;
        let mut doomed = self.leftovers_of(&["images", "recipes", "packages", PROBE]);
        for state in self.states() {
            for part in ["lists/partial", "cache/archives/partial"] {
                doomed.extend(entries(&state.join(part)).map(|path| Doomed::at(What::Leftover, path)));
            }
            doomed.extend(folder(state.join("lists.old")).map(|path| Doomed::at(What::Leftover, path)));
        }
        if probes {
            let answers = entries(&self.root().join(PROBE)).filter(|path| is_answer(&file_name(path)));
            doomed.extend(answers.map(|path| Doomed::at(What::Probe, path)));
        }
        Ok(doomed)
    }

    /// Removes it, unless an image is in use or being built.
    ///
    /// # Errors
    /// [`ImageError::InUse`], [`ImageError::Disk`]
    pub fn remove(&self, doomed: &[Doomed]) -> Result<Freed, ImageError> {
        let mut freed = Freed::default();
        if doomed.is_empty() {
            return Ok(freed);
        }
        let _cleaning = held::clean(self.root())?;
        self.mark().map_err(ImageError::disk("cannot mark the cache as rig's"))?;
        for one in doomed {
            if remove(&one.path).map_err(ImageError::disk("cannot clean the cache"))? {
                freed.bytes += one.bytes;
                freed.things += 1;
                freed.images += u64::from(matches!(one.what, What::Image { .. }));
            }
        }
        self.forget_unresolved().map_err(ImageError::disk("cannot clean the cache"))?;
        Ok(freed)
    }

    /// Whether there may be anything of rig's at all.
    fn check(&self) -> Result<(), ImageError> {
        let refuse = |path: &Path, why: String| Err(ImageError::NotOfRig { path: path.to_owned(), why });
        for name in ["", "images", "recipes", "apt", "packages", PROBE] {
            let path = if name.is_empty() { self.root().to_owned() } else { self.root().join(name) };
            if let Ok(target) = fs::read_link(&path) {
                return refuse(&path, format!("it is a link (to {})", target.display()));
            }
        }
        if !self.root().exists() || is_marked(&self.root().join(TAG)) || is_own_form(self.root()) {
            return Ok(());
        }
        refuse(self.root(), format!("it has no {TAG} of rig's, and other things are in it"))
    }

    /// Digests of the images that these recipe keys came to.
    fn resolved(&self, keys: &[String]) -> Vec<String> {
        keys.iter().filter_map(|key| self.resolution(key)).map(|resolution| resolution.digest).collect()
    }

    /// The images, torn ones first, then the one used longest ago.
    fn images_by_last_use(&self) -> Vec<Doomed> {
        let whole: BTreeMap<String, What> = self
            .list()
            .into_iter()
            .map(|image| {
                let (name, package, digest) = (image.name, image.package, image.digest);
                (digest.clone(), What::Image { name, package, digest })
            })
            .collect();
        let mut folders: Vec<PathBuf> =
            entries(&self.images()).filter(|path| is_hex(&file_name(path), 16)).filter_map(folder).collect();
        folders.sort_by_key(|folder| last_use(folder));
        let what = |path: &Path| whole.get(&file_name(path)).cloned().unwrap_or(What::TornImage);
        folders.into_iter().map(|path| Doomed::at(what(&path), path)).collect()
    }

    fn downloads(&self) -> Vec<Doomed> {
        let packages = entries(&self.root().join("packages"))
            .filter(|path| file_name(path).ends_with(".deb"))
            .chain(self.states());
        packages.map(|path| Doomed::at(What::Downloads, path)).collect()
    }

    /// apt's private state, a folder for each release.
    fn states(&self) -> Vec<PathBuf> {
        entries(&self.root().join("apt"))
            .filter(|path| file_name(path).rsplit_once('-').is_some_and(|(_, hash)| is_hex(hash, 8)))
            .filter_map(folder)
            .collect()
    }

    fn leftovers_of(&self, folders: &[&str]) -> Vec<Doomed> {
        let of =
            |name: &&str| entries(&self.root().join(name)).filter(|path| is_unfinished(&file_name(path)));
        folders.iter().flat_map(of).map(|path| Doomed::at(What::Leftover, path)).collect()
    }
}

impl Doomed {
    fn at(what: What, path: PathBuf) -> Self {
        Self { what, bytes: size_of(&path), path }
    }
}

/// Unfinished images (`.new-`), files (`.tmp`), the logs of a probe, and downloads that apt gave up.
fn is_unfinished(name: &str) -> bool {
    let begins = [".new-", ".tmp", "probe-"].iter().any(|prefix| name.starts_with(prefix));
    begins || name.ends_with(".deb.FAILED")
}

fn is_answer(name: &str) -> bool {
    name.strip_prefix("accelerator-")
        .and_then(|rest| rest.strip_suffix(".json"))
        .is_some_and(|key| is_hex(key, 16))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_marked(tag: &Path) -> bool {
    let plain = fs::symlink_metadata(tag).is_ok_and(|metadata| metadata.is_file());
    plain && fs::read_to_string(tag).is_ok_and(|text| text.starts_with(SIGNATURE) && text.contains(OURS))
}

/// A cache of the time before the mark: nothing but what rig puts there, the lock among it. A folder with nothing in it counts.
fn is_own_form(root: &Path) -> bool {
    let names: Vec<String> = entries(root).map(|path| file_name(&path)).collect();
    let foreign_tag = root.join(TAG).exists() && !is_marked(&root.join(TAG));
    !foreign_tag
        && names.iter().all(|name| OWN.contains(&name.as_str()))
        && (names.is_empty() || names.iter().any(|name| name == held::BUILD_LOCK))
}

fn entries(folder: &Path) -> std::vec::IntoIter<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    // A link is none of ours, whatever it is called.
    paths.retain(|path| fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_symlink()));
    paths.sort();
    paths.into_iter()
}

/// The path, if a folder is there and no link.
fn folder(path: PathBuf) -> Option<PathBuf> {
    fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()).then_some(path)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn last_use(folder: &Path) -> SystemTime {
    let manifest = fs::metadata(folder.join(MANIFEST)).and_then(|metadata| metadata.modified());
    // Torn ones go first.
    manifest.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn size_of(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_of(&entry.path())).sum()
}

/// Whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    let removed = match fs::symlink_metadata(path) {
        // It follows no link, however deep.
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
