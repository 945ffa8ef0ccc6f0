//! What programs consist of: built by gcc in a folder of their own, packed, and executed in a chroot that has nothing but their parts.
//!
//! Where a test needs root or a program that is not here, it says that it is skipped.

mod wrong;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::geteuid;
use rig_protocol::Program;
use tempfile::TempDir;

use super::*;

/// A folder for one test.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Compiles C with these arguments, in the folder.
    fn gcc(&self, arguments: &[&str], code: &str) {
        self.write("source.c", code, 0o644);
        let mut gcc = Command::new("gcc");
        gcc.current_dir(self.folder.path()).args(["-x", "c", "source.c", "-x", "none"]).args(arguments);
        let output = gcc.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn asked(&self, name: &str) -> Asked {
        Asked { name: name.to_owned(), directory: self.path("."), ..Asked::default() }
    }

    fn packed(&self, name: &str) -> Packed {
        inspect(&self.asked(name)).unwrap()
    }
}

fn paths(packed: &Packed) -> Vec<&str> {
    packed.parts.iter().map(|part| part.path.as_str()).collect()
}

fn has(packed: &Packed, end: &str) -> bool {
    packed.parts.iter().any(|part| part.path.ends_with(end))
}

fn described(name: &str, packed: &Packed) -> Program {
    let mut program = Program { name: name.to_owned(), ..Program::default() };
    packed.describe(&mut program);
    program
}

fn archive(packed: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_archive(&described("./a", packed), &mut bytes).unwrap();
    bytes
}

fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Unpacks it into a folder and executes it there with that folder as its root; `None`, said aloud, without root.
fn executed(packed: &Packed) -> Option<Output> {
    if !geteuid().is_root() {
        skipped("only root can change the root folder");
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    tar::Archive::new(&archive(packed)[..]).unpack(root.path()).unwrap();
    let folders = packed.search_path.clone().unwrap_or("/usr/bin:/bin".to_owned());
    // In mounts of its own, which end with it: the loader asks /proc where a program is (`$ORIGIN`).
    let script =
        "mkdir -p \"$0/proc\" && mount -t proc proc \"$0/proc\" && PATH=$2 exec \"$3\" \"$0\" \"$1\"";
    let unshare = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(root.path())
        .args([&packed.path, &folders])
        .arg(crate::process::program_file("chroot"))
        .output();
    Some(unshare.unwrap())
}

fn says(packed: &Packed, wanted: &str) {
    let Some(output) = executed(packed) else { return };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, wanted, "{}\n{:?}", String::from_utf8_lossy(&output.stderr), paths(packed));
}

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

#[test]
fn a_dynamic_program_brings_its_loader_and_its_libraries() {
    let bench = Bench::new();
    bench.gcc(&["-o", "hello"], HELLO);
    let packed = bench.packed("./hello");
    assert_eq!(packed.path, bench.text("hello"));
    assert_eq!(format!("{}/", packed.directory), bench.text(""));
    for end in ["/hello", "/ld-linux-x86-64.so.2", "/libc.so.6", "/libgcc_s.so.1"] {
        assert!(has(&packed, end), "{end} in {:?}", paths(&packed));
    }
    assert!(packed.bytes() > 1 << 20 && packed.notes.is_empty(), "{packed:?}");
    assert!(packed.parts.iter().all(|part| part.digest.len() == 64 && part.bytes > 0), "{packed:?}");
    says(&packed, "hello\n");
}

#[test]
fn a_static_program_is_one_part() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    let packed = bench.packed("./hello");
    assert_eq!(paths(&packed), [bench.text("hello")]);
    says(&packed, "hello\n");
}

#[test]
fn a_program_of_musl_brings_musls_loader() {
    let bench = Bench::new();
    if !Command::new("musl-gcc").arg("--version").output().is_ok_and(|said| said.status.success()) {
        return skipped("no musl-gcc");
    }
    bench.write("hello.c", HELLO, 0o644);
    let built =
        Command::new("musl-gcc").current_dir(bench.folder.path()).args(["hello.c", "-o", "hello"]).status();
    assert!(built.unwrap().success());
    let packed = bench.packed("./hello");
    assert!(has(&packed, "/ld-musl-x86_64.so.1") && packed.parts.len() == 2, "{:?}", paths(&packed));
    says(&packed, "hello\n");
}

const OUTER: &str = "int inner(void); int outer(void) { return inner() + 1; }\n";
const CALLS_OUTER: &str =
    "#include <stdio.h>\nint outer(void); int main(void) { printf(\"%d\\n\", outer()); }\n";

