//! A model says which application it is of.

use cloud_tasks::Model;

#[derive(Model)]
struct Nothing;

#[derive(Model)]
#[model]
struct Bare;

#[derive(Model)]
#[model = "sales"]
struct Value;

#[derive(Model)]
#[model(name = "order")]
struct NoLabel;

#[derive(Model)]
#[model(app_label = "my sales", name = "")]
struct Refused;

#[derive(Model)]
#[model(app_label = 7, name)]
struct Form;

#[derive(Model)]
#[model(label = "sales")]
struct Unknown;

#[derive(Model)]
#[model(app_lable = "sales", topic = "orders")]
struct Typo;

#[derive(Model)]
#[model(app_label = "sales")]
#[model(app_label = "sales")]
struct Twice;

#[derive(Model)]
#[model(app_label = "sales")]
struct Überweisung;

#[derive(Model)]
#[model(app_label = "sales", crate = "not a path")]
struct Crate;

#[derive(Model)]
#[model(app_label = "sales")]
enum Inside {
    #[model(name = "variant")]
    Variant {
        #[model(name = "field")]
        field: u8,
    },
}

fn names<M: Model>() {}

fn main() {
    names::<Nothing>();
    names::<Refused>();
    let Inside::Variant { field: _ } = Inside::Variant { field: 1 };
}
