//! The programs of `rig/programs`, built as their first lines say, and what rig says of a program.

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use super::Lab;

/// What the client prints about its call.
pub(crate) const SAYS: &str = r"result=(?<returned>-?\d+), errno=(?<errno>\d+)";

/// The folder of their sources.
pub(crate) const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs");

/// Builds one into the lab's folder under this name. Without `<string.h>` it compiles with a warning, or with newer compilers not at all.
pub(crate) fn build(lab: &Lab, compiler: &str, source: &str, name: &str, flags: &[&str]) {
    let status = Command::new(compiler)
        .current_dir(lab.path())
        .args(["-w", "-Wno-implicit-function-declaration", "-Wno-int-conversion", "-o", name])
        .args(flags)
        .arg(Path::new(SOURCES).join(source))
        .status();
    assert!(status.unwrap().success(), "{compiler} {source}");
}

/// A client that waits a tenth of a second, as the document has it or mended.
pub(crate) fn client(lab: &Lab, name: &str, flags: &[&str]) {
    let all: Vec<&str> = flags.iter().copied().chain(["-DPAUSE_S=0"]).collect();
    build(lab, "gcc", "client.c", name, &all);
}

/// A scenario whose client is this program, played with the base program's peer.
pub(crate) fn scenario(lab: &Lab, name: &str, keys: &str) -> String {
    let file = format!("{name}.toml");
    let text = format!(
        "title = \"a program\"\nexpect = [\"**\"]\npeer = \"rst\"\n[lane.client]\nprogram = \"./{name}\"\nsays = '{SAYS}'\n{keys}\n"
    );
    fs_err::write(lab.path().join(&file), text).unwrap();
    file
}

/// What the program's trials were, as `kernel|libc|at the line|said|said errno|end` by count.
pub(crate) fn accounts(program: &Json) -> Vec<(String, u64)> {
    let word = |value: &Json| match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let keys = ["kernel", "libc", "libc_at_line", "said", "said_errno", "end", "reading"];
    let all = program["accounts"].as_array().unwrap().iter();
    all.map(|account| {
        let words: Vec<String> = keys.iter().map(|key| word(&account[*key])).collect();
        (words.join("|"), account["trials"].as_u64().unwrap())
    })
    .collect()
}
