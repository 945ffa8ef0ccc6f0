//! Where recipes are: a folder of the user's, and this binary.
//!
//! Must not know how images are built. Units: none.
//! Errors: [`ImageError`]: an unknown name, or all that is wrong with a file. Tests: below.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::error::ImageError;
use super::recipe::{self, Recipe};
use crate::document::hint;

/// The recipes in this binary, by name; the same files as in the tree.
pub const EMBEDDED: [(&str, &str); 2] =
    [("6.1", include_str!("../../../images/6.1.toml")), ("6.12", include_str!("../../../images/6.12.toml"))];

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
        let numbers =
            |name: &str| name.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect::<Vec<_>>();
        names.sort_by(|one, other| numbers(one).cmp(&numbers(other)).then_with(|| one.cmp(other)));
        names.dedup();
        names
    }

    /// The names of guests: what can be a value of the matrix's kernel axis.
    pub fn guests(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name != HOST);
        names
    }

    /// The recipe called `name`, or the file at that path.
    pub fn load(&self, name: &str) -> Result<Recipe, ImageError> {
        if name.contains('/') || name.ends_with(".toml") {
            return self.load_file(Path::new(name));
        }
        let path = self.folder.join(format!("{name}.toml"));
        if path.exists() {
            return self.load_file(&path);
        }
        match EMBEDDED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => parse(name, &format!("images/{name}.toml (in the binary)"), text),
            None => Err(ImageError::UnknownRecipe { name: name.to_owned(), help: self.hint(name) }),
        }
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
        let there_are = "or give the path of your own recipe; there are";
        hint(name, names.iter().map(String::as_str), there_are)
    }
}

fn parse(name: &str, path: &str, text: &str) -> Result<Recipe, ImageError> {
    recipe::parse(name, path, text).map_err(|problems| ImageError::Recipe { path: path.to_owned(), problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_by_name_by_folder_and_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let recipes = Recipes::of(folder.path());
        assert_eq!(recipes.names(), ["6.1", "6.12"]);
        let text = EMBEDDED[0].1.replace("Debian 12", "mine");
        for name in ["6.1", "6.9-own"] {
            fs::write(folder.path().join(format!("{name}.toml")), &text).unwrap();
        }
        assert_eq!(recipes.names(), ["6.1", "6.12", "6.9-own"]);
        assert!(recipes.load("6.1").unwrap().title.starts_with("mine"), "a file wins over the binary");
        let path = folder.path().join("6.9-own.toml").display().to_string();
        assert_eq!(recipes.load(&path).unwrap().name, "6.9-own");
        let error = recipes.load("6.11").unwrap_err();
        assert!(error.blames_input());
        let help = |error| miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
        let list = "or give the path of your own recipe; there are: `6.1`, `6.12`, `6.9-own`";
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
}
