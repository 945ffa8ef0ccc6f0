//! One direction of the link: loss, duplication, reordering, rate and delay, exact and seeded.
//!
//! Pure: time comes in, times of departure go out. Must not know TCP. A frame's dice depend on the seed, the direction and the frame's
//! number only, and each kind of dice is independent of the others: more loss does not change which frames are duplicated.
//! Units: nanoseconds since the start of the box, bytes. Errors: none. Tests: beside the module.

use std::collections::VecDeque;

use super::counters::{Counts, Tally};
use super::frame::{self, FourTuple, Segment};
use super::names::{LinkCount, MiddleboxCounter};
use super::spec::{Direction, Impairment, JitterOrder, MILLION, Port};

/// Who made a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// One of the ends.
    Sent,
    /// The box: no dice are thrown, so that an exact number stays exact.
    Forged,
}

/// A frame on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passing {
    pub(super) frame: Vec<u8>,
    pub(super) origin: Origin,
    /// What it is to its connection, when it is watched.
    pub(super) segment: Option<(FourTuple, Segment)>,
}

/// A frame with the time at which it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// When, in nanoseconds since the start; never before the call that gave it.
    pub at_ns: u64,
    /// By which port.
    pub port: Port,
    /// What.
    pub frame: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Dice {
    Loss,
    Duplicate,
    Reorder,
    Jitter,
}

/// A frame that waits to be overtaken.
#[derive(Debug)]
struct Shelved {
    passing: Passing,
    remaining: u32,
    deadline_ns: u64,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Line {
    impairment: Impairment,
    key: u64,
    /// Frames that dice were thrown for.
    thrown: u64,
    shelf: VecDeque<Shelved>,
    /// When the rate has sent everything accepted so far (theoretical arrival time of the bucket).
    busy_until_ns: u64,
    /// Latest departure so far.
    last_ns: u64,
    counts: Counts<LinkCount>,
}

impl Line {
    pub(super) fn new(seed: u64, direction: Direction, impairment: Impairment, tally: &mut Tally) -> Self {
        let counts = Counts::new(tally, |what| MiddleboxCounter::Link(direction, what));
        let key = mix(seed ^ mix(direction.index() as u64 + 1));
        Self { impairment, key, thrown: 0, shelf: VecDeque::new(), busy_until_ns: 0, last_ns: 0, counts }
    }

    /// Another impairment from now on. Frames on the shelf stay there until they are overtaken as before.
    pub(super) fn impair(&mut self, impairment: Impairment) {
        self.impairment = impairment;
    }

    /// When the shelf must be looked at, if nothing comes.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.shelf.iter().map(|shelved| shelved.deadline_ns).min()
    }

    /// Frames that wait to be overtaken.
    pub(super) fn waiting(&self) -> usize {
        self.shelf.len()
    }

    /// Takes a frame in; gives what leaves because of it, with times.
    pub(super) fn send(
        &mut self,
        now: u64,
        passing: Passing,
        tally: &mut Tally,
        out: &mut Vec<(u64, Passing)>,
    ) {
        if self.is_too_long(&passing.frame) {
            return tally.count(self.counts.of(LinkCount::TooLong));
        }
        let mut copy = None;
        if passing.origin == Origin::Sent {
            self.thrown += 1;
            tally.count(self.counts.of(LinkCount::Thrown));
            if self.hits(Dice::Loss, self.impairment.loss_ppm) {
                return tally.count(self.counts.of(LinkCount::Lost));
            }
            if self.hits(Dice::Reorder, self.impairment.reorder_ppm) {
                tally.count(self.counts.of(LinkCount::Reordered));
                let deadline_ns = now.saturating_add(self.impairment.reorder_timeout_ns);
                let remaining = self.impairment.reorder_gap;
                return self.shelf.push_back(Shelved { passing, remaining, deadline_ns });
            }
            if self.hits(Dice::Duplicate, self.impairment.duplicate_ppm) {
                tally.count(self.counts.of(LinkCount::Duplicated));
                copy = Some(passing.clone());
            }
        }
        self.depart(now, passing, tally, out);
        if let Some(copy) = copy {
            self.depart(now, copy, tally, out);
        }
        for shelved in &mut self.shelf {
            shelved.remaining -= 1;
        }
        self.unshelve(now, tally, out, |shelved| shelved.remaining == 0);
    }

