//! What rig needs to know of ELF files: the text of a section, the libraries and the loader that a program asks for, and where it looks for them.
//!
//! 64-bit little-endian files only: the one architecture that the guests have (System V ABI, AMD64 supplement; elf(5)). Of others it
//! knows the name. Reading is the crate `object`'s. Must not know modules, packages or the file system. Units: bytes.
//! Errors: [`ElfError`]; it blames the file. Tests: below, on a hand-made file and on the test binary itself.

use std::ffi::CStr;

use object::LittleEndian;
use object::elf::{
    DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DynamicTag, FileHeader64,
};
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
        Ok(self.dynamic()?.needed)
    }

    /// What it tells the loader.
    ///
    /// # Errors
    /// The table of it, or of its texts, lies outside of the file.
    pub fn dynamic(&self) -> Result<Dynamic, ElfError> {
        let table = self.sections.dynamic_table(LittleEndian, self.bytes);
        let table = table.map_err(ElfError::damaged("the dynamic linking information"))?;
        let texts = |tag: DynamicTag| -> Result<Vec<String>, ElfError> {
            let of_tag = table.iter().filter(|entry| entry.tag == tag);
            of_tag
                .map(|entry| {
                    let text = table.string(entry).map_err(ElfError::damaged("a library name"))?;
                    Ok(String::from_utf8_lossy(text).into_owned())
                })
                .collect()
        };
        let flags = table.iter().find(|entry| entry.tag == DT_FLAGS_1).map_or(0, |entry| entry.val);
        Ok(Dynamic {
            needed: texts(DT_NEEDED)?,
            soname: texts(DT_SONAME)?.pop(),
            rpath: texts(DT_RPATH)?.pop(),
            runpath: texts(DT_RUNPATH)?.pop(),
            no_default_folders: flags & DF_1_NODEFLIB.0 != 0,
        })
    }
}

/// What a file tells the loader: the entries of its dynamic section that decide which libraries it gets (ld.so(8)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names of libraries, in order.
    pub needed: Vec<String>,
    /// Its own name as a library.
    pub soname: Option<String>,
    /// Folders, with colons between: for itself and all that it brings.
    pub rpath: Option<String>,
    /// Folders, with colons between: for itself.
    pub runpath: Option<String>,
    /// Whether the loader's own folders and cache are out of the question (`-z nodefaultlib`).
    pub no_default_folders: bool,
}

/// Why no x86-64 kernel executes these bytes as a 64-bit program, in the field's words; `None` where it does, and for what is no ELF file.
pub fn foreign(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    let (class, order) = (*bytes.get(4)?, *bytes.get(5)?);
    let number: [u8; 2] = bytes.get(18..20)?.try_into().ok()?;
    let machine = if order == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
    if (class, order, machine) == (2, 1, X86_64) {
        return None;
    }
    let bits = if class == 1 { "32-bit" } else { "64-bit" };
    let name = MACHINES.iter().find(|(known, _)| *known == machine).map(|(_, name)| (*name).to_owned());
    Some(format!("{bits} {}", name.unwrap_or_else(|| format!("machine {machine}"))))
}

const X86_64: u16 = 62;

/// `e_machine` of the files that one meets (elf.h).
const MACHINES: [(u16, &str); 12] = [
    (3, "x86"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (21, "PowerPC64"),
    (22, "S/390"),
    (40, "ARM"),
    (43, "SPARC V9"),
    (X86_64, "x86-64"),
    (183, "AArch64"),
    (243, "RISC-V"),
    (247, "BPF"),
    (258, "LoongArch"),
];

/// The `key=value` pairs of a kernel module's `.modinfo` section, in order (kernel: include/linux/moduleparam.h).
pub fn module_info(section: &[u8]) -> impl Iterator<Item = (String, String)> {
    section.split(|byte| *byte == 0).filter_map(|pair| {
        let pair = String::from_utf8_lossy(pair);
        pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A relocatable file whose only sections are the names and `.modinfo`: what a module looks like to us.
    pub(crate) fn module(info: &[(&str, &str)]) -> Vec<u8> {
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
    fn a_file_of_another_machine_is_named() {
        let file = |class: u8, order: u8, machine: [u8; 2]| {
            let mut bytes = b"\x7fELF".to_vec();
            bytes.extend([class, order, 1]);
            bytes.resize(18, 0);
            bytes.extend(machine);
            bytes
        };
        assert_eq!(foreign(&file(2, 1, [62, 0])), None);
        assert_eq!(foreign(&file(1, 1, [62, 0])).as_deref(), Some("32-bit x86-64"));
        assert_eq!(foreign(&file(1, 1, [3, 0])).as_deref(), Some("32-bit x86"));
        assert_eq!(foreign(&file(2, 1, [183, 0])).as_deref(), Some("64-bit AArch64"));
        assert_eq!(foreign(&file(2, 2, [0, 22])).as_deref(), Some("64-bit S/390"));
        assert_eq!(foreign(&file(2, 1, [9, 9])).as_deref(), Some("64-bit machine 2313"));
        assert_eq!(foreign(b"#!/bin/sh\n"), None);
        assert_eq!(foreign(b"\x7fELF"), None);
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
