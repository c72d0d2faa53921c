//! The measures of the layout.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::arrows::{Arrow, Kind};
use crate::exposed::{self, Reader};
use crate::features::Features;
use crate::graph::{self, Graph};
use crate::layout::Layout;
use crate::rules::{Rooms, room_of};
use crate::sizes::{Size, Sizes};
use crate::source::Tree;

/// The measures of the crate, and those of each room.
pub(crate) struct Measures {
    rows: Vec<(String, String)>,
    limited: Vec<(String, f64)>,
    rooms: Vec<Vec<String>>,
}

impl Measures {
    pub(crate) fn new(
        tree: &Tree,
        arrows: &BTreeSet<Arrow>,
        layout: &Layout,
        default_features: &Features,
    ) -> Self {
        let rooms = Rooms::new(tree, arrows);
        let sizes = Sizes::new(tree);
        let total = sizes
            .files
            .iter()
            .fold(Size::default(), |sum, (_, size)| sum.plus(size));
        let private = per_thousand(total.private, total.code);
        let names = |features: &Features| exposed::names(tree, 0, Reader::User, features);
        let by_default = names(default_features);
        let all = names(&None);
        let mut measures = Self {
            rows: Vec::new(),
            limited: vec![
                ("crate-private items per 1,000 lines of code".to_owned(), private),
                (
                    "names at the root, with all features".to_owned(),
                    count(all.items.len()),
                ),
            ],
            rooms: rooms_table(tree, arrows, layout, &rooms, &sizes),
        };
        let mut row = |name: &str, value: String| measures.rows.push((name.to_owned(), value));
        let documentation = |room: &str| layout.rooms.get(room) == Some(&None);
        row(
            "rooms",
            rooms
                .graph
                .keys()
                .filter(|room| !documentation(room))
                .count()
                .to_string(),
        );
        let listed: BTreeSet<u32> = layout.rooms.values().flatten().copied().collect();
        let floors = if listed.is_empty() {
            graph::floors(&rooms.graph)
        } else {
            listed.len()
        };
        row("floors", floors.to_string());
        row("arrows between rooms", rooms.imports.len().to_string());
        row(
            "pairs of files behind these arrows",
            crossing(tree, arrows).to_string(),
        );
        row("circles of rooms", circles(&rooms.graph));
        row("circles of files", circles(&files(arrows)));
        row("names at the root, with default features", by_default.to_string());
        row("names at the root, with all features", all.to_string());
        row(
            "lines, and lines of code",
            format!("{} and {}", total.lines, total.code),
        );
        row("crate-private items", total.private.to_string());
        row(
            "crate-private items per 1,000 lines of code",
            format!("{private:.0}"),
        );
        row("files", sizes.files.len().to_string());
        let files = sizes.files.iter().map(|(path, size)| (size.lines, path.clone()));
        row("lines of a file: median, p90, largest", spread(files.collect()));
        row("functions", sizes.functions.len().to_string());
        row(
            "lines of a function: median, p90, largest",
            spread(sizes.functions),
        );
        measures
    }

