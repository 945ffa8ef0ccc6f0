//! The string literals of a file that people may see.
//!
//! Reads Rust with `syn`, macros and attributes by their tokens. Left out: doc comments, reasons of lints, invariants (`expect`) and assertions, which are for
//! people who read the code. Units: lines, from 1. Errors: none. Tests: planted phrases, in `tidy.rs`.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// Each literal with the line on which it begins.
pub(crate) fn literals(file: &syn::File) -> Vec<(usize, String)> {
    let mut literals = Literals::default();
    literals.visit_file(file);
    literals.found
}

#[derive(Default)]
struct Literals {
    found: Vec<(usize, String)>,
}

impl Literals {
    fn take(&mut self, literal: &syn::LitStr) {
        self.found.push((literal.span().start().line, literal.value()));
    }

    fn in_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.in_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.take(&text);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.take(literal);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let name = called.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        // What these say is for whoever mends rig.
        if !["assert", "assert_eq", "assert_ne", "debug_assert", "unreachable", "panic"]
            .contains(&name.as_str())
        {
            self.in_tokens(called.tokens.clone());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        // As above: the invariant of an `expect`.
        if call.method != "expect" && call.method != "expect_err" {
            call.args.iter().for_each(|argument| self.visit_expr(argument));
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let is = |name: &str| attribute.path().is_ident(name);
        // Doc comments, and reasons of lints.
        if !is("doc")
            && !is("expect")
            && let syn::Meta::List(list) = &attribute.meta
        {
            self.in_tokens(list.tokens.clone());
        }
    }
}
