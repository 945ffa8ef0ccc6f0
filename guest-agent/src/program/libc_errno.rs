//! The C library's errno of a program's thread, found without the program's help.
//!
//! Every C library has a function `__errno_location`, which adds a constant to the thread pointer. It is found by its symbol in the files that are
//! mapped, and its few instructions are followed here: nothing is run in the program. Must not know calls or trials.
//! Units: addresses. Errors: none; where errno cannot be found (no C library, no symbols, unknown instructions) it is not read.
//! Source: the x86-64 psABI, "Thread-Local Storage"; glibc's csu/errno-loc.c, musl's src/errno/__errno_location.c. Tests: below, and
//! `tests/program`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use rig_protocol::Errno;

use super::decode::Memory;
use super::elf;

const FUNCTION: &str = "__errno_location";
/// More than any of them has.
const MOST_INSTRUCTIONS: usize = 16;
const MOST_CODE_BYTES: usize = 64;
/// The kernel returns none that is larger, and programs store none.
const LARGEST_ERRNO: i32 = 4095;

/// A file, as it was when it was looked at.
type FileKey = (u64, u64, i64, i64, u64);

/// Where the function lies in the files that were looked at: shared by all trials of a block.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    known: Mutex<HashMap<FileKey, Option<u64>>>,
}

/// What is known of the program that a process runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Executable {
    /// Where the interpreter (the dynamic loader) lies; empty where there is none, or it is the C library itself.
    loader: Option<std::ops::Range<u64>>,
    /// Where the function lies; `Some(None)`: there is none.
    function: Option<Option<u64>>,
    /// What is to be added to the thread pointer.
    offset: Option<u64>,
}

/// A mapped file.
struct Mapped<'m> {
    range: std::ops::Range<u64>,
    offset: u64,
    executable: bool,
    inode: &'m str,
    path: &'m str,
}

impl Libraries {
    /// Where errno of a thread lies, as soon as the program's start is over; `instruction` is where it made its call.
    pub(crate) fn locate(
        &self,
        executable: &mut Executable,
        process: i32,
        memory: &impl Memory,
        instruction: u64,
        thread_pointer: u64,
    ) -> Option<u64> {
        if thread_pointer == 0
            || executable.loader.as_ref().is_some_and(|loader| loader.contains(&instruction))
        {
            return None;
        }
        if executable.function.is_none() {
            self.look(executable, process, instruction);
        }
        let function = executable.function.flatten()?;
        if executable.offset.is_none() {
            match follow(memory, function, thread_pointer) {
                Some(address) => executable.offset = Some(address.wrapping_sub(thread_pointer)),
                None => executable.function = Some(None),
            }
        }
        executable.offset.map(|offset| thread_pointer.wrapping_add(offset))
    }

    /// Looks for the function in what is mapped now. While the loader works, it is the loader alone that could be the C library (musl's).
    fn look(&self, executable: &mut Executable, process: i32, instruction: u64) {
        let Ok(maps) = fs::read_to_string(format!("/proc/{process}/maps")) else { return };
        let mapped: Vec<_> = maps.lines().filter_map(parse).collect();
        let Some(caller) = mapped.iter().find(|one| one.range.contains(&instruction)) else { return };
        let of_file = |inode: &str| -> Option<std::ops::Range<u64>> {
            let mut ranges = mapped.iter().filter(|one| one.inode == inode).map(|one| &one.range);
            let first = ranges.next()?.clone();
            Some(ranges.fold(first, |all, one| all.start.min(one.start)..all.end.max(one.end)))
        };
        let base = interpreter(process);
        let interpreter = base.and_then(|base| mapped.iter().find(|one| one.range.start == base));
        if let Some(loader) = interpreter
            && loader.inode == caller.inode
        {
            match self.symbol(process, loader) {
                Some(function) => executable.function = Some(Some(function)),
                None => executable.loader = of_file(loader.inode),
            }
            return;
        }
        let first = |one: &&Mapped<'_>| one.offset == 0;
        let is_code =
            |one: &&Mapped<'_>| mapped.iter().any(|other| other.inode == one.inode && other.executable);
        let files = mapped.iter().filter(first).filter(is_code);
        executable.function = Some(files.into_iter().find_map(|one| self.symbol(process, one)));
    }

