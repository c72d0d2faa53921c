//! The limits of `#[task]` and those of the library, value by value: a literal is checked by the attribute, a constant by `build()`.

use std::time::Duration;

use cloud_tasks::{Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use serde::{Deserialize, Serialize};

use super::messages;

/// A value of an option, next to a limit.
struct Row {
    line: u32,
    option: &'static str,
    /// Whether the attribute accepts it as a literal.
    literal: bool,
    expected: bool,
}

/// The attribute of a row with the value as a literal, on the `impl` of this trait.
fn accepts(options: &TokenStream, item: &TokenStream) -> bool {
    messages(options.clone(), item.clone()).is_empty()
}

/// How a value is written in the attribute.
trait Written {
    fn written(&self) -> TokenStream;
}

impl Written for u32 {
    fn written(&self) -> TokenStream {
        Literal::u32_unsuffixed(*self).into_token_stream()
    }
}

impl Written for &str {
    fn written(&self) -> TokenStream {
        Literal::string(self).into_token_stream()
    }
}

impl Written for Duration {
    fn written(&self) -> TokenStream {
        Literal::string(&format!("{}ms", self.as_millis())).into_token_stream()
    }
}

/// `N` letters.
struct Letters<const N: usize>;

impl<const N: usize> Letters<N> {
    const BYTES: [u8; N] = [b'a'; N];
    const TEXT: &'static str = match std::str::from_utf8(&Self::BYTES) {
        Ok(text) => text,
        Err(_) => panic!("letters are text"),
    };
}

