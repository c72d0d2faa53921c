//! What a change of a type breaks: the verdict of the schemas, and what serde really decodes.

use std::collections::BTreeMap;

use cloud_tasks::schema::{Change, Contract, Contracts};
use cloud_tasks::{Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::console;

/// The changes between two types. The verdict has to be that of serde, for these values of the older type.
#[track_caller]
fn changes<Old, New>(values: &[Old]) -> Vec<String>
where
    Old: Serialize + JsonSchema,
    New: DeserializeOwned + JsonSchema,
{
    let changes = Contract::of::<Old>().changes_to(&Contract::of::<New>());
    let decodes = |value: &Old| {
        let json = serde_json::to_string(value).unwrap();
        serde_json::from_str::<New>(&json).is_ok()
    };
    let serde_fails = !values.iter().all(decodes);
    let breaks = changes.iter().any(Change::breaks);
    assert_eq!(breaks, serde_fails, "the verdict and serde: {changes:?}");
    changes
        .iter()
        .map(|change| {
            let mark = if change.breaks() { "breaks" } else { "ok" };
            format!("{mark}: {change}")
        })
        .collect()
}

/// Defines a type for reading and writing.
macro_rules! types {
    ($($(#[$meta:meta])* $kind:ident $name:ident $body:tt)*) => {
        $(
            #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
            #[allow(dead_code)]
            $(#[$meta])*
            $kind $name $body
        )*
    };
}

/// One case: the older type, the newer one, values of the older one, and the changes that are reported.
macro_rules! cases {
    ($($test:ident: { $($types:tt)* } [$($value:expr),*] => [$($expected:expr),* $(,)?];)*) => {
        $(
            #[test]
            fn $test() {
                types! { $($types)* }
                let expected: &[&str] = &[$($expected),*];
                assert_eq!(changes::<Old, New>(&[$($value),*]), expected);
            }
        )*
    };
}

cases! {
    the_same_type_has_no_changes: {
        struct Old { id: u64, name: Option<String>, tags: Vec<String> }
        struct New { id: u64, name: Option<String>, tags: Vec<String> }
    } [Old { id: 1, name: None, tags: vec!["a".into()] }] => [];

    a_removed_field_is_ignored: {
        struct Old { id: u64, note: String }
        struct New { id: u64 }
    } [Old { id: 1, note: "x".into() }] => ["ok: note: the field was removed; older values have it, and it is ignored"];

    a_removed_field_breaks_what_refuses_unknown_fields: {
        struct Old { id: u64, note: String }
        #[serde(deny_unknown_fields)] struct New { id: u64 }
    } [Old { id: 1, note: "x".into() }] => ["breaks: note: the field was removed, and unknown fields are refused"];

    refusing_unknown_fields_alone_breaks_nothing: {
        struct Old { id: u64 }
        #[serde(deny_unknown_fields)] struct New { id: u64 }
    } [Old { id: 1 }] => [];

    a_new_required_field_breaks: {
        struct Old { id: u64 }
        struct New { id: u64, amount: u32 }
    } [Old { id: 1 }] => ["breaks: amount: a new field that is required, and older values do not have it"];

    a_new_optional_field_is_fine: {
        struct Old { id: u64 }
        struct New { id: u64, amount: Option<u32> }
    } [Old { id: 1 }] => ["ok: amount: a new field that may be missing"];

    a_new_field_with_a_default_is_fine: {
        struct Old { id: u64 }
        struct New { id: u64, #[serde(default)] amount: u32 }
    } [Old { id: 1 }] => ["ok: amount: a new field that may be missing"];

    a_default_of_the_whole_struct_is_fine: {
        struct Old { id: u64 }
        #[derive(Default)] #[serde(default)] struct New { id: u64, amount: u32 }
    } [Old { id: 1 }] => ["ok: amount: a new field that may be missing"];

    a_lost_default_is_fine_if_the_field_was_always_written: {
        struct Old { #[serde(default)] amount: u32 }
        struct New { amount: u32 }
    } [Old { amount: 1 }] => [];

    a_lost_default_breaks_if_the_field_was_left_out: {
        struct Old { #[serde(default, skip_serializing_if = "Vec::is_empty")] tags: Vec<String> }
        struct New { tags: Vec<String> }
    } [Old { tags: vec![] }, Old { tags: vec!["a".into()] }]
        => ["breaks: tags: it is required, and older values may not have it"];

    a_field_that_was_optional_breaks_as_null: {
        struct Old { amount: Option<u32> }
        struct New { amount: u32 }
    } [Old { amount: None }, Old { amount: Some(1) }] => ["breaks: amount: it was null, and is an integer from 0 to 4294967295 now"];

    a_field_that_becomes_optional_is_fine: {
        struct Old { amount: u32 }
        struct New { amount: Option<u32> }
    } [Old { amount: 1 }] => [];

    another_type_breaks: {
        struct Old { id: u64 }
        struct New { id: String }
    } [Old { id: 1 }] => ["breaks: id: it was an integer from 0 to 18446744073709551615, and is a string now"];

    a_narrower_integer_breaks: {
        struct Old { count: u32 }
        struct New { count: u8 }
    } [Old { count: 1 }, Old { count: 1000 }]
        => ["breaks: count: it was an integer from 0 to 4294967295, and is an integer from 0 to 255 now"];

    an_integer_without_a_sign_breaks: {
        struct Old { count: i32 }
        struct New { count: u64 }
    } [Old { count: -1 }]
        => ["breaks: count: it was an integer from -2147483648 to 2147483647, and is an integer from 0 to 18446744073709551615 now"];

    a_wider_integer_and_a_float_are_fine: {
        struct Old { count: u8, share: u16, ratio: f32 }
        struct New { count: i32, share: f64, ratio: f64 }
    } [Old { count: 1, share: 2, ratio: 0.5 }] => [];

    a_float_breaks_as_integer: {
        struct Old { price: f64 }
        struct New { price: i64 }
    } [Old { price: 0.5 }]
        => ["breaks: price: it was a number, and is an integer from -9223372036854775808 to 9223372036854775807 now"];

    a_text_breaks_as_character: {
        struct Old { unit: String }
        struct New { unit: char }
    } [Old { unit: "kg".into() }] => ["breaks: unit: it was a string, and is a single character now"];

    a_character_is_fine_as_text: {
        struct Old { unit: char }
        struct New { unit: String }
    } [Old { unit: 'm' }] => [];

    a_renamed_field_breaks: {
        struct Old { customer: u64 }
        struct New { client: u64 }
    } [Old { customer: 1 }] => [
        "ok: customer: the field was removed; older values have it, and it is ignored",
        "breaks: client: a new field that is required, and older values do not have it",
    ];

    a_renamed_field_whose_older_name_is_listed_is_fine: {
        struct Old { customer: u64 }
        struct New {
            #[serde(alias = "customer")]
            #[schemars(extend("x-aliases" = ["customer"]))]
            client: u64
        }
    } [Old { customer: 1 }] => [];

    a_field_that_keeps_its_name_on_the_wire_is_fine: {
        struct Old { customer: u64 }
        struct New { #[serde(rename = "customer")] client: u64 }
    } [Old { customer: 1 }] => [];

    another_case_of_all_fields_breaks: {
        struct Old { user_id: u64 }
        #[serde(rename_all = "camelCase")] struct New { user_id: u64 }
    } [Old { user_id: 1 }] => [
        "ok: user_id: the field was removed; older values have it, and it is ignored",
        "breaks: userId: a new field that is required, and older values do not have it",
    ];

    a_new_variant_is_fine: {
        enum Old { Card, Cash }
        enum New { Card, Cash, Transfer }
    } [Old::Card, Old::Cash] => [];

    a_removed_variant_breaks: {
        enum Old { Card, Cash }
        enum New { Card }
    } [Old::Card, Old::Cash] => ["breaks: it was \"Cash\", and is \"Card\" now"];

    a_removed_variant_of_several_breaks: {
        enum Old { Card, Cash, Transfer }
        enum New { Card, Cash }
    } [Old::Card, Old::Transfer] => ["breaks: the variant Transfer is not read any more"];

    a_changed_variant_breaks: {
        enum Old { Card { number: String }, Cash }
        enum New { Card { number: String, holder: String }, Cash }
    } [Old::Card { number: "1".into() }]
        => ["breaks: Card.holder: a new field that is required, and older values do not have it"];

    a_variant_that_gets_a_field_breaks: {
        enum Old { Card, Cash }
        enum New { Card { number: String }, Cash }
    } [Old::Card] => ["breaks: it was \"Card\", and is the variant Card now"];

    a_tagged_variant_is_found_by_its_tag: {
        #[serde(tag = "kind")] enum Old { Card { number: String }, Cash { coins: u8 } }
        #[serde(tag = "kind")] enum New { Card { number: u64 }, Cash { coins: u8 } }
    } [Old::Card { number: "x".into() }, Old::Cash { coins: 1 }]
        => ["breaks: number: it was a string, and is an integer from 0 to 18446744073709551615 now"];

    an_adjacent_tag_is_found_too: {
        #[serde(tag = "kind", content = "of")] enum Old { Card(String), Cash(u8) }
        #[serde(tag = "kind", content = "of")] enum New { Card(String), Cash(u16) }
    } [Old::Card("x".into()), Old::Cash(1)] => [];

    another_tag_breaks: {
        #[serde(tag = "kind")] enum Old { Card { number: u8 }, Cash { coins: u8 } }
        #[serde(tag = "type")] enum New { Card { number: u8 }, Cash { coins: u8 } }
    } [Old::Card { number: 1 }] => [
        "ok: kind: the field was removed; older values have it, and it is ignored",
        "breaks: type: a new field that is required, and older values do not have it",
    ];

    an_untagged_enum_reads_whatever_fits: {
        struct Old { id: u64 }
        #[serde(untagged)] enum Number { Id(u64), Text(String) }
        struct New { id: Number }
    } [Old { id: 1 }] => [];

    a_nested_change_is_named_by_its_path: {
        struct OldCustomer { name: String }
        struct Old { customer: OldCustomer, lines: Vec<OldCustomer> }
        struct NewCustomer { name: String, email: String }
        struct New { customer: NewCustomer, lines: Vec<NewCustomer> }
    } [Old { customer: OldCustomer { name: "a".into() }, lines: vec![] }] => [
        "breaks: customer.email: a new field that is required, and older values do not have it",
        "breaks: lines.[].email: a new field that is required, and older values do not have it",
    ];

    a_flattened_struct_counts_as_its_fields: {
        struct Old { id: u64, street: String }
        struct Address { street: String }
        struct New { id: u64, #[serde(flatten)] address: Address }
    } [Old { id: 1, street: "a".into() }] => [];

    a_longer_tuple_breaks: {
        struct Old { pair: (u8, u8) }
        struct New { pair: (u8, u8, u8) }
    } [Old { pair: (1, 2) }] => ["breaks: pair: its number of items has changed"];

    a_tuple_is_fine_as_a_list: {
        struct Old { pair: (u8, u8) }
        struct New { pair: Vec<u16> }
    } [Old { pair: (1, 2) }] => [];

    the_values_of_a_map_are_compared: {
        struct Old { by_name: BTreeMap<String, u8> }
        struct New { by_name: BTreeMap<String, bool> }
    } [Old { by_name: [("a".to_owned(), 1)].into() }]
        => ["breaks: by_name.*: it was an integer from 0 to 255, and is a boolean now"];

    a_struct_is_fine_as_a_map: {
        struct Inner { a: u8, b: u8 }
        struct Old { by_name: Inner }
        struct New { by_name: BTreeMap<String, u8> }
    } [Old { by_name: Inner { a: 1, b: 2 } }] => [];

    any_value_reads_everything: {
        struct Old { data: Vec<Option<u8>> }
        struct New { data: Value }
    } [Old { data: vec![Some(1), None] }] => [];

    any_value_breaks_as_a_type: {
        struct Old { data: Value }
        struct New { data: u8 }
    } [Old { data: Value::Null }] => ["breaks: data: it was any value, and is an integer from 0 to 255 now"];

    a_type_that_contains_itself_ends: {
        struct OldTree { value: u8, children: Vec<OldTree> }
        struct Old { tree: OldTree }
        struct NewTree { value: u8, children: Vec<NewTree>, label: String }
        struct New { tree: NewTree }
    } [Old { tree: OldTree { value: 1, children: vec![] } }]
        => ["breaks: tree.label: a new field that is required, and older values do not have it"];

    a_transparent_struct_counts_as_its_value: {
        struct Old { id: u64 }
        #[serde(transparent)] struct Id { value: u64 }
        struct New { id: Id }
    } [Old { id: 1 }] => [];

    a_boxed_value_is_its_value: {
        struct Inner { a: u8 }
        struct Old { inner: Inner }
        struct New { inner: Option<Box<Inner>> }
    } [Old { inner: Inner { a: 1 } }] => [];
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Weigh {
    parcel: u64,
}

#[task(aliases = ["WeighParcel"])]
impl Task for Weigh {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Weighed {
    parcel: Parcel,
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Parcel {
    grams: u32,
}

#[task(topic = "weighed")]
impl PublisherTask for Weighed {}

struct Postage;

#[task]
impl SubscriberTask for Postage {
    async fn run(_: Message<Weighed>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn runtime() -> Runtime {
    Runtime::recorded().build().await.unwrap().0
}

/// A file as an older program has written it, with this schema for `Weigh`.
fn older(runtime: &Runtime, change: impl FnOnce(&mut Value)) -> tempfile::NamedFile {
    let mut json = serde_json::to_value(runtime.contracts()).unwrap();
    change(&mut json);
    tempfile::NamedFile::with(&json.to_string())
}

/// A file that is removed at the end of the test.
mod tempfile {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    pub(super) struct NamedFile(PathBuf);

    impl NamedFile {
        pub(super) fn with(text: &str) -> Self {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("cloud-tasks-contracts-{}-{number}.json", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, text).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for NamedFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

#[tokio::test]
async fn a_type_that_derives_json_schema_has_a_schema_and_any_other_has_none() {
    let contracts = runtime().await.contracts();

    let weigh = contracts.get("Weigh").unwrap().schemas.as_ref().unwrap();
    assert_eq!(weigh.read()["properties"]["parcel"]["format"], "uint64");
    let weighed = contracts.get("Weighed").unwrap().schemas.as_ref().unwrap();
    assert_eq!(
        weighed.read()["$defs"]["Parcel"]["properties"]["grams"]["type"],
        "integer"
    );
    assert!(
        contracts.get("Postage").unwrap().schemas.is_some(),
        "that of its content"
    );
    assert!(contracts.without_schema().contains(&"Index"));
}

#[tokio::test]
async fn a_program_that_has_not_changed_passes_the_check() {
    let runtime = runtime().await;
    let file = older(&runtime, |_| {});

    let (code, out, err) = console::run(&runtime, &["schema", "check", file.path()], None).await;

    assert_eq!((code, out.as_str(), err.as_str()), (0, "Nothing changed.\n", ""));
}

#[tokio::test]
async fn the_check_names_what_breaks_and_fails() {
    let runtime = runtime().await;
    let file = older(&runtime, |json| {
        let schema = &mut json["Weigh"]["schemas"]["written"];
        schema["properties"] = serde_json::json!({"package": {"type": "string"}});
        schema["required"] = serde_json::json!(["package"]);
        json["Measure"] = json["Weigh"].clone();
        json["WeighParcel"] = json["Weighed"].clone();
        json["WeighParcel"]["schemas"] = Value::Null;
        json.as_object_mut().unwrap().remove("Postage");
    });

    let (code, out, err) = console::run(&runtime, &["schema", "check", file.path()], None).await;

    assert_eq!((code, err.as_str()), (1, ""));
    assert_eq!(
        out,
        "BREAKS  Measure: it was removed: what waits under this name is answered 404; keep the name in `aliases`\n\
         ok      Weigh.package: the field was removed; older values have it, and it is ignored\n\
         BREAKS  Weigh.parcel: a new field that is required, and older values do not have it\n\
         ok      WeighParcel: it has a schema now\n\
         ok      Postage: it is new\n\
         Queued tasks or older messages would not decode (2 of 5 changes). If that is meant, export the file again.\n"
    );
}

#[tokio::test]
async fn a_lost_schema_breaks_since_nothing_is_known() {
    let runtime = runtime().await;
    let mut json = serde_json::to_value(runtime.contracts()).unwrap();
    json["Index"]["schemas"] = json["Weigh"]["schemas"].clone();
    let older = Contracts::from_json(json.to_string().as_bytes()).unwrap();

    let changes = older.changes_to(&runtime.contracts());

    let [(name, change)] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(name, "Index");
    assert!(change.breaks());
}

#[tokio::test]
async fn a_file_that_is_no_export_is_refused() {
    let runtime = runtime().await;
    let file = tempfile::NamedFile::with("{\"Weigh\": 3}");

    let (code, _, err) = console::run(&runtime, &["schema", "check", file.path()], None).await;
    let (missing, _, unread) = console::run(&runtime, &["schema", "check", "/nowhere"], None).await;

    assert_eq!((code, missing), (1, 1));
    assert!(
        err.contains("is not a file of `schema export`: invalid type"),
        "{err}"
    );
    assert!(unread.starts_with("error: /nowhere cannot be read: "), "{unread}");
}

#[tokio::test]
async fn the_export_is_what_the_check_reads_and_says_which_types_have_no_schema() {
    let runtime = runtime().await;

    let (code, out, err) = console::run(&runtime, &["schema", "export"], None).await;

    assert_eq!(code, 0);
    assert_eq!(Contracts::from_json(out.as_bytes()).unwrap(), runtime.contracts());
    assert!(
        err.starts_with("without a schema, since the type does not derive `JsonSchema`: ")
            && err.contains("Index"),
        "{err}"
    );
}

#[tokio::test]
async fn the_asyncapi_document_has_a_channel_an_operation_and_a_schema_for_each_type() {
    let runtime = runtime().await;

    let (code, out, _) = console::run(
        &runtime,
        &["schema", "asyncapi", "--title", "post", "--api-version", "2.1.0"],
        None,
    )
    .await;

    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(
        document["info"],
        serde_json::json!({"title": "post", "version": "2.1.0"})
    );
    for (name, address, action) in [
        ("Weigh", "/tasks/Weigh", "receive"),
        ("Weighed", "weighed", "send"),
        ("Postage", "weighed", "receive"),
    ] {
        assert_eq!(document["channels"][name]["address"], address);
        assert_eq!(document["operations"][name]["action"], action);
    }
    assert_eq!(document["channels"].get("Index"), None);
    assert_no_dead_reference(&document, &document);
}

/// Every reference of the document leads to something in it.
fn assert_no_dead_reference(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let (true, Value::String(reference)) = (key == "$ref", value) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                assert_no_dead_reference(value, document);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| assert_no_dead_reference(item, document)),
        _ => {}
    }
}
