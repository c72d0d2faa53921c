//! The time of a handled request: the task service next to a bare service and to axum.
//!
//! Wall-clock time depends on the machine and on what else it does; `handle_instructions` does not. Run it with
//! `cargo bench --bench handle_time`.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

mod subjects;

use std::convert::Infallible;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Response;
use http_body::Body;
use subjects::many::MANY;
use subjects::{FEW, TaskRequest};
use tower::Service;

fn measure<S, B>(c: &mut Criterion, name: &str, service: &S)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    subjects::warm(service);
    c.bench_function(&format!("handle/{name}"), |b| {
        b.iter_batched(
            subjects::request,
            |request| subjects::handle(service.clone(), request),
            BatchSize::SmallInput,
        );
    });
}

fn handle(c: &mut Criterion) {
    measure(c, "bare service", &subjects::bare());
    measure(c, "axum", &subjects::axum());
    measure(c, &format!("task service, {FEW} tasks"), &subjects::tasks(FEW));
    measure(c, &format!("task service, {MANY} tasks"), &subjects::tasks(MANY));
    // Last, since a subscriber stays.
    subjects::subscribe();
    measure(c, "task service, span enabled", &subjects::tasks(FEW));
}

criterion_group!(benches, handle);
criterion_main!(benches);