    /// Where the function lies in memory, if this file has it.
    fn symbol(&self, process: i32, mapped: &Mapped<'_>) -> Option<u64> {
        let by_range = || {
            let std::ops::Range { start, end } = mapped.range;
            File::open(format!("/proc/{process}/map_files/{start:x}-{end:x}"))
        };
        let is_it = |file: &File| file.metadata().is_ok_and(|about| about.ino().to_string() == mapped.inode);
        let file = File::open(mapped.path).ok().filter(is_it).or_else(|| by_range().ok())?;
        let about = file.metadata().ok()?;
        let key = (about.dev(), about.ino(), about.mtime(), about.mtime_nsec(), about.size());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = *known.entry(key).or_insert_with(|| elf::find_symbol(&file, FUNCTION));
        found.map(|at| mapped.range.start + at)
    }
}

/// A line of /proc/PID/maps that is about a file.
fn parse(line: &str) -> Option<Mapped<'_>> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (mode, offset, _, inode) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let path = &line[line.find('/')?..];
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let range = hex(start)?..hex(end)?;
    Some(Mapped { range, offset: hex(offset)?, executable: mode.contains('x'), inode, path })
}

/// Where the dynamic loader is mapped (`AT_BASE`, 7); `None` for a static program.
fn interpreter(process: i32) -> Option<u64> {
    let vector = fs::read(format!("/proc/{process}/auxv")).ok()?;
    let word = |bytes: &[u8]| bytes.first_chunk().map(|word| u64::from_ne_bytes(*word));
    let base = vector.chunks_exact(16).find(|pair| word(pair) == Some(7))?;
    word(&base[8..]).filter(|base| *base != 0)
}

/// The errno that lies there.
pub(crate) fn read(memory: &impl Memory, address: u64) -> Option<Errno> {
    let mut word = [0; 4];
    let errno = memory.read(address, &mut word).then(|| i32::from_ne_bytes(word))?;
    (0..=LARGEST_ERRNO).contains(&errno).then_some(Errno(errno))
}

/// Follows the function's instructions to what it returns. They are those that compilers make of "add a constant to the thread pointer".
fn follow(memory: &impl Memory, function: u64, thread_pointer: u64) -> Option<u64> {
    // Up to the end of what can be read: the function may be the last one.
    let mut code = [0; MOST_CODE_BYTES];
    let most =
        [MOST_CODE_BYTES, 32, 16].into_iter().find(|most| memory.read(function, &mut code[..*most]))?;
    let word = |address: u64| {
        let mut word = [0; 8];
        memory.read(address, &mut word).then(|| u64::from_ne_bytes(word))
    };
    let (mut at, mut value) = (0, 0_u64);
    for _ in 0..MOST_INSTRUCTIONS {
        let (length, effect) = instruction(&code[at..most])?;
        at += length;
        value = match effect {
            Effect::Return => return Some(value),
            Effect::None => value,
            Effect::Add(number) => value.wrapping_add(number),
            Effect::Set(number) => number,
            Effect::SetToOwn => word(thread_pointer)?,
            Effect::AddOwn => value.wrapping_add(word(thread_pointer)?),
            Effect::LoadBehind(distance) => word(function.wrapping_add(at as u64).wrapping_add(distance))?,
        };
    }
    None
}

/// What an instruction does to rax.
enum Effect {
    Return,
    None,
    Add(u64),
    Set(u64),
    /// The word at the thread pointer, which is that itself.
    SetToOwn,
    AddOwn,
    /// The word so far behind the instruction.
    LoadBehind(u64),
}

