//! What cannot be a client: each wrong input has its sentence, its place and what to try.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

fn error(asked: &Asked) -> ProgramError {
    inspect(asked).unwrap_err()
}

/// The error's sentence and advice, the bench's folder taken out.
fn told(bench: &Bench, asked: &Asked) -> (About, String, String) {
    let error = error(asked);
    let without = |text: String| text.replace(&bench.text(""), "");
    (error.about, without(error.to_string()), without(error.help()))
}

#[test]
fn a_file_that_is_not_there_has_names_that_are_near() {
    let bench = Bench::new();
    bench.gcc(&["-o", "client3"], HELLO);
    let (about, said, help) = told(&bench, &bench.asked("./cleint3"));
    assert_eq!((about, said.as_str()), (About::Program, "there is no file cleint3"));
    assert!(help.starts_with("did you mean `client3`?"), "{help}");
    let (_, _, help) = told(&bench, &bench.asked("nowhere/client3"));
    assert!(help.starts_with("there is no folder") && help.ends_with("nowhere"), "{help}");
}

#[test]
fn a_name_that_is_not_on_path_may_be_a_file_here() {
    let bench = Bench::new();
    bench.gcc(&["-o", "client3"], HELLO);
    let (_, said, help) = told(&bench, &bench.asked("client3"));
    assert_eq!(said, "there is no program `client3` on PATH");
    assert_eq!(help, "there is a file of that name: did you mean `./client3`?");
    let (_, _, help) = told(&bench, &bench.asked("sleepp"));
    assert!(help.starts_with("did you mean `sleep`?"), "{help}");
}

#[test]
fn what_the_kernel_does_not_execute_is_refused() {
    let bench = Bench::new();
    fs_err::create_dir(bench.path("folder")).unwrap();
    bench.write("plain", "#!/bin/sh\n", 0o644);
    bench.write("empty", "", 0o755);
    bench.write("text", "echo hello\n", 0o755);
    let _socket = UnixListener::bind(bench.path("socket")).unwrap();
    for (name, said, advice) in [
        ("./folder", "folder is a folder", "name a file"),
        ("./plain", "plain is not executable", "chmod +x"),
        ("./empty", "empty is an empty file", "to its end"),
        (
            "./text",
            "text is neither an ELF program nor a script whose first line names an interpreter",
            "#!/bin/sh",
        ),
        ("./socket", "socket is a socket", "only files"),
        ("./plain/x", "plain/x cannot be read: Not a directory (os error 20)", "readable"),
    ] {
        let (about, told, help) = told(&bench, &bench.asked(name));
        assert_eq!((about, told.as_str()), (About::Program, said));
        assert!(help.contains(advice), "{name}: {help}");
    }
}

#[test]
fn programs_of_other_machines_are_named() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "native"], HELLO);
    let native = fs_err::read(bench.path("native")).unwrap();
    let as_of = |name: &str, class: u8, machine: u8| {
        let mut bytes = native.clone();
        (bytes[4], bytes[18]) = (class, machine);
        fs_err::write(bench.path(name), bytes).unwrap();
        fs_err::set_permissions(bench.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        told(&bench, &bench.asked(&format!("./{name}"))).1
    };
    let rest = "and this host and its guests are 64-bit x86-64";
    assert_eq!(as_of("arm", 2, 183), format!("arm is a 64-bit AArch64 program, {rest}"));
    assert_eq!(as_of("old", 1, 3), format!("old is a 32-bit x86 program, {rest}"));
}

