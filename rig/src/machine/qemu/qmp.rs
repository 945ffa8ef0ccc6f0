//! QMP over any stream: commands matched to replies by id, events handed on as the JSON they are.
//!
//! Commands have the types of the `qapi` crate; events do not, because one that it does not know must not end a conversation.
//! Must not know guests or what an event means. Units: `Duration`; QMP time stamps in microseconds.
//! Errors: [`QmpError`], which blames QEMU (or its death: every command under way then ends at once).
//! Wire format: QEMU's docs/interop/qmp-spec.txt. Tests: below, against a scripted server.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use miette::Diagnostic;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use qapi::qmp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::log::JsonLog;
use super::writer::writer_of_next;
use crate::process::lock;

/// A reply longer than this is not one of the commands that rig sends.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// Why a command has no result.
#[derive(Debug, Clone, Error, Diagnostic)]
pub enum QmpError {
    /// QEMU said no.
    #[error("qemu refused {command}: {class}: {description}")]
    #[diagnostic(help("the qmp log has the whole conversation"))]
    Refused {
        /// The command.
        command: &'static str,
        /// QEMU's error class.
        class: String,
        /// QEMU's words.
        description: String,
    },
    /// No reply in time.
    #[error("no reply to {command} within {within:?}; the last message from qemu was {last}")]
    #[diagnostic(help(
        "the host has no free processors, or qemu hangs; the qmp log has the whole conversation"
    ))]
    Late {
        /// The command.
        command: &'static str,
        /// The deadline.
        within: Duration,
        /// The last thing seen.
        last: String,
    },
    /// The conversation is over.
    #[error("{command} has no reply: {reason}")]
    #[diagnostic(help("the guest's console log and the qmp log say what came before"))]
    Closed {
        /// The command.
        command: &'static str,
        /// Why.
        reason: String,
    },
    /// A reply of another shape than the command's.
    #[error("the reply to {command} does not decode: {reason}")]
    #[diagnostic(help("rig supports qemu 7.2 and later; the qmp log has the reply"))]
    Shape {
        /// The command.
        command: &'static str,
        /// serde's words.
        reason: String,
    },
}

/// Something that QEMU told of its own accord.
#[derive(Debug, Clone, PartialEq)]
pub struct QmpEvent {
    /// `SHUTDOWN`, `GUEST_PANICKED`, or one that nobody here has heard of.
    pub name: String,
    /// Its data, as it came; `null` where there is none.
    pub data: Value,
    /// QEMU's host clock, in microseconds since 1970; 0 where the event has none.
    pub timestamp_us: u64,
}

/// One conversation. Clones share it.
#[derive(Debug, Clone)]
pub struct Qmp {
    shared: Arc<Mutex<Shared>>,
    outgoing: mpsc::UnboundedSender<Line>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

type Answer = Result<Value, QmpError>;

#[derive(Debug)]
struct Shared {
    next_id: u64,
    pending: HashMap<u64, Pending>,
    closed: Option<String>,
    /// The guest is dead; QEMU may still be spoken to of it.
    abandoned: Option<String>,
    last: String,
    speaker: Result<u32, String>,
    log: JsonLog,
}

/// A line to be sent, and a descriptor that goes with it.
#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    attached: Option<OwnedFd>,
}

/// A command that has no reply yet.
#[derive(Debug)]
struct Pending {
    command: &'static str,
    answer: oneshot::Sender<Answer>,
    /// It is about a guest that has died.
    of_the_dead: bool,
}

impl Shared {
    /// Ends every command under way, and every later one, with a reason. The first reason stays.
    fn close(&mut self, reason: &str) {
        if self.closed.is_none() {
            self.closed = Some(reason.to_owned());
            if self.abandoned.is_none() {
                self.log.write("note", &json!({ "closed": reason }));
            }
        }
        self.answer_all(reason, |_| true);
    }

    /// The same, but for what is said of the dead.
    fn abandon(&mut self, reason: &str) {
        if self.end().is_none() {
            self.abandoned = Some(reason.to_owned());
            self.log.write("note", &json!({ "closed": reason }));
        }
        self.answer_all(reason, |pending| !pending.of_the_dead);
    }

    fn answer_all(&mut self, reason: &str, which: impl Fn(&Pending) -> bool) {
        for (_, Pending { command, answer, .. }) in self.pending.extract_if(|_, pending| which(pending)) {
            // A caller that no longer waits needs no answer.
            let _ = answer.send(Err(QmpError::Closed { command, reason: reason.to_owned() }));
        }
    }

    /// Why the conversation is over.
    fn end(&self) -> Option<&String> {
        self.abandoned.as_ref().or(self.closed.as_ref())
    }
}

