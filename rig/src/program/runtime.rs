//! Interpreters that are more than a file: CPython with its library, a Java runtime.
//!
//! Python is asked where its library is; a stand-in (pyenv's shims) is asked for the interpreter behind it. Must not know parts. Units: none.
//! Errors: [`Fault::Silent`]: it does not answer. Tests: `tests.rs`, with the Python of this host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::error::Fault;
use super::find::base;
use super::tree::{shown, unreadable};

/// Isolated (`-I`), without `site` (`-S`): where its own files are, whatever the user's environment says.
const QUESTION: &str = "import json, sys, sysconfig\n\
    paths = [sysconfig.get_path(name) for name in ('stdlib', 'platstdlib')]\n\
    print(json.dumps({'executable': sys.executable, 'folders': paths}))";

/// What a Python says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Python {
    /// The interpreter behind whatever was asked.
    pub(super) executable: PathBuf,
    /// Its standard library.
    pub(super) folders: Vec<PathBuf>,
}

/// Whether a program of this name is CPython, or stands in for it.
pub(super) fn is_python(path: &Path) -> bool {
    let version = base(path).strip_prefix("python");
    version.is_some_and(|version| version.chars().all(|letter| letter.is_ascii_digit() || letter == '.'))
}

/// Asks a Python, in the folder in which the program will be started.
pub(super) fn ask_python(interpreter: &Path, directory: &Path) -> Result<Python, Fault> {
    let silent = |said: String| Fault::Silent { interpreter: shown(interpreter), said };
    let asked = Command::new(interpreter)
        .args(["-I", "-S", "-c", QUESTION])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| silent(error.to_string()))?;
    let read = serde_json::from_slice(&asked.stdout).ok().filter(|_| asked.status.success());
    let python: Python = read.ok_or_else(|| {
        let said = String::from_utf8_lossy(&asked.stderr);
        silent(said.lines().last().map_or_else(|| asked.status.to_string(), str::to_owned))
    })?;
    Ok(python)
}

/// The folders of the Java runtime whose launcher this is; none for anything else.
pub(super) fn java_folders(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    if base(path) != "java" {
        return Ok(vec![]);
    }
    let real = fs::canonicalize(path).map_err(unreadable(path))?;
    let Some(home) = real.parent().and_then(Path::parent) else { return Ok(vec![]) };
    Ok(["lib", "conf"].iter().map(|name| home.join(name)).filter(|folder| folder.is_dir()).collect())
}
