//! A recipe: what a guest image is made of (`images/NAME.toml`).
//!
//! Holds the table of its keys and the reading of a file. Must not know apt, caches or kernels. Units: none.
//! Errors: [`Problems`], all of a file at once; they blame the file.
//! Tests: below; what people read is kept in snapshots.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::modules::normal;
use super::own::Own;
pub use super::part::{Check, Key, Kind, Required, Section};
use super::part::{Part, list, section, text};
use super::words::{
    absolute_path, any, command_name, module_name, package_name, path, release_name, uri, version,
};
use crate::document::{Document, Findings, Problems, Table};

/// What a guest image is made of. Complete: its hash is part of the image's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The stem of its file: a value of the matrix's kernel axis.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// The kernel.
    pub kernel: KernelRecipe,
    /// Everything else.
    pub initramfs: InitramfsRecipe,
    /// Where packages come from instead of the host's own apt sources.
    pub mirror: Option<Mirror>,
}

/// `[kernel]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRecipe {
    /// Debian release: `bookworm`, `bookworm-backports`. Empty for a kernel of one's own.
    pub release: String,
    /// A kernel package or a meta package that depends on one. Empty for a kernel of one's own.
    pub package: String,
    /// Exactly this version of it.
    pub version: Option<String>,
    /// Further releases in which an exact version of this series is looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Not a key of the file: exactly this build of the package's flavour, as the matrix's kernel axis has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
    /// A kernel of one's own, instead of Debian's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

impl KernelRecipe {
    /// A kernel of one's own.
    pub fn own(own: Own) -> Self {
        let (release, package) = (String::new(), String::new());
        Self { release, package, version: None, also: Vec::new(), exact: None, own: Some(own) }
    }
}

/// `[initramfs]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitramfsRecipe {
    /// Debian release of the packages.
    pub release: String,
    /// Packages that the commands come from; what they depend on comes along.
    pub packages: Vec<String>,
    /// Programs of these packages that go in, each with the libraries that it links to.
    pub commands: Vec<String>,
    /// Kernel modules that the guest loads at boot.
    pub modules: Vec<String>,
    /// Kernel modules that are there and that the guest loads only when something in it asks for them.
    pub available: Vec<String>,
}

/// `[mirror]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Address of a Debian archive.
    pub uri: String,
    /// Address of its security archive, where it has one.
    pub security_uri: Option<String>,
    /// Path of the keyring that the archive must be signed with.
    pub signed_by: String,
}

/// Commands without which `/init` cannot do its work.
pub(super) const NEEDED_COMMANDS: [&str; 2] = ["busybox", "dropbear"];

/// Every key of a recipe.
pub static RECIPE: Section = Section {
    what: "the recipe",
    keys: &[
        text("title", any, Required::Yes, ("title = \"Debian 12, kernel 6.1\"", "a line for people")),
        section("kernel", &KERNEL, Required::Yes, ("[kernel]", "which kernel, by `release` and `package`")),
        section(
            "initramfs",
            &INITRAMFS,
            Required::Yes,
            ("[initramfs]", "what is in the guest, by `release`, `packages`, `commands` and `modules`"),
        ),
        section(
            "mirror",
            &MIRROR,
            Required::No,
            ("[mirror]", "a Debian archive instead of the host's apt sources, by `uri` and `signed_by`"),
        ),
    ],
};

static KERNEL: Section = Section {
    what: "[kernel]",
    keys: &[
        text(
            "release",
            release_name,
            Required::OrOwn,
            ("release = \"bookworm\"", "the Debian release of the kernel"),
        ),
        text(
            "package",
            package_name,
            Required::OrOwn,
            ("package = \"linux-image-cloud-amd64\"", "a kernel package"),
        ),
        text(
            "version",
            version,
            Required::No,
            ("version = \"6.1.176-1\"", "exactly this version of the package"),
        ),
        list(
            "also",
            release_name,
            Required::No,
            ("also = [\"trixie\"]", "further releases in which an exact version is looked for"),
        ),
        text(
            "tree",
            path,
            Required::No,
            ("tree = \"../linux\"", "instead of a package: a tree in which you have built a kernel"),
        ),
        text(
            "bzimage",
            path,
            Required::No,
            ("bzimage = \"../bzImage\"", "instead of a package: a kernel's file of your own"),
        ),
        text(
            "modules",
            path,
            Required::No,
            ("modules = \"../installed\"", "with `bzimage`: the folder in which its modules are installed"),
        ),
        text(
            "debs",
            path,
            Required::No,
            ("debs = \"../debs\"", "instead of a package: a folder of .deb files, or one of them"),
        ),
    ],
};

