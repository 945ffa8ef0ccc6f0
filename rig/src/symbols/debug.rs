//! One ELF file with its symbols and its DWARF: what lies at so many bytes into a function.
//!
//! A module is relocatable: its sections all begin at 0, so each is given a place of its own, and the debug information is relocated to these places.
//! Must not know how a place is written. Units: bytes. Errors: [`SymbolsError`]; a sentence for one place. Tests: in `symbols/tests.rs`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use addr2line::gimli::{self, EndianSlice, LittleEndian};
use addr2line::{Context, Frame};
use object::elf::SHF_ALLOC;
use object::read::elf::ElfFile64;
use object::{
    Object, ObjectKind, ObjectSection, ObjectSymbol, RelocationTarget, SectionFlags, SectionIndex,
    SectionKind, SymbolKind,
};

use super::error::SymbolsError;
use super::place::Place;

type Reader<'a> = EndianSlice<'a, LittleEndian>;
type File<'a> = ElfFile64<'a, object::LittleEndian>;

/// What functions and lines are read of.
const DEBUG_SECTIONS: [gimli::SectionId; 11] = [
    gimli::SectionId::DebugAbbrev,
    gimli::SectionId::DebugAddr,
    gimli::SectionId::DebugAranges,
    gimli::SectionId::DebugInfo,
    gimli::SectionId::DebugLine,
    gimli::SectionId::DebugLineStr,
    gimli::SectionId::DebugRanges,
    gimli::SectionId::DebugRngLists,
    gimli::SectionId::DebugStr,
    gimli::SectionId::DebugStrOffsets,
    gimli::SectionId::DebugTypes,
];
/// A file larger than this is not read: no kernel's is.
const MOST_BYTES: u64 = 4 << 30;
/// Places of relocatable sections are multiples of this.
const APART: u64 = 1 << 12;

/// A function of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Function {
    address: u64,
    /// Up to the next symbol, as the kernel counts it.
    size: u64,
}

/// What is read of a file.
pub(super) struct Sections {
    path: PathBuf,
    debug: HashMap<&'static str, Vec<u8>>,
    functions: HashMap<String, Vec<Function>>,
    banner: Option<String>,
}

/// The same with its debug information understood.
pub(super) struct Debug<'a> {
    context: Context<Reader<'a>>,
    sections: &'a Sections,
}

