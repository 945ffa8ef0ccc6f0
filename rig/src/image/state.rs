//! apt with a state folder of its own, one per release: its configuration, its package lists, and what they say.
//!
//! Must not know recipes or images. Units: seconds in deadlines.
//! Errors: `ImageError`; they blame the mirror, names that no list has, or the host's tools. Reference: apt.conf(5), apt-get(8), apt-cache(8).
//! Tests: below; `listed.rs` (what is printed), `tests/qemu.rs` (the whole against a mirror).

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use fs_err as fs;

use super::error::{ImageError, is_full};
use super::exact::{self, KernelBuild};
use super::listed::{Listed, parse_depends, parse_madison, parse_show, parse_versions};
use super::tool::{Output, run};
use crate::document::hint;
use crate::process;

/// The guests' architecture, as Debian calls it.
pub(super) const ARCHITECTURE: &str = "amd64";

/// For the apt of a rig that was killed to end: at once where it had a namespace of its own, else after its own timeouts.
const ORPHAN_DEADLINE: Duration = Duration::from_secs(60);

/// apt's files of one release.
#[derive(Debug)]
pub(super) struct State {
    pub(super) folder: PathBuf,
    pub(super) release: String,
}

impl State {
    pub(super) fn create(&self, sources: &str) -> std::io::Result<()> {
        for folder in ["lists/partial", "cache/archives/partial", "sources"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        fs::write(self.folder.join("status"), "")?;
        fs::write(self.folder.join("apt.conf"), self.configuration())?;
        fs::write(self.folder.join("sources/debian.sources"), sources)
    }

    pub(super) fn has_lists(&self) -> bool {
        fs::read_dir(self.folder.join("lists")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        })
    }

    /// A run of an apt tool that reads and writes below our folder alone. The host's proxy and certificate settings stay in force.
    pub(super) fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(process::program_file(tool));
        command
            .env("PATH", process::complete_path())
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
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

