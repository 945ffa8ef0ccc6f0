//! The sources as the rules see them: what each file uses, defines and how long its functions are, without test code.
//!
//! Reads Rust with `syn`; code in macros by its tokens. Units: lines, from 1. Errors: a file that does not parse ends the test.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::literals::literals;

/// A path that a file names, from the root of its crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// A function of product code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the workspace.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Crate and module: `["rig", "machine", "qemu"]`.
    pub(crate) module: Vec<String>,
    /// What product code names of its own crate.
    pub(crate) uses: Vec<Use>,
    /// Names that stand for something defined elsewhere: `use` of any visibility.
    pub(crate) aliases: BTreeMap<String, Vec<String>>,
    /// Modules of which everything is imported or exported again.
    pub(crate) globs: Vec<Vec<String>>,
    /// Items that are defined here.
    pub(crate) defined: BTreeSet<String>,
    pub(crate) functions: Vec<Function>,
    /// String literals, with their lines.
    pub(crate) literals: Vec<(usize, String)>,
    /// Lines of `#[cfg(test)]` items.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    pub(crate) fn read(path: &str, text: String) -> Self {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path} does not parse: {error}"));
        let module = module_of(path);
        let mut reader = Reader { inner: module.clone(), ..Reader::default() };
        reader.children = file.items.iter().filter_map(child).collect();
        reader.visit_file(&file);
        let literals = literals(&file);
        let Reader { uses, aliases, globs, defined, functions, test_lines, .. } = reader;
        Self {
            path: path.to_owned(),
            text,
            module,
            uses,
            aliases,
            globs,
            defined,
            functions,
            literals,
            test_lines,
        }
    }

    /// The lines of product code, with their numbers.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(n, _)| !self.is_test_line(*n))
    }

    /// Whether the line is part of a `#[cfg(test)]` item.
    pub(crate) fn is_test_line(&self, number: usize) -> bool {
        self.test_lines.iter().any(|range| range.contains(&number))
    }

    /// Whether all of the file is test code.
    pub(crate) fn is_test(&self) -> bool {
        let path = &self.path;
        path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs")
    }
}

/// `rig/src/machine/qemu/argv.rs` is `rig::machine::qemu::argv`.
fn module_of(path: &str) -> Vec<String> {
    let (krate, inner) = match path {
        p if p.starts_with("guest-agent/protocol/src/") => {
            ("rig_protocol", &p["guest-agent/protocol/src/".len()..])
        }
        p if p.starts_with("guest-agent/src/") => ("guest_agent", &p["guest-agent/src/".len()..]),
        p if p.starts_with("rig/stats/src/") => ("rig_stats", &p["rig/stats/src/".len()..]),
        p if p.starts_with("rig/src/") => ("rig", &p["rig/src/".len()..]),
        other => (other, ""),
    };
    let mut module = vec![krate.to_owned()];
    let parts = inner.trim_end_matches(".rs").split('/').filter(|part| !part.is_empty());
    module.extend(parts.map(str::to_owned));
    if module.len() > 1 && ["lib", "main", "mod"].contains(&module.last().map_or("", String::as_str)) {
        module.pop();
    }
    module
}

fn child(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Mod(module) if !is_test_only(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test"))
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &syn::Item) -> Option<String> {
    use syn::Item;
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn lines_of(node: &impl Spanned) -> RangeInclusive<usize> {
    node.span().start().line..=node.span().end().line
}

#[derive(Default)]
struct Reader {
    /// The module that is being read: the file's, or one written inside it.
    inner: Vec<String>,
    children: BTreeSet<String>,
    uses: Vec<Use>,
    aliases: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    defined: BTreeSet<String>,
    functions: Vec<Function>,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Reader {
    /// A path as it is written, from the root of the crate; `None` where it is of another crate or of a local name.
    fn absolute(&self, written: &[String]) -> Option<Vec<String>> {
        let root = &self.inner[..1];
        let first = written.first()?.as_str();
        match first {
            "crate" => Some([root, &written[1..]].concat()),
            "self" => Some([&self.inner[..], &written[1..]].concat()),
            "super" => {
                let ups = written.iter().take_while(|part| *part == "super").count();
                let base = self.inner.len().checked_sub(ups)?;
                Some([&self.inner[..base], &written[ups..]].concat())
            }
            child if self.children.contains(child) => Some([&self.inner[..], written].concat()),
            _ => None,
        }
    }

    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree, again: bool) {
        match tree {
            syn::UseTree::Path(path) => {
                let prefix = [prefix, &[path.ident.to_string()]].concat();
                self.tree(&prefix, &path.tree, again);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(prefix, item, again)),
            syn::UseTree::Glob(glob) => {
                if let Some(path) = self.absolute(prefix) {
                    self.note(path.clone(), glob.span().start().line, again);
                    self.globs.push(path);
                }
            }
            syn::UseTree::Name(leaf) => self.leaf(prefix, &leaf.ident, &leaf.ident, again),
            syn::UseTree::Rename(leaf) => self.leaf(prefix, &leaf.ident, &leaf.rename, again),
        }
    }

    fn leaf(&mut self, prefix: &[String], named: &syn::Ident, known_as: &syn::Ident, again: bool) {
        let mut written = prefix.to_vec();
        if named != "self" {
            written.push(named.to_string());
        }
        if let Some(path) = self.absolute(&written) {
            self.note(path.clone(), named.span().start().line, again);
            let known_as = if known_as == "self" { path.last().cloned() } else { Some(known_as.to_string()) };
            self.aliases.extend(known_as.map(|name| (name, path)));
        }
    }

    /// What is only exported again is not used here.
    fn note(&mut self, path: Vec<String>, line: usize, again: bool) {
        if !again {
            self.uses.push(Use { path, line });
        }
    }

    fn function(&mut self, name: &syn::Ident, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let last = block.brace_token.span.close().end().line;
        self.functions.push(Function { name: name.to_string(), line: first, lines: last - first + 1 });
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let all: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in all.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    let known = ["crate", "self", "super"].iter().any(|root| ident == root)
                        || self.children.contains(&ident.to_string());
                    let after = |n: usize| all.get(index + n);
                    let after_colon =
                        index > 0 && matches!(&all[index - 1], TokenTree::Punct(p) if p.as_char() == ':');
                    if known && !after_colon {
                        let mut written = vec![ident.to_string()];
                        let mut at = 1;
                        while let (
                            Some(TokenTree::Punct(a)),
                            Some(TokenTree::Punct(b)),
                            Some(TokenTree::Ident(next)),
                        ) = (after(at), after(at + 1), after(at + 2))
                            && a.as_char() == ':'
                            && b.as_char() == ':'
                        {
                            written.push(next.to_string());
                            at += 3;
                        }
                        if written.len() > 1
                            && let Some(path) = self.absolute(&written)
                        {
                            self.note(path, ident.span().start().line, false);
                        }
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a syn::Item) {
        if is_test_only(attributes(item)) {
            self.test_lines.push(lines_of(item));
            return;
        }
        self.defined.extend(name(item));
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        self.inner.push(module.ident.to_string());
        items.iter().for_each(|item| self.visit_item(item));
        self.inner.pop();
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let again = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree, again);
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        if let syn::ImplItem::Fn(function) = item
            && is_test_only(&function.attrs)
        {
            self.test_lines.push(lines_of(item));
            return;
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if written.len() > 1
            && let Some(absolute) = self.absolute(&written)
        {
            self.note(absolute, path.span().start().line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
