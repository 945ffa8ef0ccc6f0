//! Why a program cannot be a client: found out before any guest boots.
//!
//! Holds [`ProgramError`]: which of the things that were asked for it is about, and the [`Fault`], with a sentence, a label and what to try.
//! Must not know where those things were written. Units: bytes. It always blames what the user named. Tests: `tests.rs`, `tests/wrong.rs`.

use thiserror::Error;

use super::packed::MOST_BYTES;

/// Which of the things that were asked for is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The program.
    Program,
    /// This one of the files and folders that go with it.
    With(usize),
    /// Its standard input.
    Input,
    /// This one of the commands that run before it.
    Before(usize),
}

/// Why a program cannot be a client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{fault}")]
pub struct ProgramError {
    /// What it is about.
    pub about: About,
    /// What is wrong with it.
    pub fault: Fault,
}

impl ProgramError {
    /// For the place where it was written: a few words.
    pub fn label(&self) -> String {
        self.fault.label()
    }

    /// What to try.
    pub fn help(&self) -> String {
        self.fault.help()
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// There is no such file.
    #[error("there is no file {path}")]
    Missing {
        /// Where it would be.
        path: String,
        /// Names that are like it.
        near: String,
    },
    /// No folder of PATH has such a program.
    #[error("there is no program `{name}` on PATH")]
    NotOnPath {
        /// Its name.
        name: String,
        /// Names that are like it.
        near: String,
    },
    /// It is a folder.
    #[error("{path} is a folder")]
    Folder {
        /// Where it is.
        path: String,
    },
    /// It is neither a file nor a folder.
    #[error("{path} is {kind}")]
    Special {
        /// Where it is.
        path: String,
        /// What it is: `a socket`.
        kind: &'static str,
    },
    /// Nobody may execute it.
    #[error("{path} is not executable")]
    NotExecutable {
        /// Where it is.
        path: String,
    },
    /// It has no content.
    #[error("{path} is an empty file")]
    Empty {
        /// Where it is.
        path: String,
    },
    /// It is a program of another machine.
    #[error("{path} is a {machine} program, and this host and its guests are 64-bit x86-64")]
    Foreign {
        /// Where it is.
        path: String,
        /// Of which machine: `64-bit AArch64`.
        machine: String,
    },
    /// It is an ELF file that nobody can read.
    #[error("{path} cannot be read as a program: {why}")]
    Damaged {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Neither an ELF file nor a script with a first line.
    #[error("{path} is neither an ELF program nor a script whose first line names an interpreter")]
    NoFirstLine {
        /// Where it is.
        path: String,
    },
    /// What the first line of a script names is not there.
    #[error("the interpreter of {script} cannot be used: {why}")]
    Interpreter {
        /// The script.
        script: String,
        /// What is wrong with the interpreter.
        why: Box<Fault>,
    },
    /// A script whose interpreter is a script, and so on.
    #[error("{script} is a script whose interpreter is a script, more than {depth} deep")]
    TooDeep {
        /// The innermost.
        script: String,
        /// How deep the kernel goes.
        depth: u32,
    },
    /// The interpreter of a script is a stand-in for another.
    #[error("{path} is a script that starts another interpreter, {real}")]
    StandIn {
        /// The stand-in, as a first line names it.
        path: String,
        /// What it starts.
        real: String,
    },
    /// An interpreter does not say where its library is.
    #[error("{interpreter} does not say where its library is: {said}")]
    Silent {
        /// Where it is.
        interpreter: String,
        /// What it said instead.
        said: String,
    },
    /// The kernel gives it rights that it loses under a witness.
    #[error("{path} {what}, and under ptrace the kernel does not give it those rights")]
    Privileged {
        /// Where it is.
        path: String,
        /// What it has: `is setuid`.
        what: &'static str,
    },
    /// The loader that it names is not there.
    #[error("{path} asks for the loader {loader}, which is not there")]
    NoLoader {
        /// The program.
        path: String,
        /// The loader.
        loader: String,
    },
    /// A library that it needs is not there.
    #[error("the library {library} is not there: {needed_by} needs it")]
    NoLibrary {
        /// Its name.
        library: String,
        /// The program or library that names it.
        needed_by: String,
        /// Where the loader looks.
        searched: Vec<String>,
    },
    /// It may not be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// Where it is.
        path: String,
        /// The system's words.
        why: String,
    },
    /// Its name is no text.
    #[error("the name of {path} is not UTF-8")]
    NotText {
        /// Where it is, as far as it can be written.
        path: String,
    },
    /// All together are too large for a guest.
    #[error("the program and what goes with it are larger than {} MiB: {path} alone has {} MiB", MOST_BYTES >> 20, bytes >> 20)]
    TooLarge {
        /// The largest of its parts.
        path: String,
        /// So large.
        bytes: u64,
    },
}

impl Fault {
    /// Said of one of the things that were asked for.
    pub(super) fn about(self, about: About) -> ProgramError {
        ProgramError { about, fault: self }
    }

