//! The rules for rooms, and their violations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::arrows::Arrow;
use crate::graph::{self, Graph};
use crate::layout::Layout;
use crate::source::{self, Tree};

/// The room that a file is in: the name directly below `src/`. `src/lib.rs` is in none.
pub(crate) fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/").filter(|inside| *inside != "lib.rs")?;
    let first = inside.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The imports of each room, with their places.
pub(crate) struct Rooms<'a> {
    pub(crate) imports: BTreeMap<(&'a str, &'a str), &'a Arrow>,
    pub(crate) graph: Graph<&'a str>,
}

impl<'a> Rooms<'a> {
    pub(crate) fn new(tree: &'a Tree, arrows: &'a BTreeSet<Arrow>) -> Self {
        let mut rooms = Self {
            imports: BTreeMap::new(),
            graph: Graph::new(),
        };
        for file in &tree.files {
            if let Some(room) = room_of(&file.path) {
                rooms.graph.entry(room).or_default();
            }
        }
        for (from, to, arrow) in between(tree, arrows) {
            rooms.imports.entry((from, to)).or_insert(arrow);
            rooms.graph.entry(from).or_default().insert(to);
        }
        rooms
    }
}

/// The arrows that leave a room for another one.
fn between<'a>(
    tree: &'a Tree,
    arrows: &'a BTreeSet<Arrow>,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Arrow)> {
    arrows.iter().filter_map(|arrow| {
        let from = room_of(&tree.files[arrow.from].path)?;
        let to = room_of(&tree.files[arrow.to].path)?;
        (from != to).then_some((from, to, arrow))
    })
}

/// Every violation, one line each.
pub(crate) fn violations(
    root: &Path,
    layout: &Layout,
    tree: &Tree,
    arrows: &BTreeSet<Arrow>,
) -> Result<Vec<String>, String> {
    let mut found = places(root, layout, tree)?;
    let (mut named, mut imported) = (BTreeSet::new(), BTreeSet::new());
    let mut crossing: Vec<_> = between(tree, arrows).collect();
    crossing.sort_by_key(|(.., arrow)| (arrow.from, arrow.line, arrow.kind));
    for (from, to, arrow) in crossing {
        // Each import, and each pair of files, is reported once: at its first place.
        let new_file = named.insert((arrow.from, arrow.to));
        let new_import = imported.insert((arrow.from, arrow.line, &arrow.import));
        if !new_file || !new_import {
            continue;
        }
        let (Some(from_floor), Some(to_floor)) = (layout.rooms.get(from), layout.rooms.get(to)) else {
            // An unlisted room is reported elsewhere.
            continue;
        };
        let rule = match (from_floor, to_floor) {
            (None, _) => format!("{from} is documentation and imports nothing"),
            (_, None) => format!("{to} is documentation: nothing imports it"),
            (Some(low), Some(high)) if low < high => {
                format!("{from} is on floor {low}, {to} on floor {high}: an import never goes up")
            }
            (Some(floor), Some(same)) if floor == same => {
                format!(
                    "{from} and {to} are both on floor {floor}: rooms of one floor do not import each other"
                )
            }
            _ => continue,
        };
        let (file, target) = (&tree.files[arrow.from].path, &tree.files[arrow.to].path);
        found.push(format!(
            "{file}:{}: `{}` ({target}): {rule}",
            arrow.line, arrow.import
        ));
    }
    let rooms = Rooms::new(tree, arrows);
    for circle in graph::circles(&rooms.graph) {
        let way = graph::way_around(&rooms.graph, &circle);
        let steps: Vec<String> = way
            .windows(2)
            .filter_map(|step| {
                let arrow = rooms.imports.get(&(step[0], step[1]))?;
                Some(format!(
                    "{} ({}:{})",
                    step[0], tree.files[arrow.from].path, arrow.line
                ))
            })
            .collect();
        found.push(format!(
            "a circle of {} rooms: {} → {}",
            circle.len(),
            steps.join(" → "),
            way[0]
        ));
    }
    Ok(found)
}

/// Files directly in `src/`, files without a `mod`, rooms that are not listed, and listed rooms that do not exist.
fn places(root: &Path, layout: &Layout, tree: &Tree) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut present = BTreeSet::new();
    for path in rust_files(root, &root.join("src"))? {
        let Some(name) = room_of(&path) else {
            continue;
        };
        if path.matches('/').count() == 1 {
            found.push(format!(
                "{path}: only lib.rs stands directly in src/: move it into a room"
            ));
        } else if present.insert(name.to_owned()) && !layout.rooms.contains_key(name) {
            found.push(format!("src/{name}/: ARCHITECTURE.md does not list this room"));
        }
        if !tree.files.iter().any(|file| file.path == path) {
            found.push(format!("{path}: no `mod` reaches this file, not even in tests"));
        }
    }
    let missing = layout.rooms.keys().filter(|room| !present.contains(*room));
    found.extend(
        missing.map(|room| {
            format!("ARCHITECTURE.md: the room {room} is listed, but src/{room}/ does not exist")
        }),
    );
    Ok(found)
}

/// Every Rust file below a folder, in order.
fn rust_files(root: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let read = |error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(read)?.collect();
    let mut paths: Vec<_> = entries
        .map_err(read)?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(rust_files(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(source::relative(root, &path));
        }
    }
    Ok(found)
}
