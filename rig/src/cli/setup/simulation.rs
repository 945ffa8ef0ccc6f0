//! What apt says of an installation that it only plays through: what would come, go, and be put back to an older version.
//!
//! Pure: apt's words in (with `LC_ALL=C`), plain data out. Must not run apt, nor decide what is allowed. Units: bytes.
//! Sources: apt-get(8), `--simulate` and `--print-uris`; apt-cache(8), `policy`. Errors: none: a line that means nothing here is passed over.
//! Tests: below, on recorded output.

use std::collections::BTreeSet;

/// A package that would be installed, or get another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coming {
    pub(super) name: String,
    /// The version that is installed now.
    pub(super) now: Option<String>,
    pub(super) version: String,
}

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) name: String,
    pub(super) version: String,
}

/// What an installation would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Simulation {
    pub(super) coming: Vec<Coming>,
    pub(super) going: Vec<Installed>,
    /// Names of those that would get an older version.
    pub(super) back: BTreeSet<String>,
}

/// The section of apt's summary that names them.
const BACK: &str = "The following packages will be DOWNGRADED:";

/// What stands before the packages whose demands contradict each other.
const UNMET: &str = "The following packages have unmet dependencies:";

impl Simulation {
    pub(super) fn parse(said: &str) -> Self {
        let mut found = Self { back: section(said, BACK).map(str::to_owned).collect(), ..Self::default() };
        for line in said.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("Inst"), Some(name)) => found.coming.extend(coming(name, words)),
                (Some("Remv"), Some(name)) => {
                    let version = words.next().map_or("", bare).to_owned();
                    found.going.push(Installed { name: name.to_owned(), version });
                }
                _ => {}
            }
        }
        found
    }

    /// What is installed and would not stay as it is, or newer.
    pub(super) fn harmed(&self) -> Vec<Installed> {
        let back = self
            .coming
            .iter()
            .filter(|one| self.back.contains(&one.name))
            .map(|one| Installed { name: one.name.clone(), version: one.now.clone().unwrap_or_default() });
        self.going.iter().cloned().chain(back).collect()
    }
}

/// `NAME [NOW] (VERSION ORIGIN [ARCHITECTURE])`, without the name.
fn coming<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<Coming> {
    let mut words = words.peekable();
    let now = words.next_if(|word| word.starts_with('[')).map(|word| bare(word).to_owned());
    let version = words.next()?.strip_prefix('(')?.to_owned();
    Some(Coming { name: name.to_owned(), now, version })
}

fn bare(word: &str) -> &str {
    word.trim_start_matches('[').trim_end_matches(']')
}

/// The names under a heading: the words of the indented lines after it.
fn section<'a>(said: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    said.lines()
        .skip_while(move |line| *line != heading)
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(str::split_whitespace)
}

/// The packages that apt names where it finds no installation that pleases all: ` NAME : Breaks: ...`.
pub(super) fn contradicting(said: &str) -> Vec<String> {
    let lines =
        said.lines().skip_while(|line| *line != UNMET).skip(1).take_while(|line| line.starts_with(' '));
    lines.filter_map(|line| line.split_once(" : ")).map(|(name, _)| name.trim().to_owned()).collect()
}

/// What apt says is wrong, in its own words.
pub(super) fn complaint(said: &str) -> String {
    let unmet =
        said.lines().skip_while(|line| *line != UNMET).skip(1).take_while(|line| line.starts_with(' '));
    let errors = said.lines().filter_map(|line| line.strip_prefix("E: "));
    let words: Vec<&str> = unmet.chain(errors).map(str::trim).collect();
    if words.is_empty() { said.trim().to_owned() } else { words.join("; ") }
}

/// What is installed of a package, and the releases that have just this version: from `apt-cache policy NAME`.
pub(super) fn installed(policy: &str) -> Option<(String, Vec<String>)> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Installed: "))?.trim();
    if version == "(none)" {
        return None;
    }
    // `*** VERSION PRIORITY`, and below it `PRIORITY URI RELEASE/COMPONENT ARCHITECTURE Packages` or dpkg's own file.
    let sources = policy.lines().skip_while(|line| !line.trim_start().starts_with("*** ")).skip(1);
    let sources = sources.map_while(|line| line.strip_prefix("        "));
    let releases = sources.filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, _, place, _, "Packages"] => place.split_once('/').map(|(release, _)| release.to_owned()),
            _ => None,
        }
    });
    Some((version.to_owned(), releases.collect()))
}

