//! The `syscall` instruction itself.
//!
//! Holds one function per machine; must not touch libc's errno, which is itself a measured value.
//! Units: registers. The result is the kernel's: `-errno` in -4095..=-1 (arch/x86/include/asm/syscall.h).
//! Errors: none. Source: syscall(2), the x86-64 psABI, section A.2.1.
//! Tests: every test that plays a trial.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("the agent speaks the x86-64 Linux system call convention only");

/// One system call with up to six arguments; unused ones are 0.
///
/// # Safety
/// The arguments must be what the system call `number` asks for: pointers valid for the reads and writes that it does.
#[inline(always)]
pub(crate) unsafe fn syscall(number: i64, arguments: [usize; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    let returned: i64;
    // SAFETY: the caller vouches for the arguments; the kernel clobbers rcx and r11 only, and reads and writes memory
    // (no `nomem`), but no stack of ours below rsp.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => returned,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    returned
}
