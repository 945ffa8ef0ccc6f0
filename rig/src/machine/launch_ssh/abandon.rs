//! The one way to end every wait of a session from outside, at once and with a reason.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::process;

/// A connection that breaks is explained by the guest's death if that is told within this; longer than a death is gathered.
pub(super) const EXPLANATION: Duration = Duration::from_millis(600);

/// Ends every wait of the sessions that were given it. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Abandon(Arc<(Mutex<Abandoned>, Condvar)>);

#[derive(Debug, Default)]
struct Abandoned {
    reason: Option<String>,
    sockets: Vec<TcpStream>,
}

impl Abandon {
    /// Closes the sockets. The first reason stays.
    pub fn abandon(&self, reason: &str) {
        let mut state = process::lock(&self.0.0);
        state.reason.get_or_insert_with(|| reason.to_owned());
        for socket in state.sockets.drain(..) {
            // One that is closed already needs no closing.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.0.1.notify_all();
    }

    /// The reason, if there is one or comes soon: a connection breaks some moments before anybody can say why.
    pub(super) fn reason_soon(&self) -> Option<String> {
        let waited = self
            .0
            .1
            .wait_timeout_while(process::lock(&self.0.0), EXPLANATION, |state| state.reason.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.reason.clone()
    }

    /// The reason, if it was.
    pub fn reason(&self) -> Option<String> {
        process::lock(&self.0.0).reason.clone()
    }

    /// Takes a socket to be closed with the others; at once, if all is over already.
    pub(super) fn watch(&self, socket: &TcpStream) -> io::Result<()> {
        let socket = socket.try_clone()?;
        let mut state = process::lock(&self.0.0);
        match state.reason {
            Some(_) => socket.shutdown(Shutdown::Both),
            None => {
                state.sockets.push(socket);
                Ok(())
            }
        }
    }
}