    /// The measures as two Markdown tables.
    pub(crate) fn tables(&self) -> String {
        let mut text = String::from("| measure | value |\n|---|---|\n");
        for (name, value) in &self.rows {
            // Writing to a string never fails.
            let _ = writeln!(text, "| {name} | {value} |");
        }
        text.push_str("\n| room | floor | files | lines of code | crate-private | per 1,000 | names for users | names for other rooms | that none uses | imports from |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
        for row in &self.rooms {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }

    /// The measures that exceed their limit.
    pub(crate) fn exceeded(&self, layout: &Layout) -> Vec<String> {
        let mut found = Vec::new();
        for (name, limit) in &layout.limits {
            match self.limited.iter().find(|(measure, _)| measure == name) {
                None => found.push(format!(
                    "ARCHITECTURE.md: there is no measure \"{name}\" to limit"
                )),
                Some((_, value)) if value > limit => {
                    found.push(format!("{name}: {value:.1}, at most {limit} are allowed"));
                }
                Some(_) => {}
            }
        }
        found
    }
}

fn rooms_table(
    tree: &Tree,
    arrows: &BTreeSet<Arrow>,
    layout: &Layout,
    rooms: &Rooms<'_>,
    sizes: &Sizes,
) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let program = exposed::names(tree, 0, Reader::Program, &None);
    let for_users = program.definitions();
    for (room, imports) in &rooms.graph {
        let floor = layout.rooms.get(*room).copied().flatten();
        let inside = sizes
            .files
            .iter()
            .filter(|(path, _)| room_of(path) == Some(*room));
        let size = inside
            .clone()
            .fold(Size::default(), |sum, (_, size)| sum.plus(size));
        let module = tree.modules[0].children.get(*room);
        let exposed = module.map(|module| exposed::names(tree, *module, Reader::Crate, &None));
        let exposed = exposed.unwrap_or_default();
        let (users, others): (Vec<_>, Vec<_>) = exposed
            .items
            .iter()
            .partition(|(_, definitions)| definitions.iter().any(|one| for_users.contains(one)));
        let unused: Vec<_> = others
            .iter()
            .filter(|(name, definitions)| {
                !definitions
                    .iter()
                    .any(|one| is_used(tree, arrows, room, name, one))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        rows.push((
            std::cmp::Reverse(floor),
            vec![
                (*room).to_owned(),
                floor.map(|floor| floor.to_string()).unwrap_or_default(),
                inside.count().to_string(),
                size.code.to_string(),
                size.private.to_string(),
                format!("{:.0}", per_thousand(size.private, size.code)),
                users.len().to_string(),
                others.len().to_string(),
                if unused.is_empty() {
                    "0".to_owned()
                } else {
                    format!("{}: {}", unused.len(), unused.join(", "))
                },
                imports.iter().copied().collect::<Vec<_>>().join(", "),
            ],
        ));
    }
    rows.sort();
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Whether another room names this item of a room.
fn is_used(
    tree: &Tree,
    arrows: &BTreeSet<Arrow>,
    room: &str,
    exposed: &str,
    (module, defined): &exposed::Definition,
) -> bool {
    let file = tree.modules[*module].file;
    // A re-export may have renamed it.
    let names = [exposed.rsplit("::").next(), Some(defined.as_str())];
    arrows.iter().any(|arrow| {
        arrow.to == file
            && room_of(&tree.files[arrow.from].path).is_some_and(|from| from != room)
            && arrow
                .import
                .split("::")
                .any(|part| names.contains(&Some(part.trim_end_matches('!'))))
    })
}

/// The dependencies between files. A re-export does not count as a dependency.
fn files(arrows: &BTreeSet<Arrow>) -> Graph<usize> {
    let mut graph: Graph<usize> = Graph::new();
    for arrow in arrows.iter().filter(|arrow| arrow.kind == Kind::Definition) {
        graph.entry(arrow.from).or_default().insert(arrow.to);
        graph.entry(arrow.to).or_default();
    }
    graph
}

/// The number of pairs of files behind the arrows between rooms.
fn crossing(tree: &Tree, arrows: &BTreeSet<Arrow>) -> usize {
    let pairs: BTreeSet<(usize, usize)> = arrows
        .iter()
        .filter(|arrow| {
            let (from, to) = (
                room_of(&tree.files[arrow.from].path),
                room_of(&tree.files[arrow.to].path),
            );
            from.is_some() && to.is_some() && from != to
        })
        .map(|arrow| (arrow.from, arrow.to))
        .collect();
    pairs.len()
}

fn circles<N: Ord + Clone>(graph: &Graph<N>) -> String {
    let circles = graph::circles(graph);
    match circles.first() {
        None => "0".to_owned(),
        Some(largest) => format!("{} (the largest of {})", circles.len(), largest.len()),
    }
}

fn spread(mut sizes: Vec<(usize, String)>) -> String {
    sizes.sort();
    let at = |tenths: usize| sizes.get(sizes.len() * tenths / 10).map_or(0, |(size, _)| *size);
    let largest = sizes
        .last()
        .map(|(size, name)| format!("{size} ({name})"))
        .unwrap_or_default();
    format!("{}, {}, {largest}", at(5), at(9))
}

fn per_thousand(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        count(part) * 1000.0 / count(whole)
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// The number of names and modules, for a table.
impl std::fmt::Display for exposed::Names {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} and {} modules",
            self.items.len(),
            self.modules.len()
        )
    }
}
