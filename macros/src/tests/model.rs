//! `#[derive(Model)]`.

use proc_macro2::TokenStream;
use quote::quote;

fn derived(item: TokenStream) -> String {
    let (model, errors) = crate::parse::Model::parse(item);
    crate::expand::expand_model(model, &errors).to_string()
}

fn messages(item: TokenStream) -> Vec<String> {
    super::texts(crate::parse::Model::parse(item).1)
}

#[test]
fn a_model_says_its_label_and_its_name() {
    let text = derived(quote! {
        #[derive(Debug)]
        #[model(app_label = "sales", name = "purchase", crate = "jobs")]
        pub struct Order { id: u64 }
    });
    let expected = quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl jobs::Model for Order {
            const APP_LABEL: &'static str = "sales";
            const MODEL_NAME: &'static str = "purchase";
        }
    };
    assert_eq!(text, expected.to_string());
}

#[test]
fn a_models_name_is_its_types_in_lower_case() {
    for (item, name) in [
        (
            quote!(
                #[model(app_label = LABEL)]
                struct OrderLine;
            ),
            "orderline",
        ),
        (
            quote!(
                #[model(app_label = "a")]
                enum r#Type {}
            ),
            "type",
        ),
        (
            quote!(#[model(app_label = "a",)] #[model()] union Both { a: u8 }),
            "both",
        ),
    ] {
        let text = derived(item);
        assert!(
            text.contains(&format!("MODEL_NAME : & 'static str = \"{name}\" ;")),
            "{text}"
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_models_parameters_pass_through() {
    let text = derived(quote! {
        #[model(app_label = "sales")]
        struct Row<'a, T: Clone = u8, const N: usize = 1>(&'a [T; N]) where T: Copy;
    });
    let head =
        quote!(impl<'a, T: Clone, const N: usize> ::cloud_tasks::Model for Row<'a, T, N> where T: Copy);
    assert!(text.contains(&head.to_string()), "{text}");
}

#[test]
fn a_mistaken_model_is_a_model_all_the_same() {
    let item = quote!(
        #[model(name = 5, label = "a")]
        struct Order;
    );
    let text = derived(item.clone());

    assert!(text.contains("impl :: cloud_tasks :: Model for Order"), "{text}");
    assert_eq!(messages(item).len(), 3);
    assert_eq!(text.matches("compile_error").count(), 3, "{text}");
}

#[test]
fn a_label_that_is_misspelled_is_not_called_missing() {
    let said = messages(quote!(
        #[model(app_lable = "sales")]
        struct Order;
    ));
    assert_eq!(
        said,
        [
            "unknown option `app_lable`: did you mean `app_label`? (the options are `app_label`, `name`, `crate`)"
        ]
    );
}
