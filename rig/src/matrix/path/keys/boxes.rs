//! The keys of the boxes on a path: firewall, IPS, both load balancers.
//!
//! Holds rows. Must not read anything. Units: those of the file. Errors: none. Tests: `tests/reference.rs`.

use super::super::words::{
    EXPIRIES, NAT_PLACES, OFFENDERS, ON_MARKED_DOWN, SEQUENCES, STRANGERS, TOLD, words,
};
use super::row::{BOTH, Kind, NOTHING, Omitted, PathKey, Section, key, with};

/// `[path.NAME.firewall]`
pub(in crate::matrix::path) const FIREWALL: Section = Section {
    name: "firewall",
    named: false,
    by: "own",
    about: "Stateful: only a SYN creates state, and silence ends it.",
    keys: &[
        key(
            "idle_timeout",
            Kind::Time,
            Omitted::Required("idle_timeout = \"500ms\""),
            "how long a connection may be silent",
        ),
        key(
            "expiry",
            Kind::Word(const { &words(&EXPIRIES) }),
            Omitted::Same("\"at-once\""),
            "when it acts on that; `on-next-segment` drops that segment",
        ),
        key(
            "reset",
            Kind::Word(const { &words(&TOLD) }),
            BOTH,
            "which ends it then resets, with exact sequence numbers; `none`: it tells nobody, as the load balancers of clouds",
        ),
        key(
            "stranger",
            Kind::Word(const { &words(&STRANGERS) }),
            Omitted::Same("\"reset\""),
            "what it does with segments of a connection that it does not know",
        ),
    ],
    words: &[],
};

/// `[path.NAME.ips]`
pub(in crate::matrix::path) const IPS: Section = Section {
    name: "ips",
    named: false,
    by: "own",
    about: "A pattern in the byte stream, also across segments, resets the connection.",
    keys: &[
        key("pattern", Kind::Bytes, Omitted::Required("pattern = \"ABCD\""), "the bytes"),
        key("direction", Kind::Towards, BOTH, "in which stream"),
        key("reset", Kind::Towards, BOTH, "which ends are reset"),
        key("sequence", Kind::Word(SEQUENCES), Omitted::Same("\"exact\""), "as in an action"),
        key(
            "offender",
            Kind::Word(const { &words(&OFFENDERS) }),
            Omitted::Same("\"pass\""),
            "what becomes of the segment that completes the pattern",
        ),
    ],
    words: &[],
};

/// Of the checks of both balancers.
const FALL: PathKey = key(
    "fall",
    Kind::Count(1, 1_000, "failures"),
    Omitted::Same("2"),
    "failed checks in a row that take the backend down",
);

/// `health = { ... }` of a balancer.
pub(in crate::matrix::path) const HEALTH: &[PathKey] = &[
    key(
        "interval",
        Kind::Time,
        Omitted::Same("\"100ms\""),
        "time from one check to the next; a check is a SYN with the client's address",
    ),
    FALL,
    key(
        "rise",
        Kind::Count(0, 1_000, "answers"),
        Omitted::Same("1"),
        "answered checks in a row that bring it up again; 0 is never",
    ),
    key(
        "source_port",
        Kind::Port,
        Omitted::Same("999"),
        "source port of the checks; no connection may use it",
    ),
];

/// `[path.NAME.balancer]`
pub(in crate::matrix::path) const BALANCER: Section = Section {
    name: "balancer",
    named: false,
    by: "own",
    about: "Layer 4, in front of the peer's port 8083: resets the sessions of a backend that is down, and refuses new ones.",
    keys: &[
        key("reset", Kind::Towards, BOTH, "which ends"),
        with(
            key("health", Kind::Table, NOTHING, "without it, a fault with `do = \"backend-down\"` is needed"),
            HEALTH,
        ),
    ],
    words: &[],
};

/// `[path.NAME.nat]`
pub(in crate::matrix::path) const NAT: Section = Section {
    name: "nat",
    named: false,
    by: "nft",
    about: "Address translation with connection tracking: the switch routes, the target connects to a service address, and the peer sees the switch as its client. What connection tracking calls INVALID is not translated back: the switch answers it with a reset of its own (`nat.host_resets`). The own middlebox then lies between the switch and the peer, and a rule at the switch sees what comes in from either side.",
    keys: &[key(
        "at",
        Kind::Word(NAT_PLACES),
        Omitted::Required("at = \"switch\""),
        "whose kernel translates: only the `switch` lies between the two ends",
    )],
    words: &[],
};

/// `[path.NAME.sysctl]`
pub(in crate::matrix::path) const SYSCTL: Section = Section {
    name: "sysctl",
    named: false,
    by: "the kernels",
    about: "Settings of the two ends' kernels, `net.ipv4.*` and `net.core.*`: `target = { net.ipv4.tcp_syn_retries = 1 }`. They are set before the agents start, read back, and recorded with what they were. On a host they are those of a network namespace that ends with the block; a setting that is one of the whole host is not there, and makes the block void.",
    keys: &[
        key("target", Kind::Table, NOTHING, "over those of the configuration's `sysctl`"),
        key("peer", Kind::Table, NOTHING, "of the peer's kernel"),
    ],
    words: &[],
};

/// `[path.NAME.haproxy]`
pub(in crate::matrix::path) const HAPROXY: Section = Section {
    name: "haproxy",
    named: false,
    by: "HAProxy",
    about: "A real load balancer, which ends TCP on both sides.",
    keys: &[
        key(
            "check_interval",
            Kind::Time,
            Omitted::Same("\"100ms\""),
            "time from one health check to the next, in whole milliseconds",
        ),
        FALL,
        key(
            "rise",
            Kind::Count(1, 1_000, "answers"),
            Omitted::Same("1"),
            "answered checks in a row that bring it up again",
        ),
        key(
            "on_marked_down",
            Kind::Word(const { &words(&ON_MARKED_DOWN) }),
            Omitted::Same("\"shutdown-sessions\""),
            "what becomes of the sessions of a backend that is down",
        ),
    ],
    words: &[],
};
