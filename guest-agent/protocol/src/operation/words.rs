//! The closed lists of words that fields of operations take, and the places that fields name.
//!
//! Holds one enum per list. Must not know which operation takes it. Units: none. Errors: none; serde refuses another word.
//! Tests: in `operation.rs`, over every row.

use serde::{Deserialize, Serialize};

use crate::schema::Choice;

/// An enum whose variants are words of the scenario language, and the list of the words.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$what])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            pub(super) const WORDS: Choice = &[$($word),*];
        }
    };
}

choice! {
    /// Which door of select(2) a step goes through.
    #[derive(Default)]
    Call {
        /// The `select` system call itself (x86-64 number 23), no libc between.
        #[default]
        Select = "select",
        /// The `pselect6` system call itself (number 270): what glibc's select() makes since 2.34.
        Pselect6 = "pselect6",
        /// The C library's `select()`; errno is read in the next instruction.
        Libc = "libc",
    }
}

choice! {
    /// Which door of poll(2).
    #[derive(Default)]
    PollCall {
        /// The `poll` system call itself (x86-64 number 7).
        #[default]
        Poll = "poll",
        /// The `ppoll` system call itself (number 271).
        Ppoll = "ppoll",
        /// The C library's `poll()`.
        Libc = "libc",
    }
}

choice! {
    /// Which door of epoll_wait(2).
    #[derive(Default)]
    EpollCall {
        /// The `epoll_wait` system call itself (x86-64 number 232): whole milliseconds, rounded up.
        #[default]
        EpollWait = "epoll_wait",
        /// The `epoll_pwait2` system call itself (number 441, Linux 5.11): nanoseconds.
        EpollPwait2 = "epoll_pwait2",
        /// The C library's `epoll_wait()`.
        Libc = "libc",
    }
}

choice! {
    /// What epoll_ctl(2) does.
    EpollChange {
        /// `EPOLL_CTL_ADD`
        Add = "add",
        /// `EPOLL_CTL_MOD`
        Modify = "modify",
        /// `EPOLL_CTL_DEL`
        Delete = "delete",
    }
}

choice! {
    /// What is asked for of poll(2), epoll(7) or io_uring(7); the words of their labels.
    Event {
        /// `POLLIN`
        Readable = "readable",
        /// `POLLPRI`
        Urgent = "urgent",
        /// `POLLOUT`
        Writable = "writable",
        /// `POLLRDHUP`
        PeerClosed = "peer-closed",
        /// `POLLERR`: told whether it is asked for or not.
        Error = "error",
        /// `POLLHUP`: told whether it is asked for or not.
        Hangup = "hangup",
        /// `EPOLLET`: told once for each change.
        Edge = "edge",
        /// `EPOLLONESHOT`: told once, until `modify` arms it again.
        Once = "once",
    }
}

impl Event {
    /// Those that poll(2) and io_uring take; the others are epoll's.
    pub(super) const POLLED: Choice = Self::WORDS.split_at(6).0;
}

choice! {
    /// What a `select_raw` does not set anew.
    #[derive(Default)]
    Keep {
        /// Sets and timeout are as the step gives them.
        #[default]
        Nothing = "nothing",
        /// The sets are as the lane's last select left them.
        Sets = "sets",
        /// The timeout is.
        Timeout = "timeout",
        /// Both are: a loop that arms nothing again.
        Both = "both",
    }
}

choice! {
    /// Whom a connect calls.
    #[derive(Default)]
    Callee {
        /// The peer's agent, which accepts for the peer lane.
        #[default]
        Server = "server",
        /// The `listen` of the other end in this trial.
        Listener = "listener",
        /// The other end's address, at a port where nobody listens.
        ClosedPort = "closed-port",
        /// An address of the other end's network that no host has.
        AbsentHost = "absent-host",
    }
}

impl Callee {
    /// Whether it is what a step means that says nothing.
    pub(super) fn is_server(&self) -> bool {
        *self == Self::Server
    }
}

choice! {
    /// A socket's address family.
    #[derive(Default)]
    Family {
        /// That of the address that it calls.
        #[default]
        Path = "path",
        /// `AF_INET6`, with the IPv4 address mapped into it (RFC 4291, 2.5.5.2).
        Mapped = "mapped",
        /// `AF_VSOCK`: from a guest to its host, or within one kernel. Nothing of the path is on the way.
        Vsock = "vsock",
    }
}

impl Family {
    /// Whether it is what a step means that says nothing.
    pub(super) fn is_path(&self) -> bool {
        *self == Self::Path
    }
}

