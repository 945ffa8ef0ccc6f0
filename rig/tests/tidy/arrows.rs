//! Who uses whom: between rooms by the table of the architecture page, between files without circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// What each room may use, as `rig/docs/architecture.md` says under "Direction".
pub(crate) type Table = BTreeMap<String, BTreeSet<String>>;

/// Reads the table of the page: rooms in backticks on the left, what they may use in backticks on the right.
pub(crate) fn table(page: &str) -> Table {
    let section = page.split("\n## Direction\n").nth(1).expect("the page has a section `Direction`");
    let section = section.split("\n## ").next().expect("split gives at least one");
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut table = Table::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let mut columns = line.trim_matches('|').split('|');
        let (rooms, may) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        for room in quoted(rooms) {
            table.entry(room).or_default().extend(quoted(may));
        }
    }
    table
}

fn room(source: &Source) -> Option<&str> {
    let inner = source.path.strip_prefix("rig/src/")?;
    let room = inner.split(['/', '.']).next()?;
    (!["lib", "main"].contains(&room) && !source.is_test()).then_some(room)
}

/// What is wrong between rooms: an arrow that the table does not have, a row or an arrow of the table that the code does not have, a table
/// whose arrows lead back.
pub(crate) fn between_rooms(sources: &[&Source], table: &Table) -> Vec<String> {
    let rooms: BTreeSet<&str> = sources.iter().copied().filter_map(room).collect();
    let mut wrong = vec![];
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        let Some(room) = room(source) else { continue };
        let Some(may) = table.get(room) else {
            wrong.push(format!("{}: the table has no row for room `{room}`", source.path));
            continue;
        };
        for one in &source.uses {
            let Some(other) = one.path.get(1).map(String::as_str) else { continue };
            if other == room || !rooms.contains(other) {
                continue;
            }
            used.entry(room).or_default().insert(other);
            if !may.contains(other) {
                wrong.push(format!("{}:{}: `{room}` must not use `{other}`", source.path, one.line));
            }
        }
    }
    for (room, may) in table {
        if !rooms.contains(room.as_str()) {
            wrong.push(format!("the table has a row for `{room}`, which is no room"));
            continue;
        }
        for other in may {
            if !rooms.contains(other.as_str()) {
                wrong.push(format!("the table lets `{room}` use `{other}`, which is no room"));
            } else if !used.get(room.as_str()).is_some_and(|used| used.contains(other.as_str())) {
                wrong.push(format!("the table lets `{room}` use `{other}`, and nothing in `{room}` does"));
            }
        }
    }
    let graph: BTreeMap<&str, BTreeSet<&str>> =
        table.iter().map(|(room, may)| (room.as_str(), may.iter().map(String::as_str).collect())).collect();
    wrong.extend(
        circles(&graph).into_iter().map(|circle| format!("rooms in a circle: {}", circle.join(", "))),
    );
    wrong
}

/// Circles of files, with what ties them.
pub(crate) fn circles_of_files(sources: &[&Source]) -> Vec<String> {
    let by_module: BTreeMap<&[String], &Source> = sources
        .iter()
        .filter(|source| !source.is_test())
        .map(|source| (&source.module[..], *source))
        .collect();
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut ties: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for source in by_module.values() {
        for one in &source.uses {
            let Some((file, item)) = resolve(&by_module, &one.path, 8) else { continue };
            if file != source.path {
                graph.entry(&source.path).or_default().insert(file);
                ties.entry((&source.path, file)).or_default().insert(item);
            }
        }
    }
    let describe = |circle: Vec<&str>| {
        let mut text = format!("files in a circle: {}", circle.join(", "));
        for from in &circle {
            for to in &circle {
                if let Some(items) = ties.get(&(*from, *to)) {
                    let items: Vec<&str> = items.iter().map(String::as_str).collect();
                    text.push_str(&format!("\n    {from} -> {to}: {}", items.join(", ")));
                }
            }
        }
        text
    };
    circles(&graph).into_iter().map(describe).collect()
}

/// The file that defines what a path names, and the name there. Names that a module takes from elsewhere are followed.
fn resolve<'s>(
    by_module: &BTreeMap<&[String], &'s Source>,
    path: &[String],
    steps: usize,
) -> Option<(&'s str, String)> {
    let depth = (1..=path.len()).rev().find(|depth| by_module.contains_key(&path[..*depth]))?;
    let source = by_module[&path[..depth]];
    let Some(item) = path.get(depth) else {
        return Some((&source.path, "(the module)".to_owned()));
    };
    let follow = |target: &[String]| {
        let further = [target, &path[depth + 1..]].concat();
        if steps == 0 || further == path { None } else { resolve(by_module, &further, steps - 1) }
    };
    if source.defined.contains(item) {
        return Some((&source.path, item.clone()));
    }
    if let Some(target) = source.aliases.get(item)
        && let Some(found) = follow(target)
    {
        return Some(found);
    }
    for glob in &source.globs {
        if by_module.get(&glob[..]).is_some_and(|other| other.defined.contains(item)) {
            return follow(&[&glob[..], std::slice::from_ref(item)].concat());
        }
    }
    // Of another crate, or made by a macro: taken as the module's own only where it says nothing else of it.
    source.aliases.is_empty().then(|| (source.path.as_str(), item.clone()))
}

/// Strongly connected sets of more than one node: each node's set is what it reaches and is reached from.
fn circles<'n>(graph: &BTreeMap<&'n str, BTreeSet<&'n str>>) -> Vec<Vec<&'n str>> {
    let reached = |from: &'n str| {
        let mut seen: BTreeSet<&'n str> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            for next in graph.get(node).into_iter().flatten() {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&'n str, BTreeSet<&'n str>> =
        graph.keys().map(|node| (*node, reached(node))).collect();
    let mut found: BTreeSet<Vec<&'n str>> = BTreeSet::new();
    for (node, seen) in &reach {
        if seen.contains(node) {
            let circle =
                seen.iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(node)));
            found.insert(circle.copied().collect());
        }
    }
    found.into_iter().collect()
}
