//! The controller's end of the conversation with a guest agent.
//!
//! Holds the agent's bytes, the handshake, assignments and every reason for which a conversation ends badly; works over any stream. The agent may be
//! a guest's, so nothing that it says is trusted: numbers must add up, texts are plain and short, and what is held of it has a limit in bytes.
//! Must not know SSH, QEMU or namespaces. Units: `Duration`.
//! Errors: [`AgentError`]; it blames the agent or its guest and makes a block void, never an outcome.
//! Tests: beside the module, against scripted agents.

mod conversation;
mod hello;
mod kept;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

pub use conversation::{AgentError, Breaker, Conversation, Played, Waits};
pub use kept::MOST_HELD_BYTES;

/// The static agent, as it is pushed into guests and started on the host: the same bytes in both.
pub const BYTES: &[u8] = include_bytes!(env!("RIG_AGENT"));

/// SHA-256 of [`BYTES`] in hex: what the agent must say of itself.
pub fn build_id() -> &'static str {
    static ID: LazyLock<String> = LazyLock::new(|| format!("{:x}", Sha256::digest(BYTES)));
    &ID
}

/// Writes the agent into `folder` as a program.
///
/// # Errors
/// What the disk says.
pub fn install(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("guest-agent");
    fs::write(&path, BYTES)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
