//! Subscribers.

use proc_macro2::TokenStream;
use quote::quote;

use super::{assert_expands, expanded, messages};

fn auditor(members: &TokenStream) -> TokenStream {
    quote! {
        impl SubscriberTask for Auditor {
            async fn run(message: Message<UserAction>, cx: Context<Db>) -> TaskResult<u8> { let x = ; }
            #members
        }
    }
}

#[test]
fn a_subscriber_gets_its_types_its_topic_and_a_parser() {
    assert_expands(
        quote!(),
        quote! {
            impl SubscriberTask for Auditor {
                async fn run(message: Message<UserAction, Details>, cx: Context<Db>) -> TaskResult<u8> { let x = ; }
            }
        },
        &quote! {
            impl SubscriberTask for Auditor {
                async fn run(message: Message<UserAction, Details>, cx: Context<Db>) -> TaskResult<u8> { let x = ; }
                type Content = UserAction;
                type Attributes = Details;
                type State = Db;
                type Output = u8;
                fn topic() -> ::cloud_tasks::__private::Topic {
                    <UserAction as ::cloud_tasks::Event>::topic()
                }
                fn parse(data: &[u8]) -> ::core::result::Result<Self::Content, ::cloud_tasks::BoxError> {
                    ::cloud_tasks::__private::parse_json::<UserAction>(data)
                }
            }
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::__private::Registered for Auditor {
                const __REGISTRATION: ::cloud_tasks::__private::Registration =
                    ::cloud_tasks::__private::Registration::subscriber::<Auditor>(
                        "Auditor", ::core::concat!(::core::file!(), ":", ::core::line!())
                    )
                    .schema(::cloud_tasks::__private::schema_of!(UserAction));

                fn __state(states: &mut ::cloud_tasks::__private::Resolver<'_>) -> ::cloud_tasks::__private::Resolved {
                    states.one::<Db>()
                }
            }
            #[allow(deprecated)]
            const _: () = {
                ::cloud_tasks::__private::inventory::submit! {
                    ::cloud_tasks::__private::Collected::new(<Auditor as ::cloud_tasks::__private::Registered>::__REGISTRATION)
                }
            };
        },
    );
}

