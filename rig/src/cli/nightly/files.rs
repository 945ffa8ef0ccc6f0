//! `rig nightly --write DIR`: the units of systemd, the workflows and the recipe of an image that come with rig.
//!
//! The files are those of `rig/docs/ci/`, so that an installed rig has them too; the service starts the rig that writes it. Must not know what is in them otherwise.
//! Units: none. Errors: [`Failure`]: exit 2 where a file is there already. Tests: below; `tests/engines.rs` and `tests/nightly.rs` hold the files.

use std::path::Path;

use super::super::fresh::{self, Fresh};
use super::super::streams::say;
use super::super::{Exit, Failure};

/// The program as the files name it.
const INSTALLED: &str = "/usr/local/bin/rig";

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../docs/ci/", $name)))
    };
}

/// All of them.
const FILES: [(&str, &str); 7] = [
    file!("rig-nightly.service"),
    file!("rig-nightly.timer"),
    file!("github-nightly.yml"),
    file!("gitlab-nightly.yml"),
    file!("gitlab-shards.yml"),
    file!("kubernetes-job.yaml"),
    file!("Containerfile"),
];

pub(super) fn write(folder: &Path) -> Result<Exit, Failure> {
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::to_str).filter(|path| is_plain(path)).unwrap_or(INSTALLED);
    let files: Vec<Fresh> =
        FILES.iter().map(|(name, text)| (folder.join(name), of(name, text, own))).collect();
    fresh::write(&files)?;
    files.iter().for_each(|(path, _)| say(&format!("wrote {}", path.display())));
    say("next: `rig docs nightly` says what each is for");
    Ok(Exit::Done)
}

/// A unit needs an absolute path.
fn of(name: &str, text: &str, own: &str) -> String {
    if name.ends_with(".service") { text.replace(INSTALLED, own) } else { text.to_owned() }
}

/// Whether a unit can name it as it is: no blank, no quote, no specifier of systemd.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci");
        let names = std::fs::read_dir(folder)
            .expect("a folder of the tree")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
        let carried: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names.collect::<BTreeSet<_>>(), carried);
    }

    #[test]
    fn the_service_starts_the_rig_that_wrote_it() {
        let (name, text) = FILES[0];
        let own = of(name, text, "/opt/rig/bin/rig");
        assert!(own.contains("\nExecStart=/opt/rig/bin/rig nightly ") && !own.contains(INSTALLED), "{own}");
        assert!(of("github-nightly.yml", FILES[2].1, "/opt/rig").contains(INSTALLED));
        assert!(is_plain(INSTALLED) && !is_plain("rig") && !is_plain("/a b/rig") && !is_plain("/a%h/rig"));
    }
}
