//! A browser without a screen: what a page is once it is laid out and its scripts have run.
//!
//! Must not know which page. Nothing is fetched: pages are files of this host. Every browser has a profile folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::tools::needs;

/// Reaching it is a failure of the page or the browser, not of a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What keeps it from asking the network for anything that is not the page.
const QUIET: [&str; 8] = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// Chromium, and its profile.
pub(crate) struct Browser {
    program: PathBuf,
    profile: TempDir,
}

impl Browser {
    /// Where this host has none, says that the test is skipped.
    pub(crate) fn find() -> Option<Self> {
        let program = needs("chromium")?;
        Some(Self { program, profile: tempfile::tempdir().expect("a folder") })
    }

    /// The page of this file as the browser has it after its scripts: HTML.
    pub(crate) fn dom(&self, page: &Path) -> String {
        let [dom, said] = ["dom", "said"].map(|name| self.profile.path().join(name));
        let mut command = Command::new(&self.program);
        command.args(["--headless", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]).args(QUIET);
        if nix::unistd::geteuid().is_root() {
            // Its sandbox refuses root.
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", self.profile.path().join("profile").display()));
        command.arg(format!("file://{}", page.display())).stdin(Stdio::null());
        command
            .stdout(fs::File::create(&dom).expect("a file"))
            .stderr(fs::File::create(&said).expect("a file"));
        let mut child = command.spawn().expect("it was found");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("our child") {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().expect("our child");
                panic!("the browser did not end within {PATIENCE:?}: {}", read(&said));
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "the browser ended with {status}: {}", read(&said));
        read(&dom)
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("it was written")).into_owned()
}
