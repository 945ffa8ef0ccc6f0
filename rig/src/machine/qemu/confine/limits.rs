//! How much a QEMU may take of memory and processor time.
//!
//! Must not know QEMU's start. Units: bytes, seconds. Errors: `io::Error` of the call. Source: setrlimit(2). Tests: below, and in `spawn.rs`.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec of QEMU: only system calls, no allocation, no lock"
)]

use std::io;
use std::time::Duration;

use super::calls::check;

/// Address space beside the guest's memory. Measured with QEMU 7.2: 1.45 GiB under TCG with two processors, of which one is room for translated code.
const AROUND_BYTES: u64 = 5 << 29;
/// And for each processor: its stack, and an arena of the C library.
const PROCESSOR_BYTES: u64 = 128 << 20;

/// How much a QEMU may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::machine::qemu) struct Limits {
    /// Address space.
    pub(in crate::machine::qemu) memory_bytes: u64,
    /// Of all its threads together; none: no end.
    pub(in crate::machine::qemu) cpu_seconds: Option<u64>,
    /// Each file that it writes.
    pub(in crate::machine::qemu) file_bytes: u64,
}

impl Limits {
    /// For a guest with this memory and so many processors, that lives no longer than `life`.
    pub(in crate::machine::qemu) fn of(memory_mib: u32, vcpus: u32, life: Option<Duration>) -> Self {
        let vcpus = u64::from(vcpus);
        Self {
            memory_bytes: (u64::from(memory_mib) << 20) + AROUND_BYTES + vcpus * PROCESSOR_BYTES,
            // Beside the processors there are QEMU's main loop and its worker.
            cpu_seconds: life.map(|life| (life.as_secs() + 1).saturating_mul(vcpus + 2)),
            file_bytes: 0,
        }
    }

    /// The same for one that may write files of this size.
    pub(in crate::machine::qemu) fn with_files(self, file_bytes: u64) -> Self {
        Self { file_bytes, ..self }
    }

    pub(super) fn set(self) -> io::Result<()> {
        let limit = |resource, soft: u64| {
            let limit = libc::rlimit { rlim_cur: soft, rlim_max: soft };
            // SAFETY: the kernel reads one rlimit.
            check(unsafe { libc::setrlimit(resource, &raw const limit) })
        };
        limit(libc::RLIMIT_AS, self.memory_bytes)?;
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_FSIZE, self.file_bytes)?;
        self.cpu_seconds.map_or(Ok(()), |seconds| limit(libc::RLIMIT_CPU, seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_guest() {
        let small = Limits::of(256, 1, Some(Duration::from_secs(9)));
        let large = Limits::of(1024, 4, None);
        assert_eq!(large.memory_bytes - small.memory_bytes, (768 << 20) + 3 * PROCESSOR_BYTES);
        assert_eq!((small.cpu_seconds, large.cpu_seconds), (Some(30), None));
    }
}
