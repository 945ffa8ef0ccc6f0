//! The declared form of a middlebox: plain data, complete (no optional "use the default").
//!
//! Must not know sockets, clocks or frames. Units stand in the keys: nanoseconds, bits per second, bytes, parts per million.
//! Two runs of the same spec (its seed is part of it) over the same frames at the same times do the same.
//! Errors: [`MiddleboxSpec::check`] names the key whose value is not valid; it blames the matrix file.
//! Tests: beside the module.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use super::direction::{Direction, Port, Towards};
use super::error::MiddleboxError;
use super::pattern::Pattern;

/// A million: the denominator of every `_ppm`.
pub(super) const MILLION: u32 = 1_000_000;

/// Bytes of data that a forged segment carries at most: it must fit an Ethernet frame.
const LARGEST_PAYLOAD: usize = 1_400;

/// What jitter does to the order of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JitterOrder {
    /// A frame never leaves before one that came earlier: a slow one delays those behind it.
    Keep,
    /// Each frame leaves at its own time (what netem does).
    MayReorder,
}

/// What one direction of the link does to every frame, in this order: what is too long, loss, duplication, reordering, rate, delay.
///
/// Forged frames (resets) are delayed and queued like any other, but no dice are thrown for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impairment {
    /// Constant delay.
    pub delay_ns: u64,
    /// Uniformly drawn from 0 to this, added to the delay.
    pub jitter_ns: u64,
    /// Whether jitter may reorder.
    pub jitter_order: JitterOrder,
    /// Bits of layer-2 frames per second; 0 is unlimited.
    pub rate_bits_per_s: u64,
    /// What may leave at once after a pause (the token bucket's depth).
    pub burst_bytes: u64,
    /// What waits for the rate at most; a frame beyond it is dropped.
    pub queue_bytes: u64,
    /// Frames lost, per million.
    pub loss_ppm: u32,
    /// Frames that leave twice, per million.
    pub duplicate_ppm: u32,
    /// Frames that are overtaken, per million.
    pub reorder_ppm: u32,
    /// By how many later frames of the same direction.
    pub reorder_gap: u32,
    /// When fewer came, the overtaken frame leaves after this time.
    pub reorder_timeout_ns: u64,
    /// An IP packet of more bytes vanishes; 0 is no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mtu_bytes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Impairment {
    /// A direction that changes nothing.
    pub fn none() -> Self {
        Self {
            delay_ns: 0,
            jitter_ns: 0,
            jitter_order: JitterOrder::Keep,
            rate_bits_per_s: 0,
            burst_bytes: 0,
            queue_bytes: 0,
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            reorder_gap: 0,
            reorder_timeout_ns: 0,
            mtu_bytes: 0,
        }
    }

    /// Says which key has a value that is not valid; `of` is where it stands.
    ///
    /// # Errors
    /// [`MiddleboxError::Spec`].
    pub fn check(&self, of: &str) -> Result<(), MiddleboxError> {
        for (key, ppm) in [
            ("loss_ppm", self.loss_ppm),
            ("duplicate_ppm", self.duplicate_ppm),
            ("reorder_ppm", self.reorder_ppm),
        ] {
            require(ppm <= MILLION, of, key, "over 1000000, the whole")?;
        }
        let limited = self.rate_bits_per_s > 0;
        require(!limited || self.queue_bytes > 0, of, "queue_bytes", "0: a rate needs a queue")?;
        require(
            limited || (self.queue_bytes == 0 && self.burst_bytes == 0),
            of,
            "rate_bits_per_s",
            "0: queue_bytes and burst_bytes would do nothing",
        )?;
        let reorders = self.reorder_ppm > 0;
        require(!reorders || self.reorder_gap > 0, of, "reorder_gap", "0: nothing would overtake")?;
        require(
            !reorders || self.reorder_timeout_ns > 0,
            of,
            "reorder_timeout_ns",
            "0: a frame without successors could never wait",
        )
    }
}

