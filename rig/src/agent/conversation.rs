//! Handshake, play, collect: in this order, each wait with a name and a deadline.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rig_protocol::{
    Assignment, Fin, FrameError, FrameReader, FrameWriter, Hello, PROTOCOL_VERSION, Progress, Reply, Request,
    Role, Tally, TrialRecord, plain,
};

use super::hello;
use super::kept::Kept;

/// Why a conversation cannot go on. Its text is the void's reason.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum AgentError {
    /// Nothing came in time.
    #[error("agent silent for {} s while rig waited for {wait} (last: {last})", .after.as_secs())]
    Silent {
        /// What was waited for.
        wait: &'static str,
        /// How long.
        after: Duration,
        /// The last frame that came.
        last: &'static str,
    },
    /// Frames came, but not the awaited one.
    #[error("no {wait} within {} s (last: {last})", .after.as_secs())]
    Late {
        /// What was waited for.
        wait: &'static str,
        /// How long.
        after: Duration,
        /// The last frame that came.
        last: &'static str,
    },
    /// The stream ended: the agent, its guest or the connection is gone.
    #[error("agent gone while rig waited for {wait} (last: {last})")]
    Gone {
        /// What was waited for.
        wait: &'static str,
        /// The last frame that came.
        last: &'static str,
    },
    /// The stream failed or carried something else than our frames.
    #[error("agent sent an invalid message while rig waited for {wait}")]
    Nonsense {
        /// What was waited for.
        wait: &'static str,
        /// What came.
        #[source]
        cause: FrameError,
    },
    /// The frame could not be sent.
    #[error("agent does not accept {request}")]
    Deaf {
        /// Which request.
        request: &'static str,
        /// What the stream said.
        #[source]
        cause: io::Error,
    },
    /// Another protocol.
    #[error("agent speaks protocol {found}, rig speaks {PROTOCOL_VERSION}")]
    Protocol {
        /// What it said.
        found: u32,
    },
    /// Another build.
    #[error("agent is build {found}, rig carries {expected}")]
    Build {
        /// First digits of what it said.
        found: String,
        /// First digits of what was pushed.
        expected: String,
    },
    /// A known message at the wrong time.
    #[error("agent sent {found} instead of {wait}")]
    Order {
        /// What was due.
        wait: &'static str,
        /// What came.
        found: &'static str,
    },
    /// It cannot play.
    #[error("agent refused: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// The end does not add up to what came before.
    #[error("agent's totals do not add up: {what}")]
    Totals {
        /// The contradiction.
        what: String,
    },
}

/// How long the conversation waits.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For any sign of life.
    pub silence: Duration,
    /// For the whole of what is waited for.
    pub total: Duration,
}

/// One assignment's results.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The sums.
    pub tally: Tally,
    /// Trials kept whole, as many as [`MOST_HELD_BYTES`](super::MOST_HELD_BYTES) hold.
    pub records: Vec<TrialRecord>,
}

/// A conversation with an agent that has said who it is.
#[derive(Debug)]
pub struct Conversation {
    reader: FrameReader<UnixStream, Reply>,
    writer: FrameWriter<UnixStream, Request>,
    hello: Hello,
    last: &'static str,
    /// Frames received for the assignment under way.
    frames: u64,
}

