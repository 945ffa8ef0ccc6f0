//! The command line of the emulated KVM host.
//!
//! Pure. Must not start anything. Units: MiB. Errors: none.
//! Options: qemu(1) of 7.2; `x,+svm` is what makes KVM possible inside, TCG emulates AMD's nested paging too (target/i386/tcg/sysemu/svm_helper.c).
//! Tests: below, golden.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use super::plan::Machine;
use super::wire::{PORT, tag};

/// What the command line is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) machine: Machine,
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) shares: &'a [PathBuf],
    /// The connected unix sockets that QEMU inherits: console and control port.
    pub(super) console: RawFd,
    pub(super) control: RawFd,
}

pub(super) fn compose(parts: &Parts<'_>) -> Vec<String> {
    let Parts { machine, kernel, initramfs, shares, console, control } = parts;
    let mut argv: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    // Without user configuration, devices, monitor or window; a reboot (a panic is one, `panic=-1`) is the end.
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    add(&["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,+svm"]);
    add(&["-smp", &machine.vcpus.to_string(), "-m", &format!("{}M", machine.memory_mib)]);
    add(&["-kernel", &path(kernel), "-initrd", &path(initramfs), "-append", KERNEL_ARGUMENTS]);
    add(&["-chardev", &format!("socket,id=console,fd={console}"), "-serial", "chardev:console"]);
    add(&["-chardev", &format!("socket,id=control,fd={control}"), "-device", "virtio-serial-pci"]);
    add(&["-device", &format!("virtserialport,chardev=control,name={PORT}")]);
    // remap: the host's root may span several file systems whose inode numbers would collide.
    add(&["-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"]);
    add(&["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]);
    for (number, share) in shares.iter().enumerate() {
        let tag = tag(number);
        let folder = escape(&path(share));
        add(&["-fsdev", &format!("local,id={tag},path={folder},security_model=none,multidevs=remap")]);
        add(&["-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]);
    }
    argv
}

/// `rdinit`: not the image's own /init. What keeps watch over time (`tsc`, `nowatchdog`, RCU) takes a busy host for a broken machine. What costs
/// time and guards against neighbours that an emulated machine does not have (`mitigations`, `init_on_alloc`, Debian's default) is left out.
/// (Linux: Documentation/admin-guide/kernel-parameters.txt)
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet oops=panic panic=-1 rdinit=/rehearsal/init \
    tsc=reliable nowatchdog rcupdate.rcu_cpu_stall_suppress=1 mitigations=off init_on_alloc=0";

fn path(path: &Path) -> String {
    path.to_str().expect("rig's own folders and the shares have UTF-8 names").to_owned()
}

/// In QEMU's option lists a comma is written twice.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let argv = compose(&Parts {
            machine: Machine { vcpus: 2, memory_mib: 4096 },
            kernel: Path::new("/cache/rehearsal/kernel"),
            initramfs: Path::new("/run/rig-1/initramfs"),
            shares: &["/home/user/results".into(), "/srv/a,b".into()],
            console: 5,
            control: 6,
        });
        insta::assert_snapshot!(argv.join("\n"));
    }
}
