//! A boxed future.

use std::pin::Pin;

/// A future of a trait that is used as an object.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
