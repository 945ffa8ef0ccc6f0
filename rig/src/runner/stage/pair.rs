//! The peer as a second guest: of the same image and hardware as the target, joined to it by a pair of sockets between the two QEMUs.
//!
//! Holds the pair's ends until a QEMU has them, and the peer's guest with its agent: dropping it kills both. Each QEMU runs in a namespace of its
//! own (peer, target), where nothing but its control port is. Must not know trials. Units: `Duration`.
//! Errors: [`StageError`]; those of the peer's guest say that they are its. Tests: `tests/qemu.rs`.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use tokio::time::timeout;

use super::{EXPLANATION, Laboratory, Seat, Stage, StageError, boot, guests_agent_end, push_agent};
use crate::configuration::{PeerSeat, QemuSpec};
use crate::machine::launch_ssh::{AGENT_PATH, SshAgent};
use crate::machine::qemu::argv::PEER_MAC;
use crate::machine::qemu::{Death, Guest};
use crate::path::Addressing;
use crate::record::Layout;
use crate::record::format::TargetRecord;
use crate::runner::dispatcher::Attempt;
use crate::runner::session::Session;

/// What joins the two guests, and the one that is the peer.
#[derive(Debug)]
pub(super) struct Pair {
    targets_end: Option<OwnedFd>,
    peers_end: Option<OwnedFd>,
    guest: Option<Box<Guest>>,
    agent: Option<SshAgent>,
}

impl Pair {
    /// The link, where the peer is a second guest.
    pub(super) fn of(seat: PeerSeat) -> Result<Option<Self>, StageError> {
        match seat {
            PeerSeat::Host | PeerSeat::Target => Ok(None),
            PeerSeat::Guest => {
                // Datagrams keep the frames apart. A connected pair has no limit but the sender's buffer, and a frame for which that has no
                // room waits in QEMU: nothing is lost (unix(7); `unix_dgram_sendmsg`, net/unix/af_unix.c).
                let (one, other) = UnixDatagram::pair().map_err(|source| StageError::Pair { source })?;
                let (targets_end, peers_end) = (Some(one.into()), Some(other.into()));
                Ok(Some(Self { targets_end, peers_end, guest: None, agent: None }))
            }
        }
    }

    /// The end that the target's QEMU gets; once.
    pub(super) fn take_targets_end(&mut self) -> Option<OwnedFd> {
        self.targets_end.take()
    }

    /// Comes when the peer's guest dies, with the reason.
    pub(super) fn death(&self) -> Option<tokio::sync::watch::Receiver<Option<Death>>> {
        self.guest.as_ref().map(|guest| guest.death())
    }

    /// Why the peer's agent is gone: its guest's death, or how the agent itself ended, if either can be told.
    pub(super) async fn explain(&mut self) -> Option<PeerEnd> {
        if let Some(guest) = &self.guest
            && let Ok(death) = timeout(EXPLANATION, guest.died()).await
        {
            return Some(PeerEnd::Guest(death.reason));
        }
        guests_agent_end(self.agent.as_mut()?).await.map(PeerEnd::Agent)
    }

    /// Ends the peer's guest.
    pub(super) async fn end(self) {
        drop(self.agent);
        if let Some(guest) = self.guest {
            guest.stop().await;
        }
    }
}

/// How a peer in a guest came to its end.
#[derive(Debug)]
pub(super) enum PeerEnd {
    /// The guest died, for this reason.
    Guest(String),
    /// The agent ended, in this way.
    Agent(String),
}

impl Stage {
    /// Boots the peer's guest, without an agent; what is learned of it is written down as it is learned. From here on the stage owns it.
    pub(in crate::runner) async fn start_peer_guest(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<(), StageError> {
        let namespace = self.testbed.peer().as_fd().try_clone_to_owned();
        let namespace = namespace.map_err(|source| StageError::Pair { source })?;
        let Some(pair) = &mut self.pair else { return Ok(()) };
        let seat = Seat {
            mac: PEER_MAC,
            address: Addressing::default().peer,
            namespace,
            taps: vec![],
            socket: pair.peers_end.take(),
            console: Layout::peer_console(&attempt.block.id, attempt.attempt),
            qmp: Layout::peer_qmp(&attempt.block.id, attempt.attempt),
        };
        let guest = boot(laboratory, attempt, spec, seat, record).await?;
        pair.guest = Some(Box::new(guest));
        Ok(())
    }

    /// The peer's agent, in its guest.
    pub(super) async fn start_peer_agent(&mut self, laboratory: &Laboratory) -> Result<Session, StageError> {
        let pair = self.pair.as_mut().expect("it was asked for because there is a pair");
        let guest = pair.guest.as_ref().expect("the agent comes after the guest");
        push_agent(laboratory, guest, AGENT_PATH, &mut pair.agent, StageError::Peer).await
    }
}
