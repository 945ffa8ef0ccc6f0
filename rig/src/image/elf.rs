//! What an image needs to know of ELF files: the text of a section, the libraries and the loader that a program asks for.
//!
//! 64-bit little-endian files only: the one architecture that the guests have (System V ABI, AMD64 supplement; elf(5)).
//! Must not know modules or packages. Units: bytes.
//! Errors: [`ElfError`]; it blames the file. Every offset in the file is distrusted.
//! Tests: below, on a hand-made file and on the test binary itself.

use thiserror::Error;

/// Why a file cannot be read as ELF.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElfError {
    /// Another kind of file.
    #[error("not a 64-bit little-endian ELF file")]
    Magic,
    /// Cut short or damaged.
    #[error("truncated ELF file: {what} lies outside of it")]
    Truncated {
        /// Which part.
        what: &'static str,
    },
}

/// Section type of the dynamic linking information (elf(5), SHT_DYNAMIC).
const DYNAMIC: u32 = 6;
/// Tag of a needed library in it (elf(5), DT_NEEDED).
const NEEDED: u64 = 1;
const SECTION_HEADER_SIZE: usize = 64;

/// A parsed view of a file.
#[derive(Debug)]
pub struct Elf<'a> {
    bytes: &'a [u8],
    sections: Vec<Section<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Section<'a> {
    name: &'a [u8],
    kind: u32,
    link: usize,
    offset: usize,
    size: usize,
}

impl<'a> Elf<'a> {
    /// Whether these bytes start as an ELF file does.
    pub fn recognises(bytes: &[u8]) -> bool {
        bytes.starts_with(b"\x7fELF\x02\x01")
    }

    /// Reads the section table.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        if !Self::recognises(bytes) {
            return Err(ElfError::Magic);
        }
        let table = number(bytes, 0x28, 8, "the ELF header")?;
        let count = number(bytes, 0x3c, 2, "the ELF header")?;
        let names = number(bytes, 0x3e, 2, "the ELF header")?;
        let mut sections = Vec::with_capacity(count);
        for index in 0..count {
            let header = slice(bytes, table.saturating_add(index * SECTION_HEADER_SIZE), SECTION_HEADER_SIZE)
                .ok_or(ElfError::Truncated { what: "the section table" })?;
            let field = |at, size| number(header, at, size, "the section table");
            sections.push((
                field(0, 4)?,
                Section {
                    name: &[],
                    kind: u32::try_from(field(4, 4)?).expect("four bytes fit"),
                    link: field(40, 4)?,
                    offset: field(24, 8)?,
                    size: field(32, 8)?,
                },
            ));
        }
        let strings = match sections.get(names) {
            Some((_, section)) => slice(bytes, section.offset, section.size)
                .ok_or(ElfError::Truncated { what: "the section names" })?,
            None => &[],
        };
        let sections = sections
            .into_iter()
            .map(|(name, section)| Section { name: text_at(strings, name).unwrap_or_default(), ..section })
            .collect();
        Ok(Self { bytes, sections })
    }

    /// The content of a section by its name.
    pub fn section(&self, name: &str) -> Result<Option<&'a [u8]>, ElfError> {
        self.sections
            .iter()
            .find(|section| section.name == name.as_bytes())
            .map(|section| self.content(section))
            .transpose()
    }

    /// The dynamic loader that a program asks for; a static one asks for none.
    pub fn interpreter(&self) -> Result<Option<String>, ElfError> {
        Ok(self.section(".interp")?.and_then(|bytes| text_at(bytes, 0)).map(lossy))
    }

    /// The names of the libraries that it asks for, in order.
    pub fn needed(&self) -> Result<Vec<String>, ElfError> {
        let Some(dynamic) = self.sections.iter().find(|section| section.kind == DYNAMIC) else {
            return Ok(Vec::new());
        };
        let strings = match self.sections.get(dynamic.link) {
            Some(section) => self.content(section)?,
            None => return Err(ElfError::Truncated { what: "the table of library names" }),
        };
        let mut needed = Vec::new();
        for entry in self.content(dynamic)?.chunks_exact(16) {
            if number(entry, 0, 8, "a dynamic entry")? as u64 == NEEDED {
                let at = number(entry, 8, 8, "a dynamic entry")?;
                needed
                    .push(lossy(text_at(strings, at).ok_or(ElfError::Truncated { what: "a library name" })?));
            }
        }
        Ok(needed)
    }

    fn content(&self, section: &Section<'_>) -> Result<&'a [u8], ElfError> {
        slice(self.bytes, section.offset, section.size).ok_or(ElfError::Truncated { what: "a section" })
    }
}

