//! `baseline = "kernel:6.1"`: the kernel whose cells those of the other kernels are compared with, besides bare metal.
//!
//! Holds how it is written, and why some kernels have nothing to compare with it. Must not know results, nor which images there are. Units: none.
//! Errors: [`Wrong`], as what its text is none. Tests: here; `tests/diagnostics.rs`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::HOST_KERNEL;
use super::glob;
use crate::document::{Span, Wrong, hint};

/// What stands before the kernel's name.
const PREFIX: &str = "kernel:";

/// A kernel of the axis whose cells are compared with those that differ from them in the kernel only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Baseline {
    kernel: String,
}

impl Baseline {
    /// The word of the kernel axis.
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Reads `kernel:NAME`.
    pub(super) fn read(text: &str) -> Result<Self, Wrong> {
        let Some(kernel) = text.strip_prefix(PREFIX) else {
            let help = "write `kernel:` and a value of the kernel axis: \"kernel:6.1\", \"kernel:./linux\"";
            return Err(Wrong::with_help("not `kernel:` and a kernel", help));
        };
        if kernel == HOST_KERNEL {
            let help = "every guest is compared with the host anyway; name a guest's kernel, \"kernel:6.1\"";
            return Err(Wrong::with_help("not a guest's kernel", help));
        }
        if kernel.is_empty() || !glob::is_plain(kernel) || kernel.contains(char::is_whitespace) {
            let help = "it is one kernel, as the kernel axis spells it: \"kernel:6.1\"";
            return Err(Wrong::with_help("not the name of a kernel", help));
        }
        Ok(Self { kernel: kernel.to_owned() })
    }

    /// Why cells on these kernels are not compared with those on this one, if they are not: the message, what to write beside it, and what to try.
    pub(super) fn refused(&self, kernels: &[&str]) -> Option<[String; 3]> {
        let kernel = &self.kernel;
        let told = |message: String, label: &str, help: String| Some([message, label.to_owned(), help]);
        match kernels {
            [] => told(
                format!("`{self}` is compared with no guest"),
                "no cell has a kernel of the axis",
                "add a configuration with kind = \"qemu\" and two kernels, or leave `baseline` out"
                    .to_owned(),
            ),
            known if !known.contains(&kernel.as_str()) => told(
                format!("`{kernel}` is none of the kernels that are played"),
                "not a kernel of the axis",
                hint(kernel, known.iter().copied(), "the kernels"),
            ),
            [_] => told(
                format!("`{kernel}` is the only kernel: there is none to compare with it"),
                "no other kernel is played",
                format!(
                    "add the other one: kernel = [\"{kernel}\", \"./linux\"], --kernel {kernel} --kernel ./linux"
                ),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.kernel)
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|Wrong { label, help }| match help {
            Some(help) => format!("`{text}` is {label}: {help}"),
            None => format!("`{text}` is {label}"),
        })
    }
}

impl TryFrom<String> for Baseline {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Baseline> for String {
    fn from(baseline: Baseline) -> Self {
        baseline.to_string()
    }
}

/// Where a baseline was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// At this place of the file.
    File(Span),
    /// On the command line.
    CommandLine,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_a_word_of_the_kernel_axis() {
        for kernel in ["6.1", "6.1.153-1", "newest", "./linux", "/boot/vmlinuz"] {
            let baseline: Baseline = format!("kernel:{kernel}").parse().expect(kernel);
            assert_eq!((baseline.kernel(), baseline.to_string()), (kernel, format!("kernel:{kernel}")));
            let json = serde_json::to_string(&baseline).expect("a word");
            assert_eq!(serde_json::from_str::<Baseline>(&json).expect("as written"), baseline);
        }
        for wrong in ["6.1", "kernel:", "kernel:host", "kernel:6.*", "kernel:a b", "configuration:a", ""] {
            assert!(wrong.parse::<Baseline>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_refused_where_nothing_would_be_compared() {
        let baseline: Baseline = "kernel:6.1".parse().expect("a baseline");
        assert_eq!(baseline.refused(&["6.12", "6.1"]), None);
        let told = |kernels: &[&str]| baseline.refused(kernels).expect("refused")[0].clone();
        assert_eq!(told(&[]), "`kernel:6.1` is compared with no guest");
        assert_eq!(told(&["6.1"]), "`6.1` is the only kernel: there is none to compare with it");
        assert_eq!(told(&["6.12", "5.10"]), "`6.1` is none of the kernels that are played");
    }
}
