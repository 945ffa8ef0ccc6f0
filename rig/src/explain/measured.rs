//! What a run saw of an errno, in sentences and a table.
//!
//! Holds the wording. Must not compute a number, and must not know runs.
//! Units: counts; shares of 1 in, per cent out. Errors: none.
//! Tests: `tests/golden/explained.rs`.

use crate::analysis::model::Rate;
use crate::analysis::words::{Rounding, bounds, count, list, percent, several};
use crate::analysis::{Counted, GivenUp, LocaltimeFile, Sighting, SightingKind, Sightings};

/// So many plain places have a row of their own: more than that do not fit beside the explanation.
const MOST_PLACES: usize = 10;

/// What is written of a run.
pub(super) struct Told {
    /// Over all plain places, in one sentence.
    pub(super) first: String,
    /// A heading and a row for each plain place; empty where there is none. All rows are as long as the heading.
    pub(super) rows: Vec<Vec<String>>,
    /// Further sentences: blind places, the program's own doing, controls, what does not count.
    pub(super) further: Vec<String>,
}

pub(super) fn tell(name: &str, seen: &Sightings) -> Told {
    let of = |kind| seen.places.iter().filter(move |place| place.kind == kind);
    let mut plain: Vec<&Sighting> = of(SightingKind::Plain).collect();
    // The sort is stable: places alike stay in the order of the plan.
    plain.sort_by_key(|place| !has_something(place));
    let mut further = Vec::new();
    if let Some(more @ 1..) = plain.len().checked_sub(MOST_PLACES) {
        further.push(format!("{} more are in `--format json`.", several(more, "place")));
    }
    for place in plain.iter().filter(|place| !place.blind.is_empty()) {
        further.push(format!(
            "{} is blind, its zero proves nothing: {}.",
            label(place),
            place.blind.join("; ")
        ));
    }
    further.extend(given_up(name, &seen.given_up));
    let told = |place: &Sighting| seen.given_up.iter().any(|one| one.scenario == place.name);
    further.extend(by_name(
        of(SightingKind::OwnDoing),
        |place| place.returned.count > 0 && !told(place),
        |name, places| format!("Scenario {name}, where the program closes the descriptor itself: {places}."),
    ));
    further.extend(
        of(SightingKind::Program).filter(|place| speaks_of(place)).map(|place| program(name, place, seen)),
    );
    further.extend(by_name(
        of(SightingKind::Control),
        |place| place.returned.count + place.injected > 0,
        |name, places| format!("Control {name}, which causes it on purpose: {places}."),
    ));
    if seen.not_counted > 0 {
        let calls = several(usize::try_from(seen.not_counted).unwrap_or(usize::MAX), "call");
        further.push(format!("Besides, {calls} returned it in blocks that do not count (void or stopped)."));
    }
    if !seen.complete {
        further.push("The run is not complete: not all of its blocks were played.".to_owned());
    }
    Told { first: over_all(name, seen, &plain), rows: rows(&plain), further }
}

/// One sentence for each request, place and moment of the RST that has the errno at all: its rate over the sweep of the request's delay.
fn given_up(name: &str, all: &[GivenUp]) -> Vec<String> {
    type Sweep<'a> = (String, Vec<&'a GivenUp>);
    let mut sweeps: Vec<Sweep<'_>> = Vec::new();
    for one in all {
        let title = format!(
            "io_uring's {} in {} {}, with the RST {} after the question",
            one.request, one.configuration, one.kernel, one.peer_delay
        );
        match sweeps.iter_mut().find(|(known, _)| *known == title) {
            Some((_, sweep)) => sweep.push(one),
            None => sweeps.push((title, vec![one])),
        }
    }
    let moment = |one: &&GivenUp| {
        let Rate { count: hits, n, .. } = one.returned;
        format!("{} of {} after {}", count(hits), count(n), one.client_delay)
    };
    let sentence = |(title, sweep): Sweep<'_>| {
        let seen = sweep.iter().any(|one| one.returned.count > 0);
        let moments: Vec<String> = sweep.iter().map(moment).collect();
        seen.then(|| format!("{title}: {name} in {}.", list(&moments)))
    };
    sweeps.into_iter().filter_map(sentence).collect()
}

fn speaks_of(place: &Sighting) -> bool {
    has_something(place) || place.said.count > 0
}

/// Where the errno of a user's program came from, and which table has the whole of it.
fn program(name: &str, place: &Sighting, seen: &Sightings) -> String {
    let call = place.calls.first().map_or("its measured call", String::as_str);
    let mut parts = vec![format!(
        "the kernel returned {name} from {call} in {}",
        of_n(Counted { count: place.returned.count, n: place.returned.n }, "call")
    )];
    let held = [
        (place.stale, "errno held it behind a call that had succeeded"),
        (place.after_localtime, "errno held it when the program wrote its line"),
        (place.said, "the program said it"),
        (place.later, "a later call gave it"),
    ];
    let some = held.into_iter().filter(|(counted, _)| counted.count > 0);
    parts.extend(some.map(|(counted, what)| format!("{what} in {}", of_n(counted, "trial"))));
    format!(
        "Your program in {} (scenario {}): {}. The table \"Your program\" of `rig report {}` has the whole account.",
        label(place),
        place.name,
        parts.join("; "),
        seen.run
    )
}

