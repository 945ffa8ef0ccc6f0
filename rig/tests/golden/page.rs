//! The page for a browser: what it says, that it holds the run, and that it holds nothing of anybody else.

use std::fs;
use std::path::Path;

use rig::analysis::analyse;
use rig::record::Reader;
use rig::report::Format;
use rig_protocol::Errno;

use crate::fixture::{Bench, Play, sound, sound_in, turn, void};
use crate::made_up::{Made, run_of};
use crate::reports::{model, render, rig};
use crate::scale::scale;

/// A run in which one guest returns EBADF.
fn excess() -> Bench {
    let mut bench = sound_in(8);
    for (index, hits) in (0..).zip([23, 19, 21, 25, 18, 20, 24, 18]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.12", index), hits, Errno::EBADF);
    }
    bench
}

fn page(bench: &Bench) -> String {
    render(&model(bench), "html")
}

/// The words of a part of a page, without its markup.
pub(crate) fn words(page: &str, id: &str) -> String {
    let begin = page.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("no section {id}"));
    let end = page[begin..].find("</section>").expect("it ends") + begin;
    let mut text = String::new();
    let mut inside = false;
    for letter in page[begin..end].chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    let text = text
        .replace("&#38;", "&")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Markup that is opened is closed, in order: a browser guesses otherwise.
pub(crate) fn assert_balanced(page: &str) {
    const VOID: [&str; 5] = ["meta", "input", "br", "link", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{:?}", &rest[..rest.len().min(200)]);
            continue;
        }
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        if VOID.contains(&name) || tag.ends_with('/') || name.starts_with('!') {
            continue;
        }
        open.push(name);
        // What stands in these is no markup.
        if ["script", "style"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("it ends")..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// No address of another machine, and nothing that a browser would fetch.
pub(crate) fn assert_own(page: &str) {
    let stripped = page.replace("http://www.w3.org/", "").replace("url(#", "");
    for foreign in
        ["http://", "https://", "src=", "url(", "@import", "<link", "<iframe", "<img", "integrity="]
    {
        let at = stripped.find(foreign);
        assert!(at.is_none(), "{foreign}: {:?}", &stripped[at.unwrap_or(0).saturating_sub(60)..][..120]);
    }
}

#[test]
fn the_answer_comes_first_and_then_why_to_believe_it() {
    let bench = excess();
    let page = page(&bench);
    assert_balanced(&page);
    assert_own(&page);
    insta::assert_snapshot!("page_answer", words(&page, "answer"));
    insta::assert_snapshot!("page_believe", words(&page, "believe"));
    let ids: Vec<&str> = page
        .match_indices("<section id=\"")
        .map(|(at, begin)| page[at + begin.len()..].split('"').next().expect("a word"))
        .collect();
    assert_eq!(
        ids,
        [
            "answer",
            "believe",
            "differs",
            "grid",
            "kernels",
            "claims",
            "anomalies",
            "latency",
            "fixes",
            "missing",
            "provenance",
            "recompute"
        ]
    );
    for id in ids {
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "{id} has no link");
    }
    let differs = words(&page, "differs");
    assert!(differs.contains("168 of 8,000 against 0 of 8,000"), "{differs}");
    assert!(page.contains("class=\"chart-svg") || page.contains("<svg"), "it is drawn");
}

#[test]
fn a_sound_run_says_so() {
    let page = page(&sound());
    assert_balanced(&page);
    assert!(words(&page, "answer").contains("No difference found"), "{}", words(&page, "answer"));
    assert!(!page.contains("http-equiv"), "it does not load itself anew");
}

#[test]
fn a_page_is_a_run_to_every_command_that_reads_one() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = excess().write(results.path());
    let run = dir.file_name().expect("a name").to_str().expect("text");
    let (code, out, err) =
        rig(&["report", run, "--results", ".", "--format", "html", "--output", "sent"], results.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "sent/report.html\n");
    let page = "sent/report.html";
    for format in Format::ALL.iter().filter(|format| format.name != "answer") {
        let of =
            |which: &str| rig(&["report", which, "--results", ".", "--format", format.name], results.path());
        let (its_own, carried) = (of(run), of(page));
        assert_eq!(its_own, carried, "{}", format.name);
    }
    let verify = |which: &str| rig(&["results", "verify", which, "--results", "."], results.path());
    assert_eq!(verify(run), verify(page));
    assert_eq!(verify(page).0, 0);
    let (code, out, _) = rig(&["explain", "EBADF", "--run", page], results.path());
    assert_eq!(code, 0, "{out}");

    let (code, _, err) = rig(&["report", page, "--format", "csv,json"], results.path());
    assert_eq!(code, 2);
    assert!(err.contains("need a folder to be written into") && err.contains("--output DIR"), "{err}");
    let (code, _, err) = rig(&["matrix", "run", "--resume", page], results.path());
    assert_eq!(code, 2);
    assert!(err.contains("is a file: a run goes on in its own folder"), "{err}");
    fs::write(results.path().join("other.html"), "<!doctype html>\n").expect("written");
    let (code, _, err) = rig(&["report", "other.html"], results.path());
    assert_eq!(code, 2);
    assert!(err.contains("other.html carries no run"), "{err}");
    let whole = fs::read_to_string(results.path().join(page)).expect("it is there");
    let cut = &whole[..whole.find("id=\"record\"").expect("it is carried") + 2_000];
    fs::write(results.path().join("cut.html"), cut).expect("written");
    let (code, _, err) = rig(&["report", "cut.html"], results.path());
    assert_eq!(code, 2);
    assert!(err.contains("cut.html is damaged") && err.contains("the file was cut"), "{err}");
}

