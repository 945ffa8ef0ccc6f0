//! What an image needs to know of ELF files: the text of a section, the libraries and the loader that a program asks for.
//!
//! 64-bit little-endian files only: the one architecture that the guests have (System V ABI, AMD64 supplement; elf(5)).
//! Reading is the crate `object`'s. Must not know modules or packages. Units: bytes.
//! Errors: [`ElfError`]; it blames the file. Tests: below, on a hand-made file and on the test binary itself.

use std::ffi::CStr;

use object::LittleEndian;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader, SectionTable};
use thiserror::Error;

/// Why a file cannot be read as ELF.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElfError {
    /// Another kind of file.
    #[error("not a 64-bit little-endian ELF file")]
    Magic,
    /// Cut short or damaged.
    #[error("damaged ELF file: {what} cannot be read ({problem})")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It lacks what it should have.
    #[error("the ELF file has no section {name}")]
    NoSection {
        /// Its name.
        name: &'static str,
    },
}

impl ElfError {
    fn damaged(what: &'static str) -> impl FnOnce(object::read::Error) -> Self {
        move |error| Self::Damaged { what, problem: error.to_string() }
    }
}

type Header = FileHeader64<LittleEndian>;

/// A parsed view of a file.
#[derive(Debug)]
pub struct Elf<'a> {
    bytes: &'a [u8],
    sections: SectionTable<'a, Header>,
}

impl<'a> Elf<'a> {
    /// Whether these bytes start as an ELF file does.
    pub fn recognises(bytes: &[u8]) -> bool {
        bytes.starts_with(b"\x7fELF\x02\x01")
    }

    /// Reads the section table.
    ///
    /// # Errors
    /// [`ElfError`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        if !Self::recognises(bytes) {
            return Err(ElfError::Magic);
        }
        let header = Header::parse(bytes).map_err(ElfError::damaged("the ELF header"))?;
        let sections =
            header.sections(LittleEndian, bytes).map_err(ElfError::damaged("the section table"))?;
        Ok(Self { bytes, sections })
    }

    /// The content of a section by its name.
    ///
    /// # Errors
    /// It lies outside of the file.
    pub fn section(&self, name: &str) -> Result<Option<&'a [u8]>, ElfError> {
        let section = self.sections.section_by_name(LittleEndian, name.as_bytes());
        section
            .map(|(_, section)| section.data(LittleEndian, self.bytes))
            .transpose()
            .map_err(ElfError::damaged("a section"))
    }

    /// The dynamic loader that a program asks for; a static one asks for none.
    ///
    /// # Errors
    /// Its section lies outside of the file.
    pub fn interpreter(&self) -> Result<Option<String>, ElfError> {
        let path = self.section(".interp")?.and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok());
        Ok(path.map(|path| path.to_string_lossy().into_owned()))
    }

    /// The names of the libraries that it asks for, in order.
    ///
    /// # Errors
    /// The table of them, or of their names, lies outside of the file.
    pub fn needed(&self) -> Result<Vec<String>, ElfError> {
        let table = self.sections.dynamic_table(LittleEndian, self.bytes);
        let table = table.map_err(ElfError::damaged("the dynamic linking information"))?;
        table
            .iter()
            .filter(|entry| entry.tag == DT_NEEDED)
            .map(|entry| {
                let name = table.string(entry).map_err(ElfError::damaged("a library name"))?;
                Ok(String::from_utf8_lossy(name).into_owned())
            })
            .collect()
    }
}

/// The `key=value` pairs of a kernel module's `.modinfo` section, in order (kernel: include/linux/moduleparam.h).
pub fn module_info(section: &[u8]) -> impl Iterator<Item = (String, String)> {
    section.split(|byte| *byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair);
        pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
    })
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
        // Class, byte order, version.
        out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        let (names_at, text_at) = (out.len(), out.len() + names.len());
        out.extend_from_slice(names);
        out.extend_from_slice(&text);
        let table = out.len();
        // SHT_NULL, SHT_STRTAB, SHT_PROGBITS
        let sections = [(0, 0, 0, 0), (1_u32, 3_u32, names_at, names.len()), (11, 1, text_at, text.len())];
        for (name, kind, offset, size) in sections {
            let mut header = [0_u8; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            out.extend_from_slice(&header);
        }
        out[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        // Size, number and names of the section headers.
        out[0x3a] = 64;
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
        let file = fs_err::read(std::env::current_exe().unwrap()).unwrap();
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
