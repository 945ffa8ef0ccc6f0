//! That the browser of this host shows pages at all, without a screen and without a network.
//!
//! The page has a text of rig's own in it, read back from the laid out page. Must not know what a report looks like.

use std::fmt::Write as _;

use crate::browser::Browser;

/// Each row of the glossary becomes a paragraph of the page by the page's own script.
#[test]
fn a_page_of_the_documentation_is_laid_out_and_its_script_runs() {
    let Some(browser) = Browser::find() else { return };
    let glossary = rig::docs::find("glossary").expect("a page").text;
    let words: Vec<&str> =
        glossary.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    assert!(words.len() > 10, "{words:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let script = "const lines = document.querySelector('pre').textContent.split('\\n');
        for (const line of lines.filter(line => line.startsWith('| '))) {
            const row = document.body.appendChild(document.createElement('p'));
            row.textContent = line.slice(2).split(' | ')[0];
        }
        document.title = 'width ' + (document.querySelector('pre').getBoundingClientRect().width > 0);";
    let html = format!(
        "<!doctype html><meta charset=utf-8><pre>{}</pre><script>{script}</script>",
        escaped(glossary)
    );
    fs_err::write(&page, html).expect("it is written");
    let dom = browser.dom(&page);
    let wanted = words.iter().fold(String::new(), |mut all, word| {
        let _ = write!(all, "<p>{}</p>", escaped(word));
        all
    });
    assert!(dom.contains("<title>width true</title>"), "{dom}");
    assert!(dom.contains(&wanted), "{wanted}\n\n{dom}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
