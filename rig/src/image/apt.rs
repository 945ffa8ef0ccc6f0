//! Packages through apt, with a state directory of its own: signatures are checked, the host's package state stays untouched.
//!
//! Lists of each release lie in a folder of their own, so that no pinning is needed: the newest version of that release is taken.
//! Must not know what an image is. Units: seconds in deadlines.
//! Errors: `ImageError`; they blame the mirror, the recipe's names or the host's tools. Reference: apt.conf(5), apt-get(8), apt-cache(8).
//! Tests: the parsers below; the whole against a mirror in `tests/qemu.rs`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::error::ImageError;
use super::package::{self, Files};
use super::recipe::{KernelRecipe, Mirror, Recipe};
use super::sources::{self, Source};
use super::supply::{Freshness, PackageId, Step, Supplies, Supply};
use crate::document::did_you_mean;

/// The guests' architecture, as Debian calls it.
const ARCHITECTURE: &str = "amd64";

/// For one run of apt. Lists are 10 MB and packages 60 MB: minutes only on a slow line.
const DEADLINE: Duration = Duration::from_secs(600);

/// For the apt of a rig that was killed to end by itself.
const ORPHAN_DEADLINE: Duration = Duration::from_secs(60);

/// Fetches through the host's apt.
#[derive(Debug)]
pub struct Apt {
    /// Of the cache.
    root: PathBuf,
    /// `/etc/apt`
    etc_apt: PathBuf,
    /// `/etc/os-release`
    os_release: PathBuf,
    /// State folders whose lists were fetched by this process: two recipes share a release.
    current: RefCell<BTreeSet<PathBuf>>,
}

/// One package, as the lists have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    id: PackageId,
    architecture: String,
    depends: String,
}

impl Listed {
    /// As apt-get names the download (apt-pkg: the epoch's colon is quoted).
    fn file_name(&self) -> String {
        format!("{}_{}_{}.deb", self.id.name, self.id.version.replace(':', "%3a"), self.architecture)
    }

    fn exact(&self) -> String {
        format!("{}={}", self.id.name, self.id.version)
    }
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
        let sources = self.sources(release, mirror)?;
        let text = sources::render_deb822(&sources, ARCHITECTURE);
        let folder = self.root.join("apt").join(format!("{release}-{:.8x}", Sha256::digest(&text)));
        let state = State { folder, release: release.to_owned() };
        state.create(&text).map_err(ImageError::disk("cannot write apt's private state"))?;
        if self.current.borrow().contains(&state.folder) {
            return Ok(state);
        }
        tell(Step::Lists { release: release.to_owned() });
        match state.update() {
            Ok(()) => {}
            Err(ImageError::Mirror { said, .. }) if freshness == Freshness::AnyKnown && state.has_lists() => {
                tell(Step::OldLists { release: release.to_owned(), reason: said });
            }
            Err(error) => return Err(error),
        }
        self.current.borrow_mut().insert(state.folder.clone());
        Ok(state)
    }

    /// Whether the mirror that `recipe`'s kernel comes from answers: fetches the small signed index of its release, as apt does.
    /// Gives the release.
    pub fn probe(&self, recipe: &Recipe) -> Result<String, ImageError> {
        let release = recipe.kernel.release.clone();
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
        if output.success { Ok(release) } else { Err(state.unreachable("the index", &output)) }
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

    /// The kernel package that `recipe` means, with the packages of the same source that it is split into.
    fn kernel_packages(&self, state: &State, recipe: &KernelRecipe) -> Result<Vec<Listed>, ImageError> {
        let first = match &recipe.version {
            Some(version) => format!("{}={version}", recipe.package),
            None => recipe.package.clone(),
        };
        let mut found: Vec<Listed> = Vec::new();
        let mut open = vec![first];
        while let Some(name) = open.pop() {
            let package = state.show(&name)?;
            if found.iter().any(|other| other.id == package.id) {
                continue;
            }
            open.extend(exact_kernel_dependencies(&package.depends));
            found.push(package);
        }
        Ok(found)
    }

    /// The packages' files, from disk where they lie there already.
    fn download(
        &self,
        state: &State,
        packages: &[Listed],
        tell: &mut dyn FnMut(Step),
    ) -> Result<Vec<PathBuf>, ImageError> {
        let folder = self.downloads();
        fs::create_dir_all(&folder).map_err(ImageError::disk("cannot make the folder for packages"))?;
        let missing: Vec<&Listed> = packages
            .iter()
            .filter(|package| !has_digest(&folder.join(package.file_name()), &package.id.sha256))
            .collect();
        if !missing.is_empty() {
            tell(Step::Packages { names: missing.iter().map(|package| package.id.name.clone()).collect() });
            let mut command = state.command("apt-get");
            command.arg("download").args(missing.iter().map(|package| package.exact())).current_dir(&folder);
            let output = run(command, "apt-get", "packages")?;
            if !output.success {
                return Err(state.unreachable("packages", &output));
            }
        }
        let mut files = Vec::new();
        for package in packages {
            let path = folder.join(package.file_name());
            if !has_digest(&path, &package.id.sha256) {
                // It must not be taken for a good one by whoever looks at names only.
                let _ = fs::remove_file(&path);
                return Err(ImageError::Corrupt { path });
            }
            files.push(path);
        }
        Ok(files)
    }
}

