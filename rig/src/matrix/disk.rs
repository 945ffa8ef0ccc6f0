//! `disk` and `login` of a configuration: a disk of one's own, and the way into it.
//!
//! Must not open files. Units: none. Errors: problems with places; they blame the matrix file. Tests: below; `tests/diagnostics.rs`.

use std::path::{Path, PathBuf};

use super::hardware::settle_path;
use super::keys::KeyRow;
use super::keys::configuration as keys;
use crate::configuration::{Configuration, Disk, Login, NicBackend, QemuSpec, TargetSpec};
use crate::document::{Findings, Node, Table, Value};

/// The disk of a guest, where it has one.
pub(super) fn read(findings: &mut Findings, table: &Table) -> Option<Option<Disk>> {
    let login = table.get(keys::LOGIN.name).map(|node| read_login(findings, node));
    let Some(node) = table.get(keys::DISK.name) else {
        if let Some(node) = table.get(keys::LOGIN.name) {
            findings
                .report(node.span.clone(), "`login` without a `disk`", "a way into nothing")
                .help("rig makes its own guests, and has a key to them: add disk = \"debian-12.qcow2\", or leave `login` out");
            return None;
        }
        return Some(None);
    };
    let path = text(findings, node, &keys::DISK)?;
    let login = match login {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Some(Disk { path, login }))
}

/// `login = { user = "debian", key = "rig-key" }`
fn read_login(findings: &mut Findings, node: &Node) -> Option<Login> {
    let what = keys::LOGIN.quoted();
    let table = findings.table(node, &what)?;
    findings.refuse_unknown_keys(table, &what, &keys::CONFIGURATION_LOGIN.names());
    let user = match table.get(keys::LOGIN_USER.name) {
        Some(node) => read_user(findings, node),
        None => Some(keys::LOGIN_USER.default_word().to_owned()),
    };
    let Some(key) = table.get(keys::LOGIN_KEY.name) else {
        findings
            .report(node.span.clone(), format!("{what} has no {}", keys::LOGIN_KEY.quoted()), "not a way in")
            .help("login = { user = \"debian\", key = \"rig-key\" }");
        return None;
    };
    let key = text(findings, key, &keys::LOGIN_KEY)?;
    Some(Login { user: user?, key })
}

/// The name passes a shell of the guest.
fn read_user(findings: &mut Findings, node: &Node) -> Option<String> {
    let user = text(findings, node, &keys::LOGIN_USER)?;
    if user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !user.starts_with('-') {
        return Some(user);
    }
    findings
        .report(node.span.clone(), "`user` is wrong", "not the name of a user")
        .help("a user's name has letters, digits, `.`, `_` and `-`: \"debian\"");
    None
}

fn text(findings: &mut Findings, node: &Node, row: &KeyRow) -> Option<String> {
    let text = findings.string(node, &row.quoted())?;
    if text.is_empty() || text.contains('\0') {
        findings
            .report(node.span.clone(), format!("{} is empty", row.quoted()), "not the name of anything")
            .help(row.about);
        return None;
    }
    Some(text.to_owned())
}

/// What does not go together with a disk.
pub(super) fn check(findings: &mut Findings, table: &Table, spec: &QemuSpec) {
    let (Some(node), Some(_)) = (table.get(keys::DISK.name), &spec.disk) else { return };
    if spec.nic.backend == NicBackend::Socket {
        findings
            .report(node.span.clone(), "a guest with a disk cannot be its own peer", "two guests of one disk")
            .help("write another backend than \"socket\": then the peer is on the host");
    }
    if let Some(node) = table.get(keys::KERNEL_CMDLINE.name) {
        findings
            .report(
                node.span.clone(),
                "a disk has its kernel's command line itself",
                "rig does not load that kernel",
            )
            .also(table.get(keys::DISK.name).map_or(node.span.clone(), |disk| disk.span.clone()), "this disk")
            .help("leave it out, and set the words in the disk's boot loader");
    }
}

