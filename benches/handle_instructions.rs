//! The instructions of a thousand handled requests, tasks and pushes: the task service next to a bare service and to axum.
//!
//! Counted by callgrind, so the machine's noise does not matter. Neither building the requests nor dropping the answers
//! is counted, nor what happens only the first time. It needs valgrind and `gungraun-runner`, as `README.md` tells;
//! without `--bench` a hundred requests go through each service, their answers are looked at, and nothing is counted.
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

/// The task service in a process that has a subscriber.
fn watched() -> TaskService {
    subjects::subscribe();
    subjects::tasks(FEW)
}

/// What callgrind counts, by its name: all from where it is entered to where it is left.
#[inline(never)]
fn counted_request<S: Service<TaskRequest> + Clone>(
    service: &S,
    request: TaskRequest,
) -> Result<S::Response, S::Error> {
    black_box(subjects::handle(service.clone(), black_box(request)))
}

fn main() {
    // Cargo says `--bench`, and the runner that counts says `--gungraun-run`.
    if std::env::args().any(|arg| arg == "--bench" || arg == "--gungraun-run") {
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
    #[bench::bare_service(subjects::bare())]
    #[bench::axum(subjects::axum())]
    #[bench::few_tasks(subjects::tasks(FEW))]
    #[bench::many_tasks(subjects::tasks(MANY))]
    #[bench::span_enabled(watched())]
    fn thousand<S, B>(service: S)
    where
        S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
        B: Body<Data = Bytes>,
    {
        subjects::warm(&service);
        repeat(&service, subjects::request);
    }

    #[library_benchmark]
    #[bench::axum(push::axum_push())]
    #[bench::few_tasks(subjects::tasks(FEW))]
    fn thousand_pushes<S, B>(service: S)
    where
        S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
        B: Body<Data = Bytes>,
    {
        push::warm_push(&service);
        repeat(&service, push::push_request);
    }

    fn repeat<S, B>(service: &S, request: fn() -> TaskRequest)
    where
        S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    {
        // The allocator is used as on a server: a request comes, an answer goes, and the next one finds its place. What
        // that costs depends on what else is there, so each request finds another heap.
        for other in 0..1000 {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(other * 7 % 2000)));
            let Ok(_answer) = counted_request(service, request());
        }
    }

    library_benchmark_group!(name = handle, benchmarks = [thousand, thousand_pushes]);
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
