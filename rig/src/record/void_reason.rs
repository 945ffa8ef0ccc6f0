//! Why a block, or one trial of it, is void: one sentence for each reason, the same in every table and on disk.
//!
//! Plain data: `Display` writes the sentence, `FromStr` reads it back. A sentence that this version does not know stays word for word.
//! Must not know how a failure was found, nor what it means for a cell. Units: seconds, counts.
//! Errors: none; every sentence is a reason. Tests: below.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use rig_protocol::plain_within;
use serde::{Deserialize, Serialize};

/// One end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// The kernel whose sockets are measured.
    Target,
    /// The other one.
    Peer,
}

impl Endpoint {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Peer => "peer",
        }
    }
}

/// A part of the testbed that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Namespaces, links, what stands between the two ends.
    Testbed,
    /// The peer's agent on this host did not start.
    PeerNotStarted,
    /// The target's agent on this host did not start.
    TargetNotStarted,
    /// The target's guest.
    Guest,
    /// The peer's guest, and everything in it until its agent has said hello.
    PeersGuest,
    /// The way into a guest.
    Ssh,
    /// Packet filter rules of the guest's own kernel.
    GuestRules,
    /// A setting of a kernel.
    Sysctl,
    /// The vsock of a guest.
    Vsock,
    /// The target's measured NIC, read back.
    Nic,
    /// What of a guest's hardware was asked for, as its kernel shows it.
    Hardware,
    /// The user's program, on its way into a guest.
    Program,
    /// What joins two guests.
    SocketPair,
    /// What is to execute a guest.
    Accelerator,
    /// The threads that keep this host's processors busy.
    BusyThreads,
    /// The conversation with the peer's agent.
    Peer,
    /// The conversation with the target's agent.
    Target,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Testbed,
        Self::PeerNotStarted,
        Self::TargetNotStarted,
        Self::Guest,
        Self::PeersGuest,
        Self::Ssh,
        Self::GuestRules,
        Self::Sysctl,
        Self::Vsock,
        Self::Nic,
        Self::Hardware,
        Self::Program,
        Self::SocketPair,
        Self::Accelerator,
        Self::BusyThreads,
        Self::Peer,
        Self::Target,
    ];

    /// How a sentence about it begins.
    pub fn words(self) -> &'static str {
        match self {
            Self::Testbed => "testbed",
            Self::PeerNotStarted => "peer not started",
            Self::TargetNotStarted => "target not started",
            Self::Guest => "guest",
            Self::PeersGuest => "peer's guest",
            Self::Ssh => "guest's SSH",
            Self::GuestRules => "guest's packet filter",
            Self::Sysctl => "kernel setting",
            Self::Vsock => "guest's vsock",
            Self::Nic => "the target's NIC is not as configured",
            Self::Hardware => "the guest's hardware is not as configured",
            Self::Program => "program not in the guest",
            Self::SocketPair => "no socket pair for two guests",
            Self::Accelerator => "accelerator",
            Self::BusyThreads => "no busy threads",
            Self::Peer => "peer",
            Self::Target => "target",
        }
    }
}

impl From<Endpoint> for Part {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Target => Self::Target,
            Endpoint::Peer => Self::Peer,
        }
    }
}

/// How a guest can have lost the NIC that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicLoss {
    /// The guest has no such interface any more.
    Gone,
    /// It is not up.
    Down,
    /// It is up, and not connected.
    NoCarrier,
}

impl NicLoss {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gone, Self::Down, Self::NoCarrier];

    fn words(self) -> &'static str {
        match self {
            Self::Gone => "the guest's measured NIC is gone",
            Self::Down => "the guest's measured NIC is down",
            Self::NoCarrier => "the guest's measured NIC has no carrier",
        }
    }
}

