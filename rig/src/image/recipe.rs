//! A recipe: what a guest image is made of (`images/NAME.toml`).
//!
//! Holds the table of its keys and the reading of a file. Must not know apt, caches or kernels. Units: none.
//! Errors: [`Problems`], all of a file at once; they blame the file.
//! Tests: below; what people read is kept in snapshots.

use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::modules::normal;
use super::words::{absolute_path, any, command_name, module_name, package_name, release_name, uri, version};
use crate::document::{Document, Findings, Node, Problems, Span, Table};

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
    /// Debian release: `bookworm`, `bookworm-backports`.
    pub release: String,
    /// A kernel package or a meta package that depends on one.
    pub package: String,
    /// Exactly this version of it.
    pub version: Option<String>,
    /// Further releases in which an exact version of this series is looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Not a key of the file: exactly this build of the package's flavour, as the matrix's kernel axis has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
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

/// What a text must be like; the rule that it breaks.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text(Check),
    /// Of texts, none of them twice.
    List(Check),
    /// A table with keys of its own.
    Section(&'static Section),
}

/// Whether a key must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It must.
    Yes,
    /// It need not.
    No,
}

/// A row of the table of keys.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What stands behind it.
    pub kind: Kind,
    /// Whether it must be written.
    pub required: Required,
    /// As a person would write it.
    pub example: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
}

impl Key {
    /// A line that could be added, and what it says.
    fn proposal(&self) -> String {
        format!("`{}`: {}", self.example, self.about)
    }
}

/// A table of the file and its keys.
#[derive(Debug)]
pub struct Section {
    /// As people call it.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn text(
    name: &'static str,
    check: Check,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::Text(check), required, example, about }
}

const fn list(
    name: &'static str,
    check: Check,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::List(check), required, example, about }
}

const fn section(
    name: &'static str,
    section: &'static Section,
    required: Required,
    (example, about): (&'static str, &'static str),
) -> Key {
    Key { name, kind: Kind::Section(section), required, example, about }
}

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
            Required::Yes,
            ("release = \"bookworm\"", "the Debian release of the kernel"),
        ),
        text(
            "package",
            package_name,
            Required::Yes,
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

/// Reads the recipe `text` that is called `name` and lies at `path` (for messages).
///
/// # Errors
/// All problems of the file, in its order.
pub fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, Problems> {
    let (document, mut findings) = Document::parse(path, text)?;
    let recipe = recipe(&mut findings, name, &document.root);
    findings.finish(recipe)
}

fn recipe(findings: &mut Findings, name: &str, table: &Table) -> Option<Recipe> {
    let root = Part::open(findings, &RECIPE, table, 0..0);
    let title = root.text(findings, "title");
    let kernel = root.part(findings, "kernel").and_then(|part| kernel(findings, &part));
    let initramfs = root.part(findings, "initramfs").and_then(|part| initramfs(findings, &part));
    let mirror = root.part(findings, "mirror").and_then(|part| mirror(findings, &part));
    Some(Recipe { name: name.to_owned(), title: title?, kernel: kernel?, initramfs: initramfs?, mirror })
}

fn kernel(findings: &mut Findings, part: &Part<'_>) -> Option<KernelRecipe> {
    let release = part.text(findings, "release");
    let package = part.text(findings, "package");
    let version = part.text(findings, "version");
    let also = part.list(findings, "also").unwrap_or_default();
    Some(KernelRecipe { release: release?, package: package?, version, also, exact: None })
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

/// A table of the file beside what it should hold. What cannot be read is `None`, and there is a finding for it; so is an optional key that is
/// not there, without one.
struct Part<'a> {
    section: &'static Section,
    table: &'a Table,
}

impl<'a> Part<'a> {
    /// Reports keys that are unknown, and at `place` those that are missing.
    fn open(findings: &mut Findings, section: &'static Section, table: &'a Table, place: Span) -> Self {
        let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
        findings.refuse_unknown_keys(table, section.what, &known);
        for key in section.keys {
            if key.required == Required::Yes && table.get(key.name).is_none() {
                findings.missing(place.clone(), section.what, key.name, &key.proposal());
            }
        }
        Self { section, table }
    }

    /// What the table of keys says of a key, and where the file has it.
    fn find(&self, name: &str) -> Option<(Kind, Span, &'a Node)> {
        let row = self.section.keys.iter().find(|key| key.name == name);
        let kind = row.expect("what is read stands in the table of keys").kind;
        self.table.entry(name).map(|(key, node)| (kind, key.span.clone(), node))
    }

    fn text(&self, findings: &mut Findings, name: &str) -> Option<String> {
        let (Kind::Text(check), _, node) = self.find(name)? else { return None };
        checked(findings, node, name, &format!("`{name}`"), check)
    }

    fn list(&self, findings: &mut Findings, name: &str) -> Option<Vec<String>> {
        let (Kind::List(check), _, node) = self.find(name)? else { return None };
        let mut items: Vec<String> = Vec::new();
        let mut complete = true;
        for item in findings.list(node, &format!("`{name}`"))? {
            match checked(findings, item, name, &format!("each value of `{name}`"), check) {
                Some(text) if items.contains(&text) => {
                    findings.report(
                        item.span.clone(),
                        format!("`{name}` names {text:?} twice"),
                        "again here",
                    );
                }
                Some(text) => items.push(text),
                None => complete = false,
            }
        }
        complete.then_some(items)
    }

    fn part(&self, findings: &mut Findings, name: &str) -> Option<Part<'a>> {
        let (Kind::Section(section), place, node) = self.find(name)? else { return None };
        let table = findings.table(node, &format!("`{name}`"))?;
        Some(Part::open(findings, section, table, place))
    }
}

/// A string that keeps the rule of its key.
fn checked(findings: &mut Findings, node: &Node, key: &str, what: &str, check: Check) -> Option<String> {
    let text = findings.string(node, what)?;
    match check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(rule) => {
            findings.report(node.span.clone(), format!("`{key}` cannot be {text:?}"), rule);
            None
        }
    }
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
            let keys: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
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