    fn label(&self) -> String {
        match self {
            Self::Missing { .. } => "no such file".to_owned(),
            Self::NotOnPath { .. } => "not on PATH".to_owned(),
            Self::Folder { .. } => "a folder".to_owned(),
            Self::Special { kind, .. } => (*kind).to_owned(),
            Self::NotExecutable { .. } => "not executable".to_owned(),
            Self::Empty { .. } => "an empty file".to_owned(),
            Self::Foreign { machine, .. } => format!("for {machine}"),
            Self::Damaged { .. } => "damaged".to_owned(),
            Self::NoFirstLine { .. } => "neither ELF nor `#!`".to_owned(),
            Self::Interpreter { .. } | Self::TooDeep { .. } | Self::StandIn { .. } | Self::Silent { .. } => {
                "its interpreter".to_owned()
            }
            Self::Privileged { what, .. } => (*what).to_owned(),
            Self::NoLoader { .. } => "its loader is not there".to_owned(),
            Self::NoLibrary { library, .. } => format!("needs {library}"),
            Self::Unreadable { .. } | Self::NotText { .. } => "cannot be read".to_owned(),
            Self::TooLarge { .. } => "too large".to_owned(),
        }
    }

    fn help(&self) -> String {
        match self {
            Self::Missing { near, .. } | Self::NotOnPath { near, .. } => near.clone(),
            Self::Folder { .. } => {
                "name a file; a folder can only go along by `with`".to_owned()
            }
            Self::Special { .. } => "only files, folders and symbolic links go into a guest".to_owned(),
            Self::NotExecutable { path } => format!(
                "`chmod +x {path}`, or name its interpreter as the program, the file as its argument, and give it by `with`"
            ),
            Self::Empty { .. } => "was it built or copied to its end?".to_owned(),
            Self::Foreign { .. } => "build it for x86-64, with 64 bits".to_owned(),
            Self::Damaged { .. } => "build or copy it again; `readelf -a` says more".to_owned(),
            Self::NoFirstLine { .. } => {
                "give a script a first line like `#!/bin/sh` or `#!/usr/bin/env python3`: without one only a shell would run it".to_owned()
            }
            Self::Interpreter { why, .. } if why.to_string().contains("\\r") => {
                "the first line ends with a carriage return (\\r), as Windows writes it: take it away, `sed -i 's/\\r$//'`".to_owned()
            }
            Self::Interpreter { .. } => {
                "correct the first line of the script, or install the interpreter".to_owned()
            }
            Self::TooDeep { .. } => "let the first line of the script name a program".to_owned(),
            Self::StandIn { real, .. } => format!(
                "let the first line of the script be `#!{real}`: host and guest then run the same interpreter"
            ),
            Self::Silent { .. } => "is it complete? It was asked with `-c` for sysconfig's paths".to_owned(),
            Self::Privileged { path, .. } => {
                format!(
                    "name a copy without those rights (`cp {path} /tmp/copy`; `chmod u-s,g-s /tmp/copy`): rig's clients run as root anyway"
                )
            }
            Self::NoLoader { .. } => {
                "install the C library that it was built with, or link it statically".to_owned()
            }
            Self::NoLibrary { searched, .. } => format!(
                "the loader looks in: {}. Install it, or link with an rpath (`-Wl,-rpath,'$ORIGIN'`); LD_LIBRARY_PATH is not used",
                searched.join(", ")
            ),
            Self::Unreadable { .. } => "make it readable for the user who runs rig".to_owned(),
            Self::NotText { .. } => "give it a name that is text".to_owned(),
            Self::TooLarge { .. } => "give less by `with`: only what the program reads".to_owned(),
        }
    }
}
