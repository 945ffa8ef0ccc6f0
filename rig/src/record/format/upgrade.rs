//! From format 1 to format 2, as trees of JSON: what was written in one shape is brought into the other before it is read.
//!
//! Frozen: it knows both shapes as they are on disk and no type of this program, so that it stays right whatever the types become. A format 3 gets a step of its own
//! behind this one. What format 1 did not have stays absent. Units: as in the files. Errors: a sentence, for what has not the shape of format 1.
//! Tests: here, `tests/golden/recorded.rs`.

use serde_json::{Map, Value, json};

type Tree = Map<String, Value>;

/// `run.json`
pub(super) fn run(file: Value) -> Result<Value, String> {
    let mut run = object(file, "run.json")?;
    mark(&mut run);
    if let Some(cells) = run.remove("cells") {
        let cells = array(cells, "cells")?.into_iter().map(cell).collect::<Result<Vec<_>, _>>()?;
        run.insert("cells".into(), cells.into());
    }
    Ok(run.into())
}

/// `blocks/<block>.<attempt>.json`
pub(super) fn block(file: Value) -> Result<Value, String> {
    let mut block = object(file, "a block")?;
    mark(&mut block);
    for name in ["tally", "peer_tally"] {
        if let Some(tally) = block.remove(name) {
            block.insert(name.into(), sums(object(tally, name)?)?);
        }
    }
    if let Some(Value::Object(witness)) = block.get_mut("witness") {
        rename(witness, "lost", "lost_packets");
    }
    Ok(block.into())
}

/// A line of `anomalies/<block>.<attempt>.jsonl`
pub(super) fn trial(line: Value) -> Result<Value, String> {
    let mut trial = object(line, "a trial")?;
    if let Some(Value::Array(steps)) = trial.get_mut("steps") {
        for step in steps {
            let Some(step) = step.as_object_mut() else { return Err("a step is not an object".into()) };
            for (name, word) in [("errno_after", errno as Word), ("state_before", state as Word)] {
                if let Some(number) = step.get(name).and_then(Value::as_i64) {
                    step.insert(name.into(), word(number)?.into());
                }
            }
        }
    }
    Ok(trial.into())
}

/// The number of something as a word; names are for those who read it.
type Word = fn(i64) -> Result<String, String>;

fn errno(number: i64) -> Result<String, String> {
    match i32::try_from(number) {
        Ok(0) => Ok("none".to_owned()),
        Ok(number) => Ok(format!("errno {number}")),
        Err(_) => Err(format!("{number} is not an errno")),
    }
}

fn state(number: i64) -> Result<String, String> {
    u8::try_from(number)
        .map(|state| format!("state {state}"))
        .map_err(|_| format!("{number} is not a TCP state"))
}

/// The largest value of a bucket of format 1: 16 equal steps in each power of two; 975 is the last.
fn largest_in(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 16 {
        return bucket;
    }
    let (octave, step) = (bucket / 16 - 1, u128::from(bucket % 16 + 17));
    if bucket >= 975 { u64::MAX } else { u64::try_from((step << octave) - 1).unwrap_or(u64::MAX) }
}

fn mark(file: &mut Tree) {
    file.insert("format".into(), 2.into());
    file.insert("format_minor".into(), 0.into());
}

fn object(value: Value, what: &str) -> Result<Tree, String> {
    match value {
        Value::Object(tree) => Ok(tree),
        _ => Err(format!("{what} is not an object")),
    }
}

fn array(value: Value, what: &str) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(all) => Ok(all),
        _ => Err(format!("{what} is not a list")),
    }
}

fn rename(tree: &mut Tree, old: &str, new: &str) {
    if let Some(value) = tree.remove(old) {
        tree.insert(new.into(), value);
    }
}

/// `{cell: {id, subject: {…}, …}, skipped}` becomes one level.
fn cell(record: Value) -> Result<Value, String> {
    let mut record = object(record, "a cell")?;
    let mut cell = object(record.remove("cell").unwrap_or_default(), "a cell's `cell`")?;
    let mut subject = object(cell.remove("subject").unwrap_or_default(), "a cell's `subject`")?;
    for (name, reshape) in [
        ("configuration", configuration as fn(Tree) -> Result<Value, String>),
        ("path", path),
        ("script", script),
    ] {
        let part = object(subject.remove(name).unwrap_or_default(), name)?;
        subject.insert(name.into(), reshape(part)?);
    }
    if let Some(Value::Object(control)) = cell.get_mut("control")
        && let Some(number) = control.get("errno").and_then(Value::as_i64)
    {
        control.insert("errno".into(), errno(number)?.into());
    }
    cell.append(&mut subject);
    cell.append(&mut record);
    Ok(cell.into())
}

/// `{name, target: {kind, …}}`
fn configuration(mut old: Tree) -> Result<Value, String> {
    let mut hardware = object(old.remove("target").unwrap_or_default(), "a configuration's `target`")?;
    let kind = hardware.remove("kind").unwrap_or_default();
    Ok(json!({ "name": old.remove("name"), "kind": kind, "hardware": hardware }))
}

/// `{name, mtu_bytes, medium?, …}`
fn path(mut parts: Tree) -> Result<Value, String> {
    let (name, mtu_bytes) = (parts.remove("name"), parts.remove("mtu_bytes"));
    let medium = parts.remove("medium").unwrap_or_else(|| "link".into());
    Ok(json!({ "name": name, "mtu_bytes": mtu_bytes, "medium": medium, "parts": parts }))
}

