//! The files of a run as a tar file under gzip: written, and unpacked with care.
//!
//! Holds which files belong to a run and how they lie in an archive; the same files give the same bytes: in one order, without times and owners. gzip, and not zstd, whose crate
//! builds a library in C: what every host's tar(1) opens needs no compiler of another language. Must not know where an archive comes from or goes to.
//! Units: bytes. Errors: [`RecordError`], and [`Unpackable`], which tells the archive from the disk. Tests: here, `tests/golden/travel.rs`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, EntryType, Header};

use super::id::is_name;
use super::{Folder, Layout, RecordError};

/// What is packed.
pub(super) struct Contents {
    /// Names under the run's folder.
    pub(super) names: Vec<String>,
    /// Number of files with packets that are not among them.
    pub(super) left_out: usize,
}

/// Everything of a run but what was rendered from it. Packets of more than `most_capture` bytes in all are left out.
pub(super) fn contents(folder: &Folder, most_capture: Option<u64>) -> Result<Contents, RecordError> {
    let mut names = vec![Layout::RUN.to_owned(), Layout::JOURNAL.to_owned()];
    let mut left_out = 0;
    for below in Layout::FOLDERS {
        let found = match folder.list(below) {
            Ok(found) => found,
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error),
        };
        let too_large = match most_capture {
            Some(most) if below == Layout::CAPTURE => size_of(folder, &found)? > most,
            Some(_) | None => false,
        };
        if too_large {
            left_out = found.len();
        } else {
            names.extend(found);
        }
    }
    Ok(Contents { names, left_out })
}

fn size_of(folder: &Folder, names: &[String]) -> Result<u64, RecordError> {
    names.iter().map(|name| length(folder, name, &folder.file(name)?)).sum()
}

fn length(folder: &Folder, name: &str, file: &File) -> Result<u64, RecordError> {
    Ok(file.metadata().map_err(RecordError::disk("read", &folder.at(name)))?.len())
}

/// Writes the archive of these files, all below a folder `root` where one is given.
///
/// # Errors
/// [`RecordError::NotARun`]; what the disk says. `sink` fails as `write` of the folder's name.
pub(super) fn write<W: Write>(
    folder: &Folder,
    names: &[String],
    root: Option<&str>,
    sink: W,
) -> Result<W, RecordError> {
    let failed = || RecordError::disk("pack", folder.path());
    let gzip = GzBuilder::new().mtime(0).write(sink, Compression::default());
    let mut tar = Builder::new(gzip);
    for name in names {
        let file = match folder.file(name) {
            Ok(file) => file,
            Err(error) if error.is_missing() && name == Layout::RUN => {
                return Err(RecordError::NotARun { dir: folder.path().to_owned() });
            }
            // A run that has just begun has no journal; a file that goes meanwhile is somebody else's doing.
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error),
        };
        let size = length(folder, name, &file)?;
        // ustar has room for every name that a run can have, without entries that only carry a name.
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        let name = root.map_or_else(|| name.clone(), |root| format!("{root}/{name}"));
        tar.append_data(&mut header, &name, Whole { file, left: size }).map_err(failed())?;
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(failed())
}

/// So many bytes of a file: what is appended meanwhile is left, and one that became shorter is an error and no archive that nobody can read.
struct Whole {
    file: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// What an archive may at most become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of all its files together, with what tar writes around them.
    pub(super) bytes: u64,
    /// How many of them.
    pub(super) files: usize,
}

/// Why an archive is not unpacked.
pub(super) enum Unpackable {
    /// What is wrong with it, in words that go on after its name.
    Archive(String),
    /// The disk refused.
    Disk(RecordError),
}

impl From<String> for Unpackable {
    fn from(what: String) -> Self {
        Self::Archive(what)
    }
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Unpackable + use<> {
    let failed = RecordError::disk(doing, path);
    move |error| Unpackable::Disk(failed(error))
}

/// Unpacks the files of a run, which may all lie below one folder, into a folder. Names that no run has are refused, and so is all that is no file or would lie outside.
pub(super) fn unpack(archive: impl Read, limits: Limits, into: &Path) -> Result<(), Unpackable> {
    let unreadable = |error: io::Error| Unpackable::Archive(format!("cannot be unpacked: {error}"));
    for below in Layout::FOLDERS {
        fs::create_dir(into.join(below)).map_err(disk("make", &into.join(below)))?;
    }
    let bounded = Bounded { inner: GzDecoder::new(archive), left: limits.bytes, most: limits.bytes };
    let mut tar = Archive::new(bounded);
    let (mut root, mut files) = (None, 0);
    // Raw: an entry that only carries another one's name or attributes would be read into memory, however long it says it is.
    for entry in tar.entries().map_err(unreadable)?.raw(true) {
        let mut entry = entry.map_err(unreadable)?;
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let name = of_a_run(&full, &mut root).filter(|_| kind.is_file());
        let name = name.ok_or_else(|| format!("has {full:?}, which a run does not have"))?;
        files += 1;
        if files > limits.files {
            return Err(format!("has more than {} files, which no run has", limits.files).into());
        }
        let path = into.join(name);
        let mut file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!("has {full:?} twice").into(),
            _ => disk("write", &path)(error),
        })?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match entry.read(&mut buffer).map_err(unreadable)? {
                0 => break,
                read => file.write_all(&buffer[..read]).map_err(disk("write", &path))?,
            }
        }
    }
    // Behind the last file: an archive that was cut there, or whose checksum is another, is not whole.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(unreadable)?;
    if into.join(Layout::RUN).exists() { Ok(()) } else { Err("has no run.json".to_owned().into()) }
}

