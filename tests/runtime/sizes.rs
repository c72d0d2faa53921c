//! The sizes of the boxes of a handled request.
//!
//! The allocator serves boxes of up to 1,032 bytes from a list, and larger ones many times slower. A future grows unnoticed:
//! by an argument that an `async fn` keeps twice, or by a rare branch that is not in a box of its own.

use std::mem::size_of_val;

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::Runtime;
use cloud_tasks::service::ServeBody;
use http::Request;
use http_body_util::Full;
use tower::Service;

/// The size of the box of a request with this body.
fn size_of_call<B>(runtime: &Runtime, body: B) -> usize
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let request = Request::post("/tasks/Add").body(body).unwrap();
    size_of_val(&*runtime.service().call(request))
}

#[tokio::test]
async fn a_request_has_a_small_box_whatever_its_body_is() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();

    let sizes = [
        ("one piece", size_of_call(&runtime, Full::<Bytes>::default())),
        ("axum", size_of_call(&runtime, Body::empty())),
        ("serve", size_of_call(&runtime, ServeBody::empty())),
    ];

    for (body, size) in sizes {
        assert!(size <= 640, "{size} bytes with the body of {body}: {sizes:?}");
    }
}
