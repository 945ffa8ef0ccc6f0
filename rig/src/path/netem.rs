//! The kernel's netem: what of an impairment it can do, in its own terms.
//!
//! Pure. Must not know netlink. Units: nanoseconds, parts per million.
//! Source: net/sched/sch_netem.c; without a distribution table its jitter is uniform in `latency` plus or minus `jitter` (`tabledist`).
//! Errors: a sentence that names what netem cannot do. Tests: below.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::middlebox::{Impairment, JitterOrder};

/// Packets that wait in netem at most; beyond it drops, silently for whoever measures (its default is 1,000).
const LIMIT_PACKETS: u32 = 100_000;

/// `tabledist` computes `rnd % (2 * (u32)sigma)`: twice the jitter must fit 32 bits.
const MAX_JITTER_NS: u64 = u32::MAX as u64;

/// A netem queue, as `struct tc_netem_qopt` and its attributes say it (include/uapi/linux/pkt_sched.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netem {
    /// Middle of the delay.
    pub latency_ns: u64,
    /// Half the width of its uniform spread.
    pub jitter_ns: u64,
    /// Packets lost.
    pub loss_ppm: u32,
    /// Packets that leave twice.
    pub duplicate_ppm: u32,
    /// Packets that wait at most.
    pub limit_packets: u32,
}

impl Netem {
    /// What netem must be told to do this.
    ///
    /// # Errors
    /// What it cannot do, as the end of a sentence that begins with "netem cannot do".
    pub fn of(impairment: &Impairment) -> Result<Self, &'static str> {
        let Impairment {
            delay_ns,
            jitter_ns,
            jitter_order,
            rate_bits_per_s,
            burst_bytes: _,
            queue_bytes: _,
            loss_ppm,
            duplicate_ppm,
            reorder_ppm,
            reorder_gap: _,
            reorder_timeout_ns: _,
            mtu_bytes,
        } = *impairment;
        if jitter_ns > 0 && jitter_order == JitterOrder::Keep {
            return Err("jitter that keeps the order");
        }
        if jitter_ns > MAX_JITTER_NS {
            return Err("jitter of more than 4.29 s");
        }
        if reorder_ppm > 0 {
            return Err("reordering by a number of later frames");
        }
        if mtu_bytes > 0 {
            return Err("an MTU of one link alone");
        }
        if rate_bits_per_s > 0 {
            return Err("a rate whose queue is bounded in bytes");
        }
        Ok(Self {
            latency_ns: delay_ns.saturating_add(jitter_ns / 2),
            jitter_ns: jitter_ns / 2,
            loss_ppm,
            duplicate_ppm,
            limit_packets: LIMIT_PACKETS,
        })
    }
}

impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latency_ns, jitter_ns, loss_ppm, duplicate_ppm, limit_packets } = self;
        write!(f, "netem delay {latency_ns} ns jitter {jitter_ns} ns, loss {loss_ppm} ppm, ")?;
        write!(f, "duplicate {duplicate_ppm} ppm, limit {limit_packets} packets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_delay_becomes_its_middle_and_half_its_width() {
        let jitter = JitterOrder::MayReorder;
        let impairment = Impairment {
            delay_ns: 10,
            jitter_ns: 6,
            jitter_order: jitter,
            loss_ppm: 7,
            ..Impairment::none()
        };
        let netem = Netem::of(&impairment).expect("netem can");
        assert_eq!((netem.latency_ns, netem.jitter_ns, netem.loss_ppm), (13, 3, 7));
    }

    #[test]
    fn what_it_cannot_do_is_said() {
        for cannot in [
            Impairment { jitter_ns: 1, ..Impairment::none() },
            Impairment { reorder_ppm: 1, reorder_gap: 1, reorder_timeout_ns: 1, ..Impairment::none() },
            Impairment { rate_bits_per_s: 1000, queue_bytes: 1, ..Impairment::none() },
            Impairment { jitter_ns: 1 << 33, jitter_order: JitterOrder::MayReorder, ..Impairment::none() },
        ] {
            assert!(Netem::of(&cannot).is_err(), "{cannot:?}");
        }
    }
}
