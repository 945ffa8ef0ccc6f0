//! A word as the languages of engines write it. Each function gives text that its language reads as exactly that word.
//!
//! Must not know what the word is for. Units: none. Errors: none; words have no control character (see [`super::Engine::render`]). Tests: `engine/tests.rs`.

/// For a POSIX shell.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c) || !c.is_ascii();
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// For YAML 1.1 and 1.2: a double-quoted scalar of plain ASCII. What is not ASCII is escaped, since readers of 1.1 break lines at U+2028 and refuse others.
pub(super) fn yaml(word: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            '\0'..='\u{ff}' => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
            '\u{100}'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    quoted.push('"');
    quoted
}

/// For a place where `$` begins the name of a variable and `$$` is a dollar: variables of GitLab, arguments of a container in Kubernetes.
pub(super) fn dollars(word: &str) -> String {
    word.replace('$', "$$")
}
