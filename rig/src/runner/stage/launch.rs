//! The start of an agent, on this host or in a guest, and of the conversation with it.
//!
//! Must not know what is said later. Units: `Duration`.
//! Errors: [`StageError`]; it blames the host, the guest, or the agent. Tests: `tests/qemu.rs`, `tests/netns.rs`.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::error::StageError;
use crate::agent::{self, AgentError};
use crate::configuration::{Arm, Localtime, QemuSpec, Tuning};
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
    offloads: Option<&str>,
) -> Result<(HostAgent, Session), StageError> {
    let localtime = match arm.localtime {
        Localtime::Present => Some(utc_localtime()),
        Localtime::Absent => None,
    };
    let arguments =
        offloads.into_iter().flat_map(|wanted| [OFFLOADS.to_owned(), wanted.to_owned()]).collect();
    let surroundings = Surroundings { localtime, beside, timezone: arm.timezone.clone(), arguments };
    let agent = launch_agent_within(namespace, &laboratory.agent, surroundings)
        .map_err(StageError::failed(Part::TargetNotStarted))?;
    let session = converse(agent.stream()).await.map_err(StageError::of(Endpoint::Target))?;
    Ok((agent, session))
}

/// Whether the target's NIC is as its configuration says; `name` is its kernel's.
pub(super) fn verify_nic(session: &Session, tuning: &Tuning, name: &str) -> Result<(), VoidReason> {
    match tuning.difference(name, &session.hello().interfaces) {
        Some(why) => Err(VoidReason::Failed { part: Part::Nic, why }),
        None => Ok(()),
    }
}

/// Whether the agent of a guest finds the processors and the NIC that its configuration says; `name` is its kernel's.
pub(super) fn verify_guest(session: &Session, spec: &QemuSpec, name: &str) -> Result<(), VoidReason> {
    let hello = session.hello();
    if hello.cpus != spec.vcpus {
        let why = format!("{} processors are online in it, not {}", hello.cpus, spec.vcpus);
        return Err(VoidReason::Failed { part: Part::Hardware, why });
    }
    match spec.hardware.difference(spec.nic.model, name, &hello.interfaces) {
        Some(why) => Err(VoidReason::Failed { part: Part::Nic, why }),
        None => Ok(()),
    }
}

/// Whether the target's program found what its arm says.
pub(super) fn verify_arm(session: &Session, arm: &Arm) -> Result<(), VoidReason> {
    let found = session.hello().localtime;
    if found == arm.localtime.is_present() { Ok(()) } else { Err(VoidReason::OtherLocaltime { found }) }
}

/// The agent's option that sets offloads before it tells of them.
const OFFLOADS: &str = "--offloads";

/// How an agent in a guest is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'a> {
    /// Its file.
    pub(super) path: &'static str,
    /// TZ in its environment.
    pub(super) timezone: Option<&'a str>,
    /// What it sets of an interface first.
    pub(super) offloads: Option<&'a str>,
    /// What the shell does before, a line that ends with a separator; may be empty.
    pub(super) first: &'static str,
}

impl Command<'_> {
    /// The agent at `path`, as it is.
    pub(super) fn plain(path: &'static str) -> Self {
        Self { path, timezone: None, offloads: None, first: "" }
    }

    /// What the guest's shell is told. Names of time zones and of interfaces have no quotes: the matrix refuses them.
    fn line(self) -> String {
        let mut line = self.first.to_owned();
        line.extend(self.timezone.map(|timezone| format!("export TZ='{timezone}'; ")));
        if !line.is_empty() || self.offloads.is_some() {
            line.push_str("exec ");
        }
        line.push_str(self.path);
        line.extend(self.offloads.map(|wanted| format!(" {OFFLOADS} {wanted}")));
        line
    }
}

/// Pushes the agent into a guest, to the file of its command, starts it, and opens the conversation. It is `kept` from its start on, so that its end can be
/// explained when that conversation breaks.
pub(super) async fn in_guest(
    laboratory: &Laboratory,
    guest: &Guest,
    command: Command<'_>,
    kept: &mut Option<RemoteProgram>,
    whose: Endpoint,
) -> Result<Session, StageError> {
    let bytes = Arc::from(agent::BYTES);
    let plan = laboratory.ssh_plan(guest);
    let agent =
        kept.insert(launch_ssh::launch(guest, plan, bytes, command.path, command.line(), exchange()).await?);
    converse(&agent.stream).await.map_err(StageError::of(whose))
}

/// Starts an agent whose file is in the guest already.
pub(super) async fn again_in_guest(
    laboratory: &Laboratory,
    guest: &Guest,
    command: Command<'_>,
    kept: &mut Option<RemoteProgram>,
    whose: Endpoint,
) -> Result<Session, StageError> {
    let plan = laboratory.ssh_plan(guest);
    let agent = kept.insert(launch_ssh::start(guest, plan, command.line(), exchange()).await?);
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
        let plain = Command::plain("/run/agent");
        assert_eq!(plain.line(), "/run/agent");
        let timezone = Some("<+03>-3");
        assert_eq!(Command { timezone, ..plain }.line(), "export TZ='<+03>-3'; exec /run/agent");
        assert_eq!(Command { first: "true; ", ..plain }.line(), "true; exec /run/agent");
        let offloads = Some("data,gro=off");
        assert_eq!(Command { offloads, ..plain }.line(), "exec /run/agent --offloads data,gro=off");
    }
}
