//! Periodic tasks.

use proc_macro2::TokenStream;
use quote::quote;

use super::{expanded, messages};

fn digest() -> TokenStream {
    quote! {
        impl Task for Digest {
            async fn run(self, cx: Context) -> TaskResult {}
        }
    }
}

fn flat(tokens: &TokenStream) -> String {
    tokens.to_string()
}

#[test]
fn a_task_with_times_gets_a_schedule_and_says_so_to_its_registration() {
    let text = expanded(quote!(queue = "q", every = "@daily"), digest());

    let periodic = quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::cloud_tasks::PeriodicTask for Digest {
            const __SCHEDULE: ::cloud_tasks::__private::ScheduleOptions =
                ::cloud_tasks::__private::ScheduleOptions::new("@daily");

            fn payload() -> Self {
                <Self as ::cloud_tasks::__private::DefaultPayload>::default_payload()
            }
        }
    };
    assert!(text.contains(&flat(&periodic)), "{text}");
    assert!(
        text.contains(&flat(&quote!(.queue("q").periodic::<Digest>()))),
        "{text}"
    );
}

#[test]
fn every_option_is_told_to_the_schedule() {
    let text = expanded(
        quote!(
            oidc = false,
            every = TIMES,
            time_zone = "Europe/Paris",
            payload = Digest::of_today,
            headers = [("A", "b"), PAIR],
            schedule_max_retries = 5,
            schedule_min_backoff = "5s",
            schedule_max_backoff = HOUR,
            schedule_max_doublings = DOUBLINGS,
            attempt_deadline = "30m",
            description = concat!("a", "b"),
            schedule_name = "digest",
        ),
        digest(),
    );

    let told = quote! {
        ::cloud_tasks::__private::ScheduleOptions::new(TIMES)
            .time_zone("Europe/Paris")
            .headers(&[("A", "b"), PAIR])
            .schedule_max_retries(5)
            .schedule_min_backoff(::core::time::Duration::from_millis(5000u64))
            .schedule_max_backoff(HOUR)
            .schedule_max_doublings(DOUBLINGS)
            .attempt_deadline(::core::time::Duration::from_millis(1800000u64))
            .description(concat!("a", "b"))
            .schedule_name("digest")
            .oidc(false);

        fn payload() -> Self {
            ::cloud_tasks::__private::IntoPayload::<Self, _>::into_payload(Digest::of_today)
        }
    };
    assert!(text.contains(&flat(&told)), "{text}");
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn what_is_of_a_schedule_needs_one_and_leaves_no_other_mistake_behind() {
    let options = quote!(time_zone = "UTC", payload = Digest, headers = PAIRS, oidc = false);

    let said = messages(options.clone(), digest());

    assert_eq!(said.len(), 4, "{said:?}");
    for message in &said {
        assert!(
            message.contains("write `every = \"0 9 * * 1-5\"` as well"),
            "{message}"
        );
    }
    let text = expanded(options, digest());
    assert!(
        !text.contains("PeriodicTask") && !text.contains("time_zone ("),
        "{text}"
    );
}

#[test]
fn a_misspelled_payload_is_not_called_missing_as_well() {
    let options = quote!(every = "@daily", paylod = Digest);

    let said = messages(options.clone(), digest());

    assert!(
        matches!(said.as_slice(), [message] if message.contains("did you mean `payload`?")),
        "{said:?}"
    );
    assert!(!expanded(options, digest()).contains("DefaultPayload"));
}

#[test]
fn a_schedule_is_for_a_task_alone() {
    let subscriber = quote! {
        impl SubscriberTask for Auditor {
            async fn run(message: Message<UserAction>, cx: Context) -> TaskResult {}
        }
    };

    let said = messages(quote!(every = "@daily", oidc = false), subscriber);

    assert!(
        matches!(said.as_slice(), [message] if message.contains("`every` is an option of `Task`, not of `SubscriberTask`")),
        "{said:?}"
    );
}

#[test]
fn pairs_of_texts_are_told_from_anything_else() {
    for headers in [
        quote!([("A",)]),
        quote!(["A"]),
        quote!([("A", 1)]),
        quote!("A: b"),
        quote!([("A", "b", "c")]),
    ] {
        let said = messages(quote!(every = "@daily", headers = #headers), digest());
        assert!(
            matches!(said.as_slice(), [message] if message.contains("`headers` takes pairs of strings")),
            "{headers}: {said:?}"
        );
    }
    for headers in [quote!([]), quote!(PAIRS), quote!(&[("A", B)]), quote!([PAIR])] {
        assert_eq!(
            messages(quote!(every = "@daily", headers = #headers), digest()),
            [""; 0],
            "{headers}"
        );
    }
}
