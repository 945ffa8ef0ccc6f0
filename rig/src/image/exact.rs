//! Exact versions of kernels: the words for one, and which build of Debian's a word means.
//!
//! Debian names a kernel in three ways: `6.12.95+deb12` (what `uname -r` begins with, part of the package's name), `6.12.95-1~bpo12+1` (the version of
//! the package) and `6.12.95` (upstream's). Any of them is a value of the matrix's kernel axis. Pure.
//! Must not know apt or recipes. Units: none. Errors: none: what is no exact version is none.
//! Reference: deb-version(7). Tests: below.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Peekable;
use std::str::Bytes;

use serde::{Deserialize, Serialize};

/// What Debian's kernel packages begin with.
const PREFIX: &str = "linux-image-";

/// A version that is meant exactly: `6.1.0-50`, `6.12.95`, `6.1.176-1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Exact(String);

impl Exact {
    /// A word of three numbers and more.
    pub fn parse(word: &str) -> Option<Self> {
        let numbers = word.splitn(3, '.').filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        let fits = word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.~".contains(c));
        (numbers.count() == 3 && series(word).is_some() && fits).then(|| Self(word.to_owned()))
    }

    /// `6.12` of `6.12.95`.
    pub fn series(&self) -> &str {
        series(&self.0).expect("checked by `parse`")
    }

    /// Whether `build` is meant.
    pub(super) fn means(&self, build: &KernelBuild) -> bool {
        let KernelBuild { release, version, .. } = build;
        let upstream = version.rsplit_once('-').map_or(version.as_str(), |(upstream, _)| upstream);
        let plain = release.split_once('+').map_or(release.as_str(), |(plain, _)| plain);
        [release, version, upstream, plain].contains(&self.0.as_str())
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `6.12` of `6.12.95+deb12`.
pub fn series(version: &str) -> Option<&str> {
    let (major, rest) = version.split_once('.')?;
    let minor = rest.split('.').next()?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(major) && number(minor)).then(|| &version[..major.len() + 1 + minor.len()])
}

/// One kernel package that an archive has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelBuild {
    /// Its name.
    pub package: String,
    /// Its Debian version.
    pub version: String,
    /// The release of its kernel without the flavour: `6.1.0-50`.
    pub release: String,
}

impl KernelBuild {
    /// The package `name` of this version, where it is a kernel's of this flavour.
    pub(super) fn of(name: &str, version: &str, flavour: &str) -> Option<Self> {
        let release = name.strip_prefix(PREFIX)?.strip_suffix(flavour)?.strip_suffix('-')?;
        // `6.1.0-50-cloud` is of another flavour, and `6.12` only names the newest.
        let plain = release.split('-').all(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        (plain && Exact::parse(release).is_some()).then(|| Self {
            package: name.to_owned(),
            version: version.to_owned(),
            release: release.to_owned(),
        })
    }

    /// As apt is asked for exactly this one.
    pub(super) fn exact(&self) -> String {
        format!("{}={}", self.package, self.version)
    }
}

/// What people read: the kernel's release, and the package's version where it says more.
impl fmt::Display for KernelBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.release, self.version)
    }
}

/// `cloud-amd64` of `linux-image-cloud-amd64` and of `linux-image-6.1.0-50-cloud-amd64`.
pub(super) fn flavour(package: &str) -> Option<&str> {
    let rest = package.strip_prefix(PREFIX)?;
    let at = rest.split_inclusive('-').take_while(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let flavour = &rest[at.map(str::len).sum()..];
    (!flavour.is_empty()).then_some(flavour)
}

/// Newest first, each once.
pub(super) fn sort(builds: &mut Vec<KernelBuild>) {
    builds.sort_by(|one, other| {
        compare(&other.version, &one.version).then_with(|| other.package.cmp(&one.package))
    });
    builds.dedup();
}

/// So many are listed for people.
const LISTED: usize = 4;

/// What there is of a series, for people; `builds` are sorted.
pub(super) fn there(of: &str, builds: &[KernelBuild]) -> String {
    let all: Vec<&KernelBuild> = builds.iter().filter(|build| series(&build.release) == Some(of)).collect();
    if all.is_empty() { format!("there is none of {of}") } else { format!("of {of} there is {}", list(&all)) }
}

/// The newest of them in words, and how many more there are.
pub fn list(builds: &[&KernelBuild]) -> String {
    let newest: Vec<String> = builds.iter().take(LISTED).map(|build| build.to_string()).collect();
    match builds.len().checked_sub(LISTED + 1) {
        None => newest.join(", "),
        Some(_) => format!("{}, and {} older", newest.join(", "), builds.len() - LISTED),
    }
}

/// The order of Debian versions without an epoch: upstream's version decides, then Debian's revision.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let parts = |version| str::rsplit_once(version, '-').unwrap_or((version, ""));
    let (one, other) = (parts(one), parts(other));
    compare_part(one.0, other.0).then_with(|| compare_part(one.1, other.1))
}

