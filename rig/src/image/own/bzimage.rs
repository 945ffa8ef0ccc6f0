//! The header of a bzImage, and the configuration that may be packed into it.
//!
//! Pure: bytes in. Must not know where the file lies. Units: bytes. Errors: [`Wrong`], which blames the file.
//! Source: Linux Documentation/arch/x86/boot.rst (offsets), kernel/configs.c (the markers of the configuration). Tests: below, on hand-made headers.

use std::io::Read;
use std::ops::Range;

use thiserror::Error;

/// Why these bytes are no kernel for a guest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Wrong {
    /// Another kind of file.
    #[error("it is {what}")]
    Another {
        /// Which.
        what: String,
    },
    /// A kernel, but not for these guests.
    #[error("it is a kernel for {architecture}, and guests are x86-64")]
    Architecture {
        /// As the kernel's own sources call it.
        architecture: String,
    },
    /// Its end is missing.
    #[error("it is cut short: {there} bytes of at least {needed}")]
    Truncated {
        /// How many there are.
        there: usize,
        /// How many its header speaks of.
        needed: usize,
    },
    /// It does not say its release.
    #[error("its header names no release")]
    NoRelease,
}

/// What a bzImage says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// `uname -r` of the kernel.
    pub(super) release: String,
    /// Where the compressed kernel lies in the file.
    payload: Range<usize>,
}

const BOOT_FLAG: usize = 0x1FE;
const SETUP_SECTS: usize = 0x1F1;
const SYSSIZE: usize = 0x1F4;
const MAGIC: usize = 0x202;
const PROTOCOL: usize = 0x206;
const KERNEL_VERSION: usize = 0x20E;
const LOADFLAGS: usize = 0x211;
const XLOADFLAGS: usize = 0x236;
const PAYLOAD: usize = 0x248;
/// The end of what is read of the header.
const HEADER: usize = 0x250;
const SECTOR: usize = 512;
/// What `kernel_version` counts from.
const SETUP: usize = 0x200;
/// The oldest protocol with `xloadflags` (2.12: Linux 3.8).
const NEWEST_NEEDED: u16 = 0x20C;

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + N].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// Reads the header.
///
/// # Errors
/// [`Wrong`]
pub(super) fn header(bytes: &[u8]) -> Result<Header, Wrong> {
    if let Some(wrong) = other_kind(bytes) {
        return Err(wrong);
    }
    if bytes.len() < HEADER {
        return Err(Wrong::Truncated { there: bytes.len(), needed: HEADER });
    }
    let old = number::<2>(bytes, PROTOCOL) < usize::from(NEWEST_NEEDED);
    // XLF_KERNEL_64: it has the 64-bit entry point.
    if old || bytes[XLOADFLAGS] & 1 == 0 {
        return Err(Wrong::Architecture { architecture: "32-bit x86".to_owned() });
    }
    if bytes[LOADFLAGS] & 1 == 0 {
        return Err(Wrong::Another { what: "a zImage, which is loaded low".to_owned() });
    }
    let setup = (number::<1>(bytes, SETUP_SECTS).max(1) + 1) * SECTOR;
    let needed = setup + number::<4>(bytes, SYSSIZE) * 16;
    if bytes.len() < needed {
        return Err(Wrong::Truncated { there: bytes.len(), needed });
    }
    let start = setup + number::<4>(bytes, PAYLOAD);
    let payload = start.min(bytes.len())..(start + number::<4>(bytes, PAYLOAD + 4)).min(bytes.len());
    let release = release(bytes).ok_or(Wrong::NoRelease)?;
    Ok(Header { release, payload })
}

/// The text that `kernel_version` points to: `RELEASE (who@where) VERSION` (arch/x86/boot/version.c).
pub(super) fn version(bytes: &[u8]) -> Option<&str> {
    let at = match number::<2>(bytes, KERNEL_VERSION) {
        0 => return None,
        offset => SETUP + offset,
    };
    std::str::from_utf8(bytes.get(at..)?.split(|byte| *byte == 0).next()?).ok()
}