/// How much would be fetched: `'URI' FILE BYTES HASH` per package.
pub(super) fn fetched_bytes(uris: &str) -> u64 {
    uris.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// apt 2.6 of Debian 12, where `qemu-utils` is of the backports.
    const REMOVES: &str = "\
Reading package lists...
The following additional packages will be installed:
  qemu-system-common qemu-system-data
The following packages will be REMOVED:
  qemu-utils
The following NEW packages will be installed:
  qemu-system-common qemu-system-data qemu-system-x86
0 upgraded, 3 newly installed, 1 to remove and 102 not upgraded.
Remv qemu-utils [1:10.0.2+ds-2+deb13u1~bpo12+1]
Inst qemu-system-common (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
Inst qemu-system-data (1:7.2+dfsg-7+deb12u18 Debian:12.15/oldstable [all])
Inst qemu-system-x86 (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
Conf qemu-system-common (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
";

    /// The same with the lists of the backports.
    const CONTRADICTS: &str = "\
Some packages could not be installed. This may mean that you have
requested an impossible situation.

The following packages have unmet dependencies:
 qemu-utils : Breaks: qemu-system-common (< 1:8.0+dfsg-5~) but 1:7.2+dfsg-7+deb12u18+b3 is to be installed
              Recommends: qemu-block-extra (= 1:10.0.2+ds-2+deb13u1~bpo12+1)
E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.
";

    const DOWNGRADES: &str = "\
The following packages will be DOWNGRADED:
  qemu-utils
0 upgraded, 0 newly installed, 1 downgraded, 0 to remove and 104 not upgraded.
Inst qemu-utils [1:10.0.2+ds-2+deb13u1~bpo12+1] (1:7.2+dfsg-7+deb12u18+b3 Debian:12.15/oldstable [amd64])
";

    const UPGRADES: &str = "\
The following packages will be upgraded:
  seabios
Inst seabios [1.16.2-1] (1.16.3-2~bpo12+1 Debian Backports:oldstable-backports [all])
Inst libx:i386 (1.0-1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [i386]) []
";

    const POLICY: &str = "\
qemu-utils:
  Installed: 1:10.0.2+ds-2+deb13u1~bpo12+1
  Candidate: 1:10.0.2+ds-2+deb13u1~bpo12+1
  Version table:
 *** 1:10.0.2+ds-2+deb13u1~bpo12+1 100
        100 http://archive.invalid/debian bookworm-backports/main amd64 Packages
        100 /var/lib/dpkg/status
     1:7.2+dfsg-7+deb12u18+b3 500
        500 http://archive.invalid/debian bookworm/main amd64 Packages
";

    fn bpo() -> Installed {
        Installed { name: "qemu-utils".to_owned(), version: "1:10.0.2+ds-2+deb13u1~bpo12+1".to_owned() }
    }

    #[test]
    fn what_goes_is_named_with_its_version() {
        let found = Simulation::parse(REMOVES);
        assert_eq!((found.harmed(), found.coming.len()), (vec![bpo()], 3));
        let last = found.coming.last().unwrap();
        assert_eq!((last.name.as_str(), &last.now), ("qemu-system-x86", &None));
        assert_eq!(last.version, "1:7.2+dfsg-7+deb12u18+b3");
    }

    #[test]
    fn an_older_version_is_harm_and_a_newer_one_is_not() {
        assert_eq!(Simulation::parse(DOWNGRADES).harmed(), [bpo()]);
        let found = Simulation::parse(UPGRADES);
        assert_eq!(found.harmed(), []);
        let versions: Vec<_> = found.coming.iter().map(|one| (one.now.as_deref(), &*one.version)).collect();
        assert_eq!(versions, [(Some("1.16.2-1"), "1.16.3-2~bpo12+1"), (None, "1.0-1")]);
        assert_eq!(Simulation::parse("E: Unable to locate package x\n"), Simulation::default());
    }

    #[test]
    fn what_contradicts_is_named_and_told() {
        assert_eq!(contradicting(CONTRADICTS), ["qemu-utils"]);
        let told = complaint(CONTRADICTS);
        assert!(
            told.starts_with("qemu-utils : Breaks: qemu-system-common") && told.contains("generated breaks")
        );
        assert!(contradicting(REMOVES).is_empty());
        assert_eq!(complaint("E: Unable to locate package x\n"), "Unable to locate package x");
    }

    #[test]
    fn a_version_has_the_releases_of_its_sources() {
        let (version, releases) = installed(POLICY).unwrap();
        assert_eq!((version, releases), (bpo().version, vec!["bookworm-backports".to_owned()]));
        let gone = POLICY.replace(
            "        100 http://archive.invalid/debian bookworm-backports/main amd64 Packages\n",
            "",
        );
        assert_eq!(installed(&gone), Some((bpo().version, vec![])));
        assert_eq!(installed("qemu-utils:\n  Installed: (none)\n  Candidate: 1\n"), None);
        assert_eq!(installed(""), None);
    }

    #[test]
    fn bytes_are_summed() {
        let uris =
            "'http://archive.invalid/a_1.deb' a_1.deb 100 SHA256:00\n'http://archive.invalid/b' b 23 \n";
        assert_eq!(fetched_bytes(uris), 123);
        assert_eq!(fetched_bytes("Reading package lists...\n"), 0);
    }
}
