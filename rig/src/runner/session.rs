//! A conversation with an agent, brought into the asynchronous world: each exchange runs on a blocking thread of its own.
//!
//! Dropping a session cuts the conversation, so a thread that still waits in it ends at once.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use rig_protocol::Hello;
use tokio::task::spawn_blocking;

use crate::agent::{AgentError, Breaker, Conversation, build_id};

/// A conversation and the means to end it.
#[derive(Debug)]
pub(super) struct Session {
    conversation: Option<Conversation>,
    breaker: Breaker,
    hello: Hello,
}

impl Session {
    /// Shakes hands over `stream`.
    pub(super) async fn open(stream: UnixStream, wait: Duration) -> Result<Self, AgentError> {
        let outer = Breaker::of(&stream)?;
        // From here on a dropped future cuts the stream, and the blocking thread ends.
        let guard = Cut(Some(outer));
        let conversation =
            joined(spawn_blocking(move || Conversation::open(stream, build_id(), wait)).await)?;
        let breaker = guard.keep();
        Ok(Self { hello: conversation.hello().clone(), conversation: Some(conversation), breaker })
    }

    /// What the agent said of itself.
    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// One exchange.
    pub(super) async fn talk<T: Send + 'static>(
        &mut self,
        exchange: impl FnOnce(&mut Conversation) -> Result<T, AgentError> + Send + 'static,
    ) -> Result<T, AgentError> {
        let mut conversation = self.conversation.take().expect("exchanges follow each other");
        let (conversation, result) = joined(
            spawn_blocking(move || {
                let result = exchange(&mut conversation);
                (conversation, result)
            })
            .await,
        );
        self.conversation = Some(conversation);
        result
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.breaker.cut();
    }
}

struct Cut(Option<Breaker>);

impl Cut {
    fn keep(mut self) -> Breaker {
        self.0.take().expect("kept once")
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        if let Some(breaker) = &self.0 {
            breaker.cut();
        }
    }
}

/// A blocking task is never cancelled here; if it panicked, so do we: that is a bug in rig, not a void.
pub(super) fn joined<T>(result: Result<T, tokio::task::JoinError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
