//! The page of a run: accessible in every view, of one piece, and every unexpected trial a few keys away.
//!
//! The run is a recorded one with anomalies (`tests/golden/runs`). What the page says is tested in `tests/golden/page.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use crate::accessible::{accessible_closed_and_open, fits_and_fetches_nothing};
use crate::browser::{Browser, View};

/// The page of a recorded run; with everything that opens open, if asked for.
fn page(folder: &Path, open: bool) -> PathBuf {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs/format-2");
    let output = Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["report", "--format", "html"])
        .arg(&run)
        .output()
        .expect("rig starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("<section id=\"anomalies\""), "it has trials to look at");
    let text = if open { text.replace("<details", "<details open") } else { text };
    let path = folder.join("report.html");
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn axe_finds_nothing_closed_or_open() {
    accessible_closed_and_open(page);
}

#[test]
fn it_fits_a_phone_and_a_desk_and_fetches_nothing() {
    fits_and_fetches_nothing(page);
}

/// From the top of the page, with keys alone.
#[test]
fn an_unexpected_trial_is_twelve_keys_away() {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = page(folder.path(), false);
    let mut tab = browser.start();
    for scripts in [true, false] {
        tab.show(&page, View { scripts, ..View::default() });
        let focused = "document.activeElement.textContent.trim()";
        let mut keys = 0;
        let mut walk = |wanted: &str| {
            loop {
                tab.press("Tab");
                keys += 1;
                let on = tab.evaluate(focused);
                let on = on.as_str().unwrap_or_default();
                if on.contains(wanted) {
                    tab.press("Enter");
                    keys += 1;
                    return;
                }
                assert!(keys < 12, "{wanted} is far: {on:?} after {keys} keys");
            }
        };
        walk("To the answer");
        walk("to look at step by step");
        walk("trials ended so");
        assert!(keys <= 12, "{keys} keys");
        assert_eq!(tab.evaluate("document.querySelector('.trial[open]') != null"), true);
        assert_eq!(
            tab.evaluate("document.querySelector('.trial[open] svg').getBoundingClientRect().height > 100"),
            true
        );
    }
}

#[test]
fn rows_are_found_by_a_word_and_the_view_is_a_link() {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = page(folder.path(), false);
    let mut tab = browser.start();
    let shown = "[...document.querySelectorAll('#grid tbody tr')].filter(row => !row.hidden).length";
    tab.show(&page, View::default());
    let all = tab.evaluate(shown).as_u64().expect("a number");
    assert!(all > 1, "{all}");
    tab.evaluate("document.getElementById('grid-filter').focus()");
    for key in ["w", "a", "t", "c", "h"] {
        tab.press(key);
    }
    assert_eq!(tab.evaluate(shown), 1);
    assert_eq!(tab.evaluate("location.hash"), "#grid=watch");
    assert_eq!(
        tab.evaluate("document.querySelector('#grid output').textContent"),
        format!("1 of {all} rows")
    );
    tab.show_at(&format!("file://{}#grid=watch", page.display()), View::default());
    assert_eq!(tab.evaluate(shown), 1, "who is sent the link sees the same");
    tab.show(&page, View { scripts: false, ..View::default() });
    assert_eq!(tab.evaluate(shown).as_u64(), Some(all), "without scripts everything is there");
    assert_eq!(
        tab.evaluate("document.querySelector('.filter').offsetParent == null"),
        true,
        "and no box that does nothing"
    );
}