/// A type with this value as a constant, and the row that says what is expected of it. Each one stands on a line of its own, which
/// the errors of `build()` name.
macro_rules! row {
    (@row $option:ident, $options:expr, $item:expr, $expected:expr) => {
        Row {
            line: line!(),
            option: stringify!($option),
            literal: accepts(&$options, &$item),
            expected: $expected,
        }
    };
    (unique $option:ident: $ty:ty = $value:expr, $expected:expr) => {{
        const VALUE: $ty = $value;
        #[derive(Deserialize, Serialize)]
        struct Subject;
        #[task(name = NAME, unique($option = VALUE))]
        impl Task for Subject {
            async fn run(self, _cx: Context) -> TaskResult {
                Ok(())
            }
        }
        const NAME: &str = concat!("Row", line!());
        let value = VALUE.written();
        row!(@row $option, quote!(unique($option = #value)), task_item(), $expected)
    }};
    (task $([$($with:tt)*])? $option:ident: $ty:ty = $value:expr, $expected:expr) => {{
        const VALUE: $ty = $value;
        #[derive(Default, Deserialize, Serialize)]
        struct Subject;
        #[task($option = VALUE, $($($with)*,)? name = NAME)]
        impl Task for Subject {
            async fn run(self, _cx: Context) -> TaskResult {
                Ok(())
            }
        }
        const NAME: &str = concat!("Row", line!());
        let value = VALUE.written();
        row!(@row $option, quote!($option = #value, $($($with)*)?), task_item(), $expected)
    }};
    (named $option:ident: $ty:ty = $value:expr, $expected:expr) => {{
        const VALUE: $ty = $value;
        #[derive(Deserialize, Serialize)]
        struct Subject;
        #[task($option = VALUE)]
        impl Task for Subject {
            async fn run(self, _cx: Context) -> TaskResult {
                Ok(())
            }
        }
        let value = VALUE.written();
        row!(@row $option, quote!($option = #value), task_item(), $expected)
    }};
    (subscriber $([$($with:tt)*])? $option:ident: $ty:ty = $value:expr, $expected:expr) => {{
        const VALUE: $ty = $value;
        struct Subject;
        #[task($option = VALUE, $($($with)*,)? name = NAME)]
        impl SubscriberTask for Subject {
            async fn run(_message: Message<String>, _cx: Context) -> TaskResult {
                Ok(())
            }
        }
        const NAME: &str = concat!("Row", line!());
        let value = VALUE.written();
        row!(@row $option, quote!($option = #value, $($($with)*)?), subscriber_item(), $expected)
    }};
}

fn task_item() -> TokenStream {
    quote! {
        impl Task for Subject {
            async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
        }
    }
}

fn subscriber_item() -> TokenStream {
    quote! {
        impl SubscriberTask for Subject {
            async fn run(_message: Message<String>, _cx: Context) -> TaskResult { Ok(()) }
        }
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const DAY: u64 = 86_400_000;

fn rows() -> Vec<Row> {
    vec![
        row!(named name: &str = "", false),
        row!(named name: &str = Letters::<255>::TEXT, true),
        row!(named name: &str = Letters::<256>::TEXT, false),
        row!(named name: &str = "a/b", false),
        row!(task queue: &str = "", false),
        row!(task queue: &str = Letters::<100>::TEXT, true),
        row!(task queue: &str = Letters::<101>::TEXT, false),
        row!(task queue: &str = "a_b", false),
        row!(task timeout: Duration = ms(14_999), false),
        row!(task timeout: Duration = ms(15_000), true),
        row!(task timeout: Duration = ms(1_800_000), true),
        row!(task timeout: Duration = ms(1_800_001), false),
        row!(task max_attempts: u32 = 0, false),
        row!(task max_attempts: u32 = 1, true),
        row!(task max_attempts: u32 = 2_147_483_647, true),
        row!(task max_attempts: u32 = 2_147_483_648, false),
        row!(task dead_letter_topic: &str = Letters::<255>::TEXT, true),
        row!(task dead_letter_topic: &str = Letters::<256>::TEXT, false),
        row!(unique window: Duration = ms(0), false),
        row!(unique window: Duration = ms(1), true),
        row!(task [every = "@daily"] schedule_max_retries: u32 = 5, true),
        row!(task [every = "@daily"] schedule_max_retries: u32 = 6, false),
        row!(task [every = "@daily"] schedule_max_doublings: u32 = 5, true),
        row!(task [every = "@daily"] schedule_max_doublings: u32 = 6, false),
        row!(task [every = "@daily"] schedule_min_backoff: Duration = ms(4_999), false),
        row!(task [every = "@daily"] schedule_min_backoff: Duration = ms(5_000), true),
        row!(task [every = "@daily"] schedule_min_backoff: Duration = ms(3_600_000), true),
        row!(task [every = "@daily"] schedule_min_backoff: Duration = ms(3_600_001), false),
        row!(task [every = "@daily"] schedule_max_backoff: Duration = ms(4_999), false),
        row!(task [every = "@daily"] schedule_max_backoff: Duration = ms(5_000), true),
        row!(task [every = "@daily"] schedule_max_backoff: Duration = ms(3_600_000), true),
        row!(task [every = "@daily"] schedule_max_backoff: Duration = ms(3_600_001), false),
        row!(task [every = "@daily"] attempt_deadline: Duration = ms(14_999), false),
        row!(task [every = "@daily"] attempt_deadline: Duration = ms(15_000), true),
        row!(task [every = "@daily"] attempt_deadline: Duration = ms(1_800_000), true),
        row!(task [every = "@daily"] attempt_deadline: Duration = ms(1_800_001), false),
        row!(task [every = "@daily"] description: &str = Letters::<500>::TEXT, true),
        row!(task [every = "@daily"] description: &str = Letters::<501>::TEXT, false),
        row!(task [every = "@daily"] absolute_schedule_name: &str = Letters::<500>::TEXT, true),
        row!(task [every = "@daily"] absolute_schedule_name: &str = Letters::<501>::TEXT, false),
        row!(task [every = "@daily"] absolute_schedule_name: &str = "a.b", false),
        row!(subscriber absolute_topic: &str = "ab", false),
        row!(subscriber absolute_topic: &str = Letters::<3>::TEXT, true),
        row!(subscriber absolute_topic: &str = Letters::<255>::TEXT, true),
        row!(subscriber absolute_topic: &str = Letters::<256>::TEXT, false),
        row!(subscriber absolute_topic: &str = "google", false),
        row!(subscriber topic: &str = "1st", false),
        row!(subscriber [topic = "bus"] absolute_subscription: &str = "ab", false),
        row!(subscriber [topic = "bus"] absolute_subscription: &str = Letters::<3>::TEXT, true),
        row!(subscriber [topic = "bus"] absolute_subscription: &str = Letters::<255>::TEXT, true),
        row!(subscriber [topic = "bus"] absolute_subscription: &str = Letters::<256>::TEXT, false),
        row!(subscriber [topic = "bus"] filter: &str = "", false),
        row!(subscriber [topic = "bus"] max_retries: u32 = 0, true),
        row!(subscriber [topic = "bus"] max_retries: u32 = 100, true),
        row!(subscriber [topic = "bus"] max_retries: u32 = 101, false),
        row!(subscriber [topic = "bus", dead_letter_topic = "dead"] max_retries: u32 = 4, false),
        row!(subscriber [topic = "bus", dead_letter_topic = "dead"] max_retries: u32 = 5, true),
        row!(subscriber [topic = "bus"] min_backoff: Duration = ms(0), true),
        row!(subscriber [topic = "bus"] min_backoff: Duration = ms(600_000), true),
        row!(subscriber [topic = "bus"] min_backoff: Duration = ms(600_001), false),
        row!(subscriber [topic = "bus"] max_backoff: Duration = ms(600_000), true),
        row!(subscriber [topic = "bus"] max_backoff: Duration = ms(600_001), false),
        row!(subscriber [topic = "bus"] ack_deadline: Duration = ms(9_000), false),
        row!(subscriber [topic = "bus"] ack_deadline: Duration = ms(10_000), true),
        row!(subscriber [topic = "bus"] ack_deadline: Duration = ms(10_001), false),
        row!(subscriber [topic = "bus"] ack_deadline: Duration = ms(600_000), true),
        row!(subscriber [topic = "bus"] ack_deadline: Duration = ms(601_000), false),
        row!(subscriber [topic = "bus"] retention: Duration = ms(599_999), false),
        row!(subscriber [topic = "bus"] retention: Duration = ms(600_000), true),
        row!(subscriber [topic = "bus"] retention: Duration = ms(31 * DAY), true),
        row!(subscriber [topic = "bus"] retention: Duration = ms(31 * DAY + 1), false),
        row!(subscriber [topic = "bus", retention = "10m"] expiration: Duration = ms(DAY - 1), false),
        row!(subscriber [topic = "bus", retention = "10m"] expiration: Duration = ms(DAY), true),
        row!(subscriber [topic = "bus", retention = "10m"] expiration: Duration = ms(3_652_500 * DAY), true),
        row!(subscriber [topic = "bus", retention = "10m"] expiration: Duration = ms(3_652_500 * DAY + 1), false),
    ]
}

#[tokio::test(flavor = "current_thread")]
async fn the_attribute_and_build_accept_the_same_values_of_each_option() {
    let rows = rows();

    let errors = Runtime::recorded()
        .build()
        .await
        .map(drop)
        .map_err(|error| error.to_string());

    let errors = errors.unwrap_err();
    let differences: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let place = format!("limits.rs:{})", row.line);
            let constant = !errors.lines().any(|line| line.contains(&place));
            let (option, line, literal) = (row.option, row.line, row.literal);
            let differs = (literal, constant) != (row.expected, row.expected);
            differs.then(|| {
                format!("{option}, line {line}: accepted as a literal {literal}, as a constant {constant}")
            })
        })
        .collect();
    assert!(differences.is_empty(), "{differences:#?}\n{errors}");
}
