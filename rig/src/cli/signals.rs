//! Signals that ask a command to stop.
//!
//! Must not know what is stopped. Units: none. Errors: none; a signal that cannot be watched ends the process, as it always did.
//! Tests: `tests/trouble`, `tests/enclosure`.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use crate::runner::{Stopper, Why};

/// The first signal asks the run to stop, the second ends it at once: the enclosure takes everything with it.
#[expect(
    clippy::disallowed_methods,
    reason = "asked twice: the enclosure takes down what the run would have"
)]
pub(super) fn stop_on_signal(stopper: Stopper) {
    // From now on, not from when the task first runs.
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = Signals::listen(&kinds);
    tokio::spawn(async move {
        loop {
            signals.heard().await;
            if stopper.has_told() {
                std::process::exit(Exit::Interrupted as i32);
            }
            stopper.stop(Why::Interrupted);
        }
    });
}

/// Several signals, any of which counts.
pub(super) struct Signals(Vec<Signal>);

impl Signals {
    /// Listens from now on.
    pub(super) fn listen(kinds: &[SignalKind]) -> Self {
        Self(kinds.iter().filter_map(|kind| signal(*kind).ok()).collect())
    }

    /// Comes with the next of them; never where none can be listened to.
    pub(super) async fn heard(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let heard = self.0.iter_mut().map(|one| Box::pin(one.recv()));
        futures_util::future::select_all(heard).await;
    }
}
