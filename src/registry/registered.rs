//! What `#[task]` implements for every type that it registers.

use std::sync::Arc;

use crate::base::{Resolved, Resolver, States};
use crate::registry::registration::Registration;
use crate::registry::unique::UniqueFields;

/// Written by `#[task]` alone: what the runtime knows of a task before it runs.
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

    /// Adds the fields that its tasks are unique by, where it says some.
    #[doc(hidden)]
    fn __unique_fields(&self, fields: &mut UniqueFields) {
        let _ = fields;
    }
}

/// The state that a task asks for, or the names of the types that are missing.
pub(crate) fn resolve<T: Registered, S: Send + Sync + 'static>(
    states: &States,
) -> Result<Arc<S>, Vec<&'static str>> {
    let mut resolver = Resolver::new(states);
    T::__state(&mut resolver)
        .and_then(|state| state.downcast().ok())
        .ok_or_else(|| resolver.into_missing())
}
