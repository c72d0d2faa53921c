//! The names that a module exposes.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Item, Visibility};

use crate::features::{self, Features};
use crate::items;
use crate::resolve::Target;
use crate::source::{ModuleId, Tree};

/// The view of a module that is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The documentation: public, documented items, each module as one name.
    User,
    /// A program that uses the crate: every public item in every module, documented or not.
    Program,
    /// Another room of the crate: `pub(crate)` items as well, and the names in the modules that it can reach.
    Crate,
}

/// The module that defines an item, and the item's name there.
pub(crate) type Definition = (ModuleId, String);

/// The exposed names of a module.
#[derive(Default)]
pub(crate) struct Names {
    /// Each name with its definition; `None` if another crate defines it.
    pub(crate) items: BTreeMap<String, BTreeSet<Definition>>,
    pub(crate) modules: BTreeSet<String>,
}

/// Returns the names that a module exposes to a view, in a build with these features.
pub(crate) fn names(tree: &Tree, module: ModuleId, reader: Reader, features: &Features) -> Names {
    let mut search = Search {
        tree,
        reader,
        features,
        found: Names::default(),
        seen: BTreeSet::new(),
    };
    search.module(module, "", 0);
    search.found
}

impl Names {
    pub(crate) fn definitions(&self) -> BTreeSet<&Definition> {
        self.items.values().flatten().collect()
    }
}

struct Search<'a> {
    tree: &'a Tree,
    reader: Reader,
    features: &'a Features,
    found: Names,
    seen: BTreeSet<ModuleId>,
}

impl Search<'_> {
    fn module(&mut self, module: ModuleId, prefix: &str, depth: usize) {
        if !self.seen.insert(module) {
            return;
        }
        for item in items_of(self.tree, module) {
            let attributes = items::attributes(item);
            if items::is_test(attributes)
                || !features::includes(self.features, attributes)
                || (self.reader == Reader::User && is_hidden(attributes))
                || !items::visibility(item).is_some_and(|visibility| self.sees(visibility, depth))
            {
                continue;
            }
            match item {
                Item::Mod(item) => self.child(module, &items::name_of(&item.ident), prefix, depth),
                Item::Use(item) => self.reexports(module, item, prefix),
                _ => self.found.items.extend(
                    items::defined(item)
                        .map(|name| (format!("{prefix}{name}"), BTreeSet::from([(module, name)]))),
                ),
            }
        }
    }

    fn child(&mut self, module: ModuleId, name: &str, prefix: &str, depth: usize) {
        self.found.modules.insert(format!("{prefix}{name}"));
        let child = self.tree.modules[module].children.get(name);
        if let Some(child) = child.filter(|_| self.reader != Reader::User) {
            self.module(*child, &format!("{prefix}{name}::"), depth + 1);
        }
    }

    fn reexports(&mut self, module: ModuleId, item: &syn::ItemUse, prefix: &str) {
        for one in items::uses(item) {
            let targets = self.tree.resolve(module, &one.path).targets;
            let is_module =
                !targets.is_empty() && targets.iter().all(|target| matches!(target, Target::Module(_)));
            match one.name {
                Some(name) if is_module => {
                    // Of a room only its own modules count; of the crate also what every room re-exports.
                    if self.reader == Reader::Program {
                        for target in targets {
                            self.module(target.module(), &format!("{prefix}{name}::"), 1);
                        }
                    }
                    self.found.modules.insert(format!("{prefix}{name}"));
                }
                Some(name) if name != "_" => {
                    let defined = one.path.last().unwrap_or(&name).clone();
                    let items = targets
                        .iter()
                        .filter(|target| matches!(target, Target::ItemOf(_)));
                    self.found
                        .items
                        .entry(format!("{prefix}{name}"))
                        .or_default()
                        .extend(items.map(|target| (target.module(), defined.clone())));
                }
                Some(_) => {}
                None => {
                    for target in targets {
                        // A public glob re-exports public items; inside the crate also `pub(crate)` items.
                        self.module(target.module(), prefix, 1);
                    }
                }
            }
        }
    }

    /// `depth` is the number of levels of the item below the module: `pub(super)` exposes it only at 0.
    fn sees(&self, visibility: &Visibility, depth: usize) -> bool {
        match visibility {
            Visibility::Public(_) => true,
            Visibility::Restricted(restricted) => {
                self.reader == Reader::Crate
                    && (restricted.path.is_ident("crate")
                        || (depth == 0 && restricted.path.is_ident("super")))
            }
            Visibility::Inherited => false,
        }
    }
}

/// The items of a module, inline or in its own file.
fn items_of(tree: &Tree, module: ModuleId) -> &[Item] {
    let file = &tree.files[tree.modules[module].file];
    let Some(of_file) = file.module else {
        return &[];
    };
    let inside = &tree.modules[module].path[tree.modules[of_file].path.len()..];
    let mut items = file.syntax.items.as_slice();
    for name in inside {
        let next = items.iter().find_map(|item| match item {
            Item::Mod(item) if items::name_of(&item.ident) == *name => item.content.as_ref(),
            _ => None,
        });
        items = next.map(|(_, items)| items.as_slice()).unwrap_or_default();
    }
    items
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|argument| argument.is_ident("hidden"))
    })
}
