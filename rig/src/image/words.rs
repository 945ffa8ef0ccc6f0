//! What the values of a recipe must be like: the rule of each, and its words for who breaks it.
//!
//! Pure. Must not know where a value stands. Units: none. Errors: the rule that is broken. Tests: below; `recipe.rs`, with files.

/// Names go into apt's command line: none may look like an option or carry apt's own syntax (`name/release`, `name=version`, `name+`).
fn word(text: &str, extra: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
}

pub(super) fn any(text: &str) -> Result<(), &'static str> {
    (!text.trim().is_empty()).then_some(()).ok_or("describe the image in one line")
}

pub(super) fn release_name(text: &str) -> Result<(), &'static str> {
    word(text, "-").then_some(()).ok_or("a release is lower-case: `bookworm`, `bookworm-backports`")
}

pub(super) fn package_name(text: &str) -> Result<(), &'static str> {
    // Debian policy 5.6.1; a final + or - means something else to apt.
    let ends_well = !text.ends_with(['+', '-', '.']);
    (text.len() > 1 && word(text, "+-.") && ends_well)
        .then_some(())
        .ok_or("a package name is lower-case letters, digits, `+`, `-` and `.`")
}

pub(super) fn version(text: &str) -> Result<(), &'static str> {
    // Debian policy 5.6.12
    let fits = text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.~:".contains(c));
    fits.then_some(()).ok_or("a Debian version, like `6.1.176-1`")
}

pub(super) fn command_name(text: &str) -> Result<(), &'static str> {
    word(text, "+-._").then_some(()).ok_or("the file name of a program, without folders")
}

pub(super) fn module_name(text: &str) -> Result<(), &'static str> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    fits.then_some(()).ok_or("a module's name, without folders and `.ko`")
}

pub(super) fn uri(text: &str) -> Result<(), &'static str> {
    let fits = text.split_once(":/").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    (fits && !text.contains(char::is_whitespace))
        .then_some(())
        .ok_or("the address of a Debian archive, `http://…/debian`")
}

pub(super) fn path(text: &str) -> Result<(), &'static str> {
    (!text.trim().is_empty()).then_some(()).ok_or("a path, seen from the folder of the recipe")
}

pub(super) fn absolute_path(text: &str) -> Result<(), &'static str> {
    (text.starts_with('/') && !text.contains(char::is_whitespace))
        .then_some(())
        .ok_or("an absolute path of a keyring")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_apt_that_could_be_an_option() {
        for bad in ["-y", "a b", "linux-image/sid", "x=1", "Foo", "a", "", "pkg-", "pkg+"] {
            assert!(package_name(bad).is_err(), "{bad}");
        }
        for good in ["libstdc++6", "linux-image-6.12.95+deb12-cloud-amd64", "0ad"] {
            assert!(package_name(good).is_ok(), "{good}");
        }
        assert!(version("6.1.176-1 --allow-unauthenticated").is_err());
        assert!(release_name("bookworm/../x").is_err());
    }
}
