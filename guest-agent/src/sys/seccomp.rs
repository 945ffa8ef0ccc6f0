//! The filter of the positive control: a select(2) that carries a cookie returns the errno in it, all else is allowed.
//!
//! Holds the BPF program and the cookie's layout; must not know when a trial is drawn.
//! Units: none. Errors: the errno of seccomp(2), set-up only.
//! Source: seccomp(2), include/uapi/linux/seccomp.h (`struct seccomp_data`), include/uapi/linux/bpf_common.h.
//! Tests: `tests/loopback` (exactly as many as drawn; the witness is strace).

use rig_protocol::Errno;

use super::errno::check;
use super::raw::syscall;
use super::thread::give_up_new_privileges;

/// Upper half of the sixth argument register: a value that no program leaves there by chance ("rigE" and a constant).
const COOKIE_HIGH: u32 = 0x7269_6745;
/// Lower half without the errno's 12 bits.
const COOKIE_LOW: u32 = 0xa5c3_9000;
const ERRNO_MASK: u32 = 0x0fff;

/// Offsets in `struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }`.
pub(super) const NUMBER: u32 = 0;
pub(super) const MACHINE: u32 = 4;
const SIXTH_LOW: u32 = 16 + 5 * 8;
const SIXTH_HIGH: u32 = SIXTH_LOW + 4;
/// `AUDIT_ARCH_X86_64`: EM_X86_64 (62) | 64 bit | little endian, include/uapi/linux/audit.h.
pub(crate) const X86_64: u32 = 0xc000_003e;

pub(super) const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
pub(super) const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const OR: u32 = libc::BPF_ALU | libc::BPF_OR | libc::BPF_K;
pub(super) const RETURN_VALUE: u32 = libc::BPF_RET | libc::BPF_K;
const RETURN_A: u32 = libc::BPF_RET | 0x10; // BPF_A

/// What a select(2) carries in its sixth argument register to be answered with `errno`.
pub(crate) fn cookie(errno: Errno) -> u64 {
    u64::from(COOKIE_HIGH) << 32 | u64::from(COOKIE_LOW) | u64::from(errno.0 as u32 & ERRNO_MASK)
}

const fn statement(code: u32, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

/// Goes on where the accumulator is `value`, else skips `otherwise` instructions.
const fn unless_equal(value: u32, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter { code: EQUAL as u16, jt: 0, jf: otherwise, k: value }
}

/// Every mismatch jumps to the last instruction.
static PROGRAM: [libc::sock_filter; 14] = [
    statement(LOAD, MACHINE),
    unless_equal(X86_64, 11),
    statement(LOAD, NUMBER),
    unless_equal(libc::SYS_select as u32, 9),
    statement(LOAD, SIXTH_HIGH),
    unless_equal(COOKIE_HIGH, 7),
    statement(LOAD, SIXTH_LOW),
    statement(AND, !ERRNO_MASK),
    unless_equal(COOKIE_LOW, 4),
    statement(LOAD, SIXTH_LOW),
    statement(AND, ERRNO_MASK),
    statement(OR, libc::SECCOMP_RET_ERRNO),
    statement(RETURN_A, 0),
    statement(RETURN_VALUE, libc::SECCOMP_RET_ALLOW),
];

/// Puts the filter on the calling thread (and on threads that it starts afterwards), for good.
pub(crate) fn install() -> Result<(), Errno> {
    give_up_new_privileges()?;
    let program = libc::sock_fprog { len: PROGRAM.len() as u16, filter: PROGRAM.as_ptr().cast_mut() };
    let program = &raw const program as usize;
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    // SAFETY: the kernel copies the program, which it only reads.
    check(unsafe { syscall(libc::SYS_seccomp, [mode, 0, program, 0, 0, 0]) }).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::readiness::{FdSets, Timeout, arm};

    #[test]
    fn only_a_select_with_the_cookie_is_answered_by_the_filter() {
        let filtered = std::thread::spawn(|| {
            install().expect("seccomp filters are built into every kernel of the matrix");
            let mut sets = FdSets::new();
            let mut call = |value| arm(&mut sets, 0, Timeout::of(Duration::ZERO)).select(value);
            let armed = [Errno::ENOENT, Errno::EBADF, Errno(4095)].map(|errno| call(cookie(errno)));
            let plain = [0, cookie(Errno::ENOENT) ^ 1 << 12, cookie(Errno::ENOENT) ^ 1 << 63].map(&mut call);
            (armed, plain, arm(&mut sets, 0, Timeout::of(Duration::ZERO)).pselect6())
        });
        let (armed, plain, other) = filtered.join().expect("the thread ends");
        assert_eq!(armed, [-2, -9, -4095]);
        assert_eq!(plain, [0, 0, 0]);
        assert_eq!(other, 0);
        let mut sets = FdSets::new();
        assert_eq!(
            arm(&mut sets, 0, Timeout::of(Duration::ZERO)).select(cookie(Errno::ENOENT)),
            0,
            "another thread is free"
        );
    }
}