/// `{…, lanes: [{…, steps: [{op: {op, …}, …}]}]}`
fn script(mut script: Tree) -> Result<Value, String> {
    let lanes = script.get_mut("lanes").and_then(Value::as_array_mut).ok_or("a script has no lanes")?;
    for lane in lanes {
        let steps = lane.get_mut("steps").and_then(Value::as_array_mut).ok_or("a lane has no steps")?;
        for step in steps {
            let step = step.as_object_mut().ok_or("a step is not an object")?;
            let mut arguments = object(step.remove("op").unwrap_or_default(), "a step's `op`")?;
            step.insert("operation".into(), arguments.remove("op").unwrap_or_default());
            step.insert("arguments".into(), arguments.into());
        }
    }
    Ok(script.into())
}

/// Keys that were numbers, returns that were texts, times by the number of their bucket.
fn sums(mut tally: Tree) -> Result<Value, String> {
    for (name, word) in [
        ("stale_errno", errno as Word),
        ("errno_after_localtime", errno),
        ("injected", errno),
        ("state_before", state),
    ] {
        if let Some(counts) = tally.remove(name) {
            tally.insert(name.into(), rekeyed(object(counts, name)?, word)?);
        }
    }
    if let Some(returns) = tally.remove("returns") {
        let counts = object(returns, "returns")?.into_iter();
        let counts = counts.map(|(key, count)| returned(&key, &count)).collect::<Result<Vec<_>, _>>()?;
        tally.insert("returns".into(), counts.into());
    }
    if let Some(latency) = tally.remove("latency") {
        let by_name = object(latency, "latency")?.into_iter().map(|(name, old)| Ok((name, times(old)?)));
        tally.insert("latency_ns".into(), by_name.collect::<Result<Tree, String>>()?.into());
    }
    Ok(tally.into())
}

fn rekeyed(counts: Tree, word: Word) -> Result<Value, String> {
    let rekeyed = counts.into_iter().map(|(key, count)| {
        let number = key.parse().map_err(|_| format!("{key:?} is not a number"))?;
        Ok((word(number)?, count))
    });
    Ok(rekeyed.collect::<Result<Tree, String>>()?.into())
}

/// `1`, `0`, `-1/EBADF`
fn returned(key: &str, count: &Value) -> Result<Value, String> {
    let (value, errno) = match key.split_once('/') {
        Some((value, errno)) => (value, Some(errno)),
        None => (key, None),
    };
    let value: i64 = value.parse().map_err(|_| format!("{key:?} is not a return"))?;
    let mut entry = json!({ "value": value, "count": count });
    if let Some(errno) = errno {
        entry["errno"] = errno.into();
    }
    Ok(entry)
}

/// `{count, max, buckets: {"170": 1}}`
fn times(old: Value) -> Result<Value, String> {
    let mut times = object(old, "times")?;
    rename(&mut times, "max", "max_ns");
    let buckets = object(times.remove("buckets").unwrap_or_default(), "buckets")?;
    let mut new: Vec<(u64, Value)> = Vec::new();
    for (index, count) in buckets {
        let index: u16 = index.parse().map_err(|_| format!("{index:?} is not a bucket"))?;
        new.push((largest_in(index), count));
    }
    new.sort_by_key(|(at_most, _)| *at_most);
    let new: Vec<Value> =
        new.into_iter().map(|(at_most, count)| json!({ "at_most_ns": at_most, "count": count })).collect();
    times.insert("buckets".into(), new.into());
    Ok(times.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_format_1_get_their_words() {
        let block = block(json!({
            "format_is_not_said": true,
            "witness": { "rst_to_target": 3, "rst_to_peer": 0, "lost": 2 },
            "tally": {
                "returns": { "-1/EBADF": 2, "1": 5, "-1/errno 4095": 1 },
                "state_before": { "7": 4, "13": 1 },
                "stale_errno": { "0": 4, "2": 1 },
                "latency": { "call": { "count": 3, "max": 40, "buckets": { "9": 1, "36": 2 } } },
            },
        }))
        .expect("of format 1");
        assert_eq!(block["witness"]["lost_packets"], 2);
        let tally = &block["tally"];
        assert_eq!(tally["state_before"], json!({ "state 7": 4, "state 13": 1 }));
        assert_eq!(tally["stale_errno"], json!({ "none": 4, "errno 2": 1 }));
        let buckets = json!([{ "at_most_ns": 9, "count": 1 }, { "at_most_ns": 41, "count": 2 }]);
        assert_eq!(tally["latency_ns"]["call"], json!({ "count": 3, "max_ns": 40, "buckets": buckets }));
        let returns = tally["returns"].as_array().expect("a list");
        assert!(returns.contains(&json!({ "value": -1, "errno": "EBADF", "count": 2 })), "{returns:?}");
        assert!(returns.contains(&json!({ "value": 1, "count": 5 })), "{returns:?}");
    }

    #[test]
    fn what_has_another_shape_is_named_and_nothing_fails_hard() {
        let refused = |tally: Value| block(json!({ "tally": tally })).expect_err("not of format 1");
        assert_eq!(refused(json!([])), "tally is not an object");
        assert_eq!(refused(json!({ "injected": { "x": 1 } })), "\"x\" is not a number");
        assert_eq!(refused(json!({ "state_before": { "256": 1 } })), "256 is not a TCP state");
        assert_eq!(refused(json!({ "returns": { "one": 1 } })), "\"one\" is not a return");
        assert_eq!(run(json!({ "cells": [{}] })).expect_err("no cell"), "a cell's `cell` is not an object");
    }
}
