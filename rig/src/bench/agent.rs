//! How many trials the agent plays in a second, beside a loop that does nothing else.
//!
//! Both play the base program without its sleeps over the loopback of one namespace. Must not know blocks.
//! Units: trials per second. Errors: [`BenchError`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rig_protocol::{Assignment, Role, Script};

use super::benchmark::{Benchmark, Pace};
use super::error::{BenchError, step};
use super::findings::Findings;
use super::{network, plain_loop};
use crate::agent::{self, Conversation, Waits};
use crate::machine::{HostAgent, launch_agent};
use crate::path::{PEER_PORT, TargetLink};
use crate::process;
use crate::script;

const TRIALS: &str = "trials/s";

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Trials under way at once.
const MANY: u32 = 32;

pub(super) fn measure(pace: Pace) -> Result<Findings, BenchError> {
    let trials = pace.pick(20_000, 1_000);
    let testbed = network::plain(TargetLink::Veth)?;
    let folder = process::new_run_dir().map_err(step("make a private folder"))?;
    let agent = agent::install(folder.path()).map_err(step("write the agent"))?;
    let script = base_program();
    let (mut plain, mut many, mut one) = (vec![], vec![], vec![]);
    for _ in 0..pace.rounds() {
        let start = Instant::now();
        let played = testbed.target().run(|| plain_loop::play(trials))?;
        played.map_err(step("play the plain loop"))?;
        plain.push(rate(trials, start.elapsed()));
        for (in_flight, rates) in [(MANY, &mut many), (1, &mut one)] {
            let target = launch_agent(testbed.target(), &agent)?;
            let peer = launch_agent(testbed.target(), &agent)?;
            rates.push(rate(trials, play(&target, &peer, &script, trials, in_flight)?));
        }
    }
    let mut findings = Findings::new(Benchmark::Agent);
    findings.figure("plain loop", TRIALS, &plain);
    findings.figure("agent, 32 under way", TRIALS, &many);
    findings.figure("agent, 1 under way", TRIALS, &one);
    findings.ratio("agent, 32 under way", "plain loop", &many, &plain);
    findings.ratio("agent, 1 under way", "plain loop", &one, &plain);
    Ok(findings)
}

/// `rst`, with all that waits set to nothing.
fn base_program() -> Script {
    const SHIPPED: &str = "a scenario that is shipped, with parameters that it has";
    let rst = script::shipped("rst").expect(SHIPPED);
    let at_once = ["client_delay", "peer_delay"].map(|name| (name.to_owned(), "0ms".to_owned()));
    rst.resolve(&BTreeMap::from(at_once)).expect(SHIPPED).script
}

/// How long it takes from the word to play until all is told.
fn play(
    target: &HostAgent,
    peer: &HostAgent,
    script: &Script,
    trials: u64,
    in_flight: u32,
) -> Result<Duration, BenchError> {
    let open = |agent: &HostAgent| -> Result<Conversation, BenchError> {
        let stream = agent.stream().try_clone().map_err(step("duplicate a socket"))?;
        Ok(Conversation::open(stream, agent::build_id(), PATIENCE)?)
    };
    let (mut target, mut peer) = (open(target)?, open(peer)?);
    let address = format!("127.0.0.1:{PEER_PORT}");
    let part = |role| Assignment {
        script: script.clone(),
        role,
        trials,
        in_flight,
        seed: 1,
        keep_examples: 1,
        keep_anomalies: 10,
        trial_deadline_ns: u64::try_from(PATIENCE.as_nanos()).expect("a minute"),
        root: None,
    };
    let waits = Waits { silence: PATIENCE, total: PATIENCE };
    let peers = part(Role::Peer { listen: address.clone() });
    let targets = part(Role::Target { connect: address });
    peer.play(&peers, PATIENCE)?;
    let start = Instant::now();
    target.play(&targets, PATIENCE)?;
    let played = target.collect(&targets, waits, |_| ())?;
    let elapsed = start.elapsed();
    peer.finish()?;
    peer.collect(&peers, waits, |_| ())?;
    if played.tally.trials == trials {
        Ok(elapsed)
    } else {
        let reasons: Vec<String> = played.tally.voids.keys().cloned().collect();
        Err(step("play every trial")(std::io::Error::other(reasons.join(", "))))
    }
}

fn rate(trials: u64, elapsed: Duration) -> f64 {
    trials as f64 / elapsed.as_secs_f64()
}
