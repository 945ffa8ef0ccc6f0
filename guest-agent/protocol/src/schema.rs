//! The columns of the table of operations: what a row says of an operation besides its Rust variant.
//!
//! Holds the types of the columns; the rows are in `operation.rs`, the labels in `label.rs`. Must not know TOML, files or system calls.
//! Units: as each [`FieldKind`] says (nanoseconds, parts per million, errno numbers). Errors: none.
//! Tests: in `operation.rs`, over every row.

use crate::Labels;

/// One value out of a closed list, as the scenario file spells it.
pub type Choice = &'static [&'static str];

/// What kind of value a field takes in a scenario file, and how it becomes the JSON from which serde builds the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A socket variable: a string -> [`Slot`](crate::Slot).
    Socket,
    /// A list of socket variables -> `Vec<Slot>`.
    Sockets,
    /// `"5ms"`, `"uniform(0ms, 20ms)"` -> [`Delay`](crate::Delay).
    Delay,
    /// Any text.
    Text,
    /// A whole number within bounds (inclusive).
    Count {
        /// Smallest.
        low: u64,
        /// Largest.
        high: u64,
    },
    /// A probability, 0 to 1 (or `"1%"`) -> parts per million.
    Rate,
    /// `"ENOENT"` -> [`Errno`](crate::Errno).
    Errno,
    /// A word of a closed list.
    Choice(Choice),
    /// A mark's name -> [`Mark`](crate::Mark).
    Mark,
    /// `"3min"`: a time that is the same in every trial -> nanoseconds.
    Duration,
    /// `"950ms..1100ms"` -> [`TimeRange`](crate::TimeRange).
    TimeRange,
    /// A whole number that may be negative, within bounds (inclusive).
    Number {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
    },
    /// `true` or `false`.
    Flag,
    /// A list of words of a closed list.
    Words(Choice),
    /// A lane's name -> [`LaneIndex`](crate::LaneIndex).
    Lane,
}

impl FieldKind {
    /// One of each kind, in the order of a reference; the bounds of a count and the words of a choice are those of a field.
    pub const ALL: [Self; 15] = [
        Self::Socket,
        Self::Sockets,
        Self::Mark,
        Self::Delay,
        Self::Duration,
        Self::TimeRange,
        Self::Rate,
        Self::Errno,
        Self::Count { low: 0, high: u64::MAX },
        Self::Number { low: i64::MIN, high: i64::MAX },
        Self::Flag,
        Self::Choice(&[]),
        Self::Words(&[]),
        Self::Lane,
        Self::Text,
    ];

    /// What people call a value of this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Sockets => "list of sockets",
            Self::Delay => "delay",
            Self::Text => "text",
            Self::Count { .. } => "whole number",
            Self::Rate => "rate",
            Self::Errno => "errno",
            Self::Choice(_) => "word",
            Self::Mark => "mark",
            Self::Duration => "duration",
            Self::TimeRange => "range of times",
            Self::Number { .. } => "number",
            Self::Flag => "true or false",
            Self::Words(_) => "list of words",
            Self::Lane => "lane",
        }
    }

    /// How it is written, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Socket => {
                "the name of a descriptor that a step made: `connect`, `accept`, `listen`, `dup`, `epoll_create` and others"
            }
            Self::Sockets => "names of sockets; `[]` is none",
            Self::Delay => {
                "a time with its unit (`ns` `us` `ms` `s` `min` `h`), or a random one, drawn anew in each trial; one hour at most"
            }
            Self::Text => "any text; its bytes are UTF-8",
            Self::Count { .. } => "a whole number, without quotes, within the bounds of its field",
            Self::Rate => "a share of the trials from 0 to 1, or in per cent; whole parts per million",
            Self::Errno => "the name of an errno, as in errno(3)",
            Self::Choice(_) => "a word of the list of its field",
            Self::Mark => "the name of a mark that a `mark` sets",
            Self::Duration => "a time with its unit, the same in each trial; one hour at most",
            Self::TimeRange => "two times, the first below the second; both ends belong to it",
            Self::Number { .. } => {
                "a whole number, which may be negative, without quotes, within the bounds of its field"
            }
            Self::Flag => "`true` or `false`, without quotes",
            Self::Words(_) => "words of the list of its field; `[]` is none",
            Self::Lane => "the name of a lane of the same file",
        }
    }

    /// Values of this kind, as a scenario file has them.
    pub fn examples(self) -> &'static [&'static str] {
        match self {
            Self::Socket => &["\"conn\""],
            Self::Sockets => &["[\"conn\"]"],
            Self::Delay => &["\"5ms\"", "\"250us\"", "\"1.5s\"", "\"uniform(0ms, 20ms)\"", "\"0\""],
            Self::Text => &["\"ABCD\""],
            Self::Count { .. } => &["1024"],
            Self::Rate => &["\"1%\"", "0.01", "\"0.0001%\""],
            Self::Errno => &["\"ENOENT\""],
            Self::Choice(_) => &["\"read\""],
            Self::Mark => &["\"connected\""],
            Self::Duration => &["\"3min\"", "\"500ms\""],
            Self::TimeRange => &["\"950ms..1100ms\""],
            Self::Number { .. } => &["-1", "1500000"],
            Self::Flag => &["true"],
            Self::Words(_) => &["[\"readable\", \"writable\"]"],
            Self::Lane => &["\"client\""],
        }
    }
}