impl Qmp {
    /// Takes the greeting and leaves the negotiation mode. What QEMU tells of its own accord goes to `events`, from the begin to the
    /// end of the conversation.
    ///
    /// # Errors
    /// [`QmpError`] about `greeting` or `qmp_capabilities`.
    pub async fn connect(
        stream: UnixStream,
        log: JsonLog,
        events: mpsc::UnboundedSender<QmpEvent>,
        within: Duration,
    ) -> Result<Self, QmpError> {
        let (read, write) = stream.into_split();
        let (outgoing, outgoing_receiver) = mpsc::unbounded_channel();
        let (greeting, greeted) = oneshot::channel();
        // The greeting is awaited like a reply; commands count from 1.
        let greeting = Pending { command: "greeting", answer: greeting, of_the_dead: false };
        let pending = HashMap::from([(0, greeting)]);
        let shared = Arc::new(Mutex::new(Shared {
            next_id: 1,
            pending,
            closed: None,
            abandoned: None,
            last: "nothing".into(),
            speaker: Err("nothing was said yet".to_owned()),
            log,
        }));
        let tasks = vec![
            tokio::spawn(receive(read, Arc::clone(&shared), events)),
            tokio::spawn(send(write, Arc::clone(&shared), outgoing_receiver)),
        ];
        let qmp = Self { shared, outgoing, _tasks: Arc::new(Tasks(tasks)) };
        qmp.wait(0, "greeting", greeted, within).await?;
        qmp.execute(qmp::qmp_capabilities { enable: None }, within).await?;
        Ok(qmp)
    }

    /// Sends a command of QEMU's schema and waits for its reply, at most `within`.
    ///
    /// # Errors
    /// [`QmpError`]
    pub async fn execute<C: qapi::Command>(&self, command: C, within: Duration) -> Result<C::Ok, QmpError> {
        let arguments = serde_json::to_value(&command)
            .map_err(|error| QmpError::Shape { command: C::NAME, reason: error.to_string() })?;
        let reply = self.execute_raw(C::NAME, arguments, within).await?;
        serde_json::from_value(reply)
            .map_err(|error| QmpError::Shape { command: C::NAME, reason: error.to_string() })
    }

    /// Sends any command and gives the `return` of its reply, for commands whose reply the schema's types cannot hold.
    ///
    /// # Errors
    /// [`QmpError`], except `Shape`.
    pub async fn execute_raw(
        &self,
        command: &'static str,
        arguments: Value,
        within: Duration,
    ) -> Result<Value, QmpError> {
        self.say(command, arguments, None, within, false).await
    }

    /// As [`Self::execute_raw`], also when the guest is dead, as long as QEMU is there. A descriptor goes with it, for `getfd`.
    ///
    /// # Errors
    /// [`QmpError`], except `Shape`.
    pub(super) async fn execute_of_the_dead(
        &self,
        command: &'static str,
        arguments: Value,
        attached: Option<OwnedFd>,
        within: Duration,
    ) -> Result<Value, QmpError> {
        self.say(command, arguments, attached, within, true).await
    }

    async fn say(
        &self,
        command: &'static str,
        arguments: Value,
        attached: Option<OwnedFd>,
        within: Duration,
        of_the_dead: bool,
    ) -> Result<Value, QmpError> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut shared = lock(&self.shared);
            let end = if of_the_dead { shared.closed.as_ref() } else { shared.end() };
            if let Some(reason) = end {
                return Err(QmpError::Closed { command, reason: reason.clone() });
            }
            let id = shared.next_id;
            shared.next_id += 1;
            shared.pending.insert(id, Pending { command, answer, of_the_dead });
            let message = match &arguments {
                Value::Object(map) if map.is_empty() => json!({ "execute": command, "id": id }),
                arguments => json!({ "execute": command, "arguments": arguments, "id": id }),
            };
            shared.log.write("sent", &message);
            let mut text = message.to_string().into_bytes();
            text.push(b'\n');
            // The writer ends only after it closed the conversation, which answers.
            let _ = self.outgoing.send(Line { text, attached });
            id
        };
        self.wait(id, command, answered, within).await
    }

    /// Ends every command under way, and every later one, with this reason: the guest is dead.
    pub fn abandon(&self, reason: &str) {
        lock(&self.shared).abandon(reason);
    }

    /// The process that wrote the greeting, as this PID namespace numbers it; or why it is not known. The kernel names it where
    /// `attach_writers` was called for the stream before it was handed to QEMU.
    pub(super) fn speaker(&self) -> Result<u32, String> {
        lock(&self.shared).speaker.clone()
    }

    /// Why the conversation is over, if it is.
    pub fn closed(&self) -> Option<String> {
        lock(&self.shared).end().cloned()
    }

    /// Adds a line to the log that is neither a command nor a reply.
    pub fn note(&self, message: &Value) {
        lock(&self.shared).log.write("note", message);
    }

    /// What went wrong when the log was written, if anything did.
    pub fn log_trouble(&self) -> Option<String> {
        lock(&self.shared).log.trouble()
    }

    async fn wait(
        &self,
        id: u64,
        command: &'static str,
        answered: oneshot::Receiver<Answer>,
        within: Duration,
    ) -> Answer {
        match tokio::time::timeout(within, answered).await {
            Ok(Ok(answer)) => answer,
            // The sender is dropped unanswered only together with the table that holds it.
            Ok(Err(_)) => {
                Err(QmpError::Closed { command, reason: "the conversation was dropped".to_owned() })
            }
            Err(_) => {
                let mut shared = lock(&self.shared);
                shared.pending.remove(&id);
                shared.log.write("note", &json!({ "late": command, "id": id }));
                Err(QmpError::Late { command, within, last: shared.last.clone() })
            }
        }
    }
}

