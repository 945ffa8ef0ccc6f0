//! The way from PID 1 inside to the driver; several threads write to it.
//!
//! Must not know what the messages are about. Units: bytes. Errors: none: when the driver is gone, so is the machine. Tests: `tests/rehearsal.rs`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::process;
use crate::rehearse::wire::ToHost;

/// The control port, shared.
pub(super) type Uplink = Arc<Mutex<Box<dyn Write + Send>>>;

/// Sends a message. The driver is gone when this fails, and with it the machine.
pub(super) fn send(uplink: &Uplink, message: &ToHost) {
    let _ = message.write(&mut *process::lock(uplink));
}
