//! Each rule in words: what supports a part of a claim, and what refutes it.
//!
//! Must not know a run. Units: as people write them. Errors: none. Tests: `tests.rs`, `tests/cli`.

use rig_protocol::Errno;

use super::claim::Part;
use super::rule::{Differs, Direction, PerTrial, Returns, Rule, Said, Takes, What};

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InWords {
    /// What is looked at.
    pub looks_at: String,
    /// What supports the part.
    pub supported: String,
    /// What refutes it.
    pub refuted: String,
}

impl InWords {
    fn of(looks_at: impl Into<String>, supported: impl Into<String>, refuted: impl Into<String>) -> Self {
        Self { looks_at: looks_at.into(), supported: supported.into(), refuted: refuted.into() }
    }
}

impl Part {
    /// Its rule in words.
    pub fn in_words(&self) -> InWords {
        match &self.rule {
            Rule::Ends(ends) if ends.at_least.is_some() => {
                let least = share(ends.at_least.unwrap_or_default());
                let claimed = ends.claimed.join(" or ");
                InWords::of(
                    "how the trials end",
                    format!("surely at least {least} of the trials end as {claimed}"),
                    format!("surely fewer than {least} of the trials end as {claimed}"),
                )
            }
            Rule::Ends(ends) => InWords::of(
                "how the trials end",
                format!("surely all but the margin end as {}", ends.claimed.join(" or ")),
                format!("surely all but the margin end otherwise, as {}", ends.otherwise.join(" or ")),
            ),
            Rule::Returns(returns) => of_returns(returns),
            Rule::Differs(differs) => of_differs(differs),
            Rule::PerTrial(rule) => of_per_trial(rule),
            Rule::Order(order) => InWords::of(
                format!(
                    "how the trials end by the TCP state before the verdict call ({} or another)",
                    order.when
                ),
                format!(
                    "after {} surely all but the margin end as {}, after another state as {}",
                    order.when,
                    order.claimed.join(" or "),
                    order.else_claimed.join(" or ")
                ),
                "after one of the two surely none but the margin end so",
            ),
            Rule::Said(said) => of_said(said),
            Rule::Takes(takes) => of_takes(takes),
            Rule::Documented { reason, source } => {
                InWords::of(format!("no measurement: {reason} ({source})"), "nothing", "nothing")
            }
        }
    }
}

fn names(errnos: &[Errno]) -> String {
    match errnos {
        [] => "any errno".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    }
}

/// A share as its file says it: in millionths, and none is rounded away.
pub fn share(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

fn of_returns(returns: &Returns) -> InWords {
    let most = returns.at_most.map_or("the run's margin".to_owned(), share);
    InWords::of(
        format!("how often the verdict call returns -1 with {}", names(&returns.errnos)),
        "it is seen, and nobody injected it",
        format!("it is never seen, in so many trials that its rate is surely not above {most}"),
    )
}

fn of_differs(differs: &Differs) -> InWords {
    let Differs { a, b, what, claimed, margin, least } = differs;
    let looks_at = match what {
        What::Rate(errnos) => format!("how often the verdict call returns -1 with {}", names(errnos)),
        What::Share(pattern) => format!("how often a trial ends as {pattern}"),
        What::ClosedBeforeCall => "how often TCP_INFO says CLOSE before the verdict call".to_owned(),
        What::Latency => "the median of the verdict call's duration, from the recorded histograms".to_owned(),
    };
    let unless = match least {
        0 => String::new(),
        least => format!("; decided only where {least} or more trials of both sides together are so"),
    };
    let margin = match (margin, what) {
        (None, What::Latency) => "nothing".to_owned(),
        (None, _) => "the run's margin".to_owned(),
        (Some(ns), What::Latency) => format!("{} us", ns / 1e3),
        (Some(margin), _) => share(*margin),
    };
    let shown = |side: &str| format!("a difference is shown, with more in {side}");
    let (supported, refuted) = match claimed {
        Direction::AMore => (shown("a"), format!("a surely has not more by over {margin}")),
        Direction::BMore => (shown("b"), format!("b surely has not more by over {margin}")),
        Direction::Differs => (
            "a difference is shown that may be over the margin".to_owned(),
            format!("the two are the same within {margin}"),
        ),
        Direction::Same => (
            format!("the two are the same within {margin}"),
            "a difference is shown that may be over the margin".to_owned(),
        ),
    };
    InWords::of(format!("{looks_at}: a is {a}; b is {b}{unless}"), supported, refuted)
}

fn of_per_trial(rule: &PerTrial) -> InWords {
    let PerTrial { counter, ratio, tolerance, or_more } = rule;
    let or_more = if *or_more { " or more" } else { "" };
    let but = if *tolerance > 0.0 { share(*tolerance) } else { "the margin".to_owned() };
    InWords::of(
        format!("{} in each cell, block by block", counter.name()),
        format!("in every cell it rises by {ratio}{or_more} in surely all trials but {but}"),
        "in one cell it surely does not",
    )
}

fn of_said(said: &Said) -> InWords {
    let named = [
        said.kernel.as_ref().map(|kernel| format!("the kernel returned {kernel}")),
        said.libc.map(|errno| format!("libc then held {errno}")),
        said.localtime.map(|errno| format!("libc held {errno} after localtime(), or at the program's line")),
        said.program.map(|errno| format!("the program said {errno}")),
    ];
    let all = named.into_iter().flatten().collect::<Vec<_>>().join(", and ");
    InWords::of(
        format!("how often {all}"),
        "it is seen, and nobody injected it",
        "it is never seen, in so many trials that its rate is surely not above the run's margin",
    )
}

fn of_takes(takes: &Takes) -> InWords {
    let time = |ns: u64| match ns {
        ns if ns.is_multiple_of(1_000_000_000) => format!("{} s", ns / 1_000_000_000),
        ns if ns.is_multiple_of(1_000_000) => format!("{} ms", ns / 1_000_000),
        ns => format!("{} us", ns as f64 / 1e3),
    };
    let (from, to) = (time(takes.from_ns), time(takes.to_ns));
    let of = takes
        .share
        .map_or("all trials but the margin".to_owned(), |of| format!("{} of the trials", share(of)));
    InWords::of(
        format!("how long the verdict call lasts, from the recorded histogram: {from} to {to}"),
        format!("surely {of} lie within"),
        format!("surely fewer than {of} lie within"),
    )
}
