//! The libraries that a program gets, found as its loader finds them: glibc's (ld.so(8)) or musl's (ldso/dynlink.c).
//!
//! LD_LIBRARY_PATH is not used: it would be another program in a guest. Must not know parts. Units: none.
//! Errors: [`Fault`]: a library that is not there, a file that is no ELF file. Tests: `tests.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::error::Fault;
use super::find::base;
use super::ld_cache;
use super::tree::{beginning, shown, unreadable};
use crate::elf::{Dynamic, Elf, foreign};

/// glibc's folders in its order; Debian's and those of others.
const GLIBC_FOLDERS: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// musl's folders in its order, where it has no file that names others.
const MUSL_FOLDERS: [&str; 3] = ["/lib", "/usr/local/lib", "/usr/lib"];

/// What glibc finds its libraries by.
pub(super) const GLIBC_CACHE: &str = "/etc/ld.so.cache";

/// What musl finds its libraries by.
pub(super) const MUSL_FOLDER_LIST: &str = "/etc/ld-musl-x86_64.path";

/// Libraries that musl's loader contains; it never looks for them (ldso/dynlink.c, `reserved`).
const IN_MUSL: [&str; 7] = ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];

/// What glibc loads without being asked to: name look-up, and the unwinder that ends threads.
const LOADED_LATER: [&str; 3] = ["libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1"];

static CACHED: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let libraries = ld_cache::libraries(&fs::read(GLIBC_CACHE).unwrap_or_default());
    // The first of a name counts.
    libraries.into_iter().rev().map(|(name, path)| (name, PathBuf::from(path))).collect()
});

/// Which loader a program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loader {
    /// The GNU C library's.
    Glibc,
    /// musl's.
    Musl,
}

impl Loader {
    /// By the file that a program names.
    pub(super) fn of(interpreter: &str) -> Self {
        if base(Path::new(interpreter)).starts_with("ld-musl-") { Self::Musl } else { Self::Glibc }
    }

    /// What it looks into besides folders that a program names.
    fn folders(self) -> Vec<PathBuf> {
        match self {
            Self::Glibc => GLIBC_FOLDERS.map(PathBuf::from).to_vec(),
            Self::Musl => match fs::read_to_string(MUSL_FOLDER_LIST) {
                Ok(list) => list.split([':', '\n']).filter(|at| !at.is_empty()).map(PathBuf::from).collect(),
                Err(_) => MUSL_FOLDERS.map(PathBuf::from).to_vec(),
            },
        }
    }
}

/// A library that is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// Its name.
    pub(super) library: String,
    /// Who names it.
    pub(super) needed_by: String,
    /// Where it was looked for.
    pub(super) searched: Vec<String>,
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        let Lost { library, needed_by, searched } = lost;
        Self::NoLibrary { library, needed_by, searched }
    }
}

/// What a program or library brings.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Paths of libraries, as the loader opens them.
    pub(super) libraries: Vec<PathBuf>,
    /// Those that are nowhere.
    pub(super) lost: Vec<Lost>,
    /// The loader's own file without which a guest's loader would not find one of them.
    pub(super) index: Option<&'static str>,
}

/// A file that is mapped, and who asked for it.
struct Object {
    path: PathBuf,
    /// What `$ORIGIN` stands for.
    origin: PathBuf,
    dynamic: Dynamic,
    asked_by: Option<usize>,
}

/// All libraries of the file at `path`, which begins a program or is loaded by one. `there` are names of libraries that are mapped already.
pub(super) fn libraries(path: &Path, loader: Loader, there: &[String]) -> Result<Brought, Fault> {
    let mut search = Search { loader, objects: vec![], brought: Brought::default(), known: there.to_vec() };
    // The kernel tells a program its real place; a library is told the one under which it was opened.
    let real = fs::canonicalize(path).map_err(unreadable(path))?;
    search.take(path.to_owned(), &real, None)?;
    search.follow(0)?;
    if loader == Loader::Glibc && search.known.iter().any(|name| name == "libc.so.6") {
        let until = search.objects.len();
        for name in LOADED_LATER {
            if let Ok(found) = search.find(0, name) {
                search.take(found.clone(), &found, Some(0))?;
            }
        }
        search.follow(until)?;
    }
    Ok(search.brought)
}

/// The dynamic section of an ELF file.
pub(super) fn dynamic(path: &Path) -> Result<Dynamic, Fault> {
    let bytes = fs::read(path).map_err(unreadable(path))?;
    let damaged = |error: crate::elf::ElfError| Fault::Damaged { path: shown(path), why: error.to_string() };
    Elf::parse(&bytes).and_then(|elf| elf.dynamic()).map_err(damaged)
}

struct Search {
    loader: Loader,
    objects: Vec<Object>,
    brought: Brought,
    /// Names under which a library is mapped.
    known: Vec<String>,
}

