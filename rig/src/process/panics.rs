//! Panics of rig itself: remembered with their place until somebody tells them.
//!
//! A panic is a bug, on whatever thread it happens. Whoever catches one tells it in their own words ([`panicked`]); what nobody caught is told at the end
//! ([`untold_panics`]), so that none is lost. Must not know what was being done. Units: none. Errors: none. Tests: here, `cli/bug.rs`.

use std::any::Any;
use std::env;
use std::panic::{Location, set_hook, take_hook};
use std::sync::Mutex;

use rig_protocol::plain;

use super::lock;

/// More panics than these are more of the same.
const MOST_NOTES: usize = 32;

#[derive(Debug)]
struct Note {
    message: String,
    place: String,
}

static NOTES: Mutex<Vec<Note>> = Mutex::new(Vec::new());

/// From now on panics are remembered and not printed; with `RUST_BACKTRACE` they are printed too, with the way that led there.
pub fn keep_panics() {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        note(info.payload(), info.location());
        if env::var_os("RUST_BACKTRACE").is_some() {
            usual(info);
        }
    }));
}

/// What a panic that was caught said, and where: `index out of bounds (rig/src/x.rs:3)`. It counts as told.
pub fn panicked(payload: &(dyn Any + Send)) -> String {
    let message = message(payload);
    let mut notes = lock(&NOTES);
    match notes.iter().position(|note| note.message == message) {
        Some(found) => words(notes.remove(found)),
        None => message,
    }
}

/// The panics that nobody has told, in the order in which they happened. They count as told.
pub fn untold_panics() -> Vec<String> {
    lock(&NOTES).drain(..).map(words).collect()
}

fn note(payload: &dyn Any, place: Option<&Location<'_>>) {
    let place = place.map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
    let mut notes = lock(&NOTES);
    if notes.len() < MOST_NOTES {
        notes.push(Note { message: message(payload), place });
    }
}

/// Plain, because it may repeat what a guest said.
fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "a panic without a message".to_owned(), plain)
}

fn words(note: Note) -> String {
    let Note { message, place } = note;
    if place.is_empty() { message } else { format!("{message} ({place})") }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::thread;

    use super::*;

    /// The hook belongs to the whole process: one test for all of it, and its own panics are of its own words.
    #[test]
    fn a_panic_is_told_once_with_its_place_whoever_caught_it() {
        let usual = take_hook();
        keep_panics();
        let caught = catch_unwind(|| panic!("caught {}\u{1b}[2J", "here")).expect_err("it panicked");
        let uncaught = thread::spawn(|| panic!("caught by nobody")).join();
        let resumed = catch_unwind(|| {
            let earlier = catch_unwind(|| panic!("handed on")).expect_err("it panicked");
            std::panic::resume_unwind(earlier);
        });
        set_hook(usual);
        assert!(uncaught.is_err());
        let place = |words: &str, message: &str| {
            let rest = words.strip_prefix(message).map(str::to_owned);
            rest.is_some_and(|rest| rest.starts_with(" (") && rest.contains("process/panics.rs:"))
        };
        let told = panicked(&*caught);
        assert!(place(&told, "caught here\u{fffd}[2J"), "{told}");
        let told = panicked(&*resumed.expect_err("it went on"));
        assert!(place(&told, "handed on"), "{told}");
        let untold = untold_panics();
        assert!(untold.iter().any(|told| place(told, "caught by nobody")), "{untold:?}");
        assert!(!untold.iter().any(|told| told.contains("handed on") || told.contains("here")), "{untold:?}");
        assert_eq!(panicked(&*caught), "caught here\u{fffd}[2J", "its place was told");
        assert_eq!(panicked(&7_u8), "a panic without a message");
    }
}
