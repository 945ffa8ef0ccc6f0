//! The stateful boxes of one middlebox, in the order in which a segment meets them.
//!
//! Hands segments, timers and commands to the box that they are for. Must not know the engine or the rules; a box knows no other.
//! Units: nanoseconds. Errors: [`MiddleboxError::NoBox`], for a command to a box that the spec does not have. Tests: `tests/boxes.rs`.

use super::balancer::BalancerBox;
use super::connection::Connections;
use super::counters::Tally;
use super::effects::{Effects, Fate, Seen};
use super::error::MiddleboxError;
use super::firewall::FirewallBox;
use super::frame::Segment;
use super::ips::IpsBox;
use super::spec::{MiddleboxSpec, Port};
use super::timers::{BoxTimer, Timer, Timers};

/// All boxes that the spec has.
#[derive(Debug)]
pub(super) struct Boxes {
    firewall: Option<FirewallBox>,
    balancer: Option<BalancerBox>,
    ips: Option<IpsBox>,
}

impl Boxes {
    pub(super) fn new(spec: &MiddleboxSpec, tally: &mut Tally, timers: &mut Timers) -> Self {
        let boxes = Self {
            firewall: FirewallBox::new(spec.firewall.as_ref(), tally),
            balancer: BalancerBox::new(spec.balancer.as_ref(), tally),
            ips: IpsBox::new(spec.ips.as_ref(), tally),
        };
        for (at, timer) in boxes.balancer.iter().flat_map(BalancerBox::first_timers) {
            timers.set(at, Timer::Box(timer));
        }
        boxes
    }

    /// Whether there is none, so that nobody looks at segments.
    pub(super) fn are_none(&self) -> bool {
        let Self { firewall, balancer, ips } = self;
        firewall.is_none() && balancer.is_none() && ips.is_none()
    }

    /// A segment that may be for a box itself, and of no connection of the ends'.
    pub(super) fn intercept(
        &mut self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        tally: &mut Tally,
        effects: &mut Effects,
    ) -> Fate {
        match &mut self.balancer {
            Some(balancer) => balancer.on_answer(port, frame, segment, tally, effects),
            None => Fate::Pass,
        }
    }

    /// A segment of a connection: each box decides, until one consumes it.
    pub(super) fn on(&mut self, seen: &mut Seen<'_, '_>, tally: &mut Tally, effects: &mut Effects) -> Fate {
        let Self { firewall, balancer, ips } = self;
        let firewall = firewall.as_mut().map_or(Fate::Pass, |firewall| firewall.on(seen, tally, effects));
        if firewall == Fate::Consume {
            return Fate::Consume;
        }
        let balancer = balancer.as_mut().map_or(Fate::Pass, |balancer| balancer.on(seen, tally, effects));
        if balancer == Fate::Consume {
            return Fate::Consume;
        }
        ips.as_mut().map_or(Fate::Pass, |ips| ips.on(seen, tally, effects))
    }

    /// A timer of a box is due.
    pub(super) fn wake(
        &mut self,
        timer: BoxTimer,
        now: u64,
        connections: &mut Connections,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        match (timer, &mut self.firewall, &mut self.balancer) {
            (BoxTimer::Idle(id), Some(firewall), _) => {
                if let Some(connection) = connections.same(&id) {
                    firewall.look_for_idleness(now, connection, tally, effects);
                }
            }
            (BoxTimer::BackendDown, _, Some(balancer)) => balancer.mark_down(connections, tally, effects),
            (BoxTimer::Probe, _, Some(balancer)) => balancer.probe(now, connections, tally, effects),
            // Only a box sets its timers.
            (BoxTimer::Idle(_), None, _) | (BoxTimer::BackendDown | BoxTimer::Probe, _, None) => {}
        }
    }

    /// The balancer, for a command.
    pub(super) fn balancer(&mut self) -> Result<&mut BalancerBox, MiddleboxError> {
        self.balancer.as_mut().ok_or(MiddleboxError::NoBox { what: "balancer" })
    }

    /// The firewall, for a command.
    pub(super) fn firewall(&mut self) -> Result<&mut FirewallBox, MiddleboxError> {
        self.firewall.as_mut().ok_or(MiddleboxError::NoBox { what: "firewall" })
    }
}
