//! The configuration of a kernel: what a guest cannot do without, and which of the recipe's modules are built in.
//!
//! Pure: text in. Must not know where it was found. Units: none. Errors: none; what is lacking is a list.
//! Source: the options' Kconfig files, init.sh for what the guest's init does. Tests: below.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// A kernel's `.config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    options: BTreeMap<String, String>,
    /// SHA-256 of its text, in hex.
    pub(super) sha256: String,
    /// Where it was found, in words.
    pub(super) found: String,
}

/// An option without which there is no guest.
#[derive(Debug)]
struct Need {
    option: &'static str,
    /// What the guest does with it.
    purpose: &'static str,
    /// The module that does as well, where one does.
    module: Option<&'static str>,
}

const fn need(option: &'static str, purpose: &'static str) -> Need {
    Need { option, purpose, module: None }
}

const fn driver(option: &'static str, purpose: &'static str, module: &'static str) -> Need {
    Need { option, purpose, module: Some(module) }
}

/// The drivers that every guest has.
pub(super) const DRIVERS: [&str; 2] = ["virtio_pci", "virtio_net"];

const NEEDS: [Need; 25] = [
    need("64BIT", "rig's agent and the guest's programs are 64-bit"),
    need("PRINTK", "the boot is followed on the console"),
    need("TTY", "the console"),
    need("SERIAL_8250", "the console is a serial line"),
    need("SERIAL_8250_CONSOLE", "the console is a serial line"),
    need("BLK_DEV_INITRD", "the guest's files are an initramfs"),
    need("BINFMT_ELF", "programs"),
    need("BINFMT_SCRIPT", "the guest's init is a script"),
    need("DEVTMPFS", "/dev"),
    need("PROC_FS", "/proc"),
    need("SYSFS", "/sys"),
    need("TMPFS", "/run and /tmp"),
    need("UNIX98_PTYS", "/dev/pts"),
    need("MULTIUSER", "the SSH server"),
    need("FUTEX", "threads"),
    need("EPOLL", "waiting for many descriptors"),
    need("POSIX_TIMERS", "clocks and timers"),
    need("SECCOMP", "system calls are filtered and injected"),
    need("SECCOMP_FILTER", "system calls are filtered and injected"),
    need("INET", "TCP/IP"),
    need("IP_MULTIPLE_TABLES", "answers on the control network leave by it"),
    need("UNIX", "the agent's sockets"),
    need("PCI", "the network cards"),
    driver("VIRTIO_PCI", "the network cards", DRIVERS[0]),
    driver("VIRTIO_NET", "the network cards", DRIVERS[1]),
];

/// Modules that a recipe may name, and the option that builds each.
const MODULES: [(&str, &str); 14] = [
    ("virtio_pci", "VIRTIO_PCI"),
    ("virtio_net", "VIRTIO_NET"),
    ("vmxnet3", "VMXNET3"),
    ("e1000", "E1000"),
    ("e1000e", "E1000E"),
    ("pvpanic_pci", "PVPANIC_PCI"),
    ("nf_tables", "NF_TABLES"),
    ("nft_reject_inet", "NFT_REJECT_INET"),
    ("nft_reject_ipv4", "NFT_REJECT_IPV4"),
    ("nft_reject_ipv6", "NFT_REJECT_IPV6"),
    ("nft_ct", "NFT_CT"),
    ("tcp_diag", "INET_TCP_DIAG"),
    ("vmw_vsock_virtio_transport", "VIRTIO_VSOCKETS"),
    ("vsock_loopback", "VSOCKETS_LOOPBACK"),
];

/// An option that is to be switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// As a `.config` has it: `CONFIG_VIRTIO_NET=y`.
    pub option: String,
    /// What the guest does with it, and what is there instead.
    pub why: String,
}

