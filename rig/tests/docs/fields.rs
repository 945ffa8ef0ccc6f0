//! From a JSON Schema to a table of its fields: one row per path, such as `cells[].rates.*.low`.
//!
//! Knows JSON Schema as schemars writes it (properties, items, maps, references, tagged unions), and no field of any file.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::markdown::row;

/// A field of a file.
pub(crate) struct Field {
    pub(crate) path: String,
    kind: String,
    about: String,
    /// When it is absent; empty where it is always there.
    absent: String,
    /// The words that it may be, with what each means.
    words: Vec<(String, String)>,
}

/// Every field of a schema, in the order in which they are written.
pub(crate) fn fields(schema: &Value) -> Vec<Field> {
    let mut walk = Walk { root: schema, open: Vec::new(), found: Vec::new() };
    walk.members(schema, "");
    let mut found = walk.found;
    let cases: Vec<(String, usize)> =
        found.iter().map(|field| (format!("unless `{}` is `", field.path), field.words.len())).collect();
    for field in &mut found {
        let parts: Vec<&str> = field.absent.split(", ").collect();
        let is_each = |(case, words): &(String, usize)| {
            *words > 1
                && parts.len() == *words
                && parts.iter().all(|part| part.starts_with(case) && !part.contains(" and "))
        };
        if cases.iter().any(is_each) {
            // There in each of the cases.
            field.absent.clear();
        }
    }
    found
}

/// The table of fields, and the table of the words that some of them hold.
pub(crate) fn tables(fields: &[Field]) -> String {
    let mut text = String::from("| field | type | meaning | absent |\n|---|---|---|---|\n");
    for Field { path, kind, about, absent, .. } in fields {
        let absent = if absent.is_empty() { "never" } else { absent };
        row(&mut text, &[&format!("`{path}`"), kind, about, absent]);
    }
    let worded: Vec<&Field> = fields.iter().filter(|field| !field.words.is_empty()).collect();
    if !worded.is_empty() {
        text.push_str("\n| field | word | meaning |\n|---|---|---|\n");
        for field in worded {
            for (word, about) in &field.words {
                row(&mut text, &[&format!("`{}`", field.path), &format!("`{word}`"), about]);
            }
        }
    }
    text
}

struct Walk<'s> {
    root: &'s Value,
    /// The definitions that the walk is inside of: one that contains itself ends there.
    open: Vec<&'s str>,
    found: Vec<Field>,
}

