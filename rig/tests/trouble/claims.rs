//! A claim of the reader's own, from the page that shows one to the report that judges it.

use std::fs;

use rig::docs::PAGES;
use serde_json::Value as Json;

use crate::blackbox::{Lab, is_root, matrix};

/// The files that the page shows, by name.
fn files(page: &str) -> Vec<(String, String)> {
    let block = |part: &str| {
        let (name, rest) = part.split_once('\n')?;
        let (text, _) = rest.split_once("\n```")?;
        Some((name.to_owned(), format!("{text}\n")))
    };
    page.split("```toml file=").skip(1).filter_map(block).collect()
}

fn judged(lab: &Lab) -> Json {
    let ended = lab.run("report latest --format json").expect(0);
    let report: Json = serde_json::from_str(&ended.stdout).unwrap();
    let all = report["hypotheses"].as_array().unwrap();
    all.iter().find(|one| one["id"] == "U1").expect("it is judged").clone()
}

#[test]
fn the_example_of_the_page_is_judged_in_an_empty_folder_and_from_the_record_alone() {
    if !is_root("netns") {
        return;
    }
    let page = PAGES.iter().find(|page| page.topic == "claims").expect("a page").text;
    let lab = Lab::new(&matrix("", r#""rst""#, r#""bare-metal""#));
    fs::create_dir(lab.path().join("claims")).unwrap();
    let files = files(page);
    assert_eq!(files.len(), 3);
    for (name, text) in &files {
        fs::write(lab.path().join(name), text).unwrap();
    }
    let after = page.split("```toml file=matrix.toml").nth(1).unwrap();
    let commands = after.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let mut last = String::new();
    for line in commands.lines() {
        // Without controls no zero proves anything, and a run says so by its exit code.
        let code = if line.starts_with("rig matrix run") { 3 } else { 0 };
        last = lab.run(line.strip_prefix("rig ").unwrap()).expect(code).stdout;
    }
    let said = last.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("U1 refuted what was received before a RST is lost to the reader: otherwise in 1,000 of 1,000 trials"), "{last}");
    let first = judged(&lab);
    assert_eq!((&first["verdict"], &first["source"]), (&Json::from("refuted"), &Json::from("a colleague")));
    assert_eq!(first["parts"][0]["trials"], 1_000);
    fs::remove_file(lab.path().join("claims/U1.toml")).unwrap();
    assert_eq!(judged(&lab), first, "the record has it");
    lab.run("matrix check").expect(2);
}
