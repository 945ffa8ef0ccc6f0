//! Of places: against a small linked file and a relocatable one in `data/`, whose sources lie beside them. They were built by
//! `gcc -g -gdwarf-4 -O2 -fno-pic -fcf-protection=none -ffreestanding -ffile-prefix-map=$PWD=/usr/src/linux` and `ld -static -e first`; the lines are
//! those that binutils' `addr2line -i` gives.

use std::path::Path;

use super::*;

fn built() -> Built {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/symbols/data");
    Built { vmlinux: data.join("vmlinux"), version: None }
}

fn decoded(line: &str) -> Vec<String> {
    built().decode(&[line.to_owned()], None).unwrap()
}

#[test]
fn a_place_is_found_wherever_it_stands_in_a_line() {
    let place = |line| Place::find(line).map(|place| (place.text.to_owned(), place.module, place.exact));
    let plain = |text: &str, exact| Some((text.to_owned(), None, exact));
    assert_eq!(
        place("[   3.3] RIP: 0010:sched_clock_cpu+0x9/0x190"),
        plain("sched_clock_cpu+0x9/0x190", true)
    );
    assert_eq!(place(" ? __pfx_x.isra.0+0x10/0x10"), plain("__pfx_x.isra.0+0x10/0x10", false));
    let module = Some(("dummy_xmit+0x2f/0x60".to_owned(), Some("dummy"), false));
    assert_eq!(place("  dummy_xmit+0x2f/0x60 [dummy]"), module);
    assert_eq!(place("  dummy_xmit+0x2f/0x60 [dummy 0123abcd]"), module);
    assert_eq!(place("a+0x1 é+0x1/0x2 then b+0x2/0x3"), plain("b+0x2/0x3", false));
    for none in ["", "+0x1/0x2", "a+0x/0x2", "a+0x1", "a+0x1/0x", "a+0x11112222333344445/0x2", "Code: 48 8b"]
    {
        assert_eq!(place(none), None, "{none}");
    }
}

#[test]
fn a_call_is_where_it_was_made_and_a_processor_where_it_is() {
    assert_eq!(decoded(" first+0x5/0x20"), ["first+0x5/0x20: kernel/panic.c:25"]);
    assert_eq!(decoded("RIP: 0010:first+0x5/0x20"), ["first+0x5/0x20: kernel/panic.c:26"]);
    assert_eq!(decoded("  ? first+0x5/0x20"), ["? first+0x5/0x20: kernel/panic.c:25"]);
}

#[test]
fn inlined_functions_come_first() {
    let lines = decoded("RIP: 0010:panic+0x0/0x20");
    assert_eq!(lines, ["panic+0x0/0x20: inner (kernel/panic.c:8), inlined into panic (kernel/panic.c:14)"]);
}

#[test]
fn of_functions_with_one_name_the_size_tells_which() {
    let twice = |size: &str| decoded(&format!("RIP: 0010:twice.constprop.0+0x0/{size}")).remove(0);
    assert!(twice("0x10").ends_with(": kernel/panic.c:20"), "{}", twice("0x10"));
    assert!(twice("0x20").ends_with(": kernel/other.c:6"), "{}", twice("0x20"));
    assert!(twice("0x30").ends_with("(no function of this name has this size in this file)"));
    assert!(decoded("nowhere+0x1/0x2")[0].ends_with("(no such function in this file)"));
}

#[test]
fn a_module_has_lines_in_each_of_its_sections() {
    assert_eq!(
        decoded(" transmit+0x18/0x27 [small_module]"),
        ["transmit+0x18/0x27 [small_module]: drivers/net/small-module.c:16"]
    );
    assert_eq!(
        decoded(" begin+0x18/0x29 [small_module]"),
        ["begin+0x18/0x29 [small_module]: drivers/net/small-module.c:8"]
    );
    let other = decoded(" a+0x1/0x2 [other]").remove(0);
    assert!(other.starts_with("a+0x1/0x2 [other]: (no other.ko beside "), "{other}");
}

#[test]
fn a_file_of_another_build_is_refused() {
    let lines = ["first+0x5/0x20".to_owned()];
    let banner = "[    0.000000] Linux version 6.1.0-test (somebody@somewhere) #1";
    assert_eq!(built().decode(&lines, Some(banner)).unwrap().len(), 1);
    let other = built().decode(&lines, Some("Linux version 6.1.0-test (somebody@somewhere) #2"));
    assert!(matches!(other, Err(SymbolsError::OtherBuild { .. })), "{other:?}");
    // A quiet kernel prints no banner: its bzImage says what it is.
    let of = |version: &str| Built { version: Some(version.to_owned()), ..built() }.decode(&lines, None);
    assert_eq!(of("6.1.0-test (somebody@somewhere) #1").unwrap().len(), 1);
    for other in ["6.1.0-test (somebody@somewhere) #2", "6.1.0-tes (somebody@somewhere) #1", "6.1.0-test"] {
        assert!(other == "6.1.0-test" || of(other).is_err(), "{other}");
    }
}

#[test]
fn a_banner_has_the_compiler_between_who_built_it_and_the_version() {
    let banner = "Linux version 6.1.0-56-amd64 (a@b) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP Debian 6.1.192-2 (2026-11-01)";
    assert!(says(banner, "6.1.0-56-amd64 (a@b) #1 SMP Debian 6.1.192-2 (2026-11-01)"));
    assert!(!says(banner, "6.1.0-56-amd64 (a@b) #1 SMP Debian 6.1.192-1 (2026-10-01)"), "the same release");
    assert!(!says(banner, "6.1.0-56-amd64 (c@b) #1 SMP Debian 6.1.192-2 (2026-11-01)"));
}

#[test]
fn what_is_no_kernel_with_debug_information_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let decode = |name: &str| {
        Built { vmlinux: folder.path().join(name), version: None }.decode(&[], None).unwrap_err()
    };
    assert!(matches!(decode("missing"), SymbolsError::Unreadable { .. }));
    assert!(matches!(decode("."), SymbolsError::Unreadable { .. }));
    fs_err::write(folder.path().join("text"), "no ELF").unwrap();
    assert!(matches!(decode("text"), SymbolsError::Unusable { .. }));
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), folder.path().join("program")).unwrap();
    assert!(matches!(decode("program"), SymbolsError::NoKernel { .. }));
    // The whole file but for its section table: its header says that there is none.
    let mut bytes = fs_err::read(built().vmlinux).unwrap();
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    fs_err::write(folder.path().join("stripped"), &bytes).unwrap();
    assert!(matches!(decode("stripped"), SymbolsError::NoDebug { .. }));
}

#[test]
fn no_cut_or_changed_file_is_a_panic_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmlinux");
    let whole = fs_err::read(built().vmlinux).unwrap();
    let lines = ["RIP: 0010:panic+0x0/0x20".to_owned(), "twice.constprop.0+0x2/0x20".to_owned()];
    for at in (0..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        for bytes in [&changed[..], &whole[..at]] {
            fs_err::write(&path, bytes).unwrap();
            // Whatever it is, it ends.
            let _ = Built { vmlinux: path.clone(), version: None }.decode(&lines, None);
        }
    }
}
