//! The start of an agent, on this host or in a guest, and of the conversation with it.
//!
//! Must not know what is said later. Units: `Duration`.
//! Errors: [`StageError`]; it blames the host, the guest, or the agent. Tests: `tests/qemu.rs`, `tests/netns.rs`.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::error::StageError;
use crate::agent::{self, AgentError};
use crate::machine::launch_ssh::{self, RemoteProgram};
use crate::machine::qemu::Guest;
use crate::machine::{HostAgent, launch_agent};
use crate::record::{Endpoint, Part};
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::exchange;
use crate::runner::session::Session;
use crate::testbed::Namespace;

/// Starts an agent on this host, in `namespace`.
pub(super) async fn on_host(
    laboratory: &Laboratory,
    namespace: &Namespace,
    whose: Endpoint,
) -> Result<(HostAgent, Session), StageError> {
    let part = match whose {
        Endpoint::Target => Part::TargetNotStarted,
        Endpoint::Peer => Part::PeerNotStarted,
    };
    let agent = launch_agent(namespace, &laboratory.agent).map_err(StageError::failed(part))?;
    let session = converse(agent.stream()).await.map_err(StageError::of(whose))?;
    Ok((agent, session))
}

/// Pushes the agent into a guest, to `path`, starts it, and opens the conversation. It is `kept` from its start on, so that its end can be
/// explained when that conversation breaks.
pub(super) async fn in_guest(
    laboratory: &Laboratory,
    guest: &Guest,
    path: &'static str,
    kept: &mut Option<RemoteProgram>,
    whose: Endpoint,
) -> Result<Session, StageError> {
    let bytes = Arc::from(agent::BYTES);
    let plan = laboratory.ssh_plan(guest);
    let agent = kept.insert(launch_ssh::launch(guest, plan, bytes, path, path.to_owned(), exchange()).await?);
    converse(&agent.stream).await.map_err(StageError::of(whose))
}

async fn converse(stream: &UnixStream) -> Result<Session, AgentError> {
    let stream = stream.try_clone().map_err(|cause| AgentError::Deaf { request: "stream", cause })?;
    Session::open(stream, exchange()).await
}