impl Search {
    /// Maps a file.
    fn take(&mut self, path: PathBuf, origin_of: &Path, asked_by: Option<usize>) -> Result<(), Fault> {
        let dynamic = dynamic(&path)?;
        let origin = origin_of.parent().unwrap_or(Path::new("/")).to_owned();
        self.known.extend(dynamic.soname.clone());
        self.known.push(base(&path).to_owned());
        if asked_by.is_some() {
            self.brought.libraries.push(path.clone());
        }
        self.objects.push(Object { path, origin, dynamic, asked_by });
        Ok(())
    }

    /// Maps what is asked for, breadth first, as both loaders do.
    fn follow(&mut self, begin: usize) -> Result<(), Fault> {
        let mut at = begin;
        while at < self.objects.len() {
            for name in self.objects[at].dynamic.needed.clone() {
                if self.known.contains(&name) || self.is_loader(&name) {
                    continue;
                }
                match self.find(at, &name) {
                    Ok(path) => {
                        self.known.push(name);
                        self.take(path.clone(), &path, Some(at))?;
                    }
                    Err(searched) => {
                        let needed_by = shown(&self.objects[at].path);
                        self.known.push(name.clone());
                        self.brought.lost.push(Lost { library: name, needed_by, searched });
                    }
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// Whether it is the loader itself, which is mapped before all others.
    fn is_loader(&self, name: &str) -> bool {
        match self.loader {
            Loader::Glibc => name.starts_with("ld-linux"),
            Loader::Musl => {
                name.starts_with("ld-musl-") || IN_MUSL.iter().any(|inside| name.starts_with(inside))
            }
        }
    }

    /// Where a library is that the object at `at` names; otherwise where it was looked for.
    fn find(&mut self, at: usize, name: &str) -> Result<PathBuf, Vec<String>> {
        if name.contains('/') {
            let path = expand(name, &self.objects[at].origin);
            return if fits(&path) { Ok(path) } else { Err(vec![shown(&path)]) };
        }
        let mut searched = self.named_folders(at);
        if let Some(found) = first_in(&searched, name) {
            return Ok(found);
        }
        if !self.objects[at].dynamic.no_default_folders {
            let own = self.loader.folders();
            if self.loader == Loader::Glibc
                && let Some(cached) = CACHED.get(name).filter(|path| fits(path))
            {
                if !own.iter().any(|folder| cached.parent() == Some(folder)) {
                    self.brought.index = Some(GLIBC_CACHE);
                }
                return Ok(cached.clone());
            }
            if let Some(found) = first_in(&own, name) {
                let usual =
                    found.parent().is_some_and(|at| MUSL_FOLDERS.iter().any(|own| at == Path::new(own)));
                if self.loader == Loader::Musl && !usual {
                    self.brought.index = Some(MUSL_FOLDER_LIST);
                }
                return Ok(found);
            }
            searched.extend(own);
        }
        searched.dedup();
        Err(searched.iter().map(|folder| shown(folder)).collect())
    }

    /// The folders that the object and those who asked for it name for its libraries.
    fn named_folders(&self, at: usize) -> Vec<PathBuf> {
        let own = &self.objects[at].dynamic;
        let mut folders = Vec::new();
        let mut add = |object: &Object, list: &Option<String>| {
            let named = list.iter().flat_map(|list| list.split(':')).filter(|folder| !folder.is_empty());
            folders.extend(named.map(|folder| expand(folder, &object.origin)));
        };
        let chain = std::iter::successors(Some(at), |at| self.objects[*at].asked_by);
        match self.loader {
            Loader::Glibc if own.runpath.is_some() => add(&self.objects[at], &own.runpath),
            Loader::Glibc => chain
                .map(|at| &self.objects[at])
                .filter(|object| object.dynamic.runpath.is_none())
                .for_each(|object| add(object, &object.dynamic.rpath)),
            // musl makes no difference between the two.
            Loader::Musl => chain.map(|at| &self.objects[at]).for_each(|object| {
                let Dynamic { rpath, runpath, .. } = &object.dynamic;
                add(object, if runpath.is_some() { runpath } else { rpath });
            }),
        }
        folders
    }
}

fn first_in(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| fits(path))
}

/// The three words that a loader knows.
fn expand(text: &str, origin: &Path) -> PathBuf {
    let origin = origin.to_string_lossy();
    let library = if Path::new(GLIBC_FOLDERS[0]).exists() { "lib/x86_64-linux-gnu" } else { "lib64" };
    let mut text = text.to_owned();
    for (word, meaning) in [("ORIGIN", &*origin), ("LIB", library), ("PLATFORM", "x86_64")] {
        text = text.replace(&format!("${{{word}}}"), meaning).replace(&format!("${word}"), meaning);
    }
    PathBuf::from(text)
}

/// Whether a loader takes it: it goes on to the next folder where a file is of another machine.
fn fits(path: &Path) -> bool {
    let begin = beginning(path);
    begin.is_ok_and(|bytes| Elf::recognises(&bytes) && foreign(&bytes).is_none())
}
