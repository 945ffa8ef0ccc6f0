//! Packages as apt's lists have them: what its tools print of them, read.
//!
//! Pure. Must not run apt. Units: bytes. Errors: none: what is no package is left out. Reference: apt-cache(8), deb-control(5).
//! Tests: below, on recorded output.

use super::supply::PackageId;

/// A kernel is megabytes, and no package this small holds modules: one that depends on other kernel packages only names them.
const NAMES_ONLY: u64 = 16 << 10;

/// One package, as the lists have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: PackageId,
    architecture: String,
    depends: String,
    bytes: u64,
}

impl Listed {
    /// As apt-get names the download (apt-pkg: the epoch's colon is quoted).
    pub(super) fn file_name(&self) -> String {
        format!("{}_{}_{}.deb", self.id.name, self.id.version.replace(':', "%3a"), self.architecture)
    }

    /// As apt is asked for exactly this one.
    pub(super) fn exact(&self) -> String {
        format!("{}={}", self.id.name, self.id.version)
    }

    /// `linux-image-6.1.0-50-cloud-amd64=6.1.176-1` and the like: what a meta package stands for, or a kernel is split into (since 7.2:
    /// `linux-binary-*`, `linux-modules-*`, `linux-base-*`).
    pub(super) fn kernel_dependencies(&self) -> Vec<String> {
        self.depends
            .split(',')
            .filter_map(|dependency| {
                let (name, rest) = dependency.trim().split_once(" (= ")?;
                let version = rest.strip_suffix(')')?;
                name.starts_with("linux-").then(|| format!("{name}={version}"))
            })
            .collect()
    }

    /// Whether it only names other packages: nothing of it goes into an image, so that it need not be fetched.
    pub(super) fn only_names_others(&self) -> bool {
        self.bytes < NAMES_ONLY && !self.kernel_dependencies().is_empty()
    }
}

/// How many packages, versions and exact dependencies a text names that is read as what apt's tools print: all that is read of it, without apt.
pub fn count_listed(text: &str) -> usize {
    let shown = parse_show(text);
    let depends: usize = shown.iter().map(|listed| listed.kernel_dependencies().len()).sum();
    shown.len() + depends + parse_depends(text).len() + parse_versions(text).len()
}

/// The stanzas of `apt-cache show`.
pub(super) fn parse_show(text: &str) -> Vec<Listed> {
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
                bytes: field("Size").and_then(|size| size.parse().ok()).unwrap_or(u64::MAX),
            })
        })
        .collect()
}

/// The versions that `apt-cache madison` has, newest first and each once.
pub(super) fn parse_versions(text: &str) -> Vec<String> {
    let mut versions: Vec<String> = parse_madison(text).map(|(_, version)| version.to_owned()).collect();
    versions.dedup();
    versions
}

/// The names and versions that `apt-cache madison` has.
pub(super) fn parse_madison(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split('|').map(str::trim);
        Some((fields.next()?, fields.next()?))
    })
}

/// The package names of `apt-cache depends --recurse`: those at the line's start. `<name>` is a virtual one, `name:arch` foreign.
pub(super) fn parse_depends(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with([' ', '|', '<']) && !line.is_empty() && !line.contains(':'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_apt_cache_shows() {
        let text = "Package: linux-image-cloud-amd64\nSource: linux-signed-amd64 (6.1.176+1)\nVersion: 6.1.176-1\n\
                    Architecture: amd64\nDepends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)\nSize: 1484\nDescription: Linux\n text\n\
                    SHA256: 6f32\n\nPackage: busybox-static\nVersion: 1:1.35.0-4\nArchitecture: amd64\nSHA256: 3d3f\n\n";
        let listed = parse_show(text);
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0].kernel_dependencies(), ["linux-image-6.1.0-50-cloud-amd64=6.1.176-1"]);
        assert!(listed[0].only_names_others());
        assert_eq!(listed[1].file_name(), "busybox-static_1%3a1.35.0-4_amd64.deb");
        assert_eq!(listed[1].exact(), "busybox-static=1:1.35.0-4");
        assert!(!listed[1].only_names_others());
        let ordinary = Listed {
            depends: "kmod, linux-base (>= 4.3), initramfs-tools | linux-initramfs-tool".to_owned(),
            ..listed[1].clone()
        };
        assert_eq!(ordinary.kernel_dependencies(), Vec::<String>::new());
    }

    /// Debian's 7.3 as `apt-cache show` prints it.
    #[test]
    fn a_split_kernel_leads_to_its_parts() {
        let text = "Package: linux-image-7.3.4+deb13-cloud-amd64\nSource: linux-signed-amd64 (7.3.4+1~bpo13+1)\nVersion: 7.3.4-1~bpo13+1\n\
                    Architecture: amd64\nDepends: dracut | initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool, \
                    linux-base-7.3.4+deb13-cloud-amd64 (= 7.3.4-1~bpo13+1), linux-binary-7.3.4+deb13-cloud-amd64 (= 7.3.4-1~bpo13+1), \
                    linux-modules-7.3.4+deb13-cloud-amd64 (= 7.3.4-1~bpo13+1)\nSize: 1312\nSHA256: 35bb\n\n";
        let [image] = &parse_show(text)[..] else { panic!("one package") };
        assert!(image.only_names_others());
        let part = |name: &str| format!("linux-{name}-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1");
        assert_eq!(image.kernel_dependencies(), [part("base"), part("binary"), part("modules")]);
    }

    #[test]
    fn reads_what_apt_cache_depends_prints() {
        let text = "dropbear-bin\n  Depends: libc6\n |Depends: debconf\n    cdebconf\n<debconf-2.0>\nlibc6\nlibc6:i386\n";
        assert_eq!(parse_depends(text), ["dropbear-bin", "libc6"]);
    }

    #[test]
    fn reads_the_versions_that_there_are() {
        let text = "linux-image-cloud-amd64 | 5.10.262-1 | http://m.test/debian-security bullseye-security/main amd64 Packages\n\
                    linux-image-cloud-amd64 | 5.10.223-1 | http://m.test/debian bullseye/main amd64 Packages\n";
        assert_eq!(parse_versions(text), ["5.10.262-1", "5.10.223-1"]);
        assert_eq!(parse_versions(""), Vec::<String>::new());
    }
}
