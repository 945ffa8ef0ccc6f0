//! Labels: the words that stand for what a step returned, and that make up an outcome.
//!
//! Holds the one place where a return value, what was ready and how long it took become words. Must not count, and knows no operation:
//! rows of the table choose from here. The words are part of the scenario language: `expect` patterns are written with them.
//! A label is `WORD`, `WORD=NUMBER`, `WORD:TIME` or `WORD=NUMBER:TIME`. Units: nanoseconds. Errors: none; an errno is a label like any other.
//! Tests: below.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{Errno, TcpState, TimeClass, TimeRange};

/// Which of the verdict call's descriptors were ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// At least one descriptor of the read set.
    pub readable: bool,
    /// At least one of the write set.
    pub writable: bool,
    /// At least one of the exceptional set.
    pub exceptional: bool,
}

/// What a step saw, as far as its label tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// What the call returned; a failure is `-errno`.
    pub returned: i64,
    /// What was ready, of a call that waits for readiness in sets.
    pub ready: Option<Readiness>,
    /// What was ready, of a call that waits for readiness in bits: `revents` of all descriptors together (poll(2), epoll_wait(2)).
    pub events: Option<u32>,
    /// Begin to end of the call, in nanoseconds.
    pub elapsed_ns: u64,
}

/// The words for a step's success. A failure's word is the name of its errno, for every operation.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Every word that can be written, besides names of errnos. Several kinds of readiness are joined by `+`.
    pub words: &'static [&'static str],
    /// What each of these words means, in the same order.
    pub meanings: &'static [&'static str],
    /// The words behind which the return can stand as a number: `data=4`.
    pub counted: &'static [&'static str],
    /// Whether the number always stands there, and not only where the step asks for it.
    pub always: bool,
    write: fn(&mut String, Success),
}

/// A return that is no failure, with what decides on its word.
#[derive(Debug, Clone, Copy)]
struct Success {
    returned: i64,
    ready: Readiness,
    events: u32,
    /// Whether there are bits at all.
    polled: bool,
    /// How many bytes the call was asked to send.
    payload: Option<u64>,
}

/// The words and meanings of [`Labels::TCP_STATE`], and `absent`.
const LISTED: ([&str; 14], [&str; 14]) = {
    let mut listed = ([NOT_LISTED.0; 14], [NOT_LISTED.1; 14]);
    let mut at = 0;
    while at < Labels::TCP_STATE.words.len() {
        listed.0[at] = Labels::TCP_STATE.words[at];
        listed.1[at] = Labels::TCP_STATE.meanings[at];
        at += 1;
    }
    listed
};

/// What stands for a socket that a look from outside does not find.
const NOT_LISTED: (&str, &str) = ("absent", "the kernel lists no such socket");

/// Labels of one word that always has its number; of a look from outside, or [`NOT_LISTED`].
macro_rules! numbered {
    ($word:literal, $meaning:literal) => {
        Labels {
            words: &[$word],
            meanings: &[$meaning],
            counted: &[$word],
            always: true,
            write: |out, _| out.push_str($word),
        }
    };
    ($word:literal, $meaning:literal, or absent) => {
        Labels {
            words: &[$word, NOT_LISTED.0],
            meanings: &[$meaning, NOT_LISTED.1],
            write: |out, success| {
                out.push_str(if success.returned == Labels::ABSENT { NOT_LISTED.0 } else { $word })
            },
            ..numbered!($word, $meaning)
        }
    };
}

impl Labels {
    /// What a look from outside returns where the kernel lists no such socket.
    pub const ABSENT: i64 = i64::MAX;

    /// `ok`, whatever was returned.
    pub const OK: Self = Self {
        words: &["ok"],
        meanings: &["the call succeeded"],
        counted: &[],
        always: false,
        write: |out, _| out.push_str("ok"),
    };

    /// By the number of bytes that were read: `data`, or `eof` for none.
    pub const BYTES: Self = Self {
        words: &["data", "eof"],
        meanings: &[
            "the call returned at least one byte",
            "the call returned 0 bytes: the connection has ended",
        ],
        counted: &["data"],
        write: |out, success| out.push_str(if success.returned == 0 { "eof" } else { "data" }),
        ..Self::OK
    };

    /// By the number of bytes that were taken: `ok` for all, `short` for fewer.
    pub const SENT: Self = Self {
        words: &["ok", "short"],
        meanings: &["the kernel took all bytes", "the kernel took fewer bytes than it was given"],
        counted: &["ok", "short"],
        write: |out, Success { returned, payload, .. }| {
            let whole = payload.is_none_or(|asked| returned.unsigned_abs() >= asked);
            out.push_str(if whole { "ok" } else { "short" });
        },
        ..Self::OK
    };

