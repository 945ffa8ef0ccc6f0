//! A whole run in one piece: an archive of its files, and the page that carries one.
//!
//! Holds what is packed, and how it lies in a page. Must not know what the page shows. Units: bytes.
//! Errors: [`RecordError`]; it blames the disk, or the file that was to carry a run. Tests: here, `tests/golden/page.rs`.
//!
//! The archive is a tar file under gzip, in base64 in lines of 76 characters between two lines of the page. Without rig:
//!
//! ```sh
//! sed -n '/^<script type="application\/gzip" id="record">$/,/^<\/script>$/p' report.html | sed '1d;$d' | base64 -d | tar xz
//! ```

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::archive::{self, Limits, Unpackable};
use super::{Folder, RecordError};

/// The line before the archive in a page, and
const OPENS: &str = "<script type=\"application/gzip\" id=\"record\">";

/// the line behind it.
const CLOSES: &str = "</script>";

/// As base64(1) breaks its lines.
const LINE: usize = 76;

/// Packets of so many bytes in all go along; more of them would make a page that nobody can send.
const MOST_CAPTURE_BYTES: u64 = 16 << 20;

/// A page is read as a whole.
const MOST_PAGE_BYTES: u64 = 1 << 30;

/// What a page carries is unpacked to at most eight times as much.
const LIMITS: Limits = Limits { bytes: 8 * MOST_PAGE_BYTES, files: 1_000_000 };

/// A run in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// A tar file under gzip: the same run, the same bytes.
    pub archive: Vec<u8>,
    /// Number of files with packets that are not in it, because all of them are too large.
    pub left_out: usize,
}

/// Packs a run: everything but what was rendered from it.
///
/// # Errors
/// [`RecordError::NotARun`], or what the disk says.
pub fn pack(run_dir: &Path) -> Result<Packed, RecordError> {
    let folder = Folder::open(run_dir)?;
    let archive::Contents { names, left_out } = archive::contents(&folder, Some(MOST_CAPTURE_BYTES))?;
    let archive = archive::write(&folder, &names, None, Vec::new())?;
    Ok(Packed { archive, left_out })
}

/// The archive as lines of a page.
pub fn in_page(archive: &[u8]) -> String {
    let text = STANDARD.encode(archive);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 64);
    lines.push_str(OPENS);
    lines.push('\n');
    for line in text.as_bytes().chunks(LINE) {
        lines.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        lines.push('\n');
    }
    lines.push_str(CLOSES);
    lines.push('\n');
    lines
}

/// Unpacks the run that a page carries, into a folder that is removed with what is returned.
///
/// # Errors
/// [`RecordError::NoRunInside`], [`RecordError::Damaged`], or what the disk says.
pub(super) fn unpack_page(page: &Path) -> Result<TempDir, RecordError> {
    let file = std::fs::File::open(page).map_err(RecordError::disk("read", page))?;
    let mut text = Vec::new();
    file.take(MOST_PAGE_BYTES).read_to_end(&mut text).map_err(RecordError::disk("read", page))?;
    let archive = archive_of(&text).ok_or_else(|| RecordError::NoRunInside { path: page.to_owned() })?;
    let damaged = |reason| RecordError::DamagedPage { path: page.to_owned(), reason };
    let archive = archive.map_err(damaged)?;
    let into = tempfile::tempdir().map_err(RecordError::disk("make", &std::env::temp_dir()))?;
    archive::unpack(&archive[..], LIMITS, into.path()).map_err(|refused| match refused {
        Unpackable::Disk(error) => error,
        Unpackable::Archive(reason) => damaged(format!("its record {reason}")),
    })?;
    Ok(into)
}

/// The archive between the two lines; nothing where the first one is missing.
fn archive_of(page: &[u8]) -> Option<Result<Vec<u8>, String>> {
    // A mail may have turned the ends of lines into CR LF.
    let mut lines = page.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.find(|line| *line == OPENS.as_bytes())?;
    let mut text: Vec<u8> = Vec::new();
    for line in lines {
        if line == CLOSES.as_bytes() {
            return Some(
                STANDARD.decode(text).map_err(|error| format!("its record cannot be decoded: {error}")),
            );
        }
        text.extend(line);
    }
    Some(Err("it ends within its record: the file was cut".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    fn run() -> TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for below in Layout::FOLDERS {
            fs_err::create_dir(dir.path().join(below)).expect("made");
        }
        for (name, text) in [
            ("run.json", "{}"),
            ("journal.jsonl", "line\n"),
            ("blocks/a-0.1.json", "sums"),
            ("capture/a-0.1.target.pcapng", "packets"),
            ("report.txt", "rendered"),
        ] {
            fs_err::write(dir.path().join(name), text).expect("written");
        }
        dir
    }

    fn page(archive: &[u8]) -> (TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("page.html");
        fs_err::write(&path, format!("<!doctype html>\n{}</body>\n", in_page(archive))).expect("written");
        (dir, path)
    }

    #[test]
    fn what_is_packed_into_a_page_is_unpacked_and_what_was_rendered_is_left_out() {
        let run = run();
        let packed = pack(run.path()).expect("it is packed");
        assert_eq!(packed, pack(run.path()).expect("it is packed"), "the same run, the same bytes");
        let (_dir, page) = page(&packed.archive);
        let back = unpack_page(&page).expect("it is unpacked");
        for name in ["run.json", "journal.jsonl", "blocks/a-0.1.json", "capture/a-0.1.target.pcapng"] {
            let [before, after] =
                [run.path(), back.path()].map(|dir| fs_err::read(dir.join(name)).expect("read"));
            assert_eq!(before, after, "{name}");
        }
        assert!(!back.path().join("report.txt").exists());
    }

    #[test]
    fn packets_that_are_too_large_stay_and_are_counted() {
        let run = run();
        let large = fs_err::File::create(run.path().join("capture/b-0.1.peer.pcapng")).expect("made");
        large.set_len(MOST_CAPTURE_BYTES).expect("it is sparse");
        let packed = pack(run.path()).expect("it is packed");
        assert_eq!(packed.left_out, 2);
        let (_dir, page) = page(&packed.archive);
        let back = unpack_page(&page).expect("it is unpacked");
        assert_eq!(fs_err::read_dir(back.path().join("capture")).expect("listed").count(), 0);
    }

    #[test]
    fn what_carries_no_run_or_a_broken_one_is_refused() {
        let whole = pack(run().path()).expect("it is packed").archive;
        let of = |text: &str| archive_of(text.as_bytes());
        assert!(of("<!doctype html>\n").is_none());
        let text = in_page(&whole);
        let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
        assert!(of(&cut).expect("a record begins").expect_err("it is cut").contains("was cut"));
        assert_eq!(
            of(&text.replace('\n', "\r\n")),
            Some(Ok(whole.clone())),
            "a mail may change the ends of lines"
        );
        let (_dir, page) = page(&whole[..whole.len() / 2]);
        assert!(matches!(unpack_page(&page), Err(RecordError::DamagedPage { .. })));
    }
}