impl Sections {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SymbolsError`]
    pub(super) fn read(path: &Path) -> Result<Self, SymbolsError> {
        let bytes = read(path)?;
        let unusable = |error: object::read::Error| unusable(path, &error);
        let file: File<'_> = File::parse(&*bytes).map_err(unusable)?;
        if file.section_by_name(".debug_info").is_none() {
            return Err(SymbolsError::NoDebug { path: path.to_owned() });
        }
        let places = Places::of(&file);
        let mut debug = HashMap::new();
        for name in DEBUG_SECTIONS.map(|id| id.name()) {
            if let Some(section) = file.section_by_name(name) {
                debug.insert(name, places.relocated(&file, &section).map_err(unusable)?);
            }
        }
        Ok(Self { path: path.to_owned(), debug, functions: functions(&file, &places), banner: banner(&file) })
    }

    /// `Linux version …`, where the file is a kernel's.
    pub(super) fn banner(&self) -> Option<&str> {
        self.banner.as_deref()
    }

    /// Finds its compilation units.
    ///
    /// # Errors
    /// [`SymbolsError::Unusable`]
    pub(super) fn understand(&self) -> Result<Debug<'_>, SymbolsError> {
        let load = |id: gimli::SectionId| -> Result<Reader<'_>, gimli::Error> {
            Ok(EndianSlice::new(self.debug.get(id.name()).map_or(&[], Vec::as_slice), LittleEndian))
        };
        let context = gimli::Dwarf::load(load).and_then(Context::from_dwarf);
        let context = context.map_err(|error| unusable(&self.path, &error))?;
        Ok(Debug { context, sections: self })
    }
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> SymbolsError {
    SymbolsError::Unusable { path: path.to_owned(), why: error.to_string() }
}

impl Debug<'_> {
    /// The folder, with a slash behind it, that its source lay in: what stands before `file` in the place of `function`.
    pub(super) fn source_root(&self, (function, file): (&str, &str)) -> String {
        let address =
            self.sections.functions.get(function).and_then(|found| found.first()).map(|found| found.address);
        let frames = address.and_then(|address| self.frames(address).ok()).unwrap_or_default();
        let root = frames.iter().find_map(|(_, at)| at.rsplit_once(':')?.0.strip_suffix(file));
        root.unwrap_or_default().to_owned()
    }

    /// The line of a place, after those of the functions that were inlined there.
    ///
    /// # Errors
    /// Why it is not known, in words.
    pub(super) fn lines(&self, place: &Place<'_>, root: &str) -> Result<String, String> {
        let found = self.sections.functions.get(place.function).map_or(&[][..], Vec::as_slice);
        let fits: Vec<&Function> = found.iter().filter(|found| found.size == place.size).collect();
        let function = match (found, &fits[..]) {
            ([], _) => return Err("no such function in this file".to_owned()),
            (_, [one]) => *one,
            ([one], _) if place.offset <= one.size => one,
            (_, []) => return Err("no function of this name has this size in this file".to_owned()),
            (_, [_, ..]) => return Err(format!("{} functions of this name have this size", fits.len())),
        };
        // A call returns to behind it, where another line may begin.
        let back = u64::from(!place.exact && place.offset > 0);
        let frames = self.frames(function.address + place.offset - back)?;
        let frames: Vec<(String, &str)> =
            frames.iter().map(|(name, at)| (name.clone(), at.strip_prefix(root).unwrap_or(at))).collect();
        match &frames[..] {
            [] => Err("no line is known for it".to_owned()),
            [(_, at)] => Ok((*at).to_owned()),
            several => {
                let named: Vec<String> = several.iter().map(|(name, at)| format!("{name} ({at})")).collect();
                Ok(named.join(", inlined into "))
            }
        }
    }

    /// Functions and `file:line` at an address, the innermost first.
    fn frames(&self, address: u64) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        let mut frames =
            self.context.find_frames(address).skip_all_loads().map_err(|error| error.to_string())?;
        while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
            found.extend(named(&frame));
        }
        Ok(found)
    }
}

fn named(frame: &Frame<'_, Reader<'_>>) -> Option<(String, String)> {
    let location = frame.location.as_ref()?;
    let name = frame.function.as_ref().and_then(|name| name.raw_name().ok().map(String::from));
    let line = location.line.map_or_else(|| "?".to_owned(), |line| line.to_string());
    Some((name.unwrap_or_else(|| "?".to_owned()), format!("{}:{line}", location.file?)))
}

/// Where the sections of a file lie: as it says, or apart from each other where it is relocatable.
struct Places(Option<HashMap<SectionIndex, u64>>);

impl Places {
    fn of(file: &File<'_>) -> Self {
        if file.kind() != ObjectKind::Relocatable {
            return Self(None);
        }
        let mut next = APART;
        // What is not in memory is spoken of from its own beginning.
        let in_memory =
            |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(SHF_ALLOC));
        let places = file.sections().filter(|section| in_memory(section.flags())).map(|section| {
            let place = next;
            next += section.size().next_multiple_of(APART) + APART;
            (section.index(), place)
        });
        Self(Some(places.collect()))
    }

    /// Where a section lies beyond what its symbols say.
    fn of_section(&self, index: Option<SectionIndex>) -> u64 {
        let place = self.0.as_ref().zip(index).and_then(|(places, index)| places.get(&index));
        place.copied().unwrap_or_default()
    }

    /// A section's bytes, with what they say of other sections put to their places.
    fn relocated(
        &self,
        file: &File<'_>,
        section: &object::read::elf::ElfSection64<'_, '_, object::LittleEndian>,
    ) -> Result<Vec<u8>, object::read::Error> {
        // An error where it is compressed.
        let mut bytes = section.uncompressed_data()?.into_owned();
        if self.0.is_none() {
            return Ok(bytes);
        }
        for (offset, relocation) in section.relocations() {
            let base = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = file.symbol_by_index(index)?;
                    self.of_section(symbol.section_index()).wrapping_add(symbol.address())
                }
                RelocationTarget::Section(index) => self.of_section(Some(index)),
                _ => continue,
            };
            let value = base.wrapping_add_signed(relocation.addend()).to_le_bytes();
            let size = usize::from(relocation.size() / 8);
            let at = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at..at.checked_add(size)?));
            if let (Some(at), Some(value)) = (at, value.get(..size)) {
                at.copy_from_slice(value);
            }
        }
        Ok(bytes)
    }
}

/// Functions by their names. The kernel has no sizes: it takes a function to go on to the next symbol (`get_symbol_pos`, kernel/kallsyms.c).
fn functions(file: &File<'_>, places: &Places) -> HashMap<String, Vec<Function>> {
    let code: HashMap<SectionIndex, u64> = file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .map(|section| {
            (section.index(), places.of_section(Some(section.index())) + section.address() + section.size())
        })
        .collect();
    let mut named: Vec<(u64, u64, &str)> = file
        .symbols()
        .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown))
        .filter_map(|symbol| {
            let end = *code.get(&symbol.section_index()?)?;
            let name = symbol.name().ok().filter(|name| !name.is_empty() && !name.starts_with(".L"))?;
            Some((places.of_section(symbol.section_index()) + symbol.address(), end, name))
        })
        .collect();
    named.sort_unstable();
    let mut functions: HashMap<String, Vec<Function>> = HashMap::new();
    for (place, &(address, end, name)) in named.iter().enumerate() {
        let next = named[place..].iter().map(|(other, _, _)| *other).find(|other| *other > address);
        let size = next.unwrap_or(end).min(end).saturating_sub(address);
        functions.entry(name.to_owned()).or_default().push(Function { address, size });
    }
    functions
}

/// `linux_banner` (init/version.c), without its line feed.
fn banner(file: &File<'_>) -> Option<String> {
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok("linux_banner"))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let at = usize::try_from(symbol.address().checked_sub(section.address())?).ok()?;
    let text = section.data().ok()?.get(at..)?.split(|byte| matches!(byte, 0 | b'\n')).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The bytes of a file that is not larger than a kernel's can be.
fn read(path: &Path) -> Result<Vec<u8>, SymbolsError> {
    let unreadable = |why: String| SymbolsError::Unreadable { path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(unreadable(format!("it is not a file of at most {} GiB", MOST_BYTES >> 30)));
    }
    std::fs::read(path).map_err(|error| unreadable(error.to_string()))
}