/// Why a block, or a trial, does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum VoidReason {
    /// A part of the testbed could not be made, or did not hold.
    Failed {
        /// Which.
        part: Part,
        /// The chain of errors in one line.
        why: String,
    },
    /// A guest died.
    GuestDied {
        /// Whose.
        whose: Endpoint,
        /// How.
        how: String,
    },
    /// An agent ended before it had told all.
    AgentEnded {
        /// Whose.
        whose: Endpoint,
        /// How, and what rig saw of it.
        how: String,
    },
    /// The guest lost the NIC that is measured.
    NicLost {
        /// How.
        loss: NicLoss,
        /// What failed for that reason, if anything did.
        then: Option<String>,
    },
    /// The block took longer than it may.
    Late {
        /// Its deadline, in seconds.
        within_s: u64,
    },
    /// The run has no image of the cell's kernel.
    NoImage {
        /// The kernel's name.
        kernel: String,
    },
    /// The target's program has an /etc/localtime where its configuration says that it has none, or the other way round.
    OtherLocaltime {
        /// Whether it found one.
        found: bool,
    },
    /// A path pauses its target, which is no guest.
    NoGuestToPause,
    /// All trials are void.
    NoOutcome {
        /// How many there were.
        void: u64,
        /// The most frequent reason of a trial.
        most: String,
    },
    /// What would prove the fault is not counted.
    NoCounter {
        /// The counter's name.
        counter: String,
    },
    /// The counter that proves the fault did not rise as far as it must.
    NoEffect(Risen),
    /// The path says that the rule matches nothing, and it did.
    UnclaimedEffect(Risen),
    /// rig itself panicked while it played the block.
    Bug {
        /// What it said, and where in rig.
        what: String,
    },
    /// The plan has no such block.
    NotPlanned,
    /// It has more trials than its plan gave it.
    MoreThanPlanned {
        /// In its record.
        trials: u64,
        /// In the plan.
        planned: u64,
    },
    /// One trial is void: the agent's own words.
    Trial(String),
    /// Any other sentence: the lack of a place for a path, or what another version of rig wrote.
    Other(String),
}

/// How far a counter rose during a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risen {
    /// Its name.
    pub counter: String,
    /// So far.
    pub by: i64,
    /// In so many trials.
    pub trials: i64,
}

impl fmt::Display for Risen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counter, by, trials } = self;
        write!(f, "{counter} rose by {by} in {trials} trials")
    }
}

impl Risen {
    fn read(text: &str) -> Option<Self> {
        let (counter, rest) = text.split_once(" rose by ")?;
        let (by, trials) = rest.strip_suffix(" trials")?.split_once(" in ")?;
        Some(Self { counter: counter.to_owned(), by: by.parse().ok()?, trials: trials.parse().ok()? })
    }
}

const GUEST_DIED: &str = "guest died: ";
const THE_PEERS: &str = "the peer's: ";
const AGENT_ENDED: &str = "'s agent ended: ";
const NO_COUNTER: &str = "fault unproven: there is no counter ";
const NO_EFFECT: &str = "fault had no effect: ";
const UNCLAIMED_EFFECT: &str = "fault had an effect where its path says that it has none: ";
const LOCALTIME_FOUND: &str =
    "the target has an /etc/localtime, and its configuration says localtime = \"absent\"";
const LOCALTIME_MISSED: &str =
    "the target has no /etc/localtime, and its configuration says localtime = \"present\"";
const BUG: &str = "rig has a bug: ";
const NOT_PLANNED: &str = "it is not in the plan";
const NO_GUEST_TO_PAUSE: &str = "a host cannot be paused, only a guest";

impl fmt::Display for VoidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { part, why } => write!(f, "{}: {why}", part.words()),
            Self::GuestDied { whose: Endpoint::Target, how } => write!(f, "{GUEST_DIED}{how}"),
            Self::GuestDied { whose: Endpoint::Peer, how } => write!(f, "{GUEST_DIED}{THE_PEERS}{how}"),
            Self::AgentEnded { whose, how } => write!(f, "{}{AGENT_ENDED}{how}", whose.word()),
            Self::NicLost { loss, then: None } => f.write_str(loss.words()),
            Self::NicLost { loss, then: Some(then) } => write!(f, "{}: {then}", loss.words()),
            Self::Late { within_s } => write!(f, "block not done within {within_s} s"),
            Self::NoImage { kernel } => write!(f, "no image {kernel} was built for this run"),
            Self::OtherLocaltime { found: true } => f.write_str(LOCALTIME_FOUND),
            Self::OtherLocaltime { found: false } => f.write_str(LOCALTIME_MISSED),
            Self::NoGuestToPause => f.write_str(NO_GUEST_TO_PAUSE),
            Self::NoOutcome { void, most } => {
                write!(f, "no trial had an outcome ({void} void, most often: {most})")
            }
            Self::NoCounter { counter } => write!(f, "{NO_COUNTER}{counter}"),
            Self::NoEffect(risen) => write!(f, "{NO_EFFECT}{risen}"),
            Self::UnclaimedEffect(risen) => write!(f, "{UNCLAIMED_EFFECT}{risen}"),
            Self::Bug { what } => write!(f, "{BUG}{what}"),
            Self::NotPlanned => f.write_str(NOT_PLANNED),
            Self::MoreThanPlanned { trials, planned } => {
                write!(f, "it has {trials} trials, {planned} were planned")
            }
            Self::Trial(words) | Self::Other(words) => f.write_str(words),
        }
    }
}

