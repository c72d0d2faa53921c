//! The program on small crates that are written for one test each.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const ARCHITECTURE: &str = "# Rooms\n\n```rooms\nfloor  room\n    3  event    events\n    2  task     tasks\n    2  auth     callers\n    1  base     errors\n    -  guide    documentation\n```\n";

/// A crate whose imports all go down.
const CLEAN: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[package]\nname = \"planted\"\n\n[features]\ndefault = [\"google\"]\ngoogle = [\n    \"dep:serde\",\n    \"net\",\n]\nnet = []\n",
    ),
    (
        "src/lib.rs",
        "mod auth;\nmod base;\nmod event;\npub mod guide;\nmod task;\npub use base::Error;\npub use event::Event;\n#[cfg(feature = \"net\")]\npub use task::Task;\n#[cfg(feature = \"cli\")]\npub use task::Commands;\n#[doc(hidden)]\npub mod __private { pub use crate::task::Hidden; }\n",
    ),
    (
        "src/guide/mod.rs",
        "//! Guides.\n#[doc = \"One.\"]\npub mod one {}\n",
    ),
    (
        "src/base/mod.rs",
        "//! Uses [`crate::task::Task`] in a doc comment only.\nmod error;\npub use error::Error;\npub(crate) trait Nested {}\n",
    ),
    (
        "src/base/error.rs",
        "pub struct Error;\nimpl Error { pub(crate) fn new() -> Self { Self } }\n",
    ),
    (
        "src/task/mod.rs",
        "mod run;\npub use run::Task;\npub(super) use run::helper;\npub struct Commands;\npub struct Hidden;\n",
    ),
    (
        "src/task/run.rs",
        "use std::{fmt, time::Duration};\nuse crate::base::{self, Error as Failure};\npub struct Task;\npub(crate) fn helper() -> Failure { base::Error::new() }\n",
    ),
    (
        "src/auth/mod.rs",
        "use super::base::*;\npub(crate) fn check() -> Option<Error> { None }\n",
    ),
    (
        "src/event/mod.rs",
        "use crate::Error;\npub struct Event(Error, crate::task::Task);\nfn allowed() { crate::auth::check(); }\n#[cfg(test)]\nmod tests;\n",
    ),
    ("src/event/tests.rs", "use crate::guide::one;\n"),
];

/// A crate in a folder of its own, which is deleted with it.
struct Planted(PathBuf);

struct Output {
    success: bool,
    measures: String,
    violations: Vec<String>,
}

