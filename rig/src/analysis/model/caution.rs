//! What a reader must know before they believe a number: each caution with its advice, and one rendering.
//!
//! Holds facts and words. Must not decide whether a caution holds: `cautions.rs` does.
//! Units: counts, shares of 1. Errors: none.
//! Tests: here, `tests/golden/analysis.rs`, the golden reports.

use std::fmt::{self, Display, Formatter};

use super::super::words::{Rounding, count, list, p_value, percent, several, share};
use super::question::Question;

/// What a reader must know.
#[derive(Debug, Clone, PartialEq)]
pub enum Caution {
    /// A file of the record is damaged or missing: the reader's words.
    Record(String),
    /// The record declares no usable confidence; this one is used.
    Confidence(f64),
    /// About the kernels at both ends.
    Ends(EndCaution),
    /// About what passed between them.
    Packets(PacketCaution),
    /// About trials, blocks and controls.
    Trials(TrialCaution),
}

/// About host, guests and agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCaution {
    /// The run took place in an emulated KVM host.
    Rehearsed,
    /// "Bare metal" is itself virtual, of this hypervisor; or may be: none.
    VirtualHost(Option<String>),
    /// Host and guests differ in whether they have an /etc/localtime.
    Localtime {
        /// Whether the host has one.
        host: bool,
        /// The configurations whose guests differ from it.
        guests: Vec<String>,
    },
    /// Guests were emulated; why, or empty.
    Emulated(String),
    /// In these configurations somebody on the host ends the guest's TCP.
    Proxied {
        /// Who.
        by: &'static str,
        /// The configurations.
        configurations: Vec<String>,
    },
    /// In these configurations not every block proves vhost-net.
    VhostUnproven(Vec<String>),
    /// This configuration boots a disk of its own.
    OwnSystem {
        /// Which configuration.
        configuration: String,
        /// PRETTY_NAME of its os-release, and its init; what is not known is empty.
        system: [String; 2],
        /// Number of lines of its packet filter's rules.
        rules: usize,
        /// Settings of its kernel that are not the host's: name, value there, the host's.
        settings: Vec<[String; 3]>,
    },
    /// So many cells were played by another agent.
    ForeignAgent(usize),
    /// In this configuration another QEMU ran than the one that was found, or it was given more than was asked for.
    OtherQemu {
        /// Which configuration.
        configuration: String,
        /// The program that PATH has.
        found: String,
        /// The program that ran.
        ran: String,
        /// What it was given besides.
        added: Vec<String>,
    },
    /// In this configuration the QEMU process could not be looked at.
    QemuNotSeen {
        /// Which configuration.
        configuration: String,
        /// Why not.
        why: String,
    },
    /// The machines of a configuration were not all alike.
    MachinesDiffer {
        /// Which configuration.
        configuration: String,
        /// With which kernel.
        kernel: String,
        /// Of how many kinds.
        kinds: usize,
    },
}

/// About packets, as witness and kernels count them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacketCaution {
    /// The witness lost so many.
    WitnessLost(u64),
    /// In these configurations nobody watched.
    Unwatched(Vec<String>),
    /// Cells of guests whose resets neither a witness nor a peer on the host has counted.
    WordAlone {
        /// How many.
        cells: usize,
        /// Their configurations.
        configurations: Vec<String>,
    },
    /// Witness and kernels count different numbers of RSTs.
    ResetsDisagree {
        /// In how many cells.
        cells: usize,
        /// Where they are furthest apart.
        worst: CellName,
        /// Seen there.
        wire: u64,
        /// Sent there, as the kernels say.
        sent: u64,
    },
    /// Segments were sent again over plain links.
    SentAgain {
        /// In how many cells.
        cells: usize,
        /// Where most.
        worst: CellName,
        /// How many there.
        segments: u64,
    },
}