impl VoidReason {
    /// The longest sentence that is recorded.
    const MOST_BYTES: usize = 2 << 10;

    /// The same reason, whose sentence is one line of no more than 2 KiB: it may repeat what a guest said or what its console showed.
    #[must_use]
    pub fn plain(self) -> Self {
        let sentence = self.to_string();
        let plain = plain_within(&sentence, Self::MOST_BYTES);
        if plain == sentence { self } else { plain.into() }
    }

    /// How a table names it where trials are counted by reason. A void block's trials are all void by the block's reason.
    pub fn in_table(&self) -> String {
        match self {
            Self::Trial(words) => words.clone(),
            of_block => format!("block: {of_block}"),
        }
    }

    fn read_failure(text: &str) -> Option<Self> {
        let after = |part: &Part| text.strip_prefix(part.words())?.strip_prefix(": ").map(str::to_owned);
        Part::ALL.into_iter().find_map(|part| Some(Self::Failed { part, why: after(&part)? }))
    }

    fn read_death(text: &str) -> Option<Self> {
        let how = text.strip_prefix(GUEST_DIED)?;
        let (whose, how) = match how.strip_prefix(THE_PEERS) {
            Some(how) => (Endpoint::Peer, how),
            None => (Endpoint::Target, how),
        };
        Some(Self::GuestDied { whose, how: how.to_owned() })
    }

    fn read_agents_end(text: &str) -> Option<Self> {
        [Endpoint::Target, Endpoint::Peer].into_iter().find_map(|whose| {
            let how = text.strip_prefix(whose.word())?.strip_prefix(AGENT_ENDED)?.to_owned();
            Some(Self::AgentEnded { whose, how })
        })
    }

    fn read_nic_loss(text: &str) -> Option<Self> {
        NicLoss::ALL.into_iter().find_map(|loss| {
            let rest = text.strip_prefix(loss.words())?;
            let then = if rest.is_empty() { None } else { Some(rest.strip_prefix(": ")?.to_owned()) };
            Some(Self::NicLost { loss, then })
        })
    }

    fn read_lateness(text: &str) -> Option<Self> {
        let within_s = text.strip_prefix("block not done within ")?.strip_suffix(" s")?.parse().ok()?;
        Some(Self::Late { within_s })
    }

    fn read_missing_image(text: &str) -> Option<Self> {
        let kernel = text.strip_prefix("no image ")?.strip_suffix(" was built for this run")?.to_owned();
        Some(Self::NoImage { kernel })
    }

    fn read_no_outcome(text: &str) -> Option<Self> {
        let counts = text.strip_prefix("no trial had an outcome (")?.strip_suffix(')')?;
        let (void, most) = counts.split_once(" void, most often: ")?;
        Some(Self::NoOutcome { void: void.parse().ok()?, most: most.to_owned() })
    }

    fn read_proof(text: &str) -> Option<Self> {
        if let Some(counter) = text.strip_prefix(NO_COUNTER) {
            return Some(Self::NoCounter { counter: counter.to_owned() });
        }
        match text.strip_prefix(NO_EFFECT) {
            Some(risen) => Risen::read(risen).map(Self::NoEffect),
            None => text.strip_prefix(UNCLAIMED_EFFECT).and_then(Risen::read).map(Self::UnclaimedEffect),
        }
    }

