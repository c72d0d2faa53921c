//! What `#[task]` accepts, and what it says of the rest.
//!
//! The `.stderr` files hold messages of ours alone: rustc's own text changes with the toolchain. After a change of a
//! message, `TRYBUILD=overwrite cargo test -p cloud-tasks-macros --test attribute ui` writes them anew: read the difference.

#[test]
fn what_is_accepted_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn what_is_refused_gets_one_message_for_each_mistake_and_no_other() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
