//! A disk with a whole Debian and a boot loader, made from packages in a folder of its own.
//!
//! debootstrap runs in mounts of its own, so that nothing is mounted below the folder afterwards. Errors: a `String` says which step failed: the host, or its archive.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use rig::image::GuestKeys;

/// What Debian's boot loader for BIOS brings: the first sector.
const BOOT_SECTOR: &str = "/usr/lib/grub/i386-pc/boot.img";
const DISK_BYTES: u64 = 2 << 30;
/// Where its one partition begins.
const PARTITION: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// Beside the base system: what a cloud image has. debootstrap does not see that one package provides what another depends on, hence the third but last.
const PACKAGES: &str = "systemd-sysv,udev,iproute2,nftables,openssh-server,sudo,cloud-init,netplan.io,python3-cffi-backend,linux-image-cloud-amd64";
/// The user who is on the disk from the beginning.
const USER: &str = "tester";

/// Makes `debian.qcow2` in this folder, and `key`, the private key of [`USER`]: minutes.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    let root = folder.join("root");
    let (release, mirror) = archive()?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "debootstrap", "--variant=minbase"]);
    command.arg(format!("--include={PACKAGES}")).arg(&release).arg(&root).arg(&mirror);
    run(&mut command)?;
    furnish(&root, &folder.join("key"))?;
    let (raw, disk) = (folder.join("disk.raw"), folder.join("debian.qcow2"));
    write_disk(&root, &raw, folder)?;
    run(Command::new("qemu-img").args(["convert", "-O", "qcow2"]).arg(&raw).arg(&disk))?;
    for path in [&root, &raw] {
        run(Command::new("rm").args(["--recursive", "--force", "--one-file-system"]).arg(path))?;
    }
    Ok(())
}

/// This host's own release and where its packages come from.
fn archive() -> Result<(String, String), String> {
    let format = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
    let told =
        run(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))?;
    let os = fs::read_to_string("/etc/os-release").map_err(|error| error.to_string())?;
    let release = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let release = release.ok_or("this host is no Debian release")?;
    let uri = told.lines().find_map(|line| line.strip_prefix(&format!("{release} main "))).map(str::to_owned);
    Ok((release.to_owned(), uri.ok_or_else(|| format!("apt has no archive of {release}: {told}"))?))
}

/// A user with a key, a rule of a packet filter, a setting, and what the boot needs.
fn furnish(root: &Path, key: &Path) -> Result<(), String> {
    let keys = GuestKeys::generate();
    fs::write(key, keys.user_private_key()).map_err(told)?;
    run(Command::new("chroot").arg(root).args(["useradd", "--create-home", "--shell", "/bin/bash", USER]))?;
    let kernel = fs::read_dir(root.join("boot"))
        .map_err(told)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("vmlinuz-").map(str::to_owned));
    let kernel = kernel.max().ok_or("no kernel in /boot")?;
    let ssh = format!("home/{USER}/.ssh");
    let files = [
        (format!("{ssh}/authorized_keys"), keys.authorized_keys()),
        (format!("etc/sudoers.d/{USER}"), format!("{USER} ALL=(ALL) NOPASSWD:ALL\n")),
        ("etc/fstab".to_owned(), "LABEL=root / ext4 errors=remount-ro 0 1\n".to_owned()),
        ("etc/sysctl.d/90-test.conf".to_owned(), "net.ipv4.tcp_retries2 = 8\n".to_owned()),
        (
            "etc/nftables.conf".to_owned(),
            "table inet own {\n  chain input { type filter hook input priority 0; tcp dport 22 counter accept; }\n}\n".to_owned(),
        ),
        // Where there is no seed, the control NIC gets its address by DHCP.
        (
            "etc/systemd/network/50-control.network".to_owned(),
            "[Match]\nMACAddress=52:54:00:00:01:02\n[Network]\nDHCP=ipv4\n".to_owned(),
        ),
        (
            "boot/grub/grub.cfg".to_owned(),
            format!(
                "set timeout=0\nlinux /boot/vmlinuz-{kernel} root=LABEL=root ro console=ttyS0 quiet\ninitrd /boot/initrd.img-{kernel}\nboot\n"
            ),
        ),
    ];
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).map_err(told)?;
        fs::write(path, text).map_err(told)?;
    }
    run(Command::new("chroot").arg(root).args([
        "chown",
        "--recursive",
        &format!("{USER}:{USER}"),
        &format!("/{ssh}"),
    ]))?;
    run(Command::new("chroot").arg(root).args([
        "systemctl",
        "enable",
        "nftables",
        "systemd-networkd",
        "ssh",
    ]))?;
    Ok(())
}

/// One partition with all of it, and GRUB before it.
fn write_disk(root: &Path, raw: &Path, folder: &Path) -> Result<(), String> {
    let core = folder.join("core.img");
    let mut grub = Command::new("grub-mkimage");
    grub.args(["--format", "i386-pc", "--prefix", "(hd0,msdos1)/boot/grub", "--output"]).arg(&core);
    run(grub.args(["biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "boot"]))?;
    let mut disk = File::create_new(raw).map_err(told)?;
    disk.set_len(DISK_BYTES).map_err(told)?;
    let boot = fs::read(BOOT_SECTOR).map_err(|error| format!("{BOOT_SECTOR}: {error}"))?;
    disk.write_all_at(&boot[..440], 0).map_err(told)?;
    disk.write_all_at(&partition_table(), 446).map_err(told)?;
    disk.seek(SeekFrom::Start(SECTOR)).map_err(told)?;
    disk.write_all(&fs::read(&core).map_err(told)?).map_err(told)?;
    let mut format = Command::new("mke2fs");
    format.args(["-q", "-t", "ext4", "-L", "root", "-E", &format!("offset={PARTITION}"), "-d"]).arg(root);
    run(format.arg(raw).arg(format!("{}k", (DISK_BYTES - PARTITION) >> 10)))?;
    Ok(())
}

/// One Linux partition that is active, and the mark of a boot sector.
fn partition_table() -> Vec<u8> {
    let sectors = |bytes: u64| u32::try_from(bytes / SECTOR).unwrap().to_le_bytes();
    let mut table = vec![0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff];
    table.extend(sectors(PARTITION));
    table.extend(sectors(DISK_BYTES - PARTITION));
    table.resize(64, 0);
    table.extend([0x55, 0xaa]);
    table
}

fn told(error: std::io::Error) -> String {
    error.to_string()
}

/// Runs it to its end; its output, or how it failed and what it said last.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.env("LC_ALL", "C").output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stdout) + &text(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    Err(format!("{command:?} ends with {}: {last:?}", output.status))
}
