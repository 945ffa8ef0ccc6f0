//! The base initramfs of an image: programs with their libraries, kernel modules, `/init` and the few files that a login needs.
//!
//! Pure: files in, archive out. Must not know keys (they come per run, in the overlay), apt or caches. Units: bytes.
//! Errors: [`InitramfsError`]; an unknown command blames the recipe, a missing library the packages.
//! Tests: below; a boot of the real thing in `tests/qemu.rs`.

use std::collections::BTreeSet;

use thiserror::Error;

use super::cpio::{Archive, Entry};
use super::depmod;

use super::modules::Module;
use super::package::{self, Files};
use crate::document::hint;
use crate::elf::{Elf, ElfError};

/// PID 1 of every guest.
pub const INIT: &str = include_str!("init.sh");

/// Why the files cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InitramfsError {
    /// No package has this program.
    #[error("no package of the recipe has a program {command:?}")]
    Command {
        /// What was asked for.
        command: String,
        /// Which of their programs was probably meant, and what there is.
        help: String,
    },
    /// No package has this library.
    #[error("{needed_by} needs {library}, which no package of the recipe or of its dependencies has")]
    Library {
        /// File name.
        library: String,
        /// The program or library that asks for it.
        needed_by: String,
    },
    /// A program or library is damaged.
    #[error("cannot read {file}")]
    Elf {
        /// File name.
        file: String,
        /// What is wrong with it.
        #[source]
        source: ElfError,
    },
}

const PROGRAM_FOLDERS: [&str; 4] = ["bin", "sbin", "usr/bin", "usr/sbin"];

/// Where Debian's loader looks (ld.so(8), multiarch).
const LIBRARY_FOLDERS: [&str; 4] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib", "usr/lib"];

/// Puts the base initramfs together: `commands` out of `files`, and `modules` in the order in which they are given.
pub fn assemble(files: &Files, commands: &[String], modules: &[Module]) -> Result<Archive, InitramfsError> {
    let mut archive = skeleton();
    let mut done = BTreeSet::new();
    for command in commands {
        let bytes = find_program(files, command)?;
        add_program(&mut archive, files, command, bytes, &mut done)?;
        archive.file(&format!("bin/{command}"), 0o755, bytes);
    }
    for (number, module) in modules.iter().enumerate() {
        // The number is the order for /init's `*`.
        archive.file(&format!("lib/rig/modules/{number:03}-{}.ko", module.name), 0o644, module.bytes.clone());
    }
    Ok(archive)
}

/// Puts `modules` beside: not loaded at boot, but found by the kernel of `release` when it looks for them. None leaves no trace.
pub fn add_available(archive: &mut Archive, release: &str, modules: &[Module]) {
    if modules.is_empty() {
        return;
    }
    let folder = format!("lib/modules/{release}");
    for module in modules {
        archive.file(&format!("{folder}/{}", depmod::file_name(module)), 0o644, module.bytes.clone());
    }
    archive.file(&format!("{folder}/modules.dep"), 0o644, depmod::dependencies(modules));
    archive.file(&format!("{folder}/modules.alias"), 0o644, depmod::aliases(modules));
}

fn skeleton() -> Archive {
    let mut archive = Archive::default();
    for (path, mode) in [
        ("dev", 0o755),
        ("etc", 0o755),
        ("lib/rig/modules", 0o755),
        ("mnt", 0o755),
        ("proc", 0o555),
        ("root", 0o700),
        ("run", 0o755),
        ("sbin", 0o755),
        ("sys", 0o555),
        ("tmp", 0o1777),
        ("usr/bin", 0o755),
        ("usr/sbin", 0o755),
        // dropbear writes the logins here.
        ("var/log", 0o755),
    ] {
        archive.insert(path, Entry::Directory { mode });
    }
    // What the kernel opens for /init before devtmpfs is there (Linux: Documentation/admin-guide/devices.txt).
    archive.insert("dev/console", Entry::Device { mode: 0o600, major: 5, minor: 1 });
    archive.insert("dev/null", Entry::Device { mode: 0o666, major: 1, minor: 3 });
    archive.insert("bin/sh", Entry::Symlink { target: "busybox".to_owned() });
    archive.insert("var/run", Entry::Symlink { target: "/run".to_owned() });
    archive.file("init", 0o755, INIT);
    // `*`: no password logs in.
    archive.file("etc/passwd", 0o644, "root:*:0:0:root:/root:/bin/sh\n");
    archive.file("etc/group", 0o644, "root:x:0:\ntty:x:5:\n");
    archive.file("etc/shells", 0o644, "/bin/sh\n");
    archive.file("etc/hosts", 0o644, "127.0.0.1 localhost\n");
    archive.file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
    archive
}

fn find_program<'a>(files: &'a Files, command: &str) -> Result<&'a [u8], InitramfsError> {
    PROGRAM_FOLDERS
        .iter()
        .find_map(|folder| package::resolve(files, &format!("{folder}/{command}")))
        .ok_or_else(|| {
            let programs = files.keys().filter_map(|path| {
                let (folder, name) = path.rsplit_once('/')?;
                PROGRAM_FOLDERS.contains(&folder).then_some(name)
            });
            let help = hint(command, programs, "programs of its packages");
            InitramfsError::Command { command: command.to_owned(), help }
        })
}

