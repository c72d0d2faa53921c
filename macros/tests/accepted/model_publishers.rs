//! An event that is made from a model: where its types and its topic come from.
#![deny(warnings)]

use cloud_tasks::event::{Attributes, Topic};
use cloud_tasks::{Event, Model, ModelPublisherTask, task};
use serde::{Deserialize, Serialize};

const LABEL: &str = "sales";

#[derive(Model)]
#[model(app_label = "sales")]
struct Order {
    id: u64,
}

/// No `Model`.
struct Invoice {
    id: u64,
}

type Shorthand<'a> = &'a Order;

struct Campaign(&'static str);

#[derive(Serialize, Deserialize)]
struct OfModel(u64);

#[task]
impl ModelPublisherTask for OfModel {
    fn content(order: &Order, _: &()) -> Self {
        Self(order.id)
    }
}

#[derive(Serialize, Deserialize)]
struct WithExtras(u64, String);

#[task(app = "shop", queue = "events", aliases = ["Old"], timeout = "1m")]
impl ModelPublisherTask for WithExtras {
    fn attributes(order: &Order, campaign: &Campaign) -> Attributes {
        let WithExtras(id, source) = Self::content(order, campaign);
        [(source, id.to_string())].into()
    }

    fn content(Order { id }: &Order, campaign: &Campaign) -> Self {
        Self(*id, campaign.0.to_owned())
    }

    fn topic_for(order: &Order, _: &Campaign) -> Topic {
        if order.id == 0 {
            Topic::new("nothing")
        } else {
            Self::topic()
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Labelled(u64);

#[task(app_label = LABEL)]
impl cloud_tasks::ModelPublisherTask for Labelled {
    fn content(invoice: &'_ crate::model_publishers::Invoice, _: &(u8, u8)) -> Labelled {
        Labelled(invoice.id)
    }
}

#[derive(Serialize, Deserialize)]
struct Named(u64);

#[task(topic = "orders")]
impl ModelPublisherTask for Named {
    fn content(invoice: &Option<Invoice>, _: &()) -> Self {
        Self(invoice.as_ref().map_or(0, |invoice| invoice.id))
    }
}

#[derive(Serialize, Deserialize)]
struct Absolute(u64);

#[task(absolute_topic = "legacy-orders")]
impl ModelPublisherTask for Absolute {
    fn content((id, _): &(u64, u64), _: &()) -> Self {
        Self(*id)
    }
}

#[derive(Serialize, Deserialize)]
struct Written(u64);

#[task]
impl ModelPublisherTask for Written {
    type Model = Order;
    type Extra = ();

    fn content(order: Shorthand<'_>, _: &Self::Extra) -> Self {
        Self(order.id)
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T>(T);

#[task(name = "Versioned.u64")]
impl ModelPublisherTask for Versioned<u64> {
    fn content(order: &Order, _: &()) -> Self {
        Self(order.id)
    }
}

#[test]
fn the_topic_of_a_model_event_comes_from_its_options_or_its_model() {
    let sales = Topic::new("sales-order");
    assert_eq!(OfModel::topic(), sales);
    assert_eq!(WithExtras::topic(), sales.clone().of_app("shop"));
    assert_eq!(Labelled::topic(), Topic::new("sales-invoice"));
    assert_eq!(Named::topic(), Topic::new("orders"));
    assert_eq!(Absolute::topic(), Topic::absolute("legacy-orders"));
    assert_eq!(Written::topic(), sales);
    assert_eq!(Versioned::<u64>::topic(), sales);
    assert_eq!(
        WithExtras::topic_for(&Order { id: 0 }, &Campaign("spring")),
        Topic::new("nothing")
    );
}
