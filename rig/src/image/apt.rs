//! Packages through apt, with a state directory of its own: signatures are checked, the host's package state stays untouched.
//!
//! Lists of each release lie in a folder of their own, so that no pinning is needed: the newest version of that release is taken.
//! What lies in the cache is checked against apt's signed lists, and what is damaged there (a package, a list) is fetched once more. That is
//! against damage, not against malice: who may write the cache may forge a package and its line in the list.
//! Must not know what an image is. Units: bytes. Errors: `ImageError`; they blame the mirror, the recipe's names or the host's tools.
//! Tests: below; `tests/enclosure/fetching.rs` (root, no mirror), `tests/qemu.rs` (the whole against a mirror).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::error::ImageError;
use super::exact::{self, KernelBuild};
use super::listed::Listed;
use super::package::{self, Files, config_release, kernel_release};
use super::recipe::{KernelRecipe, Mirror, Recipe};
use super::sources::{self, Source};
use super::state::{ARCHITECTURE, State};
use super::supply::{Freshness, KernelSupply, PackageId, Step, Supplies, Supply};
use super::tool::{go_on, run};

/// Fetches through the host's apt.
#[derive(Debug)]
pub struct Apt {
    /// Of the cache.
    root: PathBuf,
    /// `/etc/apt`
    etc_apt: PathBuf,
    /// `/etc/os-release`
    os_release: PathBuf,
    /// State folders whose lists this process has asked the mirror for: two recipes share a release.
    current: RefCell<BTreeMap<PathBuf, Lists>>,
}

/// Where package lists are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// Some may be older than this process: only their names and sizes were compared with the mirror's.
    Kept,
    /// Every byte was fetched, and checked by apt, in this process.
    New,
}

