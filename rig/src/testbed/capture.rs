//! Captures the packets of a block at several interfaces, from its start to its end.
//!
//! Holds one ring per interface, which the kernel fills, and one thread that empties them a few times a second: no packet wakes anybody.
//! Memory is bounded: of a long block the last [`KEPT_BYTES`] stay; what was given up is counted. Must not know trials.
//! Units: bytes; nanoseconds since 1970 (UTC), by the kernel's clock at the interface.
//! Errors: [`TestbedError::Capture`]. Tests: below; `tests/netns/capture.rs` (root).

mod ring;

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use nix::net::if_::if_nametoindex;

use self::ring::Ring;
use super::error::TestbedError;
use super::namespace::Namespace;
pub use super::packet::{Packet, PacketDirection};

/// Of the packets of a block, headers of the ring included, so much is kept: the last.
pub const KEPT_BYTES: usize = 64 << 20;

/// The first bytes that are kept of every packet.
pub const SNAP_BYTES: u32 = ring::SNAP_BYTES;

/// From one look into the rings to the next.
const PERIOD: Duration = Duration::from_millis(50);

/// For the kernel to hand over the last block; it needs some 50 ms.
const LAST_BLOCK: Duration = Duration::from_secs(2);

/// An interface at which packets are captured.
#[derive(Debug)]
pub struct CapturePoint<'a> {
    /// Where it is.
    pub namespace: &'a Namespace,
    /// Its name there.
    pub interface: &'a str,
    /// Its name in the file: `target:tap0`.
    pub name: String,
    /// For people: what lies where, and what `in` and `out` mean.
    pub description: String,
}

/// What was captured at one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapturedAt {
    /// As in [`CapturePoint`].
    pub name: String,
    /// As in [`CapturePoint`].
    pub description: String,
    /// Packets that came by.
    pub received: u64,
    /// Of these the kernel found no room for so many.
    pub dropped: u64,
    /// And so many, the earliest, were given up for later ones.
    pub given_up: u64,
}

/// What was captured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapturedPackets {
    /// When it began.
    pub began_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// Where.
    pub points: Vec<CapturedAt>,
    /// In the order of their times.
    pub packets: Vec<Packet>,
}

impl CapturedPackets {
    /// Whether every packet that came by is here.
    pub fn is_whole(&self) -> bool {
        self.points.iter().all(|point| point.dropped == 0 && point.given_up == 0)
    }
}

/// Captures until it is stopped. Dropped, it forgets everything.
#[derive(Debug)]
pub struct Capture {
    stop: Option<Sender<()>>,
    reader: Option<JoinHandle<Option<Result<CapturedPackets, TestbedError>>>>,
}