    /// Whether its IP packet is longer than this link can carry. Super-segments were cut before: this is what would stand on a wire.
    fn is_too_long(&self, frame: &[u8]) -> bool {
        let limit = self.impairment.mtu_bytes;
        limit > 0 && frame::locate(frame).is_some_and(|datagram| datagram.bytes() > limit)
    }

    /// Lets go what waited too long to be overtaken.
    pub(super) fn advance(&mut self, now: u64, tally: &mut Tally, out: &mut Vec<(u64, Passing)>) {
        let released = self.unshelve(now, tally, out, |shelved| shelved.deadline_ns <= now);
        tally.add(self.counts.of(LinkCount::ReorderTimeouts), released);
    }

    fn unshelve(
        &mut self,
        now: u64,
        tally: &mut Tally,
        out: &mut Vec<(u64, Passing)>,
        due: impl Fn(&Shelved) -> bool,
    ) -> u64 {
        if self.shelf.is_empty() {
            return 0;
        }
        let (ready, waiting): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.shelf).into_iter().partition(due);
        self.shelf = waiting;
        let released = ready.len() as u64;
        for shelved in ready {
            self.depart(now, shelved.passing, tally, out);
        }
        released
    }

    /// Rate, then delay.
    fn depart(&mut self, now: u64, passing: Passing, tally: &mut Tally, out: &mut Vec<(u64, Passing)>) {
        let Some(sent) = self.pass_rate(now, passing.frame.len(), passing.origin) else {
            return tally.count(self.counts.of(LinkCount::QueueDropped));
        };
        let jitter = match passing.origin {
            Origin::Sent => self.draw_up_to(Dice::Jitter, self.impairment.jitter_ns),
            Origin::Forged => 0,
        };
        let own = sent.saturating_add(self.impairment.delay_ns).saturating_add(jitter);
        let at = match (passing.origin, self.impairment.jitter_order) {
            (Origin::Sent, JitterOrder::MayReorder) if self.impairment.jitter_ns > 0 => own,
            (Origin::Sent | Origin::Forged, JitterOrder::Keep | JitterOrder::MayReorder) => {
                own.max(self.last_ns)
            }
        };
        self.last_ns = self.last_ns.max(at);
        if at > now {
            tally.count(self.counts.of(LinkCount::Delayed));
        }
        out.push((at, passing));
    }

    /// When the token bucket lets these bytes go (generic cell rate algorithm, ITU-T I.371); nothing when the queue is full.
    fn pass_rate(&mut self, now: u64, bytes: usize, origin: Origin) -> Option<u64> {
        let rate = self.impairment.rate_bits_per_s;
        if rate == 0 {
            return Some(now);
        }
        let time = |bytes: u64| {
            let ns = (u128::from(bytes) * 8_000_000_000).div_ceil(u128::from(rate));
            u64::try_from(ns).unwrap_or(u64::MAX)
        };
        let credit = time(self.impairment.burst_bytes);
        let start = self.busy_until_ns.max(now);
        let busy_until = start.saturating_add(time(bytes as u64));
        let leaves = busy_until.saturating_sub(credit).max(now);
        // What waits in front of this frame, in time, may not exceed the queue's worth of time.
        // A forged one has its place: it was counted as sent.
        let full = leaves - now > time(self.impairment.queue_bytes.saturating_add(bytes as u64));
        if full && origin == Origin::Sent {
            return None;
        }
        self.busy_until_ns = busy_until;
        Some(leaves)
    }

    fn draw(&self, dice: Dice) -> u64 {
        mix(self.key ^ mix(self.thrown.wrapping_mul(4).wrapping_add(dice as u64)))
    }

    fn hits(&self, dice: Dice, ppm: u32) -> bool {
        ppm > 0 && scale(self.draw(dice), u64::from(MILLION)) < u64::from(ppm)
    }

    fn draw_up_to(&self, dice: Dice, most: u64) -> u64 {
        if most == 0 { 0 } else { scale(self.draw(dice), most.saturating_add(1)) }
    }
}

/// Maps 64 random bits to 0..n (Lemire's multiplication; its bias is under n / 2^64).
fn scale(bits: u64, n: u64) -> u64 {
    u64::try_from((u128::from(bits) * u128::from(n)) >> 64).expect("less than n")
}

