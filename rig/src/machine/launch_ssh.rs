//! SSH into a guest: connect and pin its key, push the agent's bytes, run it, and hand its conversation on as a plain `UnixStream`.
//!
//! libssh2 in non-blocking mode throughout, one thread for one session; every wait has a name and a wall-clock bound, and an
//! [`Abandon`] ends it at once. Must not know what the agent says. Units: `Duration`, bytes.
//! Errors: [`SshError`], which blames the guest or the control network; a block becomes void.
//! Tests: beside the modules (no guest); `tests/qemu.rs` (real dropbear in real guests).

mod abandon;
mod error;
mod exit;
mod program;
mod pump;
mod session;
mod watchdog;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use abandon::Abandon;
pub use error::SshError;
pub use exit::Exit;
pub use program::{Life, RemoteProgram};
pub use pump::{ProgramEnd, Window};
pub use session::{Finished, ROOT, SshPlan, SshSession};

use super::qemu::{Death, Guest};
use abandon::EXPLANATION;

/// Where the agent lies in a guest (a tmpfs).
pub const AGENT_PATH: &str = "/run/agent";
/// Pushes a program into a guest, to `path`, and starts it there as `command`.
///
/// # Errors
/// [`SshError`]; with the death's reason, at once, when the guest dies.
pub async fn launch(
    guest: &Guest,
    plan: SshPlan,
    agent: Arc<[u8]>,
    path: &'static str,
    command: String,
    within: Duration,
) -> Result<RemoteProgram, SshError> {
    with_session(guest, plan, within, move |session, left| {
        session.push(path, &agent, left())?;
        RemoteProgram::start(session, &command, None, left())
    })
    .await
}

/// Starts a command in a guest.
///
/// # Errors
/// As [`launch`].
pub async fn start(
    guest: &Guest,
    plan: SshPlan,
    command: String,
    within: Duration,
) -> Result<RemoteProgram, SshError> {
    with_session(guest, plan, within, move |session, left| {
        RemoteProgram::start(session, &command, None, left())
    })
    .await
}

/// Connects on a thread of its own and does something with the session there, no longer than `within` and than the guest lives.
///
/// What remains of the time is given to the work.
///
/// # Errors
/// [`SshError`]
pub async fn with_session<T: Send + 'static>(
    guest: &Guest,
    plan: SshPlan,
    within: Duration,
    work: impl FnOnce(SshSession, &dyn Fn() -> Duration) -> Result<T, SshError> + Send + 'static,
) -> Result<T, SshError> {
    let abandon = Abandon::default();
    tokio::spawn(abandon_when_dead(abandon.clone(), guest.death()));
    let mut given_up = GiveUp(Some(abandon.clone()));
    let until = Instant::now() + within;
    let working = tokio::task::spawn_blocking(move || {
        let left = || until.saturating_duration_since(Instant::now());
        let session = SshSession::connect(&plan, &abandon, left())?;
        work(session, &left)
    });
    let done = working.await;
    // From here on whoever holds the result decides how long the connection lives.
    given_up.0 = None;
    match done {
        Ok(Err(broken @ (SshError::Failed { .. } | SshError::Unreachable { .. }))) => {
            match tokio::time::timeout(EXPLANATION, guest.died()).await {
                Ok(death) => Err(SshError::Abandoned { what: "work with the guest", reason: death.reason }),
                Err(_) => Err(broken),
            }
        }
        Ok(result) => result,
        Err(error) => {
            Err(SshError::Failed { what: "work on a thread of its own", source: io::Error::other(error) })
        }
    }
}

/// Ends the work on its thread when nobody waits for it any more.
struct GiveUp(Option<Abandon>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        if let Some(abandon) = &self.0 {
            abandon.abandon("rig no longer waits for it");
        }
    }
}

/// Ends with the guest, also when nobody waits any more: a task costs less than a forgotten socket.
async fn abandon_when_dead(abandon: Abandon, mut death: watch::Receiver<Option<Death>>) {
    if let Ok(told) = death.wait_for(Option::is_some).await {
        let reason = told.as_ref().map_or("the guest died", |death| &death.reason);
        abandon.abandon(reason);
    }
}
