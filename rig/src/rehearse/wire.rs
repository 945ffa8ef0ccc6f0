//! What the driver and PID 1 inside say to each other over one virtio-serial port.
//!
//! Frames: length (u32, little endian, of what follows), kind (u8), payload; bytes of the command's streams are raw, everything else is JSON.
//! One port, so that the end comes after the last output. The guest is not trusted: frames are capped. Units: bytes.
//! Errors: `io::Error` of kind `InvalidData` for what is no frame. Both ends are the same binary, so there is no negotiation.
//! Tests: below.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The port's name, as virtio-serial shows it in sysfs.
pub(super) const PORT: &str = "rig.rehearsal";

/// No frame is longer than this.
const FRAME_CAP_BYTES: usize = 1 << 20;

/// Input of the command that may be under way and not yet taken.
pub(super) const INPUT_WINDOW_BYTES: usize = 64 << 10;

/// How often PID 1 says that it lives.
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// One of the command's output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// What an output stream is on the host, and so inside: programs behave differently on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sink {
    Pipe,
    Terminal,
}

/// Size of the terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) rows: u16,
    pub(super) columns: u16,
}

/// A writable folder: mounted inside where it lies on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mount {
    pub(super) tag: String,
    pub(super) folder: String,
}

/// Mount tag of the share with this number: QEMU's command line gives it, the mount inside asks for it.
pub(super) fn tag(number: usize) -> String {
    format!("share{number}")
}

/// What is to be run, and in which surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    /// Program and arguments.
    pub(super) command: Vec<String>,
    pub(super) folder: String,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) mounts: Vec<Mount>,
    pub(super) stdout: Sink,
    pub(super) stderr: Sink,
    pub(super) window: Window,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    Exited {
        /// Its exit code.
        code: u8,
    },
    /// By a signal.
    Killed {
        /// Its number.
        signal: i32,
    },
}

impl Ending {
    /// As a shell has it: 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited { code } => code,
            Self::Killed { signal } => 128_u8.wrapping_add(u8::try_from(signal & 0x7f).expect("seven bits")),
        }
    }
}

/// From the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ToGuest {
    Start(Start),
    /// Input of the command; the empty one is its end.
    Input(Vec<u8>),
    /// To the command's process group.
    Signal(i32),
    Resize(Window),
    /// Nobody reads this stream any more.
    OutputClosed(Stream),
    /// Everything has arrived: power off.
    Release,
}

/// From PID 1 inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ToHost {
    /// Ready for [`ToGuest::Start`].
    Hello {
        /// `uname -r`
        release: String,
    },
    Output(Stream, Vec<u8>),
    /// So many bytes of input were taken.
    InputTaken(usize),
    /// Nothing, said every [`BEAT`] from [`ToGuest::Start`] on: the machine still runs.
    Alive,
    /// Nothing of the command is left, its output has been sent and the shares are written.
    Ended(Ending),
    /// The command could not be started, or its surroundings not be made.
    Failed(String),
}

impl ToGuest {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Start(start) => write_frame(to, 0, &json(start)),
            Self::Input(bytes) => write_frame(to, 1, bytes),
            Self::Signal(number) => write_frame(to, 2, &json(number)),
            Self::Resize(window) => write_frame(to, 3, &json(window)),
            Self::OutputClosed(stream) => write_frame(to, 4, &json(stream)),
            Self::Release => write_frame(to, 5, &[]),
        }
    }

    /// The next one; none at the end of the stream.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((kind, payload)) = read_frame(from)? else { return Ok(None) };
        Ok(Some(match kind {
            0 => Self::Start(parse(&payload)?),
            1 => Self::Input(payload),
            2 => Self::Signal(parse(&payload)?),
            3 => Self::Resize(parse(&payload)?),
            4 => Self::OutputClosed(parse(&payload)?),
            5 => Self::Release,
            kind => return Err(unknown(kind)),
        }))
    }
}

impl ToHost {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Hello { release } => write_frame(to, 0, &json(release)),
            Self::Output(Stream::Stdout, bytes) => write_frame(to, 1, bytes),
            Self::Output(Stream::Stderr, bytes) => write_frame(to, 2, bytes),
            Self::InputTaken(count) => write_frame(to, 3, &json(count)),
            Self::Ended(ending) => write_frame(to, 4, &json(ending)),
            Self::Failed(what) => write_frame(to, 5, &json(what)),
            Self::Alive => write_frame(to, 6, &[]),
        }
    }

    /// The next one; none at the end of the stream.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((kind, payload)) = read_frame(from)? else { return Ok(None) };
        Ok(Some(match kind {
            0 => Self::Hello { release: parse(&payload)? },
            1 => Self::Output(Stream::Stdout, payload),
            2 => Self::Output(Stream::Stderr, payload),
            3 => Self::InputTaken(parse(&payload)?),
            4 => Self::Ended(parse(&payload)?),
            5 => Self::Failed(parse(&payload)?),
            6 => Self::Alive,
            kind => return Err(unknown(kind)),
        }))
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data with string keys serialises")
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(payload).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn unknown(kind: u8) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("there is no frame of kind {kind}"))
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is over {FRAME_CAP_BYTES}"))
}

