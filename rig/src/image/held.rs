//! Who uses the cache: one lock for whoever makes something in it, one shared by all who use images that are there.
//!
//! ```text
//! <root>/lock     exclusive, while something is fetched and built
//! <root>/in-use   shared, by whoever has an image in hand; exclusive, for the moment in which something is removed
//! ```
//! So images may be built while others are in use; nothing is removed then. Both end with the process that took them at the latest: with all
//! of an enclosure, where it was taken before that (flock(2)). Must not know images. Units: none.
//! Errors: `ImageError`; they name who holds what. Tests: below and in `clean.rs`.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fs_err as fs;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::ImageError;
use super::supply::Step;
use super::tool::go_on;

/// Held by whoever builds.
pub(super) const BUILD_LOCK: &str = "lock";
/// Held by whoever has an image in hand.
pub(super) const USE_LOCK: &str = "in-use";

/// Building takes half a minute with a warm cache; a cold one may sit on a slow line.
const PATIENCE: Duration = Duration::from_secs(900);

/// Held while something in the cache is made; ends with the process at the latest.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Flock<File>,
}

/// Held while something is removed.
#[derive(Debug)]
pub(super) struct Cleaning {
    _locks: [Flock<File>; 2],
}

/// Keeps the images of a cache from being removed, as long as any copy of it lives.
#[derive(Debug, Clone)]
pub struct Held {
    /// None where the cache can only be read: then nobody like us removes anything either.
    _lock: Option<Arc<Flock<File>>>,
}

/// It says nothing of an image.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl Held {
    /// Waits while something is being removed.
    pub(super) fn take(root: &Path) -> Self {
        let path = root.join(USE_LOCK);
        let file = open(&path).or_else(|_| File::open(&path));
        let Ok(mut file) = file else { return Self { _lock: None } };
        loop {
            file = match Flock::lock(file, FlockArg::LockShared) {
                Ok(lock) => return Self { _lock: Some(Arc::new(lock)) },
                Err((file, Errno::EINTR)) => file,
                Err(_) => return Self { _lock: None },
            };
        }
    }
}

/// Waits until no other rig builds.
pub(super) fn lock(root: &Path, tell: &mut dyn FnMut(Step)) -> Result<Lock, ImageError> {
    let path = root.join(BUILD_LOCK);
    let started = Instant::now();
    loop {
        match try_exclusive(&path)? {
            Some(file) => return Ok(Lock { _file: file }),
            None if started.elapsed() > PATIENCE => {
                return Err(ImageError::Busy { path, seconds: PATIENCE.as_secs() });
            }
            None => tell(Step::OtherRig),
        }
        go_on()?;
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// For whoever removes something: only while nobody builds and nobody uses an image; whoever does is named.
pub(super) fn clean(root: &Path) -> Result<Cleaning, ImageError> {
    let exclusive = |name: &str| {
        let path = root.join(name);
        let in_use = || ImageError::InUse { root: root.to_owned(), holder: holder(&path) };
        try_exclusive(&path)?.ok_or_else(in_use)
    };
    Ok(Cleaning { _locks: [exclusive(USE_LOCK)?, exclusive(BUILD_LOCK)?] })
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    Ok(options.create(true).truncate(false).write(true).open(path)?.into_parts().0)
}

fn try_exclusive(path: &Path) -> Result<Option<Flock<File>>, ImageError> {
    let mut file = open(path).map_err(ImageError::disk("cannot open the cache's lock"))?;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((file, Errno::EINTR)) => file,
            Err((_, errno)) => return Err(ImageError::disk("cannot lock the image cache")(errno.into())),
        };
    }
}

/// Who holds the lock, in words: the command and its process, as far as this host shows them.
fn holder(path: &Path) -> String {
    let inode = fs::metadata(path).map_or(0, |metadata| metadata.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let holders = holding(&locks, inode);
    let shown = holders.iter().find_map(|pid| {
        let line = fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
        Some(format!("`{}` (process {pid})", command_line(&line)))
    });
    match (shown, holders.len()) {
        (None, _) => "another rig".to_owned(),
        (Some(one), 0 | 1) => one,
        (Some(one), count) => format!("{one} and {} more", count - 1),
    }
}

/// The processes of proc_locks(5) that have an flock on this inode. One of another PID namespace is 0 there.
fn holding(locks: &str, inode: u64) -> Vec<u32> {
    let ours = locks.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "FLOCK")?;
        let blocked = words.contains(&"->");
        let place = words.get(at + 4)?.rsplit(':').next()?.parse::<u64>().ok()?;
        let pid = words.get(at + 3)?.parse::<u32>().ok()?;
        (!blocked && place == inode && pid != 0).then_some(pid)
    });
    ours.collect()
}

/// A process's words, short and without what a terminal would obey.
fn command_line(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).chars().filter(|c| !c.is_control()).collect())
        .collect();
    let mut line = words.join(" ");
    if let Some(program) = words.first().and_then(|first| first.rsplit('/').next()) {
        line = std::iter::once(program)
            .chain(words.iter().skip(1).map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
    }
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_builds_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let first = lock(&root, &mut |_| {}).unwrap();
        let (sender, told) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || lock(&root, &mut |step| sender.send(step).unwrap()).is_ok());
        assert_eq!(told.recv().unwrap(), Step::OtherRig);
        drop(first);
        assert!(second.join().unwrap());
    }

    #[test]
    fn images_in_use_do_not_keep_others_from_being_built() {
        let folder = tempfile::tempdir().unwrap();
        let used = Held::take(folder.path());
        let built = lock(folder.path(), &mut |step| panic!("{step}")).unwrap();
        let error = clean(folder.path()).unwrap_err();
        let ImageError::InUse { holder, .. } = error else { panic!("{error:?}") };
        assert!(holder.contains(&format!("(process {})", std::process::id())), "{holder}");
        let copy = used.clone();
        drop(used);
        assert!(clean(folder.path()).is_err(), "the copy holds it");
        drop(copy);
        assert!(clean(folder.path()).is_err(), "something is being built");
        drop(built);
        assert!(clean(folder.path()).is_ok());
    }

    #[test]
    fn a_cache_that_cannot_be_written_serves_without_a_lock() {
        assert!(Held::take(Path::new("/nowhere/rig"))._lock.is_none());
    }

    #[test]
    fn the_kernels_list_of_locks_is_read() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:131 0 EOF\n2: FLOCK  ADVISORY  READ  12 08:01:131 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 08:01:131 0 EOF\n3: FLOCK  ADVISORY  READ  0 08:01:131 0 EOF\n\
                     4: FLOCK  ADVISORY  READ  14 08:01:132 0 EOF\n5: FLOCK  ADVISORY  READ  15 08:01:131 0 EOF\n";
        assert_eq!(holding(locks, 131), [12, 15]);
    }

    #[test]
    fn a_command_line_is_short_and_obeyed_by_no_terminal() {
        assert_eq!(command_line(b"/usr/bin/rig\0matrix\0run\0"), "rig matrix run");
        assert_eq!(command_line(b"rig\0\x1b[2J\0"), "rig [2J");
        assert_eq!(command_line(&[b'a'; 300]).len(), 80);
    }
}
