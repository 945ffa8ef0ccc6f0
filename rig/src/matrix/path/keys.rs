//! Every key of `[path.NAME]` and of the tables in it: the one list that the reader, "did you mean" and the page `paths` share.
//!
//! Holds names, how values are written, defaults and one line about each; what excludes what is `path::parts`' matter. The order of a list is
//! that of the hints. Must not read anything. Units: those of the file. Errors: none. Tests: `tests/reference.rs`.

mod boxes;
mod row;

pub(super) use boxes::{BALANCER, FIREWALL, HAPROXY, HEALTH, IPS, NAT, SYSCTL};
pub(super) use row::names;
use row::{ANY, BOTH, key, with};
pub use row::{Kind, Omitted, PathKey, Section, WordRow};

use super::words::{
    FAMILIES, FLAGS, HOOKS, MATCHES, MECHANISMS, MEDIA, ORDERS, PLACES, SEQUENCES, VERDICTS, words,
};
use crate::path::{FaultKind, Part};

/// A number that only its type bounds.
pub(super) const MANY: u32 = u32::MAX;

/// RFC 791: every host takes 576 bytes; 9216 is the largest frame that drivers commonly carry.
pub(super) const MTU_BYTES: (u32, u32) = (576, 9216);

/// Of an IP packet, in bytes: its length has 16 bits, behind the header of 40 with IPv6.
pub(super) const LARGEST_PACKET: u32 = 65_575;

/// A gigabyte: more is a slip of the unit.
pub(super) const MOST_QUEUE_BYTES: u32 = 1 << 30;

/// `[path.NAME]` itself: its own values. The tables in it are [`SECTIONS`].
pub const LINK: &[PathKey] = &[
    key("mtu_bytes", Kind::Count(MTU_BYTES.0, MTU_BYTES.1, "bytes"), Omitted::Same("1500"), "of every link"),
    key(
        "medium",
        Kind::Word(const { &words(&MEDIA) }),
        Omitted::Same("\"link\""),
        "`loopback`: no link at all, the peer is in the target's own kernel (a host's, or a guest's). It can have the faults `contention` and `pause`, and no other part; its packets are not captured, and no witness sees them",
    ),
    key(
        "family",
        Kind::Word(const { &words(&FAMILIES) }),
        Omitted::Same("\"ipv4\""),
        "by which addresses the two ends talk; `ipv6`: both have one of 2001:db8::/64 besides that of IPv4, without duplicate address detection, and the peer listens there",
    ),
    key(
        "mechanism",
        Kind::Word(const { &words(&MECHANISMS) }),
        Omitted::Same("\"auto\""),
        "how the impairments below are made: `auto` is netem if the host has it and it can make them, otherwise own",
    ),
    key("delay", Kind::Directed(&Kind::Time), Omitted::Means("0"), "constant (netem, own)"),
    with(
        key(
            "jitter",
            Kind::Directed(&Kind::Time),
            Omitted::Means("0"),
            "added to the delay, drawn from 0 to this for each frame (netem, own)",
        ),
        JITTER,
    ),
    key("loss", Kind::Directed(&Kind::Share), Omitted::Means("0"), "frames lost (netem, own)"),
    key(
        "duplicate",
        Kind::Directed(&Kind::Share),
        Omitted::Means("0"),
        "frames that are sent twice (netem, own)",
    ),
    with(
        key(
            "reorder",
            Kind::Directed(&Kind::Share),
            Omitted::Means("0"),
            "frames that are overtaken by later ones (own)",
        ),
        REORDER,
    ),
    key(
        "link_mtu_bytes",
        Kind::Directed(&Kind::Count(MTU_BYTES.0, MTU_BYTES.1, "bytes")),
        Omitted::Means("`mtu_bytes`"),
        "of the link between the two ends alone, smaller than theirs: a longer IP packet vanishes, and nobody is told (a black hole of path MTU discovery, RFC 2923) (own)",
    ),
    with(
        key("rate", Kind::Directed(&Kind::Rate), Omitted::Means("unlimited"), "of layer-2 frames (own)"),
        RATE,
    ),
];