fn write_frame(to: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = payload.len() + 1;
    if length > FRAME_CAP_BYTES {
        return Err(too_long(length));
    }
    let length = u32::try_from(length).expect("capped");
    // One write, so that frames of two threads behind one lock are also one request of the port.
    let mut frame = Vec::with_capacity(payload.len() + 5);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(kind);
    frame.extend_from_slice(payload);
    to.write_all(&frame)?;
    to.flush()
}

fn read_frame(from: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match from.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes(head) as usize;
    if length == 0 || length > FRAME_CAP_BYTES {
        return Err(too_long(length));
    }
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    let mut payload = vec![0; length - 1];
    from.read_exact(&mut payload)?;
    Ok(Some((kind[0], payload)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Start {
        Start {
            command: vec!["/usr/bin/rig".to_owned(), "doctor".to_owned()],
            folder: "/home/user/work place".to_owned(),
            environment: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            mounts: vec![Mount { tag: "share0".to_owned(), folder: "/home/user/results".to_owned() }],
            stdout: Sink::Terminal,
            stderr: Sink::Pipe,
            window: Window { rows: 24, columns: 80 },
        }
    }

    #[test]
    fn every_message_survives_the_way() {
        let there = [
            ToGuest::Start(start()),
            ToGuest::Input(b"\x00\xff".to_vec()),
            ToGuest::Input(vec![]),
            ToGuest::Signal(2),
            ToGuest::Resize(Window { rows: 1, columns: u16::MAX }),
            ToGuest::OutputClosed(Stream::Stderr),
            ToGuest::Release,
        ];
        let mut bytes = vec![];
        there.iter().for_each(|message| message.write(&mut bytes).unwrap());
        let mut from = bytes.as_slice();
        let read: Vec<ToGuest> = std::iter::from_fn(|| ToGuest::read(&mut from).unwrap()).collect();
        assert_eq!(read, there);

        let back = [
            ToHost::Hello { release: "6.1.0-test".to_owned() },
            ToHost::Output(Stream::Stdout, b"out".to_vec()),
            ToHost::Output(Stream::Stderr, b"err".to_vec()),
            ToHost::InputTaken(7),
            ToHost::Alive,
            ToHost::Ended(Ending::Killed { signal: 9 }),
            ToHost::Failed("no such file".to_owned()),
        ];
        let mut bytes = vec![];
        back.iter().for_each(|message| message.write(&mut bytes).unwrap());
        let mut from = bytes.as_slice();
        let read: Vec<ToHost> = std::iter::from_fn(|| ToHost::read(&mut from).unwrap()).collect();
        assert_eq!(read, back);
    }

    #[test]
    fn a_stream_that_ends_in_a_frame_is_an_error_and_between_frames_is_not() {
        let mut bytes = vec![];
        ToHost::Failed("why".to_owned()).write(&mut bytes).unwrap();
        for end in 1..bytes.len() {
            assert!(ToHost::read(&mut &bytes[..end]).is_err(), "{end}");
        }
        assert_eq!(ToHost::read(&mut &bytes[..0]).unwrap(), None);
    }

    #[test]
    fn too_long_and_unknown_frames_are_refused() {
        assert!(ToHost::read(&mut &[0xff, 0xff, 0xff, 0xff, 1][..]).is_err());
        assert!(ToHost::read(&mut &[0, 0, 0, 0][..]).is_err());
        assert!(ToHost::read(&mut &[1, 0, 0, 0, 99][..]).is_err());
        assert!(ToGuest::Input(vec![0; FRAME_CAP_BYTES]).write(&mut vec![]).is_err());
    }

    #[test]
    fn endings_become_exit_codes_as_a_shell_has_them() {
        assert_eq!(Ending::Exited { code: 7 }.code(), 7);
        assert_eq!(Ending::Killed { signal: libc::SIGKILL }.code(), 137);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_read_on_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = ToHost::read(&mut from) {}
        }
    }
}