impl Planted {
    /// The clean crate, with these files instead of or besides its own.
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("rooms-{}-{number}", std::process::id()));
        for (path, text) in [("ARCHITECTURE.md", ARCHITECTURE)]
            .iter()
            .chain(CLEAN)
            .chain(files)
        {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn run(&self, options: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_rooms"))
            .args(options)
            .arg(&self.0)
            .output()
            .unwrap();
        Output {
            success: output.status.success(),
            measures: String::from_utf8(output.stdout).unwrap(),
            violations: String::from_utf8(output.stderr)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Asserts that the planted file is the one reason to fail, and that this line tells of it.
fn assert_refused(files: &[(&str, &str)], violation: &str) {
    let output = Planted::new(files).run(&[]);

    assert!(!output.success, "accepted: {files:?}");
    assert!(
        output.violations.iter().any(|line| line == violation),
        "{violation}\nis not in\n{}",
        output.violations.join("\n")
    );
}

#[test]
fn a_clean_crate_passes() {
    let output = Planted::new(&[]).run(&[]);

    assert_eq!(output.violations, Vec::<String>::new());
    assert!(output.success);
}

#[test]
fn an_import_that_goes_up_is_refused_in_every_form() {
    let forms = [
        ("use crate::task::Task;", "crate::task::Task"),
        ("use crate::task::Task as Other;", "crate::task::Task"),
        (
            "use crate::{base::Nested, task::{Task as Other}};",
            "crate::task::Task",
        ),
        ("use super::super::task::Task;", "super::super::task::Task"),
        ("use crate::Task;", "crate::Task"),
        ("pub(crate) use crate::task::Task;", "crate::task::Task"),
        ("fn f() { use crate::task::Task; }", "crate::task::Task"),
        ("fn f(_: &crate::task::Task) {}", "crate::task::Task"),
        (
            "fn f() -> Option<Vec<super::super::task::Task>> { None }",
            "super::super::task::Task",
        ),
        ("fn f() { let _ = crate::task::Task; }", "crate::task::Task"),
        (
            "fn f() { println!(\"{:?}\", (1, crate::task::helper())); }",
            "crate::task::helper",
        ),
        (
            "macro_rules! f { () => { $crate::task::helper() }; }",
            "crate::task::helper",
        ),
        ("mod inner { use crate::task::Task; }", "crate::task::Task"),
        (
            "mod inner { fn f(_: super::super::super::task::Task) {} }",
            "super::super::super::task::Task",
        ),
        (
            "struct S { #[serde(with = \"crate::task::Task\")] s: u8 }",
            "crate::task::Task",
        ),
        ("impl crate::task::Task { fn f(&self) {} }", "crate::task::Task"),
        (
            "#[cfg(feature = \"cli\")] use crate::task::Task;",
            "crate::task::Task",
        ),
        (
            "#[cfg(any(test, feature = \"cli\"))] use crate::task::Task;",
            "crate::task::Task",
        ),
        (
            "use self::super::super::task::Task;",
            "self::super::super::task::Task",
        ),
    ];
    for (code, import) in forms {
        let planted = format!(
            "//! A file.\npub struct Error;\nimpl Error {{ pub(crate) fn new() -> Self {{ Self }} }}\n{code}\n"
        );
        assert_refused(
            &[("src/base/error.rs", planted.as_str())],
            &format!(
                "src/base/error.rs:4: `{import}` (src/task/run.rs): base is on floor 1, task on floor 2: an import never goes up"
            ),
        );
    }
}

#[test]
fn an_import_that_goes_up_through_re_exports_is_refused_where_it_is_used() {
    // `Nested` looks like a name of base, and is one of event.
    let files = [
        (
            "src/base/mod.rs",
            "mod error;\npub use error::Error;\npub(crate) use self::chain::*;\nmod chain;\n",
        ),
        (
            "src/base/chain.rs",
            "pub(crate) use crate::event::Event as Nested;\n",
        ),
        (
            "src/task/mod.rs",
            "mod run;\npub use run::{Task, helper};\npub struct Hidden;\npub struct Commands;\nuse crate::base::Nested;\n",
        ),
    ];
    for violation in [
        "src/task/mod.rs:5: `crate::base::Nested` (src/event/mod.rs): task is on floor 2, event on floor 3: an import never goes up",
        "src/base/chain.rs:1: `crate::event::Event` (src/event/mod.rs): base is on floor 1, event on floor 3: an import never goes up",
    ] {
        assert_refused(&files, violation);
    }
}

#[test]
fn an_import_that_goes_up_through_a_glob_or_a_module_is_refused() {
    for (code, line, import) in [
        ("use crate::task::*;\nfn f(_: Task) {}\n", 2, "Task"),
        ("use crate::task;\nfn f(_: task::Task) {}\n", 2, "task::Task"),
        (
            "use crate::task as other;\nfn f(_: other::Task) {}\n",
            2,
            "other::Task",
        ),
        (
            "use crate::task::{self};\nfn f() { task::helper(); }\n",
            2,
            "task::helper",
        ),
        (
            "fn f() {\n    use crate::task as inside; inside::helper(); }\n",
            2,
            "inside::helper",
        ),
    ] {
        let planted =
            format!("{code}pub struct Error;\nimpl Error {{ pub(crate) fn new() -> Self {{ Self }} }}\n");
        assert_refused(
            &[("src/base/error.rs", planted.as_str())],
            &format!(
                "src/base/error.rs:{line}: `{import}` (src/task/run.rs): base is on floor 1, task on floor 2: an import never goes up"
            ),
        );
    }
}

#[test]
fn a_macro_that_is_found_by_the_order_of_the_text_is_followed() {
    assert_refused(
        &[
            (
                "src/task/run.rs",
                "macro_rules! shared { () => {}; }\npub struct Task;\npub(crate) fn helper() {}\n",
            ),
            ("src/base/error.rs", "pub struct Error;\nshared!();\n"),
        ],
        "src/base/error.rs:2: `shared!` (src/task/run.rs): base is on floor 1, task on floor 2: an import never goes up",
    );
}

#[test]
fn rooms_of_one_floor_do_not_import_each_other() {
    assert_refused(
        &[(
            "src/auth/mod.rs",
            "pub(crate) fn check() {}\nuse crate::task::Task;\n",
        )],
        "src/auth/mod.rs:2: `crate::task::Task` (src/task/run.rs): auth and task are both on floor 2: rooms of one floor do not import each other",
    );
}

#[test]
fn a_circle_of_rooms_is_named_step_by_step() {
    assert_refused(
        &[(
            "src/base/error.rs",
            "pub struct Error;\nimpl Error { pub(crate) fn new() {} }\nuse crate::event::Event;\n",
        )],
        "a circle of 4 rooms: base (src/base/error.rs:3) → event (src/event/mod.rs:1) → base",
    );
}

#[test]
fn a_file_or_a_folder_that_is_not_on_the_list_is_refused() {
    let lib = format!("{}mod stray;\nmod attic;\n", CLEAN[1].1);
    let files = [
        ("src/lib.rs", lib.as_str()),
        ("src/stray.rs", ""),
        ("src/attic/mod.rs", ""),
        ("src/task/forgotten.rs", ""),
    ];
    for violation in [
        "src/stray.rs: only lib.rs stands directly in src/: move it into a room",
        "src/attic/: ARCHITECTURE.md does not list this room",
        "src/task/forgotten.rs: no `mod` reaches this file, not even in tests",
    ] {
        assert_refused(&files, violation);
    }
}

#[test]
fn a_listed_room_that_does_not_exist_is_refused() {
    let architecture = ARCHITECTURE.replace("    1  base", "    1  cellar   nothing\n    1  base");
    assert_refused(
        &[("ARCHITECTURE.md", &architecture)],
        "ARCHITECTURE.md: the room cellar is listed, but src/cellar/ does not exist",
    );
}

#[test]
fn documentation_neither_imports_nor_is_imported() {
    assert_refused(
        &[("src/guide/mod.rs", "pub mod one { pub use crate::task::Task; }\n")],
        "src/guide/mod.rs:1: `crate::task::Task` (src/task/run.rs): guide is documentation and imports nothing",
    );
    assert_refused(
        &[("src/event/mod.rs", "use crate::guide::one;\npub struct Event;\n")],
        "src/event/mod.rs:1: `crate::guide::one` (src/guide/mod.rs): guide is documentation: nothing imports it",
    );
}

#[test]
fn a_measure_beyond_its_limit_is_refused() {
    let limits = format!(
        "{ARCHITECTURE}\n```limits\n2 names at the root, with all features\n90 crate-private items per 1,000 lines of code\n```\n"
    );
    let files = [("ARCHITECTURE.md", limits.as_str())];
    assert_refused(
        &files,
        "names at the root, with all features: 4.0, at most 2 are allowed",
    );
    assert_refused(
        &files,
        "crate-private items per 1,000 lines of code: 138.9, at most 90 are allowed",
    );
    let unknown = format!("{ARCHITECTURE}\n```limits\n2 storeys\n```\n");
    assert_refused(
        &[("ARCHITECTURE.md", &unknown)],
        "ARCHITECTURE.md: there is no measure \"storeys\" to limit",
    );
}

#[test]
fn a_report_prints_the_violations_and_succeeds() {
    let planted = Planted::new(&[("src/stray.rs", "")]);

    let output = planted.run(&["--report"]);

    assert!(output.success);
    assert_eq!(output.violations.last().unwrap(), "rooms: 2 violations");
}

#[test]
fn the_measures_are_those_of_the_crate() {
    let output = Planted::new(&[]).run(&[]);

    for row in [
        "| rooms | 4 |",
        "| floors | 3 |",
        "| arrows between rooms | 5 |",
        "| circles of rooms | 0 |",
        "| circles of files | 0 |",
        "| names at the root, with default features | 3 and 1 modules |",
        "| names at the root, with all features | 4 and 1 modules |",
        "| crate-private items | 5 |",
        "| files | 8 |",
        "| functions | 4 |",
        "| lines of a function: median, p90, largest | 1, 1, 1 (new in src/base/error.rs) |",
        "| event | 3 | 1 | 5 | 0 | 0 | 1 | 0 | 0 | auth, base, task |",
        "| auth | 2 | 1 | 2 | 1 | 500 | 0 | 1 | 0 | base |",
        "| task | 2 | 2 | 9 | 2 | 222 | 3 | 1 | 1: helper | base |",
    ] {
        assert!(
            output.measures.lines().any(|line| line == row),
            "{row}\nis not in\n{}",
            output.measures
        );
    }
}

#[test]
fn without_a_list_each_entry_of_src_is_a_room() {
    let planted = Planted::new(&[
        ("ARCHITECTURE.md", "Nothing is listed yet."),
        (
            "src/base/error.rs",
            "pub struct Error;\nimpl Error { pub(crate) fn new() {} }\nuse crate::event::Event;\n",
        ),
    ]);

    let output = planted.run(&["--unlisted"]);

    assert!(output.success);
    for row in [
        "| rooms | 5 |",
        "| floors | 1 |",
        "| circles of rooms | 1 (the largest of 4) |",
    ] {
        assert!(
            output.measures.lines().any(|line| line == row),
            "{row}\nis not in\n{}",
            output.measures
        );
    }
}