impl Capture {
    /// Begins. When it returns, every packet counts.
    ///
    /// # Errors
    /// [`TestbedError::Capture`]
    pub fn start(points: &[CapturePoint<'_>]) -> Result<Self, TestbedError> {
        let mut sources = Vec::new();
        for point in points {
            let failed = |(step, source)| failure(point.interface, step, source);
            let open = || {
                let index = if_nametoindex(point.interface)
                    .map_err(|errno| ("find its interface", io::Error::from(errno)))?;
                Ring::open(index)
            };
            let ring = point.namespace.run(open)?.map_err(failed)?;
            let at = CapturedAt {
                name: point.name.clone(),
                description: point.description.clone(),
                ..CapturedAt::default()
            };
            sources.push(Source { interface: point.interface.to_owned(), ring, at, taken: 0 });
        }
        let (stop, told) = channel();
        let collector = Collector { sources, chunks: Chunks::new(KEPT_BYTES), began_ns: now_ns() };
        let interface = points.first().map_or("", |point| point.interface);
        let reader = thread::Builder::new()
            .name("capture".into())
            .spawn(move || collector.work(&told))
            .map_err(|source| failure(interface, "start its thread", source))?;
        Ok(Self { stop: Some(stop), reader: Some(reader) })
    }

    /// Ends it; every packet that came by until now is in the answer, or counted as dropped or given up. Blocks for some 50 ms.
    ///
    /// # Errors
    /// [`TestbedError::Capture`]
    pub fn stop(mut self) -> Result<CapturedPackets, TestbedError> {
        if let Some(stop) = self.stop.take() {
            // A reader that is gone has panicked, which its join tells.
            let _ = stop.send(());
        }
        let reader = self.reader.take().expect("a capture is stopped once");
        let told = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        told.expect("it was told to stop, not left")
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(reader) = self.reader.take() {
            // It ends at once. If it panicked, nobody wants its packets any more.
            let _ = reader.join();
        }
    }
}

fn failure(interface: &str, step: &'static str, source: io::Error) -> TestbedError {
    TestbedError::Capture { interface: interface.to_owned(), step, source }
}

/// One interface.
#[derive(Debug)]
struct Source {
    interface: String,
    ring: Ring,
    at: CapturedAt,
    /// Packets taken out of the ring.
    taken: u64,
}

impl Source {
    /// Reading the kernel's counts sets them back, so they are summed up here.
    fn count(&mut self) -> Result<(), TestbedError> {
        let read = self.ring.take_statistics();
        let (received, dropped) =
            read.map_err(|source| failure(&self.interface, "read its statistics", source))?;
        self.at.received += received;
        self.at.dropped += dropped;
        Ok(())
    }
}

/// The reading thread's things.
#[derive(Debug)]
struct Collector {
    sources: Vec<Source>,
    chunks: Chunks,
    began_ns: u64,
}

impl Collector {
    /// Looks into the rings until it is told to stop; `None` where nobody wants to know any more.
    fn work(mut self, told: &Receiver<()>) -> Option<Result<CapturedPackets, TestbedError>> {
        loop {
            match told.recv_timeout(PERIOD) {
                Err(RecvTimeoutError::Timeout) => self.sweep(),
                Ok(()) => return Some(self.finish()),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn sweep(&mut self) {
        for (point, source) in self.sources.iter_mut().enumerate() {
            source.ring.take_blocks(|block| {
                let (bytes, packets) = ring::filled(block);
                source.taken += u64::from(packets);
                self.chunks.push(Chunk { point, packets, bytes: bytes.into() });
            });
        }
    }

    fn finish(mut self) -> Result<CapturedPackets, TestbedError> {
        for source in &self.sources {
            let deaf = source.ring.receive_no_more();
            deaf.map_err(|error| failure(&source.interface, "close its filter", error))?;
        }
        let ended_ns = now_ns();
        let deadline = Instant::now() + LAST_BLOCK;
        loop {
            self.sweep();
            let mut missing = 0;
            for source in &mut self.sources {
                source.count()?;
                missing += source.at.received.saturating_sub(source.at.dropped + source.taken);
            }
            if missing == 0 {
                break;
            }
            if Instant::now() >= deadline {
                let late = io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("the kernel has not delivered {missing} packets after {LAST_BLOCK:?}"),
                );
                return Err(failure(&self.sources[0].interface, "get its last packets", late));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let mut points: Vec<CapturedAt> = self.sources.into_iter().map(|source| source.at).collect();
        for (point, given_up) in self.chunks.given_up {
            points[point].given_up += given_up;
        }
        let mut packets = Vec::new();
        for chunk in self.chunks.kept {
            packets.extend(ring::packets(&chunk.bytes, chunk.point));
        }
        // Packets that two CPUs put into one ring at the same moment may have changed places.
        packets.sort_by_key(|packet| packet.time_ns);
        Ok(CapturedPackets { began_ns: self.began_ns, ended_ns, points, packets })
    }
}

/// The filled part of a block of a ring.
#[derive(Debug)]
struct Chunk {
    point: usize,
    packets: u32,
    bytes: Box<[u8]>,
}

/// The last chunks, up to a bound.
#[derive(Debug)]
struct Chunks {
    bound: usize,
    bytes: usize,
    kept: VecDeque<Chunk>,
    /// Packets that had to make room, by point.
    given_up: Vec<(usize, u64)>,
}

impl Chunks {
    fn new(bound: usize) -> Self {
        Self { bound, bytes: 0, kept: VecDeque::new(), given_up: Vec::new() }
    }

    fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        self.kept.push_back(chunk);
        while self.bytes > self.bound {
            let Some(old) = self.kept.pop_front() else { return };
            self.bytes -= old.bytes.len();
            match self.given_up.iter_mut().find(|(point, _)| *point == old.point) {
                Some((_, packets)) => *packets += u64::from(old.packets),
                None => self.given_up.push((old.point, old.packets.into())),
            }
        }
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_chunks_make_room_and_are_counted() {
        let mut chunks = Chunks::new(100);
        let chunk =
            |point, packets, bytes| Chunk { point, packets, bytes: vec![0; bytes].into_boxed_slice() };
        chunks.push(chunk(0, 3, 40));
        chunks.push(chunk(1, 5, 60));
        assert_eq!((chunks.kept.len(), chunks.bytes), (2, 100), "the bound itself is kept");
        chunks.push(chunk(0, 7, 10));
        assert_eq!((chunks.kept.len(), chunks.bytes, chunks.given_up.clone()), (2, 70, vec![(0, 3)]));
        chunks.push(chunk(0, 11, 95));
        assert_eq!((chunks.kept.len(), chunks.bytes), (1, 95));
        assert_eq!(chunks.given_up, [(0, 10), (1, 5)]);
        chunks.push(chunk(1, 1, 101));
        assert_eq!((chunks.kept.len(), chunks.bytes), (0, 0), "one that is over the bound alone goes too");
    }
}