impl<'s> Walk<'s> {
    /// What a schema is once its reference is followed.
    fn resolved(&self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(name) => {
                self.root.pointer(name.trim_start_matches('#')).expect("a definition of this schema")
            }
            None => schema,
        }
    }

    /// The fields of what stands at `place`, be it an object, a list or a map of objects, or a choice among such.
    fn members(&mut self, schema: &'s Value, place: &str) {
        let reference = schema["$ref"].as_str();
        if reference.is_some_and(|name| self.open.contains(&name)) {
            return;
        }
        self.open.extend(reference);
        let target = self.resolved(schema);
        for items in list(target, "prefixItems").chain(object(target, "items")) {
            self.members(items, &format!("{place}[]"));
        }
        let of_pattern = target["patternProperties"].as_object().into_iter().flat_map(Map::values);
        for value in of_pattern.chain(object(target, "additionalProperties")) {
            self.members(value, &format!("{place}.*"));
        }
        self.properties(target, place, "", "");
        self.choices(target, place, "");
        if reference.is_some() {
            self.open.pop();
        }
    }

    /// The cases of a choice, and the choices within them; `outer` says in which case of an outer one this is.
    fn choices(&mut self, schema: &'s Value, place: &str, outer: &str) {
        for kind in ["oneOf", "anyOf", "allOf"] {
            let parts: Vec<&Value> = list(schema, kind).collect();
            let objects = parts.iter().filter(|part| self.resolved(part)["properties"].is_object()).count();
            for part in parts {
                let object = self.resolved(part);
                if part["properties"].is_object() {
                    let tag = tag(part);
                    let case = [outer, tag.as_str()].into_iter().filter(|case| !case.is_empty());
                    let case = case.collect::<Vec<_>>().join(" and ");
                    self.properties(part, place, &case, outer);
                    self.choices(part, place, &case);
                } else if objects > 1 && object["properties"].is_object() && kind != "allOf" {
                    // Told apart by their fields alone: by what is said of each.
                    let said = part["description"].as_str().map(one_line).unwrap_or_default();
                    self.properties(object, place, &format!("it is: {}", said.trim_end_matches('.')), outer);
                } else {
                    self.members(part, place);
                }
            }
        }
    }

    /// The properties of one object; `only` says in which case of a choice it is there, `outer` in which case that choice is made.
    fn properties(&mut self, schema: &'s Value, place: &str, only: &str, outer: &str) {
        let Some(properties) = schema["properties"].as_object() else { return };
        let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
        // What is required is listed in the order of writing, the rest by name.
        let optional = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
        let named = required.iter().copied().filter(|name| properties.contains_key(*name));
        for name in named.chain(optional) {
            let path = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            let property = &properties[name];
            let absent = match (only, required.contains(&name)) {
                ("", true) => String::new(),
                ("", false) => "may be".to_owned(),
                (only, _) if property["const"].is_string() && only.contains(&format!("`{name}` is")) => {
                    if outer.is_empty() {
                        String::new()
                    } else {
                        format!("unless {outer}")
                    }
                }
                (only, true) => format!("unless {only}"),
                (only, false) => format!("may be; always unless {only}"),
            };
            let case = schema["description"].as_str().map(one_line).unwrap_or_default();
            self.field(property, path, absent, case);
        }
    }

    /// `case` is what is said of the object that the field is of: what its tag's word means.
    fn field(&mut self, schema: &'s Value, path: String, absent: String, case: String) {
        let said = |schema: &Value| schema["description"].as_str().map(one_line);
        let mut about = said(schema).or_else(|| said(self.resolved(schema))).unwrap_or_default();
        let mut words = self.words(schema);
        if let Some(word) = schema["const"].as_str() {
            let meaning = if about.is_empty() { case } else { about.clone() };
            words = vec![(word.to_owned(), meaning)];
            if about.is_empty() {
                "Which of several cases it is: the words are below.".clone_into(&mut about);
            }
        }
        match self.found.iter_mut().find(|field| field.path == path) {
            // The same field in another case of a choice.
            Some(known) => {
                known.words.extend(words);
                if !absent.is_empty() && known.absent != absent {
                    known.absent =
                        format!("{}, {}", known.absent, absent).trim_start_matches(", ").to_owned();
                }
            }
            None => {
                let kind = self.kind(schema);
                self.found.push(Field { path: path.clone(), kind, about, absent, words });
            }
        }
        self.members(schema, &path);
    }

    /// The words of a closed list, with their meanings.
    fn words(&self, schema: &'s Value) -> Vec<(String, String)> {
        let target = self.resolved(schema);
        let choices = list(target, "oneOf").chain(list(target, "anyOf"));
        let mut words: Vec<(String, String)> = list(target, "enum")
            .filter_map(Value::as_str)
            .map(|word| (word.to_owned(), String::new()))
            .collect();
        for choice in choices {
            match choice["const"].as_str() {
                Some(word) => words
                    .push((word.to_owned(), one_line(choice["description"].as_str().unwrap_or_default()))),
                None if choice["properties"].is_object() => {}
                None => words.extend(self.words(choice)),
            }
        }
        words
    }

    /// What kind of value it is, in words.
    fn kind(&self, schema: &'s Value) -> String {
        let target = self.resolved(schema);
        let choices: BTreeSet<String> =
            list(target, "oneOf").chain(list(target, "anyOf")).map(|choice| self.kind(choice)).collect();
        if !choices.is_empty() {
            return choices.into_iter().collect::<Vec<_>>().join(" or ");
        }
        if target["const"].is_string() {
            return "text".to_owned();
        }
        let types = match &target["type"] {
            Value::String(one) => vec![one.as_str()],
            several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        let kinds: Vec<String> = types.into_iter().map(|name| self.named_kind(name, target)).collect();
        if kinds.is_empty() { "any".to_owned() } else { kinds.join(" or ") }
    }

    fn named_kind(&self, name: &str, schema: &'s Value) -> String {
        let inner = |key| schema.get(key).filter(|value| value.is_object()).map(|value| self.kind(value));
        let of_pattern = || Some(self.kind(schema["patternProperties"].as_object()?.values().next()?));
        match name {
            "string" => "text".to_owned(),
            "boolean" => "true or false".to_owned(),
            "integer" => format!("whole number{}", bounds(schema)),
            "number" => format!("number{}", bounds(schema)),
            "array" => format!("list of {}", inner("items").unwrap_or_else(|| "values".to_owned())),
            "object" => match inner("additionalProperties").or_else(of_pattern) {
                Some(kind) => format!("{kind}, by key"),
                None => "object".to_owned(),
            },
            other => other.to_owned(),
        }
    }
}

fn list<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    schema[key].as_array().into_iter().flatten()
}

fn object<'v>(schema: &'v Value, key: &str) -> Option<&'v Value> {
    schema.get(key).filter(|value| value.is_object())
}

/// `` `status` is `void` ``, for a case of a tagged choice.
fn tag(part: &Value) -> String {
    let constant =
        |(name, value): (&String, &Value)| Some(format!("`{name}` is `{}`", value["const"].as_str()?));
    part["properties"].as_object().into_iter().flatten().find_map(constant).unwrap_or_default()
}

/// ` from 0 to 1`; nothing where a count merely is not negative.
fn bounds(schema: &Value) -> String {
    let bound = |key: &str, word: &str| match &schema[key] {
        Value::Null => String::new(),
        value => format!(" {word} {value}"),
    };
    if !schema["const"].is_null() {
        return format!(", {}", schema["const"]);
    }
    let from = if schema["minimum"] == 0 && schema["maximum"].is_null() {
        String::new()
    } else {
        bound("minimum", "from")
    };
    format!("{from}{}", bound("maximum", "to"))
}

/// A comment as one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
