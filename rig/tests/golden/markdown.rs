//! The report for the summary of a CI job: what it says, and that it is never too long nor cut within a table.

use crate::fixture::{Play, sound, sound_in, turn};
use crate::made_up::{Made, run_of};
use crate::reports::{model, render};
use rig_protocol::Errno;

/// What a comment takes.
const MOST: usize = 64 << 10;

/// Every row of a table has the fields of its heading, and every table has its line of sides.
pub(crate) fn assert_whole(text: &str) {
    let fields = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut heading: Option<usize> = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with("| ") {
            heading = None;
            continue;
        }
        match heading {
            Some(expected) => assert_eq!(fields(line), expected, "{line}"),
            None => {
                let sides = lines.next().expect("a line of sides");
                assert!(sides.trim_matches(['|', ' ', ':', '-']).is_empty(), "{sides}");
                assert_eq!(fields(line), fields(sides), "{line}");
                heading = Some(fields(line));
            }
        }
    }
}

#[test]
fn a_difference_stands_at_the_top() {
    let mut bench = sound_in(8);
    for (index, hits) in (0..).zip([23, 19, 21, 25, 18, 20, 24, 18]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.12", index), hits, Errno::EBADF);
    }
    let text = render(&model(&bench), "markdown");
    assert_whole(&text);
    insta::assert_snapshot!("markdown_excess", text);
}

#[test]
fn a_sound_run_is_short_and_whole() {
    let text = render(&model(&sound()), "markdown");
    assert_whole(&text);
    assert!(text.starts_with("## ✅ No difference found\n"), "{text}");
    assert!(!text.contains("left out, to stay below"), "nothing is missing");
}

#[test]
fn a_run_of_400_cells_fits_and_says_what_is_left_out() {
    let names: Vec<&'static str> =
        (0..100).map(|n| &*Box::leak(format!("made-{n}").into_boxed_str())).collect();
    let places =
        [("bare-metal", "host"), ("virtio-tap", "6.1"), ("virtio-tap", "6.12"), ("virtio-vhost", "6.1")];
    let ended: Vec<&'static str> =
        (0..100).map(|n| &*Box::leak(format!("readable,data={n},ECONNRESET").into_boxed_str())).collect();
    let cells: Vec<Made> = (0..100)
        .flat_map(|n| {
            let ended = ended[n];
            let name = names[n];
            places.map(move |place| Made::new(name, place, &[(ended, 40), ("timeout,EAGAIN", 20)]))
        })
        .collect();
    assert_eq!(cells.len(), 400);
    let text = render(&run_of(&cells).model(), "markdown");
    assert!(text.len() <= MOST, "{} bytes", text.len());
    assert_whole(&text);
    let last = text.lines().last().expect("a line");
    assert!(last.contains("left out, to stay below 64 KiB: `rig report "), "{last}");
    for always in ["### What was found", "### What differs", "### Can it be believed"] {
        assert!(text.contains(always), "{always}");
    }
}

#[test]
fn what_would_be_markup_is_shown_as_it_is() {
    let mut bench = sound();
    bench.record.environment.host.cpu = "<b>*Xeon*_ [x](y)|`z".into();
    let text = render(&model(&bench), "markdown");
    assert!(text.contains("\\<b\\>\\*Xeon\\*\\_ \\[x\\](y)"), "{text}");
    assert_whole(&text);
}