    /// The number of bytes that wait: `pending=4`.
    pub const PENDING_BYTES: Self = numbered!("pending", "so many bytes can still be read");

    /// The number of bytes that are not acknowledged: `unsent=4`.
    pub const UNSENT_BYTES: Self = numbered!("unsent", "so many bytes are written and not acknowledged");

    /// What a select left of its timeout, in microseconds: `left=4`.
    pub const REMAINING: Self = numbered!("left", "so many microseconds are left in the timeout");

    /// A socket option: `value=4`.
    pub const VALUE: Self = numbered!("value", "the option has this value");

    /// Handlers that ran: `signals=4`.
    pub const SIGNALS: Self = numbered!("signals", "so many signal handlers ran in this lane");

    /// Lines of the kernel log: `lines=4`.
    pub const LINES: Self = numbered!("lines", "so many lines of the kernel log have the text");

    /// How often a timer has fired: `retries=4`.
    pub const RETRIES: Self = numbered!("retries", "the timer has fired so often", or absent);

    /// The length of a queue: `queued=4`.
    pub const QUEUED: Self = numbered!("queued", "the queue has this length", or absent);

    /// A socket's timer, as sock_diag(7) numbers it.
    pub const TIMER: Self = Self {
        words: &["off", "retransmit", "keepalive", "time-wait", "persist", NOT_LISTED.0],
        meanings: &[
            "no timer is armed",
            "data or a SYN is sent again when it fires: `on` of ss",
            "the peer is asked whether it is there",
            "the end of TIME-WAIT is awaited",
            "a closed window is probed",
            NOT_LISTED.1,
        ],
        write: |out, success| {
            let word =
                usize::try_from(success.returned).ok().and_then(|code| Self::TIMER.words[..5].get(code));
            out.push_str(word.copied().unwrap_or(NOT_LISTED.0));
        },
        ..Self::OK
    };

    /// The TCP state's name, as a list of all sockets shows it.
    pub const LISTED_STATE: Self = Self {
        words: &LISTED.0,
        meanings: &LISTED.1,
        write: |out, success| match success.returned {
            Self::ABSENT => out.push_str(NOT_LISTED.0),
            code => out.push_str(TcpState(u8::try_from(code).unwrap_or(0)).name()),
        },
        ..Self::OK
    };

    /// The task to which an event was attributed.
    pub const ATTRIBUTED: Self = Self {
        words: &["none", "own", "other", "idle"],
        meanings: &[
            "no such event since `trace`",
            "to a thread of this trial",
            "to another program that the CPU was executing",
            "to no program: the CPU was idle (`swapper`)",
        ],
        write: |out, success| {
            let code = usize::try_from(success.returned).unwrap_or(0);
            out.push_str(Self::ATTRIBUTED.words.get(code).copied().unwrap_or("none"));
        },
        ..Self::OK
    };

    /// A completion of io_uring: the bits of a poll, or the bytes of a receive.
    pub const COMPLETION: Self = Self {
        words: &event_words::<10>(&["none", "data", "eof"]),
        meanings: &event_meanings::<10>(&[
            "the poll completed, and no bit was set",
            "the receive got at least one byte",
            "the receive got 0 bytes: the connection has ended",
        ]),
        counted: &["data"],
        write: |out, success| match (success.polled, success.returned) {
            (true, _) => write_events(out, 1, success.events),
            (false, 0) => out.push_str("eof"),
            (false, _) => out.push_str("data"),
        },
        ..Self::OK
    };

    /// The TCP state's name.
    pub const TCP_STATE: Self = Self {
        words: &[
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT1",
            "FIN_WAIT2",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "CLOSING",
            "NEW_SYN_RECV",
            "unknown",
        ],
        meanings: &[
            "the connection is open in both directions",
            "the SYN was sent, no answer yet",
            "a SYN was received and answered",
            "this end has sent its FIN, and it is not acknowledged",
            "the FIN of this end is acknowledged, the other end may still send",
            "both ends have closed, late segments are waited for",
            "there is no connection any more, as after a RST",
            "the other end has sent its FIN, this end may still send",
            "this end sent its FIN after the other's, and waits for its acknowledgement",
            "the socket waits for connections",
            "both ends have sent their FIN at the same time",
            "a connection that is not accepted yet",
            "a number that is no TCP state",
        ],
        write: |out, success| out.push_str(TcpState(u8::try_from(success.returned).unwrap_or(0)).name()),
        ..Self::OK
    };