/// `jitter = { ... }`, beside its directions.
pub(super) const JITTER: &[PathKey] = &[key(
    "order",
    Kind::Word(const { &words(&ORDERS) }),
    Omitted::Same("\"may-reorder\""),
    "whether a frame may overtake an earlier one; netem can only do `may-reorder`",
)];

/// `reorder = { ... }`, beside its directions.
pub(super) const REORDER: &[PathKey] = &[
    key(
        "gap",
        Kind::Count(1, MANY, "frames"),
        Omitted::Required("gap = 3: by how many later frames a frame is overtaken"),
        "by how many later frames; smaller than `window`",
    ),
    key(
        "window",
        Kind::Count(2, MANY, "frames"),
        Omitted::Same("10"),
        "how many frames are in flight at once; 10 is the initial window (RFC 6928)",
    ),
    key(
        "timeout",
        Kind::Time,
        Omitted::Required(
            "timeout = \"50ms\": an overtaken frame waits no longer than this if fewer frames follow",
        ),
        "an overtaken frame waits no longer than this if fewer frames follow",
    ),
];

/// `rate = { ... }`, beside its directions.
pub(super) const RATE: &[PathKey] = &[
    key(
        "queue_bytes",
        Kind::Count(1, MOST_QUEUE_BYTES, "bytes"),
        Omitted::Required(
            "queue_bytes = 65536: the most bytes that wait for the rate; a frame beyond it is dropped",
        ),
        "the most bytes that wait for the rate; a frame beyond it is dropped",
    ),
    key(
        "burst_bytes",
        Kind::Count(0, MOST_QUEUE_BYTES, "bytes"),
        Omitted::Same("0"),
        "the most bytes that are sent at once after a pause",
    ),
];

/// Which segments: `when = { ... }`, `until = { ... }`. Every part must hold.
pub(super) const CONDITION: &[PathKey] = &[
    key("direction", Kind::Towards, BOTH, "the direction in which it travels"),
    key("port", Kind::Port, ANY, "of either end"),
    key("syn", Kind::Flag, ANY, "whether the flag is set"),
    key("fin", Kind::Flag, ANY, "whether the flag is set"),
    key("rst", Kind::Flag, ANY, "whether the flag is set"),
    key("ack", Kind::Flag, ANY, "whether the flag is set"),
    key("payload", Kind::Flag, ANY, "whether it carries data"),
    key(
        "longer_than",
        Kind::Count(0, LARGEST_PACKET - 1, "bytes"),
        ANY,
        "its IP packet, with all headers, has more bytes than this; a full segment over an MTU of 1500 has 1500. What a kernel hands over as one piece (GSO) is cut into the segments of the wire first",
    ),
    key("shorter_than", Kind::Count(1, LARGEST_PACKET + 1, "bytes"), ANY, "its IP packet has fewer"),
    key("contains", Kind::Bytes, ANY, "bytes of its data, with `\\r` and `\\x00`"),
    key("ordinal", Kind::Count(1, MANY, "segments"), ANY, "only the k-th segment that meets the other parts"),
];

