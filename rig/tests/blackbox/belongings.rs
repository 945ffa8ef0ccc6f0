//! What belongs to a run while it runs, and must not be left when it is gone.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::Running;
use super::processes::{Process, family, held, interfaces, networks};

/// How soon all is gone, by contract.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Every process of a run, the network namespaces that they are in, and the host's interfaces without it.
pub(crate) struct Belongings {
    pub(crate) family: Vec<Process>,
    networks: BTreeSet<u64>,
    interfaces: BTreeSet<String>,
}

impl Belongings {
    /// Of a run in the middle of a block; `interfaces`: the host's before the run.
    pub(crate) fn of(running: &Running, interfaces: BTreeSet<String>) -> Self {
        let family = family(running.pid());
        let networks = networks(&family);
        assert!(family.iter().any(|process| process.is("guest-agent")), "{family:?}");
        assert!(networks.len() >= 3, "body, peer and target have networks of their own: {networks:?}");
        assert_eq!(held(&networks), networks);
        Self { family, networks, interfaces }
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
