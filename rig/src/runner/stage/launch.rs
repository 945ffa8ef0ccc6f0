//! The start of an agent, on this host or in a guest, and of the conversation with it.
//!
//! Must not know what is said later. Units: `Duration`.
//! Errors: [`StageError`]; it blames the host, the guest, or the agent. Tests: `tests/qemu.rs`, `tests/netns.rs`.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::error::StageError;
use crate::agent::{self, AgentError};
use crate::configuration::{Arm, Localtime};
use crate::image::utc_localtime;
use crate::machine::launch_ssh::{self, RemoteProgram};
use crate::machine::qemu::Guest;
use crate::machine::{Beside, HostAgent, Surroundings, launch_agent, launch_agent_within};
use crate::record::{Endpoint, Part, VoidReason};
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::exchange;
use crate::runner::session::Session;
use crate::testbed::Namespace;

/// Starts the peer's agent on this host, in `namespace`.
pub(super) async fn peer_on_host(
    laboratory: &Laboratory,
    namespace: &Namespace,
) -> Result<(HostAgent, Session), StageError> {
    let agent =
        launch_agent(namespace, &laboratory.agent).map_err(StageError::failed(Part::PeerNotStarted))?;
    let session = converse(agent.stream()).await.map_err(StageError::of(Endpoint::Peer))?;
    Ok((agent, session))
}

/// Starts the target's agent on this host, in `namespace` and in this arm; `beside` is what its /etc has besides the arm's.
pub(super) async fn target_on_host(
    laboratory: &Laboratory,
    namespace: &Namespace,
    arm: &Arm,
    beside: Beside,
) -> Result<(HostAgent, Session), StageError> {
    let localtime = match arm.localtime {
        Localtime::Present => Some(utc_localtime()),
        Localtime::Absent => None,
    };
    let surroundings = Surroundings { localtime, beside, timezone: arm.timezone.clone() };
    let agent = launch_agent_within(namespace, &laboratory.agent, surroundings)
        .map_err(StageError::failed(Part::TargetNotStarted))?;
    let session = converse(agent.stream()).await.map_err(StageError::of(Endpoint::Target))?;
    Ok((agent, session))
}

/// Whether the target's program found what its arm says.
pub(super) fn verify_arm(session: &Session, arm: &Arm) -> Result<(), VoidReason> {
    let found = session.hello().localtime;
    if found == arm.localtime.is_present() { Ok(()) } else { Err(VoidReason::OtherLocaltime { found }) }
}

/// What a guest's shell is told to start: the agent at `path`, with this TZ in its environment.
fn command(path: &str, timezone: Option<&str>) -> String {
    match timezone {
        None => path.to_owned(),
        // Names of time zones have no quotes: the matrix refuses them.
        Some(timezone) => format!("export TZ='{timezone}'; exec {path}"),
    }
}

/// Pushes the agent into a guest, to `path`, starts it with this TZ, and opens the conversation. It is `kept` from its start on, so that its end can be
/// explained when that conversation breaks.
pub(super) async fn in_guest(
    laboratory: &Laboratory,
    guest: &Guest,
    path: &'static str,
    timezone: Option<&str>,
    kept: &mut Option<RemoteProgram>,
    whose: Endpoint,
) -> Result<Session, StageError> {
    let bytes = Arc::from(agent::BYTES);
    let plan = laboratory.ssh_plan(guest);
    let agent =
        kept.insert(launch_ssh::launch(guest, plan, bytes, path, command(path, timezone), exchange()).await?);
    converse(&agent.stream).await.map_err(StageError::of(whose))
}

async fn converse(stream: &UnixStream) -> Result<Session, AgentError> {
    let stream = stream.try_clone().map_err(|cause| AgentError::Deaf { request: "stream", cause })?;
    Session::open(stream, exchange()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_agent_has_a_tz_only_where_the_configuration_says_one() {
        assert_eq!(command("/run/agent", None), "/run/agent");
        assert_eq!(command("/run/agent", Some("<+03>-3")), "export TZ='<+03>-3'; exec /run/agent");
    }
}
