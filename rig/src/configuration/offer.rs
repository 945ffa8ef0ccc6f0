//! What a QEMU offers: machine types, CPU models, devices with their properties; and what of a guest's hardware is not among it.
//!
//! Pure: it reads what a QEMU says when it is asked for help, and must not start one. Must not know files of a matrix. Units: none.
//! Errors: [`Refused`], which blames the configuration. Source: qemu-system-x86_64(1): `-machine help`, `-cpu help`, `-device NAME,help`.
//! Tests: below, on texts of QEMU 7.2 and 10.0; with a real QEMU in `tests/qemu/hardware.rs`.

use std::collections::BTreeMap;

use super::declared::QemuSpec;
use super::hardware::Property;
use super::nic::NicModel;
use super::qemu::QemuVersion;

/// Properties of a device, each with the type that QEMU names: `bool`, `uint16`, `str`.
pub type Offered = BTreeMap<String, String>;

/// What one QEMU offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it says of itself.
    pub version: QemuVersion,
    /// Names of machine types, aliases among them.
    pub machines: Vec<String>,
    /// Names of CPU models.
    pub cpus: Vec<String>,
    /// Properties of its processors, the flags among them.
    pub cpu_properties: Offered,
    /// Devices of the NICs that it has, by [`NicModel::device`].
    pub devices: BTreeMap<&'static str, Offered>,
}

/// What of a configuration a QEMU does not offer: a key, what is wrong with it, and what there is instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key of the configuration.
    pub key: &'static str,
    /// Within `device`: the property.
    pub property: Option<String>,
    /// What is wrong, a sentence.
    pub message: String,
    /// The same in a few words, beside the place.
    pub label: String,
    /// The word that is not known, what there is in its place, and what that is called.
    pub near: Option<(String, Vec<String>, String)>,
    /// What to do, where no word is at fault.
    pub help: Option<String>,
}

impl Offer {
    /// Whether it has the device of this NIC.
    pub fn has(&self, model: NicModel) -> bool {
        self.devices.contains_key(model.device())
    }

    /// Everything that a guest's hardware asks for and that is not offered. A device that is not there at all is no mistake of the configuration:
    /// [`Offer::has`] tells it.
    pub fn refused(&self, spec: &QemuSpec) -> Vec<Refused> {
        let device = self.devices.get(spec.nic.model.device());
        let properties = spec.hardware.device.iter().filter_map(|(name, value)| {
            let device = device?;
            match device.get(name) {
                Some(kind) => self.wrong_value(spec.nic.model, name, kind, value),
                None => Some(self.no_property(spec.nic.model, name, device)),
            }
        });
        self.wrong_machine(&spec.machine).into_iter().chain(self.wrong_cpu(spec)).chain(properties).collect()
    }

    fn number(&self) -> String {
        self.version.number().map_or_else(|| self.version.0.clone(), |(number, _)| format!("QEMU {number}"))
    }

    fn wrong_machine(&self, machine: &str) -> Option<Refused> {
        if self.machines.iter().any(|known| known == machine) {
            return None;
        }
        let bootable = self.machines.iter().filter(|name| super::supported::boots(name)).cloned().collect();
        let number = self.number();
        Some(Refused {
            key: "machine",
            property: None,
            message: format!("{number} has no machine `{machine}`"),
            label: "not a machine type of this QEMU".to_owned(),
            near: Some((machine.to_owned(), bootable, "its machine types".to_owned())),
            help: None,
        })
    }