/// Which segments of a connection. Every part must hold; a part that is not said holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// The way it travels.
    pub direction: Option<Direction>,
    /// A TCP port of either end.
    pub port: Option<u16>,
    /// Whether SYN is set.
    pub syn: Option<bool>,
    /// Whether FIN is set.
    pub fin: Option<bool>,
    /// Whether RST is set.
    pub rst: Option<bool>,
    /// Whether ACK is set.
    pub ack: Option<bool>,
    /// Whether it carries payload.
    pub payload: Option<bool>,
    /// Its IP packet has more bytes than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longer_than: Option<u32>,
    /// Its IP packet has fewer bytes than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorter_than: Option<u32>,
    /// Bytes that its payload contains; empty is any.
    pub contains: Pattern,
    /// Only the k-th segment of the connection for which all the rest holds; the first is 1.
    pub ordinal: Option<u32>,
}

impl Condition {
    fn check(&self, of: &str) -> Result<(), MiddleboxError> {
        require(self.ordinal != Some(0), of, "ordinal", "0: the first is 1")?;
        let least = self.longer_than.map_or(0, u64::from) + 1;
        let fits = self.shorter_than.is_none_or(|bound| least < u64::from(bound));
        require(fits, of, "shorter_than", "no length is over `longer_than` and under this: matches none")?;
        require(
            self.payload != Some(false) || self.contains.is_empty(),
            of,
            "contains",
            "set on segments without payload: matches none",
        )
    }
}

/// Which sequence number a forged segment carries, in the words of RFC 5961 section 3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sequence {
    /// RCV.NXT of the end that it is sent to: accepted by every kernel.
    Exact,
    /// RCV.NXT + `offset`, inside the window: accepted before RFC 5961, answered with a challenge ACK since (Linux 3.6).
    InWindow {
        /// Over RCV.NXT, at least 1 and less than the window; otherwise nothing is sent, which is counted.
        offset: u32,
    },
    /// `beyond` bytes over the right edge of the window: ignored by every kernel.
    Outside {
        /// Over the right edge.
        beyond: u32,
    },
    /// RCV.NXT - 1: accepted by Linux after it received a FIN (`tcp_reset_check`).
    BeforeNext,
    /// The right-most edge of what the end holds out of order: accepted by Linux (`tcp_validate_incoming`).
    SackEdge,
}

/// What a rule does with the segments of its condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Deed {
    /// Keeps matching segments back until one that matches `until` has passed on the same connection, or `timeout_ns` is over.
    Hold {
        /// What must pass first.
        until: Condition,
        /// How long at most.
        timeout_ns: u64,
    },
    /// Drops matching segments.
    Drop,
    /// Sends resets after a matching segment came by (and was, or was not, let through by another rule).
    InjectRst {
        /// To which ends.
        towards: Towards,
        /// With which sequence number, computed when it is sent.
        sequence: Sequence,
        /// Pause between the match and the reset.
        delay_ns: u64,
        /// How many, to each end.
        times: u32,
        /// Pause between them; over 500 ms, or the receiver's challenge-ACK limit hides all but the first.
        gap_ns: u64,
    },
    /// Sends segments with data that nobody wrote, in the other end's name, after a matching segment came by.
    InjectData {
        /// To which ends.
        towards: Towards,
        /// With which sequence number, computed when it is sent.
        sequence: Sequence,
        /// Its bytes.
        payload: Pattern,
        /// Pause between the match and the segment.
        delay_ns: u64,
        /// How many, to each end.
        times: u32,
        /// Pause between them.
        gap_ns: u64,
    },
}

/// A rule over the segments of each connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its name in commands and counters (`action.NAME.matched`).
    pub name: String,
    /// Whether it acts from the start, or only after [`Command::Arm`].
    pub armed: bool,
    /// On which segments.
    pub when: Condition,
    /// On how many of them per connection; 0 is all.
    pub first: u32,
    /// What it does.
    #[serde(rename = "do")]
    pub deed: Deed,
}

/// A host on whose behalf the middlebox answers, once it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadHost {
    /// Its address.
    pub address: IpAddr,
    /// Whether it is gone from the start, or only after [`Command::HostGone`].
    pub gone: bool,
}

