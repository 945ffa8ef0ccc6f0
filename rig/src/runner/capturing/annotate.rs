//! Which packets belong to which of the trials that are kept whole.
//!
//! Pure. A trial knows its client's port and the begin of its connect(2) by a clock that is not the packets': the guest's. So a port's
//! connections and its trials are paired in their order where there are as many of both; where trials that were not kept used the port
//! too, by time, with the clocks' difference taken from the nearest trial that is paired already. What stays open is not named at all.
//! Units: nanoseconds of either clock. Errors: none; trials that cannot be placed are listed. Tests: below.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rig_protocol::{Network, Script, TrialRecord};

use crate::testbed::CapturedPackets;

/// Two clocks' differences, taken from two trials of a block, differ by less, unless one of the pairs is wrong.
const TOLERANCE_NS: u64 = 1_000_000_000;

/// What the packets are called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// For each packet, the trial it belongs to: an index into `names`.
    of_packets: Vec<Option<usize>>,
    names: Vec<String>,
    /// Trials kept whole whose packets could not be told from others.
    pub(super) unplaced: Vec<u64>,
}

impl Names {
    /// `trial 17 (anomaly): readable,ECONNRESET`
    pub(super) fn of_packet(&self, packet: usize) -> Option<&str> {
        let trial = (*self.of_packets.get(packet)?)?;
        Some(&self.names[trial])
    }
}

/// Names every packet between `client` and anybody that belongs to one of `trials`, which were played by `script`.
pub(super) fn annotate(
    captured: &CapturedPackets,
    trials: &[TrialRecord],
    script: &Script,
    client: IpAddr,
) -> Names {
    let segments: Vec<Option<Segment>> =
        captured.packets.iter().map(|packet| Segment::read(&packet.bytes, client)).collect();
    let connections = connections(captured, &segments);
    let placed = place(trials, script, &connections, captured.is_whole());
    let trial_of: BTreeMap<(u16, usize), usize> =
        placed.iter().enumerate().filter_map(|(trial, at)| Some(((*at)?, trial))).collect();
    let belongs = |number: usize| -> Option<usize> {
        let (segment, packet) = (segments[number].as_ref()?, &captured.packets[number]);
        let of_port = connections.get(&segment.port)?;
        let begins = of_port.iter().map(|connection| connection.begin_at(packet.point)).enumerate();
        let (index, _) =
            begins.filter(|(_, begin)| *begin <= packet.time_ns).max_by_key(|(_, begin)| *begin)?;
        trial_of.get(&(segment.port, index)).copied()
    };
    // Packets of a network of a trial's own pass nowhere here.
    let own = script.program.as_ref().is_some_and(|program| program.network == Network::Own);
    let unplaced =
        trials.iter().zip(&placed).filter(|(trial, at)| at.is_none() && trial.local_port != 0 && !own);
    Names {
        of_packets: (0..segments.len()).map(belongs).collect(),
        names: trials.iter().map(name).collect(),
        unplaced: unplaced.map(|(trial, _)| trial.trial).collect(),
    }
}

fn name(trial: &TrialRecord) -> String {
    let kind = match (trial.void, trial.anomaly) {
        (true, _) => "void",
        (false, true) => "anomaly",
        (false, false) => "example",
    };
    format!("trial {} ({kind}): {}", trial.trial, trial.outcome)
}

/// A TCP connection of the client, as its first SYN shows it.
#[derive(Debug, PartialEq, Eq)]
struct Connection {
    sequence: u32,
    /// When the SYN was first seen anywhere.
    begin_ns: u64,
    /// When it was first seen at each point.
    begin_at: Vec<Option<u64>>,
}

impl Connection {
    fn begin_at(&self, point: usize) -> u64 {
        self.begin_at[point].unwrap_or(self.begin_ns)
    }
}

/// The client's connections by port, each port's in their order. A SYN that was sent again is no new connection.
fn connections(captured: &CapturedPackets, segments: &[Option<Segment>]) -> BTreeMap<u16, Vec<Connection>> {
    let mut found: BTreeMap<u16, Vec<Connection>> = BTreeMap::new();
    for (packet, segment) in captured.packets.iter().zip(segments) {
        let Some(Segment { port, opens: Some(sequence) }) = *segment else { continue };
        let of_port = found.entry(port).or_default();
        let known = of_port.iter().rposition(|connection| connection.sequence == sequence);
        let index = known.unwrap_or_else(|| {
            let begin_at = vec![None; captured.points.len()];
            of_port.push(Connection { sequence, begin_ns: packet.time_ns, begin_at });
            of_port.len() - 1
        });
        of_port[index].begin_at[packet.point].get_or_insert(packet.time_ns);
    }
    found
}