/// What the short words of the table's heading mean.
pub(super) const LEGEND: &str =
    "stale: in errno after a success; localtime(): in errno after it; its file: /etc/localtime.";

fn rows(plain: &[&Sighting]) -> Vec<Vec<String>> {
    if plain.is_empty() {
        return Vec::new();
    }
    let heading = ["where", "returned", "stale", "localtime()", "its file"].map(str::to_owned).to_vec();
    let row = |place: &&Sighting| {
        let rate = &place.returned;
        let bound = if rate.count == 0 && rate.n > 0 && place.blind.is_empty() {
            format!(" (at most {})", percent(rate.high, Rounding::Up))
        } else {
            String::new()
        };
        let file = match place.localtime_file {
            LocaltimeFile::Present => "there",
            LocaltimeFile::Absent => "absent",
            LocaltimeFile::Unknown => "not known",
        };
        vec![
            label(place),
            format!("{} of {}{bound}", count(rate.count), count(rate.n)),
            share(place.stale),
            share(place.after_localtime),
            if place.timezone.is_some() { format!("{file}, TZ set") } else { file.to_owned() },
        ]
    };
    std::iter::once(heading).chain(plain.iter().take(MOST_PLACES).map(row)).collect()
}

/// `0 of 32`, or `-` where nothing was looked at.
fn share(counted: Counted) -> String {
    if counted.n == 0 { "-".to_owned() } else { format!("{} of {}", count(counted.count), count(counted.n)) }
}

fn has_something(place: &Sighting) -> bool {
    place.returned.count + place.stale.count + place.after_localtime.count + place.later.count > 0
}

fn over_all(name: &str, seen: &Sightings, plain: &[&Sighting]) -> String {
    let mut calls: Vec<&str> = plain.iter().flat_map(|place| &place.calls).map(String::as_str).collect();
    calls.sort_unstable();
    calls.dedup();
    let calls = list(&calls);
    let mut text = match (&seen.returned, plain) {
        (_, []) => return format!("{name}: no cell that measures the kernel has a trial in this run."),
        (None, _) => {
            format!("{name}: no result from {calls}, every place is blind (see below)")
        }
        (Some(rate), _) => {
            let level = percent(rate.confidence, Rounding::Nearest);
            format!("{name}: {calls} returned it in {} at {level})", bounded(rate))
        }
    };
    let mut files: Vec<String> = seen
        .after_localtime
        .iter()
        .map(|(file, counted)| format!("{}{}", of_n(*counted, "trial"), place_of(*file)))
        .collect();
    if seen.after_localtime_with_timezone.n > 0 {
        files.push(format!("{} with TZ set", of_n(seen.after_localtime_with_timezone, "trial")));
    }
    if !files.is_empty() {
        text.push_str(&format!("; after localtime() errno held it in {}", list(&files)));
    }
    if seen.later.count > 0 {
        text.push_str(&format!(
            "; a later call (read, write, SO_ERROR) gave it in {}",
            of_n(seen.later, "trial")
        ));
    }
    text.push('.');
    text
}

/// `0 of 4,000 calls (at most 0.09 %`, to be closed.
fn bounded(rate: &Rate) -> String {
    let calls = of_n(Counted { count: rate.count, n: rate.n }, "call");
    if rate.count == 0 {
        return format!("{calls} (at most {}", percent(rate.high, Rounding::Up));
    }
    format!("{calls} ({}", bounds(rate.low, rate.high))
}

/// `0 of 4,000 calls`
fn of_n(counted: Counted, noun: &str) -> String {
    let n = usize::try_from(counted.n).unwrap_or(usize::MAX);
    format!("{} of {}", count(counted.count), several(n, noun))
}

fn place_of(file: LocaltimeFile) -> &'static str {
    match file {
        LocaltimeFile::Present => " where /etc/localtime is there and TZ unset",
        LocaltimeFile::Absent => " where /etc/localtime is absent and TZ unset",
        LocaltimeFile::Unknown => " where it is not known whether /etc/localtime is there",
    }
}

/// `virtio-user 6.1 (tcg, proxied)`
fn label(place: &Sighting) -> String {
    let mut notes: Vec<&str> =
        place.accelerators.iter().map(String::as_str).filter(|engine| *engine != "none").collect();
    notes.extend(place.proxied.then_some("proxied"));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{} {}{notes}", place.configuration, place.kernel)
}

/// One sentence for each name, with the places that have something to say.
fn by_name<'a>(
    places: impl Iterator<Item = &'a Sighting>,
    speaks: impl Fn(&Sighting) -> bool,
    sentence: impl Fn(&str, &str) -> String,
) -> Vec<String> {
    let mut named: Vec<(&str, Vec<String>)> = Vec::new();
    for place in places.filter(|place| speaks(place)) {
        let calls = of_n(Counted { count: place.returned.count, n: place.returned.n }, "call");
        let said = format!("{calls} in {}", label(place));
        match named.iter_mut().find(|(name, _)| *name == place.name) {
            Some((_, known)) => known.push(said),
            None => named.push((&place.name, vec![said])),
        }
    }
    named.into_iter().map(|(name, places)| sentence(name, &list(&places))).collect()
}