/// Its first word.
fn release(bytes: &[u8]) -> Option<String> {
    let word = version(bytes)?.split_ascii_whitespace().next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._~".contains(c);
    (word.len() < 128 && word.chars().all(plain)).then(|| word.to_owned())
}

/// What is plainly no bzImage: what it is instead.
fn other_kind(bytes: &[u8]) -> Option<Wrong> {
    let has = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
    let architecture = |name: &str| Some(Wrong::Architecture { architecture: name.to_owned() });
    let another = |what: &str| Some(Wrong::Another { what: what.to_owned() });
    if bytes.is_empty() {
        return another("an empty file");
    }
    if has(BOOT_FLAG, &[0x55, 0xAA]) && has(MAGIC, b"HdrS") {
        return None;
    }
    // Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst
    if has(0x38, b"ARM\x64") {
        return architecture("arm64");
    }
    if has(0x38, b"RSC\x05") {
        return architecture("riscv");
    }
    if has(0, b"\x7fELF") {
        return match bytes.get(18..20).map(|_| number::<2>(bytes, 18)) {
            Some(62) => another("an ELF file, as vmlinux is one: a guest boots arch/x86/boot/bzImage"),
            Some(machine) => architecture(machine_name(machine)),
            None => another("the beginning of an ELF file"),
        };
    }
    if has(0, &[0x1F, 0x8B]) {
        return another("compressed by gzip, as kernels of other architectures are: unpack it first");
    }
    another("not a bzImage: its first sectors lack the signature 0xAA55 and `HdrS`")
}

/// elf(5), `e_machine`.
fn machine_name(machine: usize) -> &'static str {
    match machine {
        3 => "32-bit x86",
        8 => "mips",
        20 | 21 => "powerpc",
        22 => "s390",
        40 => "arm",
        183 => "arm64",
        243 => "riscv",
        258 => "loongarch",
        _ => "another architecture",
    }
}

/// What kernel/configs.c puts before the configuration, and behind it.
const MARKERS: [&[u8]; 2] = [b"IKCFG_ST", b"IKCFG_ED"];

/// An unpacked kernel is no larger than this.
const MOST_UNPACKED: u64 = 1 << 30;

/// The configuration that was packed into the kernel (`CONFIG_IKCONFIG`); none where there is none, or where the kernel is compressed in a way that
/// rig does not unpack (xz with a filter, zstd, lz4, lzo).
pub(super) fn config(bytes: &[u8], header: &Header) -> Option<Vec<u8>> {
    let unpacked = unpack(&bytes[header.payload.clone()])?;
    let start = find(&unpacked, MARKERS[0])? + MARKERS[0].len();
    let end = start + find(&unpacked[start..], MARKERS[1])?;
    gunzip(&unpacked[start..end])
}