    fn wrong_cpu(&self, spec: &QemuSpec) -> Option<Refused> {
        let cpu = spec.hardware.cpu.as_deref()?;
        let mut parts = cpu.split(',');
        let model = parts.next().unwrap_or_default();
        let number = self.number();
        let refuse = |what: &str, word: &str, known: Vec<String>, there_are: &str| Refused {
            key: "cpu",
            property: None,
            message: format!("{number} has no CPU {what} `{word}`"),
            label: format!("not a {what} of this QEMU"),
            near: Some((word.to_owned(), known, there_are.to_owned())),
            help: None,
        };
        if !self.cpus.iter().any(|known| known == model) {
            return Some(refuse("model", model, self.cpus.clone(), "its models"));
        }
        let has = |flag: &CpuFlag| self.cpu_properties.keys().any(|name| name.replace('_', "-") == flag.name);
        let unknown = parts.map(CpuFlag::of).find(|flag| !has(flag))?;
        Some(refuse("flag", &unknown.name, self.cpu_properties.keys().cloned().collect(), "its flags"))
    }

    fn no_property(&self, model: NicModel, name: &str, device: &Offered) -> Refused {
        let (number, device_name) = (self.number(), model.device());
        Refused {
            key: "device",
            property: Some(name.to_owned()),
            message: format!("the device {device_name} of {number} has no property `{name}`"),
            label: "not a property of this device".to_owned(),
            near: Some((name.to_owned(), device.keys().cloned().collect(), "its properties".to_owned())),
            help: None,
        }
    }

    fn wrong_value(&self, model: NicModel, name: &str, kind: &str, value: &Property) -> Option<Refused> {
        let expected = misfit(kind, value)?;
        let (number, device) = (self.number(), model.device());
        Some(Refused {
            key: "device",
            property: Some(name.to_owned()),
            message: format!("`{name}` of the device {device} cannot be {value}"),
            label: format!("{number} takes {expected}"),
            near: None,
            help: Some(format!(
                "`qemu-system-x86_64 -device {device},help` shows the type of every property"
            )),
        })
    }
}

/// A flag behind a CPU model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuFlag {
    /// As QEMU names it, with `-` in place of `_`.
    pub name: String,
    /// `on` for `+name` and a bare name, `off` for `-name`, otherwise what stands behind `=`.
    pub value: String,
}

impl CpuFlag {
    /// `+x2apic`, `-vmx`, `sse4.2=off` (qemu-system-x86_64(1), `-cpu`).
    pub fn of(text: &str) -> Self {
        let named = |name: &str, value: &str| Self { name: name.replace('_', "-"), value: value.to_owned() };
        if let Some(name) = text.strip_prefix('+') {
            return named(name, "on");
        }
        if let Some(name) = text.strip_prefix('-') {
            return named(name, "off");
        }
        match text.split_once('=') {
            Some((name, value)) => named(name, value),
            None => named(text, "on"),
        }
    }
}

/// What a property of this type takes, where the value is none of it. A type that is not known here takes any.
fn misfit(kind: &str, value: &Property) -> Option<String> {
    let whole = |least: i128, most: i128| {
        let number = match value {
            Property::Number(number) => Some(i128::from(*number)),
            Property::Text(text) => integer(text),
            Property::Flag(_) => None,
        };
        let fits = number.is_some_and(|number| (least..=most).contains(&number));
        (!fits).then(|| format!("a whole number from {least} to {most}"))
    };
    match kind {
        "bool" => value.flag().is_none().then(|| "true or false".to_owned()),
        "OnOffAuto" => {
            let auto = *value == Property::Text("auto".to_owned());
            (value.flag().is_none() && !auto).then(|| "true, false or \"auto\"".to_owned())
        }
        "uint8" => whole(0, u8::MAX.into()),
        "uint16" => whole(0, u16::MAX.into()),
        "uint32" => whole(0, u32::MAX.into()),
        "uint64" => whole(0, u64::MAX.into()),
        "int32" => whole(i32::MIN.into(), i32::MAX.into()),
        "int64" => whole(i64::MIN.into(), i64::MAX.into()),
        "size" => match value {
            Property::Number(number) if *number >= 0 => None,
            Property::Text(text) if bytes(text).is_some() => None,
            _ => Some("a size: 4096, \"64K\"".to_owned()),
        },
        "str" => matches!(value, Property::Flag(_)).then(|| "a text".to_owned()),
        kind if kind == "list" || kind.starts_with("child<") || kind.starts_with("link<") => {
            Some("no value from here".to_owned())
        }
        _ => None,
    }
}

