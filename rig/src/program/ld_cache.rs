//! /etc/ld.so.cache: the libraries that ldconfig(8) found (glibc: sysdeps/generic/dl-cache.h, `struct cache_file_new`).
//!
//! Must not know who looks for a library. Units: bytes. Errors: none; a damaged cache has no entries, as for the loader. Tests: below.

/// Begins the new format, also where it follows the old one.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// Magic and version, two sizes, flags, the place of extensions, three unused words.
const HEADER_BYTES: usize = 48;

/// Flags, name, path, an unused word, hardware capabilities.
const ENTRY_BYTES: usize = 24;

/// FLAG_ELF_LIBC6 | FLAG_X8664_LIB64
const X86_64_LIBRARY: u32 = 0x0303;

/// Names and paths of the x86-64 libraries of a cache, in its order. Those for processors with particular abilities are left out: a guest may
/// have another processor.
pub(super) fn libraries(bytes: &[u8]) -> Vec<(String, String)> {
    let Some(begin) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else { return vec![] };
    let cache = &bytes[begin..];
    let count = word(cache, MAGIC.len()).unwrap_or(0) as usize;
    let entries = cache.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(ENTRY_BYTES).take(count);
    let read = |entry: &[u8]| {
        let plain = word(entry, 16)? == 0 && word(entry, 20)? == 0;
        let fits = word(entry, 0)? == X86_64_LIBRARY && plain;
        let text = |at| text(cache, word(entry, at)? as usize);
        if fits { Some((text(4)?, text(8)?)) } else { None }
    };
    entries.filter_map(read).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn text(cache: &[u8], at: usize) -> Option<String> {
    let rest = cache.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(std::str::from_utf8(&rest[..end]).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with these libraries: flags, name, path, capabilities.
    fn cache(entries: &[(u32, &str, &str, u64)]) -> Vec<u8> {
        let strings_at = HEADER_BYTES + entries.len() * ENTRY_BYTES;
        let mut out = MAGIC.to_vec();
        out.extend(u32::try_from(entries.len()).unwrap().to_le_bytes());
        out.resize(HEADER_BYTES, 0);
        let mut strings = Vec::new();
        for (flags, name, path, capabilities) in entries {
            out.extend(flags.to_le_bytes());
            for text in [name, path] {
                out.extend(u32::try_from(strings_at + strings.len()).unwrap().to_le_bytes());
                strings.extend_from_slice(text.as_bytes());
                strings.push(0);
            }
            out.extend(0_u32.to_le_bytes());
            out.extend(capabilities.to_le_bytes());
        }
        out.extend(strings);
        out
    }

    #[test]
    fn libraries_of_this_machine_are_found_and_others_are_not() {
        let bytes = cache(&[
            (0x0303, "liba.so.1", "/opt/a/liba.so.1", 0),
            (0x0003, "liba.so.1", "/lib32/liba.so.1", 0),
            (0x0303, "libb.so.2", "/usr/lib/glibc-hwcaps/x86-64-v3/libb.so.2", 1 << 62),
            (0x0303, "libb.so.2", "/usr/lib/libb.so.2", 0),
        ]);
        let wanted = [("liba.so.1", "/opt/a/liba.so.1"), ("libb.so.2", "/usr/lib/libb.so.2")];
        let wanted = wanted.map(|(name, path)| (name.to_owned(), path.to_owned()));
        assert_eq!(libraries(&bytes), wanted);
        let old = [b"ld.so-1.7.0\0 the old format".as_slice(), &bytes].concat();
        assert_eq!(libraries(&old), wanted, "behind the old format");
    }

    #[test]
    fn a_damaged_cache_has_fewer_entries_and_no_panic() {
        let bytes = cache(&[(0x0303, "liba.so.1", "/opt/a/liba.so.1", 0)]);
        for end in 0..bytes.len() {
            assert_eq!(libraries(&bytes[..end]), vec![], "{end}");
        }
        let mut lying = bytes;
        lying[MAGIC.len()..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(libraries(&lying).len(), 1);
    }

    #[test]
    fn the_cache_of_this_host_has_its_c_library() {
        let Ok(bytes) = std::fs::read("/etc/ld.so.cache") else {
            eprintln!("skipped: this host has no /etc/ld.so.cache");
            return;
        };
        let found = libraries(&bytes);
        let libc = found.iter().find(|(name, _)| name == "libc.so.6").unwrap();
        assert!(std::path::Path::new(&libc.1).exists(), "{libc:?}");
    }
}
