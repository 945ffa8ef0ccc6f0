//! What runs at one end of a path: nothing yet, an agent on this host, or a guest with its agent.
//!
//! Holds owners only: dropping a seat kills what runs there. Must not know trials, nor the other end. Units: `Duration`.
//! Errors: none; how something ended is told where it can be. Tests: `tests/qemu.rs`, `tests/netns.rs`.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::machine::HostAgent;
use crate::machine::launch_ssh::RemoteProgram;
use crate::machine::qemu::{Death, Guest};
use crate::record::{Endpoint, VoidReason};
use crate::runner::patience::EXPLANATION;

/// What runs at one end.
#[derive(Debug)]
pub(super) enum Seat {
    /// Nothing yet. A guest that will run here gets this end of the pair of sockets, where one joins two guests.
    Vacant { socket: Option<OwnedFd> },
    /// An agent on this host.
    Host(HostAgent),
    /// A guest, and the agent in it once it has been started.
    Guest { guest: Box<Guest>, agent: Option<RemoteProgram> },
    /// An agent in the guest of the other end.
    InOthersGuest(Option<RemoteProgram>),
}

impl Seat {
    /// The end of the pair of sockets; once.
    pub(super) fn take_socket(&mut self) -> Option<OwnedFd> {
        match self {
            Self::Vacant { socket } => socket.take(),
            Self::Host(_) | Self::Guest { .. } | Self::InOthersGuest(_) => None,
        }
    }

    /// The guest, where one runs here.
    pub(super) fn guest(&self) -> Option<&Guest> {
        match self {
            Self::Guest { guest, .. } => Some(guest),
            Self::Vacant { .. } | Self::Host(_) | Self::InOthersGuest(_) => None,
        }
    }

    /// How the agent ended and the last line of what it said, if it has ended or does so within a second.
    pub(super) async fn agent_end(&mut self) -> Option<String> {
        match self {
            Self::Vacant { .. } => None,
            Self::Host(agent) => hosts_agent_end(agent).await,
            Self::Guest { agent, .. } | Self::InOthersGuest(agent) => guests_agent_end(agent.as_mut()?).await,
        }
    }

    /// Ends the guest, its agent first. An agent on this host is left to whoever drops the seat.
    pub(super) async fn end_guest(&mut self) {
        match std::mem::replace(self, Self::Vacant { socket: None }) {
            Self::Guest { guest, agent } => {
                drop(agent);
                guest.stop().await;
            }
            host @ Self::Host(_) => *self = host,
            Self::InOthersGuest(_) | Self::Vacant { .. } => {}
        }
    }
}

/// The deaths of guests that would explain why an agent is gone.
#[derive(Debug)]
pub(super) struct Deaths {
    target: Option<watch::Receiver<Option<Death>>>,
    peer: Option<watch::Receiver<Option<Death>>>,
}

impl Deaths {
    /// Of these guests, as far as there are any.
    pub(super) fn of(target: Option<&Guest>, peer: Option<&Guest>) -> Self {
        Self { target: target.map(Guest::death), peer: peer.map(Guest::death) }
    }

    /// Comes with the first of them; never where there is no guest.
    pub(super) async fn first(self) -> VoidReason {
        tokio::select! {
            biased;
            how = told(self.target) => VoidReason::GuestDied { whose: Endpoint::Target, how },
            how = told(self.peer) => VoidReason::GuestDied { whose: Endpoint::Peer, how },
        }
    }

    /// The first, if it comes within a second.
    pub(super) async fn soon(self) -> Option<VoidReason> {
        if self.target.is_none() && self.peer.is_none() {
            return None;
        }
        timeout(EXPLANATION, self.first()).await.ok()
    }
}

/// The reason of a guest's death, when it comes.
async fn told(death: Option<watch::Receiver<Option<Death>>>) -> String {
    let Some(mut death) = death else { return std::future::pending().await };
    let reason =
        death.wait_for(Option::is_some).await.ok().and_then(|death| Some(death.as_ref()?.reason.clone()));
    match reason {
        Some(reason) => reason,
        // Nobody watches the guest any more: then nobody reports its death either.
        None => std::future::pending().await,
    }
}

async fn guests_agent_end(agent: &mut RemoteProgram) -> Option<String> {
    let told = timeout(EXPLANATION, agent.end.wait_for(Option::is_some)).await.ok()?.ok()?.clone()?;
    Some(with_last_words(told.exit.to_string(), &told.stderr))
}

async fn hosts_agent_end(agent: &mut HostAgent) -> Option<String> {
    let until = Instant::now() + EXPLANATION;
    loop {
        if let Some(status) = agent.exited(Duration::ZERO).ok()? {
            return Some(with_last_words(status.to_string(), &agent.stderr_tail()));
        }
        if Instant::now() >= until {
            return None;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn with_last_words(how: String, stderr: &str) -> String {
    match stderr.trim().lines().last() {
        Some(line) => format!("{how}, saying {line:?}"),
        None => how,
    }
}
