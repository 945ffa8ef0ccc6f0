//! The claims that rig carries, and a reader's own.
//!
//! Holds finding them by id. Must not know what is in them. Units: none.
//! Errors: the problems of files and folders; they blame whoever wrote or named them. Tests: `tests.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::claim::Claim;
use super::read;
use crate::document::{Document, Problem, Problems, Value, closest, listing};

/// Id and text of every file of `rig/claims`: the build looks into the folder.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/claims.rs"));

static SHIPPED: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    let read = |(id, text): &(&str, &str)| {
        read::claim(id, &format!("{id}.toml"), text).expect("a test reads every shipped file")
    };
    FILES.iter().map(read).collect()
});

/// The claims of one run: the shipped ones and those of its reader's folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Set {
    own: Vec<Claim>,
    /// The files of the own ones, by id: they travel in the record.
    files: BTreeMap<String, String>,
    /// Ids of own files that this rig cannot read.
    unreadable: Vec<String>,
}

impl Set {
    /// The shipped ones.
    pub fn shipped() -> Self {
        Self::default()
    }

    /// The shipped ones, and every `*.toml` of a folder.
    ///
    /// # Errors
    /// The folder cannot be read or has no claim, or all problems of all files.
    pub fn with_folder(folder: &Path) -> Result<Self, Problems> {
        let wrong = |error: std::io::Error| {
            let mut problem =
                Problem::new(format!("the folder of claims {} cannot be read: {error}", folder.display()));
            problem.help("it is a folder with one file for each claim, `U1.toml`");
            Problems::from(problem)
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            let mut problem = Problem::new(format!("{} has no claim", folder.display()));
            problem.help("a claim is a file `ID.toml`; `rig docs claims` shows one");
            return Err(problem.into());
        }
        let (mut set, mut problems) = (Self::default(), Problems::default());
        for path in paths {
            let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            match fs::read_to_string(&path) {
                Ok(text) => match set.add(&id, &path.display().to_string(), text) {
                    Ok(()) => {}
                    Err(wrong) => problems.append(wrong),
                },
                Err(error) => problems
                    .append(Problem::new(format!("{} cannot be read: {error}", path.display())).into()),
            }
        }
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    fn add(&mut self, id: &str, name: &str, text: String) -> Result<(), Problems> {
        let claim = read::claim(id, name, &text)?;
        if shipped(id).is_some() {
            let mut problem =
                Problem::in_text(name, id, 0..id.len(), format!("rig has a claim {id} already"), "taken");
            problem.help("name the file otherwise: an id of your own begins with a letter that rig does not use, `U1.toml`");
            return Err(problem.into());
        }
        self.own.push(claim);
        self.files.insert(id.to_owned(), text);
        Ok(())
    }

    /// The shipped ones, and those whose files a record has. What this rig cannot read of them is left out and remembered.
    pub fn of_record(files: &BTreeMap<String, String>) -> Self {
        let mut set = Self::default();
        for (id, text) in files {
            if set.add(id, &format!("{id}.toml"), text.clone()).is_err() {
                set.unreadable.push(id.clone());
            }
        }
        set
    }

    /// The files of the own ones, by id.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The claim with this id.
    pub fn get(&self, id: &str) -> Option<&Claim> {
        shipped(id).or_else(|| self.own.iter().find(|claim| claim.id == id))
    }

    /// Whether the record has a file of this id that this rig cannot read.
    pub fn is_unreadable(&self, id: &str) -> bool {
        self.unreadable.iter().any(|one| one == id)
    }

    /// All of them: the shipped ones by document and id, then the own ones.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        SHIPPED.iter().chain(&self.own)
    }

    /// The own ones.
    pub fn own(&self) -> &[Claim] {
        &self.own
    }

    /// What to try instead of an id that there is not: the nearest ones.
    pub fn nearest(&self, id: &str) -> String {
        let ids: Vec<&str> = self.iter().map(|claim| claim.id.as_str()).collect();
        let letter = |one: &&&str| one.chars().next() == id.chars().next();
        let number =
            |one: &str| one.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap_or(0);
        let mut near: Vec<&str> = ids.iter().filter(letter).copied().collect();
        near.sort_by_key(|one| number(one).abs_diff(number(id)));
        near.truncate(4);
        near.sort_unstable();
        let near = match (closest(id, ids.iter().copied()), near.is_empty()) {
            (_, false) => format!("the nearest are {}; ", listing(near)),
            (Some(one), true) => format!("did you mean `{one}`? "),
            (None, true) => String::new(),
        };
        format!("{near}`rig claims` lists all of them, and `--claims DIR` adds claims of your own")
    }
}

/// The shipped claim with this id.
fn shipped(id: &str) -> Option<&'static Claim> {
    SHIPPED.iter().find(|claim| claim.id == id)
}

/// The shipped files, for the tests of this room.
#[cfg(test)]
pub(super) fn files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// What a scenario's file names under `claims` and no claim is.
///
/// # Errors
/// One problem for each such id, with its place. A file with other problems has none here.
pub fn refuse_unknown(name: &str, text: &str, set: &Set) -> Result<(), Problems> {
    let Ok((document, mut findings)) = Document::parse(name, text) else { return Ok(()) };
    let nodes = document.root.get("claims").and_then(|node| node.value.as_list()).unwrap_or_default();
    for node in nodes {
        if let Value::String(id) = &node.value
            && set.get(id).is_none()
        {
            let help = set.nearest(id);
            findings.report(node.span.clone(), format!("there is no claim `{id}`"), "not a claim").help(help);
        }
    }
    findings.finish(Some(()))
}
