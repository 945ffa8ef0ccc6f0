//! Where recipes are: a folder of the user's, and this binary.
//!
//! An exact version ([`Exact`]) needs no file: its recipe is that of its series, `6.12` for `6.12.95`, or [`NEWEST`] where the series has none.
//! Must not know how images are built. Units: none.
//! Errors: [`ImageError`]: an unknown name, or all that is wrong with a file. Tests: below.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::cache::Cache;
use super::error::ImageError;
use super::exact::{Exact, series};
use super::own::Own;
use super::recipe::{self, KernelRecipe, Recipe};
use crate::document::hint;

/// The recipes in this binary, by name; the same files as in the tree.
pub const EMBEDDED: [(&str, &str); 5] = [
    ("5.10", include_str!("../../../images/5.10.toml")),
    ("6.1", include_str!("../../../images/6.1.toml")),
    ("6.1-full", include_str!("../../../images/6.1-full.toml")),
    ("6.12", include_str!("../../../images/6.12.toml")),
    (NEWEST, include_str!("../../../images/newest.toml")),
];

/// The recipe that follows the newest kernel: where an exact version is looked for whose series has no recipe.
pub const NEWEST: &str = "newest";

/// What a guest boots where nobody says which kernel.
pub const USUAL: &str = "6.1";

/// The one recipe that is no guest's: the emulated KVM host of `rig rehearse`.
pub const HOST: &str = "rehearsal";

/// Where recipes are looked for: this folder first (a checkout's `images`), then the binary.
#[derive(Debug, Clone)]
pub struct Recipes {
    folder: PathBuf,
}

/// Where a user's own recipes lie, seen from where rig is started.
pub const FOLDER: &str = "images";

impl Default for Recipes {
    fn default() -> Self {
        Self { folder: FOLDER.into() }
    }
}

impl Recipes {
    /// With the files of `folder` before those of the binary.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// All names, in order: by version where names are versions.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = EMBEDDED.iter().map(|(name, _)| (*name).to_owned()).collect();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if let (Some("toml"), Some(stem)) =
                (path.extension().and_then(|e| e.to_str()), path.file_stem().and_then(|s| s.to_str()))
            {
                names.push(stem.to_owned());
            }
        }
        // `6.1-full` is a 6.1.
        let number =
            |part: &str| part.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX);
        let numbers = |name: &str| name.split('.').map(number).collect::<Vec<_>>();
        names.sort_by(|one, other| numbers(one).cmp(&numbers(other)).then_with(|| one.cmp(other)));
        names.dedup();
        names
    }

    /// The names of guests: what can be a value of the matrix's kernel axis. First that which is booted where nobody says which.
    pub fn guests(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name != HOST);
        // Stable: the others stay in order.
        names.sort_by_key(|name| name != USUAL);
        names
    }

    /// All names, and behind that of a series the exact versions of it that have come to an image in `cache`.
    pub fn names_with(&self, cache: &Cache) -> Vec<String> {
        let mut names = self.names();
        let exact = |name: &String| !names.contains(name) && Exact::parse(name).is_some();
        let exact: Vec<String> = cache.names().into_iter().filter(exact).collect();
        for name in exact {
            let series = self.of_series(&name);
            let at = names.iter().position(|known| Some(known) == series.as_ref());
            names.insert(at.map_or(names.len(), |at| at + 1), name);
        }
        names
    }

    /// The recipe of a guest that a kernel of this version belongs to: the series' own, or [`NEWEST`]. None where neither is there.
    pub fn of_series(&self, version: &str) -> Option<String> {
        let series = series(version)?;
        let guests = self.guests();
        [series, NEWEST].into_iter().find(|name| guests.iter().any(|guest| guest == name)).map(str::to_owned)
    }

    /// The recipe called `name`, the file at that path, that of the kernel at that path, or the recipe of exactly that version.
    pub fn load(&self, name: &str) -> Result<Recipe, ImageError> {
        if name.ends_with(".toml") {
            return self.load_file(Path::new(name));
        }
        if name.contains('/') || name.starts_with('.') {
            return self.load_own(name, Path::new(name));
        }
        let path = self.folder.join(format!("{name}.toml"));
        if path.exists() {
            return self.load_file(&path);
        }
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => parse(name, &format!("images/{name}.toml (in the binary)"), text),
            None => self.load_exact(name),
        }
    }

    /// As [`Recipes::load`], where a kernel that is named by its path lies at `at`, seen from where it was named.
    pub fn load_at(&self, name: &str, at: Option<&Path>) -> Result<Recipe, ImageError> {
        match at {
            None => self.load(name),
            Some(file) if name.ends_with(".toml") => {
                Ok(Recipe { name: name.to_owned(), ..self.load_file(file)? })
            }
            Some(at) => self.load_own(name, at),
        }
    }

    /// The recipe of the kernel at a path: the usual one but for its kernel.
    fn load_own(&self, name: &str, at: &Path) -> Result<Recipe, ImageError> {
        let Recipe { initramfs, mirror, .. } = self.load(USUAL)?;
        let at = std::path::absolute(at).unwrap_or_else(|_| at.to_owned());
        let kernel = KernelRecipe::own(Own::Path(at));
        Ok(Recipe {
            name: name.to_owned(),
            title: format!("the kernel at {name}"),
            kernel,
            initramfs,
            mirror,
        })
    }

    /// Whether there is one of this name, right or wrong: a recipe's own, or that of an exact version.
    pub fn has(&self, name: &str) -> bool {
        !matches!(self.load(name), Err(ImageError::UnknownRecipe { .. }))
    }

    fn load_exact(&self, word: &str) -> Result<Recipe, ImageError> {
        let unknown = || ImageError::UnknownRecipe { name: word.to_owned(), help: self.hint(word) };
        let exact = Exact::parse(word).ok_or_else(unknown)?;
        let mut recipe = self.load(&self.of_series(word).ok_or_else(unknown)?)?;
        if recipe.kernel.own.is_some() {
            return Err(unknown());
        }
        recipe.title = format!("{}: exactly {exact}", recipe.title);
        recipe.name = word.to_owned();
        recipe.kernel.version = None;
        recipe.kernel.exact = Some(exact);
        Ok(recipe)
    }

    fn load_file(&self, path: &Path) -> Result<Recipe, ImageError> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("image");
        let text = fs::read_to_string(path).map_err(|source| ImageError::UnknownRecipe {
            name: path.display().to_string(),
            help: format!("{source}\n{}", self.hint(name)),
        })?;
        parse(name, &path.display().to_string(), &text)
    }

    fn hint(&self, name: &str) -> String {
        let names = self.names();
        let there_are = "or give an exact version, like `6.12.95`, or the path of your own recipe; there are";
        hint(name, names.iter().map(String::as_str), there_are)
    }
}

fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, ImageError> {
    recipe::parse(name, path, text).map_err(|problems| ImageError::Recipe { path: path.to_owned(), problems })
}

#[cfg(test)]
mod tests {
    use super::super::cache;
    use super::*;

    #[test]
    fn recipes_by_name_by_folder_and_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let recipes = Recipes::of(folder.path());
        assert_eq!(recipes.names(), ["5.10", "6.1", "6.1-full", "6.12", "newest"]);
        let text = EMBEDDED[1].1.replace("Debian 12", "mine");
        for name in ["6.1", "6.9-own"] {
            fs::write(folder.path().join(format!("{name}.toml")), &text).unwrap();
        }
        assert_eq!(recipes.names(), ["5.10", "6.1", "6.1-full", "6.9-own", "6.12", "newest"]);
        assert_eq!(recipes.guests()[0], "6.1", "booted where nobody says which");
        assert!(recipes.load("6.1").unwrap().title.starts_with("mine"), "a file wins over the binary");
        let path = folder.path().join("6.9-own.toml").display().to_string();
        assert_eq!(recipes.load(&path).unwrap().name, "6.9-own");
        let own = recipes.load("./linux").unwrap();
        assert_eq!((own.name.as_str(), own.title.as_str()), ("./linux", "the kernel at ./linux"));
        assert_eq!(own.initramfs, recipes.load("6.1").unwrap().initramfs, "the reader's own 6.1");
        let at = |at: &str| recipes.load_at("../linux", Some(Path::new(at))).unwrap().kernel.own;
        assert_eq!(at("/a/linux"), Some(Own::Path("/a/linux".into())));
        assert_eq!(recipes.load_at("./x.toml", Some(Path::new(&path))).unwrap().name, "./x.toml");
        let error = recipes.load("6.11").unwrap_err();
        assert!(error.blames_input());
        let help = |error| miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
        let list = "or give an exact version, like `6.12.95`, or the path of your own recipe; \
                    there are: `5.10`, `6.1`, `6.1-full`, `6.9-own`, `6.12`, `newest`";
        assert_eq!(help(error), format!("did you mean `6.1`?\n{list}"));
        assert_eq!(help(recipes.load("trixie").unwrap_err()), list);
        assert!(
            help(recipes.load("6.11.toml").unwrap_err()).ends_with(&format!("did you mean `6.1`?\n{list}"))
        );
        fs::write(folder.path().join("bad.toml"), "x = 1").unwrap();
        assert!(matches!(recipes.load("bad"), Err(ImageError::Recipe { .. })));
        for (name, _) in EMBEDDED {
            Recipes::of("nowhere").load(name).unwrap();
        }
    }

    #[test]
    fn an_exact_version_has_the_recipe_of_its_series() {
        let folder = tempfile::tempdir().unwrap();
        let recipes = Recipes::of(folder.path());
        let release = |word: &str| recipes.load(word).map(|recipe| recipe.kernel.release).ok();
        for (word, of) in [
            ("6.1.0-50", "bookworm"),
            ("6.12.95", "bookworm-backports"),
            ("6.18.9", "trixie-backports"),
            ("5.10.262-1", "bullseye"),
        ] {
            assert_eq!(release(word).as_deref(), Some(of), "{word}");
        }
        let recipe = recipes.load("6.12.95").unwrap();
        assert_eq!((recipe.name.as_str(), recipe.kernel.exact), ("6.12.95", Exact::parse("6.12.95")));
        for word in ["6.11", "6.12.x", "host", "6.1-50"] {
            assert!(matches!(recipes.load(word), Err(ImageError::UnknownRecipe { .. })), "{word}");
        }
        // A file of the reader's own for a series takes its exact versions along, and one for a version is that version.
        let text = EMBEDDED[1].1.replace("bookworm", "forky");
        fs::write(folder.path().join("6.18.toml"), &text).unwrap();
        assert_eq!(release("6.18.9").as_deref(), Some("forky"));
        fs::write(folder.path().join("6.12.95.toml"), &text).unwrap();
        assert_eq!(recipes.load("6.12.95").unwrap().kernel.exact, None);
    }

    #[test]
    fn exact_versions_that_are_built_stand_behind_their_series() {
        let (_folder, cache) = cache::tests::cache();
        for name in ["6.1", "6.1.0-50", "6.18.9", "gone"] {
            cache::tests::put(&cache, name, &cache::tests::built(name, name));
        }
        let names = Recipes::of("nowhere").names_with(&cache);
        assert_eq!(names, ["5.10", "6.1", "6.1.0-50", "6.1-full", "6.12", "newest", "6.18.9"]);
    }
}
