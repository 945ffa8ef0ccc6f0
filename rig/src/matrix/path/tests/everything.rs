//! A path with every key, as text and as it is meant.

use super::*;

pub(super) const EVERYTHING: &str = r#"
[path.p]
mtu_bytes = 1400
mechanism = "middlebox"
delay = { both = "50ms" }
jitter = { to_target = "5ms", order = "keep" }
loss = { to_target = "1%", to_peer = 0.5 }
duplicate = { to_peer = "0.1%" }
reorder = { to_target = "2%", gap = 3, window = 4, timeout = "20ms" }
link_mtu_bytes = { to_target = 1200 }
rate = { to_target = "10mbit", queue_bytes = 65536, burst_bytes = 3000 }

[path.p.action.overtake]
do = "hold"
when = { direction = "to_target", port = 8083, syn = false, fin = false, rst = false, ack = true, payload = true, longer_than = 60, shorter_than = 1501, contains = 'CD\x45F', ordinal = 2 }
first = 0
armed = false
until = { direction = "to_target", rst = true }
timeout = "1s"

[path.p.action.lose]
do = "drop"
when = { direction = "both" }

[path.p.action.forge]
do = "inject-rst"
when = { direction = "to_peer", contains = "ABCD" }
first = 2
towards = "both"
sequence = "+1000"
delay = "3ms"
times = 4
pause = "700ms"

[path.p.action.stray]
do = "inject-data"
when = { direction = "to_target", fin = true }
towards = "to_target"
sequence = "outside+1000"
payload = 'un\x77anted'
delay = "4ms"
times = 2
pause = "1s"

[path.p.firewall]
idle_timeout = "500ms"
expiry = "on-next-segment"
reset = "to_target"
stranger = "drop"

[path.p.ips]
pattern = "EVIL\r\n"
direction = "to_peer"
reset = "to_peer"
sequence = "sack-edge"
offender = "drop"

[path.p.balancer]
reset = "to_target"
health = { interval = "250ms", fall = 3, rise = 0, source_port = 998 }

[path.p.rule.reject]
at = "target"
hook = "input"
source_port = 8083
destination_port = 40000
flags = ["psh", "fin"]
invalid = true
verdict = "reject-tcp-reset"
matches = "sometimes"

[path.p.fault.flap]
do = "link-down"
after = "1s"
for = "200ms"
every = "2s"

[path.p.fault.arm]
do = "arm"
action = "overtake"
after = "10ms"

[path.p.fault.busy]
do = "contention"
threads_per_cpu = 3
"#;

pub(super) fn everything() -> PathSpec {
    let to_target = Impairment {
        delay_ns: 50 * MS,
        jitter_ns: 5 * MS,
        jitter_order: JitterOrder::Keep,
        rate_bits_per_s: 10_000_000,
        burst_bytes: 3_000,
        queue_bytes: 65_536,
        loss_ppm: 10_000,
        duplicate_ppm: 0,
        reorder_ppm: 20_000,
        reorder_gap: 3,
        reorder_timeout_ns: 20 * MS,
        mtu_bytes: 1_200,
    };
    let to_peer =
        Impairment { delay_ns: 50 * MS, loss_ppm: 500_000, duplicate_ppm: 1_000, ..Impairment::none() };
    PathSpec {
        impairments: Some(Impairments { mechanism: Mechanism::Middlebox, to_peer, to_target }),
        actions: actions_of_everything(),
        firewall: Some(Firewall {
            idle_timeout_ns: 500 * MS,
            expiry: Expiry::OnNextSegment,
            reset: Told::ToTarget,
            stranger: Stranger::Drop,
        }),
        ips: Some(Ips {
            pattern: Pattern(b"EVIL\r\n".to_vec()),
            direction: Towards::ToPeer,
            reset: Towards::ToPeer,
            sequence: Sequence::SackEdge,
            offender: Offender::Drop,
        }),
        balancer: Some(Balancer {
            backend: [192, 0, 2, 1].into(),
            backend_port: 8083,
            down_at_ns: 0,
            health: Some(HealthCheck { interval_ns: 250 * MS, fall: 3, rise: 0, source_port: 998 }),
            reset: Towards::ToTarget,
        }),
        haproxy: None,
        rules: vec![Rule {
            name: "reject".into(),
            at: Place::Target,
            hook: Hook::Input,
            select: RuleSelect {
                source_port: Some(8083),
                destination_port: Some(40_000),
                flags: vec![TcpFlag::Fin, TcpFlag::Psh],
                invalid: true,
            },
            verdict: RuleVerdict::RejectTcpReset,
            matches: Matches::Sometimes,
        }],
        faults: vec![
            Fault {
                name: "flap".into(),
                kind: FaultKind::LinkDown,
                after_ns: 1_000 * MS,
                for_ns: 200 * MS,
                every_ns: 2_000 * MS,
            },
            Fault {
                name: "arm".into(),
                kind: FaultKind::Arm { action: "overtake".into() },
                after_ns: 10 * MS,
                for_ns: 0,
                every_ns: 0,
            },
            Fault {
                name: "busy".into(),
                kind: FaultKind::Contention { threads_per_cpu: 3 },
                after_ns: 0,
                for_ns: 0,
                every_ns: 0,
            },
        ],
        ..PathSpec::plain("p", 1400)
    }
}

fn actions_of_everything() -> Vec<Action> {
    vec![
        Action {
            name: "overtake".into(),
            armed: false,
            when: Condition {
                direction: Some(Direction::ToTarget),
                port: Some(8083),
                syn: Some(false),
                fin: Some(false),
                rst: Some(false),
                ack: Some(true),
                payload: Some(true),
                longer_than: Some(60),
                shorter_than: Some(1_501),
                contains: Pattern(b"CDEF".to_vec()),
                ordinal: Some(2),
            },
            first: 0,
            deed: Deed::Hold {
                until: Condition {
                    direction: Some(Direction::ToTarget),
                    rst: Some(true),
                    ..Condition::default()
                },
                timeout_ns: 1_000 * MS,
            },
        },
        Action { name: "lose".into(), armed: true, when: Condition::default(), first: 1, deed: Deed::Drop },
        Action {
            name: "forge".into(),
            armed: true,
            when: Condition {
                direction: Some(Direction::ToPeer),
                contains: Pattern(b"ABCD".to_vec()),
                ..Condition::default()
            },
            first: 2,
            deed: Deed::InjectRst {
                towards: Towards::Both,
                sequence: Sequence::InWindow { offset: 1000 },
                delay_ns: 3 * MS,
                times: 4,
                gap_ns: 700 * MS,
            },
        },
        Action {
            name: "stray".into(),
            armed: true,
            when: Condition { direction: Some(Direction::ToTarget), fin: Some(true), ..Condition::default() },
            first: 1,
            deed: Deed::InjectData {
                towards: Towards::ToTarget,
                sequence: Sequence::Outside { beyond: 1000 },
                payload: Pattern(b"unwanted".to_vec()),
                delay_ns: 4 * MS,
                times: 2,
                gap_ns: 1_000 * MS,
            },
        },
    ]
}
