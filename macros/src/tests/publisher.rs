//! Publishers and model publishers.

use proc_macro2::TokenStream;
use quote::quote;

use super::{assert_expands, expanded, messages};

/// On its own, since `<<` is another token than `<` and `<`.
fn model() -> TokenStream {
    quote!(<OrderCreated as ::cloud_tasks::ModelPublisherTask>::Model)
}

#[test]
fn a_publisher_gets_an_event_a_registration_and_a_link() {
    assert_expands(
        quote!(
            name = "Actions",
            aliases = ["Old"],
            queue = "events",
            timeout = "1m",
            topic = "user-actions",
            app = "accounts"
        ),
        quote!(impl PublisherTask for events::UserAction {}),
        &quote! {
            impl PublisherTask for events::UserAction {}
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::Event for events::UserAction {
                fn topic() -> ::cloud_tasks::__private::Topic {
                    ::cloud_tasks::__private::Topic::new("user-actions").of_app("accounts")
                }
            }
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::__private::Registered for events::UserAction {
                const __REGISTRATION: ::cloud_tasks::__private::Registration =
                    ::cloud_tasks::__private::Registration::publisher::<events::UserAction>(
                        "Actions", ::core::concat!(::core::file!(), ":", ::core::line!())
                    )
                    .aliases(&["Old"])
                    .queue("events")
                    .timeout(::core::time::Duration::from_millis(60000u64))
                    .schema(::cloud_tasks::__private::schema_of!(events::UserAction));

                fn __state(states: &mut ::cloud_tasks::__private::Resolver<'_>) -> ::cloud_tasks::__private::Resolved {
                    states.each::<()>()
                }
            }
            #[allow(deprecated)]
            const _: () = {
                ::cloud_tasks::__private::inventory::submit! {
                    ::cloud_tasks::__private::Collected::new(
                        <events::UserAction as ::cloud_tasks::__private::Registered>::__REGISTRATION
                    )
                }
            };
        },
    );
}