/// What a stateful box does with segments of a connection that it does not know (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stranger {
    /// Answers with a reset, as the addressed host would (RFC 9293 section 3.5.2).
    Reset,
    /// Drops them silently.
    Drop,
}

/// Whom a firewall tells that it has forgotten a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The peer.
    ToPeer,
    /// The target.
    ToTarget,
    /// Both ends.
    Both,
    /// Nobody.
    None,
}

impl Told {
    /// In which directions its resets travel.
    pub fn towards(self) -> Option<Towards> {
        match self {
            Self::ToPeer => Some(Towards::ToPeer),
            Self::ToTarget => Some(Towards::ToTarget),
            Self::Both => Some(Towards::Both),
            Self::None => None,
        }
    }
}

/// When a firewall acts on a connection that was idle too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expiry {
    /// When the time is over.
    AtOnce,
    /// When the next segment comes, which is swallowed.
    OnNextSegment,
}

/// A stateful firewall: only a SYN makes state, idleness ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// How long a connection may be silent.
    pub idle_timeout_ns: u64,
    /// When it acts on that.
    pub expiry: Expiry,
    /// Which ends it resets then (with exact sequence numbers).
    pub reset: Told,
    /// What later segments of the forgotten connection meet.
    pub stranger: Stranger,
}

/// What an IPS does with the segment that completes the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offender {
    /// Lets it through, then resets.
    Pass,
    /// Drops it, then resets.
    Drop,
}

/// An intrusion prevention system: a pattern in the byte stream, also across segments, resets the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ips {
    /// What it looks for.
    pub pattern: Pattern,
    /// In which direction's stream.
    pub direction: Towards,
    /// Which ends it resets.
    pub reset: Towards,
    /// With which sequence number.
    pub sequence: Sequence,
    /// What becomes of the segment.
    pub offender: Offender,
}

/// A health check of our own: a SYN in a known client's name, which a live backend answers with SYN and ACK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// Time between two probes; a probe that is not answered until the next one is due has failed.
    pub interval_ns: u64,
    /// Failures in a row after which the backend is down.
    pub fall: u32,
    /// Answers in a row after which it is up again; 0 is never.
    pub rise: u32,
    /// The source port of probes; no connection through the box may use it.
    pub source_port: u16,
}

/// A load balancer's way with a backend that is down: its sessions are reset, new ones refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balancer {
    /// The backend's address; it is on the peer's side.
    pub backend: IpAddr,
    /// Its port.
    pub backend_port: u16,
    /// Marked down this long after the start; 0 is never.
    pub down_at_ns: u64,
    /// Marked down by missing answers.
    pub health: Option<HealthCheck>,
    /// Which ends of its sessions are reset (with exact sequence numbers).
    pub reset: Towards,
}

/// Everything that a middlebox does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiddleboxSpec {
    /// Of all dice.
    pub seed: u64,
    /// What travels from the target to the peer.
    pub to_peer: Impairment,
    /// What travels from the peer to the target.
    pub to_target: Impairment,
    /// Rules, in order: the first hold or drop that matches decides.
    pub actions: Vec<Action>,
    /// Hosts that are, or may be, gone.
    pub dead_hosts: Vec<DeadHost>,
    /// A stateful firewall.
    pub firewall: Option<Firewall>,
    /// An intrusion prevention system.
    pub ips: Option<Ips>,
    /// A load balancer.
    pub balancer: Option<Balancer>,
    /// How long the forwarding thread spins for the next frame before it sleeps: costs a core, saves a wake-up; 0 is never.
    pub busy_poll_ns: u64,
}

impl MiddleboxSpec {
    /// A middlebox that forwards and does nothing else.
    pub fn transparent(seed: u64) -> Self {
        Self {
            seed,
            to_peer: Impairment::none(),
            to_target: Impairment::none(),
            actions: vec![],
            dead_hosts: vec![],
            firewall: None,
            ips: None,
            balancer: None,
            busy_poll_ns: 0,
        }
    }

