//! How a reader recomputes every number: the commands, and the run that the page carries.
//!
//! Must not judge. Units: bytes in words. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::ReportModel;
use crate::analysis::words::{count, several};
use crate::report::carried::Carried;

use super::section::Section;

#[derive(Template)]
#[template(path = "page/recompute.html")]
struct Recompute {
    size: String,
    packets: String,
    commands: Vec<(&'static str, String)>,
}

pub(super) fn section(model: &ReportModel, carried: &Carried) -> Section {
    let run = &model.run.id;
    let packed = carried.packed.as_ref();
    let kib = packed.map_or(0, |packed| packed.archive.len().div_ceil(1024));
    let left_out = packed.map_or(0, |packed| packed.left_out);
    let packets = match left_out {
        0 => String::new(),
        n => format!("The packets ({}) are too large for a page and are not in it.", several(n, "file")),
    };
    let seed = model.run.seed;
    let commands = vec![
        ("the report as text", "rig report report.html".to_owned()),
        ("every figure as JSON", "rig report report.html --format json".to_owned()),
        ("compute every figure anew", "rig results verify report.html".to_owned()),
        ("the files, without rig", "sed -n '/^<script type=\"application\\/gzip\" id=\"record\">$/,/^<\\/script>$/p' report.html | sed '1d;$d' | base64 -d | tar xz".to_owned()),
        ("the same draws again", format!("rig matrix run --seed {seed}")),
        ("go on, where it ended early", format!("rig matrix run --resume {run}")),
    ];
    let body = Recompute { size: format!("{} KiB", count(kib as u64)), packets, commands };
    Section::new("recompute", "Recompute it", &body)
}
