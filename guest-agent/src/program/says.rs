//! What a program writes: the end of it, and the line in which it says what its call returned.
//!
//! Holds the cutting into lines and the reading of numbers, names and texts of errnos. Must not know descriptors or processes.
//! Units: bytes. Errors: none; a line that does not match says nothing. Memory: bounded, whatever is written.
//! Source of the texts: glibc's sysdeps/gnu/errlist.h through std, musl's src/errno/__strerror.h. Tests: below, and `tests/program`.

use std::borrow::Cow;

use regex_lite::Regex;
use rig_protocol::{Errno, ProgramTrial, Said};

/// A longer line is held against the expression without its rest.
const MOST_LINE: usize = 4096;

/// What musl says where glibc says something else.
const MUSL: &[(i32, &str)] = &[
    (0, "No error information"),
    (5, "I/O error"),
    (12, "Out of memory"),
    (16, "Resource busy"),
    (18, "Cross-device link"),
    (24, "No file descriptors available"),
    (25, "Not a tty"),
    (35, "Resource deadlock would occur"),
    (37, "No locks available"),
    (40, "Symbolic link loop"),
    (75, "Value too large for data type"),
    (84, "Illegal byte sequence"),
    (88, "Not a socket"),
    (90, "Message too large"),
    (92, "Protocol not available"),
    (95, "Not supported"),
    (97, "Address family not supported by protocol"),
    (98, "Address in use"),
    (99, "Address not available"),
    (101, "Network unreachable"),
    (102, "Connection reset by network"),
    (103, "Connection aborted"),
    (106, "Socket is connected"),
    (107, "Socket not connected"),
    (108, "Cannot send after socket shutdown"),
    (110, "Operation timed out"),
    (113, "Host is unreachable"),
    (115, "Operation in progress"),
    (125, "Operation canceled"),
];

/// Listens to one trial.
#[derive(Debug)]
pub(crate) struct Listener<'p> {
    says: Option<&'p Regex>,
    /// Which call of its kind the verdict call is, from 1.
    nth: u32,
    moment: Moment,
    matches: u32,
    line: Vec<u8>,
    tail: Vec<u8>,
    /// The match that is about the verdict call.
    said: Option<Said>,
    /// The last match that can be: a program that logs only what fails has fewer lines than calls.
    last: Option<Said>,
}

/// What is known of when the verdict call returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Nothing: who listens does not see calls.
    Unknown,
    /// It has not returned: if it does, what is written until then is about something else.
    ToCome,
    /// It has returned, after so many matches.
    After(u32),
}

impl<'p> Listener<'p> {
    /// Of a program that has written nothing.
    pub(crate) fn new(says: Option<&'p Regex>, nth: u32) -> Self {
        let (line, tail) = (Vec::new(), Vec::new());
        Self { says, nth, moment: Moment::Unknown, matches: 0, line, tail, said: None, last: None }
    }

    /// The same, of who sees calls, and will say when the verdict call has returned.
    pub(crate) fn seeing(says: Option<&'p Regex>, nth: u32) -> Self {
        Self { moment: Moment::ToCome, ..Self::new(says, nth) }
    }

    /// The verdict call has returned.
    pub(crate) fn called(&mut self) {
        if self.moment == Moment::ToCome {
            self.moment = Moment::After(self.matches);
            (self.said, self.last) = (None, None);
        }
    }

    /// Whether a line matched, whatever it was about.
    pub(crate) fn heard_any(&self) -> bool {
        self.matches > 0
    }

    /// What it said about the verdict call.
    pub(crate) fn said(&self) -> Option<&Said> {
        self.said.as_ref().or(self.last.as_ref())
    }

    /// The C library's errno when the lines of the last [`Self::hear`] were written.
    pub(crate) fn note_held(&mut self, errno: Option<Errno>) {
        for said in [&mut self.said, &mut self.last].into_iter().flatten().filter(|said| said.held.is_none())
        {
            said.held = errno;
        }
    }

    /// It wrote this. Whether that ended a line that can be about the verdict call.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> bool {
        let most = ProgramTrial::MOST_OUTPUT_BYTES;
        self.tail.extend(&bytes[bytes.len().saturating_sub(most)..]);
        if self.tail.len() > 2 * most {
            self.tail.drain(..self.tail.len() - most);
        }
        let before = self.matches;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MOST_LINE.saturating_sub(self.line.len());
            self.line.extend(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
        self.matches > before
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let Some(says) = self.says.filter(|_| self.said.is_none()) else { return };
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        let Some(found) = says.captures(line) else { return };
        self.matches += 1;
        let group = |name| found.name(name).map(|found| found.as_str().trim());
        let said = Said {
            line: shorten(line.to_owned()),
            returned: group("returned").and_then(|text| text.parse().ok()),
            errno: group("errno").and_then(errno_of),
            held: None,
        };
        let is_it = match self.moment {
            // Lines about earlier calls were written before it, or there were none to write.
            Moment::After(before) if before > 0 || self.nth == 1 => true,
            // All of them are written at the end, as into a pipe; or there will be no such call, and it speaks all the same.
            Moment::After(_) | Moment::ToCome | Moment::Unknown => self.matches == self.nth,
        };
        if is_it {
            self.said = Some(said);
        } else {
            self.last = Some(said);
        }
    }

    /// What it said, and the end of what it wrote. A last line without its end is one, too.
    pub(crate) fn conclude(mut self) -> (Option<Said>, String) {
        if !self.line.is_empty() {
            self.end_line();
        }
        let from = self.tail.len().saturating_sub(ProgramTrial::MOST_OUTPUT_BYTES);
        let output = match String::from_utf8_lossy(&self.tail[from..]) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        };
        (self.said.or(self.last), output)
    }
}

