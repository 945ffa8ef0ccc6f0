//! What an agent says of itself, made plain: it is kept with every block and shown to people, and a guest is not trusted.
//!
//! Must not know a stream, nor whether it is the right agent. Units: bytes. Errors: none; what is too much is said in words.
//! Tests: here, and `conversation/tests.rs`.

use rig_protocol::{Hello, Interface, plain as text};

/// An honest agent stays below each of them.
const MOST_INTERFACES: usize = 64;
const MOST_NAMES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// The same hello, each text of it plain and short.
pub(super) fn plain(hello: Hello) -> Hello {
    // Every field is named: a new one is thought of here.
    let Hello {
        protocol_version,
        build_id,
        kernel_release,
        kernel_version,
        hypervisor,
        clocksource,
        cpus,
        localtime,
        sysctls,
        interfaces,
        vsock_cid,
    } = hello;
    Hello {
        protocol_version,
        build_id: text(&build_id),
        kernel_release: text(&kernel_release),
        kernel_version: text(&kernel_version),
        hypervisor,
        clocksource: text(&clocksource),
        cpus,
        localtime,
        sysctls: sysctls.iter().map(|(name, value)| (text(name), text(value))).collect(),
        interfaces: interfaces.into_iter().map(plain_interface).collect(),
        vsock_cid,
    }
}

fn plain_interface(interface: Interface) -> Interface {
    let Interface { name, driver, mtu_bytes, virtio, offloads } = interface;
    Interface {
        name: text(&name),
        driver: text(&driver),
        mtu_bytes,
        virtio,
        offloads: offloads.iter().map(|(name, active)| (text(name), *active)).collect(),
    }
}

/// What a hello has too much of, if it does.
pub(super) fn too_much(hello: &Hello) -> Option<String> {
    let interfaces = hello.interfaces.len();
    if interfaces > MOST_INTERFACES {
        return Some(format!("a hello with {interfaces} interfaces"));
    }
    let names =
        hello.interfaces.iter().map(|interface| interface.offloads.len()).chain([hello.sysctls.len()]);
    let names = names.max().unwrap_or(0);
    if names > MOST_NAMES {
        return Some(format!("a hello with {names} offloads of an interface, or sysctls"));
    }
    let bytes = bytes(hello);
    (bytes > MOST_BYTES).then(|| format!("a hello of {bytes} bytes"))
}

/// About how much memory its texts take.
fn bytes(hello: &Hello) -> usize {
    let texts = [&hello.build_id, &hello.kernel_release, &hello.kernel_version, &hello.clocksource];
    let sysctls = hello.sysctls.iter().map(|(name, value)| name.len() + value.len());
    let interfaces = hello.interfaces.iter().map(|interface| {
        let features = interface.virtio.as_ref().map_or(0, |features| size_of::<u16>() * features.0.len());
        let offloads: usize = interface.offloads.keys().map(String::len).sum();
        interface.name.len() + interface.driver.len() + features + offloads
    });
    texts.iter().map(|text| text.len()).chain(sysctls).chain(interfaces).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_text_of_a_hello_is_plain_and_short() {
        let paints = || format!("\u{1b}[2J\n{}\u{202e}", "x".repeat(1 << 20));
        let interface = Interface {
            name: paints(),
            driver: paints(),
            offloads: BTreeMap::from([(paints(), true)]),
            ..Interface::default()
        };
        let hello = plain(Hello {
            build_id: paints(),
            kernel_release: paints(),
            kernel_version: paints(),
            clocksource: paints(),
            sysctls: BTreeMap::from([(paints(), paints())]),
            interfaces: vec![interface],
            ..Hello::default()
        });
        let json = serde_json::to_string(&hello).expect("plain data");
        for forbidden in ["\\u", "\\n", "\u{202e}"] {
            assert!(!json.contains(forbidden), "{forbidden}: {json}");
        }
        assert!(bytes(&hello) <= 9 * 256, "{}", bytes(&hello));
        assert_eq!(too_much(&hello), None);
    }

    #[test]
    fn a_hello_is_as_it_was_where_an_honest_agent_said_it() {
        let hello = Hello {
            kernel_release: "6.1.0-49-amd64".into(),
            kernel_version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-01)".into(),
            clocksource: "tsc".into(),
            sysctls: BTreeMap::from([("net.ipv4.tcp_rfc1337".into(), "0".into())]),
            ..Hello::default()
        };
        assert_eq!(plain(hello.clone()), hello);
    }

    #[test]
    fn a_hello_of_many_long_names_is_too_much() {
        let offloads = (0..256).map(|number| (format!("{number:0>200}"), true)).collect();
        let interface = Interface { offloads, ..Interface::default() };
        let hello = |count| Hello { interfaces: vec![interface.clone(); count], ..Hello::default() };
        assert_eq!(too_much(&hello(20)), None);
        assert_eq!(too_much(&hello(21)).as_deref(), Some("a hello of 1075200 bytes"));
    }
}
