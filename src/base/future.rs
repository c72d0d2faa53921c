//! A boxed future.

use std::pin::Pin;

/// The future of an object-safe trait.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