    /// By the errno that the call read as its value: its name, or `ok` for none.
    pub const PENDING_ERRNO: Self = Self {
        meanings: &[
            "the socket has no error; otherwise the label is the errno that was read, and cleared by that",
        ],
        write: |out, success| match success.returned {
            0 => out.push_str("ok"),
            errno => write_errno(out, errno),
        },
        ..Self::OK
    };

    /// By what was ready: `readable`, `writable`, `exceptional` or several joined by `+`, or `timeout`.
    pub const READINESS: Self = Self {
        words: &["readable", "writable", "exceptional", "timeout", "none"],
        meanings: &[
            "a descriptor of the read set was ready",
            "a descriptor of the write set was ready",
            "a descriptor of the exceptional set was ready",
            "the call returned 0: nothing was ready in time",
            "the call returned a number over 0, and no descriptor was ready",
        ],
        write: |out, success| write_readiness(out, success.returned, success.ready),
        ..Self::OK
    };

    /// By the bits of poll(2) and epoll_wait(2), of all descriptors together, joined by `+`; or `timeout`.
    pub const POLL: Self = Self {
        words: &event_words::<9>(&["timeout", "none"]),
        meanings: &event_meanings::<9>(&[
            "the call returned 0: nothing was ready in time",
            "the call returned a number over 0, and no bit was set",
        ]),
        write: |out, success| write_events(out, success.returned, success.events),
        ..Self::OK
    };

    /// Writes the label of a call that was asked to send `payload` bytes; with its number where `count` asks for it.
    pub(crate) fn write(&self, out: &mut String, seen: &Observed, payload: Option<u64>, count: bool) {
        let Observed { returned, ready, events, .. } = *seen;
        if let Some(Errno(number)) = Errno::of_return(returned) {
            return write_errno(out, i64::from(number));
        }
        let begin = out.len();
        let polled = events.is_some();
        let (ready, events) = (ready.unwrap_or_default(), events.unwrap_or_default());
        (self.write)(out, Success { returned, ready, events, polled, payload });
        if (count || self.always) && self.counted.contains(&&out[begin..]) {
            // Writing to a string cannot fail.
            let _ = write!(out, "={returned}");
        }
    }
}

/// What a label says of the time that its step took: a word behind a colon, `ok:slow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// Nothing within the range, [`Timing::EARLY`] and [`Timing::LATE`] outside.
    Within(TimeRange),
    /// The name of the first class that the time lies in, or [`Timing::OTHER`].
    Classes(Vec<TimeClass>),
}

impl Timing {
    /// Sooner than the range.
    pub const EARLY: &'static str = "early";
    /// Later than the range.
    pub const LATE: &'static str = "late";
    /// In no class.
    pub const OTHER: &'static str = "other";

    /// The words that no script names, and what each means.
    pub const WORDS: [(&'static str, &'static str); 3] = [
        (Self::EARLY, "the call took less than its `within`"),
        (Self::LATE, "the call took more than its `within`"),
        (Self::OTHER, "the call took a time in none of the ranges of its `time`"),
    ];

    /// The word for a step that took `elapsed_ns`.
    pub fn word(&self, elapsed_ns: u64) -> Option<&str> {
        let place = |range: TimeRange| match elapsed_ns {
            ns if ns < range.low_ns => Some(Self::EARLY),
            ns if ns > range.high_ns => Some(Self::LATE),
            _ => None,
        };
        match self {
            Self::Within(range) => place(*range),
            Self::Classes(classes) => {
                let found = classes.iter().find(|class| place(class.range).is_none());
                Some(found.map_or(Self::OTHER, |class| class.name.as_str()))
            }
        }
    }

    /// Every word that it can say.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Self::Within(_) => vec![Self::EARLY, Self::LATE],
            Self::Classes(classes) => {
                classes.iter().map(|class| class.name.as_str()).chain([Self::OTHER]).collect()
            }
        }
    }

    /// Whether a label can stand without a word: a time is within its range, and always in some class.
    pub fn may_be_silent(&self) -> bool {
        matches!(self, Self::Within(_))
    }
}

fn write_readiness(out: &mut String, returned: i64, ready: Readiness) {
    if returned == 0 {
        return out.push_str("timeout");
    }
    let before = out.len();
    let words =
        [(ready.readable, "readable"), (ready.writable, "writable"), (ready.exceptional, "exceptional")];
    for (_, word) in words.into_iter().filter(|(set, _)| *set) {
        if out.len() > before {
            out.push('+');
        }
        out.push_str(word);
    }
    if out.len() == before {
        // A positive return with three empty sets: nothing that Linux does, so it must not look like something that it does.
        out.push_str("none");
    }
}