/// About trials, blocks and controls.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialCaution {
    /// A configuration injects errnos: what it shows is no measurement.
    Dosed {
        /// Which configuration.
        configuration: String,
        /// Which errno.
        errno: String,
        /// In which share of trials.
        rate: f64,
    },
    /// These controls failed (`control in configuration kernel`).
    ControlsFailed(Vec<String>),
    /// These controls were played, and the fault that they must find was in no trial (named as those that failed).
    ControlsNotExercised(Vec<String>),
    /// So many cells are blind.
    Blind(usize),
    /// Blocks of the plan were not played.
    NotComplete,
    /// Trials are void.
    Void {
        /// How many.
        trials: u64,
        /// In how many cells.
        cells: usize,
    },
    /// So many cells were skipped.
    Skipped(usize),
    /// So many cells have one block only.
    SingleBlock(usize),
    /// The blocks of a cell differ among themselves.
    BlocksDiffer {
        /// Which cell.
        cell: CellName,
        /// In what.
        question: Question,
        /// Corrected.
        p: f64,
    },
    /// Hits lie in few of a cell's few blocks: the methods for so few boots may mislead.
    Clumped {
        /// In how many cells.
        cells: usize,
        /// Where most,
        most: CellName,
        /// in what,
        question: Question,
        /// with this correlation of two trials of one block,
        icc: f64,
        /// in so many blocks.
        blocks: usize,
    },
    /// Trials that end alike come in clusters within their blocks.
    Clustered {
        /// In how many cells.
        cells: usize,
        /// Where most surely.
        surest: CellName,
        /// Which trials there.
        what: String,
        /// How much more the windows of a block vary than with independent trials.
        ratio: f64,
        /// Corrected.
        p: f64,
    },
    /// Calls failed in attempts at blocks that do not count.
    SeenWhereNothingCounts {
        /// How often, by errno.
        errnos: Vec<(String, u64)>,
        /// In how many attempts.
        attempts: usize,
    },
}

/// A cell, as cautions name one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellName {
    /// Scenario and parameters.
    pub subject: String,
    /// Configuration.
    pub configuration: String,
    /// Kernel axis value.
    pub kernel: String,
}

impl Display for CellName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.subject, self.configuration, self.kernel)
    }
}

impl Caution {
    /// What to make of it, or to do about it; none where the fact says it all.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Record(_) | Self::Confidence(_) | Self::Ends(_) => None,
            Self::Packets(caution) => caution.advice(),
            Self::Trials(caution) => caution.advice(),
        }
    }
}

/// The fact, and the advice behind it.
impl Display for Caution {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(words) => f.write_str(words)?,
            Self::Confidence(used) => {
                let used = percent(*used, Rounding::Nearest);
                write!(f, "the record declares no usable confidence; {used} is used")?;
            }
            Self::Ends(caution) => caution.fact(f)?,
            Self::Packets(caution) => caution.fact(f)?,
            Self::Trials(caution) => caution.fact(f)?,
        }
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl EndCaution {
    fn fact(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rehearsed => f.write_str(
                "rehearsed in an emulated KVM host: behaviour counts, timings mean nothing and are left out",
            ),
            Self::VirtualHost(hypervisor) => {
                let which = hypervisor.as_deref().unwrap_or("not known whether");
                write!(
                    f,
                    "\"bare metal\" is itself a virtual machine ({which}): this run compares virtual with virtual"
                )
            }
            Self::Localtime { host, guests } => {
                let (host, others) = if *host { ("has", "have not") } else { ("has not", "have") };
                let guests = list(guests);
                write!(
                    f,
                    "the host {host} an /etc/localtime, guests of {guests} {others}: localtime() then leaves ENOENT in errno on one side only"
                )
            }
            Self::Emulated(reason) => {
                let why = if reason.is_empty() { String::new() } else { format!(", because {reason}") };
                write!(
                    f,
                    "guests were emulated (TCG){why}: their results and timings are not those of KVM guests"
                )
            }
            Self::Proxied { by, configurations } => write!(
                f,
                "{}: {by} ends TCP on the way: the guest gets its resets, not the peer's",
                list(configurations)
            ),
            Self::VhostUnproven(configurations) => write!(
                f,
                "{}: not every block proves that vhost-net carried its packets",
                list(configurations)
            ),
            Self::OwnSystem { configuration, system, rules, settings } => {
                own_system(f, (configuration, system), *rules, settings)
            }
            Self::ForeignAgent(cells) => write!(
                f,
                "{} played by an agent whose file is not the one that the run declares",
                several(*cells, "cell")
            ),
            Self::OtherQemu { configuration, found, ran, added } => {
                other_qemu(f, configuration, (found, ran), added)
            }
            Self::QemuNotSeen { configuration, why } => {
                write!(f, "{configuration}: which QEMU ran could not be seen ({why})")
            }
            Self::MachinesDiffer { configuration, kernel, kinds } => write!(
                f,
                "the machines of {configuration} ({kernel}) were of {kinds} kinds, which differ in QEMU, features or offloads: see `machines` in report.json"
            ),
        }
    }
}