/// A program that needs lib/libouter.so, which needs lib/libinner.so; the linker gets these flags for the program.
fn nested(flags: &[&str]) -> Bench {
    let bench = Bench::new();
    fs_err::create_dir(bench.path("lib")).unwrap();
    bench.gcc(&["-shared", "-fPIC", "-o", "lib/libinner.so"], "int inner(void) { return 41; }\n");
    bench.gcc(&["-shared", "-fPIC", "-o", "lib/libouter.so", "-Llib", "-linner"], OUTER);
    let program = ["-o", "program", "-Llib", "-Wl,--no-as-needed", "-louter", "-Wl,-rpath-link,lib"];
    bench.gcc(&[&program, flags].concat(), CALLS_OUTER);
    bench
}

#[test]
fn an_rpath_is_for_all_that_a_program_brings() {
    let bench = nested(&["-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib"]);
    let packed = bench.packed("./program");
    assert!(has(&packed, "/lib/libouter.so") && has(&packed, "/lib/libinner.so"), "{:?}", paths(&packed));
    says(&packed, "42\n");
    // Through a link, `$ORIGIN` is where the program really is.
    fs_err::create_dir(bench.path("bin")).unwrap();
    symlink("../program", bench.path("bin/linked")).unwrap();
    says(&bench.packed("bin/linked"), "42\n");
}

#[test]
fn a_runpath_is_for_the_program_alone_and_what_is_lost_is_named() {
    let bench = nested(&["-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib"]);
    let error = inspect(&bench.asked("./program")).unwrap_err();
    let Fault::NoLibrary { library, needed_by, searched } = &error.fault else { panic!("{error}") };
    assert_eq!((library.as_str(), needed_by), ("libinner.so", &bench.text("lib/libouter.so")));
    assert!(searched.iter().any(|folder| folder == "/usr/lib"), "{searched:?}");
    assert!(error.help().contains("/usr/lib") && error.label() == "needs libinner.so", "{}", error.help());
    // The loader agrees.
    let run = Command::new(bench.path("program")).output().unwrap();
    assert!(String::from_utf8_lossy(&run.stderr).contains("libinner.so"), "{run:?}");
}

#[test]
fn a_plug_in_of_a_folder_brings_its_libraries_and_what_it_lacks_is_a_note() {
    let bench = nested(&["-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib"]);
    bench.gcc(&["-o", "hello"], HELLO);
    let packed = inspect(&Asked { with: vec!["lib".into()], ..bench.asked("./hello") }).unwrap();
    assert!(has(&packed, "/lib") && !has(&packed, "/libouter.so"), "{:?}", paths(&packed));
    let outer = bench.text("lib/libouter.so");
    assert_eq!(packed.notes, [format!("{outer} needs the library libinner.so, which is not on this host")]);
}

#[test]
fn a_shell_script_brings_its_shell_and_the_programs_that_it_names() {
    let bench = Bench::new();
    bench.write("script", "#!/bin/sh\n# not date\nprintf 'a b' | wc -c\nid -u\n", 0o755);
    let packed = bench.packed("./script");
    assert!(has(&packed, "/sh") && has(&packed, "/wc") && !has(&packed, "/date"), "{:?}", paths(&packed));
    says(&packed, "3\n0\n");
}

#[test]
fn commands_before_it_bring_the_shell_and_their_programs() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    let packed =
        inspect(&Asked { before: vec!["mkdir -p /tmp/x".into()], ..bench.asked("./hello") }).unwrap();
    assert!(has(&packed, "/sh") && has(&packed, "/mkdir"), "{:?}", paths(&packed));
}

#[test]
fn a_python_script_brings_the_interpreter_with_its_library() {
    let bench = Bench::new();
    if crate::process::find_program("python3").is_none() {
        return skipped("no python3");
    }
    let code = "#!/usr/bin/env python3\nimport hashlib, json, select, socket\nprint(json.dumps(select.select([], [], [], 0)))\n";
    bench.write("client.py", code, 0o755);
    let packed = bench.packed("./client.py");
    let library = packed.parts.iter().find(|part| Path::new(&part.path).join("os.py").exists()).unwrap();
    assert!(library.bytes > 1 << 20, "{library:?}");
    assert!(!has(&packed, "site-packages") && packed.bytes() < 200 << 20, "{:?}", paths(&packed));
    let bytes = archive(&packed);
    let mut read = tar::Archive::new(&bytes[..]);
    let names: Vec<PathBuf> =
        read.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
    let left_out = |name: &PathBuf| name.iter().any(|part| part == "__pycache__" || part == "idlelib");
    assert!(!names.iter().any(left_out), "caches and tests stay at home");
    says(&packed, "[[], [], []]\n");
}