/// The bits of poll(2), which are those of epoll_ctl(2) (include/uapi/asm-generic/poll.h), their words, and what these mean; POLLRDNORM and its kin
/// say the same as POLLIN and POLLOUT.
const EVENTS: [(u32, &str, &str); 7] = [
    (0x0041, "readable", "POLLIN: there is data to read, or the end of it"),
    (0x0002, "urgent", "POLLPRI: there is urgent data"),
    (0x0104, "writable", "POLLOUT: a write would not wait"),
    (0x0008, "error", "POLLERR: the socket has an error"),
    (0x0010, "hangup", "POLLHUP: both directions are shut down"),
    (0x0020, "invalid", "POLLNVAL: the number is no open descriptor"),
    (0x2000, "peer-closed", "POLLRDHUP: the peer has shut down its direction"),
];

/// The words of the bits, and `more` behind them.
const fn event_words<const N: usize>(more: &[&'static str]) -> [&'static str; N] {
    assert!(N == EVENTS.len() + more.len());
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < EVENTS.len() { EVENTS[at].1 } else { more[at - EVENTS.len()] };
        at += 1;
    }
    all
}

/// What these words mean, in the same order.
const fn event_meanings<const N: usize>(more: &[&'static str]) -> [&'static str; N] {
    assert!(N == EVENTS.len() + more.len());
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < EVENTS.len() { EVENTS[at].2 } else { more[at - EVENTS.len()] };
        at += 1;
    }
    all
}

fn write_events(out: &mut String, returned: i64, events: u32) {
    if returned == 0 {
        return out.push_str("timeout");
    }
    let words: Vec<&str> =
        EVENTS.iter().filter(|(bits, ..)| events & bits != 0).map(|(_, word, _)| *word).collect();
    out.push_str(if words.is_empty() { "none".to_owned() } else { words.join("+") }.as_str());
}