/// For each trial its connection: port, and index among the port's.
fn place(
    trials: &[TrialRecord],
    script: &Script,
    connections: &BTreeMap<u16, Vec<Connection>>,
    whole: bool,
) -> Vec<Option<(u16, usize)>> {
    let begins: Vec<Option<u64>> = trials.iter().map(|trial| connect_begin(trial, script)).collect();
    let mut of_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, trial) in trials.iter().enumerate().filter(|(_, trial)| trial.local_port != 0) {
        of_port.entry(trial.local_port).or_default().push(index);
    }
    of_port.values_mut().for_each(|of_port| of_port.sort_by_key(|index| begins[*index]));
    let mut placed = vec![None; trials.len()];
    // Begin of a trial, and how far the packets' clock is ahead of the trial's.
    let mut anchors: Vec<(u64, i128)> = Vec::new();
    for (port, trials) in &of_port {
        let Some(found) = connections.get(port).filter(|found| found.len() == trials.len()) else { continue };
        for (index, (trial, connection)) in trials.iter().zip(found).enumerate() {
            placed[*trial] = Some((*port, index));
            if let Some(begin) = begins[*trial] {
                anchors.push((begin, difference(connection, begin)));
            }
        }
    }
    if !whole {
        unplace_doubtful(&mut placed, &begins, connections, &mut anchors);
    }
    anchors.sort_unstable();
    for (port, trials) in &of_port {
        let Some(found) = connections.get(port) else { continue };
        for trial in trials {
            if placed[*trial].is_none()
                && let Some(begin) = begins[*trial]
                && let Some((_, ahead)) = anchors.iter().min_by_key(|(at, _)| at.abs_diff(begin))
            {
                let taken = |index: usize| placed.contains(&Some((*port, index)));
                let free = (0..found.len()).filter(|index| !taken(*index));
                let off = |index: usize| (difference(&found[index], begin) - ahead).unsigned_abs();
                let nearest = free.map(|index| (off(index), index)).min();
                placed[*trial] = nearest
                    .filter(|(off, _)| *off <= u128::from(TOLERANCE_NS))
                    .map(|(_, index)| (*port, index));
            }
        }
    }
    placed
}

/// Where packets are missing, as many connections as trials may be others: only those stay whose clocks agree with the most usual difference.
fn unplace_doubtful(
    placed: &mut [Option<(u16, usize)>],
    begins: &[Option<u64>],
    connections: &BTreeMap<u16, Vec<Connection>>,
    anchors: &mut Vec<(u64, i128)>,
) {
    let mut differences: Vec<i128> = anchors.iter().map(|(_, ahead)| *ahead).collect();
    differences.sort_unstable();
    let usual = differences.get(differences.len() / 2).copied();
    let agrees =
        |ahead: i128| usual.is_some_and(|usual| (ahead - usual).unsigned_abs() <= u128::from(TOLERANCE_NS));
    anchors.retain(|(_, ahead)| agrees(*ahead));
    for (at, begin) in placed.iter_mut().zip(begins) {
        let sound = match (*at, begin) {
            (Some((port, index)), Some(begin)) => agrees(difference(&connections[&port][index], *begin)),
            (Some(_), None) | (None, _) => false,
        };
        if !sound {
            *at = None;
        }
    }
}

fn difference(connection: &Connection, begin: u64) -> i128 {
    i128::from(connection.begin_ns) - i128::from(begin)
}

/// When the trial called connect(2), by its own clock: a program for the connection whose port is the trial's, which is its first.
fn connect_begin(trial: &TrialRecord, script: &Script) -> Option<u64> {
    if let Some(program) = &trial.program {
        let connects = || program.calls.iter().filter(|call| call.call == "connect");
        let first = connects().find(|call| call.connection == Some(1)).or_else(|| connects().next());
        return first.map(|call| call.begin_ns);
    }
    let is_connect = |lane: u16, step: u16| {
        let lane = script.lanes.get(usize::from(lane));
        let step = lane.and_then(|lane| lane.steps.get(usize::from(step)));
        step.is_some_and(|step| step.op.connects())
    };
    trial.steps.iter().find(|log| is_connect(log.lane, log.step)).map(|log| log.begin_ns)
}

/// What of a TCP segment tells its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    /// The client's.
    port: u16,
    /// Sequence number of a SYN by which the client opens a connection.
    opens: Option<u32>,
}

impl Segment {
    /// Out of an Ethernet frame with IPv4 (first fragment; RFC 791) or IPv6 (no extension headers; RFC 8200); none where it is no segment
    /// from or to `client`.
    fn read(frame: &[u8], client: IpAddr) -> Option<Self> {
        const TCP: u8 = 6;
        const SYN: u8 = 0x02;
        const ACK: u8 = 0x10;
        let packet = frame.get(14..)?;
        let (source, destination, segment) = match frame.get(12..14)? {
            [0x08, 0x00] if *packet.get(9)? == TCP && half(packet, 6)? & 0x1fff == 0 => {
                let address = |at: usize| -> Option<IpAddr> {
                    Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?).into())
                };
                let header = usize::from(packet.first()? & 0x0f) * 4;
                (address(12)?, address(16)?, packet.get(header..)?)
            }
            [0x86, 0xdd] if *packet.get(6)? == TCP => {
                let address = |at: usize| -> Option<IpAddr> {
                    Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?).into())
                };
                (address(8)?, address(24)?, packet.get(40..)?)
            }
            _ => return None,
        };
        if source == client {
            let sequence = u32::from_be_bytes(segment.get(4..8)?.try_into().ok()?);
            let opens = segment.get(13)? & (SYN | ACK) == SYN;
            Some(Self { port: half(segment, 0)?, opens: opens.then_some(sequence) })
        } else if destination == client {
            Some(Self { port: half(segment, 2)?, opens: None })
        } else {
            None
        }
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