#[test]
fn a_java_runtime_goes_along_with_its_folders() {
    let bench = Bench::new();
    let Some(java) = crate::process::find_program("java") else { return skipped("no java") };
    let home = fs_err::canonicalize(java).unwrap();
    let home = home.parent().unwrap().parent().unwrap();
    let packed = bench.packed("java");
    assert!(paths(&packed).contains(&home.join("lib").to_str().unwrap()), "{:?}", paths(&packed));
}

#[test]
fn a_folder_goes_along_as_it_is_and_its_links_are_looked_at() {
    let bench = Bench::new();
    bench.gcc(&["-static", "-o", "hello"], HELLO);
    bench.write("app/data/one", "1\n", 0o640);
    symlink("data/one", bench.path("app/near")).unwrap();
    symlink("/etc/hostname", bench.path("app/far")).unwrap();
    symlink("nowhere", bench.path("app/lost")).unwrap();
    let asked = Asked { with: vec!["./app".into()], ..bench.asked("./hello") };
    let packed = inspect(&asked).unwrap();
    assert_eq!(paths(&packed), [bench.text("app"), bench.text("hello")]);
    let app = bench.text("app");
    let far = match Path::new("/etc/hostname").exists() {
        true => "which does not go along",
        false => "which is not there",
    };
    let notes = [
        format!("{app}/far is a link to /etc/hostname, {far}"),
        format!("{app}/lost is a link to nowhere, which is not there"),
    ];
    assert_eq!(packed.notes, notes);
    let root = tempfile::tempdir().unwrap();
    tar::Archive::new(&archive(&packed)[..]).unpack(root.path()).unwrap();
    let there = root.path().join(app.trim_start_matches('/'));
    assert_eq!(fs_err::read_to_string(there.join("near")).unwrap(), "1\n");
    assert_eq!(fs_err::read_link(there.join("far")).unwrap(), Path::new("/etc/hostname"));
    assert_eq!(fs_err::metadata(there.join("data/one")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_folders_digest_is_of_names_modes_and_contents() {
    let bench = Bench::new();
    bench.write("app/a", "1", 0o644);
    let of = || digest::digest(&bench.path("app")).unwrap().digest;
    let mut seen = vec![of()];
    bench.write("app/a", "2", 0o644);
    seen.push(of());
    bench.write("app/a", "2", 0o600);
    seen.push(of());
    fs_err::rename(bench.path("app/a"), bench.path("app/b")).unwrap();
    seen.push(of());
    fs_err::create_dir(bench.path("app/c")).unwrap();
    seen.push(of());
    symlink("b", bench.path("app/d")).unwrap();
    seen.push(of());
    let all: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(all.len(), seen.len(), "{seen:?}");
    fs_err::remove_file(bench.path("app/d")).unwrap();
    assert_eq!(of(), seen[4], "the same content is the same digest");
}

#[test]
fn the_same_program_is_the_same_archive_and_links_lead_to_its_files() {
    let bench = Bench::new();
    bench.gcc(&["-o", "real"], HELLO);
    symlink("real", bench.path("hello")).unwrap();
    bench.write("request", "GET", 0o600);
    let packed = inspect(&Asked { input: Some("request".into()), ..bench.asked("./hello") }).unwrap();
    assert_eq!(packed.input.as_deref(), Some(&*bench.text("request")));
    assert!(has(&packed, "/request") && packed.path.ends_with("/hello"), "{packed:?}");
    assert!(archive(&packed) == archive(&packed), "the same bytes");
    says(&packed, "hello\n");
}

#[test]
fn a_program_that_has_changed_is_told_by_its_part() {
    let bench = Bench::new();
    bench.write("script", "#!/bin/sh\ntrue\n", 0o755);
    let program = described("./script", &bench.packed("./script"));
    assert_eq!(verify(&program), Ok(()));
    bench.write("script", "#!/bin/sh\nfalse\n", 0o755);
    let changed = verify(&program).unwrap_err();
    let told = changed.to_string();
    assert!(
        told.starts_with("./script has changed since the run began: /") && told.contains("is sha256 "),
        "{told}"
    );
    fs_err::remove_file(bench.path("script")).unwrap();
    let told = verify(&program).unwrap_err().to_string();
    assert!(told.contains("/script cannot be had"), "{told}");
}
