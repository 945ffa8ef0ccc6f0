//! A user's program in a guest: found and packed on this host, delivered over the control link, executed below its own root there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rig::machine::guest_program::{self, DeliveryError, ROOT};
use rig::program::{Asked, guest_memory_mib, inspect};
use rig_protocol::Program;

use super::*;

/// A library of its own, found by `$ORIGIN`; what localtime() says depends on the guest's /etc, and it reads a file that goes along.
const CLIENT: &str = "#include <stdio.h>\n#include <time.h>\nint answer(void);\n\
    int main(void) { char word[8] = \"\"; FILE *file = fopen(\"data/word\", \"r\"); if (file) fgets(word, 8, file);\n\
    printf(\"%d %s %d\\n\", answer(), word, fopen(\"/etc/localtime\", \"r\") != NULL); return 7; }\n";

const SCRIPT: &str = "#!/usr/bin/env python3\nimport json, select, socket\nprint(json.dumps(select.select([], [], [], 0)), socket.getaddrinfo('localhost', 8083, socket.AF_INET)[0][4])\n";

fn write(path: &Path, text: &str, mode: u32) {
    fs_err::write(path, text).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn gcc(folder: &Path, arguments: &[&str]) {
    assert!(
        std::process::Command::new("gcc").current_dir(folder).args(arguments).status().unwrap().success()
    );
}

/// `./client` with its library and data, and `./client.py`.
fn build(folder: &Path) {
    fs_err::create_dir_all(folder.join("data")).unwrap();
    fs_err::create_dir_all(folder.join("lib")).unwrap();
    write(&folder.join("answer.c"), "int answer(void) { return 42; }\n", 0o644);
    write(&folder.join("client.c"), CLIENT, 0o644);
    write(&folder.join("client.py"), SCRIPT, 0o755);
    write(&folder.join("data/word"), "word", 0o644);
    gcc(folder, &["-shared", "-fPIC", "-o", "lib/libanswer.so", "answer.c"]);
    gcc(folder, &["-o", "client", "client.c", "-Llib", "-lanswer", "-Wl,-rpath,$ORIGIN/lib"]);
}

fn packed(folder: &Path, name: &str, with: &[&str]) -> Program {
    let with = with.iter().map(|name| (*name).to_owned()).collect();
    let asked = Asked { name: name.to_owned(), directory: folder.to_owned(), with, ..Asked::default() };
    let mut program = Program { name: name.to_owned(), ..Program::default() };
    inspect(&asked).unwrap().describe(&mut program);
    program
}

/// As an agent starts it: below its root, in its folder.
fn command(program: &Program) -> String {
    let path = program.environment.get("PATH").cloned().unwrap_or("$PATH".to_owned());
    let Program { directory, path: file, .. } = program;
    format!(
        "cd {ROOT}{directory} && PATH={path}; exec chroot {ROOT} /bin/sh -c 'cd {directory} && exec {file}'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_executed_below_their_own_root() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let folder = bench.folder().canonicalize().unwrap().join("user");
    build(&folder);
    let guest = boot(bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1)).await;

    // A shell goes along to change the folder: in a block the agent does that.
    let client = packed(&folder, "./client", &["data", "/bin/sh"]);
    guest_program::deliver(&guest, bench.ssh(), &client, LONG).await.unwrap();
    let (exit, said) = run(&bench, &guest, &command(&client)).await;
    assert_eq!(
        (exit, said.as_str()),
        (Exit::Status(7), "42 word 0"),
        "its own library, its own data, the guest's /etc"
    );
    let look = format!("grep -c ' {ROOT}/proc ' /proc/mounts; cat {}/data/word", folder.display());
    let (_, mounts) = run(&bench, &guest, &look).await;
    assert_eq!(mounts, "1\nword", "what lies in /tmp is in the guest's own");

    if rig::process::find_program("python3").is_none() {
        support::say("skipped: no python3 here");
    } else {
        let script = packed(&folder, "./client.py", &["/bin/sh"]);
        let began = Instant::now();
        guest_program::deliver(&guest, bench.ssh(), &script, LONG).await.unwrap();
        support::say(&format!(
            "{} bytes of Python delivered in {:?}",
            rig::program::bytes(&script.parts),
            began.elapsed()
        ));
        assert!(guest_memory_mib(rig::program::bytes(&script.parts)) < 256, "it fits into a usual guest");
        let (exit, said) = run(&bench, &guest, &command(&script)).await;
        assert_eq!((exit, said.as_str()), (Exit::Status(0), "[[], [], []] ('127.0.0.1', 8083)"));
    }
    is_refused_where_there_is_no_room(&bench, &guest, &folder).await;
    guest.stop().await;
}

/// More than the memory of the guest.
async fn is_refused_where_there_is_no_room(bench: &Bench, guest: &Guest, folder: &Path) {
    let mut program = packed(folder, "./client", &[]);
    // Not below /tmp, which is the guest's own.
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let large = elsewhere.path().join("large");
    fs_err::File::create(&large).unwrap().set_len(80 << 20).unwrap();
    // Its row says that it is small, so that the guest makes too little room.
    let part = rig_protocol::Part { path: large.to_str().unwrap().to_owned(), ..program.parts[0].clone() };
    program.parts.push(part);
    let error = guest_program::deliver(guest, bench.ssh(), &program, LONG).await.unwrap_err();
    let DeliveryError::NotUnpacked { said, .. } = &error else { panic!("{error}") };
    assert!(said.contains("No space left on device"), "{error}");
}