#[test]
fn every_option_is_told_to_the_registration() {
    let text = expanded(
        quote!(
            crate = "jobs",
            name = "Audit",
            aliases = ["Old"],
            queue = "slow",
            timeout = "1m",
            idempotent = IDEMPOTENT,
            topic = "user-actions",
            app = "accounts",
            filter = "attributes:a",
            max_retries = 0,
            min_backoff = "0s",
            max_backoff = MAX_BACKOFF,
            expiration = "31d",
            ack_deadline = "1m 30s",
            dead_letter_topic = "failed",
            dead_letter_subscription = "failed",
            oidc = false,
            subscription = "audit",
            url = "https://example.com/push",
            ordering = false,
            retention = "7d",
            use_cloud_tasks,
            bare_body,
        ),
        auditor(&quote!()),
    );
    let expected = quote! {
        .aliases(&["Old"])
        .queue("slow")
        .timeout(::core::time::Duration::from_millis(60000u64))
        .idempotent(IDEMPOTENT)
        .filter("attributes:a")
        .max_retries(0)
        .min_backoff(::core::time::Duration::from_millis(0u64))
        .max_backoff(MAX_BACKOFF)
        .expiration(::core::time::Duration::from_millis(2678400000u64))
        .ack_deadline(::core::time::Duration::from_millis(90000u64))
        .dead_letter_topic(|| jobs::__private::Topic::new("failed"))
        .dead_letter_subscription("failed")
        .oidc(false)
        .subscription("audit")
        .url("https://example.com/push")
        .ordering(false)
        .retention(::core::time::Duration::from_millis(604800000u64))
        .use_cloud_tasks(true)
        .bare_body(true)
        .schema(jobs::__private::schema_of!(UserAction));
    };
    assert!(text.contains(&expected.to_string()), "{expected}\n{text}");
    assert!(
        text.contains(
            &quote!(
                fn topic() -> jobs::__private::Topic {
                    jobs::__private::Topic::new("user-actions").of_app("accounts")
                }
            )
            .to_string()
        ),
        "{text}"
    );
    assert!(
        text.contains("parse_json :: < UserAction >") && !text.contains("cloud_tasks ::"),
        "{text}"
    );
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn options_take_constants_and_the_words_that_stand_for_a_value() {
    for (option, call) in [
        (
            quote!(labels = [("team", "orders")]),
            quote!(.labels(&[("team", "orders")])),
        ),
        (quote!(labels = LABELS), quote!(.labels(LABELS))),
        (
            quote!(expiration = "never"),
            quote!(.expiration(::core::time::Duration::MAX)),
        ),
        (
            quote!(expiration = Duration::MAX),
            quote!(.expiration(Duration::MAX)),
        ),
        (
            quote!(max_retries = RETRIES + 1),
            quote!(.max_retries(RETRIES + 1)),
        ),
        (quote!(max_retries = 7u32), quote!(.max_retries(7u32))),
        (quote!(oidc = !LOCAL), quote!(.oidc(!LOCAL))),
        (quote!(ordering = false), quote!(.ordering(false))),
        (quote!(ordering = ORDERED), quote!(.ordering(ORDERED))),
        (
            quote!(filter = concat!("a", "b")),
            quote!(.filter(concat!("a", "b"))),
        ),
        (
            quote!(dead_letter_topic = FAILED),
            quote!(.dead_letter_topic(|| ::cloud_tasks::__private::Topic::new(const { let text: &'static str = FAILED; text }))),
        ),
        (
            quote!(absolute_subscription = "audit"),
            quote!(.absolute_subscription("audit")),
        ),
    ] {
        let text = expanded(option, auditor(&quote!()));
        assert!(text.contains(&format!("{call} . schema (")), "{call}: {text}");
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_subscribers_topic_is_that_of_its_content_or_an_option() {
    for (options, topic) in [
        (quote!(), quote!(<UserAction as ::cloud_tasks::Event>::topic())),
        (
            quote!(app = "accounts"),
            quote!(<UserAction as ::cloud_tasks::Event>::topic().of_app("accounts")),
        ),
        (
            quote!(topic = "user-actions"),
            quote!(::cloud_tasks::__private::Topic::new("user-actions")),
        ),
        (
            quote!(absolute_topic = "legacy-bus"),
            quote!(::cloud_tasks::__private::Topic::absolute("legacy-bus")),
        ),
    ] {
        let text = expanded(options, auditor(&quote!()));
        let expected = quote!(fn topic() -> ::cloud_tasks::__private::Topic { #topic });
        assert!(text.contains(&expected.to_string()), "{expected}: {text}");
    }
}

#[test]
fn what_the_user_wrote_is_not_written_again() {
    let written = quote! {
        fn topic() -> Topic { half. }
        type Content = Raw;
        fn parse(data: &[u8]) -> Result<Raw, BoxError> { half. }
        type State = ();
    };
    let text = expanded(quote!(), auditor(&written));

    assert_eq!(text.matches("fn topic").count(), 1, "{text}");
    assert_eq!(text.matches("fn parse").count(), 1, "{text}");
    assert!(
        text.contains(
            "type State = () ; type Attributes = :: cloud_tasks :: __private :: Attributes ; type Output = u8 ; }"
        ),
        "{text}"
    );
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn messages_are_read_in_every_form() {
    for (parameter, content, attributes) in [
        (
            quote!(message: Message<Value>),
            "Value",
            ":: cloud_tasks :: __private :: Attributes",
        ),
        (
            quote!(Message { content, .. }: a::Message<(u8, Vec<u8>), ()>),
            "(u8 , Vec < u8 >)",
            "()",
        ),
        (quote!(mut m: (Message<Self, Self>)), "Self", "Self"),
    ] {
        let text = expanded(
            quote!(topic = "a"),
            quote!(impl SubscriberTask for A { async fn run(#parameter, _: Context) -> TaskResult {} }),
        );
        for expected in [
            format!("type Content = {content} ;"),
            format!("type Attributes = {attributes} ;"),
        ] {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_message_behind_an_alias_is_asked_for_once() {
    for (written, asked) in [
        (quote!(), "content and attributes"),
        (
            quote!(
                type Content = u8;
            ),
            "attributes",
        ),
        (
            quote!(
                type Attributes = u8;
            ),
            "content",
        ),
    ] {
        let item = quote! {
            impl SubscriberTask for A {
                #written
                async fn run(message: Msg, _: Context) -> TaskResult {}
            }
        };
        let said = messages(quote!(), item);
        assert!(
            matches!(said.as_slice(), [message] if message.starts_with(&format!("the task's {asked} cannot be inferred"))),
            "{said:?}"
        );
    }
}

#[test]
fn nothing_is_built_on_content_that_could_not_be_read() {
    let text = expanded(
        quote!(),
        quote!(impl SubscriberTask for A { async fn run(cx: Context<Db>) -> TaskResult<u8> { Ok(1) } }),
    );

    assert!(
        text.contains(
            "type Content = () ; type Attributes = :: cloud_tasks :: __private :: Attributes ; type State = Db ;"
        ),
        "{text}"
    );
    assert!(
        text.contains("fn topic () -> :: cloud_tasks :: __private :: Topic { :: core :: panic ! () }"),
        "{text}"
    );
    assert!(
        text.contains("async fn run (_ : :: cloud_tasks :: Message"),
        "{text}"
    );
    assert!(
        text.contains("impl A { async fn run (cx : Context < Db >)"),
        "{text}"
    );
    assert_eq!(text.matches("compile_error").count(), 1, "{text}");
}

#[test]
fn an_option_of_another_trait_is_named_with_those_that_take_it() {
    let said = messages(
        quote!(filter = "a"),
        quote!(impl Task for A { async fn run(self, _: Context) -> TaskResult {} }),
    );
    assert_eq!(said, ["`filter` is an option of `SubscriberTask`, not of `Task`"]);
}

#[test]
fn a_signature_that_is_being_typed_is_not_called_missing() {
    let item = quote! {
        impl SubscriberTask for Half {
            async fn run(message: Message<UserAction, cx: Context) -> TaskResult<String> { }
        }
    };
    let text = expanded(quote!(), item.clone());

    assert!(text.contains("panic ! ()") && text.contains("fn parse"), "{text}");
    let said = messages(quote!(), item);
    assert!(
        matches!(said.as_slice(), [message] if !message.contains("missing")),
        "{said:?}"
    );
}
