//! How much of a program fits: memory of a guest, processes at once.
//!
//! Pure. Must not know configurations or cells. Units: MiB, bytes, processes. Errors: none. Tests: below.

/// What a guest needs for itself: kernel, initramfs, SSH server, agent, its trials' sockets.
const GUEST_ITSELF_MIB: u64 = 128;

/// What one process of a program is held to need in a guest besides its files: stacks and heap, and its witness's buffers.
const PROCESS_MIB: u64 = 4;

/// So many processes per processor: they wait for the network most of their time.
const PER_CPU_ON_HOST: u64 = 32;

/// Fewer under an emulator, which starts processes more slowly than a peer answers.
const PER_CPU_IN_GUEST: u64 = 8;

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this host.
    Host {
        /// Its processors.
        cpus: u32,
    },
    /// In a guest.
    Guest {
        /// Its virtual processors.
        vcpus: u32,
        /// Its memory.
        memory_mib: u32,
    },
}

/// The memory of a guest that holds a program of so many bytes and one process of it. Its files lie in the guest's memory.
pub fn guest_memory_mib(packed_bytes: u64) -> u32 {
    let needed = GUEST_ITSELF_MIB + packed_bytes.div_ceil(1 << 20) + PROCESS_MIB;
    u32::try_from(needed).unwrap_or(u32::MAX)
}

/// How many processes of a program of so many bytes run at once where nobody says it; at least one.
pub fn in_flight(place: Place, packed_bytes: u64) -> u32 {
    let most = match place {
        Place::Host { cpus } => u64::from(cpus) * PER_CPU_ON_HOST,
        Place::Guest { vcpus, memory_mib } => {
            let files = packed_bytes.div_ceil(1 << 20);
            let free = u64::from(memory_mib).saturating_sub(GUEST_ITSELF_MIB + files);
            (u64::from(vcpus) * PER_CPU_IN_GUEST).min(free / PROCESS_MIB)
        }
    };
    u32::try_from(most).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_bound_it_and_in_a_guest_memory_does() {
        assert_eq!(in_flight(Place::Host { cpus: 2 }, 1 << 29), 64);
        let guest = |vcpus, memory_mib, mib: u64| in_flight(Place::Guest { vcpus, memory_mib }, mib << 20);
        assert_eq!(guest(1, 256, 3), 8);
        assert_eq!(guest(4, 256, 3), 31);
        assert_eq!(guest(2, 256, 120), 2);
        assert_eq!(guest(2, 256, 300), 1);
    }

    #[test]
    fn a_guest_that_holds_a_program_runs_one_process_of_it() {
        for bytes in [0, 1, 3 << 20, 200 << 20, crate::program::MOST_BYTES] {
            let memory_mib = guest_memory_mib(bytes);
            assert_eq!(in_flight(Place::Guest { vcpus: 1, memory_mib }, bytes), 1, "{bytes}");
        }
        assert_eq!(guest_memory_mib(1), 133);
    }
}
