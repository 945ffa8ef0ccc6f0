//! A recipe: what a guest image is made of (`images/NAME.toml`).
//!
//! Holds its parser, which finds all problems at once, each with its place in the file. Must not know apt, caches or kernels.
//! Units: none. Errors: [`RecipeProblem`]; it blames the file.
//! Tests: below; what people read is kept in snapshots.

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::modules::normal;
use super::suggest;

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

/// Something that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{what}")]
pub struct RecipeProblem {
    /// One line.
    pub what: String,
    /// What to try.
    #[help]
    pub help: Option<String>,
    #[source_code]
    source_code: NamedSource<Arc<String>>,
    #[label("{label}")]
    span: SourceSpan,
    label: String,
}

/// Commands without which `/init` cannot do its work.
pub(super) const NEEDED_COMMANDS: [&str; 2] = ["busybox", "dropbear"];

/// Reads the recipe `text` that is called `name` and lies at `path` (for messages). All its problems at once, in the file's order.
pub fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, Vec<RecipeProblem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { path, text: Arc::new(text.to_owned()), problems: Vec::new() };
    for error in &errors {
        reader.problem(error.span().unwrap_or(0..0), error.message().to_owned(), "here", None);
    }
    let recipe = reader.recipe(name, &document);
    let mut problems = reader.problems;
    if !errors.is_empty() {
        // What a broken line hides is not missing, and what stands in its place is not the user's.
        let broken: Vec<usize> = errors.iter().filter_map(|error| Some(error.span()?.start)).collect();
        let syntax = errors.len();
        let mut index = 0;
        problems.retain(|problem| {
            index += 1;
            let follows = problem.what.starts_with("missing") || broken.contains(&problem.span.offset());
            index <= syntax || !follows
        });
    }
    if let (Some(recipe), true) = (recipe, problems.is_empty()) {
        return Ok(recipe);
    }
    problems.sort_by_key(|problem| problem.span.offset());
    Err(problems)
}

struct Reader<'a> {
    path: &'a str,
    text: Arc<String>,
    problems: Vec<RecipeProblem>,
}

/// A table with the place that a missing key is reported at.
struct Table<'a, 'i> {
    name: &'static str,
    table: &'a DeTable<'i>,
    place: Range<usize>,
}

type Check = fn(&str) -> Result<(), &'static str>;

impl Reader<'_> {
    fn recipe(&mut self, name: &str, document: &Spanned<DeTable<'_>>) -> Option<Recipe> {
        let root = Table { name: "the recipe", table: document.get_ref(), place: 0..0 };
        self.check_keys(&root, &["title", "kernel", "initramfs", "mirror"]);
        let title = self.text(&root, "title", any);
        let kernel = self.table(&root, "kernel", "[kernel]").and_then(|table| self.kernel(&table));
        let initramfs =
            self.table(&root, "initramfs", "[initramfs]").and_then(|table| self.initramfs(&table));
        let mirror = match root.table.get("mirror") {
            Some(_) => Some(self.table(&root, "mirror", "[mirror]").and_then(|table| self.mirror(&table))?),
            None => None,
        };
        Some(Recipe { name: name.to_owned(), title: title?, kernel: kernel?, initramfs: initramfs?, mirror })
    }

    fn kernel(&mut self, table: &Table<'_, '_>) -> Option<KernelRecipe> {
        self.check_keys(table, &["release", "package", "version"]);
        let release = self.text(table, "release", release_name);
        let package = self.text(table, "package", package_name);
        let version = self.optional_text(table, "version", version);
        Some(KernelRecipe { release: release?, package: package?, version: version? })
    }

    fn initramfs(&mut self, table: &Table<'_, '_>) -> Option<InitramfsRecipe> {
        self.check_keys(table, &["release", "packages", "commands", "modules", "available"]);
        let release = self.text(table, "release", release_name);
        let packages = self.list(table, "packages", package_name);
        let commands = self.list(table, "commands", command_name);
        let modules = self.list(table, "modules", module_name);
        let available = match table.table.get("available") {
            Some(_) => self.list(table, "available", module_name),
            None => Some(Vec::new()),
        };
        self.check_apart(table, modules.as_deref().unwrap_or_default());
        if let (Some(commands), Some((key, _))) = (&commands, table.table.get_key_value("commands")) {
            for needed in NEEDED_COMMANDS {
                if !commands.iter().any(|command| command == needed) {
                    let help = format!("add {needed:?}: the guest's /init runs it");
                    self.problem(
                        key.span(),
                        format!("`commands` lacks {needed:?}"),
                        "in this list",
                        Some(help),
                    );
                }
            }
        }
        Some(InitramfsRecipe {
            release: release?,
            packages: packages?,
            commands: commands?,
            modules: modules?,
            available: available?,
        })
    }

    /// A module that is loaded at boot is never one that waits to be asked for.
    fn check_apart(&mut self, table: &Table<'_, '_>, modules: &[String]) {
        let available = table.table.get("available").and_then(|value| value.get_ref().as_array());
        for item in available.into_iter().flat_map(|array| array.iter()) {
            let Some(name) = item.get_ref().as_str() else { continue };
            if modules.iter().any(|module| normal(module) == normal(name)) {
                let what = format!("`available` names {name:?}, which `modules` loads at boot");
                let help = "keep it in one of the two lists";
                self.problem(item.span(), what, "is there anyway", Some(help.to_owned()));
            }
        }
    }

    fn mirror(&mut self, table: &Table<'_, '_>) -> Option<Mirror> {
        self.check_keys(table, &["uri", "security_uri", "signed_by"]);
        let uri = self.text(table, "uri", uri);
        let security_uri = self.optional_text(table, "security_uri", self::uri);
        let signed_by = self.text(table, "signed_by", absolute_path);
        Some(Mirror { uri: uri?, security_uri: security_uri?, signed_by: signed_by? })
    }

    fn problem(&mut self, span: Range<usize>, what: String, label: &str, help: Option<String>) {
        self.problems.push(RecipeProblem {
            what,
            help,
            source_code: NamedSource::new(self.path, Arc::clone(&self.text)),
            span: span.into(),
            label: label.to_owned(),
        });
    }

    fn check_keys(&mut self, table: &Table<'_, '_>, known: &[&str]) {
        for key in table.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let help = match suggest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known keys: {}", known.join(", ")),
            };
            self.problem(
                key.span(),
                format!("unknown key `{name}` in {}", table.name),
                "not known",
                Some(help),
            );
        }
    }

    fn missing(&mut self, table: &Table<'_, '_>, key: &str) {
        let what = format!("missing `{key}` in {}", table.name);
        self.problem(table.place.clone(), what, "belongs in here", None);
    }

    fn table<'a, 'i>(
        &mut self,
        root: &Table<'a, 'i>,
        key: &str,
        name: &'static str,
    ) -> Option<Table<'a, 'i>> {
        let Some((place, value)) = root.table.get_key_value(key) else {
            self.missing(root, name);
            return None;
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(value, key, "a table");
            return None;
        };
        Some(Table { name, table, place: place.span() })
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, key: &str, wanted: &str) {
        let is = value.get_ref().type_str();
        self.problem(value.span(), format!("`{key}` is {wanted}"), &format!("this is of type {is}"), None);
    }

    fn text(&mut self, table: &Table<'_, '_>, key: &str, check: Check) -> Option<String> {
        let Some(value) = table.table.get(key) else {
            self.missing(table, key);
            return None;
        };
        self.string(value, key, "a string", check)
    }

    /// The outer option is whether reading succeeded.
    #[expect(clippy::option_option, reason = "absent and unreadable are different answers")]
    fn optional_text(&mut self, table: &Table<'_, '_>, key: &str, check: Check) -> Option<Option<String>> {
        match table.table.get(key) {
            Some(value) => self.string(value, key, "a string", check).map(Some),
            None => Some(None),
        }
    }

    fn list(&mut self, table: &Table<'_, '_>, key: &str, check: Check) -> Option<Vec<String>> {
        let Some(value) = table.table.get(key) else {
            self.missing(table, key);
            return None;
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, key, "a list of strings");
            return None;
        };
        let mut items: Vec<String> = Vec::new();
        let mut complete = true;
        for item in array.iter() {
            match self.string(item, key, "a list of strings", check) {
                Some(text) if items.contains(&text) => {
                    self.problem(item.span(), format!("`{key}` names {text:?} twice"), "again here", None);
                }
                Some(text) => items.push(text),
                None => complete = false,
            }
        }
        complete.then_some(items)
    }

    fn string(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        wanted: &str,
        check: Check,
    ) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, key, wanted);
            return None;
        };
        if let Err(rule) = check(text) {
            self.problem(value.span(), format!("`{key}` cannot be {text:?}"), rule, None);
            return None;
        }
        Some(text.to_owned())
    }
}

