//! Which specs can be meant, and that they survive being written down.

use super::*;

fn key(spec: &MiddleboxSpec) -> &'static str {
    match spec.check() {
        Err(MiddleboxError::Spec { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_meant_is_named() {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.check().expect("transparent is sound");
    spec.to_peer.loss_ppm = MILLION + 1;
    assert_eq!(key(&spec), "loss_ppm");
    spec.to_peer = Impairment { rate_bits_per_s: 1, ..Impairment::none() };
    assert_eq!(key(&spec), "queue_bytes");
    spec.to_peer = Impairment { queue_bytes: 1, ..Impairment::none() };
    assert_eq!(key(&spec), "rate_bits_per_s");
    spec.to_peer = Impairment { reorder_ppm: 1, ..Impairment::none() };
    assert_eq!(key(&spec), "reorder_gap");
    spec.to_peer = Impairment { reorder_ppm: 1, reorder_gap: 1, ..Impairment::none() };
    assert_eq!(key(&spec), "reorder_timeout_ns");
    spec.to_peer = Impairment::none();
    let drop = Action {
        name: "a".into(),
        armed: true,
        when: Condition { ordinal: Some(0), ..Condition::default() },
        first: 0,
        deed: Deed::Drop,
    };
    spec.actions = vec![drop.clone()];
    assert_eq!(key(&spec), "ordinal");
    let drop = Action { when: Condition::default(), ..drop };
    spec.actions = vec![drop.clone(), drop];
    assert_eq!(key(&spec), "name");
}

#[test]
fn a_spec_survives_json() {
    let mut spec = MiddleboxSpec::transparent(7);
    spec.actions.push(Action {
        name: "overtake".into(),
        armed: true,
        when: Condition {
            direction: Some(Direction::ToTarget),
            contains: Pattern(b"CDEF".to_vec()),
            ..Condition::default()
        },
        first: 1,
        deed: Deed::Hold {
            until: Condition { rst: Some(true), ..Condition::default() },
            timeout_ns: 1_000_000_000,
        },
    });
    let json = serde_json::to_string(&spec).expect("serialises");
    assert_eq!(serde_json::from_str::<MiddleboxSpec>(&json).expect("parses"), spec);
    assert!(json.contains(r#""do":{"kind":"hold""#), "{json}");
}
