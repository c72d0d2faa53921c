//! The trait that `#[task]` implements for every type that it registers.

use std::sync::Arc;

use crate::base::{Resolved, Resolver, States};
use crate::registry::registration::Registration;
use crate::registry::unique::UniqueFields;

/// A registered type. Implemented only by `#[task]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not registered as a task",
    label = "write `#[task]` above the `impl` block for this type",
    note = "`#[task]` (`use cloud_tasks::task;`) registers the type and fills in what can be read off the block"
)]
pub trait Registered: Sized {
    #[doc(hidden)]
    const __REGISTRATION: Registration;

    #[doc(hidden)]
    fn __state(states: &mut Resolver<'_>) -> Resolved;

    /// Adds the fields that its tasks are unique by, if the type sets them.
    #[doc(hidden)]
    fn __unique_fields(&self, fields: &mut UniqueFields) {
        let _ = fields;
    }
}

/// Looks up the state of a task, or returns the names of the missing types.
pub(crate) fn resolve<T: Registered, S: Send + Sync + 'static>(
    states: &States,
) -> Result<Arc<S>, Vec<&'static str>> {
    let mut resolver = Resolver::new(states);
    T::__state(&mut resolver)
        .and_then(|state| state.downcast().ok())
        .ok_or_else(|| resolver.into_missing())
}