fn own_system(
    f: &mut Formatter<'_>,
    (configuration, system): (&str, &[String; 2]),
    rules: usize,
    settings: &[[String; 3]],
) -> fmt::Result {
    let system = system.iter().filter(|word| !word.is_empty()).map(String::as_str);
    let system = system.collect::<Vec<_>>().join(", ");
    write!(f, "{configuration} boots a system of its own ({system}): ")?;
    match rules {
        0 => f.write_str("it has no packet filter rules that nft shows; ")?,
        lines => write!(f, "its packet filter has rules ({}); ", several(lines, "line"))?,
    }
    if settings.is_empty() {
        return f.write_str("what it sets of TCP is as on the host");
    }
    let settings =
        settings.iter().map(|[name, there, host]| format!("{name} is {there} ({host} on the host)"));
    f.write_str(&settings.collect::<Vec<_>>().join(", "))
}

fn other_qemu(
    f: &mut Formatter<'_>,
    configuration: &str,
    (found, ran): (&str, &str),
    added: &[String],
) -> fmt::Result {
    match (found == ran, found.is_empty()) {
        (true, _) if added.is_empty() => {
            write!(f, "{configuration}: {ran} ran, and its file had changed since the run began")?;
        }
        (true, _) | (false, true) => write!(f, "{configuration}: {ran} ran")?,
        (false, false) => write!(f, "{configuration}: the QEMU in PATH is {found}, and {ran} ran")?,
    }
    if added.is_empty() { Ok(()) } else { write!(f, ", with `{}` added", added.join(" ")) }
}

impl PacketCaution {
    fn fact(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WitnessLost(packets) => write!(
                f,
                "the packet witness lost {} packets: its RST counts are lower bounds",
                count(*packets)
            ),
            Self::Unwatched(configurations) => write!(
                f,
                "{}: no witness, because no interface of the host carries the packets of two guests",
                list(configurations)
            ),
            Self::WordAlone { cells, configurations } => write!(
                f,
                "{} of {} were counted by the guest alone: no witness saw their packets, and no peer on the host counted its resets",
                several(*cells, "cell"),
                list(configurations)
            ),
            Self::ResetsDisagree { cells, worst, wire, sent } => write!(
                f,
                "packets and kernel counters disagree on the number of RSTs in {}; most in {worst}: {} on the wire, {} sent",
                several(*cells, "cell"),
                count(*wire),
                count(*sent)
            ),
            Self::SentAgain { cells, worst, segments } => write!(
                f,
                "segments were sent again in {}, most in {worst}: {}",
                several(*cells, "cell"),
                count(*segments)
            ),
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::WitnessLost(_) | Self::ResetsDisagree { .. } => None,
            Self::Unwatched(_) => Some(
                "their RSTs are counted by the two kernels only, and a difference from bare metal may come from the peer, which is a guest there too",
            ),
            Self::WordAlone { .. } => Some("nothing that was measured outside of the guest can confirm them"),
            Self::SentAgain { .. } => Some(
                "on a plain link the cause is load (full queues, or kernels that waited to run): the testbed may have caused timeouts there; lower in_flight, or free the host",
            ),
        }
    }
}

fn seen_where_nothing_counts(f: &mut Formatter<'_>, errnos: &str, attempts: usize) -> fmt::Result {
    write!(
        f,
        "calls failed in attempts at blocks that do not count (void or stopped), and are in no rate: {errnos} in {}",
        several(attempts, "attempt")
    )
}