impl Supply for Apt {
    fn supply(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Supplies, ImageError> {
        let mirror = recipe.mirror.as_ref();
        let state = self.open(&recipe.kernel.release, mirror, freshness, tell)?;
        let kernel_packages = self.kernel_packages(&state, &recipe.kernel)?;
        let mut kernel_package = None;
        let mut kernel = Files::new();
        for (listed, path) in kernel_packages.iter().zip(self.download(&state, &kernel_packages, tell)?) {
            let files = package::read(&path, is_kernel_file)?;
            if files.keys().any(|path| path.starts_with("boot/vmlinuz-")) {
                kernel_package = Some(listed.id.clone());
            }
            kernel.extend(files);
        }
        let Some(kernel_package) = kernel_package else {
            return Err(ImageError::NoKernel {
                package: recipe.kernel.package.clone(),
                release: recipe.kernel.release.clone(),
            });
        };
        let state = self.open(&recipe.initramfs.release, mirror, freshness, tell)?;
        let program_packages = state.with_dependencies(&recipe.initramfs.packages)?;
        let mut programs = Files::new();
        for path in self.download(&state, &program_packages, tell)? {
            programs.extend(package::read(&path, |_| true)?);
        }
        let mut packages: Vec<PackageId> =
            kernel_packages.into_iter().chain(program_packages).map(|listed| listed.id).collect();
        packages.sort();
        packages.dedup();
        Ok(Supplies { kernel_package, kernel, programs, packages })
    }
}

fn is_kernel_file(path: &str) -> bool {
    path.starts_with("boot/vmlinuz-")
        || path.ends_with(".ko")
        || path.ends_with(".ko.xz")
        || path.ends_with("/modules.builtin")
}

/// apt's files of one release.
#[derive(Debug)]
struct State {
    folder: PathBuf,
    release: String,
}

impl State {
    fn create(&self, sources: &str) -> std::io::Result<()> {
        for folder in ["lists/partial", "cache/archives/partial", "sources"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        fs::write(self.folder.join("status"), "")?;
        fs::write(self.folder.join("apt.conf"), self.configuration())?;
        fs::write(self.folder.join("sources/debian.sources"), sources)
    }

    fn has_lists(&self) -> bool {
        fs::read_dir(self.folder.join("lists")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        })
    }

    /// A run of an apt tool that reads and writes below our folder alone. The host's proxy and certificate settings stay in force.
    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        command.arg("-c").arg(self.folder.join("apt.conf"));
        command
    }

