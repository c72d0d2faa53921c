//! What the library accepts, the attribute accepts as well: its own checks of schedules, time zones and filters are only the frequent
//! mistakes.

use cloud_tasks::event::Filter;
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
fn no_filter_that_the_library_parses_is_refused() {
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
                if filter.parse::<Filter>().is_ok() {
                    accepted += 1;
                    assert!(is_accepted_filter(&filter), "{filter}");
                }
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
