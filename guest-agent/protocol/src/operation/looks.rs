//! Looking at a connection: from the program, and from outside as the tools do.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! looks_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
        /// getsockopt `SO_ERROR`: returns *and clears* `sk_err`, so a read after it sees EOF where it would have seen the errno.
        SoError {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "so_error",
            about: "read and clear SO_ERROR",
            system_call: "getsockopt(2) `SO_ERROR`",
            labels: Labels::PENDING_ERRNO,
            follow_up: true,
        }

        /// getsockopt `TCP_INFO`: the observation's value is `tcpi_state` (7 is CLOSE), its label the state's name. tcp(7).
        TcpState {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "tcp_state",
            about: "read the state in TCP_INFO: the label is its name",
            system_call: "getsockopt(2) `TCP_INFO`",
            labels: Labels::TCP_STATE,
        }

        /// sock_diag(7): `idiag_state`; absent where the kernel lists no such socket.
        SocketState {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "socket_state",
            about: "the state that `ss` would show for this connection, also after close()",
            system_call: "netlink(7) `SOCK_DIAG_BY_FAMILY`",
            labels: Labels::LISTED_STATE,
        }

        /// sock_diag(7): `idiag_timer`.
        SocketTimer {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "socket_timer",
            about: "the timer that `ss -o` would show",
            system_call: "netlink(7) `SOCK_DIAG_BY_FAMILY`",
            labels: Labels::TIMER,
        }

        /// sock_diag(7): `idiag_retrans`.
        SocketRetries {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "socket_retries",
            about: "how often the timer of `ss -o` has fired: `retries=2`",
            system_call: "netlink(7) `SOCK_DIAG_BY_FAMILY`",
            labels: Labels::RETRIES,
        }

        /// sock_diag(7): `idiag_rqueue` or `idiag_wqueue`; of a listener the accept queue's length and its limit.
        SocketQueue {
            /// Which.
            socket: Slot = SOCKET,
            /// Which.
            which: Queue = required("which", FieldKind::Choice(Queue::WORDS)),
        } => {
            name: "socket_queue",
            about: "a queue as `ss` shows it: `queued=1`",
            system_call: "netlink(7) `SOCK_DIAG_BY_FAMILY`",
            labels: Labels::QUEUED,
        }

        /// proc(5): the column `st`; absent where there is no such line.
        ProcNetTcp {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "proc_net_tcp",
            about: "the state in this connection's line of /proc/net/tcp",
            system_call: "open(2), read(2)",
            labels: Labels::LISTED_STATE,
        }

        /// /dev/kmsg from the trial's begin on, of the whole kernel.
        KernelLog {
            /// The text.
            contains: String = required("contains", FieldKind::Text),
        } => {
            name: "kernel_log",
            about: "count the lines of the kernel log since the trial began that have a text: `lines=0`",
            system_call: "read(2) of /dev/kmsg",
            failure: FailureReport::Return,
            labels: Labels::LINES,
        }

        /// perf_event_open(2) on all CPUs. The events tcp:* tell ports: there only those of the trial's first connection count. kfree_skb and kprobes tell
        /// none: there every firing counts, whatever it was for.
        Trace {
            /// `tcp:tcp_receive_reset`, or `kprobe:tcp_reset`.
            event: String = required("event", FieldKind::Text),
        } => {
            name: "trace",
            about: "begin to watch a tracepoint or kprobe of this trial's connections",
            system_call: "perf_event_open(2)",
            failure: FailureReport::Return,
            player: Player::Target,
        }

        /// The task that the CPU executed when the event first fired, as bpftrace and SystemTap print it. `ENODATA` where this lane has not begun to watch
        /// the event; `ENOBUFS` where firings were lost and none that was kept is the connection's.
        Traced {
            /// The same text as at `trace`.
            event: String = required("event", FieldKind::Text),
        } => {
            name: "traced",
            about: "whom the event of `trace` was attributed to: none, own, other or idle",
            system_call: "read of the perf ring",
            failure: FailureReport::Return,
            player: Player::Target,
            labels: Labels::ATTRIBUTED,
        }
    } };
}
