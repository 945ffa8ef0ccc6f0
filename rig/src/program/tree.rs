//! What is in a folder that goes with a program, in a fixed order; and what of a runtime's folder stays at home.
//!
//! Links are never followed. Must not know digests or archives. Units: bytes.
//! Errors: [`Fault`]: something in it cannot be read, is a device, or has a name that is no text. Tests: `tests.rs`.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::Fault;

/// One thing in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A file.
    File {
        /// Permission bits.
        mode: u32,
        /// Size.
        bytes: u64,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, as it is written.
        target: String,
    },
}

/// Visits a folder and all that is in it, parents first, names in byte order.
pub(super) fn walk(
    folder: &Path,
    visit: &mut dyn FnMut(&Path, &Node) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let skipped = Skipped::of(folder);
    walk_part(folder, &skipped, visit)
}

fn walk_part(
    path: &Path,
    skipped: &Skipped,
    visit: &mut dyn FnMut(&Path, &Node) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let node = look(path)?;
    visit(path, &node)?;
    if !matches!(node, Node::Folder { .. }) {
        return Ok(());
    }
    let unreadable = unreadable(path);
    let entries: io::Result<Vec<PathBuf>> =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_unstable();
    entries
        .iter()
        .filter(|entry| !skipped.skips(entry))
        .try_for_each(|entry| walk_part(entry, skipped, visit))
}

/// What is at `path`, its links not followed.
pub(super) fn look(path: &Path) -> Result<Node, Fault> {
    let metadata = fs::symlink_metadata(path).map_err(unreadable(path))?;
    text(path)?;
    let mode = permissions(&metadata);
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(Node::Folder { mode });
    }
    if kind.is_file() {
        return Ok(Node::File { mode, bytes: metadata.len() });
    }
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(unreadable(path))?;
        return Ok(Node::Link { target: text(&target)?.to_owned() });
    }
    Err(Fault::Special { path: shown(path), kind: special(kind) })
}

/// A set-user-id bit would have no effect under a witness: it stays at home.
fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o1777
}

/// The beginning of a file: enough for an ELF header or a script's first line.
pub(super) fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn special(kind: FileType) -> &'static str {
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let path = shown(path);
    move |error| Fault::Unreadable { path, why: error.to_string() }
}

pub(super) fn text(path: &Path) -> Result<&str, Fault> {
    path.to_str().ok_or_else(|| Fault::NotText { path: shown(path) })
}

pub(super) fn shown(path: &Path) -> String {
    // A carriage return at the end of a script's first line is not to be seen otherwise.
    let escaped = |letter: char| {
        let escapes =
            if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() };
        escapes.chars().collect::<Vec<_>>()
    };
    path.display().to_string().chars().flat_map(escaped).collect()
}

/// Whether a part at `folder` takes along what lies at `path`.
pub(super) fn holds(folder: &Path, path: &Path) -> bool {
    let Ok(inner) = path.strip_prefix(folder) else { return false };
    let skipped = Skipped::of(folder);
    inner.ancestors().all(|ancestor| !skipped.skips(&folder.join(ancestor)))
}

/// What of a folder stays at home. A rule of its content alone, so that the same folder is the same part whoever asks.
enum Skipped {
    /// Nothing.
    Nothing,
    /// Tests, caches, what installers need, and packages of others: those that a program imports the user gives by `with`.
    OfPython,
    /// Sources.
    OfJava,
}

impl Skipped {
    fn of(folder: &Path) -> Self {
        let has = |names: [&str; 2]| names.iter().all(|name| folder.join(name).exists());
        if has(["os.py", "encodings"]) {
            Self::OfPython
        } else if has(["modules", "libjli.so"]) {
            Self::OfJava
        } else {
            Self::Nothing
        }
    }

    fn skips(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::Nothing => false,
            Self::OfPython => {
                ["test", "tests", "idlelib", "ensurepip", "__pycache__", "site-packages", "dist-packages"]
                    .contains(&&*name)
                    || name.starts_with("config-")
            }
            Self::OfJava => name == "src.zip",
        }
    }
}
