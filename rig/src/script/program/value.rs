//! How the values of a program lane are spelled: calls, addresses, what it says.
//!
//! Pure. Must not know where a value is written. Units: bytes. Errors: [`Wrong`] and [`SaysFault`], which blame whoever wrote the value.
//! Tests: below.

use std::net::SocketAddr;
use std::sync::LazyLock;

use regex_lite::Regex;
use rig_protocol::{Redirect, WatchedCall, watched_call, watched_calls};

use crate::document::{Wrong, hint};

/// What a program can say of its call.
pub(super) const GROUPS: [&str; 2] = ["returned", "errno"];

/// No pattern is longer: the lines that it is held against have 512 bytes.
const MOST_SAYS_BYTES: usize = 1024;

/// The names of all watched calls.
pub(super) fn call_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> =
        LazyLock::new(|| watched_calls().iter().map(|call| call.name).collect());
    &NAMES
}

/// Functions of the C library that are no system calls, with the calls that they make (glibc and musl on x86-64).
const LIBRARY: &[(&str, &str)] = &[
    ("epoll", "\"epoll_wait\", \"epoll_pwait\""),
    ("fopen", "\"open\", \"openat\""),
    ("fread", "\"read\", \"readv\""),
    ("fstat", "\"newfstatat\""),
    ("fwrite", "\"write\", \"writev\""),
    ("pselect", "\"pselect6\""),
    ("recv", "\"recvfrom\""),
    ("send", "\"sendto\""),
    ("sleep", "\"nanosleep\", \"clock_nanosleep\""),
    ("usleep", "\"nanosleep\", \"clock_nanosleep\""),
];

/// The watched call of this name.
pub(super) fn parse_call(text: &str) -> Result<&'static WatchedCall, Wrong> {
    watched_call(text).ok_or_else(|| {
        let library = LIBRARY.iter().find(|(function, _)| *function == text);
        let help = match library {
            Some((function, calls)) => {
                format!("{function}() is a function of the C library; the system call behind it is {calls}")
            }
            None => hint(text, call_names().iter().copied(), "watched are"),
        };
        Wrong::with_help("not a system call that a witness watches", help)
    })
}

/// `127.0.0.1:8083`, as it is always spelled.
pub(super) fn parse_destination(text: &str) -> Result<String, Wrong> {
    const HELP: &str = "an address and a port, \"127.0.0.1:8083\" or \"[::1]:8083\"; names are resolved by the program itself";
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address.to_string()),
        Ok(_) => Err(Wrong::with_help("the port is 0, and nothing connects to it", HELP)),
        Err(_) => {
            let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            let label = match port {
                Some(Ok(_)) => "what stands before the port is not an address",
                Some(Err(_)) => "no port behind the colon: it lies between 1 and 65535",
                None => "the port is missing",
            };
            Err(Wrong::with_help(label, HELP))
        }
    }
}

/// `all`, `none`, or one address.
pub(super) fn parse_redirect(text: &str) -> Result<Redirect, Wrong> {
    match text {
        "all" => Ok(Redirect::All),
        "none" => Ok(Redirect::None),
        other if other.contains(':') => parse_destination(other).map(|address| Redirect::Only(vec![address])),
        other => {
            let help = hint(other, ["all", "none"], "there are, besides lists of addresses");
            Err(Wrong::with_help("neither `all`, `none` nor an address with a port", help))
        }
    }
}

/// Why a text cannot be what a program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SaysFault {
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: String,
    /// The byte at which it begins to be wrong, where one can be named.
    pub(super) at: Option<usize>,
}

