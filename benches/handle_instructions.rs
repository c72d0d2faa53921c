//! The instructions of a thousand handled requests, tasks and pushes: the task service next to a bare service and to axum.
//!
//! Counted by callgrind, so the machine's noise does not matter. Building the requests is not counted, nor what happens
//! only the first time; the answer is read and dropped, which counts. Each service is counted on two heaps, see [`Heap`].
//!
//! With gungraun, as `README.md` tells, `--bench` counts everything. `--count SUBJECT HEAP` makes the program run one
//! subject for a callgrind that somebody else starts, as `.ci/instructions` does. With neither, a hundred requests go
//! through each service, their answers are looked at, and nothing is counted.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

mod subjects;

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use cloud_tasks::service::TaskService;
use http::Response;
use http_body::Body;
use subjects::many::MANY;
use subjects::{FEW, TaskRequest, push};
use tower::Service;

/// What a request finds of the allocator.
#[derive(Clone, Copy)]
enum Heap {
    /// The same before each request.
    Steady,
    /// Something else stays allocated before each request, as on a server: what an allocation costs depends on it.
    Disturbed,
}

/// How many requests are counted.
const REQUESTS: usize = 1000;

/// The task service in a process that has a subscriber.
fn watched() -> TaskService {
    subjects::subscribe();
    subjects::tasks(FEW)
}

/// What callgrind counts, by its name: all from where it is entered to where it is left.
#[inline(never)]
fn counted_request<S, B>(service: S, request: TaskRequest) -> usize
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let Ok(response) = subjects::handle(service, black_box(request));
    subjects::consume(response)
}

fn repeat<S, B>(service: &S, request: fn() -> TaskRequest, heap: Heap)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    for other in 0..REQUESTS {
        if let Heap::Disturbed = heap {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(other * 7 % 2000)));
        }
        black_box(counted_request(service.clone(), request()));
    }
}

fn requests<S, B>(service: &S, heap: Heap)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    subjects::warm(service);
    repeat(service, subjects::request, heap);
}

fn pushes<S, B>(service: &S, heap: Heap)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    push::warm_push(service);
    repeat(service, push::push_request, heap);
}

/// Runs one subject a thousand times, for a callgrind that is already there.
fn count(subject: &str, heap: &str) {
    let heap = match heap {
        "steady" => Heap::Steady,
        "disturbed" => Heap::Disturbed,
        other => panic!("{other}: a heap is steady or disturbed"),
    };
    match subject {
        "bare" => requests(&subjects::bare(), heap),
        "axum" => requests(&subjects::axum(), heap),
        "task" => requests(&subjects::tasks(FEW), heap),
        "task-of-many" => requests(&subjects::tasks(MANY), heap),
        "task-with-span" => requests(&watched(), heap),
        "axum-push" => pushes(&push::axum_push(), heap),
        "push" => pushes(&subjects::tasks(FEW), heap),
        other => panic!("{other}: no such subject"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        return count(&arguments[at + 1], &arguments[at + 2]);
    }
    // Cargo says `--bench`, and the runner that counts says `--gungraun-run`.
    if arguments
        .iter()
        .any(|arg| arg == "--bench" || arg == "--gungraun-run")
    {
        return counted::run();
    }
    subjects::warm(&subjects::bare());
    subjects::warm(&subjects::axum());
    subjects::warm(&subjects::tasks(FEW));
    subjects::warm(&subjects::tasks(MANY));
    push::warm_push(&push::axum_push());
    push::warm_push(&subjects::tasks(FEW));
    subjects::warm(&watched());
}

#[allow(
    unused_qualifications,
    clippy::wildcard_imports,
    reason = "written by gungraun's macros"
)]
mod counted {
    use gungraun::{
        Callgrind, CallgrindMetrics, EntryPoint, EventKind, LibraryBenchmarkConfig, library_benchmark,
        library_benchmark_group, main,
    };

    use super::*;

    #[library_benchmark]
    #[bench::bare("bare", "steady")]
    #[bench::bare_disturbed("bare", "disturbed")]
    #[bench::axum("axum", "steady")]
    #[bench::axum_disturbed("axum", "disturbed")]
    #[bench::task("task", "steady")]
    #[bench::task_disturbed("task", "disturbed")]
    #[bench::task_of_many("task-of-many", "steady")]
    #[bench::task_with_span("task-with-span", "steady")]
    #[bench::axum_push("axum-push", "steady")]
    #[bench::axum_push_disturbed("axum-push", "disturbed")]
    #[bench::push("push", "steady")]
    #[bench::push_disturbed("push", "disturbed")]
    fn handled(subject: &str, heap: &str) {
        count(subject, heap);
    }

    library_benchmark_group!(name = handle, benchmarks = [handled]);
    main!(
        config = LibraryBenchmarkConfig::default().tool(
            Callgrind::default()
                .entry_point(EntryPoint::Custom("*::counted_request*".to_owned()))
                .format([CallgrindMetrics::SingleEvent(EventKind::Ir)])
        ),
        library_benchmark_groups = handle
    );

    pub(super) fn run() {
        main();
    }
}
