//! What is left of a guest whose kernel panics: its memory, read as crash(8) reads it, and why there is none where there is none.

use std::path::Path;
use std::time::Duration;

use object::LittleEndian;
use object::elf::{PT_LOAD, PT_NOTE};
use object::read::elf::{ElfFile64, ProgramHeader};
use rig::configuration::{NicBackend, NicModel};
use rig::machine::launch_ssh::{self, SshSession};
use rig::machine::qemu::{Aftermath, Core, Guest, GuestError, MOST_CORES, Remains};

use crate::support::guest::Bench;
use crate::{LONG, boot, image_or_return, support};

/// Where the kernel's text is mapped (`__START_KERNEL_map`, arch/x86/include/asm/page_64_types.h).
const START_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// Length of a word of `struct new_utsname` (include/uapi/linux/utsname.h): the third is the release.
const UTS_BYTES: u64 = 65;

fn aftermath(core: &Path) -> (Aftermath, Remains) {
    let remains = Remains::default();
    let symbols = Err("no symbols here".to_owned());
    (Aftermath { symbols, core: Some(core.to_owned()), remains: remains.clone() }, remains)
}

/// The kernel's note in a core: `KEY=VALUE` a line.
fn vmcoreinfo(core: &ElfFile64<'_, LittleEndian>) -> String {
    for segment in core.elf_program_headers().iter().filter(|segment| segment.p_type(LittleEndian) == PT_NOTE)
    {
        let mut notes = segment.notes(LittleEndian, core.data()).unwrap().unwrap();
        while let Some(note) = notes.next().unwrap() {
            if note.name() == b"VMCOREINFO" {
                return String::from_utf8(note.desc().to_owned()).unwrap();
            }
        }
    }
    panic!("no note VMCOREINFO");
}

/// So many bytes of the guest's memory at an address of its kernel's text or data, by what the note says.
fn read_kernel(core: &ElfFile64<'_, LittleEndian>, note: &str, address: u64, count: u64) -> Vec<u8> {
    let base = value(note, "NUMBER(phys_base)").parse::<i64>().unwrap();
    let physical = (address - START_KERNEL_MAP).wrapping_add_signed(base);
    let found = core.elf_program_headers().iter().find_map(|segment| {
        let begins = segment.p_paddr(LittleEndian);
        let inside = segment.p_type(LittleEndian) == PT_LOAD
            && (begins..begins + segment.p_filesz(LittleEndian)).contains(&physical);
        inside.then(|| segment.p_offset(LittleEndian) + (physical - begins))
    });
    let at = usize::try_from(found.expect("the memory is in the core")).unwrap();
    core.data()[at..at + usize::try_from(count).unwrap()].to_owned()
}

fn value<'a>(note: &'a str, key: &str) -> &'a str {
    let line = note.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in {note}"))
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_kernel_that_panicked_is_kept_and_reads_as_that_kernels() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let core = bench.folder().join("core/a.vmcore");
    let (aftermath, remains) = aftermath(&core);
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1);
    plan.aftermath = Some(aftermath);
    let guest = boot(plan).await;
    let crash = |session: SshSession, left: &dyn Fn() -> Duration| {
        session.run("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 1000", left())
    };
    launch_ssh::with_session(&guest, bench.ssh(), LONG, crash).await.unwrap_err();
    guest.died().await;
    guest.stop().await;
    let [remain] = &remains.all()[..] else { panic!("one guest died") };
    assert_eq!(remain.core.as_ref(), Some(&Ok(Core { path: core.clone(), named: true })));

    let bytes = fs_err::read(&core).unwrap();
    let file: ElfFile64<'_, LittleEndian> = ElfFile64::parse(&*bytes).unwrap();
    let note = vmcoreinfo(&file);
    let release = &image.image.release;
    assert_eq!(value(&note, "OSRELEASE"), release);
    let offset: u64 = value(&note, "OFFSET(uts_namespace.name)").parse().unwrap();
    let name = hex(value(&note, "SYMBOL(init_uts_ns)")) + offset;
    let in_memory = read_kernel(&file, &note, name + 2 * UTS_BYTES, UTS_BYTES);
    assert_eq!(in_memory.split(|byte| *byte == 0).next().unwrap(), release.as_bytes());
    // Pages of zeros are holes.
    let on_disk = std::os::unix::fs::MetadataExt::blocks(&fs_err::metadata(&core).unwrap()) * 512;
    assert!(on_disk < bytes.len() as u64, "{on_disk} of {}", bytes.len());

    let console = fs_err::read_to_string(bench.folder().join("console.log")).unwrap();
    for words in ["Call Trace:", "rig: the guest's memory is kept: crash VMLINUX '", "no symbols here"] {
        assert!(console.contains(words), "no {words} in {console}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_boot_says_why_no_more_memory_is_kept() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let folder = bench.folder().join("core");
    fs_err::create_dir(&folder).unwrap();
    for number in 0..MOST_CORES {
        fs_err::write(folder.join(format!("{number}.vmcore")), "").unwrap();
    }
    let (aftermath, remains) = aftermath(&folder.join("a.vmcore"));
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1);
    plan.aftermath = Some(aftermath);
    plan.extra_cmdline = vec!["rdinit=/nonexistent".to_owned()];
    let error = Guest::boot(plan, LONG).await.unwrap_err();
    let GuestError::Panicked { console_tail, .. } = &error else { panic!("{error}") };
    assert!(console_tail.contains("Call Trace:"), "the whole report: {console_tail}");
    let [remain] = &remains.all()[..] else { panic!("one guest died") };
    let words = remain.core_words().unwrap();
    assert!(words.starts_with("the guest's memory is not kept: 3 others lie in "), "{words}");
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), MOST_CORES);
}
