//! The generated part of `docs/images.md`: every key of a recipe.
//!
//! Made of `image::recipe`. Must not know how an image is built. Units: none. Errors: none. Tests: below.

use rig::image::recipe::{Key, Kind, RECIPE, Required, Section};

use crate::markdown::{code, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[Part { topic: "images", name: "recipe keys", make: recipe }];

fn recipe() -> String {
    let mut text = String::from("### A recipe\n\n");
    section(&mut text, &RECIPE);
    text
}

/// The keys of a table, then the tables in it.
fn section(text: &mut String, section: &Section) {
    head(text, &["key", "value", "if left out", "for example", "meaning"]);
    for key in section.keys {
        let unsaid = match key.required {
            Required::Yes => "required",
            Required::OrOwn => "required, but for a kernel of your own",
            Required::No => "none",
        };
        row(text, &[&code(key.name), value(key), unsaid, &code(key.example), key.about]);
    }
    for key in section.keys {
        if let Kind::Section(inner) = key.kind {
            text.push_str(&format!("\n### {}\n\n", code(format!("[{}]", key.name))));
            self::section(text, inner);
        }
    }
}

fn value(key: &Key) -> &'static str {
    match key.kind {
        Kind::Text(_) => "text",
        Kind::List(_) => "list of texts",
        Kind::Section(_) => "table",
    }
}

#[test]
fn every_key_of_a_recipe_is_on_the_page() {
    fn check(page: &str, section: &Section, found: &mut usize) {
        for key in section.keys {
            let line = format!("| `{}` | {} |", key.name, value(key));
            assert!(page.contains(&line) && page.contains(key.about), "{line}");
            *found += 1;
            if let Kind::Section(inner) = key.kind {
                check(page, inner, found);
            }
        }
    }
    let mut found = 0;
    check(&page("images"), &RECIPE, &mut found);
    assert!(found > 10, "{found} keys");
}