fn compare_part(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.bytes().peekable(), other.bytes().peekable());
    while one.peek().is_some() || other.peek().is_some() {
        // What is no digit: a tilde is before the end, letters are before the rest.
        loop {
            let (left, right) = (weight(one.peek()), weight(other.peek()));
            if left != right {
                return left.cmp(&right);
            }
            if left == 0 {
                break;
            }
            one.next();
            other.next();
        }
        let (left, right) = (number(&mut one), number(&mut other));
        if left != right {
            return left.cmp(&right);
        }
    }
    Ordering::Equal
}

fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

fn number(bytes: &mut Peekable<Bytes<'_>>) -> u64 {
    let mut value: u64 = 0;
    while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
        value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn build(release: &str, version: &str) -> KernelBuild {
        let name = format!("linux-image-{release}-cloud-amd64");
        KernelBuild::of(&name, version, "cloud-amd64").unwrap_or_else(|| panic!("{name}"))
    }

    #[test]
    fn an_exact_version_has_three_numbers() {
        for (word, of) in [
            ("6.1.0-50", "6.1"),
            ("6.12.95", "6.12"),
            ("6.1.176-1", "6.1"),
            ("7.3.4-1~bpo13+1", "7.3"),
            ("6.12.90+deb12.1", "6.12"),
        ] {
            assert_eq!(
                Exact::parse(word).map(|exact| exact.series().to_owned()).as_deref(),
                Some(of),
                "{word}"
            );
        }
        for word in
            ["", "6", "6.1", "6.1.", "6..1", "trixie", "6.x.1", "6.1-own", "6.1.0 -y", "6.1.0/sid", ".1.2"]
        {
            assert_eq!(Exact::parse(word), None, "{word}");
        }
    }

    #[test]
    fn a_word_means_a_build_by_any_of_its_names() {
        let builds = [build("6.1.0-50", "6.1.176-1"), build("6.12.95+deb12", "6.12.95-1~bpo12+1")];
        let meant = |word: &str| {
            let exact = Exact::parse(word).unwrap();
            builds.iter().map(|build| exact.means(build)).collect::<Vec<_>>()
        };
        for word in ["6.1.0-50", "6.1.176-1", "6.1.176"] {
            assert_eq!(meant(word), [true, false], "{word}");
        }
        for word in ["6.12.95+deb12", "6.12.95-1~bpo12+1", "6.12.95"] {
            assert_eq!(meant(word), [false, true], "{word}");
        }
        for word in ["6.1.0", "6.1.0-5", "6.1.17", "6.12.9", "6.12.95-1", "6.12.96"] {
            assert_eq!(meant(word), [false, false], "{word}");
        }
    }

    #[test]
    fn other_flavours_and_meta_packages_are_no_builds() {
        let of = |name: &str, flavour: &str| KernelBuild::of(name, "1", flavour).map(|build| build.release);
        assert_eq!(of("linux-image-6.1.0-50-amd64", "amd64").as_deref(), Some("6.1.0-50"));
        assert_eq!(
            of("linux-image-6.1.0-0.deb11.48-cloud-amd64", "cloud-amd64").as_deref(),
            Some("6.1.0-0.deb11.48")
        );
        for name in [
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-50-rt-amd64",
            "linux-image-6.1.0-50-amd64-dbg",
            "linux-image-amd64",
            "linux-image-6.12-amd64",
            "linux-headers-6.1.0-50-amd64",
        ] {
            assert_eq!(of(name, "amd64"), None, "{name}");
        }
        for (package, flavoured) in [
            ("linux-image-cloud-amd64", Some("cloud-amd64")),
            ("linux-image-6.1.0-50-cloud-amd64", Some("cloud-amd64")),
            ("linux-image-amd64", Some("amd64")),
            ("linux-image-6.12.95+deb12-rt-amd64", Some("rt-amd64")),
            ("linux-image-6.1.0-50", None),
            ("busybox", None),
        ] {
            assert_eq!(flavour(package), flavoured, "{package}");
        }
    }

    /// Each as dpkg --compare-versions has it.
    #[test]
    fn versions_in_debians_order() {
        let ascending = [
            "5.10.262-1",
            "6.1.99-1",
            "6.1.176-1~bpo11+1",
            "6.1.176-1",
            "6.1.176-1+b1",
            "6.1.176-2",
            "6.1.176-10",
            "6.12.90-1~deb12u1",
            "6.12.90-1",
            "6.12.90+deb13.1-1",
            "6.12.95-1~bpo12+1",
            "6.12.118-1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("6.01.0-1", "6.1.0-1"), Ordering::Equal);
        let mut builds = vec![
            build("6.1.0-9", "6.1.27-1"),
            build("6.1.0-50", "6.1.176-1"),
            build("6.1.0-50", "6.1.176-1"),
        ];
        sort(&mut builds);
        assert_eq!(
            builds.iter().map(KernelBuild::to_string).collect::<Vec<_>>(),
            ["6.1.0-50 (6.1.176-1)", "6.1.0-9 (6.1.27-1)"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_one(a in "[0-9a-b.~+-]{0,8}", b in "[0-9a-b.~+-]{0,8}", c in "[0-9a-b.~+-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert!(compare(&a, &c) != Ordering::Greater);
            }
        }
    }
}
