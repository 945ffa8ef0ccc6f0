//! Builds the guest agent as a static program and lets rig embed it: one file to deploy. Then lists the files of the folders that rig embeds too.
//!
//! A nested cargo with a target folder of its own (the outer one is locked while this runs). `-C target-feature=+crt-static` makes the
//! gnu target link glibc statically; an explicit `--target` keeps proc-macros, which run on the host, out of that.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What the outer build was told about its own profile, wrapper and flags: not for the agent, which is the same instrument in every build.
const OUTER_PREFIXES: [&str; 4] = ["CARGO_PROFILE_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_BUILD_"];
const OUTER: [&str; 5] = [
    "RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// What the agent is built from, in the workspace.
const INPUTS: [&str; 6] = [
    "guest-agent/src",
    "guest-agent/Cargo.toml",
    "guest-agent/protocol/src",
    "guest-agent/protocol/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
];

/// Folders of rig, and the file in which each is listed.
const EMBEDDED: [(&str, &str); 4] = [
    ("claims", "claims.rs"),
    ("scenarios", "scenarios.rs"),
    ("atlas/situations", "situations.rs"),
    ("atlas/probes", "probes.rs"),
];

#[expect(clippy::disallowed_methods, reason = "cargo has the messages, and nothing is to be taken down")]
fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let workspace = manifest.parent().expect("rig/ lies in the workspace");
    for input in INPUTS {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    for (folder, list) in EMBEDDED {
        embed(&manifest.join(folder), &out.join(list));
    }
    let target_dir = out.join("agent");
    match nested_cargo(workspace, &target_dir).status() {
        Ok(status) if status.success() => {}
        Ok(status) => {
            println!("cargo::error=the guest agent could not be built ({status}); its messages are above");
            exit(1);
        }
        Err(error) => {
            println!("cargo::error=cargo could not be started for the guest agent: {error}");
            exit(1);
        }
    }
    let agent = target_dir.join(TARGET).join("agent/guest-agent");
    println!("cargo::rustc-env=RIG_AGENT={}", agent.display());
}

/// Writes the list of a folder's files: name and text of each. One is added by adding its file.
fn embed(folder: &Path, list: &Path) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort_by_key(|path| path.file_stem().map(|stem| stem.to_owned()));
    let row = |path: &PathBuf| {
        let name = path.file_stem().expect("it has an ending").to_string_lossy();
        format!("    ({name:?}, include_str!({path:?})),\n")
    };
    let rows: String = files.iter().map(row).collect();
    fs::write(list, format!("&[\n{rows}]\n")).expect("cargo made the folder");
}

fn nested_cargo(workspace: &Path, target_dir: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    command
        .current_dir(workspace)
        .args(["build", "--quiet", "--package", "guest-agent", "--bin", "guest-agent"])
        .args(["--profile", "agent", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        // The path of the checkout must not change the agent's bytes.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("-Ctarget-feature=+crt-static\u{1f}--remap-path-prefix={}=rig", workspace.display()),
        );
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if OUTER.contains(&name.as_str()) || OUTER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
