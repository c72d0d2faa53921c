//! The required function of the trait, from which omitted associated types are inferred.

use quote::{ToTokens as _, quote};
use syn::{ImplItem, ImplItemFn, Path, Type, parse_quote};

use super::Errors;
use super::item::Block;
use super::kind::Kind;
use super::{content, run};

/// The members of the trait in the impl block.
pub(crate) struct Function {
    /// The associated types of the trait.
    pub(crate) types: Vec<Assoc>,
    /// Whether a stub must replace the function, because it is missing or does not fit.
    pub(crate) stub: bool,
    /// The positions of members that do not fit the trait; rustc would report them again.
    pub(crate) aside: Vec<usize>,
}

/// An associated type of the impl block.
pub(crate) struct Assoc {
    pub(crate) name: &'static str,
    pub(crate) ty: Type,
    pub(crate) origin: Origin,
}

/// The origin of an associated type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Written by the user in the impl.
    Written,
    /// Inferred from the function, to be appended.
    Read,
    /// Could not be inferred, which was reported: a placeholder is appended, and nothing may depend on it.
    Unread,
}

impl Function {
    pub(super) fn read(block: &Block, kind: Kind, crate_path: &Path, errors: &mut Errors) -> Self {
        let mut types = Types::new(block, kind, crate_path);
        let mut stub = false;
        let mut aside = Vec::new();
        if let Some(name) = kind.function() {
            match block.function(name).map(|at| (at, &block.members[at])) {
                None => {
                    errors.push(missing(block, kind, name));
                    stub = true;
                }
                Some((at, member)) => match &member.item {
                    Some(ImplItem::Fn(function)) => {
                        let mut own = Errors::default();
                        types.read_off(function, kind, &mut own);
                        if !own.is_empty() {
                            stub = true;
                            aside.push(at);
                        }
                        errors.append(own);
                    }
                    // Not even the signature parses, as while it is being typed.
                    _ => errors.push(member.error()),
                },
            }
        }
        aside.extend(misplaced_topic(block, kind, errors));
        Self {
            types: types.finish(),
            stub,
            aside,
        }
    }

    /// An associated type of the trait.
    pub(crate) fn find(&self, name: &str) -> Option<&Assoc> {
        self.types.iter().find(|assoc| assoc.name == name)
    }
}

fn missing(block: &Block, kind: Kind, name: &str) -> syn::Error {
    let (path, ty) = (&block.trait_path, &block.self_ty);
    syn::Error::new_spanned(
        quote!(#path #ty),
        format!("`{name}` is missing: write {}", kind.signature()),
    )
}

/// A publisher does not define its topic by a function.
fn misplaced_topic(block: &Block, kind: Kind, errors: &mut Errors) -> Option<usize> {
    let at = block.function("topic").filter(|_| kind.is_event())?;
    let Some(ImplItem::Fn(ImplItemFn { sig, .. })) = &block.members[at].item else {
        return None;
    };
    let for_each = match kind {
        Kind::ModelPublisher => {
            ", or `fn topic_for(model: &Model, extra: &Extra) -> Topic` for a topic for each object"
        }
        _ => "",
    };
    errors.push(syn::Error::new_spanned(
        &sig.ident,
        format!("the topic of an event is an option: write `#[task(topic = \"..\")]`{for_each}"),
    ));
    Some(at)
}

/// The associated types that are known so far.
pub(super) struct Types<'a> {
    pub(super) crate_path: &'a Path,
    block: &'a Block,
    read: Vec<(&'static str, Option<Type>)>,
}

impl<'a> Types<'a> {
    fn new(block: &'a Block, kind: Kind, crate_path: &'a Path) -> Self {
        let names = kind.types().iter();
        Self {
            crate_path,
            block,
            read: names.map(|name| (*name, None)).collect(),
        }
    }

    fn read_off(&mut self, function: &ImplItemFn, kind: Kind, errors: &mut Errors) {
        let signature = &function.sig;
        match kind {
            Kind::Task => run::read_task(signature, self, errors),
            Kind::Handler => run::read_handler(signature, self, errors),
            Kind::Subscriber => run::read_subscriber(signature, self, errors),
            Kind::ModelPublisher => content::read(signature, self, errors),
            Kind::SharedTask | Kind::Publisher => {}
        }
    }

    /// Whether the user omitted it.
    pub(super) fn is_omitted(&self, name: &str) -> bool {
        self.block.written_type(name).is_none()
    }

    pub(super) fn set(&mut self, name: &str, ty: Type) {
        if let Some((_, read)) = self.read.iter_mut().find(|(known, _)| *known == name) {
            *read = Some(ty);
        }
    }

    /// A type that could not be inferred becomes one that satisfies every bound of the trait.
    fn finish(self) -> Vec<Assoc> {
        let (block, crate_path) = (self.block, self.crate_path);
        self.read
            .into_iter()
            .map(|(name, read)| {
                let (ty, origin) = match (block.written_type(name), read) {
                    (Some(ty), _) => (ty.clone(), Origin::Written),
                    (None, Some(ty)) => (ty, Origin::Read),
                    (None, None) if name == "Attributes" => (default_attributes(crate_path), Origin::Unread),
                    (None, None) => (parse_quote!(()), Origin::Unread),
                };
                Assoc { name, ty, origin }
            })
            .collect()
    }
}

/// The attributes of a message that names only its content.
pub(super) fn default_attributes(crate_path: &Path) -> Type {
    parse_quote!(#crate_path::__private::Attributes)
}

/// The error for types in a form from which these associated types cannot be inferred.
pub(super) fn unread(ty: &Type, names: &[&str], form: &str) -> syn::Error {
    let what: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let written: Vec<String> = names.iter().map(|name| format!("`type {name} = ..;`")).collect();
    syn::Error::new_spanned(
        ty.to_token_stream(),
        format!(
            "the task's {} cannot be inferred from this type: write it as in `{form}`, or write {} in the impl",
            what.join(" and "),
            written.join(" and ")
        ),
    )
}
