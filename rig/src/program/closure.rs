//! From a program's name to all that it consists of: files are followed one after the other, and each becomes a part once.
//!
//! Must not know where a part goes. Units: bytes. Errors: [`ProgramError`]. Tests: `tests.rs`, `wrong.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rig_protocol::Part;

use super::digest::digest;
use super::error::{About, Fault, ProgramError};
use super::find::{self, base};
use super::loader::{self, Loader};
use super::packed::{Asked, MOST_BYTES, Packed};
use super::tree::{Node, beginning, holds, shown, special, text, unreadable, walk};
use super::{runtime, script};
use crate::elf::{Elf, foreign};
use crate::process::{complete_path, find_program};

/// As deep as the kernel follows scripts whose interpreter is a script (fs/exec.c, exec_binprm).
const MOST_DEPTH: u32 = 5;

/// The folders of a guest's PATH.
const GUEST_PATH: [&str; 4] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"];

/// Finds the program and all that it consists of.
pub(super) fn pack(asked: &Asked) -> Result<Packed, ProgramError> {
    let mut closure = Closure { directory: asked.directory.clone(), ..Closure::default() };
    let of_program = |fault: Fault| fault.about(About::Program);
    let mut path = find::program(&asked.name, &asked.directory).map_err(of_program)?;
    find::executable(&path).map_err(of_program)?;
    path = closure.behind_stand_in(path).map_err(of_program)?;
    closure.program(&path, MOST_DEPTH).map_err(of_program)?;
    for (at, command) in asked.before.iter().enumerate() {
        closure.command(command).map_err(|fault| fault.about(About::Before(at)))?;
    }
    for (at, name) in asked.with.iter().enumerate() {
        closure.with(name).map_err(|fault| fault.about(About::With(at)))?;
    }
    let of_input = |fault: Fault| fault.about(About::Input);
    let input = asked.input.as_ref().map(|name| closure.input(name)).transpose().map_err(of_input)?;
    let directory = fs::canonicalize(&asked.directory)
        .map_err(unreadable(&asked.directory))
        .and_then(|at| text(&at).map(str::to_owned))
        .map_err(of_program)?;
    closure.note_links();
    let (search_path, notes) = (closure.search_path.take(), std::mem::take(&mut closure.notes));
    let parts = closure.rows().map_err(of_program)?;
    Ok(Packed { path: shown(&path), directory, input, search_path, parts, notes })
}

#[derive(Debug, Default)]
struct Closure {
    directory: PathBuf,
    /// Files and folders that are parts.
    parts: BTreeSet<PathBuf>,
    /// The folders among them that the user gave.
    given: Vec<PathBuf>,
    /// Names of the program's own libraries: a plug-in finds them mapped.
    mapped: Vec<String>,
    loader: Option<Loader>,
    search_path: Option<String>,
    notes: Vec<String>,
}

impl Closure {
    /// The interpreter itself, where the program is a script that stands in for a Python.
    fn behind_stand_in(&self, path: PathBuf) -> Result<PathBuf, Fault> {
        if !runtime::is_python(&path) || !is_script(&path)? {
            return Ok(path);
        }
        Ok(runtime::ask_python(&path, &self.directory)?.executable)
    }

    /// A file that is executed, and all that this needs.
    fn program(&mut self, path: &Path, depth: u32) -> Result<(), Fault> {
        if !self.parts.insert(path.to_owned()) {
            return Ok(());
        }
        let begin = beginning(path).map_err(unreadable(path))?;
        if let Some(machine) = foreign(&begin) {
            return Err(Fault::Foreign { path: shown(path), machine });
        }
        if Elf::recognises(&begin) {
            self.elf(path)?;
            return self.runtime(path);
        }
        let line = script::first_line(&begin).ok_or_else(|| Fault::NoFirstLine { path: shown(path) })?;
        if depth == 0 {
            return Err(Fault::TooDeep { script: shown(path), depth: MOST_DEPTH });
        }
        let of_script = |why: Fault| match why {
            deep @ Fault::TooDeep { .. } => deep,
            why => Fault::Interpreter { script: shown(path), why: Box::new(why) },
        };
        let interpreter = PathBuf::from(&line.interpreter);
        self.interpreter(&interpreter, depth).map_err(of_script)?;
        if let Some(name) = line.sought_by_env() {
            self.sought(name, depth).map_err(of_script)?;
        }
        let reader = line.sought_by_env().unwrap_or(base(&interpreter));
        if script::is_shell(reader) {
            let text = fs::read(path).map_err(unreadable(path))?;
            self.programs_named_in(&String::from_utf8_lossy(&text), depth);
        }
        Ok(())
    }

    /// What a first line names.
    fn interpreter(&mut self, path: &Path, depth: u32) -> Result<(), Fault> {
        let absolute = find::file(&path.to_string_lossy(), &self.directory)?;
        find::executable(&absolute)?;
        if runtime::is_python(path) && is_script(&absolute)? {
            let real = shown(&runtime::ask_python(&absolute, &self.directory)?.executable);
            return Err(Fault::StandIn { path: shown(path), real });
        }
        // As it is written: the kernel follows that.
        self.program(path, depth - 1)
    }

