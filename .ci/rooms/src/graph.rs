//! Circles and heights of a directed graph.

use std::collections::{BTreeMap, BTreeSet};

/// The successors of each node. Every node has an entry.
pub(crate) type Graph<N> = BTreeMap<N, BTreeSet<N>>;

/// The sets of nodes that reach each other, largest first.
pub(crate) fn circles<N: Ord + Clone>(graph: &Graph<N>) -> Vec<BTreeSet<N>> {
    let reached: BTreeMap<&N, BTreeSet<N>> = graph.keys().map(|node| (node, reach(graph, node))).collect();
    let mut found: BTreeSet<BTreeSet<N>> = BTreeSet::new();
    for (node, nodes) in &reached {
        if nodes.contains(node) {
            found.insert(
                nodes
                    .iter()
                    .filter(|other| reached[other].contains(*node))
                    .cloned()
                    .collect(),
            );
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

/// The nodes that a node reaches; itself only if it is on a circle.
fn reach<N: Ord + Clone>(graph: &Graph<N>, start: &N) -> BTreeSet<N> {
    let mut found = BTreeSet::new();
    let mut open = vec![start.clone()];
    while let Some(node) = open.pop() {
        for next in graph.get(&node).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// The shortest path around a circle, which starts and ends with the same node.
pub(crate) fn way_around<N: Ord + Clone>(graph: &Graph<N>, circle: &BTreeSet<N>) -> Vec<N> {
    let shortest = circle
        .iter()
        .filter_map(|start| way_back(graph, circle, start))
        .min_by_key(Vec::len);
    shortest.unwrap_or_default()
}

fn way_back<N: Ord + Clone>(graph: &Graph<N>, circle: &BTreeSet<N>, start: &N) -> Option<Vec<N>> {
    let mut ways = std::collections::VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in graph
            .get(way.last()?)
            .into_iter()
            .flatten()
            .filter(|next| circle.contains(next))
        {
            let mut longer = way.clone();
            longer.push(next.clone());
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// The number of floors that the graph needs, if each circle shares one.
pub(crate) fn floors<N: Ord + Clone>(graph: &Graph<N>) -> usize {
    let circles = circles(graph);
    let group = |node: &N| {
        let circle = circles.iter().find(|circle| circle.contains(node));
        circle.and_then(|circle| circle.first()).unwrap_or(node).clone()
    };
    let mut merged: Graph<N> = Graph::new();
    for (node, nexts) in graph {
        let from = group(node);
        let entry = merged.entry(from.clone()).or_default();
        entry.extend(nexts.iter().map(&group).filter(|to| *to != from));
    }
    let mut heights = BTreeMap::new();
    merged
        .keys()
        .map(|node| height(&merged, node, &mut heights))
        .max()
        .unwrap_or(0)
}

fn height<N: Ord + Clone>(graph: &Graph<N>, node: &N, known: &mut BTreeMap<N, usize>) -> usize {
    if let Some(height) = known.get(node) {
        return *height;
    }
    let below = graph
        .get(node)
        .into_iter()
        .flatten()
        .map(|next| height(graph, next, known))
        .max();
    let height_of_node = below.unwrap_or(0) + 1;
    known.insert(node.clone(), height_of_node);
    height_of_node
}
