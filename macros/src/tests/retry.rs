//! `max_attempts` and `dead_letter_topic`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{expanded, messages};

fn charge() -> TokenStream {
    quote! {
        impl Task for Charge {
            async fn run(self, cx: Context<Db>) -> TaskResult {}
            async fn on_dead(self, dead: Dead, cx: Context<Db>) -> TaskResult { refund() }
        }
    }
}

#[test]
fn both_options_are_told_to_the_registration_and_the_hook_stays_as_it_is_written() {
    let text = expanded(
        quote!(max_attempts = 5, dead_letter_topic = "dead-tasks"),
        charge(),
    );

    let told = quote!(
        .max_attempts(5)
        .dead_letter_topic(|| ::cloud_tasks::__private::Topic::new("dead-tasks"))
    );
    assert!(text.contains(&told.to_string()), "{text}");
    let hook = quote!(
        async fn on_dead(self, dead: Dead, cx: Context<Db>) -> TaskResult {
            refund()
        }
    );
    assert_eq!(text.matches(&hook.to_string()).count(), 1, "{text}");
    assert!(
        text.contains(
            &quote!(
                type State = Db;
            )
            .to_string()
        ),
        "{text}"
    );
}

#[test]
fn constants_are_taken_as_they_are() {
    let text = expanded(quote!(max_attempts = MOST, dead_letter_topic = DEAD), charge());

    assert!(text.contains(&quote!(.max_attempts(MOST)).to_string()), "{text}");
    assert!(text.contains("Topic :: new (const"), "{text}");
}

#[test]
fn a_publisher_takes_both_as_well() {
    let publisher = quote!(
        impl PublisherTask for Placed {}
    );

    let text = expanded(quote!(max_attempts = 1, dead_letter_topic = "dead"), publisher);

    assert!(text.contains(&quote!(.max_attempts(1)).to_string()), "{text}");
}

#[test]
fn numbers_that_are_no_attempts_are_refused_with_those_that_are() {
    let range = "`max_attempts` takes a whole number from 1 to 2147483647: `max_attempts = 5`";
    for number in [
        quote!(0),
        quote!(2147483648),
        quote!(-1),
        quote!("5"),
        quote!(5u8),
        quote!(1.5),
    ] {
        assert_eq!(
            messages(quote!(max_attempts = #number), charge()),
            [range],
            "{number}"
        );
    }
}

#[test]
fn a_topic_that_cannot_be_one_is_refused() {
    let found = messages(quote!(dead_letter_topic = "no spaces"), charge());

    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("the topic \"no spaces\" is not accepted"),
        "{found:?}"
    );
}

#[test]
fn the_dead_tasks_of_a_publisher_do_not_go_where_its_events_go() {
    let publisher = quote!(
        impl PublisherTask for Placed {}
    );

    let found = messages(quote!(topic = "orders", dead_letter_topic = "orders"), publisher);

    assert_eq!(
        found,
        ["the dead letters would go to the topic that they come from: name another"]
    );
}

#[test]
fn a_subscriber_is_told_who_takes_attempts() {
    let subscriber = quote! {
        impl SubscriberTask for Auditor {
            async fn run(message: Message<Placed>, cx: Context) -> TaskResult {}
        }
    };

    let found = messages(quote!(max_attempts = 5), subscriber);

    assert_eq!(found.len(), 1);
    let start = "`max_attempts` is an option of `Task`, `SharedTask`, `PublisherTask` and `ModelPublisherTask`, not of `SubscriberTask`";
    assert!(found[0].starts_with(start), "{found:?}");
}