    /// What env(1) finds on PATH. The real one behind a stand-in is found there too, with its folder first.
    fn sought(&mut self, name: &str, depth: u32) -> Result<(), Fault> {
        let found = find::program(name, &self.directory)?;
        find::executable(&found)?;
        let mut real = self.behind_stand_in(found.clone())?;
        let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
        if real != found && base(&real) != name {
            let named = folder.join(name);
            if !named.exists() {
                return Err(Fault::StandIn { path: shown(&found), real: shown(&real) });
            }
            real = named;
        }
        if !GUEST_PATH.iter().any(|own| folder == Path::new(own)) {
            let path = complete_path();
            let all = std::iter::once(folder).chain(std::env::split_paths(&path));
            self.search_path = std::env::join_paths(all).ok().and_then(|all| all.into_string().ok());
        }
        self.program(&real, depth - 1)
    }

    /// Programs whose names stand in a shell script. What cannot go along is missed there as any other command is: the script says so.
    fn programs_named_in(&mut self, text: &str, depth: u32) {
        for word in script::words(text) {
            let found = match word.contains('/') {
                true => Some(self.directory.join(word)).filter(|path| path.is_file()),
                false => find_program(word),
            };
            let Some(path) = found.filter(|path| find::executable(path).is_ok()) else { continue };
            let before = self.parts.clone();
            if depth == 0 || self.program(&path, depth - 1).is_err() {
                self.parts = before;
            }
        }
    }

    /// A command for /bin/sh.
    fn command(&mut self, command: &str) -> Result<(), Fault> {
        self.interpreter(Path::new("/bin/sh"), MOST_DEPTH)?;
        self.programs_named_in(command, MOST_DEPTH);
        Ok(())
    }

    /// An ELF file's loader and libraries; all of them must be there.
    fn elf(&mut self, path: &Path) -> Result<(), Fault> {
        let bytes = fs::read(path).map_err(unreadable(path))?;
        let damaged =
            |error: crate::elf::ElfError| Fault::Damaged { path: shown(path), why: error.to_string() };
        let Some(interpreter) = Elf::parse(&bytes).and_then(|elf| elf.interpreter()).map_err(damaged)? else {
            return Ok(());
        };
        drop(bytes);
        if fs::metadata(&interpreter).is_err() {
            return Err(Fault::NoLoader { path: shown(path), loader: interpreter });
        }
        self.parts.insert(PathBuf::from(&interpreter));
        let loader = Loader::of(&interpreter);
        self.loader.get_or_insert(loader);
        let brought = loader::libraries(path, loader, &[])?;
        if let Some(lost) = brought.lost.into_iter().next() {
            return Err(lost.into());
        }
        self.mapped.extend(brought.libraries.iter().map(|path| base(path).to_owned()));
        self.parts.extend(brought.libraries);
        self.parts.extend(brought.index.map(PathBuf::from));
        Ok(())
    }

    /// What an interpreter needs besides itself.
    fn runtime(&mut self, path: &Path) -> Result<(), Fault> {
        let folders = match runtime::is_python(path) {
            true => runtime::ask_python(path, &self.directory)?.folders,
            false => runtime::java_folders(path)?,
        };
        for folder in folders {
            if self.parts.insert(folder.clone()) {
                self.folder(&folder, false)?;
            }
        }
        // The launcher of a virtual environment finds by this file whose library it uses (PEP 405).
        if runtime::is_python(path) {
            let near = path.ancestors().skip(1).take(2).map(|folder| folder.join("pyvenv.cfg"));
            self.parts.extend(near.filter(|file| file.is_file()));
        }
        Ok(())
    }

    /// A file or folder that the user gave.
    fn with(&mut self, name: &str) -> Result<(), Fault> {
        let path = find::file(name, &self.directory)?;
        if path.is_dir() {
            self.parts.insert(path.clone());
            let real = fs::canonicalize(&path).map_err(unreadable(&path))?;
            self.given.push(real.clone());
            return self.folder(&real, true);
        }
        readable(&path)?;
        let begin = beginning(&path).map_err(unreadable(&path))?;
        if script::first_line(&begin).is_some() && find::executable(&path).is_ok() {
            return self.program(&path, MOST_DEPTH);
        }
        self.parts.insert(path.clone());
        if Elf::recognises(&begin) { self.plug_in(&path, true) } else { Ok(()) }
    }

    fn input(&mut self, name: &str) -> Result<String, Fault> {
        let path = find::file(name, &self.directory)?;
        if path.is_dir() {
            return Err(Fault::Folder { path: shown(&path) });
        }
        readable(&path)?;
        self.parts.insert(path.clone());
        Ok(text(&path)?.to_owned())
    }

