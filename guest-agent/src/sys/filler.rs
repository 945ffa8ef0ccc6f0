//! Bytes of no meaning, for a write that names only their number.
//!
//! Holds one read-only mapping that all threads share, made once: 1 MiB of memory that lies behind itself as often as the longest write
//! needs, so that a small guest can send 64 MiB in one call. Must not know who sends.
//! Units: bytes. Errors: the errno of the call that failed. Source: memfd_create(2), mmap(2). Tests: below.

use std::sync::OnceLock;

use rig_protocol::{Errno, Op};

use super::files::close;
use super::raw::syscall;

/// What really is in memory.
const PIECE: usize = 1 << 20;

/// What can be read.
const WHOLE: usize = Op::MOST_BYTES_SENT as usize;

/// Every byte: printable, so that a record shows it.
const BYTE: u8 = b'x';

const _: () = assert!(WHOLE.is_multiple_of(PIECE));

/// So many bytes, at most [`Op::MOST_BYTES_SENT`]. The first call makes the mapping.
pub(crate) fn bytes(number: u32) -> Result<&'static [u8], Errno> {
    static MAPPED: OnceLock<Result<&'static [u8], Errno>> = OnceLock::new();
    let whole = (*MAPPED.get_or_init(map))?;
    Ok(&whole[..(number as usize).min(WHOLE)])
}

fn checked(returned: i64) -> Result<usize, Errno> {
    Errno::of_return(returned).map_or(Ok(returned as usize), Err)
}

fn map() -> Result<&'static [u8], Errno> {
    let name = c"filler".as_ptr() as usize;
    // SAFETY: the name ends with a zero byte and is only read.
    let returned = unsafe { syscall(libc::SYS_memfd_create, [name, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0]) };
    let fd = checked(returned)? as i32;
    let mapped = fill(fd).and_then(|()| lay(fd));
    // The mappings keep the memory.
    close(fd);
    mapped
}

/// Writes one piece.
fn fill(fd: i32) -> Result<(), Errno> {
    let piece = vec![BYTE; PIECE];
    let mut written = 0;
    while written < PIECE {
        let rest = &piece[written..];
        // SAFETY: the piece is only read.
        let returned =
            unsafe { syscall(libc::SYS_write, [fd as usize, rest.as_ptr() as usize, rest.len(), 0, 0, 0]) };
        written += checked(returned)?;
    }
    Ok(())
}

fn mmap(address: usize, length: usize, protection: i32, flags: i32, fd: i32) -> Result<usize, Errno> {
    let arguments = [address, length, protection as usize, flags as usize, fd as usize, 0];
    // SAFETY: without MAP_FIXED the kernel takes free addresses; `lay` gives it addresses that it has reserved.
    checked(unsafe { syscall(libc::SYS_mmap, arguments) })
}

/// Lays the piece behind itself.
fn lay(fd: i32) -> Result<&'static [u8], Errno> {
    let reserve = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let begin = mmap(0, WHOLE, libc::PROT_NONE, reserve, -1)?;
    let shared = libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_POPULATE;
    for piece in 0..WHOLE / PIECE {
        mmap(begin + piece * PIECE, PIECE, libc::PROT_READ, shared, fd)?;
    }
    // SAFETY: all of it is mapped now, is never unmapped, and nobody can write to it: the descriptor is closed and the mapping read-only.
    Ok(unsafe { std::slice::from_raw_parts(begin as *const u8, WHOLE) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bytes_are_there_as_are_asked_for_and_all_are_the_same() {
        assert_eq!(bytes(5), Ok(&b"xxxxx"[..]));
        let whole = bytes(Op::MOST_BYTES_SENT).expect("memory for one piece");
        assert_eq!(whole.len(), 67_108_864);
        assert!([0, PIECE - 1, PIECE, WHOLE - 1].iter().all(|at| whole[*at] == b'x'));
        // The same mapping for everybody, and no more than there is.
        assert!(std::ptr::eq(bytes(u32::MAX).expect("as before"), whole));
    }
}
