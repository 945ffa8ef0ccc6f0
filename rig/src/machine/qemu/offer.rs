//! Asks a QEMU what it offers: its machine types, CPU models, and the properties of its NICs.
//!
//! Each answer is that of `-machine help` and the like, which starts no guest and touches no device. Must not know configurations: what of one is not
//! offered is told by `configuration::Offer`. Units: none. Errors: [`NoOffer`]: there is no such program, which blames the host, or it is no QEMU,
//! which blames whoever named it. Tests: below, `tests/qemu/hardware.rs`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use thiserror::Error;

use super::program::file_of;
use crate::configuration::{Executable, NicModel, Offer, QemuVersion, first_words, properties};
use crate::path::Unable;

/// Why it is not known what a program offers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoOffer {
    /// There is no such file.
    #[error(transparent)]
    Absent(Unable),
    /// It is another program.
    #[error("it is not a QEMU for x86-64 guests: {said}")]
    NotQemu {
        /// How it answered.
        said: String,
    },
}

/// The models that a NIC can be of.
const MODELS: [NicModel; 6] = [
    NicModel::VirtioNet,
    NicModel::Vmxnet3,
    NicModel::E1000e,
    NicModel::E1000,
    NicModel::Igb,
    NicModel::Rtl8139,
];

/// By the SHA-256 of the program's file: in the life of this process a program is asked once.
static ASKED: LazyLock<Mutex<HashMap<String, Offer>>> = LazyLock::new(Mutex::default);

/// What this QEMU offers; a name without a folder is looked for in PATH.
///
/// # Errors
/// [`NoOffer`]
pub fn offer(program: &Path) -> Result<Offer, NoOffer> {
    let file = file_of(program);
    let absent = |error: std::io::Error| {
        let program = program.display().to_string();
        NoOffer::Absent(Unable::NotStarted { program, said: error.to_string() })
    };
    if let Err(error) = std::fs::metadata(&file) {
        return Err(absent(error));
    }
    // A file that may be executed and not read is asked every time.
    let digest = Executable::of(&file).ok().map(|found| found.sha256);
    let known = || ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(offer) = digest.as_ref().and_then(|digest| known().get(digest).cloned()) {
        return Ok(offer);
    }
    let offer = ask(&file)?;
    if let Some(digest) = digest {
        known().insert(digest, offer.clone());
    }
    Ok(offer)
}

fn ask(file: &Path) -> Result<Offer, NoOffer> {
    let version = say(file, &["--version"])?;
    let version = version.lines().next().unwrap_or_default().trim().to_owned();
    if !version.starts_with("QEMU emulator version") {
        let said = if version.is_empty() {
            "it says nothing of its version".to_owned()
        } else {
            format!("it says {version:?}")
        };
        return Err(NoOffer::NotQemu { said });
    }
    let machines = first_words(&say(file, &["-machine", "help"])?);
    if !machines.iter().any(|name| name == "q35") {
        return Err(NoOffer::NotQemu { said: format!("{version:?} has no machine q35") });
    }
    let cpus = first_words(&say(file, &["-cpu", "help"])?);
    // Every x86 processor has the same properties.
    let cpu_properties = properties(&say(file, &["-device", "max-x86_64-cpu,help"])?);
    let mut devices = BTreeMap::new();
    for model in MODELS {
        // For a device that it has not got it says so, and ends well.
        let found =
            properties(&say(file, &["-device", &format!("{},help", model.device())]).unwrap_or_default());
        if !found.is_empty() {
            devices.insert(model.device(), found);
        }
    }
    Ok(Offer { version: QemuVersion(version), machines, cpus, cpu_properties, devices })
}

/// What it writes to its output.
fn say(file: &Path, arguments: &[&str]) -> Result<String, NoOffer> {
    let told = |said: String| NoOffer::NotQemu { said };
    let output = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| told(format!("it cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(told(format!("`{}` ends with {}", arguments.join(" "), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_is_no_qemu_and_a_missing_one_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("q");
        let NoOffer::Absent(why) = offer(&file).unwrap_err() else { panic!("no file") };
        assert!(why.to_string().contains("cannot be started"), "{why}");
        fs_err::write(&file, "no program").unwrap();
        let said = |path: &Path| offer(path).unwrap_err().to_string();
        assert!(said(&file).contains("cannot be started"), "{}", said(&file));
        assert_eq!(
            said(Path::new("/bin/false")),
            "it is not a QEMU for x86-64 guests: `--version` ends with exit status: 1"
        );
        assert!(
            said(Path::new("/bin/echo")).contains("it says \"--version\"")
                || said(Path::new("/bin/echo")).contains("echo")
        );
    }
}
