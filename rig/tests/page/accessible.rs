//! What every page must be: accessible (axe-core finds nothing, in every view), of one piece (nothing is fetched), no wider than its window.
//!
//! Must not know what a page is about. Each of these is shown to fail on a planted fault. axe-core: WCAG 2.2 and good practice, Deque Systems; it comes with
//! the Python packages of the oracles (`tests/oracles/requirements.txt`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use crate::browser::{Browser, Tab, View};
use crate::packages::needs_packages;

/// Every view that must be accessible.
pub(crate) fn views() -> Vec<View> {
    let mut all = vec![];
    for dark in [false, true] {
        for width in [360, 1440] {
            all.extend([true, false].map(|scripts| View { width, dark, scripts, paper: false }));
        }
    }
    all
}

/// axe finds nothing in a page with all that opens closed, and open.
pub(crate) fn accessible_closed_and_open(page: impl Fn(&Path, bool) -> PathBuf) {
    let Some(examiner) = Examiner::find() else { return };
    for open in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        examiner.accessible(&page(folder.path(), open));
    }
}

/// A page is no wider than a phone and a desk, with scripts and without; it fetches nothing, and can be printed.
pub(crate) fn fits_and_fetches_nothing(page: impl Fn(&Path, bool) -> PathBuf) {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = page(folder.path(), true);
    let mut tab = browser.start();
    for width in [360, 768, 1440] {
        for scripts in [true, false] {
            tab.show(&page, View { width, scripts, ..View::default() });
            assert_eq!(too_wide(&mut tab), 0, "at {width} px");
        }
    }
    no_foreign_address(&mut tab, &page);
    assert!(tab.print().starts_with(b"%PDF"), "it can be printed");
}

/// A browser, and axe's source; where either is missing, says that the test is skipped.
pub(crate) struct Examiner {
    browser: Browser,
    axe: String,
}

impl Examiner {
    pub(crate) fn find() -> Option<Self> {
        let browser = Browser::find()?;
        let file = needs_packages()?.file("axe_playwright_python/axe.min.js").expect("the package has it");
        Some(Self { browser, axe: fs::read_to_string(file).expect("it is read") })
    }

    /// What axe finds in this view of a page: rule, help and elements of each violation, a line each.
    fn violations(&self, tab: &mut Tab, page: &Path, view: View) -> Vec<String> {
        const RUN: &str = "axe.run(document, {resultTypes: ['violations']}).then(found => ({
            passes: found.passes.length,
            violations: found.violations.map(one => one.id + ' (' + one.help + '): '
                + one.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary).join(' | ')),
        }))";
        tab.show(page, view);
        let found = tab.evaluate(&format!("{}\n;{RUN}", self.axe));
        assert!(found["passes"].as_u64().is_some_and(|passes| passes > 3), "axe looked at nothing: {found}");
        strings(&found["violations"])
    }

    /// Fails unless axe finds nothing in any view of the page.
    #[track_caller]
    pub(crate) fn accessible(&self, page: &Path) {
        let (mut tab, mut wrong) = (self.browser.start(), String::new());
        for view in views() {
            for violation in self.violations(&mut tab, page, view) {
                let _ = writeln!(wrong, "{view:?}: {violation}");
            }
        }
        assert!(wrong.is_empty(), "{}:\n{wrong}", page.display());
    }
}

/// What the page names or fetches of another machine. A namespace of XML is a name, nothing is fetched for it.
pub(crate) fn foreign_addresses(tab: &mut Tab, page: &Path) -> Vec<String> {
    const NAMESPACES: [&str; 3] =
        ["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml", "http://www.w3.org/1999/xlink"];
    let text = fs::read_to_string(page).expect("UTF-8");
    let mut found = vec![];
    for scheme in ["http://", "https://", "=\"//", "='//", "url(//", "ws://", "wss://"] {
        for (at, _) in text.match_indices(scheme) {
            let end = text[at..].char_indices().nth(80).map_or(text.len(), |(length, _)| at + length);
            let address = &text[at..end];
            if !NAMESPACES
                .iter()
                .any(|one| address.strip_prefix(one).is_some_and(|rest| rest.starts_with('"')))
            {
                found.push(address.to_owned());
            }
        }
    }
    for view in [View::default(), View { scripts: false, ..View::default() }] {
        tab.show(page, view);
        let own = format!("file://{}", page.display());
        let fetched = tab.fetched();
        assert!(fetched.contains(&own), "the page itself is asked for: {fetched:?}");
        found.extend(fetched.into_iter().filter(|address| *address != own && !address.starts_with("data:")));
    }
    found
}

/// Fails if the page names or fetches anything of another machine.
#[track_caller]
pub(crate) fn no_foreign_address(tab: &mut Tab, page: &Path) {
    let found = foreign_addresses(tab, page);
    assert!(found.is_empty(), "{}: {found:#?}", page.display());
}

/// How many pixels the page that is shown is wider than its window, so that it scrolls sideways as a whole.
pub(crate) fn too_wide(tab: &mut Tab) -> i64 {
    tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        .as_i64()
        .expect("pixels")
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().expect("a list").iter();
    all.map(|one| one.as_str().expect("text").to_owned()).collect()
}

fn written(body: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>
        <title>A page</title><main><h1>A page</h1>{body}</main></html>"
    );
    fs::write(&page, html).expect("it is written");
    (folder, page)
}

#[test]
fn a_fault_is_found_in_every_view() {
    let Some(examiner) = Examiner::find() else { return };
    let (_folder, page) = written(
        "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>
        <style>@media (prefers-color-scheme: dark) { p { color: #eee } }</style><p>words</p>",
    );
    let mut tab = examiner.browser.start();
    for view in views() {
        let found = examiner.violations(&mut tab, &page, view);
        let has = |rule: &str| found.iter().any(|one| one.starts_with(rule));
        assert!(has("image-alt ("), "{view:?}: {found:?}");
        assert_eq!(has("color-contrast ("), view.dark, "{view:?}: {found:?}");
    }
}

#[test]
fn scripts_run_where_they_may_and_only_there() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = written(
        "<p id=said>nothing</p><noscript><p id=without>no scripts</p></noscript>
        <script>document.getElementById('said').textContent = 'run ' + innerWidth</script>",
    );
    let mut tab = browser.start();
    for (scripts, said, without) in [(true, "run 360", false), (false, "nothing", true)] {
        tab.show(&page, View { scripts, width: 360, ..View::default() });
        assert_eq!(tab.evaluate("document.getElementById('said').textContent"), said);
        assert_eq!(tab.evaluate("document.getElementById('without') != null"), without);
    }
}

#[test]
fn an_address_of_another_machine_is_found_whether_it_is_written_or_made() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = written(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=img aria-label=x></svg><a href=\"//192.0.2.1/x\">x</a>
        <script>new Image().src = 'ht' + 'tp:' + '/' + '/192.0.2.9/made.png'</script>",
    );
    let found = foreign_addresses(&mut browser.start(), &page);
    assert!(found.iter().any(|one| one.starts_with("=\"//192.0.2.1/x")), "{found:?}");
    assert!(found.iter().any(|one| one == "http://192.0.2.9/made.png"), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}