    pub(super) fn update(&self) -> Result<(), ImageError> {
        let started = Instant::now();
        loop {
            let mut command = self.command("apt-get");
            command.arg("update");
            let output = run(command, "apt-get", "package lists")?;
            if output.success() {
                return Ok(());
            }
            if !output.complaint().contains("Could not get lock") || started.elapsed() > ORPHAN_DEADLINE {
                return Err(self.unreachable("package lists", &output));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub(super) fn unreachable(&self, what: &str, output: &Output) -> ImageError {
        ImageError::mirror(what, &self.release, output.complaint())
    }

    /// Fetches the lists anew, whatever lies there: apt takes what it has for good. The old ones come back where that fails.
    pub(super) fn renew(&self) -> Result<(), ImageError> {
        let (lists, aside) = (self.folder.join("lists"), self.folder.join("lists.old"));
        let failed = || ImageError::disk("cannot put apt's old package lists aside");
        remove(&aside).map_err(failed())?;
        fs::rename(&lists, &aside).map_err(failed())?;
        let renewed =
            fs::create_dir_all(lists.join("partial")).map_err(failed()).and_then(|()| self.update());
        // What apt made of the old ones.
        let _ = fs::remove_file(self.folder.join("cache/pkgcache.bin"));
        if renewed.is_ok() {
            remove(&aside).map_err(failed())?;
        } else {
            remove(&lists).and_then(|()| fs::rename(&aside, &lists)).map_err(failed())?;
        }
        renewed
    }

    /// What one of apt's tools prints; lists that it cannot read are told.
    fn ask(&self, arguments: &[&str], what: &str) -> Result<String, ImageError> {
        let mut command = self.command("apt-cache");
        command.args(arguments);
        let output = run(command, "apt-cache", what)?;
        let said = output.complaint();
        // apt-cache ends with 100 for an unknown name too.
        let unreadable = ["pars", "MergeList", "could not be opened", "read error", "lz4", "index file"];
        if !output.success() && unreadable.iter().any(|word| said.contains(word)) {
            return Err(match is_full(&said) {
                true => ImageError::mirror(what, &self.release, said),
                false => ImageError::Lists { release: self.release.clone(), said },
            });
        }
        Ok(output.stdout)
    }

    /// The newest version of `package` (`name` or `name=version`).
    pub(super) fn show(&self, package: &str) -> Result<Listed, ImageError> {
        let printed = self.ask(&["show", "--no-all-versions", package], package)?;
        match parse_show(&printed).into_iter().next() {
            Some(listed) => Ok(listed),
            None => Err(self.unknown(package)?),
        }
    }

    /// The kernels of the flavour of `package`, newest first.
    pub(super) fn kernels(&self, package: &str) -> Result<Vec<KernelBuild>, ImageError> {
        let Some(flavour) = exact::flavour(package) else { return Ok(Vec::new()) };
        let names = self.ask(&["pkgnames", "linux-image-"], "kernel packages")?;
        let names = names.lines().filter(|name| KernelBuild::of(name, "", flavour).is_some());
        let arguments: Vec<&str> = std::iter::once("madison").chain(names).collect();
        if arguments.len() == 1 {
            return Ok(Vec::new());
        }
        let listed = self.ask(&arguments, "kernel packages")?;
        let mut builds: Vec<KernelBuild> = parse_madison(&listed)
            .filter_map(|(name, version)| KernelBuild::of(name, version, flavour))
            .collect();
        exact::sort(&mut builds);
        Ok(builds)
    }

    fn unknown(&self, package: &str) -> Result<ImageError, ImageError> {
        let release = self.release.clone();
        if let Some((name, version)) = package.split_once('=') {
            let there = parse_versions(&self.ask(&["madison", name], name)?);
            if !there.is_empty() {
                let (package, version) = (name.to_owned(), version.to_owned());
                return Ok(ImageError::NoVersion { package, version, release, there: there.join(", ") });
            }
        }
        let name = package.split('=').next().unwrap_or(package);
        let names = self.ask(&["pkgnames"], "package names")?;
        let help = names_like(name, names.lines());
        Ok(ImageError::UnknownPackage { package: package.to_owned(), release, help })
    }

    /// `names` and everything that they depend on.
    pub(super) fn with_dependencies(&self, names: &[String]) -> Result<Vec<Listed>, ImageError> {
        for name in names {
            self.show(name)?;
        }
        let mut depends = vec!["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"];
        depends.extend(["--no-breaks", "--no-replaces", "--no-enhances"]);
        depends.extend(names.iter().map(String::as_str));
        let all = parse_depends(&self.ask(&depends, "dependencies")?);
        let mut show = vec!["show", "--no-all-versions"];
        show.extend(all.iter().map(String::as_str));
        let mut listed = parse_show(&self.ask(&show, "dependencies")?);
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        listed.dedup();
        Ok(listed)
    }
}

/// The hint for a package that a release lacks. A release has 60,000 names: those count that begin or end as this one does.
fn names_like<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let letters: Vec<char> = name.chars().collect();
    let first: String = letters.iter().take(3).collect();
    let last: String = letters[letters.len().saturating_sub(4)..].iter().collect();
    let mut like: Vec<&str> =
        names.filter(|known| known.starts_with(&first) || known.ends_with(&last)).collect();
    like.sort_unstable();
    match like.is_empty() {
        true => "no package there has a similar name: look for it with `apt-cache search`".to_owned(),
        false => hint(name, like, "names like it"),
    }
}

fn remove(folder: &std::path::Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under cron's PATH, too, apt's tools are found, and they find theirs.
    #[test]
    fn tools_are_started_by_their_files_with_a_complete_path() {
        let state = State { folder: "/nowhere".into(), release: "bookworm".to_owned() };
        let command = state.command("sh");
        assert!(std::path::Path::new(command.get_program()).is_absolute(), "{command:?}");
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        assert_eq!(path, Some(process::complete_path().as_os_str()));
    }

    #[test]
    fn a_wrong_package_gets_the_names_like_it_out_of_very_many() {
        let many: Vec<String> = (0..60_000).map(|n| format!("other-{n}")).collect();
        let there = ["linux-image-cloud-amd64", "linux-image-amd64", "busybox-static", "zstd"];
        let names = || many.iter().map(String::as_str).chain(there);
        assert_eq!(
            names_like("linux-image-clod-amd64", names()),
            "did you mean `linux-image-cloud-amd64`?\nnames like it: `linux-image-amd64`, `linux-image-cloud-amd64`"
        );
        assert_eq!(
            names_like("bsybox-static", names()),
            "did you mean `busybox-static`?\nnames like it: `busybox-static`"
        );
        assert!(names_like("qqqqqq", names()).contains("apt-cache search"));
        assert!(names_like("🦀", names()).contains("apt-cache search"));
    }
}
