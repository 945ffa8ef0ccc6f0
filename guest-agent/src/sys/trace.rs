//! Tracing a child: its stops, registers and memory.
//!
//! Holds thin wrappers over ptrace(2), wait4(2) and process_vm_readv(2), one system call each; must not know what a call means.
//! Units: bytes; times are the caller's. Errors: an errno; `ESRCH` says that the tracee was killed meanwhile.
//! Source: ptrace(2), wait(2), include/uapi/linux/ptrace.h (`struct ptrace_syscall_info`, Linux 5.3).
//! Tests: `tests/program`.

use std::ops::ControlFlow;

use rig_protocol::Errno;

use super::errno::check;
use super::raw::syscall;

/// `AUDIT_ARCH_X86_64`, include/uapi/linux/audit.h.
pub(crate) use super::seccomp::X86_64;

const OPTIONS: i32 = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_EXITKILL;

/// `struct ptrace_syscall_info`, with the union as words.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct RawInfo {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction: u64,
    stack: u64,
    words: [u64; 8],
}

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entered {
    /// Which kind of machine its number belongs to.
    pub(crate) arch: u32,
    /// Its number.
    pub(crate) number: u64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
    /// Where the instruction behind it lies.
    pub(crate) instruction: u64,
}

/// Why a child is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It ended with this status.
    Exited(i32),
    /// This signal killed it; whether its memory was dumped.
    Killed(i32, bool),
    /// It is about to take this signal.
    Signal(i32),
    /// It stands still because of a stopping signal.
    GroupStop,
    /// It is new, or was told to stop.
    Stop,
    /// A call that the filter names is about to be made.
    Enters,
    /// A call has returned, and the program has not seen it yet.
    Leaves,
    /// It has made a new process or thread.
    Forked,
    /// It runs another program now.
    Executed,
}

/// Becomes the tracer of a child, without stopping it.
pub(crate) fn seize(pid: i32) -> Result<(), Errno> {
    // SAFETY: takes no pointer of ours.
    check(unsafe { ptrace(libc::PTRACE_SEIZE, pid, 0, OPTIONS as usize) }).map(|_| ())
}

/// # Safety
/// As ptrace(2) for that request.
unsafe fn ptrace(request: u32, pid: i32, address: usize, data: usize) -> i64 {
    // SAFETY: the caller vouches for the pointers.
    unsafe { syscall(libc::SYS_ptrace, [request as usize, pid as usize, address, data, 0, 0]) }
}

/// Waits for any child or tracee of the calling thread, of which it has at least one; `Continue` where a signal interrupted it.
pub(crate) fn wait_any() -> ControlFlow<Errno, Option<(i32, Report)>> {
    match wait(-1, libc::__WALL | libc::__WNOTHREAD) {
        Ok(found) => ControlFlow::Continue(found),
        Err(Errno::EINTR) => ControlFlow::Continue(None),
        Err(errno) => ControlFlow::Break(errno),
    }
}

/// wait4(2): who is reported, and why; `None` where nobody is (`WNOHANG`).
pub(crate) fn wait(pid: i32, options: i32) -> Result<Option<(i32, Report)>, Errno> {
    let mut status: libc::c_int = 0;
    let place = &raw mut status as usize;
    // SAFETY: the kernel writes one int to `status`.
    let waited =
        unsafe { syscall(libc::SYS_wait4, [pid as isize as usize, place, options as usize, 0, 0, 0]) };
    let pid = check(waited)? as i32;
    Ok((pid != 0).then(|| (pid, report(status))))
}

fn report(status: i32) -> Report {
    if libc::WIFEXITED(status) {
        return Report::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Report::Killed(libc::WTERMSIG(status), libc::WCOREDUMP(status));
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Report::Leaves,
        0 => Report::Signal(signal),
        libc::PTRACE_EVENT_SECCOMP => Report::Enters,
        libc::PTRACE_EVENT_EXEC => Report::Executed,
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => Report::Forked,
        libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Report::GroupStop,
        _ => Report::Stop,
    }
}

/// How a stopped tracee goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onward {
    /// To its next call that the filter names.
    Freely,
    /// To the return of the call that it stands in.
    ToReturn,
    /// It takes this signal.
    WithSignal(i32),
    /// The same, to the return of the call that it is about to make again.
    Listen,
}