/// The loader and the libraries of `bytes`, and theirs.
fn add_program(
    archive: &mut Archive,
    files: &Files,
    name: &str,
    bytes: &[u8],
    done: &mut BTreeSet<String>,
) -> Result<(), InitramfsError> {
    // A script needs what its first line names, and that is the recipe's business.
    if !Elf::recognises(bytes) {
        return Ok(());
    }
    let damaged = |source| InitramfsError::Elf { file: name.to_owned(), source };
    let missing =
        |library: &str| InitramfsError::Library { library: library.to_owned(), needed_by: name.to_owned() };
    let elf = Elf::parse(bytes).map_err(damaged)?;
    if let Some(loader) = elf.interpreter().map_err(damaged)? {
        let content = package::resolve(files, &loader).ok_or_else(|| missing(&loader))?;
        let path = loader.trim_start_matches('/');
        archive.file(path, 0o755, content);
        // Libraries name it too; it is one file at one place.
        done.extend(path.rsplit('/').next().map(str::to_owned));
    }
    for library in elf.needed().map_err(damaged)? {
        if !done.insert(library.clone()) {
            continue;
        }
        let content = LIBRARY_FOLDERS
            .iter()
            .find_map(|folder| package::resolve(files, &format!("{folder}/{library}")))
            .ok_or_else(|| missing(&library))?;
        archive.file(&format!("lib/{library}"), 0o755, content);
        add_program(archive, files, &library, content, done)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::package::Node;
    use super::*;

    fn files(with: &[(&str, &[u8])]) -> Files {
        with.iter().map(|(path, bytes)| ((*path).to_owned(), Node::File(bytes.to_vec()))).collect()
    }

    fn module(name: &str) -> Module {
        Module { name: name.to_owned(), bytes: b"ko".to_vec(), needs: vec![], aliases: vec![] }
    }

    #[test]
    fn what_is_available_lies_where_modprobe_looks_and_init_does_not() {
        let mut archive = assemble(&files(&[]), &[], &[]).unwrap();
        let before: Vec<String> = archive.paths().map(str::to_owned).collect();
        add_available(&mut archive, "6.1.0-test", &[]);
        assert!(archive.paths().eq(before.iter().map(String::as_str)));
        add_available(&mut archive, "6.1.0-test", &[module("nf_tables")]);
        let added: Vec<&str> =
            archive.paths().filter(|path| !before.iter().any(|known| known == path)).collect();
        let folder = "lib/modules/6.1.0-test";
        let files = ["modules.alias", "modules.dep", "nf_tables.ko"].map(|name| format!("{folder}/{name}"));
        assert_eq!(
            added,
            [&["lib/modules", folder], files.each_ref().map(String::as_str).as_slice()].concat()
        );
    }

    #[test]
    fn holds_programs_modules_in_order_and_init() {
        let modules = ["virtio", "virtio_net"].map(module);
        let archive =
            assemble(&files(&[("usr/sbin/tool", b"#!/bin/sh\n")]), &["tool".to_owned()], &modules).unwrap();
        let paths: Vec<&str> = archive.paths().collect();
        for wanted in [
            "init",
            "bin/tool",
            "bin/sh",
            "dev/console",
            "lib/rig/modules/000-virtio.ko",
            "lib/rig/modules/001-virtio_net.ko",
        ] {
            assert!(paths.contains(&wanted), "{wanted} in {paths:?}");
        }
        assert_eq!(archive.get("root"), Some(&Entry::Directory { mode: 0o700 }));
    }

    #[test]
    fn an_unknown_command_is_said_with_what_was_meant() {
        let error =
            assemble(&files(&[("usr/sbin/dropbear", b"")]), &["dropbar".to_owned()], &[]).unwrap_err();
        let InitramfsError::Command { help, .. } = error else { panic!("{error:?}") };
        assert_eq!(help, "did you mean `dropbear`?\nprograms of its packages: `dropbear`");
    }

    /// The test binary is a real, dynamically linked program; its libraries are the host's.
    #[test]
    fn libraries_come_along_and_a_missing_one_is_named() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&program).unwrap();
        let loader = elf.interpreter().unwrap().unwrap();
        let mut all = files(&[("bin/tool", &program)]);
        all.insert(loader.trim_start_matches('/').to_owned(), Node::File(b"loader".to_vec()));
        let error = assemble(&all, &["tool".to_owned()], &[]).unwrap_err();
        let InitramfsError::Library { library, needed_by } = error else { panic!("{error:?}") };
        assert_eq!(needed_by, "tool");
        assert!(elf.needed().unwrap().contains(&library));
        for library in elf.needed().unwrap() {
            all.insert(format!("usr/lib/{library}"), Node::File(b"library".to_vec()));
        }
        let archive = assemble(&all, &["tool".to_owned()], &[]).unwrap();
        assert_eq!(
            archive.get(loader.trim_start_matches('/')),
            Some(&Entry::File { mode: 0o755, bytes: b"loader".to_vec() })
        );
        let libc = archive.paths().filter(|path| path.starts_with("lib/libc.so")).count();
        assert_eq!(libc, 1, "{:?}", archive.paths().collect::<Vec<_>>());
    }

    #[test]
    fn the_shell_accepts_init() {
        use std::process::{Command, Stdio};
        let mut child = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), INIT.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}
