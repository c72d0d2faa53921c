//! Unique tasks.

use proc_macro2::TokenStream;
use quote::quote;

use super::{expanded, messages};

fn charge() -> TokenStream {
    quote! {
        impl Task for Charge {
            async fn run(self, cx: Context) -> TaskResult {}
        }
    }
}

fn event() -> TokenStream {
    quote!(
        impl PublisherTask for OrderPaid {}
    )
}

fn flat(tokens: &TokenStream) -> String {
    tokens.to_string()
}

#[test]
fn the_registration_is_told_what_tasks_are_told_apart_by() {
    for (options, told) in [
        (quote!(unique), quote!(UniqueOptions::new())),
        (quote!(unique()), quote!(UniqueOptions::new())),
        (
            quote!(unique(window = "5m")),
            quote!(UniqueOptions::new().window(::core::time::Duration::from_millis(300000u64))),
        ),
        (
            quote!(unique(window = WINDOW,)),
            quote!(UniqueOptions::new().window(WINDOW)),
        ),
        (
            quote!(unique(by = ["order_id"])),
            quote!(UniqueOptions::new().by_fields()),
        ),
        (
            quote!(unique(window = "1h 30m", by = ["order_id"])),
            quote!(
                UniqueOptions::new()
                    .by_fields()
                    .window(::core::time::Duration::from_millis(5400000u64))
            ),
        ),
    ] {
        for item in [charge(), event()] {
            let text = expanded(quote!(queue = "q", #options), item);

            let told = quote!(.queue("q").unique(const { &::cloud_tasks::__private::#told }));
            assert!(text.contains(&flat(&told)), "{text}");
            assert!(!text.contains("compile_error"), "{text}");
        }
    }
}

#[test]
fn the_fields_are_read_where_they_are_named() {
    let text = expanded(
        quote!(unique(
            by = ["order_id", "customer.id", "pair.0.r#type", "match", r"raw"]
        )),
        charge(),
    );

    let read = quote! {
        fn __unique_fields(&self, fields: &mut ::cloud_tasks::__private::UniqueFields) {
            fields.add("order_id", &self.order_id);
            fields.add("customer.id", &self.customer.id);
            fields.add("pair.0.type", &self.pair.0.r#type);
            fields.add("match", &self.r#match);
            fields.add("raw", &self.raw);
        }
    };
    assert!(text.contains(&flat(&read)), "{text}");
}

#[test]
fn a_task_that_is_not_unique_by_fields_reads_none() {
    for options in [
        quote!(),
        quote!(unique),
        quote!(unique(window = "5m")),
        quote!(only_once),
    ] {
        let text = expanded(options, charge());

        assert!(!text.contains("unique_fields"), "{text}");
    }
}

#[test]
fn only_once_is_told_to_the_registration() {
    for (options, told) in [
        (quote!(only_once), quote!(.only_once(true))),
        (quote!(only_once = ONCE), quote!(.only_once(ONCE))),
    ] {
        let text = expanded(options, charge());

        assert!(text.contains(&flat(&told)), "{text}");
    }
}

#[test]
fn what_is_no_list_of_fields_is_refused() {
    for options in [
        quote!(unique(by = "order_id")),
        quote!(unique(by = order_id)),
        quote!(unique(by = [])),
        quote!(unique(by = [order_id])),
        quote!(unique(by = [7])),
        quote!(unique(by = [""])),
        quote!(unique(by = ["order id"])),
        quote!(unique(by = [" order_id"])),
        quote!(unique(by = ["order-id"])),
        quote!(unique(by = ["customer."])),
        quote!(unique(by = [".id"])),
        quote!(unique(by = ["self.id"])),
        quote!(unique(by = ["_"])),
        quote!(unique(by = ["id()"])),
        quote!(unique(by = ["99999999999"])),
        quote!(unique(by)),
    ] {
        let said = messages(options.clone(), charge());

        assert!(
            matches!(said.as_slice(), [message] if message.contains("`by = [\"order_id\", \"customer.id\"]`")),
            "{options}: {said:?}"
        );
    }
}

#[test]
fn every_mistake_between_the_parentheses_is_said_at_once_and_no_other_follows() {
    let options = quote!(
        unique(by = ["a", "a", "b c"], window = "0s", widow = 1),
        queu = "q"
    );

    let said = messages(options.clone(), charge());

    for part in [
        "the field `a` is named twice",
        "\"b c\" is not a field",
        "it must be longer than zero",
        "unknown option `widow`: did you mean `window`? (the options are `by`, `window`)",
        "did you mean `queue`?",
    ] {
        assert!(
            said.iter().any(|message| message.contains(part)),
            "{part}: {said:?}"
        );
    }
    assert_eq!(said.len(), 5, "{said:?}");
    assert!(!expanded(options, charge()).contains("unique ("));
}

#[test]
fn what_contradicts_only_once_is_refused() {
    for (options, part) in [
        (quote!(unique, only_once), "keep one of the two"),
        (
            quote!(name = "emails.welcome", only_once),
            "which cannot contain `.`",
        ),
        (
            quote!(unique = true),
            "write `unique` or `unique(by = [\"order_id\"], window = \"5m\")`",
        ),
        (quote!(unique, unique), "given twice"),
    ] {
        let said = messages(options, charge());

        assert!(
            matches!(said.as_slice(), [message] if message.contains(part)),
            "{said:?}"
        );
    }
}

#[test]
fn a_subscriber_is_not_unique() {
    let subscriber = quote! {
        impl SubscriberTask for Auditor {
            async fn run(message: Message<Paid>, cx: Context) -> TaskResult {}
        }
    };

    let said = messages(quote!(unique), subscriber);

    assert!(
        matches!(said.as_slice(), [message] if message.contains("`unique` is an option of `Task`, `SharedTask`, `PublisherTask` and `ModelPublisherTask`")),
        "{said:?}"
    );
}
