//! The names of an item, its visibility, and whether it belongs to tests.

use syn::{Attribute, Item, UseTree, Visibility};

use crate::features;

/// One name that a `use` imports, or one glob.
#[derive(Clone)]
pub(crate) struct Use {
    /// `None` for a glob.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    /// Whether the path starts with `::`, which is always another crate.
    pub(crate) foreign: bool,
    pub(crate) line: usize,
    pub(crate) reexported: bool,
}

/// Every name and glob of one `use`.
pub(crate) fn uses(item: &syn::ItemUse) -> Vec<Use> {
    let mut found = Vec::new();
    let foreign = item.leading_colon.is_some();
    flatten(&item.tree, Vec::new(), foreign, &mut found);
    let reexported = !matches!(item.vis, Visibility::Inherited);
    for one in &mut found {
        one.reexported = reexported;
    }
    found
}

fn flatten(tree: &UseTree, mut path: Vec<String>, foreign: bool, found: &mut Vec<Use>) {
    let mut add = |name: Option<String>, path: Vec<String>, line: usize| {
        found.push(Use {
            name,
            path,
            foreign,
            line,
            reexported: false,
        });
    };
    match tree {
        UseTree::Path(inner) => {
            path.push(name_of(&inner.ident));
            flatten(&inner.tree, path, foreign, found);
        }
        UseTree::Group(group) => {
            for inner in &group.items {
                flatten(inner, path.clone(), foreign, found);
            }
        }
        UseTree::Glob(glob) => add(None, path, glob.star_token.spans[0].start().line),
        UseTree::Name(leaf) => {
            let line = leaf.ident.span().start().line;
            // `use super::{self}` names the module itself.
            if leaf.ident != "self" {
                path.push(name_of(&leaf.ident));
            }
            add(path.last().cloned(), path, line);
        }
        UseTree::Rename(leaf) => {
            if leaf.ident != "self" {
                path.push(name_of(&leaf.ident));
            }
            add(Some(name_of(&leaf.rename)), path, leaf.ident.span().start().line);
        }
    }
}

/// A name without the `r#` of a raw identifier.
pub(crate) fn name_of(ident: &proc_macro2::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

/// The name that an item defines in its module.
pub(crate) fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name_of(ident))
}

pub(crate) fn visibility(item: &Item) -> Option<&Visibility> {
    Some(match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Mod(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::TraitAlias(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Union(item) => &item.vis,
        Item::Use(item) => &item.vis,
        _ => return None,
    })
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether a `cfg` includes the item only in test builds.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Meta>()
                    .is_ok_and(|meta| needs_test(&meta)))
    })
}

fn needs_test(meta: &syn::Meta) -> bool {
    if meta.path().is_ident("test") || meta.path().is_ident("doctest") {
        return true;
    }
    let syn::Meta::List(list) = meta else {
        return false;
    };
    let inner = features::parts(list);
    if list.path.is_ident("all") {
        inner.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && !inner.is_empty() && inner.iter().all(needs_test)
    }
}
