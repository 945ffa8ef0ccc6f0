//! The filter that lets a tracer see chosen system calls of a program, and no others.
//!
//! Holds the making of the BPF program; must not know why a call is of interest.
//! Units: none. Errors: none; it is installed in the child, between fork and exec (`spawn.rs`).
//! Source: seccomp(2), include/uapi/linux/seccomp.h (`struct seccomp_data`), include/uapi/linux/bpf_common.h.
//! Tests: below, and `tests/program`.

use super::seccomp::{EQUAL, LOAD, MACHINE, NUMBER, RETURN_VALUE, X86_64};

const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
/// Calls of the x32 convention have this bit, and the same machine.
const X32: u32 = 0x4000_0000;

/// A filter, ready to be installed.
#[derive(Debug)]
pub(crate) struct Filter(Box<[libc::sock_filter]>);

const fn instruction(code: u32, yes: u8, no: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: yes, jf: no, k: value }
}

impl Filter {
    /// Traces these numbers of x86-64 (at most 200), and whatever calls the kernel in another convention.
    pub(crate) fn tracing(numbers: impl Iterator<Item = u32>) -> Self {
        let numbers: Vec<u32> = numbers.collect();
        let count = u8::try_from(numbers.len()).expect("the table of watched calls has less than 200 rows");
        let mut program = vec![
            instruction(LOAD, 0, 0, MACHINE),
            instruction(EQUAL, 0, count + 3, X86_64),
            instruction(LOAD, 0, 0, NUMBER),
            instruction(AT_LEAST, count + 1, 0, X32),
        ];
        for (index, number) in (0_u8..).zip(numbers) {
            program.push(instruction(EQUAL, count - index, 0, number));
        }
        program.push(instruction(RETURN_VALUE, 0, 0, libc::SECCOMP_RET_ALLOW));
        program.push(instruction(RETURN_VALUE, 0, 0, libc::SECCOMP_RET_TRACE));
        Self(program.into_boxed_slice())
    }

    /// As the kernel takes it.
    pub(super) fn program(&self) -> libc::sock_fprog {
        libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_ptr().cast_mut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's interpreter does with the few instructions that are used here.
    fn decide(filter: &Filter, machine: u32, number: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let one = filter.0[at];
            at += 1;
            let taken = match u32::from(one.code) {
                LOAD => {
                    value = if one.k == MACHINE { machine } else { number };
                    continue;
                }
                EQUAL => value == one.k,
                AT_LEAST => value >= one.k,
                _ => return one.k,
            };
            at += usize::from(if taken { one.jt } else { one.jf });
        }
    }

    #[test]
    fn the_named_calls_and_foreign_ones_are_traced_and_no_others() {
        let filter = Filter::tracing([0, 23, 441].into_iter());
        for (number, traced) in
            [(0, true), (1, false), (23, true), (22, false), (441, true), (X32 | 23, true)]
        {
            let wanted = if traced { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(decide(&filter, X86_64, number), wanted, "{number}");
        }
        assert_eq!(decide(&filter, 0x4000_0003, 5), libc::SECCOMP_RET_TRACE, "i386");
    }
}