/// One field of an operation.
#[derive(Debug, Clone, Copy)]
pub struct FieldSchema {
    /// Key in the scenario file.
    pub name: &'static str,
    /// Key in the JSON form of the operation (differs where the unit is in the key).
    pub wire: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// What the field is where the file does not give it: a word of its list, `[]` for an empty list, `false`, a number, or `none` where it is
    /// then not there at all. `None`: it must be given.
    pub default: Option<&'static str>,
    /// The socket or mark that it names is *defined* by this step (`connect`, `accept`, `mark`).
    pub defines: bool,
    /// Another field that may stand instead: exactly one of the two must be given.
    pub alternative: Option<&'static str>,
}

impl FieldSchema {
    /// A field that must be given.
    pub(crate) const fn required(name: &'static str, kind: FieldKind) -> Self {
        Self { name, wire: name, kind, default: None, defines: false, alternative: None }
    }

    /// A field that may be left out.
    pub(crate) const fn optional(name: &'static str, kind: FieldKind, default: &'static str) -> Self {
        Self { default: Some(default), ..Self::required(name, kind) }
    }

    /// A field whose name begins to exist with this step.
    pub(crate) const fn defining(name: &'static str, kind: FieldKind) -> Self {
        Self { defines: true, ..Self::required(name, kind) }
    }

    /// A field that must be given, unless the field `alternative` is.
    pub(crate) const fn either(name: &'static str, kind: FieldKind, alternative: &'static str) -> Self {
        Self { alternative: Some(alternative), ..Self::required(name, kind) }
    }

    /// The same field under another key in the JSON form.
    pub(crate) const fn on_the_wire(self, wire: &'static str) -> Self {
        Self { wire, ..self }
    }
}

/// Whose lanes may play an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    /// Both ends.
    Both,
    /// The target only.
    Target,
    /// The peer only, as its first step and no other.
    PeerFirst,
}

/// Whether a step takes the time that its delay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// No: it has no delay, or only sets it for others. (A read or accept waits for the other end, not by its own parameters.)
    No,
    /// All of it, in every trial.
    Whole,
    /// Until something happens, but no longer than the delay.
    AtMost,
}

/// How the C library's function for an operation tells its caller of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReport {
    /// It returns -1 and sets errno: the agent then does the same, so that what a program would print can be recorded.
    Errno,
    /// It leaves errno alone: it returns the number (clock_nanosleep(3), pthread_cond_timedwait(3)), cannot fail, or is no function.
    Return,
}

/// One row of the table: all that is known of an operation apart from its doing.
#[derive(Debug, Clone, Copy)]
pub struct OpSchema {
    /// The value of `op`.
    pub name: &'static str,
    /// One line for `rig scenario show --operations` and for hints.
    pub about: &'static str,
    /// What the agent calls for it, with the manual's section.
    pub system_call: &'static str,
    /// In the order in which the one-line form prints them.
    pub fields: &'static [FieldSchema],
    /// Whose lanes may play it.
    pub player: Player,
    /// Whether it takes the time that its delay says.
    pub wait: Wait,
    /// How the C library reports its failure.
    pub failure: FailureReport,
    /// The words for its success.
    pub labels: Labels,
    /// Whether its result tells how the connection looks to the program after the verdict: its label then joins the outcome unless the
    /// step says otherwise.
    pub follow_up: bool,
}

impl OpSchema {
    /// What a row says where it is silent: a system call that either end makes, that does not wait, and whose success is `ok`.
    pub(crate) const ORDINARY: Self = Self {
        name: "",
        about: "",
        system_call: "",
        fields: &[],
        player: Player::Both,
        wait: Wait::No,
        failure: FailureReport::Errno,
        labels: Labels::OK,
        follow_up: false,
    };

    /// Whether it opens the socket that it names.
    pub fn opens(&self) -> bool {
        self.fields.iter().any(|field| field.kind == FieldKind::Socket && field.defines)
    }

    /// Whether it has a field of this kind.
    pub fn takes(&self, kind: FieldKind) -> bool {
        self.fields.iter().any(|field| field.kind == kind)
    }
}