impl Conversation {
    /// Waits for the agent's hello and checks that it is the agent that was sent.
    ///
    /// # Errors
    /// Whatever came instead of the hello of build `expected`.
    pub fn open(stream: UnixStream, expected: &str, wait: Duration) -> Result<Self, AgentError> {
        let deaf = |cause| AgentError::Deaf { request: "connection", cause };
        let writer = FrameWriter::new(stream.try_clone().map_err(deaf)?);
        let mut conversation = Self {
            reader: FrameReader::new(stream),
            writer,
            hello: Hello::default(),
            last: "nothing",
            frames: 0,
        };
        conversation.hello = match conversation.next("hello", wait, wait)? {
            Reply::Hello(hello) => hello::plain(hello),
            other => return Err(AgentError::Order { wait: "hello", found: kind(&other) }),
        };
        let hello = &conversation.hello;
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(AgentError::Protocol { found: hello.protocol_version });
        }
        if hello.build_id != expected {
            let head = |id: &str| id.chars().take(12).collect();
            return Err(AgentError::Build { found: head(&hello.build_id), expected: head(expected) });
        }
        match hello::too_much(hello) {
            Some(what) => Err(AgentError::Totals { what }),
            None => Ok(conversation),
        }
    }

    /// What the agent said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Hands over an assignment; a peer answers where it listens.
    ///
    /// # Errors
    /// A refusal, or whatever came instead of "ready".
    pub fn play(&mut self, assignment: &Assignment, wait: Duration) -> Result<String, AgentError> {
        self.frames = 0;
        self.send(&Request::Play(Box::new(assignment.clone())), "assignment")?;
        match self.next("ready", wait, wait)? {
            Reply::Ready { listening } => Ok(plain(&listening)),
            Reply::Refused { reason } => Err(refused(&reason)),
            other => Err(AgentError::Order { wait: "ready", found: kind(&other) }),
        }
    }

    /// Tells a peer to stop and to report.
    ///
    /// # Errors
    /// What the stream says.
    pub fn finish(&mut self) -> Result<(), AgentError> {
        self.send(&Request::Finish, "finish")
    }

    /// Waits for the assignment's end and checks that everything adds up to it.
    ///
    /// # Errors
    /// A silence, an end without FIN, sums that contradict each other or the assignment.
    pub fn collect(
        &mut self,
        assignment: &Assignment,
        waits: Waits,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<Played, AgentError> {
        let begin = Instant::now();
        let mut kept = Kept::new(assignment);
        let mut tally = None;
        loop {
            let left = waits.total.saturating_sub(begin.elapsed());
            match self.next("the end of play", waits.silence.min(left), waits.total)? {
                Reply::Progress(progress) => {
                    check_progress(assignment, &progress)?;
                    on_progress(progress);
                }
                Reply::Example(record) => {
                    kept.take(record).map_err(|what| AgentError::Totals { what })?;
                }
                Reply::Tally(sums) => {
                    if tally.replace(*sums).is_some() {
                        return Err(AgentError::Order { wait: "fin", found: "tally" });
                    }
                }
                Reply::Fin(fin) => {
                    let Some(tally) = tally else {
                        return Err(AgentError::Order { wait: "tally", found: "fin" });
                    };
                    check_totals(assignment, &tally, kept.received(), fin, self.frames)?;
                    return Ok(Played { tally, records: kept.into_records() });
                }
                Reply::Refused { reason } => return Err(refused(&reason)),
                other @ (Reply::Hello(_) | Reply::Ready { .. }) => {
                    return Err(AgentError::Order { wait: "the end of play", found: kind(&other) });
                }
            }
        }
    }

    fn send(&mut self, request: &Request, name: &'static str) -> Result<(), AgentError> {
        self.writer.write(request).map_err(|cause| AgentError::Deaf { request: name, cause })
    }

    fn next(&mut self, wait: &'static str, silence: Duration, total: Duration) -> Result<Reply, AgentError> {
        if silence.is_zero() {
            return Err(AgentError::Late { wait, after: total, last: self.last });
        }
        // The read timeout bounds one read(2); a frame that dribbles in byte by byte is bounded by `total` of the caller.
        self.reader
            .get_ref()
            .set_read_timeout(Some(silence))
            .map_err(|cause| AgentError::Deaf { request: "deadline", cause })?;
        match self.reader.read() {
            Ok(reply) => {
                self.frames += 1;
                self.last = kind(&reply);
                Ok(reply)
            }
            Err(FrameError::Closed) => Err(AgentError::Gone { wait, last: self.last }),
            Err(FrameError::Io(error))
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Err(AgentError::Silent { wait, after: silence, last: self.last })
            }
            Err(cause) => Err(AgentError::Nonsense { wait, cause }),
        }
    }
}

/// Ends every wait of a conversation at once.
#[derive(Debug)]
pub struct Breaker(UnixStream);

impl Breaker {
    /// A breaker of the conversation over `stream`.
    ///
    /// # Errors
    /// [`AgentError::Deaf`] where the process has no descriptor left.
    pub fn of(stream: &UnixStream) -> Result<Self, AgentError> {
        stream.try_clone().map(Self).map_err(|cause| AgentError::Deaf { request: "breaker", cause })
    }

    /// The conversation's reads see the end of the stream from now on.
    pub fn cut(&self) {
        // Fails only where the stream is gone already, which is what is wanted.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn check_totals(
    assignment: &Assignment,
    tally: &Tally,
    records: u64,
    fin: Fin,
    frames: u64,
) -> Result<(), AgentError> {
    let contradiction = if let Some(what) = tally.inconsistency(&assignment.script) {
        Some(what)
    } else if fin.frames != frames {
        Some(format!("FIN counts {} frames, {frames} came", fin.frames))
    } else if fin.trials != tally.trials || fin.void != tally.void() {
        Some(format!(
            "FIN counts {} trials and {} void, the tally {} and {}",
            fin.trials,
            fin.void,
            tally.trials,
            tally.void()
        ))
    } else if fin.records != records {
        Some(format!("FIN counts {} records, {records} came", fin.records))
    } else {
        let asked = assignment.trials;
        // Neither is so large that the sum is not one: the tally is sound.
        let played = tally.trials.saturating_add(tally.void());
        match assignment.role {
            Role::Target { .. } if played != asked => {
                Some(format!("{asked} trials were asked for, {played} came"))
            }
            Role::Target { .. } | Role::Peer { .. } => None,
        }
    };
    contradiction.map_or(Ok(()), |what| Err(AgentError::Totals { what }))
}

fn refused(reason: &str) -> AgentError {
    AgentError::Refused { reason: plain(reason) }
}

/// A sign of life is shown to a person and not recorded, but an agent that counts more than it was asked for does not count right at the
/// end either.
fn check_progress(assignment: &Assignment, progress: &Progress) -> Result<(), AgentError> {
    let most = match assignment.role {
        Role::Target { .. } => assignment.trials,
        // Connections that the target gave up, and what a middlebox sends twice, are trials for the peer.
        Role::Peer { .. } => Tally::MOST,
    };
    progress.inconsistency(&assignment.script, most).map_or(Ok(()), |what| Err(AgentError::Totals { what }))
}

fn kind(reply: &Reply) -> &'static str {
    match reply {
        Reply::Hello(_) => "hello",
        Reply::Ready { .. } => "ready",
        Reply::Progress(_) => "progress",
        Reply::Example(_) => "record",
        Reply::Tally(_) => "tally",
        Reply::Fin(_) => "fin",
        Reply::Refused { .. } => "refusal",
    }
}

#[cfg(test)]
mod tests;