impl Apt {
    /// With its state and downloads under the folder `root` and this host's sources.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            etc_apt: "/etc/apt".into(),
            os_release: "/etc/os-release".into(),
            current: RefCell::default(),
        }
    }

    /// Fetches the package lists of `release`, unless this process has done so.
    fn open(
        &self,
        release: &str,
        mirror: Option<&Mirror>,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<State, ImageError> {
        let (state, text) = self.state(release, mirror)?;
        state.create(&text).map_err(ImageError::disk("cannot write apt's private state"))?;
        if self.current.borrow().contains_key(&state.folder) {
            return Ok(state);
        }
        tell(Step::Lists { release: release.to_owned() });
        let lists = if state.has_lists() { Lists::Kept } else { Lists::New };
        match state.update() {
            Ok(()) => {}
            Err(ImageError::Mirror { said, .. }) if freshness == Freshness::AnyKnown && state.has_lists() => {
                tell(Step::OldLists { release: release.to_owned(), reason: said });
            }
            Err(error) => return Err(error),
        }
        self.current.borrow_mut().insert(state.folder.clone(), lists);
        Ok(state)
    }

    /// The state folder of a release, which need not exist, and the sources that belong into it.
    fn state(&self, release: &str, mirror: Option<&Mirror>) -> Result<(State, String), ImageError> {
        let text = sources::render_deb822(&self.sources(release, mirror)?, ARCHITECTURE);
        let folder = self.root.join("apt").join(format!("{release}-{:.8x}", Sha256::digest(&text)));
        Ok((State { folder, release: release.to_owned() }, text))
    }

    /// The kernels of `recipe`'s flavour that the archive has by the lists in the cache, newest first: nothing is fetched, and none are
    /// known where nothing was. They may have left the archive since.
    ///
    /// # Errors
    /// The lists cannot be read.
    pub fn known(&self, recipe: &Recipe) -> Result<Vec<KernelBuild>, ImageError> {
        let mut builds = Vec::new();
        if recipe.kernel.own.is_some() {
            return Ok(builds);
        }
        for release in releases(&recipe.kernel) {
            let Ok((state, _)) = self.state(release, recipe.mirror.as_ref()) else { continue };
            if state.has_lists() {
                builds.extend(state.kernels(&recipe.kernel.package)?);
            }
        }
        exact::sort(&mut builds);
        Ok(builds)
    }

    /// Whether the mirror that `recipe`'s packages come from answers: fetches the small signed index of its kernel's release (its programs', where the
    /// kernel is one's own), as apt does. Gives the release.
    pub fn probe(&self, recipe: &Recipe) -> Result<String, ImageError> {
        let release = match recipe.kernel.own {
            Some(_) => recipe.initramfs.release.clone(),
            None => recipe.kernel.release.clone(),
        };
        let text = sources::render_deb822(&self.sources(&release, recipe.mirror.as_ref())?, ARCHITECTURE);
        let folder = tempfile::tempdir().map_err(ImageError::disk("cannot make a folder for apt's state"))?;
        let state = State { folder: folder.path().join("apt"), release: release.clone() };
        state.create(&text).map_err(ImageError::disk("cannot write apt's private state"))?;
        let mut command = state.command("apt-get");
        command.args(["update", "--print-uris"]);
        let output = run(command, "apt-get", "addresses")?;
        let Some(uri) = output.stdout.lines().find_map(|line| line.strip_prefix('\'')?.split('\'').next())
        else {
            return Err(state.unreachable("addresses", &output));
        };
        let mut command = state.command("/usr/lib/apt/apt-helper");
        command.args(["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5", "download-file", uri]);
        command.arg(folder.path().join("InRelease"));
        let output = run(command, "apt-helper", "the index of a release")?;
        if output.success() { Ok(release) } else { Err(state.unreachable("the index", &output)) }
    }

    fn sources(&self, release: &str, mirror: Option<&Mirror>) -> Result<Vec<Source>, ImageError> {
        let sources = match mirror {
            Some(mirror) => {
                let source = |uri: &str, pocket: &str| Source {
                    uris: vec![uri.to_owned()],
                    suites: vec![format!("stable{pocket}")],
                    components: vec!["main".to_owned()],
                    signed_by: Some(mirror.signed_by.clone()),
                };
                let security = mirror.security_uri.as_deref().map(|uri| source(uri, "-security"));
                let host: Vec<Source> = [source(&mirror.uri, "")].into_iter().chain(security).collect();
                sources::derive(&host, "stable", release)
            }
            None => {
                let host = sources::read_host(&self.etc_apt)
                    .map_err(ImageError::disk("cannot read the apt sources of this host"))?;
                let os_release = fs::read_to_string(&self.os_release).unwrap_or_default();
                sources::derive(&host, codename(&os_release), release)
            }
        };
        if sources.is_empty() {
            return Err(ImageError::NoArchive { release: release.to_owned() });
        }
        Ok(sources)
    }

    fn downloads(&self) -> PathBuf {
        self.root.join("packages")
    }

    /// The release in which the kernel that `recipe` means is, and the name of its package as apt is asked for it.
    fn kernel(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<(State, String), ImageError> {
        let KernelRecipe { release, package, version, exact, .. } = &recipe.kernel;
        let mirror = recipe.mirror.as_ref();
        let Some(exact) = exact else {
            let name = match version {
                Some(version) => format!("{package}={version}"),
                None => package.clone(),
            };
            return Ok((self.open(release, mirror, freshness, tell)?, name));
        };
        let mut others = Vec::new();
        for release in releases(&recipe.kernel) {
            let state = self.open(release, mirror, freshness, tell)?;
            let builds = state.kernels(package)?;
            if let Some(build) = builds.iter().find(|build| exact.means(build)) {
                return Ok((state, build.exact()));
            }
            others.extend(builds);
        }
        exact::sort(&mut others);
        Err(ImageError::NoExact {
            package: package.clone(),
            version: exact.to_string(),
            releases: releases(&recipe.kernel).collect::<Vec<_>>().join(", "),
            there: exact::there(exact.series(), &others),
        })
    }

    /// The kernel package `first`, with the packages of the same source that it is split into.
    fn kernel_packages(&self, state: &State, first: String) -> Result<Vec<Listed>, ImageError> {
        let mut found: Vec<Listed> = Vec::new();
        let mut open = vec![first];
        while let Some(name) = open.pop() {
            let package = match state.show(&name) {
                // An archive that keeps older kernels (6.18, seen in backports) drops what only configures them. Since 7.2 it has the list of
                // built-in modules too, and is kept.
                Err(ImageError::UnknownPackage { .. } | ImageError::NoVersion { .. })
                    if name.starts_with("linux-base-") =>
                {
                    continue;
                }
                shown => shown?,
            };
            if found.iter().any(|other| other.id == package.id) {
                continue;
            }
            open.extend(package.kernel_dependencies());
            found.push(package);
        }
        found.retain(|package| !package.only_names_others());
        Ok(found)
    }

    /// The packages' files, from disk where they lie there whole. What is damaged is fetched once more.
    fn download(
        &self,
        state: &State,
        packages: &[Listed],
        tell: &mut dyn FnMut(Step),
    ) -> Result<Vec<PathBuf>, ImageError> {
        let folder = self.downloads();
        fs::create_dir_all(&folder).map_err(ImageError::disk("cannot make the folder for packages"))?;
        for _ in 0..2 {
            let missing = missing(&folder, packages)?;
            if missing.is_empty() {
                break;
            }
            tell(Step::Packages { names: missing.iter().map(|package| package.id.name.clone()).collect() });
            let mut command = state.command("apt-get");
            command.arg("download").args(missing.iter().map(|package| package.exact())).current_dir(&folder);
            let output = run(command, "apt-get", "packages")?;
            if !output.success() {
                return Err(state.unreachable("packages", &output));
            }
        }
        match missing(&folder, packages)?.first() {
            Some(package) => Err(ImageError::Corrupt { path: folder.join(package.file_name()) }),
            None => Ok(packages.iter().map(|package| folder.join(package.file_name())).collect()),
        }
    }

    /// What a recipe asks for, by the lists that there are.
    fn gather(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Supplies, ImageError> {
        let (kernel, mut packages) = match recipe.kernel.own {
            Some(_) => (None, Vec::new()),
            None => {
                let (kernel, packages) = self.gather_kernel(recipe, freshness, tell)?;
                (Some(kernel), packages)
            }
        };
        let state = self.open(&recipe.initramfs.release, recipe.mirror.as_ref(), freshness, tell)?;
        let program_packages = state.with_dependencies(&recipe.initramfs.packages)?;
        let mut programs = Files::new();
        for path in self.download(&state, &program_packages, tell)? {
            programs.extend(package::read(&path, |_| true)?);
            go_on()?;
        }
        packages.extend(program_packages.into_iter().map(|listed| listed.id));
        packages.sort();
        packages.dedup();
        Ok(Supplies { kernel, programs, packages })
    }

    /// The kernel that a recipe asks for, and all packages that it is split into.
    fn gather_kernel(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<(KernelSupply, Vec<PackageId>), ImageError> {
        let (state, first) = self.kernel(recipe, freshness, tell)?;
        let kernel_packages = self.kernel_packages(&state, first)?;
        let mut kernel_package = None;
        let mut kernel = Files::new();
        for (listed, path) in kernel_packages.iter().zip(self.download(&state, &kernel_packages, tell)?) {
            let files = package::read(&path, is_kernel_file)?;
            if files.keys().any(|path| kernel_release(path).is_some()) {
                kernel_package = Some(listed.id.clone());
            }
            kernel.extend(files);
            go_on()?;
        }
        let Some(kernel_package) = kernel_package else {
            return Err(ImageError::NoKernel {
                package: recipe.kernel.package.clone(),
                release: state.release,
            });
        };
        let packages = kernel_packages.into_iter().map(|listed| listed.id).collect();
        Ok((KernelSupply { package: kernel_package, files: kernel }, packages))
    }

    /// Fetches anew what lists of this recipe were there before this process and can have led to `error`; whether there were any.
    fn renew_lists(
        &self,
        recipe: &Recipe,
        error: &ImageError,
        tell: &mut dyn FnMut(Step),
    ) -> Result<bool, ImageError> {
        let mut any = false;
        for release in suspects(recipe, error) {
            let state = self.open(release, recipe.mirror.as_ref(), Freshness::AnyKnown, tell)?;
            let lists = self.current.borrow().get(&state.folder).copied();
            if lists == Some(Lists::Kept) {
                tell(Step::Renewal { release: release.to_owned() });
                state.renew()?;
                self.current.borrow_mut().insert(state.folder, Lists::New);
                any = true;
            }
        }
        Ok(any)
    }
}

impl Supply for Apt {
    fn supply(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Supplies, ImageError> {
        match self.gather(recipe, freshness, tell) {
            // Where the mirror cannot be reached the first error is the one to tell.
            Err(error) if error.may_come_of_damaged_lists() => match self.renew_lists(recipe, &error, tell) {
                Ok(true) => self.gather(recipe, freshness, tell),
                Err(ImageError::Interrupted) => Err(ImageError::Interrupted),
                Ok(false) | Err(_) => Err(error),
            },
            result => result,
        }
    }
}

/// Where an exact version is looked for.
fn releases(kernel: &KernelRecipe) -> impl Iterator<Item = &str> {
    std::iter::once(&kernel.release).chain(&kernel.also).map(String::as_str)
}

/// The releases of `recipe` whose lists can have led to `error`: the one that it names, or all.
fn suspects<'r>(recipe: &'r Recipe, error: &ImageError) -> Vec<&'r str> {
    let mut releases: Vec<&str> = match (&recipe.kernel.exact, &recipe.kernel.own) {
        (_, Some(_)) => Vec::new(),
        (Some(_), None) => releases(&recipe.kernel).collect(),
        (None, None) => vec![&recipe.kernel.release],
    };
    if !releases.contains(&recipe.initramfs.release.as_str()) {
        releases.push(&recipe.initramfs.release);
    }
    releases.retain(|release| error.release().is_none_or(|named| named == *release));
    releases
}

/// The packages that are not there whole; what lies there damaged is removed, because apt takes a file of the right size for a good one.
fn missing<'a>(folder: &Path, packages: &'a [Listed]) -> Result<Vec<&'a Listed>, ImageError> {
    let mut missing = Vec::new();
    for package in packages {
        let path = folder.join(package.file_name());
        if has_digest(&path, &package.id.sha256) {
            continue;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ImageError::disk("cannot remove a damaged package")(error));
            }
            _ => missing.push(package),
        }
    }
    Ok(missing)
}

