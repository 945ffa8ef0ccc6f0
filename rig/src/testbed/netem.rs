//! The kernel's netem on an interface: put there, and its statistics read.
//!
//! Must not know why. Units: as in `path::Netem`; statistics in packets.
//! Source: include/uapi/linux/pkt_sched.h, net/sched/sch_netem.c; rtnetlink has no type for netem's options, so they are laid out here.
//! Errors: `io::Error` with the kernel's errno; `ENOENT` is a kernel without sch_netem. Tests: `tests/paths.rs` (root, where there is netem); below.

use std::io;

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::Handle;
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcStats2};

use super::error::to_io;
use crate::path::Netem;

/// What a netem queue did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Packets that left it.
    pub(super) packets: u64,
    /// Packets that it dropped.
    pub(super) dropped: u64,
}

/// Makes `netem` the root queue of the interface `index`.
pub(super) async fn add(handle: &Handle, index: i32, netem: &Netem) -> io::Result<()> {
    /// `TCA_OPTIONS`, include/uapi/linux/rtnetlink.h.
    const TCA_OPTIONS: u16 = 2;
    let mut message = TcMessage::with_index(index);
    message.header.parent = TcHandle::ROOT;
    message.attributes = vec![
        TcAttribute::Kind("netem".into()),
        TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options(netem))),
    ];
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let mut handle = handle.clone();
    let mut answers = handle.request(request).map_err(to_io)?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(answer) = answer.payload
            && answer.code.is_some()
        {
            return Err(answer.to_io());
        }
    }
    Ok(())
}

/// `struct tc_netem_qopt` and, behind it, the attributes that say times in nanoseconds (the struct's own are scheduler ticks).
fn options(netem: &Netem) -> Vec<u8> {
    const TCA_NETEM_LATENCY64: u16 = 10;
    const TCA_NETEM_JITTER64: u16 = 11;
    let Netem { latency_ns, jitter_ns, loss_ppm, duplicate_ppm, limit_packets } = *netem;
    // latency, limit, loss, gap, duplicate, jitter; all u32.
    let fixed = [0, limit_packets, share(loss_ppm), 0, share(duplicate_ppm), 0];
    let mut bytes: Vec<u8> = fixed.iter().flat_map(|field| field.to_ne_bytes()).collect();
    for (kind, ns) in [(TCA_NETEM_LATENCY64, latency_ns), (TCA_NETEM_JITTER64, jitter_ns)] {
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        bytes.extend(12_u16.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(ns.to_ne_bytes());
    }
    bytes
}

/// Parts per million as a share of 2^32 - 1.
fn share(ppm: u32) -> u32 {
    let scaled = u64::from(ppm) * u64::from(u32::MAX) / 1_000_000;
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// What the root queue of the interface `index` did.
pub(super) async fn passed(handle: &Handle, index: i32) -> io::Result<Passed> {
    let mut queues = handle.qdisc().get().index(index).execute();
    while let Some(queue) = queues.try_next().await.map_err(to_io)? {
        let is_netem =
            queue.attributes.iter().any(|a| matches!(a, TcAttribute::Kind(kind) if kind == "netem"));
        if queue.header.index != index || !is_netem {
            continue;
        }
        let mut passed = Passed::default();
        for attribute in &queue.attributes {
            let TcAttribute::Stats2(parts) = attribute else { continue };
            for part in parts {
                match part {
                    TcStats2::Basic(basic) => passed.packets = basic.packets.into(),
                    TcStats2::Queue(queue) => passed.dropped = queue.drops.into(),
                    _ => {}
                }
            }
        }
        return Ok(passed);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "its netem queue is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_laid_out_as_the_kernel_reads_them() {
        let netem = Netem {
            latency_ns: 50_000_000,
            jitter_ns: 3,
            loss_ppm: 1_000_000,
            duplicate_ppm: 0,
            limit_packets: 9,
        };
        let bytes = options(&netem);
        assert_eq!(bytes.len(), 6 * 4 + 2 * 12);
        assert_eq!(bytes[4..8], 9_u32.to_ne_bytes());
        assert_eq!(bytes[8..12], u32::MAX.to_ne_bytes(), "all are lost");
        assert_eq!(bytes[28..36], 50_000_000_i64.to_ne_bytes());
        assert_eq!(bytes[40..48], 3_i64.to_ne_bytes());
    }

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!([share(0), share(500_000), share(1_000_000)], [0, u32::MAX / 2, u32::MAX]);
    }
}