/// A regular expression with the groups `returned`, `errno` or both, and no other.
pub(super) fn check_says(text: &str) -> Result<(), SaysFault> {
    const EXAMPLE: &str = "'result=(?<returned>-?\\d+), errno=(?<errno>\\d+)'";
    let fault = |message: &str, label: String, help: String, at| {
        Err(SaysFault { message: message.to_owned(), label, help, at })
    };
    if text.len() > MOST_SAYS_BYTES {
        let label = format!("longer than {MOST_SAYS_BYTES} bytes");
        return fault("`says` is too long", label, "match the part that has the numbers".to_owned(), None);
    }
    let regex = match Regex::new(text) {
        Ok(regex) => regex,
        Err(error) => {
            let help = "write it in single quotes, so that TOML leaves backslashes alone; `(`, `[`, `{`, `*`, `+` and `?` that are meant as such have a backslash before them";
            let at = Some(first_wrong_byte(text));
            return fault("`says` is not a regular expression", error.to_string(), help.to_owned(), at);
        }
    };
    let named: Vec<&str> = regex.capture_names().flatten().collect();
    if let Some(unknown) = named.iter().find(|name| !GROUPS.contains(name)) {
        let at = text.find(&format!("<{unknown}>")).map(|at| at + 1);
        let message = format!("`says` has a group `{unknown}`");
        return fault(&message, "not a group of `says`".to_owned(), hint(unknown, GROUPS, "the groups"), at);
    }
    if named.is_empty() {
        let label = "neither the group `returned` nor `errno`".to_owned();
        let help = format!("name what the program prints: {EXAMPLE}");
        return fault("`says` says nothing of the call", label, help, None);
    }
    Ok(())
}

/// Where the longest beginning of the text ends that is a regular expression.
fn first_wrong_byte(text: &str) -> usize {
    let ends = text.char_indices().map(|(at, _)| at).rev();
    ends.into_iter().find(|end| Regex::new(&text[..*end]).is_ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_as_the_kernel_names_it() {
        assert_eq!(parse_call("pselect6").map(|call| call.number), Ok(270));
        let help = |text: &str| parse_call(text).expect_err(text).help.unwrap_or_default();
        assert!(help("slect").starts_with("did you mean `select`?"), "{}", help("slect"));
        assert!(help("recv").contains("the system call behind it is \"recvfrom\""));
        for (function, calls) in LIBRARY {
            assert!(parse_call(function).is_err(), "{function} is a call itself");
            for call in calls.split(", ") {
                assert!(parse_call(call.trim_matches('"')).is_ok(), "{function}: {call}");
            }
        }
    }

    #[test]
    fn addresses_are_spelled_in_one_way_and_wrong_ones_say_why() {
        assert_eq!(parse_destination("127.0.0.1:8083"), Ok("127.0.0.1:8083".to_owned()));
        assert_eq!(parse_destination("[0:0::1]:80"), Ok("[::1]:80".to_owned()));
        for (wrong, label) in [
            ("127.0.0.1", "the port is missing"),
            ("localhost:8083", "what stands before the port is not an address"),
            ("127.0.0.1:99999", "no port behind the colon: it lies between 1 and 65535"),
            ("127.0.0.1:0", "the port is 0, and nothing connects to it"),
        ] {
            assert_eq!(parse_destination(wrong).expect_err(wrong).label, label, "{wrong}");
        }
        assert_eq!(parse_redirect("all"), Ok(Redirect::All));
        assert_eq!(parse_redirect("10.0.0.1:1"), Ok(Redirect::Only(vec!["10.0.0.1:1".to_owned()])));
        assert!(parse_redirect("non").expect_err("a slip").help.is_some_and(|help| help.contains("`none`?")));
    }

    #[test]
    fn what_a_program_says_has_a_known_group_and_its_first_wrong_byte_is_found() {
        assert_eq!(check_says(r"result=(?<returned>-?\d+), errno=(?<errno>\d+)"), Ok(()));
        assert_eq!(check_says(r"(?P<errno>\w+)"), Ok(()));
        let at = |text: &str| check_says(text).expect_err(text).at;
        assert_eq!(at("result=(?<errno>[0-9)"), Some(7));
        assert_eq!(at("errno=*+)"), Some(8));
        assert_eq!(at("a)"), Some(1));
        assert_eq!(at("é("), Some(2));
        assert_eq!(at("result=(?<result>x)"), Some(10));
        assert_eq!(at("no group"), None);
        assert!(check_says(&"x".repeat(2_000)).is_err());
    }
}
