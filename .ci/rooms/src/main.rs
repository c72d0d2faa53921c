//! Checks the imports of the crate against the rooms and floors that `ARCHITECTURE.md` lists, and measures the layout.
//!
//! ```text
//! cargo run -p cloud-tasks-rooms                 # check and measure; fails if a rule is broken
//! cargo run -p cloud-tasks-rooms -- --report     # the same, but violations are only printed
//! cargo run -p cloud-tasks-rooms -- --unlisted   # only measure: each entry of src/ counts as a room
//! cargo run -p cloud-tasks-rooms -- DIR          # another checkout
//! ```
//!
//! It follows `use` (nested, renamed, glob, through `pub use`) and every path in expressions, types, macro calls and attributes
//! to the file with the definition. It does not follow method calls, because they do not name the file of the method.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arrows;
mod exposed;
mod features;
mod graph;
mod items;
mod layout;
mod measure;
mod resolve;
mod rules;
mod sizes;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use layout::Layout;
use measure::Measures;
use source::Tree;

/// How the list of rooms is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Check,
    Report,
    Unlisted,
}

fn main() -> ExitCode {
    let mut mode = Mode::Check;
    let mut root = PathBuf::new();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--report" => mode = Mode::Report,
            "--unlisted" => mode = Mode::Unlisted,
            option if option.starts_with('-') => {
                eprintln!("rooms: unknown option {option}; usage: rooms [--report | --unlisted] [DIR]");
                return ExitCode::from(2);
            }
            folder => root = PathBuf::from(folder),
        }
    }
    match run(&root, mode) {
        Ok(violations) if violations.is_empty() => ExitCode::SUCCESS,
        Ok(violations) => {
            for violation in &violations {
                eprintln!("{violation}");
            }
            eprintln!("rooms: {} violations", violations.len());
            if mode == Mode::Report {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("rooms: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the measures, and returns the violations.
fn run(root: &Path, mode: Mode) -> Result<Vec<String>, String> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).map_err(|error| format!("cannot read {name}: {error}"))
    };
    let layout = match mode {
        Mode::Unlisted => Layout::default(),
        Mode::Check | Mode::Report => Layout::parse(&read("ARCHITECTURE.md")?)?,
    };
    let tree = Tree::read(root)?;
    let arrows = arrows::arrows(&tree);
    let features = Some(features::default_features(&read("Cargo.toml")?));
    let measures = Measures::new(&tree, &arrows, &layout, &features);
    println!("{}", measures.tables());
    if mode == Mode::Unlisted {
        return Ok(Vec::new());
    }
    let mut violations = rules::violations(root, &layout, &tree, &arrows)?;
    violations.extend(measures.exceeded(&layout));
    Ok(violations)
}