/// The `key=value` pairs of a kernel module's `.modinfo` section, in order (kernel: include/linux/moduleparam.h).
pub fn module_info(section: &[u8]) -> impl Iterator<Item = (String, String)> {
    section.split(|byte| *byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair);
        pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
    })
}

fn slice(bytes: &[u8], offset: usize, size: usize) -> Option<&[u8]> {
    bytes.get(offset..offset.checked_add(size)?)
}

fn number(bytes: &[u8], at: usize, size: usize, what: &'static str) -> Result<usize, ElfError> {
    let field = slice(bytes, at, size).ok_or(ElfError::Truncated { what })?;
    Ok(field.iter().rev().fold(0, |value, byte| (value << 8) | usize::from(*byte)))
}

fn text_at(strings: &[u8], at: usize) -> Option<&[u8]> {
    let rest = strings.get(at..)?;
    Some(&rest[..rest.iter().position(|byte| *byte == 0)?])
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A relocatable file whose only sections are the names and `.modinfo`: what a module looks like to us.
    pub(in crate::image) fn module(info: &[(&str, &str)]) -> Vec<u8> {
        let names = b"\0.shstrtab\0.modinfo\0";
        let mut text = Vec::new();
        for (key, value) in info {
            text.extend_from_slice(format!("{key}={value}\0").as_bytes());
        }
        let mut out = vec![0_u8; 64];
        out[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let (names_at, text_at) = (out.len(), out.len() + names.len());
        out.extend_from_slice(names);
        out.extend_from_slice(&text);
        let table = out.len();
        for (name, offset, size) in [(0, 0, 0), (1_u32, names_at, names.len()), (11, text_at, text.len())] {
            let mut header = [0_u8; SECTION_HEADER_SIZE];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            out.extend_from_slice(&header);
        }
        out[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        out[0x3c] = 3;
        out[0x3e] = 1;
        out
    }

    #[test]
    fn reads_module_info() {
        let file = module(&[("depends", "a,b"), ("license", "GPL")]);
        let elf = Elf::parse(&file).unwrap();
        let info: Vec<_> = module_info(elf.section(".modinfo").unwrap().unwrap()).collect();
        assert_eq!(info, [("depends".into(), "a,b".into()), ("license".into(), "GPL".into())]);
        assert_eq!(elf.needed().unwrap(), Vec::<String>::new());
        assert_eq!(elf.interpreter().unwrap(), None);
    }

    #[test]
    fn reads_what_a_real_program_needs() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&file).unwrap();
        assert!(elf.needed().unwrap().iter().any(|name| name.starts_with("libc.so")), "{:?}", elf.needed());
        assert!(elf.interpreter().unwrap().unwrap().contains("ld-linux"));
    }

    #[test]
    fn any_truncation_is_an_error_or_a_smaller_answer_but_no_panic() {
        let file = module(&[("depends", "a,b")]);
        assert_eq!(Elf::parse(b"MZ").err(), Some(ElfError::Magic));
        for end in 0..file.len() {
            let Ok(elf) = Elf::parse(&file[..end]) else { continue };
            let _ = elf.section(".modinfo");
            let _ = elf.needed();
        }
        assert!(Elf::parse(&file[..file.len() - 1]).is_err());
    }

    #[test]
    fn hostile_offsets_do_not_panic() {
        let mut file = module(&[("depends", "a")]);
        file[0x28..0x30].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Elf::parse(&file).is_err());
    }
}
