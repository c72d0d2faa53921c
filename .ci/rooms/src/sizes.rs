//! Sizes of files and functions.

use syn::visit::{self, Visit};
use syn::{Item, Visibility};

use crate::items;
use crate::source::Tree;

/// Sizes of one file, or of many.
#[derive(Clone, Default)]
pub(crate) struct Size {
    pub(crate) lines: usize,
    /// Lines that are neither blank nor a comment.
    pub(crate) code: usize,
    pub(crate) private: usize,
}

impl Size {
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            lines: self.lines + other.lines,
            code: self.code + other.code,
            private: self.private + other.private,
        }
    }
}

pub(crate) struct Sizes {
    pub(crate) files: Vec<(String, Size)>,
    pub(crate) functions: Vec<(usize, String)>,
}

impl Sizes {
    /// Measures the crate without test files and test modules.
    pub(crate) fn new(tree: &Tree) -> Self {
        let mut sizes = Self {
            files: Vec::new(),
            functions: Vec::new(),
        };
        for file in tree.files.iter().filter(|file| file.module.is_some()) {
            let mut counter = Counter {
                path: &file.path,
                private: 0,
                functions: &mut sizes.functions,
            };
            counter.visit_file(&file.syntax);
            let private = counter.private;
            let lines = file.text.lines().map(str::trim);
            let size = Size {
                lines: lines.clone().count(),
                code: lines
                    .filter(|line| !line.is_empty() && !line.starts_with("//"))
                    .count(),
                private,
            };
            sizes.files.push((file.path.clone(), size));
        }
        sizes
    }
}

struct Counter<'a> {
    path: &'a str,
    private: usize,
    functions: &'a mut Vec<(usize, String)>,
}

impl Counter<'_> {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        self.functions
            .push((last - first + 1, format!("{} in {}", signature.ident, self.path)));
    }
}

impl<'ast> Visit<'ast> for Counter<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !items::is_test(items::attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_visibility(&mut self, visibility: &'ast Visibility) {
        self.private += usize::from(matches!(visibility, Visibility::Restricted(_)));
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
