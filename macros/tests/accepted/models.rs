//! A model of any kind says its label and its name.
#![deny(warnings)]

use cloud_tasks::Model;

const LABEL: &str = "sales";

#[derive(Model)]
#[model(app_label = "sales")]
struct OrderLine;

#[derive(Model)]
#[model(app_label = LABEL)]
#[model(name = concat!("or", "der"), crate = cloud_tasks)]
enum Renamed {}

#[derive(Model)]
#[model(app_label = "sales", name = "Row", crate = "::cloud_tasks")]
struct Row<'a, T, const N: usize = 1>(#[allow(dead_code)] &'a [T; N])
where
    T: Clone;

#[derive(Model)]
#[model(app_label = "sales")]
#[deprecated]
#[allow(dead_code)]
union r#Type {
    one: u8,
    other: u8,
}

fn names<M: Model>() -> (&'static str, &'static str) {
    (M::APP_LABEL, M::MODEL_NAME)
}

#[allow(deprecated)]
#[test]
fn the_names_of_a_model_come_from_its_options_or_its_type() {
    assert_eq!(names::<OrderLine>(), ("sales", "orderline"));
    assert_eq!(names::<Renamed>(), ("sales", "order"));
    assert_eq!(names::<Row<'static, u8, 2>>(), ("sales", "Row"));
    assert_eq!(names::<r#Type>(), ("sales", "type"));
}