/// The output function of splitmix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(impairment: Impairment) -> (Line, Tally) {
        let mut tally = Tally::default();
        (Line::new(5, Direction::ToPeer, impairment, &mut tally), tally)
    }

    fn passing(number: u32, origin: Origin) -> Passing {
        let mut frame = vec![0; 100];
        frame[..4].copy_from_slice(&number.to_be_bytes());
        Passing { frame, origin, segment: None }
    }

    fn number(passing: &Passing) -> u32 {
        u32::from_be_bytes(passing.frame[..4].try_into().expect("four bytes"))
    }

    /// Sends `count` frames one microsecond apart, lets the shelf run out, and gives (number, time) in order of departure.
    fn run(impairment: Impairment, count: u32) -> (Vec<(u32, u64)>, Tally) {
        let (mut line, mut tally) = line(impairment);
        let mut out = vec![];
        for i in 0..count {
            line.send(u64::from(i) * 1000, passing(i, Origin::Sent), &mut tally, &mut out);
        }
        while let Some(at) = line.next_deadline() {
            line.advance(at, &mut tally, &mut out);
        }
        out.sort_by_key(|(at, _)| *at);
        (out.iter().map(|(at, passing)| (number(passing), *at)).collect(), tally)
    }

    fn count(tally: &Tally, what: &str) -> u64 {
        tally.snapshot()[&format!("link.to_peer.{what}")]
    }

    #[test]
    fn constant_delay_keeps_order_and_is_exact() {
        let (out, _) = run(Impairment { delay_ns: 50_000_000, ..Impairment::none() }, 10);
        let expected: Vec<_> = (0..10).map(|i| (i, u64::from(i) * 1000 + 50_000_000)).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_rate_spaces_frames_and_its_queue_overflows() {
        // 100 bytes at 8 Mbit/s take 100 us; a burst of one frame; a queue of three.
        let impairment = Impairment {
            rate_bits_per_s: 8_000_000,
            burst_bytes: 100,
            queue_bytes: 300,
            ..Impairment::none()
        };
        let (mut line, mut tally) = line(impairment);
        let mut out = vec![];
        for i in 0..10 {
            line.send(0, passing(i, Origin::Sent), &mut tally, &mut out);
        }
        let times: Vec<_> = out.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [0, 100_000, 200_000, 300_000, 400_000]);
        assert_eq!(count(&tally, "queue_dropped"), 5);
        line.send(0, passing(98, Origin::Forged), &mut tally, &mut out);
        assert_eq!(
            out.last().map(|(at, _)| *at),
            Some(500_000),
            "a forged one waits its turn, and is not dropped"
        );
        line.send(1_000_000, passing(99, Origin::Sent), &mut tally, &mut out);
        assert_eq!(out.last().map(|(at, _)| *at), Some(1_000_000), "after a pause the bucket is full again");
    }

    #[test]
    fn a_chosen_frame_is_overtaken_by_exactly_gap_frames() {
        let impairment = Impairment {
            reorder_ppm: 100_000,
            reorder_gap: 3,
            reorder_timeout_ns: 1_000_000_000,
            ..Impairment::none()
        };
        let (out, tally) = run(impairment, 1000);
        assert_eq!(out.len(), 1000);
        let (mut moved, mut last) = (0, 0);
        for (position, (number, _)) in out.iter().enumerate() {
            let overtakers = out[..position].iter().filter(|(other, _)| other > number).count();
            if overtakers > 0 && out[position].1 < 1_000_000_000 {
                moved += 1;
                assert!(overtakers >= 3, "{number} overtaken by {overtakers}");
            }
            last = last.max(*number);
        }
        assert!(moved > 50 && u64::from(moved as u32) <= count(&tally, "reordered"), "{moved}");
    }

    #[test]
    fn the_last_frame_is_not_kept_for_ever() {
        let impairment =
            Impairment { reorder_ppm: MILLION, reorder_gap: 1, reorder_timeout_ns: 7, ..Impairment::none() };
        let (out, tally) = run(impairment, 1);
        assert_eq!(out, [(0, 7)]);
        assert_eq!(count(&tally, "reorder_timeouts"), 1);
    }

    #[test]
    fn shares_are_what_was_said_and_independent() {
        let lossy = Impairment { loss_ppm: 250_000, ..Impairment::none() };
        let (out, tally) = run(lossy.clone(), 10_000);
        let lost = count(&tally, "lost");
        assert_eq!(out.len() as u64 + lost, 10_000);
        // Six standard deviations around the mean.
        assert!((2240..=2760).contains(&lost), "{lost}");
        let (both, _) = run(Impairment { duplicate_ppm: 250_000, ..lossy }, 10_000);
        let survivors = |of: &[(u32, u64)]| {
            let mut numbers: Vec<_> = of.iter().map(|(number, _)| *number).collect();
            numbers.dedup();
            numbers
        };
        assert_eq!(survivors(&out), survivors(&both), "duplication does not change who is lost");
        assert!(both.len() > out.len());
    }

    #[test]
    fn loss_of_all_and_of_none() {
        assert_eq!(run(Impairment { loss_ppm: MILLION, ..Impairment::none() }, 100).0, []);
        assert_eq!(run(Impairment::none(), 100).0.len(), 100);
    }

    #[test]
    fn jitter_reorders_only_where_it_may() {
        let keep = Impairment { delay_ns: 10, jitter_ns: 100_000, ..Impairment::none() };
        let numbers = |out: Vec<(u32, u64)>| out.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert!(numbers(run(keep.clone(), 500).0).is_sorted());
        let may = Impairment { jitter_order: JitterOrder::MayReorder, ..keep };
        let out = run(may, 500).0;
        assert!(out.iter().all(|(number, at)| {
            let own = at - u64::from(*number) * 1000;
            (10..=100_010).contains(&own)
        }));
        assert!(!numbers(out).is_sorted());
    }

    #[test]
    fn a_forged_frame_meets_no_dice_and_overtakes_nothing() {
        let impairment = Impairment {
            loss_ppm: MILLION,
            delay_ns: 5,
            jitter_ns: 1_000_000,
            jitter_order: JitterOrder::MayReorder,
            ..Impairment::none()
        };
        let (mut line, mut tally) = line(Impairment { loss_ppm: 0, ..impairment.clone() });
        let mut out = vec![];
        line.send(0, passing(0, Origin::Sent), &mut tally, &mut out);
        line.impair(impairment);
        line.send(1, passing(1, Origin::Forged), &mut tally, &mut out);
        assert_eq!(out.len(), 2);
        assert!(out[1].0 >= out[0].0.max(6));
    }

    proptest! {
        /// Nothing is lost, doubled or out of order where nothing is said; and never leaves before it came.
        #[test]
        fn a_line_without_impairments_conserves(gaps in prop::collection::vec(0_u64..5000, 1..200)) {
            let (mut line, mut tally) = line(Impairment::none());
            let (mut now, mut out, mut sent) = (0, vec![], vec![]);
            for (i, gap) in (0..).zip(&gaps) {
                now += gap;
                line.send(now, passing(i, Origin::Sent), &mut tally, &mut out);
                sent.push((i, now));
            }
            prop_assert_eq!(out.iter().map(|(at, p)| (number(p), *at)).collect::<Vec<_>>(), sent);
        }

        /// Whatever is said: what leaves and what is counted as gone add up, and no frame travels back in time.
        #[test]
        fn the_books_balance(
            loss_ppm in 0..=MILLION, duplicate_ppm in 0..=MILLION, reorder_ppm in 0..=MILLION,
            gap in 1_u32..5, delay_ns in 0_u64..10_000, jitter_ns in 0_u64..10_000,
            rate in prop_oneof![Just(0_u64), 1_000_000_u64..1_000_000_000], frames in 1_u32..300,
        ) {
            let impairment = Impairment {
                delay_ns, jitter_ns, jitter_order: JitterOrder::MayReorder, rate_bits_per_s: rate,
                burst_bytes: if rate > 0 { 200 } else { 0 }, queue_bytes: if rate > 0 { 1000 } else { 0 },
                loss_ppm, duplicate_ppm, reorder_ppm, reorder_gap: gap, reorder_timeout_ns: 50_000,
                mtu_bytes: 0,
            };
            let (out, tally) = run(impairment, frames);
            let gone = count(&tally, "lost") + count(&tally, "queue_dropped");
            prop_assert_eq!(out.len() as u64 + gone, u64::from(frames) + count(&tally, "duplicated"));
            for (number, at) in out {
                prop_assert!(at >= u64::from(number) * 1000 + delay_ns);
            }
        }
    }
}