fn shorten(mut line: String) -> String {
    let mut end = line.len().min(ProgramTrial::MOST_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

/// An errno by number, by name, or as strerror(3) says it.
fn errno_of(text: &str) -> Option<Errno> {
    let by_number = || text.parse().ok().filter(|number| (0..=4095).contains(number)).map(Errno);
    let by_text = || {
        let named = (0..=133).find(|number| strerror(*number).eq_ignore_ascii_case(text));
        let of_musl =
            || MUSL.iter().find(|(_, words)| words.eq_ignore_ascii_case(text)).map(|(number, _)| *number);
        named.or_else(of_musl).map(Errno)
    };
    by_number().or_else(|| text.parse().ok()).or_else(by_text)
}

fn strerror(number: i32) -> String {
    let mut text = std::io::Error::from_raw_os_error(number).to_string();
    // std appends the number.
    text.truncate(text.rfind(" (os error").unwrap_or(text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex() -> Regex {
        Regex::new(r"result=(?<returned>-?\d+), errno=(?<errno>.+)").expect("an expression")
    }

    #[test]
    fn the_line_of_the_nth_call_is_heard_in_whatever_pieces_it_comes() {
        let regex = regex();
        let mut listener = Listener::new(Some(&regex), 2);
        assert!(listener.hear(b"hello\nresult=0, errno=0\nres"), "it can be the last");
        assert!(!listener.hear(b"ult=-1, errno=E"));
        assert!(listener.hear(b"BADF\r\nresult=7, errno=1\n"));
        let (said, output) = listener.conclude();
        let said = said.expect("the second");
        assert_eq!(
            (said.returned, said.errno, said.line.as_str()),
            (Some(-1), Some(Errno::EBADF), "result=-1, errno=EBADF")
        );
        assert!(output.starts_with("hello\n") && output.ends_with("errno=1\n"));
    }

    fn errno_heard(mut listener: Listener<'_>, before: &[u8], after: &[u8]) -> Option<i32> {
        listener.hear(before);
        listener.called();
        listener.hear(after);
        listener.conclude().0.and_then(|said| said.errno).map(|errno| errno.0)
    }

    #[test]
    fn a_line_is_about_the_call_that_it_follows() {
        let regex = Regex::new("errno=(?<errno>.+)").expect("an expression");
        let heard = |nth, before: &str, after: &str| {
            errno_heard(Listener::seeing(Some(&regex), nth), before.as_bytes(), after.as_bytes())
        };
        let lines =
            |errnos: &[i32]| errnos.iter().map(|errno| format!("errno={errno}\n")).collect::<String>();
        // What was written before the call is about something else.
        assert_eq!(heard(1, &lines(&[9]), &lines(&[2, 3])), Some(2));
        assert_eq!(heard(1, &lines(&[9]), ""), None);
        // Each call has its line, written at once, or all of them at the end.
        assert_eq!(heard(3, &lines(&[1, 2]), &lines(&[3, 4])), Some(3));
        assert_eq!(heard(3, "", &lines(&[1, 2, 3, 4])), Some(3));
        // Only what fails has a line.
        assert_eq!(heard(3, "", &lines(&[104])), Some(104));
        // Who does not see calls counts lines.
        let unseeing = |nth, all: &str| errno_heard(Listener::new(Some(&regex), nth), all.as_bytes(), b"");
        assert_eq!([unseeing(2, &lines(&[1, 2, 3])), unseeing(2, &lines(&[1]))], [Some(2), Some(1)]);
    }

    #[test]
    fn errno_is_noted_for_the_line_that_was_just_written() {
        let regex = Regex::new("errno=(?<errno>.+)").expect("an expression");
        let mut listener = Listener::seeing(Some(&regex), 1);
        listener.called();
        assert!(!listener.hear(b"nothing\n"));
        assert!(listener.hear(b"errno=2\n"));
        listener.note_held(Some(Errno::EBADF));
        listener.hear(b"errno=3\n");
        listener.note_held(Some(Errno(7)));
        assert_eq!(listener.said().and_then(|said| said.held), Some(Errno::EBADF));
    }

    #[test]
    fn an_errno_is_read_as_number_name_or_text_of_either_library() {
        for (text, errno) in [
            ("0", 0),
            ("9", 9),
            ("ENOENT", 2),
            ("No such file or directory", 2),
            ("bad file descriptor", 9),
            ("Connection reset by peer", 104),
            ("Connection timed out", 110),
            ("Operation timed out", 110),
            ("Success", 0),
            ("No error information", 0),
        ] {
            assert_eq!(errno_of(text), Some(Errno(errno)), "{text}");
        }
        assert_eq!([errno_of("-1"), errno_of("99999"), errno_of("what")], [None; 3]);
    }

    #[test]
    fn what_is_kept_is_bounded_and_a_last_line_needs_no_end() {
        let regex = regex();
        let mut listener = Listener::new(Some(&regex), 1);
        for _ in 0..100 {
            listener.hear(&[b'x'; 9_000]);
        }
        listener.hear(b"\nresult=1, errno=2");
        let (said, output) = listener.conclude();
        assert_eq!(output.len(), ProgramTrial::MOST_OUTPUT_BYTES);
        assert_eq!(said.and_then(|said| said.errno), Some(Errno::ENOENT));
        let long = format!("result=1, errno=2 {}\n", "ä".repeat(2_000));
        let mut listener = Listener::new(Some(&regex), 1);
        listener.hear(long.as_bytes());
        assert!(listener.conclude().0.is_some_and(|said| said.line.len() <= ProgramTrial::MOST_LINE_BYTES));
    }
}