/// Names go into apt's command line: none may look like an option or carry apt's own syntax (`name/release`, `name=version`, `name+`).
fn word(text: &str, extra: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
}

fn any(text: &str) -> Result<(), &'static str> {
    (!text.trim().is_empty()).then_some(()).ok_or("say in a line what it is")
}

fn release_name(text: &str) -> Result<(), &'static str> {
    word(text, "-").then_some(()).ok_or("a release is lower-case: `bookworm`, `bookworm-backports`")
}

fn package_name(text: &str) -> Result<(), &'static str> {
    // Debian policy 5.6.1; a final + or - means something else to apt.
    let ends_well = !text.ends_with(['+', '-', '.']);
    (text.len() > 1 && word(text, "+-.") && ends_well)
        .then_some(())
        .ok_or("a package name is lower-case letters, digits, `+`, `-` and `.`")
}

fn version(text: &str) -> Result<(), &'static str> {
    // Debian policy 5.6.12
    let fits = text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.~:".contains(c));
    fits.then_some(()).ok_or("a Debian version, like `6.1.176-1`")
}

fn command_name(text: &str) -> Result<(), &'static str> {
    word(text, "+-._").then_some(()).ok_or("the file name of a program, without folders")
}

fn module_name(text: &str) -> Result<(), &'static str> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    fits.then_some(()).ok_or("a module's name, without folders and `.ko`")
}

fn uri(text: &str) -> Result<(), &'static str> {
    let fits = text.split_once(":/").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    (fits && !text.contains(char::is_whitespace))
        .then_some(())
        .ok_or("the address of a Debian archive, `http://…/debian`")
}

fn absolute_path(text: &str) -> Result<(), &'static str> {
    (text.starts_with('/') && !text.contains(char::is_whitespace))
        .then_some(())
        .ok_or("an absolute path of a keyring")
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
        for problem in &problems {
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

    #[test]
    fn nothing_reaches_apt_that_could_be_an_option() {
        for bad in ["-y", "a b", "linux-image/sid", "x=1", "Foo", "a", "", "pkg-", "pkg+"] {
            assert!(package_name(bad).is_err(), "{bad}");
        }
        for good in ["libstdc++6", "linux-image-6.12.95+deb12-cloud-amd64", "0ad"] {
            assert!(package_name(good).is_ok(), "{good}");
        }
        assert!(version("6.1.176-1 --allow-unauthenticated").is_err());
        assert!(release_name("bookworm/../x").is_err());
    }
}
