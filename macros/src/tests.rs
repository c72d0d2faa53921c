//! Token-level tests of the expansion.

mod agreement;
mod limits;
mod mistakes;
mod model;
mod publisher;
mod retry;
mod schedule;
mod shared;
mod subscriber;
mod unique;

use proc_macro2::TokenStream;
use quote::quote;

fn expanded(args: TokenStream, item: TokenStream) -> String {
    let (input, errors) = crate::parse::parse(args, item);
    crate::expand::expand(input, &errors).to_string()
}

/// The messages of the `compile_error!`s.
fn messages(args: TokenStream, item: TokenStream) -> Vec<String> {
    texts(crate::parse::parse(args, item).1)
}

fn texts(errors: crate::parse::Errors) -> Vec<String> {
    let errors = errors.0.into_iter().flatten();
    errors.map(|error| error.to_string()).collect()
}

#[track_caller]
fn assert_expands(args: TokenStream, item: TokenStream, expected: &TokenStream) {
    assert_eq!(expanded(args, item), expected.to_string());
}

#[test]
fn the_impl_gets_its_types_a_registration_and_a_link() {
    assert_expands(
        quote!(
            name = "Welcome",
            aliases = ["Old", OLDER],
            queue = "emails",
            timeout = "15m",
            idempotent
        ),
        quote! {
            #[allow(unused)]
            impl Task for mails::SendWelcomeEmail {
                async fn run(self, cx: Context<Mailer>) -> TaskResult<String> { send(self) }
            }
        },
        &quote! {
            #[allow(unused)]
            impl Task for mails::SendWelcomeEmail {
                async fn run(self, cx: Context<Mailer>) -> TaskResult<String> { send(self) }
                type State = Mailer;
                type Output = String;
            }
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::__private::Registered for mails::SendWelcomeEmail {
                const __REGISTRATION: ::cloud_tasks::__private::Registration =
                    ::cloud_tasks::__private::Registration::task::<mails::SendWelcomeEmail>(
                        "Welcome", ::core::concat!(::core::file!(), ":", ::core::line!())
                    )
                    .aliases(&["Old", OLDER])
                    .queue("emails")
                    .timeout(::core::time::Duration::from_millis(900000u64))
                    .idempotent(true)
                    .schema(::cloud_tasks::__private::schema_of!(mails::SendWelcomeEmail));

                fn __state(states: &mut ::cloud_tasks::__private::Resolver<'_>) -> ::cloud_tasks::__private::Resolved {
                    states.one::<Mailer>()
                }
            }
            #[allow(deprecated)]
            const _: () = {
                ::cloud_tasks::__private::inventory::submit! {
                    ::cloud_tasks::__private::Collected::new(
                        <mails::SendWelcomeEmail as ::cloud_tasks::__private::Registered>::__REGISTRATION
                    )
                }
            };
        },
    );
}