/// `[path.NAME.action.NAME]`
pub(super) const ACTION: Section = Section {
    name: "action",
    named: true,
    by: "own",
    about: "Rules over the segments of each connection, in file order: the first `hold` or `drop` that matches decides.",
    keys: &[
        key("do", Kind::Do, Omitted::Required("do = \"hold\""), "see below"),
        with(
            key(
                "when",
                Kind::Table,
                Omitted::Required("when = { direction = \"to_target\", rst = true }"),
                "which segments; every part must hold",
            ),
            CONDITION,
        ),
        key(
            "first",
            Kind::Count(0, MANY, "segments"),
            Omitted::Same("1"),
            "on how many of them per connection; 0 is all",
        ),
        key(
            "armed",
            Kind::Flag,
            Omitted::Same("true"),
            "whether it acts from the start; `false` needs a fault with `do = \"arm\"`",
        ),
    ],
    words: &[
        WordRow {
            word: "hold",
            by: "own",
            about: "the segment waits until another has passed",
            keys: &[
                key(
                    "until",
                    Kind::Table,
                    Omitted::Required(
                        "until = { direction = \"to_target\", rst = true }: what must pass first",
                    ),
                    "what must pass first; as `when`",
                ),
                key(
                    "timeout",
                    Kind::Time,
                    Omitted::Required("timeout = \"1s\": a held segment waits no longer than this"),
                    "how long it waits at most",
                ),
            ],
        },
        WordRow { word: "drop", by: "own", about: "the segment vanishes", keys: &[] },
        WordRow {
            word: "inject-rst",
            by: "own",
            about: "a reset is sent after the segment has passed",
            keys: &[TOWARDS, SEQUENCE, DELAY, TIMES, PAUSE],
        },
        WordRow {
            word: "inject-data",
            by: "own",
            about: "a data segment that nobody wrote is sent after the segment has passed, in the other end's name",
            keys: &[
                TOWARDS,
                SEQUENCE,
                DELAY,
                TIMES,
                PAUSE,
                key("payload", Kind::Bytes, Omitted::Same("\"forged\""), "its bytes, at most 1400"),
            ],
        },
    ],
};

const TOWARDS: PathKey = key(
    "towards",
    Kind::Towards,
    Omitted::Required("towards = \"to_target\" (or to_peer, both)"),
    "the end that gets it, or both",
);

const SEQUENCE: PathKey = key(
    "sequence",
    Kind::Word(SEQUENCES),
    Omitted::Same("\"exact\""),
    "the sequence number: `+N` lies N bytes into the window (a reset there is answered with a challenge ACK, RFC 5961), `outside+N` beyond it",
);

const DELAY: PathKey =
    key("delay", Kind::Time, Omitted::Same("0"), "between the match and the forged segment");

const TIMES: PathKey = key("times", Kind::Count(1, 1_000_000, "segments"), Omitted::Same("1"), "to each end");

const PAUSE: PathKey = key(
    "pause",
    Kind::Time,
    Omitted::Same("\"600ms\""),
    "between them: over 500 ms, or Linux answers only the first reset",
);

/// `[path.NAME.rule.NAME]`
pub(super) const RULE: Section = Section {
    name: "rule",
    named: true,
    by: "nft",
    about: "The kernel's packet filter.",
    keys: &[
        key(
            "at",
            Kind::Word(const { &words(&PLACES) }),
            Omitted::Required("at = \"target\" (or peer, switch)"),
            "whose kernel: `target` (the guest's own, where the target is one), `peer`, or the `switch` between them",
        ),
        key(
            "hook",
            Kind::Word(const { &words(&HOOKS) }),
            Omitted::Means("`forward` at the switch, otherwise required"),
            "`input` or `output` at an end, `forward` at the switch",
        ),
        key("source_port", Kind::Port, ANY, "TCP port"),
        key("destination_port", Kind::Port, ANY, "TCP port"),
        key("flags", Kind::Words(const { &words(&FLAGS) }), ANY, "flags that are all set"),
        key("invalid", Kind::Flag, Omitted::Same("false"), "only what connection tracking calls invalid"),
        key(
            "verdict",
            Kind::Word(const { &words(&VERDICTS) }),
            Omitted::Required("verdict = \"drop\" (or reject-tcp-reset, count)"),
            "`reject-icmp-...` tells the sender the reason of that name (a connect() that was refused with host-prohibited fails with EHOSTUNREACH); what rejects cannot stand at the switch: a bridge cannot reject what it forwards",
        ),
        key(
            "matches",
            Kind::Word(const { &words(&MATCHES) }),
            Omitted::Same("\"every-trial\""),
            "how often it must match for the block to count: at least once per trial; `sometimes`: once per block; `never`: not once, which is then the claim",
        ),
    ],
    words: &[],
};

const FOR: PathKey = key("for", Kind::Time, Omitted::Means("see below"), "how long it lasts");