impl Config {
    /// Of a text, found there.
    pub(super) fn parse(text: &[u8], found: String) -> Self {
        let sha256 = format!("{:x}", Sha256::digest(text));
        let text = String::from_utf8_lossy(text);
        let options = text.lines().filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('='));
        let options = options.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Self { options, sha256, found }
    }

    /// Whether the option is built in.
    fn has(&self, option: &str) -> bool {
        self.options.get(option).is_some_and(|value| value == "y")
    }

    fn is_module(&self, option: &str) -> bool {
        self.options.get(option).is_some_and(|value| value == "m")
    }

    /// Of the modules that a recipe may name, those that are built in.
    pub(super) fn built_in(&self) -> impl Iterator<Item = &'static str> {
        MODULES.iter().filter(|(_, option)| self.has(option)).map(|(module, _)| *module)
    }

    /// What no guest can do without; `loads` says whether a module is there and loaded at boot.
    pub(super) fn lacks(&self, loads: impl Fn(&str) -> bool) -> Vec<Lack> {
        let lacking = NEEDS.iter().filter(|need| {
            let loaded = || self.is_module(need.option) && need.module.is_some_and(&loads);
            !self.has(need.option) && !loaded()
        });
        lacking
            .map(|Need { option, purpose, module }| {
                let why = match (self.is_module(option), module) {
                    (false, _) => (*purpose).to_owned(),
                    (true, None) => format!("{purpose}; here it is a module, too late for a boot"),
                    (true, Some(module)) => {
                        format!("{purpose}; here it is a module, and there is no {module}.ko")
                    }
                };
                Lack { option: format!("CONFIG_{option}=y"), why }
            })
            .collect()
    }
}

/// The drivers that are neither built in nor there, of a kernel whose configuration is not known; `has` knows its modules.
pub(super) fn missing_drivers(has: impl Fn(&str) -> bool) -> Vec<Lack> {
    let drivers = NEEDS.iter().filter(|need| need.module.is_some_and(|module| !has(module)));
    drivers
        .map(|Need { option, purpose, .. }| Lack {
            option: format!("CONFIG_{option}=y"),
            why: format!("{purpose}; it is in no list of this kernel's modules"),
        })
        .collect()
}

#[cfg(test)]
pub(in crate::image) mod tests {
    use super::*;

    /// A configuration with everything that a guest needs, its drivers built in.
    pub(in crate::image) fn enough() -> String {
        NEEDS.iter().map(|need| format!("CONFIG_{}=y\n", need.option)).collect()
    }

    fn lacks(text: &str, loads: &[&str]) -> Vec<String> {
        let config = Config::parse(text.as_bytes(), "here".to_owned());
        config.lacks(|module| loads.contains(&module)).into_iter().map(|lack| lack.option).collect()
    }

    #[test]
    fn all_that_is_lacking_is_told_at_once() {
        assert_eq!(lacks(&enough(), &[]), Vec::<String>::new());
        let text = enough()
            .replace("CONFIG_VIRTIO_NET=y", "# CONFIG_VIRTIO_NET is not set")
            .replace("CONFIG_UNIX=y", "");
        assert_eq!(lacks(&text, &DRIVERS), ["CONFIG_UNIX=y", "CONFIG_VIRTIO_NET=y"]);
        assert_eq!(lacks("", &[]).len(), NEEDS.len());
    }

    #[test]
    fn a_driver_may_be_a_module_that_is_there_and_the_rest_may_not() {
        let text = enough()
            .replace("CONFIG_VIRTIO_NET=y", "CONFIG_VIRTIO_NET=m")
            .replace("CONFIG_UNIX=y", "CONFIG_UNIX=m");
        assert_eq!(lacks(&text, &DRIVERS), ["CONFIG_UNIX=y"]);
        let config = Config::parse(text.as_bytes(), "here".to_owned());
        let whys: Vec<String> = config.lacks(|_| false).into_iter().map(|lack| lack.why).collect();
        assert_eq!(
            whys,
            [
                "the agent's sockets; here it is a module, too late for a boot",
                "the network cards; here it is a module, and there is no virtio_net.ko"
            ]
        );
        assert_eq!(config.built_in().collect::<Vec<_>>(), ["virtio_pci"]);
    }

    #[test]
    fn without_a_configuration_the_modules_tell() {
        let missing = |there: &[&str]| missing_drivers(|module| there.contains(&module)).len();
        assert_eq!((missing(&DRIVERS), missing(&["virtio_pci"]), missing(&[])), (0, 1, 2));
    }

    #[test]
    fn values_are_whole_words_of_their_own_option() {
        let config = Config::parse(
            b"CONFIG_NETX=y\n#CONFIG_INET=y\nCONFIG_UNIX=ym\nCONFIG_X=\"CONFIG_TTY=y\"\n",
            "here".to_owned(),
        );
        for option in ["NET", "INET", "UNIX", "TTY"] {
            assert!(!config.has(option), "{option}");
        }
    }
}