    fn read_of_record(text: &str) -> Option<Self> {
        if let Some(what) = text.strip_prefix(BUG) {
            return Some(Self::Bug { what: what.to_owned() });
        }
        match text {
            NOT_PLANNED => Some(Self::NotPlanned),
            NO_GUEST_TO_PAUSE => Some(Self::NoGuestToPause),
            LOCALTIME_FOUND => Some(Self::OtherLocaltime { found: true }),
            LOCALTIME_MISSED => Some(Self::OtherLocaltime { found: false }),
            _ => None,
        }
    }

    fn read_surplus(text: &str) -> Option<Self> {
        let counts = text.strip_prefix("it has ")?.strip_suffix(" were planned")?;
        let (trials, planned) = counts.split_once(" trials, ")?;
        Some(Self::MoreThanPlanned { trials: trials.parse().ok()?, planned: planned.parse().ok()? })
    }
}

impl FromStr for VoidReason {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let read = Self::read_failure(text)
            .or_else(|| Self::read_death(text))
            .or_else(|| Self::read_agents_end(text))
            .or_else(|| Self::read_nic_loss(text))
            .or_else(|| Self::read_lateness(text))
            .or_else(|| Self::read_missing_image(text))
            .or_else(|| Self::read_no_outcome(text))
            .or_else(|| Self::read_proof(text))
            .or_else(|| Self::read_of_record(text))
            .or_else(|| Self::read_surplus(text))
            // Numbers can be spelled in more ways than one, and what lies on disk is not rewritten.
            .filter(|reason| reason.to_string() == text);
        Ok(read.unwrap_or_else(|| Self::Other(text.to_owned())))
    }
}

impl From<&str> for VoidReason {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(reason) => reason,
        }
    }
}

