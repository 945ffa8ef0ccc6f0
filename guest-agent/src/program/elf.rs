//! One symbol of an ELF file.
//!
//! Holds the reading of section headers and symbol tables; must not know processes. Units: bytes. Errors: none; a file without the symbol, or
//! that is none of ELF's for x86-64, has none. Source: elf(5). Tests: below.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// No table that is larger is read.
const MOST_TABLE_BYTES: u64 = 64 << 20;
const SYMBOLS: u32 = 2;
const DYNAMIC_SYMBOLS: u32 = 11;
const LOADED: u32 = 1;
const PAGE: u64 = 4096;

/// Where a symbol lies, counted from where the file's first byte is mapped.
pub(super) fn find_symbol(file: &File, name: &str) -> Option<u64> {
    let header = read(file, 0, 64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let first = first_address(file, &header)?;
    let (at, count) = (u64_at(&header, 40)?, u64::from(u16_at(&header, 60)?));
    let sections = read(file, at, count * 64)?;
    let kind =
        |section: &&[u8]| u32_at(section, 4).is_some_and(|kind| [SYMBOLS, DYNAMIC_SYMBOLS].contains(&kind));
    let value = sections.chunks_exact(64).filter(kind).find_map(|section| {
        let link = u32_at(section, 40)? as usize;
        let names = table(file, sections.chunks_exact(64).nth(link)?)?;
        let symbols = table(file, section)?;
        symbols.chunks_exact(24).find_map(|symbol| {
            let is_named =
                names.get(u32_at(symbol, 0)? as usize..)?.strip_prefix(name.as_bytes())?.first() == Some(&0);
            // Defined, not only named.
            (is_named && u16_at(symbol, 6)? != 0).then(|| u64_at(symbol, 8))?
        })
    })?;
    value.checked_sub(first)
}

/// The address that the file's first byte would have.
fn first_address(file: &File, header: &[u8]) -> Option<u64> {
    let (at, count) = (u64_at(header, 32)?, u64::from(u16_at(header, 56)?));
    let segments = read(file, at, count * 56)?;
    let loaded = segments.chunks_exact(56).filter(|segment| u32_at(segment, 0) == Some(LOADED));
    let starts = loaded.filter_map(|segment| Some(u64_at(segment, 16)? - u64_at(segment, 8)?));
    starts.min().map(|start| start / PAGE * PAGE)
}

fn table(file: &File, section: &[u8]) -> Option<Vec<u8>> {
    read(file, u64_at(section, 24)?, u64_at(section, 32)?)
}

fn read(file: &File, at: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| length <= MOST_TABLE_BYTES)?];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_le_bytes(*word))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test's own C library, as it is mapped.
    #[test]
    fn the_function_of_errno_is_found_where_the_linker_found_it() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("proc is mounted");
        let mapped = maps.lines().find(|line| line.contains("libc.so") || line.contains("libc-"));
        let mapped = mapped.expect("tests are linked against a shared C library");
        let start = u64::from_str_radix(mapped.split('-').next().expect("a range"), 16).expect("hex");
        let path = mapped.split_whitespace().next_back().expect("a path");
        let file = File::open(path).expect("it is mapped");
        let found = find_symbol(&file, "__errno_location").expect("it is exported");
        let known = crate::sys::errno::location() as u64;
        assert_eq!(start + found, known);
        assert_eq!(find_symbol(&file, "__errno_locatio"), None);
        assert_eq!(find_symbol(&File::open("/proc/self/maps").expect("there"), "main"), None);
    }
}
