//! What configurations name and a QEMU does not offer, at the keys that name it.
//!
//! Must not start a QEMU; what it offers is told. Units: none.
//! Errors: problems at the keys; they blame the matrix file. Tests: below; with a real QEMU in `tests/cli_input.rs`.

use std::sync::Arc;

use super::declared::Matrix;
use crate::configuration::{Configuration, Refused};
use crate::document::{Document, Findings, Problems, Span, Table, Value};

impl Matrix {
    /// Every configuration of the file, in its order.
    pub fn configurations(&self) -> &[Configuration] {
        &self.configurations
    }

    /// Everything that these configurations name and their QEMUs do not offer, each with its place in the file.
    ///
    /// # Errors
    /// There is any.
    pub fn refuse_hardware(&self, refused: &[(String, Refused)]) -> Result<(), Problems> {
        let mut findings = Findings::new(Arc::clone(&self.source));
        // The text has been read before.
        let document = Document::parse(self.name(), self.text());
        let root = document.as_ref().ok().map(|(document, _)| &document.root);
        for (configuration, one) in refused {
            let span = root.and_then(|root| place(root, configuration, one)).unwrap_or(0..0);
            let help = match &one.near {
                Some((word, known, there_are)) => {
                    findings.hint(word, known.iter().map(String::as_str), there_are)
                }
                None => one.help.clone(),
            };
            findings.report(span, one.message.clone(), one.label.clone()).maybe_help(help);
        }
        findings.finish(Some(()))
    }
}

fn place(root: &Table, configuration: &str, refused: &Refused) -> Option<Span> {
    let inner = |table: &Table, name: &str| match &table.get(name)?.value {
        Value::Table(inner) => Some(inner.clone()),
        _ => None,
    };
    let table = inner(&inner(root, "configuration")?, configuration)?;
    let node = table.get(refused.key)?;
    match (&refused.property, &node.value) {
        (Some(property), Value::Table(device)) => {
            let (key, value) = device.entries.iter().find(|(key, _)| key.name == *property)?;
            Some(if refused.near.is_some() { key.span.clone() } else { value.span.clone() })
        }
        _ => Some(node.span.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use miette::Diagnostic;

    use super::*;

    const FILE: &str = "[axes]\nscenario = \"fin\"\nconfiguration = \"n\"\nkernel = \"6.1\"\npath = \"direct\"\n[path.direct]\n\
        [configuration.n]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\ndevice = { pakced = true, csum = 1 }\n";

    #[test]
    fn each_place_is_that_of_the_word_at_fault() {
        let matrix = Matrix::parse("m", FILE, Path::new(".")).expect("a sound file");
        assert!(matrix.refuse_hardware(&[]).is_ok());
        let refused = |property: &str, near: Option<(String, Vec<String>, String)>| Refused {
            key: "device",
            property: Some(property.to_owned()),
            message: format!("{property} is wrong"),
            label: "here".to_owned(),
            near,
            help: Some("try another".to_owned()),
        };
        let near = Some(("pakced".to_owned(), vec!["packed".to_owned()], "its properties".to_owned()));
        let all = [("n".to_owned(), refused("pakced", near)), ("n".to_owned(), refused("csum", None))];
        let problems: Vec<_> = matrix.refuse_hardware(&all).expect_err("two problems").into_iter().collect();
        let words = |problem: &crate::document::Problem| {
            let label = problem.labels().expect("a place").next().expect("a place");
            let source = problem.source_code().expect("the file");
            let text = source.read_span(label.inner(), 0, 0).expect("in the file");
            String::from_utf8_lossy(text.data()).into_owned()
        };
        assert_eq!([words(&problems[0]), words(&problems[1])], ["pakced", "1"]);
        let help = |at: usize| problems[at].help().expect("help").to_string();
        assert!(help(0).starts_with("did you mean `packed`?"), "{}", help(0));
        assert_eq!(help(1), "try another");
    }
}