/// Writes what was queued; a failure ends the conversation.
async fn send(
    mut write: OwnedWriteHalf,
    shared: Arc<Mutex<Shared>>,
    mut outgoing: mpsc::UnboundedReceiver<Line>,
) {
    while let Some(Line { text, attached }) = outgoing.recv().await {
        let sent = match attached {
            None => Ok(0),
            Some(attached) => attach(write.as_ref(), &text, &attached).await,
        };
        let written = match sent {
            Ok(sent) => write.write_all(&text[sent..]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            lock(&shared).close(&format!("qemu does not read its commands: {error}"));
            return;
        }
    }
}

/// Writes the first part of a line together with a descriptor (`SCM_RIGHTS`, unix(7)), and gives its length.
async fn attach(stream: &UnixStream, text: &[u8], attached: &OwnedFd) -> io::Result<usize> {
    let (parts, rights) = ([IoSlice::new(text)], [attached.as_raw_fd()]);
    stream
        .async_io(Interest::WRITABLE, || {
            let rights = [ControlMessage::ScmRights(&rights)];
            let (socket, flags) = (stream.as_raw_fd(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
            Ok(sendmsg::<UnixAddr>(socket, &parts, &rights, flags, None)?)
        })
        .await
}

/// Reads lines until the stream ends; before, who writes them.
async fn receive(read: OwnedReadHalf, shared: Arc<Mutex<Shared>>, events: mpsc::UnboundedSender<QmpEvent>) {
    let speaker = writer_of_next(read.as_ref()).await;
    lock(&shared).speaker = speaker;
    let mut reader = BufReader::new(read);
    let mut line = Vec::new();
    let reason = loop {
        line.clear();
        match (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) => break "qemu closed the connection".to_owned(),
            Ok(_) if line.last() != Some(&b'\n') => {
                break if line.len() as u64 == MAX_LINE_BYTES {
                    format!("qemu sent a message of over {MAX_LINE_BYTES} bytes")
                } else {
                    "qemu closed the connection within a message".to_owned()
                };
            }
            Ok(_) => take_line(&line, &shared, &events),
            Err(error) => break format!("the connection to qemu broke: {error}"),
        }
    };
    lock(&shared).close(&reason);
}

/// Sorts one line: event, greeting, reply, or something to be logged and passed over.
fn take_line(line: &[u8], shared: &Mutex<Shared>, events: &mpsc::UnboundedSender<QmpEvent>) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let mut shared = lock(shared);
    let Ok(Value::Object(mut message)) = serde_json::from_str::<Value>(text) else {
        let head: String = text.chars().take(200).collect();
        shared.log.write("garbage", &json!(head));
        shared.last = format!("garbage: {head:?}");
        return;
    };
    shared.log.write("received", &Value::Object(message.clone()));
    if let Some(Value::String(name)) = message.remove("event") {
        shared.last = format!("event {name}");
        let timestamp_us = timestamp_us(message.get("timestamp"));
        let data = message.remove("data").unwrap_or(Value::Null);
        // Events that nobody listens to are in the log.
        let _ = events.send(QmpEvent { name, data, timestamp_us });
        return;
    }
    let (id, outcome) = if let Some(greeting) = message.remove("QMP") {
        (Some(0), Ok(greeting))
    } else {
        let id = message.get("id").and_then(Value::as_u64).filter(|id| *id > 0);
        match (message.remove("return"), message.remove("error")) {
            (Some(value), None) => (id, Ok(value)),
            (None, Some(error)) => (id, Err(error)),
            (Some(_), Some(_)) | (None, None) => (None, Ok(Value::Null)),
        }
    };
    let Some(Pending { command, answer, .. }) = id.and_then(|id| shared.pending.remove(&id)) else {
        // Nobody waits (any more): a late reply, an error without an id. It is in the log.
        "a message that answers nothing".clone_into(&mut shared.last);
        return;
    };
    shared.last = format!("the reply to {command}");
    let outcome = outcome.map_err(|error| QmpError::Refused {
        command,
        class: word(&error, "class"),
        description: word(&error, "desc"),
    });
    // A caller that no longer waits needs no answer.
    let _ = answer.send(outcome);
}

fn word(error: &Value, key: &str) -> String {
    error.get(key).and_then(Value::as_str).unwrap_or("unnamed").to_owned()
}

/// `{"seconds": s, "microseconds": us}`; QEMU sends -1 for a clock that it cannot read.
fn timestamp_us(stamp: Option<&Value>) -> u64 {
    let part = |key| stamp.and_then(|stamp| stamp.get(key)).and_then(Value::as_u64).unwrap_or(0);
    part("seconds").saturating_mul(1_000_000).saturating_add(part("microseconds"))
}

#[cfg(test)]
#[path = "qmp_tests.rs"]
mod tests;
