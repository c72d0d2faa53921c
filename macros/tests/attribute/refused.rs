//! What `#[task]` refuses, and what it says. What it accepts is in `tests/accepted/`.
//!
//! The `.stderr` files hold messages of ours alone: rustc's own text changes with the toolchain. After a change of a
//! message, `TRYBUILD=overwrite cargo test -p cloud-tasks-macros --test attribute refused` writes them anew: read the difference.

#[test]
fn what_is_refused_gets_one_message_for_each_mistake_and_no_other() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
