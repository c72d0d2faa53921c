//! Which items a set of features includes.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The features of a build; `None` means all.
pub(crate) type Features = Option<BTreeSet<String>>;

/// The default features of a `Cargo.toml`, with the features that they enable.
pub(crate) fn default_features(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec!["default".to_owned()];
    while let Some(feature) = open.pop() {
        if found.insert(feature.clone()) {
            open.extend(listed(manifest, &feature));
        }
    }
    found
}

/// The entries of one feature in `[features]`. The manifest is our own, so a few lines replace a TOML parser.
fn listed(manifest: &str, feature: &str) -> Vec<String> {
    let section = manifest.split("\n[features]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let entry = section
        .lines()
        .position(|line| line.split('=').next().is_some_and(|name| name.trim() == feature));
    let Some(entry) = entry else {
        return Vec::new();
    };
    let rest: String = section.lines().skip(entry).collect::<Vec<_>>().join(" ");
    let list = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    list.map(|(list, _)| list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Whether the `cfg` attributes of an item include it in the build.
pub(crate) fn includes(features: &Features, attributes: &[Attribute]) -> bool {
    let Some(features) = features else {
        return true;
    };
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .all(|attribute| {
            attribute
                .parse_args::<Meta>()
                .map_or(true, |meta| holds(features, &meta))
        })
}

fn holds(features: &BTreeSet<String>, meta: &Meta) -> bool {
    match meta {
        Meta::NameValue(meta) if meta.path.is_ident("feature") => {
            matches!(&meta.value, syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) if features.contains(&name.value()))
        }
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().all(|meta| holds(features, meta)),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().any(|meta| holds(features, meta)),
        Meta::List(list) if list.path.is_ident("not") => {
            !parts(list).iter().any(|meta| holds(features, meta))
        }
        // A platform: the names are the same on all platforms.
        _ => true,
    }
}

/// The parts of `all(..)`, `any(..)` or `not(..)`.
pub(crate) fn parts(list: &syn::MetaList) -> Vec<Meta> {
    list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        .map(|parts| parts.into_iter().collect())
        .unwrap_or_default()
}