static INITRAMFS: Section = Section {
    what: "[initramfs]",
    keys: &[
        text(
            "release",
            release_name,
            Required::Yes,
            ("release = \"bookworm\"", "the Debian release of the packages"),
        ),
        list(
            "packages",
            package_name,
            Required::Yes,
            ("packages = [\"busybox-static\", \"dropbear-bin\"]", "where the commands come from"),
        ),
        list(
            "commands",
            command_name,
            Required::Yes,
            ("commands = [\"busybox\", \"dropbear\"]", "the programs of the guest"),
        ),
        list(
            "modules",
            module_name,
            Required::Yes,
            ("modules = [\"virtio_pci\", \"virtio_net\"]", "what the guest loads at boot"),
        ),
        list(
            "available",
            module_name,
            Required::No,
            ("available = [\"nf_tables\"]", "what the guest loads when something asks for it"),
        ),
    ],
};

static MIRROR: Section = Section {
    what: "[mirror]",
    keys: &[
        text("uri", uri, Required::Yes, ("uri = \"http://…/debian\"", "the address of a Debian archive")),
        text(
            "security_uri",
            uri,
            Required::No,
            ("security_uri = \"http://…/debian-security\"", "the address of its security archive"),
        ),
        text(
            "signed_by",
            absolute_path,
            Required::Yes,
            ("signed_by = \"/usr/share/keyrings/debian-archive-keyring.gpg\"", "the keyring of the archive"),
        ),
    ],
};

/// Reads the recipe `text` that is called `name` and lies at `path`, from whose folder paths in it are seen.
///
/// # Errors
/// All problems of the file, in its order.
pub fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, Problems> {
    let (document, mut findings) = Document::parse(path, text)?;
    let folder = Path::new(path).parent().unwrap_or(Path::new("."));
    let recipe = recipe(&mut findings, name, &document.root, folder);
    findings.finish(recipe)
}

fn recipe(findings: &mut Findings, name: &str, table: &Table, folder: &Path) -> Option<Recipe> {
    let root = Part::open(findings, &RECIPE, table, 0..0);
    let title = root.text(findings, "title");
    let kernel = root.part(findings, "kernel").and_then(|part| kernel(findings, &part, folder));
    let initramfs = root.part(findings, "initramfs").and_then(|part| initramfs(findings, &part));
    let mirror = root.part(findings, "mirror").and_then(|part| mirror(findings, &part));
    Some(Recipe { name: name.to_owned(), title: title?, kernel: kernel?, initramfs: initramfs?, mirror })
}

fn kernel(findings: &mut Findings, part: &Part<'_>, folder: &Path) -> Option<KernelRecipe> {
    if OWN_KEYS.iter().any(|key| part.table.get(key).is_some()) {
        return own_kernel(findings, part, folder).map(KernelRecipe::own);
    }
    part.require_but_for_own(findings);
    let release = part.text(findings, "release");
    let package = part.text(findings, "package");
    let version = part.text(findings, "version");
    let also = part.list(findings, "also").unwrap_or_default();
    Some(KernelRecipe { release: release?, package: package?, version, also, exact: None, own: None })
}

/// The keys of a kernel of one's own.
const OWN_KEYS: [&str; 4] = ["tree", "bzimage", "modules", "debs"];

fn own_kernel(findings: &mut Findings, part: &Part<'_>, folder: &Path) -> Option<Own> {
    for name in ["release", "package", "version", "also"] {
        if let Some((key, _)) = part.table.entry(name) {
            findings
                .report(
                    key.span.clone(),
                    format!("`{name}` is of a Debian package, and this kernel is your own"),
                    "not for this kernel",
                )
                .help("remove it, or remove the path of your own kernel");
        }
    }
    let [tree, bzimage, modules, debs] =
        OWN_KEYS.map(|name| part.text(findings, name).map(|text| (name, place(folder, &text))));
    let given: Vec<&str> = [&tree, &bzimage, &debs].into_iter().flatten().map(|(name, _)| *name).collect();
    if let ([first, .., last], Some((key, _))) =
        (given.as_slice(), given.last().and_then(|name| part.table.entry(name)))
    {
        findings
            .report(key.span.clone(), format!("[kernel] has `{first}` and `{last}`"), "another kernel")
            .help("keep one of them: a recipe has one kernel");
    }
    if let (Some((key, _)), None) = (part.table.entry("modules"), part.table.entry("bzimage")) {
        findings
            .report(key.span.clone(), "`modules` goes with `bzimage`", "of which kernel?")
            .help("add `bzimage = \"…\"`; a tree and packages have their modules themselves");
    }
    let at = |given: Option<(&str, PathBuf)>| given.map(|(_, path)| path);
    match (at(tree), at(bzimage), at(debs)) {
        (Some(tree), None, None) => Some(Own::Tree(tree)),
        (None, Some(bzimage), None) => Some(Own::Image { bzimage, modules: at(modules) }),
        (None, None, Some(debs)) => Some(Own::Debs(debs)),
        _ => None,
    }
}

