//! Two thousand messages to a Pub/Sub that spoils every fifth request and refuses one message in fifty.
//!
//! `cargo test --test google publish_faults -- --nocapture 2> /dev/null` shows the figures.

use std::collections::BTreeMap;
use std::sync::Mutex;

use cloud_tasks::PublisherTask;
use fastrand::Rng;
use futures_util::{StreamExt, stream};

use crate::publishing::{Counted, patient, runtime};
use crate::support::chaos::{Arrives, Fault};
use crate::support::publish_api::{INVALID, PublishApi, Published, Reply};

const MESSAGES: u32 = 2000;

fn is_refused(number: u32) -> bool {
    number % 50 == 7
}

/// Of a hundred requests, 10 get a 500, 5 nothing and 5 a reset connection; half of them arrive all the same.
fn spoil(rng: &Mutex<Rng>, messages: &[Published]) -> Reply {
    let mut rng = rng.lock().unwrap();
    let is_refused = |message: &Published| is_refused(message.text().parse().unwrap());
    let is_refused = messages.iter().any(is_refused);
    let arrives = if !is_refused && rng.bool() {
        Arrives::Yes
    } else {
        Arrives::Not
    };
    match rng.u8(0..100) {
        0..10 => Reply::Spoil(Fault::Error500, arrives),
        10..15 => Reply::Spoil(Fault::TimeOut, arrives),
        15..20 => Reply::Spoil(Fault::Reset, arrives),
        _ if is_refused => INVALID,
        _ => Reply::Accept,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "it shows its figures")]
async fn no_message_is_lost_or_refused_because_of_another() {
    let rng = Mutex::new(Rng::with_seed(0x5eed));
    let api = PublishApi::start(move |messages| spoil(&rng, messages)).await;
    let runtime = &runtime(&api.url(), patient()).await;

    let outcomes: Vec<_> = stream::iter(0..MESSAGES)
        .map(|number| async move {
            let publish = Counted(number).sync().on(runtime);
            // Every fifth has an ordering key, of ten. None of these is refused: that stops those behind it.
            let publish = match number % 5 {
                0 => publish.ordering_key((number % 10).to_string()),
                _ => publish,
            };
            (number, publish.await)
        })
        .buffer_unordered(64)
        .collect()
        .await;

    let mut copies = BTreeMap::new();
    for text in api.texts() {
        *copies.entry(text.parse::<u32>().unwrap()).or_insert(0_u32) += 1;
    }
    let refused = |number: &u32| is_refused(*number);
    let lost = outcomes
        .iter()
        .filter(|(number, outcome)| outcome.is_ok() && !copies.contains_key(number));
    let wrongly_refused = outcomes
        .iter()
        .filter(|(number, outcome)| outcome.is_err() && !refused(number));
    let wrongly_accepted = outcomes
        .iter()
        .filter(|(number, outcome)| outcome.is_ok() && refused(number));
    let (lost, wrongly_refused) = (lost.count(), wrongly_refused.count());
    let refused = (0..MESSAGES).filter(refused).count();
    let twice = copies.values().filter(|count| **count > 1).count();
    println!(
        "publish: {MESSAGES} messages, {} requests, {} connections; refused {refused}, lost {lost}, wrongly refused \
         {wrongly_refused}, published more than once {twice}",
        api.requests().len(),
        api.connections(),
    );
    assert_eq!((lost, wrongly_refused, wrongly_accepted.count()), (0, 0, 0));
    assert_eq!(refused, 40);
    assert!(api.connections() > 1 && twice > 0);
}