/// A whole number as QEMU reads one: `16`, `0x10`.
pub fn integer(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A size in bytes as QEMU reads one: `4096`, `64K`, `2M`.
pub fn bytes(text: &str) -> Option<i128> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        (at, 'b' | 'B') => (&text[..at], 1),
        _ => (text, 1),
    };
    integer(digits)?.checked_mul(unit)
}

/// The first words of the lines below the first, up to a line without any: `-machine help`, `-cpu help`.
pub fn first_words(help: &str) -> Vec<String> {
    let lines = help.lines().skip(1).take_while(|line| !line.trim().is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Names and types of `-device NAME,help`: lines such as `  csum=<bool>   - on/off (default: on)`.
pub fn properties(help: &str) -> Offered {
    let one = |line: &str| {
        let (name, rest) = line.trim().split_once("=<")?;
        // `child<virtio-net-device>` has brackets of its own.
        let kind = rest.split(" - ").next().unwrap_or(rest).trim_end();
        let kind = kind.strip_suffix('>').unwrap_or(kind);
        Some((name.to_owned(), kind.to_owned()))
    };
    help.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Of QEMU 10.0.2, shortened.
    const DEVICE: &str = "virtio-net-pci options:
  addr=<str>             - Slot and optional function number, example: 06.0 or 06 (default: -1)
  csum=<bool>            - on/off (default: on)
  disable-legacy=<OnOffAuto> - on/off/auto (default: auto)
  duplex=<str>
  ebpf-rss-fds=<list>    -  (default: [])
  packed=<bool>          - on/off (default: off)
  rx_queue_size=<uint16> -  (default: 256)
  virtio-backend=<child<virtio-net-device>>
  x-max-bounce-buffer-size=<size> - Maximum buffer size allocated (default: 4096)
";
    const MACHINES: &str = "Supported machines are:
microvm              microvm (i386)
pc                   Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)
pc-i440fx-7.2        Standard PC (i440FX + PIIX, 1996) (default)
q35                  Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)
pc-q35-7.2           Standard PC (Q35 + ICH9, 2009)
pc-q35-7.0           Standard PC (Q35 + ICH9, 2009)
none                 empty machine
";
    const CPUS: &str = "Available CPUs:
x86 Broadwell-v1          Intel Core Processor (Broadwell)
x86 qemu64                (alias configured by machine type)
x86 max                   Enables all features supported by the accelerator in the current host

Recognized CPUID flags:
  3dnow 3dnowext
";

    fn offer() -> Offer {
        Offer {
            version: QemuVersion("QEMU emulator version 7.2.22 (Debian 1:7.2)".to_owned()),
            machines: first_words(MACHINES),
            cpus: first_words(&CPUS.replace("x86 ", "")),
            cpu_properties: [("x2apic", "bool"), ("model-id", "str")]
                .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
                .into(),
            devices: [("virtio-net-pci", properties(DEVICE))].into(),
        }
    }

    fn spec(more: serde_json::Value) -> QemuSpec {
        let mut spec = json!({
            "accelerator": "auto", "machine": "q35", "vcpus": 2, "memory_mib": 256,
            "nic": { "model": "virtio-net", "backend": "tap", "queues": 1 }, "localtime": "present"
        });
        let all = spec.as_object_mut().expect("a table");
        all.extend(more.as_object().expect("a table").clone());
        serde_json::from_value(spec).expect("a guest")
    }

    fn refused(more: serde_json::Value) -> Vec<(&'static str, String)> {
        let refused = offer().refused(&spec(more));
        refused.into_iter().map(|one| (one.key, format!("{}: {}", one.message, one.label))).collect()
    }

    #[test]
    fn the_help_of_a_qemu_is_read() {
        let offer = offer();
        assert_eq!(offer.machines[1..4], ["pc", "pc-i440fx-7.2", "q35"]);
        assert_eq!(offer.cpus, ["Broadwell-v1", "qemu64", "max"], "and no flag of the list below");
        let device = &offer.devices["virtio-net-pci"];
        let kind = |name: &str| device[name].as_str();
        assert_eq!(device.len(), 9, "{device:?}");
        assert_eq!(
            [kind("addr"), kind("disable-legacy"), kind("rx_queue_size")],
            ["str", "OnOffAuto", "uint16"]
        );
        assert_eq!(kind("virtio-backend"), "child<virtio-net-device>");
        assert!(offer.has(NicModel::VirtioNet) && !offer.has(NicModel::Igb));
    }

    #[test]
    fn what_is_offered_is_not_refused() {
        for sound in [
            json!({}),
            json!({ "machine": "pc-q35-7.0", "cpu": "qemu64,+x2apic,model-id=rig" }),
            json!({ "device": { "packed": true, "csum": "off", "rx_queue_size": 512, "disable-legacy": "auto", "addr": "06" } }),
            json!({ "device": { "rx_queue_size": "0x200", "x-max-bounce-buffer-size": "64K" } }),
            // That there is no such device is a lack of this host, not a mistake.
            json!({ "nic": { "model": "igb", "backend": "tap", "queues": 1 }, "device": { "any": 1 } }),
        ] {
            assert_eq!(refused(sound.clone()), [], "{sound}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_with_its_key_and_near_words() {
        let machine = refused(json!({ "machine": "pc-q35-9.9" }));
        assert_eq!(
            machine,
            [(
                "machine",
                "QEMU 7.2.22 has no machine `pc-q35-9.9`: not a machine type of this QEMU".to_owned()
            )]
        );
        let cpus = [
            ("qemu46", "model `qemu46`"),
            ("qemu64,+x3apic", "flag `x3apic`"),
            ("qemu64,-nosuch", "flag `nosuch`"),
        ];
        for (cpu, words) in cpus {
            let found = refused(json!({ "cpu": cpu }));
            assert!(matches!(&found[..], [("cpu", said)] if said.contains(words)), "{found:?}");
        }
        for (device, words) in [
            (json!({ "pakced": true }), "has no property `pakced`"),
            (json!({ "packed": 1 }), "takes true or false"),
            (json!({ "rx_queue_size": 65536 }), "from 0 to 65535"),
            (json!({ "rx_queue_size": true }), "a whole number"),
            (json!({ "disable-legacy": "maybe" }), "\"auto\""),
            (json!({ "x-max-bounce-buffer-size": "much" }), "a size"),
            (json!({ "duplex": true }), "takes a text"),
            (json!({ "ebpf-rss-fds": 3 }), "no value from here"),
            (json!({ "virtio-backend": "x" }), "no value from here"),
        ] {
            let found = refused(json!({ "device": device }));
            assert!(matches!(&found[..], [("device", said)] if said.contains(words)), "{device}: {found:?}");
        }
        let several =
            offer().refused(&spec(json!({ "machine": "x", "cpu": "y", "device": { "z": 1, "zz": 1 } })));
        assert_eq!(several.len(), 4, "all at once");
        let (word, known, _) = several[0].near.clone().expect("other words");
        assert_eq!((word.as_str(), known.len()), ("x", 5), "those that rig boots: {known:?}");
    }

    #[test]
    fn flags_of_a_cpu_are_read_in_every_form() {
        let flag = |text: &str| (CpuFlag::of(text).name, CpuFlag::of(text).value);
        let told = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(flag("+sse4_2"), told("sse4-2", "on"));
        assert_eq!(flag("-vmx"), told("vmx", "off"));
        assert_eq!(flag("sse4.2=off"), told("sse4.2", "off"));
        assert_eq!(flag("x2apic"), told("x2apic", "on"));
        assert_eq!((bytes("64K"), bytes("0x10"), bytes("x")), (Some(65536), Some(16), None));
    }
}