/// Lets a stopped tracee go on. That it was killed meanwhile is no failure: it will be reported.
pub(crate) fn resume(pid: i32, onward: Onward) {
    let (request, signal) = match onward {
        Onward::Freely => (libc::PTRACE_CONT, 0),
        Onward::ToReturn => (libc::PTRACE_SYSCALL, 0),
        Onward::WithSignal(signal) => (libc::PTRACE_CONT, signal),
        Onward::Listen => (libc::PTRACE_LISTEN, 0),
    };
    // SAFETY: takes no pointer of ours.
    unsafe { ptrace(request, pid, 0, signal as usize) };
}

fn info(pid: i32) -> Option<RawInfo> {
    let mut info = RawInfo::default();
    let place = &raw mut info as usize;
    // SAFETY: the kernel writes at most as many bytes as it is told.
    let written = unsafe { ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size_of::<RawInfo>(), place) };
    (written > 0).then_some(info)
}

/// The call at which a tracee stands, at [`Report::Enters`].
pub(crate) fn entered(pid: i32) -> Option<Entered> {
    let RawInfo { arch, instruction, words: [number, a, b, c, d, e, f, _], .. } = info(pid)?;
    Some(Entered { arch, number, arguments: [a, b, c, d, e, f], instruction })
}

/// Where it stands in its program.
pub(crate) fn instruction(pid: i32) -> Option<u64> {
    info(pid).map(|info| info.instruction)
}

/// What its call returned, at [`Report::Leaves`].
pub(crate) fn returned(pid: i32) -> Option<i64> {
    info(pid).filter(|info| info.op == 2).map(|info| info.words[0] as i64)
}

/// The new process or thread at [`Report::Forked`]; the former number of the thread at [`Report::Executed`].
pub(crate) fn message(pid: i32) -> Option<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one long to `message`.
    let done = unsafe { ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut message as usize) };
    (done == 0).then_some(message as i32)
}

fn registers(pid: i32) -> Option<libc::user_regs_struct> {
    // SAFETY: plain integers.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure.
    let done = unsafe { ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut registers as usize) };
    (done == 0).then_some(registers)
}

fn change_registers(pid: i32, change: impl FnOnce(&mut libc::user_regs_struct)) -> bool {
    let Some(mut registers) = registers(pid) else { return false };
    change(&mut registers);
    // SAFETY: the kernel reads the structure.
    unsafe { ptrace(libc::PTRACE_SETREGS, pid, 0, &raw const registers as usize) == 0 }
}

/// Where the thread's own storage lies (the base of fs); 0 where it has none yet.
pub(crate) fn thread_pointer(pid: i32) -> Option<u64> {
    registers(pid).map(|registers| registers.fs_base)
}

/// Lets the kernel skip the call at which a tracee stands: it still returns.
pub(crate) fn skip_call(pid: i32) -> bool {
    change_registers(pid, |registers| registers.orig_rax = u64::MAX)
}

/// Lets the call that returns return this.
pub(crate) fn change_return(pid: i32, returned: i64) -> bool {
    change_registers(pid, |registers| registers.rax = returned as u64)
}

/// Fills `into` from a tracee's memory; how many bytes could be read.
pub(crate) fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> usize {
    let here = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    let (here, there) = (&raw const here as usize, &raw const there as usize);
    // SAFETY: the kernel writes at most `into.len()` bytes to `into`; the other address is the tracee's.
    let read = unsafe { syscall(libc::SYS_process_vm_readv, [pid as usize, here, 1, there, 1, 0]) };
    usize::try_from(read).unwrap_or(0)
}

/// Writes to a tracee's memory, also where it may only read it.
pub(crate) fn write_memory(pid: i32, address: u64, bytes: &[u8]) -> bool {
    bytes.chunks(8).enumerate().all(|(index, chunk)| {
        let at = address + 8 * index as u64;
        let mut word = [0; 8];
        if chunk.len() < 8 && read_memory(pid, at, &mut word) < chunk.len() {
            return false;
        }
        word[..chunk.len()].copy_from_slice(chunk);
        // SAFETY: the address is the tracee's.
        unsafe { ptrace(libc::PTRACE_POKEDATA, pid, at as usize, usize::from_ne_bytes(word)) == 0 }
    })
}

/// Sends `SIGKILL` to a process, or to the group `-pid`.
pub(crate) fn kill(pid: i32) {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_kill, [pid as isize as usize, libc::SIGKILL as usize, 0, 0, 0, 0]) };
}