    /// apt.conf(5)
    fn configuration(&self) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let settings = [
            ("Dir::State", at("")),
            ("Dir::State::lists", at("lists")),
            ("Dir::State::status", at("status")),
            ("Dir::Cache", at("cache")),
            ("Dir::Cache::archives", at("cache/archives")),
            // Some hosts switch these caches off; without them every look-up reads all lists.
            ("Dir::Cache::pkgcache", "pkgcache.bin".to_owned()),
            ("Dir::Cache::srcpkgcache", String::new()),
            ("Dir::Etc::sourcelist", "/dev/null".to_owned()),
            ("Dir::Etc::sourceparts", at("sources")),
            ("Dir::Etc::preferences", "/dev/null".to_owned()),
            ("Dir::Etc::preferencesparts", "/dev/null".to_owned()),
            ("APT::Architecture", ARCHITECTURE.to_owned()),
            ("APT::Default-Release", String::new()),
            ("APT::Get::AllowUnauthenticated", "false".to_owned()),
            ("Acquire::AllowInsecureRepositories", "false".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::Retries", "2".to_owned()),
            ("Acquire::http::Timeout", "20".to_owned()),
            ("Acquire::https::Timeout", "20".to_owned()),
            // A list that is missing is an error, not a warning: half a release would resolve to wrong versions.
            ("APT::Update::Error-Mode", "any".to_owned()),
        ];
        // The host's hooks are about the host's own lists and archives.
        let hooks = ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"];
        let cleared = hooks.iter().map(|hook| format!("#clear APT::Update::{hook};\n"));
        let set = settings.iter().map(|(key, value)| format!("{key} \"{value}\";\n"));
        cleared.chain(set).collect()
    }

