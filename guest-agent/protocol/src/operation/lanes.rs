//! Time, marks, signals, injection: what orders lanes and disturbs calls.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! lanes_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
        /// clock_nanosleep(2) on `CLOCK_MONOTONIC`.
        Sleep {
            /// How long; named as it reads: `{ op = "sleep", for = "3s" }`.
            #[serde(rename = "for")]
            duration: Delay = required("for", FieldKind::Delay),
        } => {
            name: "sleep",
            about: "sleep on CLOCK_MONOTONIC",
            system_call: "clock_nanosleep(2)",
            wait: Wait::Whole,
            failure: FailureReport::Return,
        }

        /// The C library's localtime(): what a program does to stamp its log line between the call and the printing of errno;
        /// glibc sets `ENOENT` where /etc/localtime is absent and TZ is unset. The observation's errno is the one after it.
        Localtime {} => {
            name: "localtime",
            about: "call libc's localtime(), as a log line does",
            system_call: "the C library's localtime(3)",
            failure: FailureReport::Return,
        }

        /// Lets every `await` of this mark go on.
        Mark {
            /// Which.
            mark: Mark = FieldSchema::defining("mark", FieldKind::Mark),
        } => {
            name: "mark",
            about: "release the lanes that await it",
            system_call: "none",
            player: Player::Target,
            failure: FailureReport::Return,
        }

        /// Waits for a mark set by another lane of the same side.
        Await {
            /// Which.
            mark: Mark = required("mark", FieldKind::Mark),
            /// Gives up after this; the trial is then void.
            timeout: Delay = required("timeout", FieldKind::Delay),
        } => {
            name: "await",
            about: "wait for a mark of another lane of the same side",
            system_call: "none",
            player: Player::Target,
            wait: Wait::AtMost,
            failure: FailureReport::Return,
        }

        /// Arms the seccomp filter for the next `select` (call = "select") of this lane: in `rate_ppm` of the trials, spread
        /// evenly and at random places, that call returns `errno` without reaching the kernel's select. seccomp(2) `SECCOMP_RET_ERRNO`.
        Inject {
            /// What select returns.
            errno: Errno = required("errno", FieldKind::Errno),
            /// How often, in parts per million of the trials.
            rate_ppm: u32 = required("rate", FieldKind::Rate).on_the_wire("rate_ppm"),
        } => {
            name: "inject",
            about: "make the next select return an errno in a known share of the trials (seccomp)",
            system_call: "seccomp(2) `SECCOMP_RET_ERRNO`",
            player: Player::Target,
            failure: FailureReport::Return,
        }

        /// rt_tgsigqueueinfo(2) to the thread that plays the lane, whether it is in a call, between two, or has ended. signal(7).
        Signal {
            /// Whose thread.
            lane: LaneIndex = required("lane", FieldKind::Lane),
            /// What the handler is like.
            #[serde(default)]
            handler: Handler = choice("handler", Handler::WORDS, "interrupt"),
            /// Closed by the handler `close`, which needs it; the others take none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            socket: Option<Slot> = FieldSchema::optional("socket", FieldKind::Socket, "none"),
        } => {
            name: "signal",
            about: "interrupt another lane by a signal",
            system_call: "rt_tgsigqueueinfo(2)",
            player: Player::Target,
            failure: FailureReport::Return,
        }

        /// How many handlers ran in this lane's thread since the trial began, SIGPIPE's among them.
        SignalsSeen {
        } => {
            name: "signals_seen",
            about: "count the signal handlers that ran in this lane: `signals=1`",
            system_call: "none",
            player: Player::Target,
            failure: FailureReport::Return,
            labels: Labels::SIGNALS,
        }
    } };
}