#[test]
fn a_half_written_body_still_expands_and_stays_as_it_is() {
    let text = expanded(
        quote!(),
        quote! {
            impl Task for Half {
                async fn run(self, cx: Context<Mailer>) -> TaskResult<String> {
                    let user = ;
                    cx.state().
                    if let Some(
                        ..
                    ) =
                }
                fn other() { match }
            }
        },
    );

    assert!(
        text.contains("{ let user = ; cx . state () . if let Some (..) = }"),
        "{text}"
    );
    assert!(
        text.contains("fn other () { match } type State = Mailer ; type Output = String ; }"),
        "{text}"
    );
    assert!(
        text.contains("Registration :: task :: < Half > (\"Half\" ,"),
        "{text}"
    );
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn what_does_not_parse_beside_run_is_left_to_rustc() {
    let item = quote! {
        impl Task for Half {
            type = ;
            async fn run(self, cx: Context) -> TaskResult {}
            const
        }
    };
    let text = expanded(quote!(), item.clone());

    assert!(
        text.contains("type = ;") && text.contains("const type State = () ;"),
        "{text}"
    );
    assert_eq!(messages(quote!(), item), Vec::<String>::new());
}

#[test]
fn a_signature_that_is_being_typed_is_not_called_missing() {
    let item = quote! {
        impl Task for Half {
            async fn run(self, cx: Context<) -> TaskResult<String> { }
        }
    };
    let text = expanded(quote!(), item.clone());

    assert!(
        text.contains("impl :: cloud_tasks :: __private :: Registered for Half"),
        "{text}"
    );
    let said = messages(quote!(), item);
    assert!(
        matches!(said.as_slice(), [message] if !message.contains("missing")),
        "{said:?}"
    );
}

#[test]
fn states_and_outputs_are_read_off_every_form_of_signature() {
    for (parameter, returned, lookup, state, output) in [
        (
            quote!(cx: Context<Mailer>),
            quote!(TaskResult<u8>),
            "one",
            "Mailer",
            "u8",
        ),
        (quote!(_: Context), quote!(TaskResult), "each", "()", "()"),
        (quote!(_: Context<()>), quote!(TaskResult<()>), "each", "()", "()"),
        (
            quote!(mut cx: a::b::Context<(Db, Mailer)>),
            quote!(::x::TaskResult<Vec<u8>>),
            "each",
            "(Db , Mailer)",
            "Vec < u8 >",
        ),
        (
            quote!(cx: Context<(Db)>),
            quote!(Result<u8, TaskError>),
            "one",
            "Db",
            "u8",
        ),
        (
            quote!(cx: Context<(Db,)>),
            quote!(my::Result<u8>),
            "each",
            "(Db ,)",
            "u8",
        ),
        (
            quote!(cx: Context<Box<dyn Fn() -> u8>>),
            quote!((TaskResult<u8>)),
            "one",
            "Box < dyn Fn () -> u8 >",
            "u8",
        ),
        (
            quote!(cx: Context<Sized<{ N }>>),
            quote!(TaskResult<Sized<{ N }>>),
            "one",
            "Sized < { N } >",
            "Sized < { N } >",
        ),
    ] {
        let text = expanded(
            quote!(),
            quote!(impl Task for A { async fn run(self, #parameter) -> #returned {} }),
        );
        let text = text.replace(">>", "> >");
        assert!(
            text.contains(&format!("states . {lookup} ::")),
            "{lookup}: {text}"
        );
        assert!(
            text.contains(&format!("type State = {state} ;")),
            "{state}: {text}"
        );
        assert!(
            text.contains(&format!("type Output = {output} ;")),
            "{output}: {text}"
        );
    }
}

#[test]
fn written_types_are_taken_and_not_repeated() {
    let text = expanded(
        quote!(),
        quote! {
            impl Task for A {
                type State = (Db, Mailer);
                async fn run(self, cx: Cx) -> Outcome {}
                type Output = u8;
            }
        },
    );

    assert!(
        text.starts_with(
            &quote! {
                impl Task for A {
                    type State = (Db, Mailer);
                    async fn run(self, cx: Cx) -> Outcome {}
                    type Output = u8;
                }
                #[automatically_derived]
            }
            .to_string()
        ),
        "{text}"
    );
    assert!(text.contains("states . each :: < (Db , Mailer) > ()"), "{text}");
}

#[test]
fn a_future_of_a_function_that_is_not_async_is_read() {
    for returned in [
        quote!(impl Future<Output = TaskResult<u8>> + Send),
        quote!(impl Send + ::core::future::Future<Output = TaskResult<u8>> + use<>),
    ] {
        let text = expanded(
            quote!(),
            quote!(impl Task for A { fn run(self, cx: Context) -> #returned { async { Ok(1) } } }),
        );
        assert!(text.contains("type Output = u8 ;"), "{text}");
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_renamed_crate_is_the_only_one_that_is_named() {
    for (option, path) in [
        (quote!(crate = "my::jobs"), "my :: jobs"),
        (quote!(crate = crate::jobs), "crate :: jobs"),
        (quote!(crate = ::jobs), ":: jobs"),
        (quote!(crate = "crate"), "crate"),
    ] {
        let text = expanded(
            option,
            quote!(impl Task for A { async fn run(self, cx: Context) -> TaskResult {} }),
        );

        assert!(
            text.contains(&format!("impl {path} :: __private :: Registered for A")),
            "{text}"
        );
        assert!(
            text.contains(&format!("{path} :: __private :: inventory :: submit !")),
            "{text}"
        );
        assert!(
            !text.contains("cloud_tasks") && !text.contains("compile_error"),
            "{text}"
        );
    }
}

#[test]
fn a_mistaken_task_is_no_task_of_the_program_and_still_a_task_to_rustc() {
    let text = expanded(
        quote!(queue = "my_queue"),
        quote!(impl Task for A { async fn run(&self, cx: Context<Db>) -> TaskResult<u8> { Ok(1) } }),
    );

    assert!(
        text.contains(":: cloud_tasks :: __private :: Registered for A"),
        "{text}"
    );
    assert!(
        text.contains("type State = Db ; type Output = u8 ; async fn run (self , _ :"),
        "{text}"
    );
    assert!(
        text.contains(
            "impl A { async fn run (& self , cx : Context < Db >) -> TaskResult < u8 > { Ok (1) } }"
        ),
        "{text}"
    );
    assert!(!text.contains("submit"), "{text}");
    assert_eq!(text.matches("compile_error").count(), 2, "{text}");
}

#[test]
fn an_item_that_is_no_task_comes_back_as_it_came() {
    for item in [
        quote!(
            pub struct A {
                field: u8,
            }
        ),
        quote!(impl A { fn half() { let } }),
        quote!(impl !Task for A {}),
        quote!(impl Display for A { fn half() { let } }),
        quote!(fn half() { let }),
        quote!(thing! { a }),
        quote!(),
    ] {
        let text = expanded(quote!(queue = 5), item.clone());
        let rest = text.strip_prefix(&item.to_string());
        assert!(
            rest.is_some_and(|rest| rest.trim_start().starts_with(":: core :: compile_error")),
            "{text}"
        );
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
    }
}

#[test]
fn a_negative_impl_is_refused() {
    assert_eq!(
        messages(quote!(), quote!(impl !Task for A {})),
        ["`#[task]` cannot register a negative impl"]
    );
}