/// A path of the file, seen from anywhere.
fn place(folder: &Path, text: &str) -> PathBuf {
    let path: PathBuf = folder.join(text).components().collect();
    std::path::absolute(&path).unwrap_or(path)
}

fn initramfs(findings: &mut Findings, part: &Part<'_>) -> Option<InitramfsRecipe> {
    let release = part.text(findings, "release");
    let packages = part.list(findings, "packages");
    let commands = part.list(findings, "commands");
    let modules = part.list(findings, "modules");
    let available = part.list(findings, "available").unwrap_or_default();
    check_needed(findings, part, commands.as_deref());
    check_apart(findings, part, modules.as_deref().unwrap_or_default());
    Some(InitramfsRecipe {
        release: release?,
        packages: packages?,
        commands: commands?,
        modules: modules?,
        available,
    })
}

/// The guest's /init finds the programs that it runs.
fn check_needed(findings: &mut Findings, part: &Part<'_>, commands: Option<&[String]>) {
    let (Some(commands), Some((key, _))) = (commands, part.table.entry("commands")) else { return };
    for needed in NEEDED_COMMANDS {
        if !commands.iter().any(|command| command == needed) {
            findings
                .report(key.span.clone(), format!("`commands` lacks {needed:?}"), "in this list")
                .help(format!("add {needed:?}: the guest's /init runs it"));
        }
    }
}

/// A module that is loaded at boot is never one that waits to be asked for.
fn check_apart(findings: &mut Findings, part: &Part<'_>, modules: &[String]) {
    let available = part.table.get("available").and_then(|node| node.value.as_list());
    for item in available.into_iter().flatten() {
        let Some(name) = item.value.as_text() else { continue };
        if modules.iter().any(|module| normal(module) == normal(name)) {
            let what = format!("`available` names {name:?}, which `modules` loads at boot");
            findings
                .report(item.span.clone(), what, "already loaded at boot")
                .help("keep it in one of the two lists");
        }
    }
}

