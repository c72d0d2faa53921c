//! Every reference from one file to an item of another.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::items::{self, Use};
use crate::resolve::Target;
use crate::source::{FileId, ModuleId, Tree};

/// A reference from one file to an item of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) from: FileId,
    pub(crate) line: usize,
    pub(crate) to: FileId,
    /// The path as written.
    pub(crate) import: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The file defines the item.
    Definition,
    /// A `pub use`: the file re-exports the name and does not need it itself.
    Reexport,
    /// The path passes through a module of that file, or names the module itself.
    Through,
}

impl Kind {
    fn of(target: Target, reexported: bool) -> Self {
        match target {
            _ if reexported => Self::Reexport,
            Target::Module(_) => Self::Through,
            Target::ItemOf(_) => Self::Definition,
        }
    }
}

/// Every arrow of the crate, in the order of files and lines.
pub(crate) fn arrows(tree: &Tree) -> BTreeSet<Arrow> {
    let mut found = BTreeSet::new();
    for file in &tree.files {
        if let Some(module) = file.module {
            let mut finder = Finder {
                tree,
                module,
                local: BTreeMap::new(),
                found: &mut found,
            };
            finder.visit_file(&file.syntax);
        }
    }
    found
}

struct Finder<'a> {
    tree: &'a Tree,
    module: ModuleId,
    /// Names that a `use` in a function binds.
    local: BTreeMap<String, Vec<String>>,
    found: &'a mut BTreeSet<Arrow>,
}

impl Finder<'_> {
    fn name(&mut self, path: &[String], line: usize, reexported: bool) {
        let mut full = path.to_vec();
        if let Some(bound) = path.first().and_then(|first| self.local.get(first)) {
            full.splice(..1, bound.iter().cloned());
        }
        let resolved = self.tree.resolve(self.module, &full);
        for target in resolved.targets {
            // A single word that is also the name of a module is usually a variable.
            if path.len() > 1 || !matches!(target, Target::Module(_)) {
                self.add(target.module(), path, line, Kind::of(target, reexported));
            }
        }
        for module in resolved.through {
            self.add(module, path, line, Kind::Through);
        }
    }

    fn add(&mut self, to: ModuleId, path: &[String], line: usize, kind: Kind) {
        let (from, to) = (self.tree.modules[self.module].file, self.tree.modules[to].file);
        if from != to {
            self.found.insert(Arrow {
                from,
                line,
                to,
                import: path.join("::"),
                kind,
            });
        }
    }

    fn import(&mut self, one: &Use) {
        if one.foreign {
            return;
        }
        if one.path.len() == 1 {
            // `use thing;` in a function, or `pub use child as name`: a single word that is certainly an import.
            for target in self.tree.resolve(self.module, &one.path).targets {
                self.add(
                    target.module(),
                    &one.path,
                    one.line,
                    Kind::of(target, one.reexported),
                );
            }
        } else {
            self.name(&one.path, one.line, one.reexported);
        }
    }

    /// Paths in the arguments of a macro, which are unparsed tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<Ident> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.written(&mut path);
                    }
                    path.push(ident);
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Group(group) => {
                    if colons == 2 && group.delimiter() == proc_macro2::Delimiter::Brace {
                        // `use a::{b, c}` in a macro: the paths of the group continue the path before it.
                        self.grouped(&path, group.stream());
                        path.clear();
                    } else {
                        self.written(&mut path);
                        self.tokens(group.stream());
                    }
                    colons = 0;
                }
                _ => {
                    self.written(&mut path);
                    colons = 0;
                }
            }
        }
        self.written(&mut path);
    }

    fn grouped(&mut self, prefix: &[Ident], tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.written(&mut prefix.iter().cloned().chain([ident]).collect()),
                TokenTree::Group(group) => self.grouped(prefix, group.stream()),
                _ => {}
            }
        }
    }

    fn written(&mut self, path: &mut Vec<Ident>) {
        if let [first, _, ..] = path.as_slice() {
            let line = first.span().start().line;
            let names: Vec<String> = path.iter().map(items::name_of).collect();
            self.name(&names, line, false);
        }
        path.clear();
    }

    /// A macro without a path is found by its name alone, because `macro_rules!` is scoped by the order of the text.
    fn textual_macro(&mut self, name: &str, line: usize) {
        if self
            .tree
            .resolve(self.module, &[name.to_owned()])
            .targets
            .is_empty()
        {
            let defining: Vec<ModuleId> = (0..self.tree.modules.len())
                .filter(|id| self.tree.modules[*id].items.contains(&format!("{name}!")))
                .collect();
            if let [module] = defining[..] {
                self.add(module, &[format!("{name}!")], line, Kind::Definition);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !items::is_test(items::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !items::is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = items::name_of(&item.ident);
        if item.content.is_some()
            && let Some(inside) = self.tree.modules[self.module].children.get(&name).copied()
        {
            let outside = std::mem::replace(&mut self.module, inside);
            visit::visit_item_mod(self, item);
            self.module = outside;
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for one in items::uses(item) {
            self.import(&one);
            let name = one.name.as_ref().filter(|_| !one.foreign);
            // The module's own names are found there; any other `use` is in a function.
            let module = &self.tree.modules[self.module];
            if let Some(name) = name
                && !module
                    .uses
                    .iter()
                    .any(|known| known.name == one.name && known.path == one.path)
            {
                self.local.insert(name.clone(), one.path.clone());
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path
                .segments
                .iter()
                .map(|segment| items::name_of(&segment.ident))
                .collect();
            if let Some(first) = path.segments.first() {
                self.name(&names, first.ident.span().start().line, false);
            }
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.get_ident() {
            self.textual_macro(&items::name_of(name), name.span().start().line);
        }
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        // `#[serde(with = "crate::..")]` has a path in a string.
        if attribute.path().is_ident("doc") || attribute.path().is_ident("cfg") {
            return;
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.strings(list.tokens.clone());
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

impl Finder<'_> {
    fn strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.strings(group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    if let syn::Lit::Str(text) = syn::Lit::new(literal)
                        && let Ok(path) = text.parse::<syn::Path>()
                        && path.segments.len() > 1
                    {
                        let names: Vec<String> = path
                            .segments
                            .iter()
                            .map(|segment| items::name_of(&segment.ident))
                            .collect();
                        self.name(&names, line, false);
                    }
                }
                _ => {}
            }
        }
    }
}