    fn update(&self) -> Result<(), ImageError> {
        let started = Instant::now();
        loop {
            let mut command = self.command("apt-get");
            command.arg("update");
            let output = run(command, "apt-get", "package lists")?;
            if output.success {
                return Ok(());
            }
            // The apt of a rig that was killed goes on for a while. (A parent-death signal does not reach it: apt changes its
            // credentials, which clears the signal; prctl(2).)
            if !output.stderr.contains("Could not get lock") || started.elapsed() > ORPHAN_DEADLINE {
                return Err(self.unreachable("package lists", &output));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn unreachable(&self, what: &str, output: &Output) -> ImageError {
        ImageError::mirror(what, &self.release, complaint(&output.stderr))
    }

    /// The newest version of `package` (`name` or `name=version`).
    fn show(&self, package: &str) -> Result<Listed, ImageError> {
        let mut command = self.command("apt-cache");
        command.args(["show", "--no-all-versions", package]);
        let output = run(command, "apt-cache", package)?;
        match parse_show(&output.stdout).into_iter().next() {
            Some(listed) => Ok(listed),
            None => Err(self.unknown(package)),
        }
    }

    fn unknown(&self, package: &str) -> ImageError {
        let name = package.split('=').next().unwrap_or(package);
        let mut command = self.command("apt-cache");
        command.arg("pkgnames");
        let names =
            run(command, "apt-cache", "package names").map(|output| output.stdout).unwrap_or_default();
        let help = if names.lines().any(|known| known == name) && name != package {
            format!("{name} has another version there: leave `version` out to take the newest")
        } else {
            did_you_mean(name, names.lines())
                .unwrap_or_else(|| "look for it with `apt-cache search`".to_owned())
        };
        ImageError::UnknownPackage { package: package.to_owned(), release: self.release.clone(), help }
    }

    /// `names` and everything that they depend on.
    fn with_dependencies(&self, names: &[String]) -> Result<Vec<Listed>, ImageError> {
        for name in names {
            self.show(name)?;
        }
        let mut command = self.command("apt-cache");
        command.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"]);
        command.args(["--no-breaks", "--no-replaces", "--no-enhances"]).args(names);
        let all = parse_depends(&run(command, "apt-cache", "dependencies")?.stdout);
        let mut command = self.command("apt-cache");
        command.args(["show", "--no-all-versions"]).args(&all);
        let mut listed = parse_show(&run(command, "apt-cache", "dependencies")?.stdout);
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        listed.dedup();
        Ok(listed)
    }
}

#[derive(Debug)]
struct Output {
    success: bool,
    stdout: String,
    stderr: String,
}

/// Runs a tool to its end or to the deadline. Its output goes to files: no pipe that could fill up.
fn run(mut command: Command, tool: &str, what: &str) -> Result<Output, ImageError> {
    let failed = |source| ImageError::Tool { tool: tool.to_owned(), source };
    let (mut stdout, mut stderr) =
        (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    command.stdin(Stdio::null());
    command.stdout(stdout.try_clone().map_err(failed)?).stderr(stderr.try_clone().map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if started.elapsed() > DEADLINE {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            return Err(ImageError::Deadline {
                tool: tool.to_owned(),
                what: what.to_owned(),
                seconds: DEADLINE.as_secs(),
            });
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(failed)?;
        Ok::<_, ImageError>(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Output { success: status.success(), stdout: text(&mut stdout)?, stderr: text(&mut stderr)? })
}

/// What apt complains of: its error lines, without the repetition.
fn complaint(stderr: &str) -> String {
    let mut lines: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("E: ").or_else(|| line.strip_prefix("W: ")))
        .filter(|line| !line.contains("have been ignored, or old ones used"))
        .collect();
    lines.dedup();
    if lines.is_empty() { stderr.trim().to_owned() } else { lines.join("; ") }
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

/// How many packages and exact dependencies a text names that is read as what apt-cache shows: all that is read of it, without apt.
pub fn count_listed(text: &str) -> usize {
    let shown = parse_show(text);
    let depends: usize = shown.iter().map(|listed| exact_kernel_dependencies(&listed.depends).len()).sum();
    shown.len() + depends + parse_depends(text).len()
}

/// The stanzas of `apt-cache show`.
fn parse_show(text: &str) -> Vec<Listed> {
    text.split("\n\n")
        .filter_map(|stanza| {
            let field = |name: &str| {
                stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
            };
            let id =
                PackageId { name: field("Package")?, version: field("Version")?, sha256: field("SHA256")? };
            Some(Listed {
                id,
                architecture: field("Architecture")?,
                depends: field("Depends").unwrap_or_default(),
            })
        })
        .collect()
}

/// The package names of `apt-cache depends --recurse`: those at the line's start. `<name>` is a virtual one, `name:arch` foreign.
fn parse_depends(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with([' ', '|', '<']) && !line.is_empty() && !line.contains(':'))
        .map(str::to_owned)
        .collect()
}

/// `linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)` and the like: what a meta package stands for, or a kernel is split into.
fn exact_kernel_dependencies(depends: &str) -> Vec<String> {
    depends
        .split(',')
        .filter_map(|dependency| {
            let (name, rest) = dependency.trim().split_once(" (= ")?;
            let version = rest.strip_suffix(')')?;
            name.starts_with("linux-").then(|| format!("{name}={version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_apt_cache_shows() {
        let text = "Package: linux-image-cloud-amd64\nSource: linux-signed-amd64 (6.1.176+1)\nVersion: 6.1.176-1\n\
                    Architecture: amd64\nDepends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)\nDescription: Linux\n text\n\
                    SHA256: 6f32\n\nPackage: busybox-static\nVersion: 1:1.35.0-4\nArchitecture: amd64\nSHA256: 3d3f\n\n";
        let listed = parse_show(text);
        assert_eq!(listed.len(), 2);
        assert_eq!(
            exact_kernel_dependencies(&listed[0].depends),
            ["linux-image-6.1.0-50-cloud-amd64=6.1.176-1"]
        );
        assert_eq!(listed[1].file_name(), "busybox-static_1%3a1.35.0-4_amd64.deb");
        assert_eq!(listed[1].exact(), "busybox-static=1:1.35.0-4");
        assert_eq!(listed[1].depends, "");
        assert_eq!(
            exact_kernel_dependencies("kmod, linux-base (>= 4.3), initramfs-tools | linux-initramfs-tool"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn reads_what_apt_cache_depends_prints() {
        let text = "dropbear-bin\n  Depends: libc6\n |Depends: debconf\n    cdebconf\n<debconf-2.0>\nlibc6\nlibc6:i386\n";
        assert_eq!(parse_depends(text), ["dropbear-bin", "libc6"]);
    }

    #[test]
    fn complaints_are_short() {
        let text = "W: Failed to fetch http://m.test/InRelease  Unable to connect\n\
                    E: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        assert_eq!(complaint(text), "Failed to fetch http://m.test/InRelease  Unable to connect");
        assert_eq!(complaint("odd\n"), "odd");
    }

    #[test]
    fn codenames() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n"), "bookworm");
        assert_eq!(codename("ID=other\n"), "stable");
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
}
