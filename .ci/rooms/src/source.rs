//! The module tree of the crate: every file that is reached through `mod`, with the names that each module defines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

use crate::items::{Use, attributes, defined, is_test, name_of, uses};

/// The position of a module in [`Tree::modules`].
pub(crate) type ModuleId = usize;
/// The position of a file in [`Tree::files`].
pub(crate) type FileId = usize;

/// One source file.
pub(crate) struct File {
    /// Relative to the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Empty for test files, and for files that are not part of the crate.
    pub(crate) syntax: syn::File,
    /// The module of this file; `None` for a test file.
    pub(crate) module: Option<ModuleId>,
}

/// One module, inline or with its own file.
pub(crate) struct Module {
    /// From the root of the crate, without `crate`.
    pub(crate) path: Vec<String>,
    pub(crate) file: FileId,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// Names of items that the module defines itself.
    pub(crate) items: BTreeSet<String>,
    pub(crate) uses: Vec<Use>,
}

pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) modules: Vec<Module>,
}

impl Tree {
    /// Reads `src/lib.rs` below `root`, and every file that it reaches.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Self {
            files: Vec::new(),
            modules: Vec::new(),
        };
        tree.read_file(root, &root.join("src/lib.rs"), Vec::new(), None)?;
        Ok(tree)
    }

    fn read_file(
        &mut self,
        root: &Path,
        path: &Path,
        module_path: Vec<String>,
        parent: Option<ModuleId>,
    ) -> Result<ModuleId, String> {
        let (text, syntax) = parse(path)?;
        let (file, module) = (self.files.len(), self.modules.len());
        self.files
            .push(File::new(relative(root, path), text, Some(module)));
        self.modules.push(Module::new(module_path, file, parent));
        self.read_items(root, &syntax.items, module, &Place::of_file(path))?;
        self.files[file].syntax = syntax;
        Ok(module)
    }

    fn read_items(
        &mut self,
        root: &Path,
        items: &[Item],
        module: ModuleId,
        place: &Place<'_>,
    ) -> Result<(), String> {
        for item in items {
            if is_test(attributes(item)) {
                self.note_tests(root, item, place)?;
                continue;
            }
            match item {
                Item::Mod(child) => {
                    let name = name_of(&child.ident);
                    let mut path = self.modules[module].path.clone();
                    path.push(name.clone());
                    let id = if let Some((_, content)) = &child.content {
                        let id = self.modules.len();
                        self.modules
                            .push(Module::new(path, self.modules[module].file, Some(module)));
                        let inside = place.children.join(&name);
                        self.read_items(
                            root,
                            content,
                            id,
                            &Place {
                                folder: &inside,
                                children: inside.clone(),
                            },
                        )?;
                        id
                    } else {
                        self.read_file(root, &place.file_of(&name, &child.attrs), path, Some(module))?
                    };
                    self.modules[module].children.insert(name, id);
                }
                Item::Use(item) => self.modules[module].uses.extend(uses(item)),
                _ => {
                    if let Some(name) = defined(item) {
                        if matches!(item, Item::Macro(_)) {
                            // Visible in the text that follows; a path needs a `use` as well.
                            self.modules[module].items.insert(format!("{name}!"));
                        }
                        self.modules[module].items.insert(name);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Tree {
    /// Records the files of a test module: they belong to the crate, but no rule applies to them.
    fn note_tests(&mut self, root: &Path, item: &Item, place: &Place<'_>) -> Result<(), String> {
        let Item::Mod(item) = item else {
            return Ok(());
        };
        let name = name_of(&item.ident);
        if let Some((_, content)) = &item.content {
            let inside = place.children.join(&name);
            let place = Place {
                folder: &inside,
                children: inside.clone(),
            };
            return content
                .iter()
                .try_for_each(|item| self.note_tests(root, item, &place));
        }
        let path = place.file_of(&name, &item.attrs);
        if path
            .components()
            .any(|part| part == std::path::Component::ParentDir)
        {
            // A helper in the folder of the integration tests.
            return Ok(());
        }
        let (text, syntax) = parse(&path)?;
        self.files.push(File::new(relative(root, &path), text, None));
        let place = Place::of_file(&path);
        syntax
            .items
            .iter()
            .try_for_each(|item| self.note_tests(root, item, &place))
    }
}

impl File {
    fn new(path: String, text: String, module: Option<ModuleId>) -> Self {
        let syntax = syn::File {
            shebang: None,
            attrs: Vec::new(),
            items: Vec::new(),
        };
        Self {
            path,
            text,
            syntax,
            module,
        }
    }
}

fn parse(path: &Path) -> Result<(String, syn::File), String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let syntax = syn::parse_file(&text).map_err(|error| {
        let line = error.span().start().line;
        format!("cannot parse {}:{line}: {error}", path.display())
    })?;
    Ok((text, syntax))
}

impl Module {
    fn new(path: Vec<String>, file: FileId, parent: Option<ModuleId>) -> Self {
        Self {
            path,
            file,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
        }
    }
}

/// Where the files of a module's children are.
struct Place<'a> {
    folder: &'a Path,
    children: PathBuf,
}

impl<'a> Place<'a> {
    fn of_file(path: &'a Path) -> Self {
        let stem = path.file_stem().unwrap_or_default();
        let folder = path.parent().unwrap_or(path);
        // A module that is not a `mod.rs` has its children in the folder of its name.
        let children = if stem == "mod" || stem == "lib" {
            folder.to_owned()
        } else {
            folder.join(stem)
        };
        Self { folder, children }
    }

    fn file_of(&self, name: &str, attributes: &[Attribute]) -> PathBuf {
        let named = attributes
            .iter()
            .find(|attribute| attribute.path().is_ident("path"));
        if let Some(syn::Meta::NameValue(meta)) = named.map(|attribute| &attribute.meta)
            && let syn::Expr::Lit(literal) = &meta.value
            && let syn::Lit::Str(path) = &literal.lit
        {
            return self.folder.join(path.value());
        }
        let flat = self.children.join(format!("{name}.rs"));
        if flat.exists() {
            flat
        } else {
            self.children.join(name).join("mod.rs")
        }
    }
}

pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .replace('\\', "/")
}
