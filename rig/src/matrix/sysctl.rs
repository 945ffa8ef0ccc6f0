//! Kernel settings that a configuration or a path names: `[configuration.NAME.sysctl]`, `[path.NAME.sysctl]`.
//!
//! Must not know kernels: which of them a kernel has is seen when they are set. Units: as the kernel writes them.
//! Errors: problems at the key; they blame the matrix file. Tests: `path/tests/sysctl.rs`, `tests/diagnostics/path`.

use crate::configuration::Sysctls;
use crate::document::{Findings, Key, Node, Span, Table, Value};

/// Where a network namespace has settings of its own.
const ROOMS: [&str; 2] = ["net.ipv4.", "net.core."];

/// The settings of a table; `None` where one of them is wrong. A dotted key is read as one name: `net.ipv4.tcp_syn_retries = 1`.
pub(super) fn read(findings: &mut Findings, node: &Node, what: &str) -> Option<Sysctls> {
    let table = findings.table(node, what)?;
    let mut found = Sysctls::new();
    let mut sound = true;
    if table.entries.is_empty() {
        findings
            .report(node.span.clone(), format!("{what} is empty"), "sets nothing")
            .help("name a setting: net.ipv4.tcp_syn_retries = 1");
        return None;
    }
    collect(findings, table, "", &mut |findings, name, key, node| match value(findings, node, &name)
        .filter(|_| is_known(findings, key, &name))
    {
        Some(value) => drop(found.insert(name, value)),
        None => sound = false,
    });
    sound.then_some(found)
}

/// Every value with its whole name: a dot begins a table (TOML 1.0, dotted keys).
fn collect(
    findings: &mut Findings,
    table: &Table,
    before: &str,
    each: &mut dyn FnMut(&mut Findings, String, &Key, &Node),
) {
    for (key, node) in &table.entries {
        let name = format!("{before}{}", key.name.replace('/', "."));
        match &node.value {
            Value::Table(inner) => collect(findings, inner, &format!("{name}."), each),
            _ => each(findings, name, key, node),
        }
    }
}

/// A name that can be one of a network namespace's own settings.
fn is_known(findings: &mut Findings, key: &Key, name: &str) -> bool {
    let formed = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let whole = !name.contains("..") && !name.ends_with('.');
    if formed && whole && ROOMS.iter().any(|room| name.starts_with(room) && name.len() > room.len()) {
        return true;
    }
    refuse(findings, &key.span, format!("`{name}` cannot be set here"), "not of net.ipv4 or net.core")
        .help("a network namespace has its own net.ipv4.* and net.core.*; any other setting is one of the whole machine, which rig leaves alone");
    false
}

/// A number, or words that the kernel takes: `"4096 16384 4194304"`.
fn value(findings: &mut Findings, node: &Node, name: &str) -> Option<String> {
    let text = match &node.value {
        Value::Integer(Some(number)) => number.to_string(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => {
            return findings.mismatch(
                node,
                &format!("`{name}`"),
                "a whole number, or a string as the kernel takes it",
            );
        }
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || " ._-:".contains(c);
    if text.is_empty() || text.len() > 200 || !text.chars().all(fits) {
        refuse(findings, &node.span, format!("`{name}` is wrong"), "not a value of a kernel setting")
            .help("write it as sysctl(8) shows it: 1, \"cubic\", \"4096 16384 4194304\"");
        return None;
    }
    Some(text)
}

fn refuse<'f>(
    findings: &'f mut Findings,
    span: &Span,
    message: String,
    label: &'static str,
) -> &'f mut crate::document::Problem {
    findings.report(span.clone(), message, label)
}
