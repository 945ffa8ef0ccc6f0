//! sendfile(2) and splice(2), and the file and the pipe for them.
//!
//! Holds the calls, and descriptors that close themselves. Must not know who moves bytes.
//! Units: bytes. Errors: `-errno` of the calls; an errno where file or pipe cannot be made.
//! Source: memfd_create(2), ftruncate(2), sendfile(2), splice(2). Tests: `tests/loopback`.

use rig_protocol::Errno;

use super::errno::check;
use super::files;
use super::raw::syscall;

/// A file in memory; closed when it goes.
#[derive(Debug)]
pub(crate) struct MemoryFile(i32);

impl Drop for MemoryFile {
    fn drop(&mut self) {
        files::close(self.0);
    }
}

/// One of so many zero bytes, to be sent to `to`. It has no pages of its own: they are made as they are read.
pub(crate) fn file_of(bytes: u32, to: i32) -> Result<MemoryFile, Errno> {
    let name = c"sent".as_ptr() as usize;
    // SAFETY: the name ends with a zero byte and is only read.
    let made = unsafe { syscall(libc::SYS_memfd_create, [name, libc::MFD_CLOEXEC as usize, 0, 0, 0, 0]) };
    let file = MemoryFile(check(made)? as i32);
    if file.0 == to {
        // The number was free.
        return Err(Errno::EBADF);
    }
    // SAFETY: takes no pointer.
    check(unsafe { syscall(libc::SYS_ftruncate, [file.0 as usize, bytes as usize, 0, 0, 0, 0]) })?;
    Ok(file)
}

/// sendfile(2), from the file's begin.
pub(crate) fn sendfile(to: i32, file: &MemoryFile, bytes: u32) -> i64 {
    // SAFETY: without an offset the call takes no pointer.
    unsafe { syscall(libc::SYS_sendfile, [to as usize, file.0 as usize, 0, bytes as usize, 0, 0]) }
}

/// A pipe; closed when it goes.
#[derive(Debug)]
pub(crate) struct Pipe {
    read: i32,
    write: i32,
}

impl Pipe {
    /// A new one, empty, to be filled from `from`.
    pub(crate) fn for_bytes(from: i32) -> Result<Self, Errno> {
        let (read, write) = files::pipe()?;
        let pipe = Self { read, write };
        // Where an end has the number, it was free.
        if [read, write].contains(&from) { Err(Errno::EBADF) } else { Ok(pipe) }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        files::close(self.read);
        files::close(self.write);
    }
}

/// splice(2) from a socket.
pub(crate) fn splice(from: i32, pipe: &Pipe, bytes: u32) -> i64 {
    // SAFETY: without offsets the call takes no pointer.
    unsafe { syscall(libc::SYS_splice, [from as usize, 0, pipe.write as usize, 0, bytes as usize, 0]) }
}
