//! The `#[task]` attribute and the `Model` derive of the `cloud-tasks` crate, which re-exports them. Depend on
//! `cloud-tasks`, not on this crate.
//!
//! The unit tests are compiled as the program `unit_tests`, and the examples with those of `cloud-tasks`: as tests of a
//! procedural macro they would need `cloud-tasks` and all its dependencies compiled once more, for the host.

use proc_macro::TokenStream;

mod expand;
mod parse;

#[doc = include_str!("task.md")]
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    let (input, errors) = parse::parse(args.into(), item.into());
    expand::expand(input, &errors).into()
}

#[doc = include_str!("model.md")]
#[proc_macro_derive(Model, attributes(model))]
pub fn model(item: TokenStream) -> TokenStream {
    let (model, errors) = parse::Model::parse(item.into());
    expand::expand_model(model, &errors).into()
}