fn is_kernel_file(path: &str) -> bool {
    kernel_release(path).is_some()
        || path.ends_with(".ko")
        || path.ends_with(".ko.xz")
        || path.ends_with("/modules.builtin")
        || config_release(path).is_some()
}

fn has_digest(path: &Path, sha256: &str) -> bool {
    let mut hasher = Sha256::new();
    fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hasher))
        .is_ok_and(|_| format!("{:x}", hasher.finalize()) == sha256)
}

fn codename(os_release: &str) -> &str {
    os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map_or("stable", |name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codenames() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n"), "bookworm");
        assert_eq!(codename("ID=other\n"), "stable");
    }

    /// A version that is gone in one release is no reason to fetch the lists of another: they are 10 MB and more.
    #[test]
    fn lists_of_the_release_that_an_error_names_are_suspected_alone() {
        let text = include_str!("../../../images/6.1.toml").replacen("bookworm", "bullseye", 1);
        let recipe = crate::image::recipe::parse("5.10", "5.10.toml", &text).unwrap();
        let gone = ImageError::NoVersion {
            package: "linux-image-cloud-amd64".to_owned(),
            version: "5.10.1-1".to_owned(),
            release: "bullseye".to_owned(),
            there: "5.10.223-1".to_owned(),
        };
        assert_eq!(suspects(&recipe, &gone), ["bullseye"]);
        let corrupt = ImageError::Corrupt { path: "p.deb".into() };
        assert_eq!(suspects(&recipe, &corrupt), ["bullseye", "bookworm"]);
    }

    #[test]
    fn a_recipes_own_mirror_replaces_the_hosts() {
        let folder = tempfile::tempdir().unwrap();
        let apt = Apt { etc_apt: folder.path().join("none"), ..Apt::new(folder.path()) };
        assert!(matches!(apt.sources("bookworm", None), Err(ImageError::NoArchive { .. })));
        let mirror = Mirror {
            uri: "http://m.test/debian".to_owned(),
            security_uri: Some("http://m.test/debian-security".to_owned()),
            signed_by: "/k.gpg".to_owned(),
        };
        let sources = apt.sources("bookworm", Some(&mirror)).unwrap();
        let suites: Vec<_> = sources.iter().flat_map(|source| source.suites.clone()).collect();
        assert_eq!(suites, ["bookworm", "bookworm-security"]);
        assert!(sources.iter().all(|source| source.signed_by.as_deref() == Some("/k.gpg")));
    }

    /// Package lists as they lie in a cache, of an archive that is out of reach.
    fn listed(root: &Path, releases: &[(&str, &[(&str, &str)])]) -> (Apt, Mirror) {
        let apt = Apt::new(root);
        let mirror = Mirror {
            uri: format!("file:{}/none/debian", root.display()),
            security_uri: None,
            signed_by: "/none.gpg".to_owned(),
        };
        for (release, packages) in releases {
            let (state, text) = apt.state(release, Some(&mirror)).unwrap();
            state.create(&text).unwrap();
            let stanzas: String = packages
                .iter()
                .map(|(name, version)| {
                    let file = "Filename: p.deb\nSize: 1\nSHA256: 00";
                    format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n{file}\n\n")
                })
                .collect();
            let archive = mirror.uri.trim_start_matches("file:").replace('/', "_");
            let name = format!("{archive}_dists_{release}_main_binary-amd64_Packages");
            fs::write(state.folder.join("lists").join(name), stanzas).unwrap();
        }
        (apt, mirror)
    }

    /// Only what configures an installation may be missing.
    #[test]
    fn an_old_split_kernel_is_whole_without_what_configures_it() {
        let folder = tempfile::tempdir().unwrap();
        let image = |part: &str| {
            format!("linux-image-1\nDepends: linux-{part}-1 (= 6.18.9-1), linux-modules-1 (= 6.18.9-1)")
        };
        for (part, whole) in [("base", true), ("binary", false)] {
            let image = image(part);
            let packages = [(image.as_str(), "6.18.9-1"), ("linux-modules-1", "6.18.9-1")];
            let (apt, mirror) = listed(&folder.path().join(part), &[("trixie", &packages)]);
            let (state, _) = apt.state("trixie", Some(&mirror)).unwrap();
            let found = apt.kernel_packages(&state, "linux-image-1=6.18.9-1".to_owned());
            assert_eq!(found.map(|packages| packages.len()).ok(), whole.then_some(1), "{part}");
        }
    }

    /// A word of the kernel axis finds the build that it means, in the first release that has it; where none has, what there is is told.
    #[test]
    fn an_exact_version_is_found_or_what_there_is_instead() {
        let folder = tempfile::tempdir().unwrap();
        let (apt, mirror) = listed(
            folder.path(),
            &[
                (
                    "bookworm-backports",
                    &[
                        ("linux-image-cloud-amd64", "6.12.95-1~bpo12+1"),
                        ("linux-image-6.12.95+deb12-cloud-amd64", "6.12.95-1~bpo12+1"),
                        ("linux-image-6.12.9+deb12-cloud-amd64", "6.12.9-1~bpo12+1"),
                        ("linux-image-6.12.96+deb12-rt-amd64", "6.12.96-1~bpo12+1"),
                    ],
                ),
                ("bookworm", &[("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1")]),
                ("trixie", &[("linux-image-6.12.118+deb13-cloud-amd64", "6.12.118-1")]),
            ],
        );
        let recipe = |word: &str| {
            let recipe = crate::image::Recipes::of("nowhere").load(word).unwrap();
            Recipe { mirror: Some(mirror.clone()), ..recipe }
        };
        let kernel = |word: &str| {
            let (state, name) = apt.kernel(&recipe(word), Freshness::AnyKnown, &mut |_| {})?;
            Ok::<_, ImageError>((state.release, name))
        };
        for (word, release, name) in [
            ("6.12", "bookworm-backports", "linux-image-cloud-amd64"),
            ("6.12.9", "bookworm-backports", "linux-image-6.12.9+deb12-cloud-amd64=6.12.9-1~bpo12+1"),
            ("6.12.118", "trixie", "linux-image-6.12.118+deb13-cloud-amd64=6.12.118-1"),
            ("6.1.176-1", "bookworm", "linux-image-6.1.0-50-cloud-amd64=6.1.176-1"),
        ] {
            assert_eq!(kernel(word).unwrap(), (release.to_owned(), name.to_owned()), "{word}");
        }
        let error = kernel("6.12.96").unwrap_err();
        assert!(error.is_gone() && error.blames_input(), "{error:?}");
        assert_eq!(
            error.to_string(),
            "bookworm-backports, bookworm, trixie: no kernel 6.12.96 of the flavour of linux-image-cloud-amd64; of 6.12 there is \
             6.12.118+deb13 (6.12.118-1), 6.12.95+deb12 (6.12.95-1~bpo12+1), 6.12.9+deb12 (6.12.9-1~bpo12+1)"
        );
        let known: Vec<String> =
            apt.known(&recipe("6.1")).unwrap().iter().map(KernelBuild::to_string).collect();
        assert_eq!(known, ["6.1.0-50 (6.1.176-1)"]);
        assert_eq!(apt.known(&recipe("5.10")).unwrap(), [], "nothing is fetched for it");
    }
}
