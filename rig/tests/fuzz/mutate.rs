//! Inputs that are nearly sound: a sound one, changed in a few places. The same seed gives the same inputs on every machine.
//!
//! Must not know what is read of them. Units: bytes. Errors: none.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// No input grows longer.
const MOST_BYTES: usize = 256 << 10;

/// What readers of text and of lengths have trouble with.
const TOKENS: &[&[u8]] = &[
    b"18446744073709551616",
    b"-1",
    b"1e308",
    b"nan",
    b"99999999999999999999s",
    b"\"\"",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"= ",
    b"\n[",
    b"${a}",
    b"\"${rate}\"",
    b"*",
    b"?",
    b"\\",
    b"\0",
    b"\r\n",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"\xf0\x9f\xa6\x80",
    b"true",
    b"null",
    b"\xff\xff\xff\xff",
    b"0..0",
    b"uniform(1s, 1ms)",
];

/// One changed input.
pub(crate) fn mutated(seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seeds.choose(rng).expect("a target has seeds").clone();
    for _ in 0..rng.random_range(1..=6) {
        change(&mut bytes, seeds, rng);
        bytes.truncate(MOST_BYTES);
    }
    bytes
}

/// A stretch of at most `longest` bytes.
fn stretch(length: usize, longest: usize, rng: &mut ChaCha8Rng) -> std::ops::Range<usize> {
    let start = rng.random_range(0..=length);
    start..(start + rng.random_range(0..=longest)).min(length)
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    match rng.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] = rng.random(),
        1 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        2 => drop(bytes.drain(stretch(bytes.len(), 64, rng))),
        3 => {
            let again = bytes[stretch(bytes.len(), 200, rng)].to_vec();
            let times = rng.random_range(1..=8);
            bytes.splice(at..at, again.repeat(times));
        }
        4 => {
            let other = seeds.choose(rng).expect("a target has seeds");
            let part = other[stretch(other.len(), 400, rng)].to_vec();
            bytes.splice(at..at, part);
        }
        5 => number(bytes, at),
        6 => bytes.truncate(at),
        _ => {
            let token = *TOKENS.choose(rng).expect("there are some");
            bytes.splice(at..at, token.iter().copied());
        }
    }
}

/// The next digits behind a place become an absurd number.
fn number(bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = bytes.iter().skip(at).position(u8::is_ascii_digit).map(|found| at + found) else {
        return;
    };
    let end =
        bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |n| start + n);
    let absurd: &[u8] = if at.is_multiple_of(2) { b"18446744073709551615" } else { b"0" };
    bytes.splice(start..end, absurd.iter().copied());
}