    /// What the ELF files and links of a folder need. Of a runtime's folder (not `given`) targets of links go along, and nothing is said.
    fn folder(&mut self, folder: &Path, given: bool) -> Result<(), Fault> {
        let (mut elf_files, mut links) = (vec![], vec![]);
        walk(folder, &mut |path, node| {
            match node {
                Node::File { .. } => {
                    let begin = beginning(path).map_err(unreadable(path))?;
                    if Elf::recognises(&begin) && foreign(&begin).is_none() {
                        elf_files.push(path.to_owned());
                    }
                }
                Node::Link { .. } => links.push(path.to_owned()),
                Node::Folder { .. } => {}
            }
            Ok(())
        })?;
        if !given {
            let targets = links.iter().filter_map(|link| fs::canonicalize(link).ok());
            let outside = targets.filter(|target| target.is_file() && !target.starts_with(folder));
            self.parts.extend(outside.collect::<Vec<_>>());
        }
        elf_files.iter().try_for_each(|path| self.plug_in(path, given))
    }

    /// An ELF file that may be executed or loaded. What it lacks is said where the user gave it: perhaps it is never used.
    fn plug_in(&mut self, path: &Path, given: bool) -> Result<(), Fault> {
        let bytes = fs::read(path).map_err(unreadable(path))?;
        // A file that only looks like one is content.
        let Ok(interpreter) = Elf::parse(&bytes).and_then(|elf| elf.interpreter()) else { return Ok(()) };
        drop(bytes);
        let loader = match &interpreter {
            Some(file) => Loader::of(file),
            None => self.loader.unwrap_or(Loader::Glibc),
        };
        let there = if interpreter.is_some() { &[][..] } else { &self.mapped };
        let Ok(brought) = loader::libraries(path, loader, there) else { return Ok(()) };
        self.parts.extend(interpreter.map(PathBuf::from).filter(|file| file.exists()));
        self.parts.extend(brought.libraries);
        self.parts.extend(brought.index.map(PathBuf::from));
        if given {
            let said = brought.lost.iter().map(|lost| {
                format!("{} needs the library {}, which is not on this host", lost.needed_by, lost.library)
            });
            self.notes.extend(said);
        }
        Ok(())
    }

    /// Links of the user's folders that lead to nothing that goes along.
    fn note_links(&mut self) {
        let mut notes = Vec::new();
        for folder in &self.given {
            let noted = walk(folder, &mut |path, node| {
                let Node::Link { target } = node else { return Ok(()) };
                let end = fs::canonicalize(path);
                let lost = match &end {
                    Ok(end) => !self.parts.iter().any(|part| goes_with(part, end)),
                    Err(_) => true,
                };
                if lost {
                    let there = if end.is_ok() { "which does not go along" } else { "which is not there" };
                    notes.push(format!("{} is a link to {target}, {there}", path.display()));
                }
                Ok(())
            });
            debug_assert!(noted.is_ok(), "the folder was walked before");
        }
        self.notes.extend(notes);
    }

    /// The rows: no part in another, none too large.
    fn rows(&self) -> Result<Vec<Part>, Fault> {
        let folders: Vec<&PathBuf> = self.parts.iter().filter(|part| part.is_dir()).collect();
        let real: BTreeMap<&PathBuf, PathBuf> =
            folders.iter().filter_map(|part| Some((*part, fs::canonicalize(part).ok()?))).collect();
        let inside = |path: &&PathBuf| {
            let at = fs::canonicalize(path).unwrap_or_else(|_| (*path).clone());
            folders.iter().any(|folder| {
                let other = *folder != *path;
                other
                    && (holds(folder, path)
                        || (at == **path && real.get(folder).is_some_and(|folder| holds(folder, path))))
            })
        };
        let mut rows = Vec::new();
        let mut total = 0_u64;
        for path in self.parts.iter().filter(|path| !inside(path)) {
            total = total.saturating_add(size(path)?);
            if total > MOST_BYTES {
                return Err(self.too_large());
            }
            rows.push(digest(path)?);
        }
        Ok(rows)
    }

    fn too_large(&self) -> Fault {
        let largest = self.parts.iter().map(|path| (size(path).unwrap_or(0), path)).max();
        let (bytes, path) = largest.map_or((0, String::new()), |(bytes, path)| (bytes, shown(path)));
        Fault::TooLarge { path, bytes }
    }
}

/// Whether a part takes along what lies at the real path `end`.
fn goes_with(part: &Path, end: &Path) -> bool {
    fs::canonicalize(part).is_ok_and(|part| part == end || (part.is_dir() && holds(&part, end)))
}

fn is_script(path: &Path) -> Result<bool, Fault> {
    Ok(script::first_line(&beginning(path).map_err(unreadable(path))?).is_some())
}

/// Whether it is a file that can be read.
fn readable(path: &Path) -> Result<(), Fault> {
    let kind = fs::metadata(path).map_err(unreadable(path))?.file_type();
    if !kind.is_file() {
        return Err(Fault::Special { path: shown(path), kind: special(kind) });
    }
    File::open(path).map(drop).map_err(unreadable(path))
}

/// Size of all content, without reading it.
fn size(path: &Path) -> Result<u64, Fault> {
    let metadata = fs::metadata(path).map_err(unreadable(path))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let real = fs::canonicalize(path).map_err(unreadable(path))?;
    let mut total = 0_u64;
    walk(&real, &mut |_, node| {
        if let Node::File { bytes, .. } = node {
            total = total.saturating_add(*bytes);
        }
        Ok(())
    })?;
    Ok(total)
}