/// The first instruction: its length and effect.
fn instruction(code: &[u8]) -> Option<(usize, Effect)> {
    let near = |at: usize| code.get(at).map(|byte| i64::from(*byte as i8) as u64);
    let far = |at: usize| {
        let bytes: [u8; 4] = *code.get(at..)?.first_chunk()?;
        Some(i64::from(i32::from_le_bytes(bytes)) as u64)
    };
    Some(match code {
        // ret
        [0xc3, ..] => (1, Effect::Return),
        // endbr64
        [0xf3, 0x0f, 0x1e, 0xfa, ..] => (4, Effect::None),
        // push %rbp; pop %rbp; nop
        [0x55 | 0x5d | 0x90, ..] => (1, Effect::None),
        // mov %rsp,%rbp; xchg %ax,%ax
        [0x48, 0x89, 0xe5, ..] => (3, Effect::None),
        [0x66, 0x90, ..] => (2, Effect::None),
        // mov disp(%rip),%rax
        [0x48, 0x8b, 0x05, ..] => (7, Effect::LoadBehind(far(3)?)),
        // mov %fs:0,%rax; add %fs:0,%rax
        [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, ..] => (9, Effect::SetToOwn),
        [0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0, ..] => (9, Effect::AddOwn),
        // mov $imm,%rax
        [0x48, 0xc7, 0xc0, ..] => (7, Effect::Set(far(3)?)),
        // add $imm,%rax; lea disp(%rax),%rax
        [0x48, 0x83, 0xc0, ..] | [0x48, 0x8d, 0x40, ..] => (4, Effect::Add(near(3)?)),
        [0x48, 0x05, ..] => (6, Effect::Add(far(2)?)),
        [0x48, 0x8d, 0x80, ..] => (7, Effect::Add(far(3)?)),
        // sub $imm,%rax
        [0x48, 0x83, 0xe8, ..] => (4, Effect::Add(near(3)?.wrapping_neg())),
        [0x48, 0x2d, ..] => (6, Effect::Add(far(2)?.wrapping_neg())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code at 0x1000, the thread's block at 0x9000 with its own address in front, an offset at 0x5000.
    struct Laid(Vec<u8>);

    impl Memory for Laid {
        fn read(&self, address: u64, into: &mut [u8]) -> bool {
            let bytes: Vec<u8> = match address {
                0x1000.. if address < 0x1100 => self.0.iter().copied().chain([0xcc; 64]).collect(),
                0x5000 => (-64_i64).to_le_bytes().to_vec(),
                0x9000 => 0x9000_u64.to_le_bytes().to_vec(),
                _ => return false,
            };
            into.copy_from_slice(&bytes[..into.len()]);
            true
        }
    }

    #[test]
    fn the_functions_of_the_c_libraries_are_followed() {
        let own = [0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0];
        let load = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0];
        // 0x1000 + 4 + 7 + 0x3ff5 is 0x5000.
        let dynamic =
            [&[0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x05, 0xf5, 0x3f, 0, 0][..], &own, &[0xc3]].concat();
        let fixed = [&[0x48, 0xc7, 0xc0, 0xc0, 0xff, 0xff, 0xff][..], &own, &[0xc3]].concat();
        let musl = [&load[..], &[0x48, 0x83, 0xc0, 0x34, 0xc3]].concat();
        let framed = [&[0x55, 0x48, 0x89, 0xe5][..], &load, &[0x48, 0x05, 0, 1, 0, 0, 0x5d, 0xc3]].concat();
        for (code, wanted) in [(dynamic, 0x8fc0), (fixed, 0x8fc0), (musl, 0x9034), (framed, 0x9100)] {
            assert_eq!(follow(&Laid(code), 0x1000, 0x9000), Some(wanted));
        }
        assert_eq!(follow(&Laid(vec![0xe8, 0, 0, 0, 0, 0xc3]), 0x1000, 0x9000), None, "it calls another one");
        assert_eq!(follow(&Laid(vec![0x90; 64]), 0x1000, 0x9000), None, "no end");
    }

    #[test]
    fn a_line_of_the_maps_is_read() {
        let line = "7f00-7f10 r-xp 00001000 fe:01 42                 /lib/x y.so";
        let one = parse(line).expect("a file");
        assert_eq!((one.range, one.offset, one.executable), (0x7f00..0x7f10, 0x1000, true));
        assert_eq!((one.inode, one.path), ("42", "/lib/x y.so"));
        assert!(parse("7f00-7f10 rw-p 00000000 00:00 0 [stack]").is_none());
    }
}
