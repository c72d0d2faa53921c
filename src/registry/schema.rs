//! The JSON Schema of a type, if it has one.
//!
//! `#[task]` asks for the schema of every type. A type that implements `schemars::JsonSchema` answers by the method of
//! [`SchemaOf`], any other by that of [`WithoutSchema`]: rustc prefers the inherent method whose bounds hold.

use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

#[cfg(feature = "schema")]
use schemars::{JsonSchema, SchemaGenerator};

/// Writes the schema of one type; `None` if it has none.
pub type SchemaSource = fn(&mut SchemaWriter) -> Option<Value>;

/// Collects schemas, and the definitions that they share.
#[cfg(feature = "schema")]
pub struct SchemaWriter(pub(crate) SchemaGenerator);

/// Without the feature `schema` there is nothing to write.
#[cfg(not(feature = "schema"))]
pub struct SchemaWriter(());

/// The schema of a type.
pub struct SchemaOf<T>(PhantomData<fn() -> T>);

impl<T> SchemaOf<T> {
    /// The schema of `T`.
    #[expect(clippy::new_without_default, reason = "only a macro uses it")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

#[cfg(feature = "schema")]
impl<T: JsonSchema> SchemaOf<T> {
    /// Writes the schema.
    pub fn write(&self, writer: &mut SchemaWriter) -> Option<Value> {
        Some(writer.0.subschema_for::<T>().into())
    }
}

/// A type without a schema.
pub trait WithoutSchema {
    /// Writes nothing.
    fn write(&self, writer: &mut SchemaWriter) -> Option<Value> {
        no_schema(writer)
    }
}

impl<T> WithoutSchema for SchemaOf<T> {}

/// The source of a type without a schema.
pub(crate) fn no_schema(_: &mut SchemaWriter) -> Option<Value> {
    None
}

/// The source of a type's schema.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($type:ty) => {
        |writer| {
            #[allow(unused_imports)]
            use $crate::__private::WithoutSchema as _;
            $crate::__private::SchemaOf::<$type>::new().write(writer)
        }
    };
}

impl fmt::Debug for SchemaWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaWriter").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SchemaOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaOf").finish()
    }
}
