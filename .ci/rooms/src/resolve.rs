//! Follows a path to the modules that define what it names, through every `use` on the way.

use std::collections::BTreeSet;

use crate::source::{ModuleId, Tree};

/// What a path may name. A name can be a module, a type, a function and a macro at once, so a path has several targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item that this module defines.
    ItemOf(ModuleId),
}

impl Target {
    pub(crate) fn module(self) -> ModuleId {
        match self {
            Self::Module(module) | Self::ItemOf(module) => module,
        }
    }
}

/// What following a path found.
#[derive(Default)]
pub(crate) struct Resolved {
    /// What the path names in the end.
    pub(crate) targets: BTreeSet<Target>,
    /// The modules that the path is written through.
    pub(crate) through: BTreeSet<ModuleId>,
}

type Seen = BTreeSet<(ModuleId, String)>;

impl Tree {
    /// Resolves a path as code in `module` sees it; nothing, if it is of another crate or a local name.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Resolved {
        self.resolve_unseen(module, path, &mut Seen::new())
    }

    fn resolve_unseen(&self, module: ModuleId, path: &[String], seen: &mut Seen) -> Resolved {
        let mut resolved = Resolved::default();
        let Some((first, rest)) = path.split_first() else {
            return resolved;
        };
        let mut targets = match first.as_str() {
            "crate" => BTreeSet::from([Target::Module(0)]),
            "self" => BTreeSet::from([Target::Module(module)]),
            "super" => self.modules[module]
                .parent
                .map(Target::Module)
                .into_iter()
                .collect(),
            name => self.lookup(module, name, seen),
        };
        for name in rest {
            let mut next = BTreeSet::new();
            for target in targets {
                let Target::Module(inside) = target else {
                    // An associated item, or a variant.
                    next.insert(target);
                    continue;
                };
                resolved.through.insert(inside);
                if name == "super" {
                    next.extend(self.modules[inside].parent.map(Target::Module));
                    continue;
                }
                let found = self.lookup(inside, name, seen);
                if found.is_empty() {
                    // Made by a macro, or of another crate: counted as the module's own.
                    next.insert(Target::ItemOf(inside));
                }
                next.extend(found);
            }
            targets = next;
        }
        resolved.targets = targets;
        resolved
    }

    /// What a name means in a module.
    pub(crate) fn lookup(&self, module: ModuleId, name: &str, seen: &mut Seen) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        if !seen.insert((module, name.to_owned())) {
            return found;
        }
        let here = &self.modules[module];
        found.extend(here.children.get(name).copied().map(Target::Module));
        if here.items.contains(name) {
            found.insert(Target::ItemOf(module));
        }
        for one in here.uses.iter().filter(|one| !one.foreign) {
            if one.name.as_deref() == Some(name) {
                found.extend(self.resolve_unseen(module, &one.path, seen).targets);
            }
        }
        if found.is_empty() {
            for one in here.uses.iter().filter(|one| !one.foreign && one.name.is_none()) {
                for target in self.resolve_unseen(module, &one.path, seen).targets {
                    if let Target::Module(inside) = target {
                        found.extend(self.lookup(inside, name, seen));
                    }
                }
            }
        }
        seen.remove(&(module, name.to_owned()));
        found
    }
}
