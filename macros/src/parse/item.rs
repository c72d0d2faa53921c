//! Parsing of the impl block at token level. Function bodies are never parsed.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{Generics, ImplItem, ItemImpl, Path, Type};

use super::tokens::{
    empty_braces, flat, is_braces, is_group, is_ident, opens_arrow, opens_inner_attribute, unwrap_invisible,
};
use super::types::ungroup_type;

/// An `impl Trait for Type { .. }`: the user's tokens, and what could be parsed of them.
pub(crate) struct Block {
    /// Everything before the braces, unchanged.
    pub(crate) head: TokenStream,
    /// The braces with their content, unchanged.
    pub(crate) body: Group,
    pub(crate) members: Vec<Member>,
    pub(crate) generics: Generics,
    pub(crate) trait_path: Path,
    pub(crate) self_ty: Type,
}

/// One item of the impl block.
pub(crate) struct Member {
    /// The tokens, unchanged.
    pub(crate) tokens: TokenStream,
    /// The tokens with an empty body.
    blind: TokenStream,
    /// `None` if not even the item with an empty body parses: rustc reports that itself.
    pub(crate) item: Option<ImplItem>,
}

impl Block {
    /// Parses an impl block of a trait. For any other item the error says where the attribute belongs.
    pub(crate) fn parse(input: TokenStream) -> syn::Result<Self> {
        let mut tokens: Vec<TokenTree> = unwrap_invisible(input).into_iter().collect();
        let whole: TokenStream = tokens.iter().cloned().collect();
        refuse_other_items(&tokens)?;
        let Some(TokenTree::Group(body)) = tokens.pop_if(|last| is_group(last, Delimiter::Brace)) else {
            return Err(syn::Error::new_spanned(whole, "this impl block has no braces"));
        };
        let head: TokenStream = tokens.into_iter().collect();
        let parsed: ItemImpl = syn::parse2(quote!(#head {}))?;
        let Some((negative, trait_path, _)) = parsed.trait_ else {
            let self_ty = &parsed.self_ty;
            return Err(syn::Error::new_spanned(
                self_ty,
                format!(
                    "`#[task]` goes on the impl block of a trait, and this impl has none: write `impl Task for {}`",
                    flat(&quote!(#self_ty))
                ),
            ));
        };
        if let Some(bang) = negative {
            return Err(syn::Error::new_spanned(
                quote!(#bang #trait_path),
                "`#[task]` cannot register a negative impl",
            ));
        }
        Ok(Self {
            head,
            members: split(body.stream()),
            body,
            generics: parsed.generics,
            trait_path,
            self_ty: ungroup_type(&parsed.self_ty).clone(),
        })
    }

    /// The user's `type {name} = ..;`.
    pub(crate) fn written_type(&self, name: &str) -> Option<&Type> {
        self.members.iter().find_map(|member| match &member.item {
            Some(ImplItem::Type(item)) if item.ident == name => Some(ungroup_type(&item.ty)),
            _ => None,
        })
    }

    /// The position of the function called `name`.
    pub(crate) fn function(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.is_function(name))
    }
}

impl Member {
    fn new(tokens: TokenStream, blind: TokenStream) -> Self {
        let item = syn::parse2(blind.clone()).ok();
        Self { tokens, blind, item }
    }

    /// Why the member does not parse.
    pub(crate) fn error(&self) -> syn::Error {
        match syn::parse2::<ImplItem>(self.blind.clone()) {
            Err(error) => error,
            Ok(_) => syn::Error::new_spanned(&self.blind, "expected a function"),
        }
    }

    fn is_function(&self, name: &str) -> bool {
        let tokens: Vec<TokenTree> = self.blind.clone().into_iter().collect();
        tokens
            .windows(2)
            .take_while(
                |pair| !matches!(&pair[0], TokenTree::Punct(punct) if matches!(punct.as_char(), ':' | '=')),
            )
            .any(|pair| is_ident(&pair[0], "fn") && is_ident(&pair[1], name))
    }
}

/// Splits the content of an impl block into its items.
fn split(content: TokenStream) -> Vec<Member> {
    let mut members = Vec::new();
    let mut current = Partial::default();
    for token in content {
        if current.push(token) {
            members.push(std::mem::take(&mut current).finish());
        }
    }
    if !current.tokens.is_empty() {
        members.push(current.finish());
    }
    members
}

/// An incomplete item.
#[derive(Default)]
struct Partial {
    tokens: Vec<TokenTree>,
    blind: Vec<TokenTree>,
    is_fn: bool,
    /// Whether a `:` or `=` came before any `fn`: then it is a constant or a type, and `fn` is part of a function
    /// pointer.
    has_value: bool,
    /// The number of open `<`: braces inside them are a const argument, not a body.
    angles: usize,
}

impl Partial {
    /// Adds a token. Returns true if it is the last of the item.
    fn push(&mut self, token: TokenTree) -> bool {
        let mut ends = false;
        let mut blind = token.clone();
        match &token {
            TokenTree::Ident(ident) => self.is_fn |= !self.has_value && ident == "fn",
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => {
                    ends = true;
                    if self.is_fn {
                        blind = empty_braces(token.span());
                    }
                }
                '<' => self.angles += 1,
                '>' if !opens_arrow(&self.tokens) => self.angles = self.angles.saturating_sub(1),
                ':' | '=' => self.has_value |= !self.is_fn,
                _ => {}
            },
            TokenTree::Group(group) if is_braces(&token) => {
                if self.is_fn && self.angles == 0 {
                    ends = true;
                    blind = empty_braces(group.span());
                } else {
                    // The braces of a macro call end the item, those of a value do not.
                    ends = !self.is_fn && !self.has_value;
                }
            }
            TokenTree::Group(group) => {
                ends = group.delimiter() == Delimiter::Bracket && opens_inner_attribute(&self.tokens);
            }
            TokenTree::Literal(_) => {}
        }
        self.tokens.push(token);
        self.blind.push(blind);
        ends
    }

    fn finish(self) -> Member {
        Member::new(
            self.tokens.into_iter().collect(),
            self.blind.into_iter().collect(),
        )
    }
}

/// Each other kind of item gets its own message.
fn refuse_other_items(tokens: &[TokenTree]) -> syn::Result<()> {
    let mut rest = tokens.iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            // Attributes, `pub(crate)`, and the ABI of `extern "C"`.
            TokenTree::Punct(_) | TokenTree::Group(_) | TokenTree::Literal(_) => {}
            TokenTree::Ident(ident) => match ident.to_string().as_str() {
                "impl" => return Ok(()),
                "pub" | "async" | "unsafe" | "const" | "extern" | "default" | "auto" | "safe"
                    if rest.peek().is_some() => {}
                kind => {
                    let name = match rest.peek() {
                        Some(TokenTree::Ident(name)) => Some(name),
                        _ => None,
                    };
                    return Err(misplaced(kind, ident, name));
                }
            },
        }
    }
    let all: TokenStream = tokens.iter().cloned().collect();
    Err(syn::Error::new_spanned(
        all,
        "`#[task]` goes on an `impl Task for ..` block",
    ))
}

fn misplaced(kind: &str, keyword: &Ident, name: Option<&Ident>) -> syn::Error {
    let message = match (kind, name) {
        ("struct" | "enum" | "union", Some(name)) => {
            format!(
                "`#[task]` goes on the impl block, not on the type: write it above `impl Task for {name}`"
            )
        }
        ("fn", _) => {
            "`#[task]` goes on an `impl Task for ..` block, not on a function: make the arguments a struct, \
                      and the function its `run`"
                .to_owned()
        }
        ("trait", _) => "`#[task]` goes on an `impl Task for ..` block, not on a trait".to_owned(),
        _ => "`#[task]` goes on an `impl Task for ..` block".to_owned(),
    };
    syn::Error::new_spanned(quote!(#keyword #name), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(content: TokenStream) -> Vec<String> {
        split(content)
            .iter()
            .map(|member| {
                let kind = match member.item {
                    Some(ImplItem::Fn(_)) => "fn",
                    Some(ImplItem::Type(_)) => "type",
                    Some(ImplItem::Const(_)) => "const",
                    Some(ImplItem::Macro(_)) => "macro",
                    Some(_) => "other",
                    None => "unread",
                };
                format!("{kind}: {}", member.blind)
            })
            .collect()
    }

    #[test]
    fn every_kind_of_item_is_cut_at_its_own_end() {
        let content = quote! {
            #![allow(dead_code)]
            type State = Db;
            const F: fn() -> u8 = { || 1 };
            const N: bool = 1 < 2;
            generate! { fn inner() {} }
            generate!(a);
            /// Docs.
            pub(crate) async unsafe fn run<T: Into<u8>>(self) -> Pair<{ N }, T> where T: Fn() -> u8 { let x = ; }
            fn last() {}
        };
        assert_eq!(
            items(content),
            [
                "unread: # ! [allow (dead_code)]",
                "type: type State = Db ;",
                "const: const F : fn () -> u8 = { || 1 } ;",
                "const: const N : bool = 1 < 2 ;",
                "macro: generate ! { fn inner () { } }",
                "macro: generate ! (a) ;",
                "fn: # [doc = r\" Docs.\"] pub (crate) async unsafe fn run < T : Into < u8 >> (self) -> Pair < { N } , T > \
                 where T : Fn () -> u8 { }",
                "fn: fn last () { }",
            ]
        );
    }

    #[test]
    fn a_function_without_a_body_is_read_as_a_function() {
        assert_eq!(
            items(quote! { fn run(self); type A = B; }),
            ["fn: fn run (self) { }", "type: type A = B ;"]
        );
    }

    #[test]
    fn a_function_pointer_called_run_is_not_the_function_run() {
        let members = split(quote! { const RUN: fn(u8) = { f }; type Run = fn(run: u8); fn run() {} });
        let found: Vec<bool> = members.iter().map(|member| member.is_function("run")).collect();
        assert_eq!(found, [false, false, true]);
    }

    #[test]
    fn an_impl_that_comes_through_a_macro_is_seen_through_its_invisible_delimiters() {
        let block = quote! { impl Task for A { fn run() {} } };
        let wrapped = TokenTree::Group(Group::new(Delimiter::None, block));

        let block = Block::parse(wrapped.into()).map(|block| block.members.len());

        assert_eq!(block.map_err(|error| error.to_string()), Ok(1));
    }
}
