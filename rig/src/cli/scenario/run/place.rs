//! Where a scenario is played: a configuration, a kernel and a path, by the names of a matrix file.
//!
//! Must not know what is played there, nor whether this host can do it. Units: none. Errors: [`Failure`], exit 2: a name that the file does not have.
//! Tests: `tests/trouble/alone.rs` (root), `tests/cli_input.rs`.

use std::path::{Path, PathBuf};

use crate::cli::{Exit, Failure};
use crate::configuration::{Configuration, TargetSpec};
use crate::document::hint;
use crate::image::Recipes;
use crate::matrix::{HOST_KERNEL, Machine, MachineFile, Matrix, PathFile, kernel_place};
use crate::path::PathSpec;

/// The configuration that is this host as it is, also where no file declares it.
pub(in crate::cli) const BARE_METAL: &str = "bare-metal";

/// Where the client's kernel runs.
#[derive(Debug)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) machine: Machine,
    pub(in crate::cli) kernel: String,
    /// Where it lies, for one that is named by its path.
    pub(in crate::cli) kernel_at: Option<PathBuf>,
}

/// The configuration of this name, and its kernel: the one that was asked for, or the first that the file names.
pub(in crate::cli) fn choose(
    name: Option<&str>,
    kernel: Option<&str>,
    matrix: Option<&Path>,
) -> Result<Place, Failure> {
    let Some(name) = name else {
        return Ok(Place { machine: this_host(), kernel: HOST_KERNEL.to_owned(), kernel_at: None });
    };
    let file = Matrix::load_machines(matrix).map_err(Failure::input)?;
    let machine = match file.machines.iter().find(|machine| machine.configuration.name == name) {
        Some(machine) => machine.clone(),
        None if name == BARE_METAL => this_host(),
        None => return Err(unknown(name, &file)),
    };
    let is_host = machine.configuration.target.is_host();
    if let Some(disk) = machine.configuration.target.disk() {
        let own = disk.kernel().to_owned();
        return match kernel.filter(|kernel| *kernel != own) {
            None => Ok(Place { machine, kernel: own, kernel_at: None }),
            Some(kernel) => Err(Failure::say(
                Exit::Input,
                format!("configuration `{name}` boots the kernel on its disk {own}, not `{kernel}`"),
                "leave out --kernel, or give a configuration without `disk`",
            )),
        };
    }
    // A path of the command line is seen from here, one of a file from there.
    let folder = if kernel.is_some() { Path::new(".") } else { file.folder.as_path() };
    let kernel = match kernel {
        Some(kernel) if is_host && kernel != HOST_KERNEL => {
            return Err(Failure::say(
                Exit::Input,
                format!("configuration `{name}` runs on this host's own kernel: it has no kernel `{kernel}`"),
                "leave out --kernel, or give a configuration with kind = \"qemu\"",
            ));
        }
        Some(HOST_KERNEL) if !is_host => {
            return Err(Failure::say(
                Exit::Input,
                format!("configuration `{name}` is a guest: its kernel is an image, not this host's"),
                "`rig image list` shows the images; without --kernel, the first kernel of the matrix file is booted",
            ));
        }
        Some(kernel) => kernel.to_owned(),
        None if is_host => HOST_KERNEL.to_owned(),
        None => first_kernel(&file)?,
    };
    let kernel_at = kernel_place(&kernel, folder);
    Ok(Place { machine, kernel, kernel_at })
}

pub(in crate::cli) fn this_host() -> Machine {
    let configuration = Configuration { name: BARE_METAL.to_owned(), target: TargetSpec::plain_host() };
    Machine { configuration, known: None }
}

/// What a file that names no kernel means: the first that can be built here.
fn first_kernel(file: &MachineFile) -> Result<String, Failure> {
    let named = file.kernels.iter().find(|kernel| *kernel != HOST_KERNEL).cloned();
    named.or_else(|| Recipes::default().guests().into_iter().next()).ok_or_else(|| {
        Failure::say(
            Exit::Input,
            format!("{} names no kernel, and there is no recipe of one", file.name),
            "give one: --kernel NAME; `rig image list` shows the recipes",
        )
    })
}

fn unknown(name: &str, file: &MachineFile) -> Failure {
    let names = file.machines.iter().map(|machine| machine.configuration.name.as_str());
    let help = if file.machines.is_empty() {
        "without --matrix and ./matrix.toml, rig's own file is used: `rig matrix plan` in an empty folder shows its configurations".to_owned()
    } else {
        hint(name, names, "the configurations of that file")
    };
    Failure::say(Exit::Input, format!("{} declares no configuration `{name}`", file.name), help)
}

/// The path of this name; without one a plain link.
pub(in crate::cli) fn path(name: Option<&str>, matrix: Option<&Path>) -> Result<PathSpec, Failure> {
    let Some(name) = name else { return Ok(PathSpec::plain("direct", 1500)) };
    let PathFile { name: file, paths } = Matrix::load_paths(matrix).map_err(Failure::input)?;
    let found = paths.iter().find(|path| path.name == name).cloned();
    found.ok_or_else(|| {
        let help = hint(name, paths.iter().map(|path| path.name.as_str()), "the paths of that file");
        Failure::say(Exit::Input, format!("{file} declares no path `{name}`"), help)
    })
}
