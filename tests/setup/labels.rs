//! Labels of subscriptions.

use cloud_tasks::__private::{Registration, Resolved, Resolver};
use cloud_tasks::event::{Attributes, Topic};
use cloud_tasks::task::Registered;
use cloud_tasks::{BoxError, Context, Error, Message, Runtime, SubscriberTask, TaskResult};
use serde_json::{Value, json};

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS};
use crate::support::api::config;

type Labels = &'static [(&'static str, &'static str)];

pub(crate) struct Labelled;

// Written by hand, so that it is not linked into the other tests of this program.
impl Registered for Labelled {
    const __REGISTRATION: Registration =
        Registration::subscriber::<Self>("Labelled", concat!(file!(), ":", line!()));

    fn __state(states: &mut Resolver<'_>) -> Resolved {
        states.each::<()>()
    }
}

impl SubscriberTask for Labelled {
    type State = ();
    type Content = Value;
    type Attributes = Attributes;
    type Output = ();

    fn topic() -> Topic {
        Topic::new("orders")
    }

    fn parse(data: &[u8]) -> Result<Value, BoxError> {
        Ok(serde_json::from_slice(data)?)
    }

    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn runtime(cloud: &Cloud, labels: Labels) -> Result<Runtime, Error> {
    cloud
        .builder(config().with_app_name("shop"))
        .register_all([Labelled::__REGISTRATION.labels(labels)])
        .build()
        .await
}

#[tokio::test]
async fn labels_are_created_and_changed_and_those_that_others_have_set_stay() {
    let cloud = Cloud::new().await;
    let path = format!("{SUBSCRIPTIONS}/shop--Labelled");
    let runtime = runtime(&cloud, &[("team", "orders"), ("tier", "1")])
        .await
        .unwrap();
    let plan = || runtime.setup().only_subscribers().project_number(NUMBER).plan();
    plan().await.unwrap().apply().await.unwrap();
    let mut labelled = cloud.get(&path).unwrap();
    assert_eq!(labelled["labels"], json!({"team": "orders", "tier": "1"}));

    labelled["labels"] = json!({"owner": "ann", "team": "sales"});
    cloud.put(&path, labelled);
    let change = plan().await.unwrap();

    assert_eq!(
        change.to_string(),
        "To do for https://shop.example: 0 to add, 1 to change, 0 to delete\n\
         [~] subscription Labelled\n      \
         labels: owner=ann, team=sales -> owner=ann, team=orders, tier=1"
    );
    change.apply().await.unwrap();
    let (sent, _) = &cloud.sent("PATCH", &format!("/v1/{path}")).await[0];
    assert_eq!(sent["updateMask"], "labels");
    assert_eq!(
        cloud.get(&path).unwrap()["labels"],
        json!({"owner": "ann", "team": "orders", "tier": "1"})
    );
    assert!(plan().await.unwrap().is_empty());
}

#[tokio::test]
async fn labels_that_pub_sub_refuses_fail_the_build() {
    let cloud = Cloud::new().await;
    let long = "k".repeat(64).leak() as &str;
    let refused: [(Labels, &str); 7] = [
        (&[("", "x")], "the key \"\" in labels"),
        (&[("Team", "x")], "the key \"Team\" in labels"),
        (&[("1st", "x")], "the key \"1st\" in labels"),
        (&[("goog-team", "x")], "the key \"goog-team\" in labels"),
        (
            &[("team", "Orders")],
            "the value \"Orders\" of \"team\" in labels",
        ),
        (
            &[("team", "a"), ("team", "b")],
            "the key \"team\" is given twice in labels",
        ),
        (vec![(long, "x")].leak(), "the key \"kkk"),
    ];
    let many: Vec<(&str, &str)> = (0..65).map(|n| (format!("l{n}").leak() as &str, "")).collect();
    let accepted: [Labels; 2] = [&[("équipe", ""), ("a_b-c", "1_ß-x")], many[..64].to_vec().leak()];

    for (labels, message) in refused {
        let error = runtime(&cloud, labels).await.unwrap_err().to_string();
        assert!(error.contains(message), "{message}: {error}");
    }
    let error = runtime(&cloud, many.leak()).await.unwrap_err().to_string();
    assert!(
        error.contains("labels has 65 labels; Pub/Sub accepts at most 64"),
        "{error}"
    );
    for labels in accepted {
        runtime(&cloud, labels).await.unwrap();
    }
}
