//! Frames: `[length: u32 LE][sequence: u32 LE][JSON]`, one message each.
//!
//! Holds the reader and the writer over any byte stream; no deadline (the stream's owner has it).
//! Units: bytes. The length counts the JSON only and is capped: the other end is not trusted.
//! Errors: [`FrameError`], which blames the other end, except `Io` and `Closed` (the pipe).

use std::fmt;
use std::io::{self, Read, Write};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::plain;

/// Larger frames are refused by the reader and by the writer.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// Why no further frame can be read.
#[derive(Debug)]
pub enum FrameError {
    /// The stream ended between two frames.
    Closed,
    /// The stream ended or failed within a frame.
    Io(io::Error),
    /// A length over [`MAX_FRAME_BYTES`].
    TooLarge {
        /// What the header said.
        bytes: usize,
    },
    /// A frame is missing, doubled, or the stream is not ours at all.
    OutOfSequence {
        /// Sequence number that should have come.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// Not the JSON of a known message.
    Garbage {
        /// serde's words.
        reason: String,
        /// The first bytes, for the log.
        head: String,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the stream was closed"),
            Self::Io(error) => write!(f, "the stream broke off: {error}"),
            Self::TooLarge { bytes } => write!(f, "a frame of {bytes} bytes (at most {MAX_FRAME_BYTES})"),
            Self::OutOfSequence { expected, found } => {
                write!(f, "frame {found} came instead of frame {expected}")
            }
            Self::Garbage { reason, head } => {
                write!(f, "a frame that is not a message: {reason} (begins {head:?})")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Reads messages of type `T` from a stream.
#[derive(Debug)]
pub struct FrameReader<R, T> {
    stream: R,
    sequence: u32,
    message: PhantomData<fn() -> T>,
}

impl<R: Read, T: DeserializeOwned> FrameReader<R, T> {
    /// A reader at the begin of a stream.
    pub fn new(stream: R) -> Self {
        Self { stream, sequence: 0, message: PhantomData }
    }

    /// The stream itself, to set a deadline on it.
    pub fn get_ref(&self) -> &R {
        &self.stream
    }

    /// Blocks for the next message.
    pub fn read(&mut self) -> Result<T, FrameError> {
        let mut header = [0; 8];
        let mut filled = 0;
        while filled < header.len() {
            match self.stream.read(&mut header[filled..]) {
                Ok(0) if filled == 0 => return Err(FrameError::Closed),
                Ok(0) => return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        let [l0, l1, l2, l3, s0, s1, s2, s3] = header;
        let bytes = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let found = u32::from_le_bytes([s0, s1, s2, s3]);
        if bytes > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge { bytes });
        }
        if found != self.sequence {
            return Err(FrameError::OutOfSequence { expected: self.sequence, found });
        }
        self.sequence += 1;
        let mut body = vec![0; bytes];
        self.stream.read_exact(&mut body).map_err(FrameError::Io)?;
        serde_json::from_slice(&body).map_err(|error| FrameError::Garbage {
            // It may repeat what the other end said.
            reason: plain(&error.to_string()),
            head: String::from_utf8_lossy(&body[..body.len().min(64)]).into_owned(),
        })
    }
}

/// Writes messages of type `T` to a stream, one `write_all` each.
#[derive(Debug)]
pub struct FrameWriter<W, T> {
    stream: W,
    sequence: u32,
    message: PhantomData<fn(T)>,
}

impl<W: Write, T: Serialize> FrameWriter<W, T> {
    /// A writer at the begin of a stream.
    pub fn new(stream: W) -> Self {
        Self { stream, sequence: 0, message: PhantomData }
    }

    /// Sends one message and flushes.
    ///
    /// # Errors
    /// What the stream says; `InvalidData` where the message is over [`MAX_FRAME_BYTES`].
    pub fn write(&mut self, message: &T) -> io::Result<()> {
        let mut frame = vec![0; 8];
        serde_json::to_writer(&mut frame, message)?;
        let bytes = frame.len() - 8;
        if bytes > MAX_FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, FrameError::TooLarge { bytes }));
        }
        frame[..4].copy_from_slice(&(bytes as u32).to_le_bytes());
        frame[4..8].copy_from_slice(&self.sequence.to_le_bytes());
        self.sequence += 1;
        self.stream.write_all(&frame)?;
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Progress, Reply, Request};

    fn frames(messages: &[Reply]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = FrameWriter::new(&mut bytes);
        for message in messages {
            writer.write(message).expect("a vector takes all");
        }
        bytes
    }

    #[test]
    fn messages_come_back_in_order_and_the_end_is_closed() {
        let sent = [Reply::Ready { listening: "192.0.2.1:1".into() }, Reply::Progress(Progress::default())];
        let bytes = frames(&sent);
        let mut reader = FrameReader::<_, Reply>::new(bytes.as_slice());
        for message in &sent {
            assert_eq!(&reader.read().expect("sent"), message);
        }
        assert!(matches!(reader.read(), Err(FrameError::Closed)));
    }

    #[test]
    fn a_huge_length_a_gap_a_cut_and_garbage_are_told_apart() {
        let huge = [0xff; 8];
        assert!(matches!(FrameReader::<_, Reply>::new(&huge[..]).read(), Err(FrameError::TooLarge { .. })));

        let two = frames(&[Reply::Progress(Progress::default()), Reply::Progress(Progress::default())]);
        let second = &two[two.len() / 2..];
        assert!(matches!(
            FrameReader::<_, Reply>::new(second).read(),
            Err(FrameError::OutOfSequence { expected: 0, found: 1 })
        ));
        assert!(matches!(FrameReader::<_, Reply>::new(&two[..12]).read(), Err(FrameError::Io(_))));

        let wrong_kind = frames(&[Reply::Progress(Progress::default())]);
        assert!(matches!(
            FrameReader::<_, Request>::new(wrong_kind.as_slice()).read(),
            Err(FrameError::Garbage { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_byte_stream_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut reader = FrameReader::<_, Reply>::new(bytes.as_slice());
            while reader.read().is_ok() {}
        }
    }
}