impl From<String> for VoidReason {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<VoidReason> for String {
    fn from(reason: VoidReason) -> Self {
        reason.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each reason with its sentence, as it has always stood on disk.
    fn sentences() -> Vec<(VoidReason, &'static str)> {
        let risen = |counter: &str, by| Risen { counter: counter.into(), by, trials: 40 };
        let failed = |part, why: &str| VoidReason::Failed { part, why: why.into() };
        let died = |whose| VoidReason::GuestDied { whose, how: "qemu was killed by SIGKILL".into() };
        let ended = |whose, how: &str| VoidReason::AgentEnded { whose, how: how.into() };
        let lost = |loss, then: Option<&str>| VoidReason::NicLost { loss, then: then.map(str::to_owned) };
        vec![
            (failed(Part::Testbed, "cannot make a bridge"), "testbed: cannot make a bridge"),
            (failed(Part::PeerNotStarted, "x"), "peer not started: x"),
            (failed(Part::TargetNotStarted, "x"), "target not started: x"),
            (failed(Part::Guest, "not ready within 5s"), "guest: not ready within 5s"),
            (failed(Part::PeersGuest, "guest: it died"), "peer's guest: guest: it died"),
            (failed(Part::Ssh, "refused"), "guest's SSH: refused"),
            (failed(Part::GuestRules, "no nft"), "guest's packet filter: no nft"),
            (
                failed(Part::Program, "tar: write error: No space left on device"),
                "program not in the guest: tar: write error: No space left on device",
            ),
            (failed(Part::SocketPair, "x"), "no socket pair for two guests: x"),
            (failed(Part::Accelerator, "no KVM"), "accelerator: no KVM"),
            (failed(Part::BusyThreads, "x"), "no busy threads: x"),
            (failed(Part::Peer, "agent refused: x"), "peer: agent refused: x"),
            (failed(Part::Target, "agent refused: x"), "target: agent refused: x"),
            (died(Endpoint::Target), "guest died: qemu was killed by SIGKILL"),
            (died(Endpoint::Peer), "guest died: the peer's: qemu was killed by SIGKILL"),
            (
                ended(Endpoint::Target, "exit status: 1: target: gone"),
                "target's agent ended: exit status: 1: target: gone",
            ),
            (ended(Endpoint::Peer, "signal: 9"), "peer's agent ended: signal: 9"),
            (lost(NicLoss::Gone, None), "the guest's measured NIC is gone"),
            (lost(NicLoss::Down, Some("target: late")), "the guest's measured NIC is down: target: late"),
            (lost(NicLoss::NoCarrier, None), "the guest's measured NIC has no carrier"),
            (VoidReason::Late { within_s: 25 }, "block not done within 25 s"),
            (VoidReason::NoImage { kernel: "6.1".into() }, "no image 6.1 was built for this run"),
            (
                VoidReason::OtherLocaltime { found: true },
                "the target has an /etc/localtime, and its configuration says localtime = \"absent\"",
            ),
            (
                VoidReason::OtherLocaltime { found: false },
                "the target has no /etc/localtime, and its configuration says localtime = \"present\"",
            ),
            (VoidReason::NoGuestToPause, "a host cannot be paused, only a guest"),
            (
                VoidReason::NoOutcome { void: 40, most: "trial deadline".into() },
                "no trial had an outcome (40 void, most often: trial deadline)",
            ),
            (
                VoidReason::NoCounter { counter: "path.rule.x".into() },
                "fault unproven: there is no counter path.rule.x",
            ),
            (
                VoidReason::NoEffect(risen("target.TcpExt.TCPAbortOnData", -1)),
                "fault had no effect: target.TcpExt.TCPAbortOnData rose by -1 in 40 trials",
            ),
            (
                VoidReason::UnclaimedEffect(risen("path.rule.x", 3)),
                "fault had an effect where its path says that it has none: path.rule.x rose by 3 in 40 trials",
            ),
            (
                VoidReason::Bug { what: "index out of bounds (rig/src/x.rs:3)".into() },
                "rig has a bug: index out of bounds (rig/src/x.rs:3)",
            ),
            (VoidReason::NotPlanned, "it is not in the plan"),
            (VoidReason::MoreThanPlanned { trials: 41, planned: 40 }, "it has 41 trials, 40 were planned"),
            (VoidReason::Other("guest hung".into()), "guest hung"),
        ]
    }

    #[test]
    fn each_reason_has_its_sentence_and_is_read_back_from_it() {
        for (reason, sentence) in sentences() {
            assert_eq!(reason.to_string(), sentence);
            assert_eq!(VoidReason::from(sentence), reason);
        }
    }

    #[test]
    fn every_part_and_every_loss_is_read_back() {
        for part in Part::ALL {
            let reason = VoidReason::Failed { part, why: "x: y".into() };
            assert_eq!(VoidReason::from(reason.to_string()), reason);
        }
        for loss in NicLoss::ALL {
            let reason = VoidReason::NicLost { loss, then: None };
            assert_eq!(VoidReason::from(reason.to_string()), reason);
        }
    }

    #[test]
    fn what_another_version_wrote_is_kept_word_for_word() {
        for sentence in [
            "",
            "block not done within 007 s",
            "fault had no effect: x rose by +1 in 2 trials",
            "fault had no effect: nobody knows",
            "the guest's measured NIC is down, perhaps",
        ] {
            assert_eq!(VoidReason::from(sentence), VoidReason::Other(sentence.to_owned()));
        }
    }

    #[test]
    fn a_table_marks_a_reason_of_a_block_and_not_that_of_a_trial() {
        assert_eq!(VoidReason::Trial("trial deadline".into()).in_table(), "trial deadline");
        assert_eq!(VoidReason::NotPlanned.in_table(), "block: it is not in the plan");
    }

    proptest! {
        #[test]
        fn what_lies_on_disk_is_never_rewritten(number in 0..sentences().len(), extra in ".{0,20}", cut in 0_usize..60) {
            let (_, sentence) = sentences()[number].clone();
            for text in [format!("{sentence}{extra}"), sentence.chars().take(cut).collect(), extra] {
                let json = serde_json::to_string(&VoidReason::from(text.as_str())).unwrap();
                prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            }
        }
    }
    #[test]
    fn a_recorded_reason_is_one_line_of_bounded_length() {
        let paints = |how: &str| VoidReason::GuestDied { whose: Endpoint::Target, how: how.into() }.plain();
        assert_eq!(
            paints("\u{1b}[2Jrun 1: all cells complete\n"),
            VoidReason::GuestDied {
                whose: Endpoint::Target,
                how: "\u{fffd}[2Jrun 1: all cells complete ".into()
            }
        );
        assert_eq!(paints(&"x".repeat(1 << 20)).to_string().len(), 2 << 10);
        for (reason, _) in sentences() {
            assert_eq!(reason.clone().plain(), reason);
        }
    }
}
