//! What reports from the field need: conditions on a length, a link narrower than its ends, data that nobody wrote.

use super::*;

fn lengths(longer_than: Option<u32>, shorter_than: Option<u32>) -> MiddleboxSpec {
    rule(Condition { longer_than, shorter_than, ..any() }, Deed::Drop)
}

#[test]
fn a_length_is_that_of_the_ip_packet() {
    // 20 bytes of TCP and 4 of data behind 20 bytes of IPv4, or 40 of IPv6.
    for (wire, bytes) in [(Wire::v4(), 44), (Wire::v6(), 64)] {
        for (longer_than, shorter_than, dropped) in [
            (Some(bytes - 1), None, 1),
            (Some(bytes), None, 0),
            (None, Some(bytes + 1), 1),
            (None, Some(bytes), 0),
            (Some(bytes - 1), Some(bytes + 1), 1),
        ] {
            let mut spec = lengths(longer_than, shorter_than);
            spec.actions[0].when.contains = Pattern(b"ABCD".to_vec());
            let mut play = Play::established(spec, wire);
            let left = play.target(wire.to_peer(ACK, 101, 501, b"ABCD"));
            assert_eq!(left.len(), 1 - dropped, "{longer_than:?} {shorter_than:?}");
            assert_eq!(play.count("action.x.dropped"), dropped as u64);
        }
    }
}

#[test]
fn lengths_between_which_nothing_lies_are_refused() {
    for (longer_than, shorter_than, sound) in
        [(100, 101, false), (100, 50, false), (100, 102, true), (u32::MAX, u32::MAX, false)]
    {
        let spec = lengths(Some(longer_than), Some(shorter_than));
        assert_eq!(spec.check().is_ok(), sound, "{longer_than} {shorter_than}");
    }
}

#[test]
fn a_narrow_link_loses_what_is_too_long_and_tells_nobody() {
    let wire = Wire::v4();
    let mut spec = MiddleboxSpec::transparent(1);
    spec.to_target.mtu_bytes = 140;
    let mut play = Play::new(spec, wire);
    play.open();
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, &[7; 100])).len(), 1);
    assert_eq!(play.peer(wire.to_target(ACK, 601, 101, &[7; 101])), []);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, &[7; 101])).len(), 1, "the other way is wide");
    assert_eq!((play.count("link.to_target.too_long"), play.count("link.to_peer.too_long")), (1, 0));
}

fn stray(sequence: Sequence, times: u32) -> MiddleboxSpec {
    let payload = Pattern(b"nobody's".to_vec());
    let towards = Towards::ToTarget;
    let deed = Deed::InjectData { towards, sequence, payload, delay_ns: 2 * MS, times, gap_ns: 5 * MS };
    rule(Condition { contains: Pattern(b"CDEF".to_vec()), ..any() }, deed)
}

#[test]
fn data_that_nobody_wrote_comes_in_the_other_ends_name() {
    for wire in [Wire::v4(), Wire::v6()] {
        let mut play = Play::established(stray(Sequence::Exact, 2), wire);
        let left = play.peer(wire.to_target(ACK | PSH, 501, 101, b"CDEF"));
        assert_eq!(brief(&left), [(Port::Target, ACK | PSH, 501)]);
        let forged = |at, seq| (at, Port::Target, ACK | PSH, seq, b"nobody's".to_vec());
        assert_eq!(play.wait(2 * MS), [forged(2 * MS, 505)]);
        assert_eq!(play.wait(5 * MS), [forged(7 * MS, 513)], "behind the first, which was received");
        assert_eq!(play.count("action.x.injected.to_target"), 2);
        assert_eq!(play.count("action.x.connections.to_target"), 1);
    }
}

#[test]
fn data_beyond_the_window_lies_beyond_it() {
    let wire = Wire::v4();
    let outside = |beyond| stray(Sequence::Outside { beyond }, 1);
    let mut play = Play::established(outside(1000), wire);
    play.peer(wire.to_target(ACK, 501, 101, b"CDEF"));
    let near = play.wait(2 * MS)[0].3;
    let mut play = Play::established(outside(3000), wire);
    play.peer(wire.to_target(ACK, 501, 101, b"CDEF"));
    let far = play.wait(2 * MS)[0].3;
    assert!(near > 1501 && far == near + 2000, "{near} {far}");
}

#[test]
fn data_needs_bytes_that_fit_a_segment() {
    let mut spec = stray(Sequence::Exact, 1);
    for (bytes, sound) in [(0, false), (1, true), (1400, true), (1401, false)] {
        let Deed::InjectData { payload, .. } = &mut spec.actions[0].deed else { panic!("an injection") };
        *payload = Pattern(vec![0; bytes]);
        assert_eq!(spec.check().is_ok(), sound, "{bytes}");
    }
}
