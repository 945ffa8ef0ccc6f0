//! The proof that the hardware which was asked for by name is there, as QEMU reads it back: machine, CPU, properties of the NIC's device.
//!
//! What the guest's own kernel shows is seen elsewhere: features of virtio by its agent, nodes and queues by `guest_hardware`. Must not change
//! anything. Units: none. Errors: [`GuestError::NotAsAsked`], which blames QEMU; [`GuestError::Qmp`].
//! Source: QEMU's qapi/qom.json (`qom-get`). Tests: below; with real guests in `tests/qemu/hardware.rs`.

use serde_json::{Value, json};

use super::argv::DATA_NIC;
use super::error::GuestError;
use super::guest::{Guest, QMP_DEADLINE};
use super::mismatch::Mismatch;
use crate::configuration::{CpuFlag, MACHINES, NicModel, Property, bytes, is_feature};

impl Guest {
    /// Compares what QEMU says of its machine, its processors and the measured NIC with what was asked for by name. `cpus` is the answer to
    /// `query-cpus-fast`.
    pub(super) async fn verify_hardware(&self, cpus: &Value) -> Result<(), GuestError> {
        let spec = self.spec();
        if !MACHINES.contains(&spec.machine.as_str()) {
            let found = self.get("/machine", "type").await?;
            same("machine", &format!("{}-machine", spec.machine), &found)?;
        }
        if let Some(cpu) = &spec.hardware.cpu {
            let path = cpus.pointer("/0/qom-path").and_then(Value::as_str).unwrap_or_default();
            let mut parts = cpu.split(',');
            let model = parts.next().unwrap_or_default();
            same("cpu", &format!("{model}-x86_64-cpu"), &self.get(path, "type").await?)?;
            for flag in parts.map(CpuFlag::of) {
                let found = self.get(path, &flag.name).await?;
                same(&format!("cpu flag {}", flag.name), &flag.value, &found)?;
            }
        }
        let virtio = spec.nic.model == NicModel::VirtioNet;
        for (name, asked) in spec.hardware.device.iter().filter(|(name, _)| !(virtio && is_feature(name))) {
            let found = self.get(&format!("/machine/peripheral/{DATA_NIC}"), name).await?;
            same(&format!("property {name} of the NIC's device"), &asked.to_string(), &found)?;
        }
        Ok(())
    }

    async fn get(&self, path: &str, property: &str) -> Result<Value, GuestError> {
        let asked = json!({ "path": path, "property": property });
        Ok(self.qmp().execute_raw("qom-get", asked, QMP_DEADLINE).await?)
    }
}

/// Whether QEMU reads back what was asked for, which it may write in another way.
fn same(what: &str, asked: &str, found: &Value) -> Result<(), Mismatch> {
    if is_same(asked, found) {
        return Ok(());
    }
    let told = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    Err(Mismatch::Property { what: what.to_owned(), asked: asked.to_owned(), found: told })
}

fn is_same(asked: &str, found: &Value) -> bool {
    let flag = || Property::Text(asked.to_owned()).flag();
    match found {
        Value::Bool(on) => flag() == Some(*on),
        Value::Number(number) => match (bytes(asked), number.as_i64(), number.as_u64()) {
            (Some(asked), Some(found), _) => asked == i128::from(found),
            (Some(asked), None, Some(found)) => asked == i128::from(found),
            _ => false,
        },
        // A slot of a PCI bus is `6` as well as `06.0`; `on` may be read back as a word.
        Value::String(text) => {
            text == asked
                || slot(asked).is_some_and(|asked| slot(text) == Some(asked))
                || (flag().is_some() && Property::Text(text.clone()).flag() == flag())
        }
        _ => false,
    }
}

/// Device and function of a place on a PCI bus: `6`, `06.0`.
fn slot(text: &str) -> Option<(u8, u8)> {
    let (device, function) = text.split_once('.').unwrap_or((text, "0"));
    Some((u8::from_str_radix(device, 16).ok()?, function.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_back_may_be_written_otherwise_and_may_not_be_another() {
        for (asked, found) in [
            ("on", json!(true)),
            ("off", json!(false)),
            ("on", json!("on")),
            ("512", json!(512)),
            ("0x10", json!(16)),
            ("64K", json!(65536)),
            ("-1", json!(-1)),
            ("18446744073709551615", json!(u64::MAX)),
            ("bh", json!("bh")),
            ("6", json!("06.0")),
            ("auto", json!("auto")),
            ("pc-q35-7.0-machine", json!("pc-q35-7.0-machine")),
        ] {
            assert!(is_same(asked, &found), "{asked} {found}");
        }
        for (asked, found) in [
            ("on", json!(false)),
            ("on", json!("off")),
            ("512", json!(256)),
            ("bh", json!("timer")),
            ("6", json!("06.1")),
            ("bh", json!(1)),
            ("on", json!(null)),
        ] {
            assert!(!is_same(asked, &found), "{asked} {found}");
        }
        let Err(wrong) = same("cpu flag x2apic", "on", &json!(false)) else { panic!("a difference") };
        assert_eq!(wrong.to_string(), "its cpu flag x2apic is false, not on");
    }
}