    /// The impairment of a direction.
    pub fn impairment(&self, direction: Direction) -> &Impairment {
        match direction {
            Direction::ToPeer => &self.to_peer,
            Direction::ToTarget => &self.to_target,
        }
    }

    /// Says which key has a value that is not valid.
    ///
    /// # Errors
    /// [`MiddleboxError::Spec`] for the first such key.
    pub fn check(&self) -> Result<(), MiddleboxError> {
        self.to_peer.check("to_peer")?;
        self.to_target.check("to_target")?;
        for (index, action) in self.actions.iter().enumerate() {
            let of = format!("actions.{}", action.name);
            require(!action.name.is_empty(), "actions", "name", "empty")?;
            let taken = self.actions.iter().take(index).any(|other| other.name == action.name);
            require(!taken, &of, "name", "given twice")?;
            action.when.check(&of)?;
            match &action.deed {
                Deed::Drop => {}
                Deed::Hold { until, timeout_ns } => {
                    until.check(&of)?;
                    require(*timeout_ns > 0, &of, "timeout_ns", "0: nothing would be held")?;
                }
                Deed::InjectRst { sequence, times, .. } => {
                    require(*times > 0, &of, "times", "0: nothing would be sent")?;
                    check_sequence(*sequence, &of)?;
                }
                Deed::InjectData { sequence, payload, times, .. } => {
                    require(*times > 0, &of, "times", "0: nothing would be sent")?;
                    let length = payload.0.len();
                    require(length > 0, &of, "payload", "empty: a segment without data")?;
                    require(
                        length <= LARGEST_PAYLOAD,
                        &of,
                        "payload",
                        "over 1400 bytes: one segment carries it",
                    )?;
                    check_sequence(*sequence, &of)?;
                }
            }
        }
        if let Some(firewall) = &self.firewall {
            require(firewall.idle_timeout_ns > 0, "firewall", "idle_timeout_ns", "0: nothing could pass")?;
        }
        if let Some(ips) = &self.ips {
            require(!ips.pattern.is_empty(), "ips", "pattern", "empty: every segment would match")?;
            check_sequence(ips.sequence, "ips")?;
        }
        if let Some(health) = self.balancer.as_ref().and_then(|balancer| balancer.health.as_ref()) {
            require(health.interval_ns > 0, "balancer.health", "interval_ns", "0")?;
            require(health.fall > 0, "balancer.health", "fall", "0: it would be down from the start")?;
            require(health.source_port > 0, "balancer.health", "source_port", "0")?;
        }
        Ok(())
    }
}

fn check_sequence(sequence: Sequence, of: &str) -> Result<(), MiddleboxError> {
    match sequence {
        Sequence::InWindow { offset } => require(offset > 0, of, "offset", "0: that is the exact number"),
        Sequence::Exact | Sequence::Outside { .. } | Sequence::BeforeNext | Sequence::SackEdge => Ok(()),
    }
}

fn require(holds: bool, of: &str, key: &'static str, what: &'static str) -> Result<(), MiddleboxError> {
    if holds { Ok(()) } else { Err(MiddleboxError::Spec { of: of.to_owned(), key, what }) }
}

/// A change while the middlebox runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// The action acts from now on.
    Arm {
        /// Its name.
        action: String,
    },
    /// The action acts no more; what it holds is let go.
    Disarm {
        /// Its name.
        action: String,
    },
    /// The balancer's backend is down.
    BackendDown,
    /// The balancer's backend is up.
    BackendUp,
    /// The middlebox answers for this host from now on.
    HostGone {
        /// Its address, whether declared in the spec or not.
        address: IpAddr,
    },
    /// The host answers for itself again.
    HostBack {
        /// Its address.
        address: IpAddr,
    },
    /// The firewall loses its state, as after a restart.
    ForgetConnections,
    /// Another impairment from now on; what is already under way keeps its time.
    Impair {
        /// In which directions.
        towards: Towards,
        /// What.
        impairment: Impairment,
    },
}

#[cfg(test)]
mod tests;