fn dosed(f: &mut Formatter<'_>, configuration: &str, errno: &str, rate: f64) -> fmt::Result {
    write!(
        f,
        "configuration {configuration} injects {errno} into {} of its trials (`inject`): what it shows is a proof of the measuring, and no measurement",
        percent(rate, Rounding::Nearest)
    )
}

impl TrialCaution {
    fn fact(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dosed { configuration, errno, rate } => dosed(f, configuration, errno, *rate),
            Self::ControlsFailed(controls) => write!(f, "controls failed: {}", list(controls)),
            Self::ControlsNotExercised(controls) => {
                write!(
                    f,
                    "controls that prove nothing, because their errno occurred never or too seldom: {}",
                    list(controls)
                )
            }
            Self::Blind(n) => {
                let (cells, are) = (several(*n, "cell"), if *n == 1 { "is" } else { "are" });
                write!(
                    f,
                    "{cells} {are} blind: no passing control proves that an errno would have been seen there"
                )
            }
            Self::NotComplete => f.write_str("the run did not play all blocks of its plan"),
            Self::Void { trials, cells } => {
                let (trials, cells) = (count(*trials), several(*cells, "cell"));
                write!(
                    f,
                    "{trials} trials in {cells} are void (the testbed failed): they have no outcome and are in no rate"
                )
            }
            Self::Skipped(n) => write!(f, "{} skipped", several(*n, "cell")),
            Self::SingleBlock(n) => {
                let (cells, have) = (several(*n, "cell"), if *n == 1 { "has" } else { "have" });
                write!(
                    f,
                    "{cells} {have} one block only: what one boot shows cannot be told from what the machine does"
                )
            }
            Self::BlocksDiffer { cell, question, p } => write!(
                f,
                "the blocks of {cell} differ from each other in {question} (corrected p {}): more boots would narrow its interval, more trials would not",
                p_value(*p)
            ),
            Self::Clumped { cells, most, question, icc, blocks } => write!(
                f,
                "hits are clumped in few boots in {}, most in {most}: {question}, correlation {} in {} blocks",
                several(*cells, "cell"),
                share(*icc),
                blocks
            ),
            Self::Clustered { cells, surest, what, ratio, p } => write!(
                f,
                "the trials of a block end alike more often than independent trials would in {}, most clearly `{what}` in {surest} (variance {ratio:.1} times that of \
                 independent trials, corrected p {})",
                several(*cells, "cell"),
                p_value(*p)
            ),
            Self::SeenWhereNothingCounts { errnos, attempts } => {
                let errnos: Vec<String> =
                    errnos.iter().map(|(errno, n)| format!("{} {errno}", count(*n))).collect();
                seen_where_nothing_counts(f, &list(&errnos), *attempts)
            }
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Dosed { .. } => Some("take `inject` out of the matrix file to measure"),
            Self::ControlsFailed(_) => Some("do not trust what the report says of that errno there"),
            Self::ControlsNotExercised(_) => Some("give them more trials (`control_trials`)"),
            Self::NotComplete => Some("`rig matrix run --resume` continues it"),
            Self::Skipped(_) => Some("the table says why"),
            Self::Clustered { .. } => {
                Some("such trials say less than independent ones: intervals take the boot as their unit")
            }
            Self::Clumped { .. } => Some(
                "with fewer than 8 boots a 95 % interval may then hold the truth in 87 % of runs only, and a difference may be false in 22 %: play more boots",
            ),
            Self::SeenWhereNothingCounts { .. } => Some("`not_counted` in report.json says where"),
            Self::Blind(_) | Self::Void { .. } | Self::SingleBlock(_) | Self::BlocksDiffer { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_stands_behind_the_fact() {
        let skipped = Caution::Trials(TrialCaution::Skipped(2));
        assert_eq!(skipped.advice(), Some("the table says why"));
        assert_eq!(skipped.to_string(), "2 cells skipped; the table says why");
        let void = Caution::Trials(TrialCaution::Void { trials: 1_200, cells: 1 });
        assert_eq!(void.advice(), None);
        assert!(void.to_string().starts_with("1,200 trials in 1 cell are void (the testbed failed): "));
    }
}
