//! A guest's memory as QEMU hands it over, made into a file that crash(8) opens.
//!
//! QEMU writes an ELF core (`dump-guest-memory`) into a pipe, because it may open no file. On its way to the disk pages of zeros become holes, and the
//! kernel's own note VMCOREINFO (its release, where its symbols lie) is looked for in the memory and put among the core's notes, so that the guest needs
//! neither a driver nor a device for it. Must not know guests or QMP. Units: bytes.
//! Errors: `io::Error`; the disk's, or what came is no core of such a guest. Sources: QEMU's dump/dump.c; elf(5); kernel/crash_core.c.
//! Tests: below; opened as crash(8) does in `tests/qemu/panic.rs`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Between the core's notes and its memory, for the note: the kernel gives it a page of text at most.
const ROOM: u64 = 8 << 10;
const PAGE: usize = 4 << 10;
const CHUNK: usize = 1 << 20;
/// What stands before the memory is not larger than this.
const MOST_HEAD: u64 = 1 << 20;
const HEADER: usize = 64;
const SEGMENT: usize = 56;
/// Length of the name, with its zero.
const NOTE_BEGINS: [u8; 4] = [11, 0, 0, 0];
const NOTE_NAME: &[u8; 12] = b"VMCOREINFO\0\0";
/// Before the text of the note.
const NOTE_HEAD: usize = 24;

/// A core that lies on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// Whether the kernel's note was found.
    pub(super) named: bool,
}

/// Reads a core to its end, of at most so many bytes, and writes it as the file at `path` once it is whole; one that lies there is replaced.
pub(super) fn take(mut from: impl Read, path: &Path, most_bytes: u64) -> io::Result<Taken> {
    let folder = path.parent().ok_or_else(|| wrong("it has no folder"))?;
    let name = path.file_name().unwrap_or_default();
    let mut beside = tempfile::Builder::new();
    let file = beside.prefix(name).suffix(".unfinished").tempfile_in(folder)?;
    let mut head = Head::read(&mut from, most_bytes)?;
    let at = copy(&mut from, file.as_file(), &head)?;
    // The names of sections follow.
    io::copy(&mut from.take(MOST_HEAD), &mut io::sink())?;
    let note = at.map(|at| read_note(file.as_file(), at)).transpose()?.flatten();
    let named = note.is_some();
    head.make_room(note.as_deref())?;
    file.as_file().write_all_at(&head.bytes, 0)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(Taken { named })
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what qemu wrote is not a core of this guest: {what}"))
}

/// What stands before the memory, and how long that is.
struct Head {
    bytes: Vec<u8>,
    segments: Vec<usize>,
    memory_bytes: u64,
}

impl Head {
    fn read(from: &mut impl Read, most_bytes: u64) -> io::Result<Self> {
        let mut bytes = vec![0; HEADER];
        from.read_exact(&mut bytes)?;
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            return Err(wrong("it is not a 64-bit ELF file"));
        }
        let table = number(&bytes, 0x20, 8)?;
        let count = number(&bytes, 0x38, 2)?;
        if number(&bytes, 0x36, 2)? != SEGMENT as u64 || table > MOST_HEAD || count == 0xffff {
            return Err(wrong("its program headers are elsewhere"));
        }
        read_on(from, &mut bytes, table + count * SEGMENT as u64)?;
        let table = usize::try_from(table).expect("under a MiB");
        let segments: Vec<usize> =
            (0..usize::try_from(count).expect("16 bits")).map(|place| table + place * SEGMENT).collect();
        let (mut first, mut end) = (u64::MAX, 0);
        for &at in &segments {
            let (offset, length) = (number(&bytes, at + 8, 8)?, number(&bytes, at + 32, 8)?);
            if number(&bytes, at, 4)? == LOAD && length > 0 {
                first = first.min(offset);
                end = end.max(offset.checked_add(length).ok_or_else(|| wrong("a segment has no end"))?);
            }
        }
        if first > MOST_HEAD || end - first > most_bytes {
            return Err(wrong("it is larger than the guest's memory"));
        }
        read_on(from, &mut bytes, first)?;
        Ok(Self { bytes, segments, memory_bytes: end - first })
    }

    /// Puts the note behind the notes, and the memory further back.
    fn make_room(&mut self, note: Option<&[u8]>) -> io::Result<()> {
        let first = self.bytes.len() as u64;
        for at in self.segments.clone() {
            let (kind, offset) = (number(&self.bytes, at, 4)?, number(&self.bytes, at + 8, 8)?);
            if kind == LOAD {
                put(&mut self.bytes, at + 8, offset + ROOM);
            } else if let (NOTE, Some(note)) = (kind, note) {
                let length = number(&self.bytes, at + 32, 8)?;
                if offset + length > first {
                    return Err(wrong("its notes reach into its memory"));
                }
                let end = usize::try_from(offset + length).expect("under a MiB");
                self.bytes.resize(self.bytes.len().max(end + note.len()), 0);
                self.bytes[end..end + note.len()].copy_from_slice(note);
                for size in [32, 40] {
                    put(&mut self.bytes, at + size, length + note.len() as u64);
                }
            }
        }
        // A core needs no sections, and those of QEMU's tell of the old places.
        put(&mut self.bytes, 0x28, 0);
        self.bytes[0x3a..0x40].fill(0);
        Ok(())
    }
}

