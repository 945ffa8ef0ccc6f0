//! bash: it breaks words at `=` and `:`, which belong to rig's words (`scenario=rst`), so that its script puts them together and takes them apart again.
//!
//! Must not know what is completed. Units: none. Errors: those of writing. Tests: `tests/completions.rs`, with a real bash.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::env::{self, EnvCompleter};

/// Ours in place of clap's.
pub(super) struct Bash;

/// `line` is what is typed up to the cursor; `piece` is a word as bash sees it; `words` are those of rig.
const SCRIPT: &str = r#"_rig() {
    local IFS=$'\013' line="${COMP_LINE:0:COMP_POINT}" words=() piece= at apart
    for ((at = 0; at <= COMP_CWORD; at++)); do
        apart=1
        if [[ $line == [[:space:]]* ]]; then
            line="${line#"${line%%[![:space:]]*}"}"
        elif ((at > 0)); then
            apart=0
        fi
        piece="${COMP_WORDS[at]}"
        ((at == COMP_CWORD)) && piece="$line"
        line="${line#"$piece"}"
        if ((apart)); then
            words+=("$piece")
        else
            words[${#words[@]} - 1]+="$piece"
        fi
    done
    local current="${words[${#words[@]} - 1]}" before
    before="${current%"$piece"}"
    [[ $piece =~ ^[=:]+$ ]] && before="$current"
    COMPREPLY=($(VARIABLE=bash _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
        command COMPLETER -- "${words[@]}" 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -o nosort -F _rig BIN 2>/dev/null || complete -o bashdefault -F _rig BIN
"#;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        env::Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        env::Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        bin: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let script = SCRIPT.replace("VARIABLE", variable).replace("COMPLETER", completer).replace("BIN", bin);
        out.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        arguments: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        env::Bash.write_complete(command, arguments, folder, out)
    }
}
