//! Where packages of a Debian release come from: the host's own apt sources with the release replaced.
//!
//! Pure: text in, text out; no mirror is known here. Must not run apt. Units: none.
//! Errors: none; a host whose sources name no Debian archive gives an empty list, and the caller says so.
//! Formats: sources.list(5), both the deb822 and the one-line style.
//! Tests: below.

use std::path::Path;
use std::{fs, io};

/// One archive, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its addresses: mirrors of the same archive.
    pub uris: Vec<String>,
    /// `bookworm`, `bookworm-updates`, ...
    pub suites: Vec<String>,
    /// `main`, ...
    pub components: Vec<String>,
    /// Keyring path or an embedded key; none: the keys that the host trusts.
    pub signed_by: Option<String>,
}

/// All enabled binary sources of this host's apt configuration; a folder that does not exist holds none.
pub fn read_host(etc_apt: &Path) -> io::Result<Vec<Source>> {
    let mut files = vec![etc_apt.join("sources.list")];
    match fs::read_dir(etc_apt.join("sources.list.d")) {
        Ok(entries) => {
            let mut parts =
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
            parts.sort();
            files.extend(parts);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut sources = Vec::new();
    for file in files {
        let parse = match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => parse_deb822,
            Some("list") => parse_list,
            _ => continue,
        };
        match fs::read_to_string(&file) {
            Ok(text) => sources.extend(parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

/// A `*.sources` file.
pub fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza(fields: &[(String, String)]) -> Option<Source> {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let words = |name: &str| -> Vec<String> {
        field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let enabled = !field("enabled").is_some_and(|value| matches!(value, "no" | "false" | "0" | "off"));
    let source = Source {
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        signed_by: field("signed-by").map(str::to_owned),
    };
    let binary = words("types").iter().any(|kind| kind == "deb");
    (enabled && binary && !source.uris.is_empty() && !source.suites.is_empty()).then_some(source)
}

/// A `*.list` file.
pub fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(list_line).collect()
}

fn list_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None; // deb-src
    }
    let mut signed_by = None;
    rest = rest.trim_start();
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(str::to_owned);
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source { uris: vec![uri], suites: vec![suite], components: words.collect(), signed_by })
}

/// What follows the release's name in the suites of the Debian archive itself.
const POCKETS: [&str; 4] = ["updates", "security", "backports", "proposed-updates"];

/// The host's sources with their release replaced by `release`, for that release alone: `bookworm` brings its updates and security
/// updates along as far as the host has such sources; `bookworm-backports` stands for itself.
///
/// `codename` is the host's own (`VERSION_CODENAME` of os-release): it tells a Debian suite from others'.
pub fn derive(host: &[Source], codename: &str, release: &str) -> Vec<Source> {
    let mut candidates: Vec<(Source, Vec<&str>)> = Vec::new();
    for source in host {
        if !source.components.iter().any(|component| component == "main") {
            continue;
        }
        let pockets: Vec<&str> = source.suites.iter().filter_map(|suite| pocket(suite, codename)).collect();
        if !pockets.is_empty() {
            candidates.push((source.clone(), pockets));
        }
    }
    // Other vendors name their suites after Debian's releases too; the archive itself ends in /debian or /debian-security.
    let is_archive = |source: &Source| {
        source.uris.iter().any(|uri| {
            uri.trim_end_matches('/').rsplit('/').next().is_some_and(|end| end.starts_with("debian"))
        })
    };
    if candidates.iter().any(|(source, _)| is_archive(source)) {
        candidates.retain(|(source, _)| is_archive(source));
    }
    let mut derived = Vec::new();
    for (source, pockets) in candidates {
        let mut suites: Vec<String> =
            pockets.iter().filter_map(|pocket| suite_for(release, pocket)).collect();
        suites.sort();
        suites.dedup();
        if !suites.is_empty() {
            let source = Source { suites, components: vec!["main".to_owned()], ..source };
            if !derived.contains(&source) {
                derived.push(source);
            }
        }
    }
    derived
}

/// `bookworm` -> ``, `bookworm-security` -> `security`, `bookworm/updates` (up to buster) -> `security`; nothing for others' suites.
fn pocket<'a>(suite: &'a str, codename: &str) -> Option<&'a str> {
    let suite = suite.trim_end_matches('/');
    if suite.ends_with("/updates") {
        return Some("security");
    }
    let (base, pocket) = suite.split_once('-').unwrap_or((suite, ""));
    let known = [
        codename,
        "stable",
        "oldstable",
        "oldoldstable",
        "testing",
        "unstable",
        "sid",
        "trixie",
        "bookworm",
        "bullseye",
    ];
    (known.contains(&base) && (pocket.is_empty() || POCKETS.contains(&pocket))).then_some(pocket)
}