/// Types of segments.
const LOAD: u64 = 1;
const NOTE: u64 = 4;

fn number(bytes: &[u8], at: usize, size: usize) -> io::Result<u64> {
    let found = bytes.get(at..at + size).ok_or_else(|| wrong("it is cut short"))?;
    Ok(found.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Up to this place.
fn read_on(from: &mut impl Read, bytes: &mut Vec<u8>, to: u64) -> io::Result<()> {
    let begun = bytes.len();
    let to = usize::try_from(to).map_err(|_| wrong("its head is too long"))?;
    if to < begun {
        return Err(wrong("its parts overlap"));
    }
    bytes.resize(to, 0);
    from.read_exact(&mut bytes[begun..])
}

/// Copies the memory, and gives the place of the kernel's note in the new file, if one was seen.
fn copy(from: &mut impl Read, to: &File, head: &Head) -> io::Result<Option<u64>> {
    let begin = head.bytes.len() as u64 + ROOM;
    let (mut done, mut note) = (0, None);
    let mut chunk = vec![0; CHUNK];
    while done < head.memory_bytes {
        let count = usize::try_from(head.memory_bytes - done).unwrap_or(CHUNK).min(CHUNK);
        from.read_exact(&mut chunk[..count])?;
        for (place, page) in chunk[..count].chunks(PAGE).enumerate() {
            let at = begin + done + (place * PAGE) as u64;
            if page.iter().any(|byte| *byte != 0) {
                to.write_all_at(page, at)?;
            }
            if note.is_none() && is_note(page) {
                note = Some(at);
            }
        }
        done += count as u64;
    }
    to.set_len(begin + head.memory_bytes)?;
    Ok(note)
}

/// Whether a page begins as the kernel's `vmcoreinfo_note` does.
fn is_note(page: &[u8]) -> bool {
    page.starts_with(&NOTE_BEGINS)
        && page.get(8..12) == Some(&[0; 4])
        && page.get(12..24) == Some(NOTE_NAME)
        && page[NOTE_HEAD..].starts_with(b"OSRELEASE=")
}

/// The whole note at this place; none where it is longer than any kernel's.
fn read_note(file: &File, at: u64) -> io::Result<Option<Vec<u8>>> {
    let mut note = vec![0; usize::try_from(ROOM).expect("a few pages")];
    let length = file.metadata()?.len().saturating_sub(at).min(ROOM);
    note.truncate(usize::try_from(length).expect("a few pages"));
    file.read_exact_at(&mut note, at)?;
    let text = usize::try_from(number(&note, 4, 4)?).unwrap_or(usize::MAX);
    let end = text.checked_next_multiple_of(4).and_then(|text| text.checked_add(NOTE_HEAD));
    Ok(end.filter(|end| *end <= note.len()).map(|end| {
        note.truncate(end);
        note
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(kind: u32, offset: u64, address: u64, length: u64) -> Vec<u8> {
        let mut bytes = [kind.to_le_bytes(), [0; 4]].concat();
        for number in [offset, address, address, length, length, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// A core as QEMU writes it, with these notes and this memory.
    fn core(notes: &[u8], memory: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x20] = 64;
        bytes[0x36] = 56;
        bytes[0x38] = 3;
        let notes_at = (HEADER + 3 * SEGMENT) as u64;
        let first = notes_at + notes.len() as u64;
        let half = memory.len() as u64 / 2;
        bytes.extend(segment(4, notes_at, 0, notes.len() as u64));
        bytes.extend(segment(1, first, 0, half));
        bytes.extend(segment(1, first + half, 1 << 32, memory.len() as u64 - half));
        bytes.extend(notes);
        bytes.extend(memory);
        bytes
    }

    fn note(text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        [&NOTE_BEGINS[..], &length, &[0; 4], NOTE_NAME, text].concat()
    }

    fn taken(bytes: &[u8], most: u64) -> (io::Result<Taken>, Option<Vec<u8>>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.vmcore");
        let taken = take(bytes, &path, most);
        let left = fs_err::read_dir(folder.path()).unwrap().count();
        (taken, fs_err::read(path).ok(), left)
    }

    #[test]
    fn memory_stays_what_it_is_and_the_note_is_among_the_notes() {
        let mut memory = vec![0; 8 * PAGE];
        memory[PAGE..PAGE + 3].copy_from_slice(b"abc");
        let own = note(b"OSRELEASE=6.1\nSYMBOL(x)=11\n1");
        memory[5 * PAGE..5 * PAGE + own.len()].copy_from_slice(&own);
        let (result, file, left) = taken(&core(b"note", &memory), 1 << 20);
        assert_eq!((result.unwrap(), left), (Taken { named: true }, 1));
        let file = file.unwrap();
        let segment =
            |place: usize, field: usize| number(&file, HEADER + place * SEGMENT + field, 8).unwrap();
        let part = |place| {
            let (offset, length) = (segment(place, 8) as usize, segment(place, 32) as usize);
            &file[offset..offset + length]
        };
        assert_eq!(part(0), [&b"note"[..], &own].concat());
        assert_eq!([part(1), part(2)].concat(), memory);
        assert_eq!((segment(1, 16), segment(2, 16)), (0, 1 << 32));
    }

    #[test]
    fn without_the_kernels_note_it_is_a_core_all_the_same() {
        let (result, file, _) = taken(&core(b"note", &[7; 4 * PAGE]), 1 << 20);
        assert_eq!(result.unwrap(), Taken { named: false });
        assert!(file.unwrap().ends_with(&[7; 4 * PAGE]));
        let mut lies = vec![0; 2 * PAGE];
        let mut long = note(b"OSRELEASE=");
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        lies[PAGE..PAGE + long.len()].copy_from_slice(&long);
        assert_eq!(taken(&core(b"", &lies), 1 << 20).0.unwrap(), Taken { named: false });
    }

    #[test]
    fn what_is_cut_or_too_large_leaves_nothing() {
        let whole = core(b"note", &[7; 4 * PAGE]);
        for cut in [0, 10, HEADER, HEADER + 60, whole.len() - PAGE, whole.len() - 1] {
            let (result, file, left) = taken(&whole[..cut], 1 << 20);
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut}");
            assert_eq!((file, left), (None, 0));
        }
        let (result, file, left) = taken(&whole, 2 * PAGE as u64);
        assert!(result.unwrap_err().to_string().contains("larger than the guest's memory"));
        assert_eq!((file, left), (None, 0));
    }

    #[test]
    fn no_changed_head_is_a_panic_of_ours() {
        let whole = core(&note(b"OSRELEASE=1"), &[7; 2 * PAGE]);
        for at in 0..HEADER + 3 * SEGMENT {
            for value in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let (result, _, left) = taken(&changed, 1 << 20);
                assert_eq!(left, usize::from(result.is_ok()));
            }
        }
    }
}
