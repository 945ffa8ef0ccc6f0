//! Observations as words: the labels that make up an outcome, and the keys of verdict returns.
//!
//! Holds the one place where a return value becomes a word; must not count.
//! Units: none. Errors: none; an errno is a label like any other.
//! The words are part of the scenario language: `expect` patterns are written with them.
//! Tests: below.

use std::fmt::Write;

use rig_protocol::{Errno, Op, Readiness};

use crate::sys::errno::is_failure;

/// Writes the label of a step that returned `returned`.
///
/// An errno by name; `select`: `timeout`, `readable`, `writable`, `exceptional` or several joined by `+`; `read`: `data` or `eof`;
/// `so_error`: the errno that it read, by name, or `ok`; all else: `ok`.
pub(crate) fn write_label(out: &mut String, op: &Op, returned: i64, ready: Option<Readiness>) {
    if is_failure(returned) {
        return write_errno(out, -returned);
    }
    match op {
        Op::Select { .. } => write_readiness(out, returned, ready.unwrap_or_default()),
        Op::Read { .. } => out.push_str(if returned == 0 { "eof" } else { "data" }),
        Op::SoError { .. } if returned > 0 => write_errno(out, returned),
        Op::SoError { .. }
        | Op::Connect { .. }
        | Op::Accept { .. }
        | Op::Close { .. }
        | Op::Shutdown { .. }
        | Op::Linger { .. }
        | Op::Cork { .. }
        | Op::Nodelay { .. }
        | Op::ReceiveTimeout { .. }
        | Op::TcpState { .. }
        | Op::Write { .. }
        | Op::Pending { .. }
        | Op::FdCheck { .. }
        | Op::Sleep { .. }
        | Op::Localtime {}
        | Op::Mark { .. }
        | Op::Await { .. }
        | Op::Inject { .. } => out.push_str("ok"),
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

fn write_errno(out: &mut String, number: i64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", Errno(number as i32));
}

/// Writes the key of a verdict return, as in `Tally::returns`: `1`, `0`, `-1/EBADF`.
pub(crate) fn write_return(out: &mut String, returned: i64) {
    let _ = if is_failure(returned) {
        write!(out, "-1/{}", Errno(-returned as i32))
    } else {
        write!(out, "{returned}")
    };
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Call, Delay, Slot};

    use super::*;

    fn label(op: &Op, returned: i64, ready: (bool, bool, bool)) -> String {
        let ready = Readiness { readable: ready.0, writable: ready.1, exceptional: ready.2 };
        let mut out = String::new();
        write_label(&mut out, op, returned, Some(ready));
        out
    }

    #[test]
    fn each_kind_of_step_has_its_words() {
        let select = Op::Select {
            read: vec![],
            write: vec![],
            except: vec![],
            timeout: Delay::Fixed { ns: 0 },
            call: Call::Select,
        };
        assert_eq!(label(&select, 1, (true, false, false)), "readable");
        assert_eq!(label(&select, 2, (true, true, false)), "readable+writable");
        assert_eq!(label(&select, 3, (true, true, true)), "readable+writable+exceptional");
        assert_eq!(label(&select, 0, (true, false, false)), "timeout");
        assert_eq!(label(&select, 1, (false, false, false)), "none");
        assert_eq!(label(&select, -9, (true, false, false)), "EBADF");
        let read = Op::Read { socket: Slot(0), bytes: 4 };
        assert_eq!(label(&read, 0, Default::default()), "eof");
        assert_eq!(label(&read, 4, Default::default()), "data");
        assert_eq!(label(&read, -104, Default::default()), "ECONNRESET");
        let error = Op::SoError { socket: Slot(0) };
        assert_eq!(label(&error, 0, Default::default()), "ok");
        assert_eq!(label(&error, 104, Default::default()), "ECONNRESET");
        assert_eq!(label(&Op::Close { socket: Slot(0) }, 0, Default::default()), "ok");
        assert_eq!(label(&Op::Close { socket: Slot(0) }, -4095, Default::default()), "errno 4095");
    }

    #[test]
    fn returns_are_keyed_as_the_report_prints_them() {
        let key = |returned| {
            let mut out = String::new();
            write_return(&mut out, returned);
            out
        };
        assert_eq!([key(1), key(0), key(-2)], ["1", "0", "-1/ENOENT"]);
    }
}
