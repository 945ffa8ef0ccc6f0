//! How long a block's network takes to make and to take down.
//!
//! Must not know what is in it. Units: milliseconds. Errors: [`BenchError`]. A host without taps leaves out what needs one.

use std::time::{Duration, Instant};

use super::benchmark::{Benchmark, Pace};
use super::error::BenchError;
use super::findings::Findings;
use super::network;
use crate::path::TargetLink;
use crate::testbed::{Namespace, probe};

const MILLISECONDS: &str = "ms";

#[derive(Default)]
struct Rounds {
    built: Vec<f64>,
    removed: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, link: TargetLink) -> Result<(), BenchError> {
        let testbed = network::plain(link)?;
        self.built.push(milliseconds(testbed.build_time()));
        let start = Instant::now();
        drop(testbed);
        self.removed.push(milliseconds(start.elapsed()));
        Ok(())
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(super) fn measure(pace: Pace) -> Result<Findings, BenchError> {
    let mut findings = Findings::new(Benchmark::Testbed);
    let has_tap = probe::tap();
    let (mut empty, mut veth, mut tap) = (vec![], Rounds::default(), Rounds::default());
    // One more than is counted: the first one of a process also makes what lasts.
    for round in 0..=pace.rounds() * pace.pick(3, 1) {
        let start = Instant::now();
        let namespaces = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
        empty.push(milliseconds(start.elapsed()));
        drop(namespaces);
        veth.add(TargetLink::Veth)?;
        if has_tap.is_ok() {
            tap.add(TargetLink::Tap { queues: 1 })?;
        }
        if round == 0 {
            (empty, veth, tap) = (vec![], Rounds::default(), Rounds::default());
        }
    }
    findings.figure("three empty namespaces: made", MILLISECONDS, &empty);
    findings.figure("with a veth: made", MILLISECONDS, &veth.built);
    findings.figure("with a veth: taken down", MILLISECONDS, &veth.removed);
    findings.ratio("with a veth: made", "three empty namespaces", &veth.built, &empty);
    match has_tap {
        Ok(()) => {
            findings.figure("with a tap: made", MILLISECONDS, &tap.built);
            findings.figure("with a tap: taken down", MILLISECONDS, &tap.removed);
            findings.ratio("with a tap: made", "three empty namespaces", &tap.built, &empty);
        }
        Err(reason) => findings.notes.push(format!("without a tap: {reason}")),
    }
    Ok(findings)
}