fn write_errno(out: &mut String, number: i64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", Errno(number as i32));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn written(labels: Labels, returned: i64, ready: [bool; 3], payload: Option<u64>, count: bool) -> String {
        let [readable, writable, exceptional] = ready;
        let ready = Some(Readiness { readable, writable, exceptional });
        let mut out = String::new();
        let seen = Observed { returned, ready, ..Observed::default() };
        labels.write(&mut out, &seen, payload, count);
        out
    }

    fn label(labels: Labels, returned: i64, ready: [bool; 3]) -> String {
        written(labels, returned, ready, None, false)
    }

    const NOTHING: [bool; 3] = [false; 3];

    #[test]
    fn each_kind_of_labels_has_its_words() {
        assert_eq!(label(Labels::READINESS, 1, [true, false, false]), "readable");
        assert_eq!(label(Labels::READINESS, 2, [true, true, false]), "readable+writable");
        assert_eq!(label(Labels::READINESS, 3, [true; 3]), "readable+writable+exceptional");
        assert_eq!(label(Labels::READINESS, 0, [true, false, false]), "timeout");
        assert_eq!(label(Labels::READINESS, 1, NOTHING), "none");
        assert_eq!(label(Labels::READINESS, -9, [true, false, false]), "EBADF");
        assert_eq!(label(Labels::BYTES, 0, NOTHING), "eof");
        assert_eq!(label(Labels::BYTES, 4, NOTHING), "data");
        assert_eq!(label(Labels::BYTES, -104, NOTHING), "ECONNRESET");
        assert_eq!(label(Labels::PENDING_ERRNO, 0, NOTHING), "ok");
        assert_eq!(label(Labels::PENDING_ERRNO, 104, NOTHING), "ECONNRESET");
        assert_eq!(label(Labels::PENDING_ERRNO, -9, NOTHING), "EBADF");
        assert_eq!(label(Labels::OK, 0, NOTHING), "ok");
        assert_eq!(label(Labels::OK, 7, NOTHING), "ok");
        assert_eq!(label(Labels::OK, -4095, NOTHING), "errno 4095");
        assert_eq!(label(Labels::TCP_STATE, 7, NOTHING), "CLOSE");
        assert_eq!(label(Labels::TCP_STATE, 13, NOTHING), "unknown");
        assert_eq!(label(Labels::TCP_STATE, -9, NOTHING), "EBADF");
        assert_eq!(label(Labels::PENDING_BYTES, 0, NOTHING), "pending=0");
        assert_eq!(label(Labels::PENDING_BYTES, -9, NOTHING), "EBADF");
    }

    #[test]
    fn bits_of_poll_have_their_words() {
        let label = |returned, events| {
            let seen = Observed { returned, events: Some(events), ..Observed::default() };
            let mut out = String::new();
            Labels::POLL.write(&mut out, &seen, None, false);
            out
        };
        assert_eq!(label(1, 0x18), "error+hangup");
        assert_eq!(label(1, 0x201d), "readable+writable+error+hangup+peer-closed");
        assert_eq!(label(1, 0x20), "invalid");
        assert_eq!([label(0, 0), label(1, 0), label(-4, 0)], ["timeout", "none", "EINTR"]);
        let words: BTreeSet<&str> =
            EVENTS.iter().map(|(_, word, _)| *word).chain(["timeout", "none"]).collect();
        assert_eq!(words, Labels::POLL.words.iter().copied().collect());
        assert_eq!(Labels::POLL.meanings.len(), Labels::POLL.words.len());
    }

    #[test]
    fn a_number_stands_behind_the_word_where_it_is_asked_for() {
        let of = |labels, returned, payload, count| written(labels, returned, NOTHING, payload, count);
        assert_eq!(of(Labels::BYTES, 14_480, None, true), "data=14480");
        assert_eq!(of(Labels::BYTES, 0, None, true), "eof");
        assert_eq!(of(Labels::BYTES, -104, None, true), "ECONNRESET");
        assert_eq!(of(Labels::SENT, 4, Some(4), false), "ok");
        assert_eq!(of(Labels::SENT, 3, Some(4), false), "short");
        assert_eq!(of(Labels::SENT, 0, Some(0), false), "ok");
        assert_eq!(of(Labels::SENT, 60_000, Some(60_000), true), "ok=60000");
        assert_eq!(of(Labels::SENT, 2_626_560, Some(67_108_864), true), "short=2626560");
        assert_eq!(of(Labels::SENT, -32, Some(4), true), "EPIPE");
        // An operation without counted words has no number, whatever is asked.
        assert_eq!(of(Labels::OK, 7, None, true), "ok");
    }

    #[test]
    fn a_time_is_in_its_range_with_both_ends_and_in_the_first_class_that_has_it() {
        let range = |low_ns, high_ns| TimeRange { low_ns, high_ns };
        let within = Timing::Within(range(10, 20));
        let words = [9, 10, 20, 21].map(|ns| within.word(ns));
        assert_eq!(words, [Some("early"), None, None, Some("late")]);
        let class = |name: &str, range| TimeClass { name: name.to_owned(), range };
        let classes = Timing::Classes(vec![class("fast", range(0, 10)), class("slow", range(10, 20))]);
        let words = [0, 10, 11, 20, 21].map(|ns| classes.word(ns));
        assert_eq!(words, ["fast", "fast", "slow", "slow", "other"].map(Some));
        assert_eq!(within.words(), ["early", "late"]);
        assert_eq!(classes.words(), ["fast", "slow", "other"]);
        assert!(within.may_be_silent() && !classes.may_be_silent());
    }

    #[test]
    fn the_states_have_the_kernel_s_names() {
        let names: Vec<&str> = (1..=13).map(|state| TcpState(state).name()).collect();
        assert_eq!(Labels::TCP_STATE.words, names);
    }

    /// What an expected outcome may be written with is what the agent writes: no word more, none less.
    #[test]
    fn the_words_are_those_that_successes_are_written_with() {
        for labels in crate::schemas().iter().map(|schema| schema.labels) {
            let (mut words, mut counted) = (BTreeSet::new(), BTreeSet::new());
            let absent = labels.words.contains(&"absent").then_some(Labels::ABSENT);
            for returned in (0..=13).chain([104]).chain(absent) {
                let polled = EVENTS.map(|(bits, ..)| Some(bits)).into_iter().chain([Some(0), None]);
                for events in polled {
                    let seen = Observed { returned, events, ..Observed::default() };
                    let mut label = String::new();
                    labels.write(&mut label, &seen, None, true);
                    words.insert(label.split('=').next().expect("a part").to_owned());
                }
                for bits in 0..8 {
                    let ready = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0];
                    let label = written(labels, returned, ready, Some(5), true);
                    if let Some((word, _)) = label.split_once('=') {
                        counted.insert(word.to_owned());
                    }
                    let word = label.split('=').next().expect("a part");
                    words.extend(word.split('+').map(str::to_owned));
                }
            }
            words.retain(|word| word.parse::<Errno>().is_err());
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words, owned(labels.words));
            assert_eq!(counted, owned(labels.counted));
            assert_eq!(labels.meanings.len(), labels.words.len(), "{:?}", labels.words);
        }
    }
}