/// The suite to ask the archive for that serves `pocket` of some release.
fn suite_for(release: &str, pocket: &str) -> Option<String> {
    // A pocket of a release, and the releases without pockets, lie in the main archive.
    if release.contains('-') || matches!(release, "sid" | "unstable" | "experimental") {
        return pocket.is_empty().then(|| release.to_owned());
    }
    match pocket {
        "" => Some(release.to_owned()),
        "updates" => Some(format!("{release}-updates")),
        "security" => Some(format!("{release}-security")),
        _ => None,
    }
}

/// As a `*.sources` file for `architecture`, with nothing but the package lists.
pub fn render_deb822(sources: &[Source], architecture: &str) -> String {
    let mut out = String::new();
    for source in sources {
        let Source { uris, suites, components, signed_by } = source;
        let signed_by = signed_by.as_ref().map(|keys| format!("Signed-By: {keys}\n")).unwrap_or_default();
        out.push_str(&format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nArchitectures: {architecture}\nTargets: Packages\n{signed_by}\n",
            uris.join(" "),
            suites.join(" "),
            components.join(" "),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
Types: deb deb-src
# a comment in the middle
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security/
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.test/debian
Suites: bookworm
Components: main
";

    fn suites(sources: &[Source]) -> Vec<(String, String)> {
        sources
            .iter()
            .flat_map(|source| source.suites.iter().map(|suite| (source.uris[0].clone(), suite.clone())))
            .collect()
    }

    #[test]
    fn deb822_stanzas() {
        let sources = parse_deb822(DEB822);
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].components, ["main", "contrib"]);
        assert_eq!(sources[0].signed_by.as_deref(), Some("/usr/share/keyrings/debian-archive-keyring.gpg"));
        assert!(sources[1].signed_by.as_ref().unwrap().contains("\n mDMEY865"));
        assert_eq!(parse_deb822(&render_deb822(&sources, "amd64")), sources);
    }

    #[test]
    fn one_line_sources() {
        let sources = parse_list(
            "# comment\n\ndeb http://mirror.test/debian bookworm main contrib # trailing\n\
             deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian-security bookworm-security main\n\
             deb-src http://mirror.test/debian bookworm main\ndeb\ndebian nonsense\ndeb [unclosed http://x y z\n",
        );
        assert_eq!(
            suites(&sources),
            [
                ("http://mirror.test/debian".to_owned(), "bookworm".to_owned()),
                ("http://mirror.test/debian-security".to_owned(), "bookworm-security".to_owned()),
            ]
        );
        assert_eq!(sources[1].signed_by.as_deref(), Some("/k.gpg"));
    }

    #[test]
    fn a_release_brings_its_updates_a_pocket_stands_alone() {
        let host = parse_deb822(DEB822);
        let names = |release| -> Vec<String> {
            suites(&derive(&host, "bookworm", release)).into_iter().map(|(_, suite)| suite).collect()
        };
        assert_eq!(names("bookworm"), ["bookworm", "bookworm-updates", "bookworm-security"]);
        assert_eq!(names("trixie"), ["trixie", "trixie-updates", "trixie-security"]);
        assert_eq!(names("bookworm-backports"), ["bookworm-backports"]);
        assert_eq!(names("sid"), ["sid"]);
        let derived = derive(&host, "bookworm", "trixie");
        assert_eq!(derived[0].components, ["main"]);
        assert_eq!(derived[1].signed_by, host[1].signed_by);
    }

    #[test]
    fn other_vendors_sources_stay_out() {
        let host = parse_list(
            "deb http://mirror.test/debian stable main\ndeb http://vendor.test/apt bookworm main\n\
             deb http://vendor.test/postgres bookworm-pgdg main\ndeb http://vendor.test/docker bookworm stable\n",
        );
        assert_eq!(
            suites(&derive(&host, "bookworm", "bookworm")),
            [("http://mirror.test/debian".to_owned(), "bookworm".to_owned())]
        );
        let ubuntu = parse_list("deb http://mirror.test/ubuntu noble main universe\n");
        assert_eq!(derive(&ubuntu, "bookworm", "bookworm"), []);
    }

    #[test]
    fn a_mirror_under_another_name_is_taken_when_it_is_the_only_one() {
        let host = parse_list("deb http://mirror.test/apt/remote bookworm main\n");
        assert_eq!(
            suites(&derive(&host, "bookworm", "trixie")),
            [("http://mirror.test/apt/remote".to_owned(), "trixie".to_owned())]
        );
    }

    #[test]
    fn the_host_folder_is_read_as_apt_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_host(folder.path()).unwrap(), []);
        fs::write(folder.path().join("sources.list"), "deb http://a.test/debian bookworm main\n").unwrap();
        let parts = folder.path().join("sources.list.d");
        fs::create_dir(&parts).unwrap();
        fs::write(parts.join("debian.sources"), DEB822).unwrap();
        fs::write(parts.join("other.sources.disabled"), DEB822).unwrap();
        assert_eq!(read_host(folder.path()).unwrap().len(), 3);
    }
}
