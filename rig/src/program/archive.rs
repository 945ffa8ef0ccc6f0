//! A program as a tar archive: every part at its own absolute path, with the links that lead to it.
//!
//! Reads each file while it is written, so that nothing is held. The same parts give the same bytes: owner root, time 0, fixed order.
//! Must not know where it is unpacked. Units: bytes. Errors: `io::Error` of the reader or the writer. Tests: `tests.rs`.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use rig_protocol::Program;
use tar::{Builder, EntryType, Header};

use super::tree::{Node, look, unreadable, walk};

/// Folders of a guest that stay its own; an archive has none of them, only what lies in them.
const OF_THE_GUEST: [&str; 6] = ["/dev", "/etc", "/proc", "/run", "/sys", "/tmp"];

/// As path_resolution(7) has it.
const MOST_LINKS: u32 = 40;

/// Writes all parts of a program, and the folder that it is started in.
///
/// # Errors
/// A part cannot be read, or `out` takes no more.
pub fn write_archive(program: &Program, out: &mut dyn Write) -> io::Result<()> {
    let mut archive = Archive { tar: Builder::new(out), written: BTreeSet::new() };
    archive.lead_to(Path::new(&program.directory))?;
    for part in &program.parts {
        let real = archive.lead_to(Path::new(&part.path))?;
        let mut failed = None;
        let walked = walk(&real, &mut |path, node| {
            archive.node(path, node).map_err(|error| {
                let fault = unreadable(path)(io::Error::from(error.kind()));
                // A reader that is gone must be told from a file that cannot be read: the kind stays.
                failed = Some(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                fault
            })
        });
        match (failed, walked) {
            (Some(error), _) => return Err(error),
            (None, walked) => walked.map_err(io::Error::other)?,
        }
    }
    archive.tar.finish()
}

struct Archive<'w> {
    tar: Builder<&'w mut dyn Write>,
    written: BTreeSet<PathBuf>,
}

impl Archive<'_> {
    /// Writes every folder and link on the way to `path`; gives where that leads.
    fn lead_to(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut left: VecDeque<OsString> = names(path).collect();
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        while let Some(name) = left.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(name);
            let node = look(&next).map_err(io::Error::other)?;
            if let Node::Link { target } = &node {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::other(format!("{}: too many links", path.display())));
                }
                self.node(&next, &node)?;
                names(Path::new(target)).rev().for_each(|name| left.push_front(name));
                if target.starts_with('/') {
                    at = PathBuf::from("/");
                }
                continue;
            }
            if matches!(node, Node::Folder { .. }) {
                self.node(&next, &node)?;
            }
            at = next;
        }
        Ok(at)
    }

    /// Writes one thing, once.
    fn node(&mut self, path: &Path, node: &Node) -> io::Result<()> {
        let kept =
            matches!(node, Node::Folder { .. }) && OF_THE_GUEST.iter().any(|own| path == Path::new(own));
        if kept || path == Path::new("/") || !self.written.insert(path.to_owned()) {
            return Ok(());
        }
        let name = path.strip_prefix("/").unwrap_or(path);
        let mut header = Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        match node {
            Node::Folder { mode } => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                self.tar.append_data(&mut header, name, io::empty())
            }
            Node::Link { target } => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                self.tar.append_link(&mut header, name, target)
            }
            Node::File { mode, bytes } => {
                header.set_mode(*mode);
                header.set_size(*bytes);
                // A file that has grown meanwhile must not run into the next header; one that has shrunk ends the archive.
                let mut content = File::open(path)?.take(*bytes);
                self.tar.append_data(&mut header, name, &mut Whole { content: &mut content })
            }
        }
    }
}

/// A file that ends before its size does is an error, and not a damaged archive.
struct Whole<'f> {
    content: &'f mut io::Take<File>,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.read(buffer)? {
            0 if self.content.limit() > 0 && !buffer.is_empty() => {
                Err(io::Error::other("it has become shorter while it was read"))
            }
            count => Ok(count),
        }
    }
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
