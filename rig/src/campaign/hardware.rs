//! Whether the QEMUs at hand have what configurations name: asked before anything is planned.
//!
//! Must not know how a QEMU is asked. Units: none. Errors: [`Problems`] at the keys, which blame the matrix file. A QEMU or a device that
//! is not there is no mistake of the file: the cells are skipped. Tests: `tests/cli_input.rs`, `tests/qemu/hardware.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::configuration::{
    Configuration, Hardware, MACHINES, NicModel, Offer, QemuSpec, Refused, TargetSpec,
};
use crate::document::Problems;
use crate::machine::qemu::{NoOffer, offer};
use crate::matrix::Matrix;
use crate::path::Unable;
use crate::process::QEMU;

/// Everything that these configurations name and their QEMUs do not have.
///
/// # Errors
/// All of it, each at its key.
pub fn check_hardware<'a>(
    matrix: &Matrix,
    configurations: impl IntoIterator<Item = &'a Configuration>,
) -> Result<(), Problems> {
    let mut refused: BTreeMap<&str, Vec<Refused>> = BTreeMap::new();
    for configuration in configurations {
        let TargetSpec::Qemu(spec) = &configuration.target else { continue };
        if names_something(spec) && !refused.contains_key(configuration.name.as_str()) {
            let found = match ask(&spec.hardware) {
                Ok(offer) => offer.refused(spec),
                Err(NoOffer::Absent(_)) => vec![],
                Err(other @ NoOffer::NotQemu { .. }) => no_qemu(&spec.hardware, &other).into_iter().collect(),
            };
            refused.insert(&configuration.name, found);
        }
    }
    let refused: Vec<(String, Refused)> = refused
        .into_iter()
        .flat_map(|(name, all)| all.into_iter().map(move |one| (name.to_owned(), one)))
        .collect();
    matrix.refuse_hardware(&refused)
}

/// What the QEMUs of these targets offer, or why one cannot be had. Those of which nothing special is asked are not looked at.
pub(super) fn offers<'a>(
    targets: impl IntoIterator<Item = &'a TargetSpec>,
) -> BTreeMap<Option<PathBuf>, Result<Offer, Unable>> {
    let mut offers = BTreeMap::new();
    for target in targets {
        let TargetSpec::Qemu(spec) = target else { continue };
        if names_something(spec) {
            offers.entry(spec.hardware.qemu.clone()).or_insert_with(|| {
                ask(&spec.hardware).map_err(|error| match error {
                    NoOffer::Absent(why) => why,
                    NoOffer::NotQemu { said } => {
                        let program = program(&spec.hardware).display().to_string();
                        Unable::NotStarted { program, said }
                    }
                })
            });
        }
    }
    offers
}

/// Whether this guest needs something that not every QEMU has.
fn names_something(spec: &QemuSpec) -> bool {
    let usual = matches!(spec.nic.model, NicModel::VirtioNet | NicModel::Vmxnet3);
    !usual || !MACHINES.contains(&spec.machine.as_str()) || spec.hardware != Hardware::default()
}

fn program(hardware: &Hardware) -> &Path {
    hardware.qemu.as_deref().unwrap_or(Path::new(QEMU))
}

fn ask(hardware: &Hardware) -> Result<Offer, NoOffer> {
    offer(program(hardware))
}

/// That of a configuration's own QEMU; the one in PATH is the host's.
fn no_qemu(hardware: &Hardware, why: &NoOffer) -> Option<Refused> {
    hardware.qemu.as_ref()?;
    Some(Refused {
        key: "qemu",
        property: None,
        message: format!("`qemu` cannot run a guest: {why}"),
        label: "not a qemu-system-x86_64".to_owned(),
        near: None,
        help: Some(format!(
            "give the path of a {QEMU}; without the key the one that PATH has runs the guest"
        )),
    })
}
