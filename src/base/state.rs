//! The shared states of tasks, by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

type Shared = Arc<dyn Any + Send + Sync>;

/// The states of a runtime, one per type.
#[derive(Clone, Default)]
pub(crate) struct States {
    by_type: HashMap<TypeId, Shared>,
}

impl States {
    /// The state of this type.
    #[cfg(feature = "testing")]
    pub fn get<S: Send + Sync + 'static>(&self) -> Option<&S> {
        self.by_type.get(&TypeId::of::<S>())?.downcast_ref()
    }

    /// Adds a state, and replaces an earlier one of the same type.
    pub fn insert<S: Send + Sync + 'static>(&mut self, state: S) {
        self.by_type.insert(TypeId::of::<S>(), Arc::new(state));
    }
}

/// A task's state, as one value behind a pointer; `None` if a part of it is missing.
pub type Resolved = Option<Arc<dyn Any + Send + Sync>>;

/// Looks up a task's state in the runtime's states, and collects the missing types.
#[derive(Debug)]
pub struct Resolver<'a> {
    states: &'a States,
    missing: Vec<&'static str>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(states: &'a States) -> Self {
        Self {
            states,
            missing: Vec::new(),
        }
    }

    /// The names of the types that are missing.
    pub(crate) fn into_missing(self) -> Vec<&'static str> {
        self.missing
    }

    /// Looks up the value of one type, shared.
    pub fn one<S: Send + Sync + 'static>(&mut self) -> Resolved {
        let found = self.states.by_type.get(&TypeId::of::<S>()).cloned();
        if found.is_none() {
            self.missing.push(type_name::<S>());
        }
        found
    }

    /// Looks up a tuple: each part is cloned from the value of its type.
    pub fn each<T: Parts>(&mut self) -> Resolved {
        T::take(self).map(|tuple| Arc::new(tuple) as _)
    }

    fn part<S: Clone + Send + Sync + 'static>(&mut self) -> Option<S> {
        self.one::<S>()?.downcast_ref::<S>().cloned()
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("States")
            .field("types", &self.by_type.len())
            .finish()
    }
}

/// A tuple of states.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the state of a task",
    note = "a tuple of states has at most 8 parts, each `Clone + Send + Sync + 'static`"
)]
pub trait Parts: Sized + Send + Sync + 'static {
    #[doc(hidden)]
    fn take(resolver: &mut Resolver<'_>) -> Option<Self>;
}

macro_rules! parts {
    ($($part:ident)*) => {
        impl<$($part: Clone + Send + Sync + 'static),*> Parts for ($($part,)*) {
            #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
            fn take(resolver: &mut Resolver<'_>) -> Option<Self> {
                // One after the other, so that every missing type is reported.
                $(let $part = resolver.part::<$part>();)*
                Some(($($part?,)*))
            }
        }
    };
}

parts!();
parts!(A);
parts!(A B);
parts!(A B C);
parts!(A B C D);
parts!(A B C D E);
parts!(A B C D E F);
parts!(A B C D E F G);
parts!(A B C D E F G H);