fn mirror(findings: &mut Findings, part: &Part<'_>) -> Option<Mirror> {
    let uri = part.text(findings, "uri");
    let security_uri = part.text(findings, "security_uri");
    let signed_by = part.text(findings, "signed_by");
    Some(Mirror { uri: uri?, security_uri, signed_by: signed_by? })
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;

    const GOOD: &str = include_str!("../../../images/6.1.toml");

    fn rendered(text: &str) -> String {
        let problems = parse("t", "images/t.toml", text).unwrap_err();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
        let mut out = String::new();
        for problem in problems.iter() {
            handler.render_report(&mut out, problem).unwrap();
        }
        out
    }

    #[test]
    fn reads_a_good_one() {
        let recipe = parse("6.1", "images/6.1.toml", GOOD).unwrap();
        assert_eq!(recipe.kernel.release, "bookworm");
        assert_eq!(recipe.kernel.version, None);
        assert_eq!(recipe.initramfs.commands, ["busybox", "dropbear", "nft"]);
        assert!(recipe.initramfs.available.iter().any(|module| module == "nf_tables"));
        assert!(!recipe.initramfs.modules.iter().any(|module| module == "nf_tables"), "not loaded at boot");
        assert_eq!(recipe.mirror, None);
        let pinned = GOOD.replace("# version", "version");
        assert_eq!(parse("6.1", "", &pinned).unwrap().kernel.version.as_deref(), Some("6.1.176-1"));
    }

    #[test]
    fn every_key_of_the_table_is_read() {
        let recipe = parse(
            "all",
            "",
            r#"title = "all"
[kernel]
release = "trixie"
package = "linux-image-amd64"
version = "6.12.1-1"
also = ["sid"]
[initramfs]
release = "sid"
packages = ["busybox-static"]
commands = ["busybox", "dropbear"]
modules = ["virtio_net"]
available = ["nf_tables"]
[mirror]
uri = "http://127.0.0.1/debian"
security_uri = "http://127.0.0.1/security"
signed_by = "/keyring.gpg"
"#,
        )
        .unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let wanted = Recipe {
            name: "all".to_owned(),
            title: "all".to_owned(),
            kernel: KernelRecipe {
                release: "trixie".to_owned(),
                package: "linux-image-amd64".to_owned(),
                version: Some("6.12.1-1".to_owned()),
                also: words(&["sid"]),
                exact: None,
                own: None,
            },
            initramfs: InitramfsRecipe {
                release: "sid".to_owned(),
                packages: words(&["busybox-static"]),
                commands: words(&["busybox", "dropbear"]),
                modules: words(&["virtio_net"]),
                available: words(&["nf_tables"]),
            },
            mirror: Some(Mirror {
                uri: "http://127.0.0.1/debian".to_owned(),
                security_uri: Some("http://127.0.0.1/security".to_owned()),
                signed_by: "/keyring.gpg".to_owned(),
            }),
        };
        assert_eq!(recipe, wanted);
        // And the table has no key that nobody reads.
        let json = serde_json::to_value(&recipe).unwrap();
        for (section, at) in
            [(&RECIPE, ""), (&KERNEL, "/kernel"), (&INITRAMFS, "/initramfs"), (&MIRROR, "/mirror")]
        {
            let read = json.pointer(at).unwrap().as_object().unwrap();
            let keys: Vec<&str> = section
                .keys
                .iter()
                .map(|key| key.name)
                .filter(|key| at != "/kernel" || !OWN_KEYS.contains(key))
                .collect();
            for name in read.keys().filter(|name| *name != "name") {
                assert!(keys.contains(&name.as_str()), "{name} of {}", section.what);
            }
            assert!(keys.iter().all(|key| read.contains_key(*key)), "{keys:?}");
        }
    }

    #[test]
    fn all_problems_at_once() {
        insta::assert_snapshot!(rendered(
            r#"titel = "a typo"
[kernel]
release = "Bookworm"
package = 61
[initramfs]
release = "bookworm"
packages = ["busybox-static", "busybox-static", "-oDir::Etc=/tmp"]
commands = ["busybox"]
modules = "virtio_net"
[mirror]
uri = "nowhere"
"#
        ));
    }

    fn with_kernel(lines: &str) -> String {
        let end = GOOD.split_once("[initramfs]").unwrap().1;
        format!("title = \"mine\"\n[kernel]\n{lines}\n[initramfs]{end}")
    }

    #[test]
    fn a_kernel_of_ones_own_is_seen_from_the_recipes_folder() {
        let own = |lines: &str| parse("t", "/a/images/t.toml", &with_kernel(lines)).unwrap().kernel.own;
        let at = |path: &str| PathBuf::from(path);
        assert_eq!(own("tree = \"./linux\""), Some(Own::Tree(at("/a/images/linux"))));
        assert_eq!(own("debs = \"/debs\""), Some(Own::Debs(at("/debs"))));
        let alone = Own::Image { bzimage: at("/a/images/bzImage"), modules: None };
        assert_eq!(own("bzimage = \"bzImage\""), Some(alone));
        let with = Own::Image { bzimage: at("/b"), modules: Some(at("/a/images/m")) };
        assert_eq!(own("bzimage = \"/b\"\nmodules = \"m\""), Some(with));
    }

    #[test]
    fn a_recipe_has_one_kernel() {
        insta::assert_snapshot!(rendered(&with_kernel(
            "release = \"bookworm\"\ntree = \"linux\"\ndebs = \"debs\"\nmodules = \"m\""
        )));
        insta::assert_snapshot!(rendered(&with_kernel("bzimage = \"\"\nversion = \"1-1\"")));
        insta::assert_snapshot!(rendered(&with_kernel("modules = \"m\"")));
    }

    #[test]
    fn an_empty_file_and_a_broken_one() {
        insta::assert_snapshot!(rendered(""));
        insta::assert_snapshot!(rendered("title = \"t\n[kernel]\nrelease = \"bookworm\"\npackage = \n"));
    }

    #[test]
    fn available_modules_are_optional_and_not_those_of_the_boot() {
        let without: String =
            GOOD.lines().filter(|line| !line.starts_with("available")).collect::<Vec<_>>().join("\n");
        assert_eq!(parse("t", "", &without).unwrap().initramfs.available, Vec::<String>::new());
        insta::assert_snapshot!(rendered(&format!(
            "{without}\navailable = [\"nf_tables\", \"virtio-net\", 7, \"nf_tables\", \"a.ko\"]\n"
        )));
    }
}