/// The name under the run's folder, if it is one that a run can have. The first name says whether all lie below a folder, and which.
fn of_a_run<'n>(full: &'n str, root: &mut Option<String>) -> Option<&'n str> {
    let root = root.get_or_insert_with(|| {
        let (first, rest) = full.split_once('/').unwrap_or(("", full));
        let is_root = is_name(first) && is_file_of_a_run(rest) && !is_file_of_a_run(full);
        if is_root { format!("{first}/") } else { String::new() }
    });
    full.strip_prefix(root.as_str()).filter(|name| is_file_of_a_run(name))
}

fn is_file_of_a_run(name: &str) -> bool {
    let below = |folder: &str| {
        let rest = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '\0']) && !rest.starts_with('.'))
    };
    matches!(name, Layout::RUN | Layout::JOURNAL) || Layout::FOLDERS.into_iter().any(below)
}

/// A reader that refuses to go on behind so many bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)? as u64;
        self.left = self.left.checked_sub(read).ok_or_else(|| {
            io::Error::other(format!("it is more than {} MiB then, which no such run is", self.most >> 20))
        })?;
        Ok(read as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 1 << 20, files: 3 };

    /// An archive as another program may make one.
    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = Builder::new(GzBuilder::new().write(Vec::new(), Compression::fast()));
        for (name, kind, bytes) in entries {
            let mut header = Header::new_ustar();
            header.as_ustar_mut().expect("ustar").name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, *bytes).expect("a vector takes all");
        }
        tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("a vector takes all")
    }

    fn unpacked(archive: &[u8]) -> Result<tempfile::TempDir, String> {
        let into = tempfile::tempdir().expect("a folder");
        match unpack(archive, LIMITS, into.path()) {
            Ok(()) => Ok(into),
            Err(Unpackable::Archive(what)) => Err(what),
            Err(Unpackable::Disk(error)) => panic!("{error}"),
        }
    }

    const RUN: (&str, EntryType, &[u8]) = ("run.json", EntryType::Regular, b"{}");

    #[test]
    fn a_run_is_unpacked_whether_its_files_lie_below_a_folder_or_not() {
        for (run, block) in
            [("run.json", "blocks/a"), ("x/run.json", "x/blocks/a"), ("blocks/run.json", "blocks/blocks/a")]
        {
            let entries = [(run, EntryType::Regular, &b"{}"[..]), (block, EntryType::Regular, b"sums")];
            let found = unpacked(&archive(&entries));
            // A folder called `blocks` can be no root: what lies in it is a file of blocks.
            if run.starts_with("blocks") {
                found.expect_err("no run.json");
                continue;
            }
            assert_eq!(fs::read(found.expect(run).path().join("blocks/a")).expect("there"), b"sums");
        }
    }

    #[test]
    fn what_no_run_has_is_refused_and_nothing_is_written_outside() {
        for name in [
            "../evil",
            "/etc/evil",
            "blocks/../evil",
            "evil",
            "blocks/x/y",
            "blocks/.hidden",
            "blocks/",
            "x/run.json",
        ] {
            let what = unpacked(&archive(&[RUN, (name, EntryType::Regular, b"")])).expect_err(name);
            assert_eq!(what, format!("has {name:?}, which a run does not have"));
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Block,
            EntryType::Fifo,
            EntryType::Directory,
            EntryType::GNULongName,
            EntryType::XHeader,
            EntryType::GNUSparse,
        ] {
            unpacked(&archive(&[RUN, ("blocks/a", kind, b"")])).expect_err("no file");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let zeros = vec![0; 2 << 20];
        let what = unpacked(&archive(&[RUN, ("blocks/a", EntryType::Regular, &zeros)])).expect_err("a bomb");
        assert!(what.ends_with("it is more than 1 MiB then, which no such run is"), "{what}");
        let many = ["blocks/a", "blocks/b", "blocks/c"].map(|name| (name, EntryType::Regular, &b""[..]));
        let what = unpacked(&archive(&[&[RUN][..], &many].concat())).expect_err("many");
        assert_eq!(what, "has more than 3 files, which no run has");
        assert_eq!(unpacked(&archive(&[RUN, RUN])).err(), Some("has \"run.json\" twice".to_owned()));
        assert_eq!(unpacked(&archive(&many[..1])).err(), Some("has no run.json".to_owned()));
    }

    #[test]
    fn a_cut_or_changed_archive_is_never_taken_for_a_whole_one() {
        let text: Vec<u8> =
            (0..2_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = archive(&[RUN, ("blocks/a", EntryType::Regular, &text)]);
        for end in (0..whole.len()).step_by(97).chain([whole.len() - 1, whole.len() - 8]) {
            assert!(unpacked(&whole[..end]).is_err(), "cut at {end}");
        }
        for place in (10..whole.len()).step_by(97).chain([whole.len() - 6]) {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            assert!(unpacked(&changed).is_err(), "changed at {place}");
        }
    }
}
