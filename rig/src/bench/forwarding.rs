//! What stands between two namespaces, beside a bridge of the kernel.
//!
//! Must not know sockets. The promises are those of the middlebox's own text: 200,000 packets a second, and less than 50 microseconds added.
//! Units: packets per second, microseconds. Errors: [`BenchError`].

use super::benchmark::{Benchmark, Pace};
use super::error::BenchError;
use super::findings::Findings;
use super::wire::{Between, Wire, thread_time};
use crate::middlebox::{Action, Condition, Deed, Direction, MiddleboxSpec, Pattern};

/// What the middlebox is to forward, and what it may add when it has nothing to do.
const PROMISED_RATE: f64 = 200_000.0;
const PROMISED_ADDED_US: f64 = 50.0;

const BRIDGE: &str = "kernel bridge";
const PACKETS: &str = "packets/s";
const MICROSECONDS: &str = "us";

/// One thing between, and what its rounds gave.
struct Setup {
    name: &'static str,
    wire: Wire,
    /// Packets per second.
    rates: Vec<f64>,
    /// Packets per second of processor time of the forwarding thread.
    capacities: Vec<f64>,
    /// Round trips.
    trips_us: Vec<f64>,
}

impl Setup {
    fn new(name: &'static str, between: Between) -> Result<Self, BenchError> {
        let wire = Wire::new(between)?;
        Ok(Self { name, wire, rates: vec![], capacities: vec![], trips_us: vec![] })
    }

    fn round(&mut self, pace: Pace) -> Result<(), BenchError> {
        self.trips_us.push(self.wire.round_trip_us(pace)?);
        let busy_before = thread_time("middlebox");
        let (rate, lasted) = self.wire.flood(pace)?;
        self.rates.push(rate);
        if let (Some(before), Some(after)) = (busy_before, thread_time("middlebox"))
            && let busy = after.saturating_sub(before).as_secs_f64()
            && busy > 0.0
        {
            self.capacities.push(rate * lasted.as_secs_f64() / busy);
        }
        Ok(())
    }
}

/// The first of `setups` is the peer of the others.
fn compare(benchmark: Benchmark, pace: Pace, setups: &mut [Setup]) -> Result<Findings, BenchError> {
    for _ in 0..pace.rounds() {
        for setup in &mut *setups {
            setup.round(pace)?;
        }
    }
    let mut findings = Findings::new(benchmark);
    for setup in &*setups {
        findings.figure(format!("{}: forwarded", setup.name), PACKETS, &setup.rates);
        findings.figure(format!("{}: round trip", setup.name), MICROSECONDS, &setup.trips_us);
    }
    let [peer, others @ ..] = &*setups else { return Ok(findings) };
    for setup in others {
        findings.figure(
            format!("{}: added one way", setup.name),
            MICROSECONDS,
            &added_us(&setup.trips_us, &peer.trips_us),
        );
    }
    for setup in others {
        let name = setup.name;
        findings.ratio(format!("{name}: forwarded"), peer.name, &setup.rates, &peer.rates);
        findings.ratio(format!("{name}: round trip"), peer.name, &setup.trips_us, &peer.trips_us);
    }
    Ok(findings)
}

/// Half of what a round trip takes longer.
fn added_us(trips_us: &[f64], peer_us: &[f64]) -> Vec<f64> {
    trips_us.iter().zip(peer_us).map(|(trip, peer)| (trip - peer) / 2.0).collect()
}

pub(super) fn measure_middlebox(pace: Pace) -> Result<Findings, BenchError> {
    let plain = MiddleboxSpec::transparent(1);
    let mut watching = plain.clone();
    let when = Condition {
        direction: Some(Direction::ToTarget),
        contains: Pattern(b"never said".to_vec()),
        ..Condition::default()
    };
    watching.actions.push(Action { name: "idle".into(), armed: true, when, first: 0, deed: Deed::Drop });
    let busy = MiddleboxSpec { busy_poll_ns: 200_000, ..plain.clone() };
    let mut setups = [
        Setup::new(BRIDGE, Between::Bridge)?,
        Setup::new("middlebox", Between::Middlebox(Box::new(plain)))?,
        Setup::new("middlebox with a rule", Between::Middlebox(Box::new(watching)))?,
        Setup::new("middlebox, busy polling", Between::Middlebox(Box::new(busy)))?,
    ];
    let mut findings = compare(Benchmark::Middlebox, pace, &mut setups)?;
    let [bridge, middlebox, ..] = &setups;
    if middlebox.capacities.len() == middlebox.rates.len() {
        findings.figure(
            "middlebox: per second of its thread's processor time",
            PACKETS,
            &middlebox.capacities,
        );
    } else {
        findings
            .notes
            .push("this kernel does not count the processor time of threads (schedstat)".to_owned());
    }
    findings.limit("middlebox: forwarded", "the promised 200,000 packets/s", &middlebox.rates, PROMISED_RATE);
    let added = added_us(&middlebox.trips_us, &bridge.trips_us);
    findings.limit("middlebox: added one way", "the promised 50 us", &added, PROMISED_ADDED_US);
    if cfg!(debug_assertions) {
        findings.notes.push(
            "this rig was built without optimisation, so the promises are not its own: `cargo bench --bench middlebox`"
                .to_owned(),
        );
    }
    findings.notes.push(format!(
        "sender, forwarding thread and receiver share {} processors; a bridge works on the sender's time",
        std::thread::available_parallelism().map_or(0, usize::from)
    ));
    Ok(findings)
}

pub(super) fn measure_capture(pace: Pace) -> Result<Findings, BenchError> {
    let mut setups =
        [Setup::new(BRIDGE, Between::Bridge)?, Setup::new("captured at both ends", Between::Captured)?];
    compare(Benchmark::Capture, pace, &mut setups)
}
