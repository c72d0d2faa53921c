//! Mistakes that people make, and what they are told: the options, the impl, and the message.

use super::messages;

const TASK: &str = "impl Task for A { async fn run(self, cx: Context) -> TaskResult { Ok(()) } }";
const PUBLISHER: &str = "impl PublisherTask for A {}";
const SUBSCRIBER: &str =
    "impl SubscriberTask for A { async fn run(message: Message<B>, cx: Context) -> TaskResult { Ok(()) } }";

const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "retries = 5",
        TASK,
        "unknown option `retries`: did you mean `max_attempts`?",
    ),
    (
        "max_retries = 5",
        TASK,
        "`max_retries` is an option of `SubscriberTask`, not of `Task`, which has `max_attempts`",
    ),
    (
        "max_attempts = 5",
        SUBSCRIBER,
        "`max_attempts` is an option of `Task`, `SharedTask`, `PublisherTask` and `ModelPublisherTask`, not of `SubscriberTask`, which has `max_retries`",
    ),
    (
        "cron = \"0 9 * * *\"",
        TASK,
        "unknown option `cron`: did you mean `every`?",
    ),
    (
        "schedule = \"0 9 * * *\"",
        TASK,
        "unknown option `schedule`: did you mean `every`?",
    ),
    (
        "timezone = \"UTC\"",
        TASK,
        "unknown option `timezone`: did you mean `time_zone`?",
    ),
    (
        "deadline = \"5m\"",
        TASK,
        "unknown option `deadline`: did you mean `timeout`?",
    ),
    (
        "delay = \"5m\"",
        TASK,
        "unknown option `delay`: it belongs to a call, as in `task.later(Duration::from_secs(60))`",
    ),
    (
        "dlq = \"dead\"",
        TASK,
        "unknown option `dlq`: did you mean `dead_letter_topic`?",
    ),
    ("once", TASK, "unknown option `once`: did you mean `only_once`?"),
    (
        "exactly_once",
        TASK,
        "unknown option `exactly_once`: did you mean `idempotent`?",
    ),
    (
        "queu = \"emails\"",
        TASK,
        "unknown option `queu`: did you mean `queue`? (the nearest options are `queue`, `unique`, `timeout`; its documentation lists all)",
    ),
    (
        "filter = \"attributes:x\"",
        TASK,
        "`filter` is an option of `SubscriberTask`, not of `Task`",
    ),
    (
        "topic = \"orders\"",
        TASK,
        "`topic` is an option of `PublisherTask`, `ModelPublisherTask` and `SubscriberTask`, not of `Task`",
    ),
    (
        "queue = \"my_queue\"",
        TASK,
        "the queue \"my_queue\" is not accepted: 1 to 100 letters, digits and `-`",
    ),
    ("queue = 5", TASK, "`queue` is a string: `queue = \"emails\"`"),
    ("queue", TASK, "`queue` takes a value: `queue = \"emails\"`"),
    (
        "name = \"a b\"",
        TASK,
        "the task name \"a b\" is not accepted: 1 to 255 letters, digits, `_`, `-` and `.`, and not `.` or `..`",
    ),
    (
        "timeout = 30",
        TASK,
        "`timeout` needs a unit: write `timeout = \"30s\"` or `timeout = \"30m\"`",
    ),
    (
        "timeout = \"30\"",
        TASK,
        "the time \"30\" has no unit: write \"30s\" or \"30m\"",
    ),
    (
        "timeout = \"5s\"",
        TASK,
        "the time \"5s\" is not accepted: Cloud Tasks accepts 15 seconds to 30 minutes, as in \"15m\" or \"1m 30s\"",
    ),
    (
        "timeout = \"45m\"",
        TASK,
        "the time \"45m\" is not accepted: Cloud Tasks accepts 15 seconds to 30 minutes, as in \"15m\" or \"1m 30s\"",
    ),
    (
        "max_attempts = 0",
        TASK,
        "`max_attempts` takes a whole number from 1 to 2147483647: `max_attempts = 5`",
    ),
    (
        "every = \"\"",
        TASK,
        "the times are empty: write cron such as `0 9 * * 1-5`, or `every 5 minutes`",
    ),
    (
        "time_zone = \"UTC\"",
        TASK,
        "`time_zone` is an option of a schedule, which this task does not have: write `every = \"0 9 * * 1-5\"` as well",
    ),
    (
        "topic = \"1st\"",
        PUBLISHER,
        "the topic \"1st\" is not accepted: at most 255 letters, digits and `-_.~+%`, the first a letter",
    ),
    (
        "topic = \"a b\"",
        PUBLISHER,
        "the topic \"a b\" is not accepted: at most 255 letters, digits and `-_.~+%`, the first a letter",
    ),
    (
        "topic = \"t\", ack_deadline = \"20m\"",
        SUBSCRIBER,
        "the time \"20m\" is not accepted: Pub/Sub accepts 10 seconds to 10 minutes, in whole seconds, as in \"30s\" or \"2m\"",
    ),
    (
        "topic = \"t\", url = \"example.com\"",
        SUBSCRIBER,
        "the URL \"example.com\" is not accepted: it begins with `http://` or `https://` and a host, and has no blanks",
    ),
    (
        "",
        "impl Task for A { async fn run(&self, cx: Context) -> TaskResult { Ok(()) } }",
        "`run` takes the task by value, as `self`: write `async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "impl Task for A { async fn run(self) -> TaskResult { Ok(()) } }",
        "`run` takes the context after `self`: write `async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "impl Task for A { async fn run(self, cx: Context) {} }",
        "`run` returns a `TaskResult`: write `async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "impl Task for A { async fn run(self, cx: Context) -> String { x() } }",
        "`run` returns a `TaskResult`: write `-> TaskResult<String>` and return `Ok(..)`; `?` turns any error into its `TaskError`",
    ),
    (
        "",
        "impl Task for A { async fn run(self, cx: Context) -> anyhow::Result<u8> { x() } }",
        "`run` returns a `TaskResult`: write `-> TaskResult<u8>` and return `Ok(..)`; `?` turns any error into its `TaskError`",
    ),
    (
        "",
        "impl Task for A { async fn run(self, cx: Context) -> Result<(), Box<dyn Error>> { x() } }",
        "`run` returns a `TaskResult`: write `-> TaskResult` and return `Ok(..)`; `?` turns any error into its `TaskError`",
    ),
    (
        "",
        "impl Task for A { fn run(self, cx: Context) -> TaskResult { Ok(()) } }",
        "`run` is async: write `async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "impl Task for A {}",
        "`run` is missing: write `async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "impl SubscriberTask for A { async fn run(self, cx: Context) -> TaskResult { Ok(()) } }",
        "`run` of a subscriber has no `self`; its first parameter is the message: write `async fn run(message: Message<Content>, cx: Context<State>) -> TaskResult<Output>`",
    ),
    (
        "",
        "struct A { id: u64 }",
        "`#[task]` goes on the impl block, not on the type: write it above `impl Task for A`",
    ),
    (
        "",
        "async fn send(id: u64) {}",
        "`#[task]` goes on an `impl Task for ..` block, not on a function: make the arguments a struct, and the function its `run`",
    ),
    (
        "every = \"0 25 * * *\"",
        TASK,
        "the times \"0 25 * * *\" are not accepted: its hour \"25\" is not accepted at \"25\"; an hour is 0-23, a range such as `9-17`, `*`, either with a step such as `*/2`, or a list of them with commas",
    ),
    (
        "every = \"5m\"",
        TASK,
        "the times \"5m\" are not accepted: it has one field; cron has 5: minute, hour, day of the month, month, day of the week, as in `0 9 * * 1-5`; in words it is `every 5 minutes`",
    ),
    (
        "every = \"* * * * * *\"",
        TASK,
        "the times \"* * * * * *\" are not accepted: it has 6 fields; cron has 5, and no seconds: minute, hour, day of the month, month, day of the week, as in `0 9 * * 1-5`; in words it is `every 5 minutes`",
    ),
    (
        "every = \"@dayly\"",
        TASK,
        "the times \"@dayly\" are not accepted: there is no \"@dayly\": @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually are known",
    ),
    (
        "every = \"@daily\", time_zone = \"Europe/Pariss\"",
        TASK,
        "there is no time zone \"Europe/Pariss\": a name of the tz database, such as `Europe/Paris` or `UTC`",
    ),
    (
        "every = \"@daily\", time_zone = \"europe/paris\"",
        TASK,
        "there is no time zone \"europe/paris\": did you mean \"Europe/Paris\"?",
    ),
    (
        "every = \"0 0 31 2 *\"",
        TASK,
        "the times \"0 0 31 2 *\" are not accepted: no such day ever comes",
    ),
    (
        "every = \"every 5 lightyears\"",
        TASK,
        "the times \"every 5 lightyears\" are not accepted: not understood at \"lightyears\": expected `minutes`, `mins` or `hours`; the forms are `every 5 minutes`, `every 2 hours synchronized`, `every 5 minutes from 10:00 to 14:00`, `every monday 09:00`, `1st,third monday of month 12:00`, `1,15 of jan,july 00:00`",
    ),
    (
        "every = \"1st monday of smarch 9:00\"",
        TASK,
        "the times \"1st monday of smarch 9:00\" are not accepted: not understood at \"smarch\": expected a month such as `january` or `jan`, `month` for each, or `quarter`; the forms are `every 5 minutes`, `every 2 hours synchronized`, `every 5 minutes from 10:00 to 14:00`, `every monday 09:00`, `1st,third monday of month 12:00`, `1,15 of jan,july 00:00`",
    ),
    (
        "every = \"0 9 * * mon-fry\"",
        TASK,
        "the times \"0 9 * * mon-fry\" are not accepted: its day of the week \"mon-fry\" is not accepted at \"fry\"; a day of the week is 0-7 or SUN-SAT, where 0 and 7 are Sunday, a range such as `1-5`, `*`, either with a step such as `*/2`, or a list of them with commas",
    ),
    (
        "topic = \"t\", filter = r#\"attributes.x = \"a\" AND attributes.y = \"b\" OR attributes:z\"#",
        SUBSCRIBER,
        "the filter \"attributes.x = \\\"a\\\" AND attributes.y = \\\"b\\\" OR attributes:z\" is not accepted: expected `AND` or the end of the filter at column 43, found `OR`; `AND` and `OR` meet only with parentheses: `(a AND b) OR c`",
    ),
    (
        "topic = \"t\", filter = r#\"attributes.x = \"\\z\"\"#",
        SUBSCRIBER,
        "the filter \"attributes.x = \\\"\\\\z\\\"\" is not accepted: expected one of `\\\\`, `\\\"`, `\\'`, `\\a`, `\\b`, `\\f`, `\\n`, `\\r`, `\\t`, `\\v`, `\\x41`, `\\101`, `\\u0041` and `\\U00000041` at column 17, found `\\z`; a backslash itself is written `\\\\`",
    ),
    (
        "topic = \"t\", filter = \"hasPrefix(attributes.x)\"",
        SUBSCRIBER,
        "the filter \"hasPrefix(attributes.x)\" is not accepted: expected `,` after the key at column 23, found `)`",
    ),
    (
        "topic = \"t\", filter = \"attributes.x = 'y'\"",
        SUBSCRIBER,
        "the filter \"attributes.x = 'y'\" is not accepted: expected a quoted string after `=` at column 16, found `'y'`; strings take double quotes: write \"y\"",
    ),
    (
        "topic = \"t\", filter = \"priority = high\"",
        SUBSCRIBER,
        "the filter \"priority = high\" is not accepted: expected `attributes`, `hasPrefix`, `NOT`, `-` or `(` at column 1, found `priority`; an attribute is written `attributes.priority`",
    ),
    (
        "topic = \"t\", filter = r#\"attributes.x == \"y\"\"#",
        SUBSCRIBER,
        "the filter \"attributes.x == \\\"y\\\"\" is not accepted: expected `=` or `!=` after the key at column 14, found `==`; write `=`",
    ),
];

#[test]
fn a_mistake_is_told_with_the_way_out() {
    for (options, item, expected) in MISTAKES {
        let told = messages(options.parse().unwrap(), item.parse().unwrap());

        assert_eq!(told, [*expected], "#[task({options})] {item}");
    }
}