/// As the page itself says it, with nothing but what every Linux has.
#[test]
fn the_run_comes_out_of_a_page_without_rig() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let run = dir.file_name().expect("a name").to_str().expect("text").to_owned();
    let (code, ..) =
        rig(&["report", &run, "--results", ".", "--format", "html", "--output", "out"], results.path());
    assert_eq!(code, 0);
    let page = fs::read_to_string(results.path().join("out/report.html")).expect("it is there");
    let said = words(&page, "recompute");
    let begin = said.find("sed -n").expect("it says how");
    let command = &said[begin..begin + said[begin..].find(" tar xz").expect("it ends") + " tar xz".len()];
    let status = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(results.path().join("out"))
        .status()
        .expect("sh starts");
    assert!(status.success(), "{command}");
    for name in ["run.json", "journal.jsonl"] {
        let [before, after] =
            [dir.join(name), results.path().join("out").join(name)].map(|path| fs::read(path).expect("read"));
        assert!(before == after, "{name}");
    }
}

#[test]
fn what_a_guest_or_a_file_says_is_no_markup() {
    let mut bench = excess();
    let evil = "</script><img src=x onerror=alert(1)>\"'&";
    void(bench.block(Play::Base, "virtio-tap", "6.12", 0), evil);
    bench.record.command_line = vec!["rig".into(), evil.into()];
    evil.clone_into(&mut bench.record.profile);
    bench.record.environment.host.cpu = evil.into();
    let page = page(&bench);
    assert!(!page.contains("<img"), "{:?}", page.find("<img"));
    assert!(words(&page, "provenance").contains("onerror=alert(1)"));
    let scripts = page.matches("<script").count();
    assert_eq!(scripts, page.matches("</script>").count());
    assert_balanced(&page);
}

/// Every cell is on the page, and still it can be sent.
#[test]
fn a_page_of_many_cells_stays_small() {
    let scenarios = scale(120, 5_000);
    let names: Vec<&'static str> =
        (0..scenarios).map(|n| &*Box::leak(format!("made-{n}").into_boxed_str())).collect();
    let ended = [("readable,data,ECONNRESET", 60)];
    let places = [("bare-metal", "host"), ("virtio-tap", "6.1")];
    let cells: Vec<Made> =
        names.iter().flat_map(|name| places.map(|place| Made::new(name, place, &ended))).collect();
    let model = run_of(&cells).model();
    let page = render(&model, "html");
    let per_cell = page.len() as f64 / cells.len() as f64;
    // 3 MB for 10,000 cells; what is the same for all runs is a part of fewer.
    let fixed = 150_000.0 / cells.len() as f64;
    assert!(per_cell < 300.0 + fixed, "{per_cell} bytes a cell");
    for name in names {
        assert!(page.contains(name), "{name}");
    }
    assert_balanced(&page);
}

#[test]
fn a_finished_runs_page_lies_beside_its_report() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let model = analyse(&Reader::open(&dir).expect("just written"));
    let written = rig::campaign::write_reports(&model, Format::ALL, &dir, &dir).expect("written");
    assert!(written.contains(&dir.join("report.html")));
    let page = fs::read_to_string(dir.join("report.html")).expect("it is there");
    assert!(page.contains("<script type=\"application/gzip\" id=\"record\">\n"));
    // A page does not carry pages.
    assert!(Path::new(&dir.join("report.html")).is_file());
    let again = rig::record::pack(&dir).expect("packed");
    rig::campaign::write_reports(&model, Format::ALL, &dir, &dir).expect("written again");
    assert_eq!(again, rig::record::pack(&dir).expect("packed"));
}
