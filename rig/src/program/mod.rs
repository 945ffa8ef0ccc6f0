//! A user's program as the client: which file it is, what it consists of, and how that goes into a guest.
//!
//! Finds the file, follows its first line, its loader and its libraries as the kernel and the loader do, and gives rows with digests; writes them
//! as an archive when a guest asks for it. Must not know scenarios, cells or SSH. Units: bytes.
//! Errors: [`ProgramError`], which blames what the user named; [`Changed`], where a file is no longer what it was.
//! Tests: `tests.rs`, `tests/wrong.rs`, with programs that are built for them; in a guest, `tests/qemu/program.rs`.

mod archive;
mod capacity;
mod closure;
mod digest;
mod error;
mod find;
mod ld_cache;
mod loader;
mod packed;
mod runtime;
mod script;
mod tree;
mod verify;

pub use archive::write_archive;
pub use capacity::{Place, guest_memory_mib, in_flight};
pub use error::{About, Fault, ProgramError};
pub use packed::{Asked, MOST_BYTES, Packed, USUAL_TIME_LIMIT, bytes};
pub use verify::{Changed, verify};

/// Finds the program and all that it consists of, on this host.
///
/// # Errors
/// [`ProgramError`]: it could not be started here, or not in a guest.
pub fn inspect(asked: &Asked) -> Result<Packed, ProgramError> {
    closure::pack(asked)
}

#[cfg(test)]
mod tests;