#[test]
fn a_damaged_program_is_no_panic() {
    let bench = Bench::new();
    bench.gcc(&["-o", "whole"], HELLO);
    let whole = fs_err::read(bench.path("whole")).unwrap();
    for length in [20, 64, 100, 1000, whole.len() - 1] {
        fs_err::write(bench.path("cut"), &whole[..length]).unwrap();
        fs_err::set_permissions(bench.path("cut"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = error(&bench.asked("./cut"));
        assert!(matches!(error.fault, Fault::Damaged { .. }), "{length}: {error}");
    }
}

#[test]
fn an_interpreter_that_cannot_be_used_is_named_with_its_script() {
    let bench = Bench::new();
    bench.write("lost", "#!/opt/nowhere/python9\n", 0o755);
    bench.write("sought", "#!/usr/bin/env no-such-program-here\n", 0o755);
    let (_, said, _) = told(&bench, &bench.asked("./lost"));
    assert_eq!(said, "the interpreter of lost cannot be used: there is no file /opt/nowhere/python9");
    let (_, said, _) = told(&bench, &bench.asked("./sought"));
    assert_eq!(
        said,
        "the interpreter of sought cannot be used: there is no program `no-such-program-here` on PATH"
    );
    for depth in 0..8 {
        let line = format!("#!{}\n", bench.text(&format!("deep{}", depth + 1)));
        bench.write(&format!("deep{depth}"), &line, 0o755);
    }
    bench.write("deep8", "#!/bin/sh\n", 0o755);
    let error = error(&bench.asked("./deep0"));
    assert!(matches!(error.fault, Fault::TooDeep { .. }), "{error}");
    assert!(inspect(&bench.asked("./deep5")).is_ok(), "as deep as the kernel goes");
}

#[test]
fn a_stand_in_for_an_interpreter_is_led_to_the_real_one() {
    let bench = Bench::new();
    let Some(real) = crate::process::find_program("python3") else { return skipped("no python3") };
    bench.write("shims/python3", &format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()), 0o755);
    bench.write("client.py", &format!("#!{}\n", bench.text("shims/python3")), 0o755);
    let error = error(&bench.asked("./client.py"));
    let Fault::Interpreter { why, .. } = &error.fault else { panic!("{error}") };
    assert!(matches!(**why, Fault::StandIn { .. }), "{error}");
    let packed = bench.packed("shims/python3");
    assert!(!packed.path.contains("shims") && packed.path.contains("/python3"), "{}", packed.path);
}

#[test]
fn rights_that_a_witness_takes_away_are_refused() {
    let bench = Bench::new();
    bench.gcc(&["-o", "plain"], HELLO);
    let copy = |name: &str, mode: u32| {
        fs_err::copy(bench.path("plain"), bench.path(name)).unwrap();
        fs_err::set_permissions(bench.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        format!("./{name}")
    };
    let rest = "and under ptrace the kernel does not give it those rights";
    for (name, mode, what) in [("user", 0o4755, "is setuid"), ("group", 0o2755, "is setgid")] {
        let (_, said, help) = told(&bench, &bench.asked(&copy(name, mode)));
        assert_eq!(said, format!("{name} {what}, {rest}"));
        assert!(help.contains("cp "), "{help}");
    }
    // VFS_CAP_REVISION_2 with the effective bit, and CAP_NET_RAW (include/uapi/linux/capability.h).
    let mut value = 0x0200_0001_u32.to_le_bytes().to_vec();
    value.extend((1_u32 << 13).to_le_bytes());
    value.resize(20, 0);
    let capable = copy("capable", 0o755);
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(bench.path("capable"), "security.capability", &value, flags).is_err() {
        return skipped("no file capability can be set here");
    }
    let (_, said, _) = told(&bench, &bench.asked(&capable));
    assert_eq!(said, format!("capable has file capabilities, {rest}"));
}

#[test]
fn a_loader_that_is_not_there_is_named() {
    let bench = Bench::new();
    bench.gcc(&["-o", "hello", "-Wl,--dynamic-linker=/opt/nowhere/ld.so"], HELLO);
    let (_, said, _) = told(&bench, &bench.asked("./hello"));
    assert_eq!(said, "hello asks for the loader /opt/nowhere/ld.so, which is not there");
}

#[test]
fn what_goes_with_it_is_told_by_its_place() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    fs_err::create_dir(bench.path("app")).unwrap();
    let _socket = UnixListener::bind(bench.path("app/socket")).unwrap();
    let with = |names: &[&str]| Asked {
        with: names.iter().map(|name| (*name).to_owned()).collect(),
        ..bench.asked("./hello")
    };
    let (about, said, _) = told(&bench, &with(&["hello", "ap"]));
    assert_eq!((about, said.as_str()), (About::With(1), "there is no file ap"));
    let (about, said, _) = told(&bench, &with(&["app"]));
    assert_eq!((about, said.as_str()), (About::With(0), "app/socket is a socket"));
    let input = |name: &str| Asked { input: Some(name.into()), ..bench.asked("./hello") };
    let (about, said, _) = told(&bench, &input("app"));
    assert_eq!((about, said.as_str()), (About::Input, "app is a folder"));
    let (about, said, _) = told(&bench, &input("request"));
    assert_eq!((about, said.as_str()), (About::Input, "there is no file request"));
}

#[test]
fn more_than_a_guest_can_hold_is_refused_unread() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    // A hole: nothing of it is on the disk.
    let large = fs_err::File::create(bench.path("large")).unwrap();
    large.set_len(MOST_BYTES).unwrap();
    let (_, said, help) = told(&bench, &Asked { with: vec!["large".into()], ..bench.asked("./hello") });
    assert_eq!(said, "the program and what goes with it are larger than 1024 MiB: large alone has 1024 MiB");
    assert!(help.contains("`with`"), "{help}");
}

#[test]
fn links_in_a_circle_are_no_endless_loop() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    fs_err::create_dir(bench.path("app")).unwrap();
    symlink("round", bench.path("app/round")).unwrap();
    symlink(".", bench.path("app/self")).unwrap();
    let packed = inspect(&Asked { with: vec!["app".into()], ..bench.asked("./hello") }).unwrap();
    assert_eq!(packed.notes.len(), 1, "{:?}", packed.notes);
    assert!(!archive(&packed).is_empty());
}
