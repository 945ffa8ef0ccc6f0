//! A command of the reader's, once for each alert: with the path of a page, without a shell, and never instead of the alert.

use fs_err as fs;
use rig::campaign::{Nights, watch_nights};

use super::made_up::{Shelf, hit};
use crate::reports::rig;

/// Twelve nights in which a cell got worse.
fn worse() -> Shelf {
    let shelf = Shelf::new();
    (0..12).for_each(|night| drop(shelf.night(night, |bench| hit(bench, 0, if night >= 8 { 9 } else { 0 }))));
    shelf
}

#[test]
fn each_alert_is_noticed_once_with_a_page_about_its_cell() {
    let shelf = worse();
    let notify = ["history", "--notify", "cp {} noticed.html"];
    let (code, text, error) = rig(&notify, shelf.folder());
    assert!(code == 5 && text.contains("got worse") && error.starts_with("noticed: worse:"), "{error}");
    let page = fs::read_to_string(shelf.folder().join("noticed.html")).expect("it was copied");
    let cell = shelf.cells()[0].clone();
    assert!(page.contains(&cell) && !page.contains(&shelf.cells()[1]), "the page is about its cell alone");
    // Known already; and a database that is made anew does not forget it.
    fs::remove_file(shelf.folder().join("noticed.html")).expect("there");
    for arguments in [&notify[..], &["history", "--notify", "cp {} noticed.html", "--rebuild"]] {
        let (code, _, error) = rig(arguments, shelf.folder());
        assert_eq!((code, error.as_str()), (5, ""));
        assert!(!shelf.folder().join("noticed.html").exists());
    }
}

#[test]
fn a_command_that_fails_is_told_and_loses_no_alert() {
    let shelf = worse();
    for (command, why) in
        [("false", "false failed"), ("no-such-program-1 x", "does not start"), ("'x", "not closed")]
    {
        let (code, text, error) = rig(&["history", "--notify", command], shelf.folder());
        assert!(code == 5 && text.contains("got worse"), "{text}");
        assert!(
            error.contains("not noticed, and asked for again the next time") && error.contains(why),
            "{error}"
        );
    }
    let wanted = Nights { notify: Some("true".into()), ..Nights::default() };
    let notices = watch_nights(&shelf.results(), &wanted).expect("a history").notices;
    assert!(notices.len() == 1 && notices[0].failed.is_none(), "{notices:?}");
}

#[test]
fn no_word_of_a_command_is_read_by_a_shell() {
    let shelf = worse();
    let (_, _, error) = rig(&["history", "--notify", "touch $(reboot) ;false {}.seen"], shelf.folder());
    assert!(error.starts_with("noticed: "), "{error}");
    for word in ["$(reboot)", ";false"] {
        assert!(shelf.folder().join(word).exists(), "{word} is a word like any other");
    }
}