/// `[path.NAME.fault.NAME]`
pub(super) const FAULT: Section = Section {
    name: "fault",
    named: true,
    by: "see below",
    about: "What changes at a moment.",
    keys: &[
        key("do", Kind::Do, Omitted::Required("do = \"link-down\""), "see below"),
        key("after", Kind::Time, Omitted::Same("0"), "counted from the first trial of a block"),
        key("every", Kind::Time, Omitted::Means("once"), "from one beginning to the next; longer than `for`"),
    ],
    words: &[
        WordRow {
            word: "link-down",
            keys: &[FOR],
            by: "QMP, or the link itself",
            about: "the target's NIC loses its carrier; without `for`, for the shortest possible time",
        },
        WordRow {
            word: "pause",
            keys: &[FOR],
            by: "QMP",
            about: "the guest's CPUs are stopped; guests only; without `for`, for the shortest possible time",
        },
        WordRow {
            word: "contention",
            keys: &[
                FOR,
                key(
                    "threads_per_cpu",
                    Kind::Count(1, 64, "threads"),
                    Omitted::Same("1"),
                    "busy threads on every CPU",
                ),
            ],
            by: "threads",
            about: "busy threads on every CPU; without `for`, to the end of the block",
        },
        WordRow {
            word: "backend-down",
            keys: &[FOR],
            by: "own, HAProxy",
            about: "the balancer's backend goes down; HAProxy must have time to notice: `fall` times `check_interval`; without `for`, to the end of the block",
        },
        WordRow {
            word: "host-gone",
            keys: &[FOR],
            by: "own",
            about: "the peer's host is gone, and something answers at its address; without `for`, to the end of the block",
        },
        WordRow {
            word: "vsock-reset",
            keys: &[],
            by: "driver",
            about: "a moment: the guest's vsock device is taken from its driver and given back, so that the transport resets its streams; needs `vsock = true`",
        },
        WordRow {
            word: "forget-connections",
            keys: &[],
            by: "own",
            about: "a moment: the firewall loses its state",
        },
        WordRow {
            word: "arm",
            keys: &[key(
                "action",
                Kind::Name,
                Omitted::Required("action = \"NAME\": an action of this path with armed = false"),
                "which action",
            )],
            by: "own",
            about: "a moment: an action acts from now on",
        },
    ],
};

/// The tables in `[path.NAME]`, in order.
pub const SECTIONS: &[&Section] =
    &[&ACTION, &FIREWALL, &IPS, &BALANCER, &HAPROXY, &NAT, &RULE, &SYSCTL, &FAULT];

/// Every key of `[path.NAME]`.
pub(super) fn all() -> Vec<&'static str> {
    names(LINK).into_iter().chain(SECTIONS.iter().map(|section| section.name)).collect()
}

/// What a key of `[path.NAME]` makes of the path; rules and faults by what they say themselves.
pub(super) fn part_of(name: &str) -> Option<Part<'static>> {
    match name {
        "mechanism" | "delay" | "jitter" | "loss" | "duplicate" | "reorder" | "link_mtu_bytes" | "rate" => {
            Some(Part::Impairment)
        }
        "action" => Some(Part::Action),
        "firewall" => Some(Part::Firewall),
        "ips" => Some(Part::Ips),
        "balancer" => Some(Part::Balancer),
        "haproxy" => Some(Part::HaProxy),
        "nat" => Some(Part::Nat),
        _ => None,
    }
}

/// What a fault with this `do` is; an action that it arms is not named.
pub(super) fn fault_of(word: &str) -> Option<FaultKind> {
    match word {
        "link-down" => Some(FaultKind::LinkDown),
        "pause" => Some(FaultKind::Pause),
        "contention" => Some(FaultKind::Contention { threads_per_cpu: 1 }),
        "backend-down" => Some(FaultKind::BackendDown),
        "host-gone" => Some(FaultKind::HostGone),
        "vsock-reset" => Some(FaultKind::VsockReset),
        "forget-connections" => Some(FaultKind::ForgetConnections),
        "arm" => Some(FaultKind::Arm { action: String::new() }),
        _ => None,
    }
}