#[test]
fn a_publishers_topic_is_the_types_name_an_option_or_a_constant() {
    for (options, topic) in [
        (quote!(), quote!(new("UserAction"))),
        (quote!(name = "Other"), quote!(new("UserAction"))),
        (
            quote!(app = "accounts"),
            quote!(new("UserAction").of_app("accounts")),
        ),
        (quote!(topic = "a"), quote!(new("a"))),
        (
            quote!(topic = "projects/p/topics/bus"),
            quote!(new("projects/p/topics/bus")),
        ),
        (
            quote!(absolute_topic = "legacy-bus"),
            quote!(absolute("legacy-bus")),
        ),
        (
            quote!(topic = names::TOPIC, app = Self::APP),
            quote! {
                new(const { let text: &'static str = names::TOPIC; text })
                    .of_app(const { let text: &'static str = Self::APP; text })
            },
        ),
    ] {
        let text = expanded(options, quote!(impl cloud_tasks::PublisherTask for UserAction {}));
        let expected =
            quote!(fn topic() -> ::cloud_tasks::__private::Topic { ::cloud_tasks::__private::Topic::#topic });
        assert!(text.contains(&expected.to_string()), "{expected}: {text}");
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_raw_name_is_a_plain_topic() {
    let text = expanded(quote!(), quote!(impl PublisherTask for r#type {}));
    assert!(text.contains("Topic :: new (\"type\")"), "{text}");
}

#[test]
fn a_type_with_arguments_needs_a_name_and_a_topic() {
    let item = || quote!(impl PublisherTask for Changed<u32> {});
    for (options, needs) in [
        (quote!(), ["name", "topic"].as_slice()),
        (quote!(name = "Changed.u32"), &["topic"]),
        (quote!(topic = "changed-u32"), &["name"]),
        (quote!(name = "Changed.u32", absolute_topic = "changed-u32"), &[]),
        (quote!(name = "Changed.u32", topic = "not a topic"), &[]),
        (quote!(nane = "Changed.u32", topik = "changed-u32"), &[]),
    ] {
        let said = messages(options, item());
        let needed: Vec<_> = said
            .iter()
            .filter(|message| message.contains(" needs a "))
            .collect();
        assert_eq!(needed.len(), needs.len(), "{said:?}");
        for (message, need) in needed.iter().zip(needs) {
            assert!(
                message.starts_with(&format!("`Changed<u32>` needs a {need}: write `#[task({need} = ")),
                "{message}"
            );
        }
    }
}

#[test]
fn a_model_publisher_gets_its_types_and_the_topic_of_its_model() {
    let model = model();
    assert_expands(
        quote!(),
        quote! {
            impl ModelPublisherTask for OrderCreated {
                fn content(order: &sales::Order, extra: &Campaign) -> Self { let x = ; }
            }
        },
        &quote! {
            impl ModelPublisherTask for OrderCreated {
                fn content(order: &sales::Order, extra: &Campaign) -> Self { let x = ; }
                type Model = sales::Order;
                type Extra = Campaign;
            }
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::Event for OrderCreated {
                fn topic() -> ::cloud_tasks::__private::Topic {
                    ::cloud_tasks::__private::Topic::of_model::<#model>()
                }
            }
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::cloud_tasks::__private::Registered for OrderCreated {
                const __REGISTRATION: ::cloud_tasks::__private::Registration =
                    ::cloud_tasks::__private::Registration::model_publisher::<OrderCreated>(
                        "OrderCreated", ::core::concat!(::core::file!(), ":", ::core::line!())
                    )
                    .schema(::cloud_tasks::__private::schema_of!(OrderCreated));

                fn __state(states: &mut ::cloud_tasks::__private::Resolver<'_>) -> ::cloud_tasks::__private::Resolved {
                    states.each::<()>()
                }
            }
            #[allow(deprecated)]
            const _: () = {
                ::cloud_tasks::__private::inventory::submit! {
                    ::cloud_tasks::__private::Collected::new(<OrderCreated as ::cloud_tasks::__private::Registered>::__REGISTRATION)
                }
            };
        },
    );
}

#[test]
fn a_model_publishers_topic_is_that_of_its_model_or_an_option() {
    let model = model();
    let of_model = quote!(of_model::<#model>());
    for (options, topic) in [
        (quote!(), of_model.clone()),
        (quote!(app = "shop"), quote!(#of_model.of_app("shop"))),
        (quote!(app_label = "sales"), quote!(model("sales", "Order"))),
        (
            quote!(app_label = LABEL, app = "shop"),
            quote!(
                model(
                    const {
                        let text: &'static str = LABEL;
                        text
                    },
                    "Order"
                )
                .of_app("shop")
            ),
        ),
        (quote!(topic = "orders"), quote!(new("orders"))),
        (quote!(absolute_topic = "orders"), quote!(absolute("orders"))),
    ] {
        for item in [
            quote! {
                impl ModelPublisherTask for OrderCreated {
                    fn content(order: &sales::Order, _: &()) -> Self {}
                }
            },
            quote! {
                impl ModelPublisherTask for OrderCreated {
                    type Model = sales::Order;
                    fn content(order: Alias<'_>, _: &()) -> Self {}
                }
            },
        ] {
            let text = expanded(options.clone(), item);
            let expected = quote!(fn topic() -> ::cloud_tasks::__private::Topic { ::cloud_tasks::__private::Topic::#topic });
            assert!(text.contains(&expected.to_string()), "{expected}: {text}");
            assert!(!text.contains("compile_error"), "{text}");
        }
    }
}

#[test]
fn models_and_extras_are_read_off_every_form_of_reference() {
    for (parameters, model, extra) in [
        (quote!(order: &Order, extra: &Campaign), "Order", "Campaign"),
        (quote!(_: &Order, _: &()), "Order", "()"),
        (
            quote!(Order { id, .. }: &'_ a::Order<u8>, _: &'static (u8, u8)),
            "a :: Order < u8 >",
            "(u8 , u8)",
        ),
        (
            quote!(orders: (&Vec<Order>), _: &[u8; 3]),
            "Vec < Order >",
            "[u8 ; 3]",
        ),
    ] {
        let text = expanded(
            quote!(),
            quote!(impl ModelPublisherTask for A { fn content(#parameters) -> Self {} }),
        );
        for expected in [
            format!("type Model = {model} ;"),
            format!("type Extra = {extra} ;"),
        ] {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
        assert!(!text.contains("compile_error"), "{text}");
    }
}

#[test]
fn a_model_that_cannot_be_read_is_asked_for_and_nothing_is_built_on_it() {
    for parameter in [
        quote!(Ref<'_>),
        quote!(&Order<'_>),
        quote!(&impl Into<u8>),
        quote!(&Self::Model),
        quote!(Order),
    ] {
        let item = quote! {
            impl ModelPublisherTask for A { fn content(order: #parameter, _: &()) -> Self {} }
        };
        let said = messages(quote!(app_label = "sales"), item.clone());
        assert!(
            matches!(said.as_slice(), [message] if message.contains("`type Model = ..;`") && message.contains("`&Order`")),
            "{said:?}"
        );
        let text = expanded(quote!(), item);
        assert!(text.contains("type Model = () ;"), "{text}");
        assert!(
            text.contains("fn topic () -> :: cloud_tasks :: __private :: Topic { :: core :: panic ! () }"),
            "{text}"
        );
    }
}

#[test]
fn what_a_function_declares_itself_cannot_be_read_off_it() {
    for declared in [quote!(<'a>), quote!(<T>)] {
        let said = messages(
            quote!(),
            quote! {
                impl ModelPublisherTask for A { fn content #declared (order: &Order<'a, T>, _: &()) -> Self {} }
            },
        );
        assert!(
            matches!(said.as_slice(), [message] if message.contains("`type Model = ..;`")),
            "{said:?}"
        );
    }
}

#[test]
fn a_mistaken_publisher_is_an_event_all_the_same() {
    let text = expanded(
        quote!(topic = "no topic"),
        quote!(impl PublisherTask for A { fn topic() -> Topic { Topic::new("a") } }),
    );

    assert!(text.starts_with("impl PublisherTask for A { }"), "{text}");
    assert!(
        text.contains("impl A { fn topic () -> Topic { Topic :: new (\"a\") } }"),
        "{text}"
    );
    assert!(text.contains("impl :: cloud_tasks :: Event for A"), "{text}");
    assert!(!text.contains("submit"), "{text}");
    assert_eq!(text.matches("compile_error").count(), 2, "{text}");
}

#[test]
fn an_encoder_of_either_publisher_is_noted_and_a_constant_is_kept() {
    for item in [
        quote! {
            impl PublisherTask for Reading {
                const HEADERS: Option<HeaderPlacement> = None;
                fn encode(event: &Self) -> Result<Vec<u8>, BoxError> { todo() }
            }
        },
        quote! {
            impl ModelPublisherTask for Reading {
                const HEADERS: Option<HeaderPlacement> = None;
                fn encode(event: &Self) -> Result<Vec<u8>, BoxError> { todo() }
                fn content(model: &Sensor, extra: &()) -> Self { todo() }
            }
        },
    ] {
        let text = expanded(quote!(topic = "readings"), item);

        assert!(text.contains("const __ENCODES : bool = true ;"), "{text}");
        assert!(text.contains("const HEADERS"), "{text}");
    }
    let without = expanded(quote!(), quote!(impl PublisherTask for Reading {}));
    assert!(!without.contains("__ENCODES"), "{without}");
}
