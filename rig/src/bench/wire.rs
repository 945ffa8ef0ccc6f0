//! Two namespaces with something between them, and what goes from one to the other.
//!
//! Holds the load: a flood of small datagrams, and single ones that are answered. Must not know what is compared with what.
//! Units: packets per second, microseconds. Errors: [`BenchError`].

use std::fs;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rtnetlink::LinkUnspec;

use super::benchmark::Pace;
use super::error::{BenchError, step};
use super::network;
use crate::middlebox::{Handle, Middlebox, MiddleboxSpec};
use crate::path::{Addressing, NetOp, TargetLink};
use crate::testbed::{Capture, Testbed};

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What stands between the two.
pub(super) enum Between {
    /// A bridge of the kernel.
    Bridge,
    /// The same, with a capture at both ends.
    Captured,
    /// The own middlebox.
    Middlebox(Box<MiddleboxSpec>),
}

/// What keeps it working.
#[expect(dead_code, reason = "they work until they are dropped")]
enum Worker {
    Kernel,
    Capture(Capture),
    Middlebox(Handle),
}

/// Two namespaces and what is between them.
pub(super) struct Wire {
    // Dropped before the interfaces that it works on.
    _worker: Worker,
    testbed: Testbed,
}

impl Wire {
    /// Makes it; when this returns, packets come through.
    pub(super) fn new(between: Between) -> Result<Self, BenchError> {
        let testbed = network::plain(TargetLink::Veth)?;
        let worker = match between {
            Between::Bridge => Worker::Kernel,
            Between::Captured => Worker::Capture(testbed.start_capture()?),
            Between::Middlebox(spec) => {
                let target = testbed.ops().next_to_target.clone();
                let peer = testbed.ops().ops.iter().find_map(|op| match op {
                    NetOp::Enslave { link, .. } if *link != target => Some(link.name.clone()),
                    _ => None,
                });
                let peer = peer.expect("a plain path joins two ports by a bridge");
                let switch = testbed.namespace(target.at);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(step("make a runtime"))?;
                let ports = [target.name.as_str(), peer.as_str()];
                switch.run(|| runtime.block_on(unplug(ports)))?.map_err(step("take ports off the bridge"))?;
                Worker::Middlebox(switch.run(|| Middlebox::start(*spec, ports[0], ports[1]))??)
            }
        };
        let wire = Self { _worker: worker, testbed };
        wire.await_first()?;
        Ok(wire)
    }

    fn socket(&self, at: End) -> Result<UdpSocket, BenchError> {
        let Addressing { target, peer, .. } = Addressing::default();
        let (namespace, address) = match at {
            End::Target => (self.testbed.target(), target),
            End::Peer => (self.testbed.peer(), peer),
        };
        let bound = namespace.run(|| UdpSocket::bind((IpAddr::from(address), 0)))?;
        bound.map_err(step("bind a socket"))
    }

    fn pair(&self, patience: Duration) -> Result<(UdpSocket, UdpSocket), BenchError> {
        let (target, peer) = (self.socket(End::Target)?, self.socket(End::Peer)?);
        let join = || -> io::Result<()> {
            target.connect(peer.local_addr()?)?;
            peer.connect(target.local_addr()?)?;
            target.set_read_timeout(Some(patience))?;
            peer.set_read_timeout(Some(patience))
        };
        join().map_err(step("connect two sockets"))?;
        Ok((target, peer))
    }

    fn await_first(&self) -> Result<(), BenchError> {
        let (target, peer) = self.pair(Duration::from_millis(20))?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            target.send(b"?").map_err(step("send"))?;
            if peer.recv(&mut [0; 8]).is_ok() {
                return Ok(());
            }
        }
        Err(BenchError::Stuck { what: "a first datagram", within: PATIENCE })
    }

    /// Datagrams of 18 bytes as fast as one thread sends them: packets per second that arrive at the peer's interface, and how long it took.
    pub(super) fn flood(&self, pace: Pace) -> Result<(f64, Duration), BenchError> {
        let (target, _peer) = self.pair(PATIENCE)?;
        let lasting = pace.pick(Duration::from_secs(1), Duration::from_millis(100));
        let before = self.arrived()?;
        let start = Instant::now();
        while start.elapsed() < lasting {
            for _ in 0..256 {
                // A full queue is no failure here: what counts is what arrives.
                let _ = target.send(&[0; 18]);
            }
        }
        let elapsed = start.elapsed();
        let packets = self.arrived()? - before;
        // Queues run empty before the next round.
        thread::sleep(Duration::from_millis(200));
        Ok((packets as f64 / elapsed.as_secs_f64(), elapsed))
    }

    /// Packets that the peer's interface has received.
    fn arrived(&self) -> Result<u64, BenchError> {
        let link = &self.testbed.ops().next_to_peer;
        let namespace = self.testbed.namespace(link.at);
        let text = namespace.run(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
        let text = text.map_err(step("read /proc/net/dev"))?;
        let prefix = format!("{}:", link.name);
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&prefix));
        // `bytes packets errs drop ...`, proc(5).
        let packets = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        packets.ok_or_else(|| step("find the interface")(io::ErrorKind::InvalidData.into()))
    }

    /// Median round trip of single datagrams, in microseconds.
    pub(super) fn round_trip_us(&self, pace: Pace) -> Result<f64, BenchError> {
        let (target, peer) = self.pair(PATIENCE)?;
        let over = AtomicBool::new(false);
        let pings = pace.pick(4000, 400);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 64];
                while !over.load(Ordering::Relaxed) {
                    if let Ok(length) = peer.recv(&mut buffer) {
                        // One that is lost ends the measurement by its time-out.
                        let _ = peer.send(&buffer[..length]);
                    }
                }
            });
            let ping = || -> io::Result<f64> {
                let start = Instant::now();
                target.send(b"ping")?;
                target.recv(&mut [0; 64])?;
                Ok(start.elapsed().as_secs_f64() * 1e6)
            };
            let times: io::Result<Vec<f64>> = (0..pings).map(|_| ping()).collect();
            over.store(true, Ordering::Relaxed);
            // Wakes the other thread.
            let _ = target.send(b"last");
            let mut times = times.map_err(step("get an answer"))?;
            times.sort_by(f64::total_cmp);
            Ok(times[times.len() / 2])
        })
    }
}

enum End {
    Target,
    Peer,
}

async fn unplug(ports: [&str; 2]) -> io::Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    for port in ports {
        let message = LinkUnspec::new_with_name(port).nocontroller().build();
        handle.link().set(message).execute().await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Time that threads of this name have spent on a processor (schedstat, proc(5)); none where the kernel does not count it.
pub(super) fn thread_time(name: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let path = task.ok()?.path();
        // A thread may end while we look.
        if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name) {
            let text = fs::read_to_string(path.join("schedstat")).ok()?;
            sum += Duration::from_nanos(text.split(' ').next()?.parse().ok()?);
        }
    }
    Some(sum)
}
