//! What the pages of the guide quote and promise.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The texts of all Rust files under a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// A source in which a text that is broken over lines is whole.
fn joined(source: &str) -> String {
    let mut joined = String::new();
    for (at, part) in source.split("\\\n").enumerate() {
        joined += if at == 0 { part } else { part.trim_start() };
    }
    joined.replace("\\\"", "\"")
}

/// The quoted texts of the tables in a page: what the first column of each row has between backticks.
fn quoted(page: &str) -> Vec<String> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut texts = Vec::new();
    for row in rows {
        let cell = row.split(" | ").next().unwrap();
        let cell = cell.trim_start_matches("| ");
        let (fence, rest) = match cell.find("``") {
            Some(at) => ("``", &cell[at + 2..]),
            None => match cell.find('`') {
                Some(at) => ("`", &cell[at + 1..]),
                None => continue,
            },
        };
        texts.push(rest.split(fence).next().unwrap().trim().to_owned());
    }
    texts
}

#[test]
fn each_text_that_the_page_of_troubleshooting_quotes_is_one_of_the_library() {
    let page = fs::read_to_string(root().join("src/guide/troubleshooting.md")).unwrap();
    let mut source = sources(&root().join("src"));
    // A published package has no folder of the macros.
    let macros = root().join("macros/src");
    let has_macros = macros.is_dir();
    if has_macros {
        source += &sources(&macros);
    }
    let source = joined(&source);
    let quoted = quoted(&page);

    assert!(quoted.len() > 35, "{}: {quoted:#?}", quoted.len());
    let is_of_macros = |text: &str| {
        ["`run`", "`#[task]`", "unknown option", "cannot be inferred"]
            .iter()
            .any(|part| text.contains(part))
    };
    for text in quoted.iter().filter(|text| has_macros || !is_of_macros(text)) {
        for part in text
            .split('…')
            .map(|part| part.trim_matches(|char| char == ' ' || char == '`'))
        {
            assert!(source.contains(part), "no source has {part:?} of {text:?}");
        }
    }
}

#[test]
fn the_page_of_the_configuration_lists_every_variable_by_its_full_name() {
    let page = fs::read_to_string(root().join("src/guide/configuration.md")).unwrap();
    let source = fs::read_to_string(root().join("src/base/config/vars.rs")).unwrap();
    let known = source
        .split("const KNOWN")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap();
    let names: Vec<_> = known
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"'))
        .collect();

    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let name = name.trim_end_matches("\",");
        let is_of_platform = matches!(name, "K_SERVICE" | "CLOUD_RUN_JOB");
        assert!(is_of_platform || page.contains(&format!("`{name}`")), "{name}");
    }
}

/// The lines of a page's blocks of code, each with the first word of its fence.
fn blocks(page: &str) -> Vec<(String, Vec<&str>)> {
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(fence) => {
                open = true;
                let word = fence.split([' ', ',']).next().unwrap().to_owned();
                blocks.push((word, Vec::new()));
            }
            None if open => blocks.last_mut().unwrap().1.push(line),
            None => {}
        }
    }
    blocks
}

#[test]
fn pages_hide_no_line_and_their_fences_begin_with_a_language() {
    let guides = fs::read_dir(root().join("src/guide")).unwrap();
    let guides = guides.map(|entry| entry.unwrap().path());
    let pages = guides.chain([
        root().join("README.md"),
        root().join("crates/cloud-tasks-sqlx/README.md"),
    ]);
    let languages = [
        "rust",
        "sh",
        "text",
        "toml",
        "json",
        "yaml",
        "dockerfile",
        "mermaid",
    ];
    for page in
        pages.filter(|path| path.extension().is_some_and(|extension| extension == "md") && path.exists())
    {
        let text = fs::read_to_string(&page).unwrap();
        for (language, lines) in blocks(&text) {
            let page = page.display();
            assert!(
                languages.contains(&language.as_str()),
                "{page}: a fence begins with {language:?}"
            );
            let hidden = lines
                .iter()
                .find(|line| language == "rust" && (**line == "#" || line.starts_with("# ")));
            assert_eq!(hidden, None, "{page}");
        }
    }
}
