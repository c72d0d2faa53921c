//! The library and the attribute accept the same filters and schedules. Names of services are refused by both with the same words.
#![allow(clippy::expect_used)]

use cloud_tasks::backend::ServiceEndpoint;
use cloud_tasks::event::Filter;
use cloud_tasks::{Config, Runtime};
use quote::quote;

use super::messages;

fn is_accepted_filter(filter: &str) -> bool {
    let item = quote! {
        impl SubscriberTask for A {
            async fn run(message: Message<B>, cx: Context) -> TaskResult { Ok(()) }
        }
    };
    messages(quote!(topic = "t", filter = #filter), item).is_empty()
}

#[test]
fn a_filter_is_accepted_exactly_if_the_library_parses_it() {
    let parts = [
        "attributes:key",
        "attributes.key = \"it's a == b\"",
        "attributes.key != \"\\\\\"(\"",
        "hasPrefix(attributes.key, \"a)\")",
        "NOT",
        "-",
        "(",
        ")",
        "AND",
        "OR",
        "'a'",
        "\"",
        "key",
    ];
    let mut accepted = 0;
    for first in parts {
        for second in parts.iter().chain(&[""]) {
            for third in parts.iter().chain(&[""]) {
                let filter = format!(" {first} {second} {third}");
                let is_parsed = filter.parse::<Filter>().is_ok();
                assert_eq!(is_accepted_filter(&filter), is_parsed, "{filter}");
                accepted += usize::from(is_parsed);
            }
        }
    }
    assert!(accepted > 30, "{accepted}");
}

#[test]
fn every_form_of_a_schedule_is_accepted() {
    // The accepted texts of `src/registry/schedule/tests.rs`.
    for every in [
        "* * * * *",
        "*/20 * * * *",
        "5,10-11 0 * * *",
        "0 9-17/4 * * *",
        "30 6 * * SAT,sun",
        "0 0 * * 5-7",
        "0 0 1 JAN-MAR/2 *",
        "  0  0\t1 1 *  ",
        "@hourly",
        "@Daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
        "every 5 minutes",
        "Every 2 Hours",
        "every 2 hours synchronized",
        "every 5 minutes from 10:00 to 10:05",
        "every day 00:00",
        "every mon,fri of month 9:05",
        "1st,third monday of month 12:00",
        "5th tuesday 12:00",
        "2nd, third mon, wed, thu of march 17:00",
        "first day of month 08:00",
        "1 of jan,april,july,oct 00:00",
        "1,15 of month 00:00",
        "3 of second month of quarter 00:00",
    ] {
        let item = quote!(impl Task for A { async fn run(self, cx: Context) -> TaskResult { Ok(()) } });
        assert_eq!(messages(quote!(every = #every), item), [""; 0], "{every}");
    }
}

/// What `build()` says about a service of this name, beside what it says about the tasks of this program.
fn refused_by_build(name: &str) -> Option<String> {
    let config = Config::default().with_service(name, ServiceEndpoint::new("https://other.example"));
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let error = tokio
        .block_on(Runtime::recorded().config(config).enqueue_only().build())
        .err()?
        .to_string();
    let error = error
        .lines()
        .find_map(|line| line.find("the service ").map(|start| &line[start..]));
    error.map(str::to_owned)
}

#[test]
fn the_name_of_a_service_is_refused_by_both_with_the_same_words() {
    let parts = ["", "account", "host", "port", "billing", "-", "2", "A", "_", "é"];
    let mut refused = 0;
    for (first, second, third) in parts
        .iter()
        .flat_map(|first| parts.iter().map(move |second| (first, second)))
        .flat_map(|(first, second)| parts.iter().map(move |third| (first, second, third)))
    {
        let name = format!("{first}{second}{third}");
        let by_attribute = messages(
            quote!(service = #name),
            quote!(
                impl SharedTask for A {}
            ),
        );
        let by_build: Vec<_> = refused_by_build(&name).into_iter().collect();
        refused += by_build.len();
        assert_eq!(by_attribute, by_build, "{name}");
    }
    assert!((100..900).contains(&refused), "{refused}");
}