fn find(bytes: &[u8], marker: &[u8]) -> Option<usize> {
    // The first byte is rare enough to look for alone.
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == marker[0]) {
        let at = from + at;
        if bytes[at..].starts_with(marker) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn unpack(payload: &[u8]) -> Option<Vec<u8>> {
    match payload {
        [0x1F, 0x8B, ..] => gunzip(payload),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => {
            let mut plain = Vec::new();
            lzma_rs::xz_decompress(&mut &payload[..], &mut plain).ok()?;
            Some(plain)
        }
        [0x5D, 0, 0, ..] => {
            let mut plain = Vec::new();
            lzma_rs::lzma_decompress(&mut &payload[..], &mut plain).ok()?;
            Some(plain)
        }
        _ => None,
    }
}

/// The member that the bytes begin with; the size of the unpacked kernel that the build puts behind it is none of its.
fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(MOST_UNPACKED).read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[cfg(test)]
pub(in crate::image) mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A bzImage as far as rig looks into it: one sector of setup, and a payload with this configuration.
    pub(in crate::image) fn bzimage(release: &str, config: Option<&str>) -> Vec<u8> {
        let mut plain = b"IKCFG a kernel ".to_vec();
        if let Some(config) = config {
            plain.extend([MARKERS[0], &gzip(config.as_bytes()), MARKERS[1]].concat());
        }
        plain.extend(b" and its end");
        let mut payload = gzip(&plain);
        payload.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        let length = payload.len();
        payload.resize(length.next_multiple_of(16), 0);
        let mut bytes = vec![0; 2 * SECTOR];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(SETUP_SECTS, &[1]);
        put(SYSSIZE, &u32::try_from(payload.len() / 16).unwrap().to_le_bytes());
        put(BOOT_FLAG, &[0x55, 0xAA]);
        put(MAGIC, b"HdrS");
        put(PROTOCOL, &[0x0F, 0x02]);
        put(KERNEL_VERSION, &0x100_u16.to_le_bytes());
        put(LOADFLAGS, &[1]);
        put(XLOADFLAGS, &[1]);
        put(PAYLOAD + 4, &u32::try_from(length).unwrap().to_le_bytes());
        put(SETUP + 0x100, format!("{release} (a@b) #1 SMP\0").as_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_header_says_its_release_and_the_payload_its_configuration() {
        let bytes = bzimage("6.1.0-own+", Some("CONFIG_NET=y\n"));
        let header = header(&bytes).unwrap();
        assert_eq!(header.release, "6.1.0-own+");
        assert_eq!(config(&bytes, &header).as_deref(), Some(&b"CONFIG_NET=y\n"[..]));
        let without = bzimage("6.1.0", None);
        assert_eq!(config(&without, &super::header(&without).unwrap()), None);
    }

    #[test]
    fn what_is_no_kernel_for_a_guest_is_called_by_its_name() {
        let good = bzimage("6.1.0", None);
        let told = |bytes: &[u8]| header(bytes).unwrap_err().to_string();
        let changed = |at: usize, part: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + part.len()].copy_from_slice(part);
            told(&bytes)
        };
        let needed = good.len();
        assert_eq!(
            told(&good[..needed - 16]),
            format!("it is cut short: {} bytes of at least {needed}", needed - 16)
        );
        assert_eq!(told(&good[..0x210]), "it is cut short: 528 bytes of at least 592");
        assert!(told(&good[..0x100]).contains("not a bzImage"));
        assert_eq!(told(b""), "it is an empty file");
        assert!(changed(XLOADFLAGS, &[0]).contains("32-bit x86"));
        assert!(changed(PROTOCOL, &[0x0A, 0x02]).contains("32-bit x86"));
        assert!(changed(LOADFLAGS, &[0]).contains("zImage"));
        assert_eq!(changed(KERNEL_VERSION, &[0, 0]), "its header names no release");
        assert_eq!(changed(SETUP + 0x100, &[0xFF]), "its header names no release");
        let mut arm = vec![0; 1024];
        arm[..2].copy_from_slice(b"MZ");
        arm[0x38..0x3C].copy_from_slice(b"ARM\x64");
        assert_eq!(told(&arm), "it is a kernel for arm64, and guests are x86-64");
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(18, 0);
        assert!(told(&[&elf[..], &62_u16.to_le_bytes()].concat()).contains("vmlinux"));
        assert!(told(&[&elf[..], &243_u16.to_le_bytes()].concat()).contains("riscv"));
        assert!(told(&[0x1F, 0x8B, 8]).contains("gzip"));
    }

    #[test]
    fn offsets_beyond_the_file_are_no_panic() {
        let mut bytes = bzimage("6.1.0", None);
        bytes[PAYLOAD..PAYLOAD + 8].copy_from_slice(&[0xFF; 8]);
        let header = header(&bytes).unwrap();
        assert_eq!(config(&bytes, &header), None);
        let mut bytes = bzimage("6.1.0", None);
        bytes[KERNEL_VERSION..KERNEL_VERSION + 2].copy_from_slice(&[0xFF; 2]);
        assert_eq!(super::header(&bytes), Err(Wrong::NoRelease));
    }
}
