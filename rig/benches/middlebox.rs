//! The middlebox beside a plain kernel bridge, in the same run on the same machine: packets per second, and latency when it does nothing.
//!
//! `cargo bench --bench middlebox`, as root. Namespaces of its own. Rounds alternate, and the medians of the rounds are compared, so that
//! another load of the machine does not fall on one side only. Timings are meaningless inside a guest without hardware acceleration.
//! Must not judge: it prints numbers and ratios. Units: packets per second, microseconds.
//! Errors: panics.

#![expect(clippy::print_stdout, reason = "a benchmark's output is what it prints")]

#[expect(dead_code, reason = "the tests use more of it than the benchmark does")]
#[path = "../tests/middlebox/lab.rs"]
mod lab;

use std::fs;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Family, Lab, PATIENCE};
use rig::middlebox::{Action, Condition, Deed, Direction, MiddleboxSpec, Pattern};

const ROUNDS: usize = 5;
const FLOOD: Duration = Duration::from_secs(1);
const PINGS: usize = 4000;

/// What stands between the ports.
struct Setup {
    name: &'static str,
    lab: Lab,
    handle: Option<rig::middlebox::Handle>,
    /// Packets per second, one per round.
    rates: Vec<f64>,
    /// Packets per second of processor time of the forwarding thread, one per round.
    capacities: Vec<f64>,
    /// Median round-trip times in microseconds, one per round.
    trips: Vec<f64>,
}

impl Setup {
    fn new(name: &'static str, spec: Option<MiddleboxSpec>) -> Self {
        let lab = Lab::new();
        lab.make_neighbours();
        let handle = spec.map(|spec| lab.start(spec));
        if handle.is_none() {
            lab.bridge();
        }
        lab.wait_until_it_forwards(Family::V4);
        Self { name, lab, handle, rates: vec![], capacities: vec![], trips: vec![] }
    }

    fn round(&mut self) {
        self.trips.push(round_trip(&self.lab));
        let busy_before = thread_time();
        let (rate, seconds) = flood(&self.lab);
        let busy = thread_time().saturating_sub(busy_before).as_secs_f64();
        self.rates.push(rate);
        self.capacities.push(rate * seconds / busy);
    }
}

fn pair(lab: &Lab) -> (UdpSocket, UdpSocket) {
    let bind = |address| UdpSocket::bind((address, 0)).expect("a free port");
    let target = lab.target.run(|| bind(Family::V4.target()));
    let peer = lab.peer.run(|| bind(Family::V4.peer()));
    target.connect(peer.local_addr().expect("bound")).expect("connects");
    peer.connect(target.local_addr().expect("bound")).expect("connects");
    for socket in [&target, &peer] {
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    }
    (target, peer)
}

/// Time that the forwarding threads of this process have spent on a processor (schedstat, proc(5)).
fn thread_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let paths = tasks.map(|task| task.expect("procfs").path());
    let boxes = paths
        .filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "middlebox"));
    boxes
        .filter_map(|path| fs::read_to_string(path.join("schedstat")).ok())
        .map(|text| text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number"))
        .map(Duration::from_nanos)
        .sum()
}

/// Small datagrams as fast as one core sends them; what arrives at the peer's interface, per second.
fn flood(lab: &Lab) -> (f64, f64) {
    let (target, _peer) = pair(lab);
    let before = lab.peer.received("wire");
    let start = Instant::now();
    while start.elapsed() < FLOOD {
        for _ in 0..256 {
            // A full queue is not an error here: what counts is what arrives.
            let _ = target.send(&[0; 18]);
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let arrived = lab.peer.received("wire") - before;
    // Let the queues run empty before the next round.
    thread::sleep(Duration::from_millis(200));
    (arrived as f64 / elapsed, elapsed)
}

/// Median round trip of single datagrams, in microseconds.
fn round_trip(lab: &Lab) -> f64 {
    let (target, peer) = pair(lab);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 64];
            while !over.load(Ordering::Relaxed) {
                if let Ok(length) = peer.recv(&mut buffer) {
                    peer.send(&buffer[..length]).expect("sends");
                }
            }
        });
        let mut times: Vec<f64> = (0..PINGS)
            .map(|_| {
                let start = Instant::now();
                target.send(b"ping").expect("sends");
                target.recv(&mut [0; 64]).expect("an answer");
                start.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        target.send(b"last").expect("sends");
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    if !nix::unistd::geteuid().is_root() {
        println!("middlebox: skipped, needs root for its namespaces");
        return;
    }
    let spec = MiddleboxSpec::transparent(1);
    let mut watching = spec.clone();
    let when = Condition {
        direction: Some(Direction::ToTarget),
        contains: Pattern(b"never said".to_vec()),
        ..Condition::default()
    };
    watching.actions.push(Action { name: "idle".into(), armed: true, when, first: 0, deed: Deed::Drop });
    let busy = MiddleboxSpec { busy_poll_ns: 200_000, ..spec.clone() };
    let mut setups = [
        Setup::new("kernel bridge", None),
        Setup::new("middlebox", Some(spec)),
        Setup::new("with a rule", Some(watching)),
        Setup::new("busy polling", Some(busy)),
    ];
    for _ in 0..ROUNDS {
        for setup in &mut setups {
            setup.round();
        }
    }
    let (bridge_rate, bridge_trip) = (median(&setups[0].rates), median(&setups[0].trips));
    println!(
        "{:14} {:>10} {:>6} {:>14} {:>14} {:>6} {:>16}",
        "", "packets/s", "ratio", "per cpu second", "round trip us", "ratio", "added one way us"
    );
    for setup in &setups {
        let (rate, trip) = (median(&setup.rates), median(&setup.trips));
        let capacity = match setup.handle {
            Some(_) => format!("{:.0}", median(&setup.capacities)),
            // A bridge works on the senders' time.
            None => "-".to_owned(),
        };
        println!(
            "{:14} {rate:10.0} {:6.2} {capacity:>14} {trip:14.1} {:6.2} {:16.1}",
            setup.name,
            rate / bridge_rate,
            trip / bridge_trip,
            (trip - bridge_trip) / 2.0
        );
    }
}
