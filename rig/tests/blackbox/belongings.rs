//! What belongs to a run while it runs, and must not be left when it is gone.

use std::collections::BTreeSet;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use super::Running;
use super::processes::{Process, family, held, interfaces, networks, pinned};

/// How soon all is gone, by contract.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Every process of a run, the network namespaces that they are in, and the host's interfaces without it.
pub(crate) struct Belongings {
    pub(crate) family: Vec<Process>,
    networks: BTreeSet<u64>,
    interfaces: BTreeSet<String>,
    /// An inode that is free is soon that of another test's namespace.
    _pinned: Vec<File>,
}

impl Belongings {
    /// Of a run in the middle of a block; `interfaces`: the host's before the run. A block that ends while its processes are listed is not one: then it is the next.
    pub(crate) fn of(running: &Running, interfaces: BTreeSet<String>) -> Self {
        let mut seen = String::new();
        for _ in 0..500 {
            let family = family(running.pid());
            let (_pinned, networks) = (pinned(&family), networks(&family));
            let plays = family.iter().any(|process| process.is("guest-agent"));
            // Body, peer and target have networks of their own.
            if plays && networks.len() >= 3 && held(&networks) == networks {
                return Self { family, networks, interfaces, _pinned };
            }
            seen = format!("{family:?} in {networks:?}");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("no block is played: {seen}");
    }

    /// Fails unless all of it goes soon.
    #[track_caller]
    pub(crate) fn vanish(&self) {
        let deadline = Instant::now() + GRACE;
        loop {
            let alive: Vec<&Process> = self.family.iter().filter(|process| !process.is_gone()).collect();
            let held = held(&self.networks);
            if alive.is_empty() && held.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "left after {GRACE:?}: {alive:?}, namespaces {held:?}");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(interfaces(), self.interfaces, "on the host's own network");
    }
}