/// The configuration with its files as they are seen from where rig is started; in the file they are seen from its folder.
pub(super) fn seen_from(folder: &Path, configuration: Configuration) -> Configuration {
    let seen = |path: &str| {
        let joined: PathBuf = folder.join(path).components().collect();
        joined.display().to_string()
    };
    let Configuration { name, target } = configuration;
    let target = match target {
        TargetSpec::Qemu(mut spec) => {
            settle_path(folder, &mut spec.hardware);
            if let Some(disk) = &mut spec.disk {
                disk.path = seen(&disk.path);
                if let Some(login) = &mut disk.login {
                    login.key = seen(&login.key);
                }
            }
            TargetSpec::Qemu(spec)
        }
        host @ TargetSpec::Host(_) => host,
    };
    Configuration { name, target }
}

/// Gives the files that configurations name their whole paths: what is taken out of a matrix file is read from another folder.
pub(super) fn name_in_full(folder: &Path, root: &mut Table) {
    let Some(configurations) = below(root, "configuration") else { return };
    for (_, node) in &mut configurations.entries {
        let Value::Table(table) = &mut node.value else { continue };
        name_file(folder, table, keys::DISK.name);
        name_file(folder, table, keys::QEMU.name);
        if let Some(login) = below(table, keys::LOGIN.name) {
            name_file(folder, login, keys::LOGIN_KEY.name);
        }
    }
}

fn below<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Table> {
    let (_, node) = table.entries.iter_mut().find(|(key, _)| key.name == name)?;
    match &mut node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

fn name_file(folder: &Path, table: &mut Table, name: &str) {
    let found = table.entries.iter_mut().find(|(key, _)| key.name == name);
    if let Some((_, Node { value: Value::String(path), .. })) = found
        && let Ok(whole) = std::path::absolute(folder.join(&*path))
    {
        *path = whole.display().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MachineFile;

    fn parse(lines: &str) -> Result<Configuration, String> {
        let text = format!("[configuration.mine]\nkind = \"qemu\"\nnic = \"virtio-net\"\n{lines}\n");
        let file = MachineFile::parse("m.toml", &text, Path::new("my/folder"));
        file.map(|file| file.machines[0].configuration.clone())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn files_are_seen_from_the_folder_of_the_matrix_file() {
        let disk = |lines: &str| parse(lines).unwrap().target.disk().cloned().unwrap();
        let tap = "backend = \"tap\"\n";
        let plain = disk(&format!("{tap}disk = \"./a.qcow2\""));
        assert_eq!((plain.path.as_str(), plain.login.is_none()), ("my/folder/a.qcow2", true));
        let with =
            disk(&format!("{tap}disk = \"/srv/a.raw\"\nlogin = {{ user = \"debian\", key = \"keys/rig\" }}"));
        assert_eq!((with.path.as_str(), with.kernel()), ("/srv/a.raw", "a.raw"));
        let login = with.login.unwrap();
        assert_eq!((login.user.as_str(), login.key.as_str()), ("debian", "my/folder/keys/rig"));
        assert_eq!(
            disk(&format!("{tap}disk = \"a\"\nlogin = {{ key = \"k\" }}")).login.unwrap().user,
            "root"
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = |lines: &str| parse(lines).unwrap_err();
        let tap = "backend = \"tap\"\n";
        assert!(wrong(&format!("{tap}disk = \"\"")).contains("`disk` is empty"));
        assert!(wrong(&format!("{tap}login = {{ key = \"k\" }}")).contains("`login` without a `disk`"));
        assert!(wrong(&format!("{tap}disk = \"a\"\nlogin = {{ user = \"b\" }}")).contains("has no `key`"));
        let shell = wrong(&format!("{tap}disk = \"a\"\nlogin = {{ user = \"a;b\", key = \"k\" }}"));
        assert!(shell.contains("`user` is wrong"), "{shell}");
        assert!(wrong("backend = \"socket\"\ndisk = \"a\"").contains("cannot be its own peer"));
    }
}