choice! {
    /// Direction of shutdown(2).
    Shut {
        /// `SHUT_RD`
        Read = "read",
        /// `SHUT_WR`
        Write = "write",
        /// `SHUT_RDWR`
        Both = "both",
    }
}

choice! {
    /// A flag of recv(2).
    ReceiveFlag {
        /// `MSG_PEEK`
        Peek = "peek",
        /// `MSG_WAITALL`
        WaitAll = "wait-all",
        /// `MSG_DONTWAIT`
        DontWait = "dont-wait",
        /// `MSG_OOB`
        Urgent = "urgent",
    }
}

choice! {
    /// A flag of send(2).
    SendFlag {
        /// `MSG_DONTWAIT`
        DontWait = "dont-wait",
        /// `MSG_OOB`
        Urgent = "urgent",
        /// `MSG_MORE`
        More = "more",
        /// No `MSG_NOSIGNAL`: SIGPIPE is raised, and its handler counts it.
        Signal = "signal",
    }
}

choice! {
    /// An option of a socket that is one number.
    SocketOption {
        /// `SO_KEEPALIVE`
        KeepAlive = "SO_KEEPALIVE",
        /// `SO_RCVBUF`: Linux doubles it.
        ReceiveBuffer = "SO_RCVBUF",
        /// `SO_SNDBUF`: Linux doubles it.
        SendBuffer = "SO_SNDBUF",
        /// `SO_RCVLOWAT`
        ReceiveLowWater = "SO_RCVLOWAT",
        /// `SO_REUSEADDR`
        ReuseAddress = "SO_REUSEADDR",
        /// `SO_OOBINLINE`
        UrgentInline = "SO_OOBINLINE",
        /// `SO_BUSY_POLL`, in microseconds.
        BusyPoll = "SO_BUSY_POLL",
        /// `TCP_KEEPIDLE`, in seconds.
        KeepIdle = "TCP_KEEPIDLE",
        /// `TCP_KEEPINTVL`, in seconds.
        KeepInterval = "TCP_KEEPINTVL",
        /// `TCP_KEEPCNT`
        KeepCount = "TCP_KEEPCNT",
        /// `TCP_SYNCNT`
        SynCount = "TCP_SYNCNT",
        /// `TCP_USER_TIMEOUT`, in milliseconds.
        UserTimeout = "TCP_USER_TIMEOUT",
        /// `TCP_LINGER2`, in seconds.
        Linger2 = "TCP_LINGER2",
        /// `TCP_DEFER_ACCEPT`, in seconds.
        DeferAccept = "TCP_DEFER_ACCEPT",
        /// `TCP_QUICKACK`
        QuickAck = "TCP_QUICKACK",
        /// `TCP_NODELAY`
        NoDelay = "TCP_NODELAY",
        /// `TCP_CORK`
        Cork = "TCP_CORK",
        /// `TCP_MAXSEG`
        MaxSegment = "TCP_MAXSEG",
        /// `TCP_WINDOW_CLAMP`
        WindowClamp = "TCP_WINDOW_CLAMP",
        /// `TCP_NOTSENT_LOWAT`
        NotSentLowWater = "TCP_NOTSENT_LOWAT",
        /// `IP_RECVERR`: ICMP errors end a connect at once.
        ReceiveErrors = "IP_RECVERR",
        /// `IP_TTL`
        TimeToLive = "IP_TTL",
        /// `SO_ERROR`: read only; taken by reading.
        Error = "SO_ERROR",
    }
}

choice! {
    /// How a signal's handler is.
    #[derive(Default)]
    Handler {
        /// Without `SA_RESTART`: the call that it meets returns `EINTR`.
        #[default]
        Interrupt = "interrupt",
        /// With `SA_RESTART`: the kernel makes the call again where signal(7) says so; never select(2), poll(2), epoll_wait(2).
        Restart = "restart",
        /// Without `SA_RESTART`, and it closes a socket.
        Close = "close",
    }
}

choice! {
    /// A queue of sock_diag(7).
    Queue {
        /// Recv-Q of `ss`: bytes that wait to be read; of a listener the connections that wait to be accepted.
        Receive = "receive",
        /// Send-Q of `ss`: bytes that are not acknowledged; of a listener its backlog.
        Send = "send",
    }
}

/// How many bytes a step asks to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(pub u32);

/// A lane of the script: an index into [`Script::lanes`](crate::Script::lanes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaneIndex(pub u16);
