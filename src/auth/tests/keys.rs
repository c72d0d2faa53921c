//! The key cache under load, and with a key server that is down, slow or answers nonsense.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use super::tokens::{claims, good, header, sign, with};
use super::*;

/// A valid token, except that its key is unknown.
fn junk(number: usize) -> String {
    let header = with(header(), json!({"kid": format!("junk-{number}")}));
    // Signing takes a millisecond, and the signature is never checked.
    format!(
        "{}.c2lnbmF0dXJl",
        tokens::unsigned(&header.to_string(), &claims(ENDPOINT).to_string())
    )
}

/// Verifies until the outcome is the expected one, which a background task brings about.
async fn until(verifier: &Verifier, token: &str, expected: Result<(), Refusal>) {
    while verify(verifier, token).await != expected {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hundred_first_requests_at_once_get_in_with_one_fetch() {
    let server = MockServer::start().await;
    serve_keys(
        &server,
        keys(&[KEY_ID], "max-age=3600").set_delay(Duration::from_millis(100)),
    )
    .await;
    let verifier = verifier_of(callers(&server));
    let token = good(ENDPOINT);

    let verdicts = join_all((0..100).map(|_| verify(&verifier, &token))).await;

    assert_eq!(verdicts, [Ok(()); 100]);
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn keys_that_were_fetched_before_the_first_token_are_not_fetched_again() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));

    verifier.prefetch_keys().await;

    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn a_fetch_before_the_first_token_that_fails_does_not_delay_the_next_one() {
    let server = MockServer::start().await;
    serve_keys(&server, ResponseTemplate::new(503)).await;
    let verifier = verifier_of(callers(&server));

    verifier.prefetch_keys().await;
    serve_keys(&server, keys(&[KEY_ID], "max-age=3600")).await;

    // The refresh interval is an hour.
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_warm_request_is_ever_refused() {
    let server = key_server().await;
    let verifier = Arc::new(verifier_of(callers(&server)));
    let headers = Arc::new(headers([&*format!("Bearer {}", good(ENDPOINT))]));
    assert_eq!(verifier.verify(&NOTE, &headers).await, Ok(()));

    let tasks = (0..64).map(|_| {
        let (verifier, headers) = (Arc::clone(&verifier), Arc::clone(&headers));
        tokio::spawn(async move {
            let mut refused = 0;
            for _ in 0..20_000 {
                refused += usize::from(verifier.verify(&NOTE, &headers).await.is_err());
            }
            refused
        })
    });
    let refused: usize = join_all(tasks).await.into_iter().map(Result::unwrap).sum();

    assert_eq!(refused, 0);
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_with_random_keys_hurts_no_good_token_and_causes_one_fetch_a_cool_down() {
    let server = key_server().await;
    let verifier = Arc::new(verifier_of(callers(&server)));
    let good_headers = headers([&*format!("Bearer {}", good(ENDPOINT))]);
    assert_eq!(verifier.verify(&NOTE, &good_headers).await, Ok(()));

    let other = Arc::clone(&verifier);
    let attack = tokio::spawn(async move {
        for number in 0..5_000 {
            assert_eq!(
                verify(&other, &junk(number)).await,
                Err(Refusal::KeyNotFetched(LONG))
            );
        }
    });
    let mut tried = 0;
    while !attack.is_finished() {
        assert_eq!(verifier.verify(&NOTE, &good_headers).await, Ok(()));
        // Not only what is remembered: the signature is checked anew.
        verifier.seen.forget();
        tried += 1;
        tokio::task::yield_now().await;
    }
    attack.await.unwrap();

    assert!(tried > 0);
    // The refresh interval is an hour and began with the first fetch.
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_comes() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server).min_refresh_interval(Duration::ZERO));
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
    serve_keys(&server, keys(&[KEY_ID, "key-2"], "max-age=3600")).await;

    let with_new_key = sign(&with(header(), json!({"kid": "key-2"})), &claims(ENDPOINT));

    assert_eq!(verify(&verifier, &with_new_key).await, Ok(()));
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn a_key_that_the_newest_document_does_not_have_is_unknown() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server).min_refresh_interval(Duration::ZERO));
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));

    assert_eq!(verify(&verifier, &junk(1)).await, Err(Refusal::UnknownKey));
    // The first token that ever comes has them fetched too.
    let cold = verifier_of(callers(&server));
    assert_eq!(verify(&cold, &junk(1)).await, Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn a_good_token_with_a_new_key_is_told_to_come_back_if_a_stranger_used_up_the_fetch() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));
    assert_eq!(verify(&verifier, &junk(1)).await, Err(Refusal::UnknownKey));
    serve_keys(&server, keys(&[KEY_ID, "key-2"], "max-age=3600")).await;

    let with_new_key = sign(&with(header(), json!({"kid": "key-2"})), &claims(ENDPOINT));

    assert_eq!(
        verify(&verifier, &with_new_key).await,
        Err(Refusal::KeyNotFetched(LONG))
    );
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
}

#[tokio::test]
async fn whether_a_key_is_unknown_is_not_said_while_the_key_server_is_down() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server).min_refresh_interval(Duration::ZERO));
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
    serve_keys(&server, ResponseTemplate::new(500)).await;

    assert_eq!(
        verify(&verifier, &junk(1)).await,
        Err(Refusal::KeyNotFetched(Duration::ZERO))
    );
}

#[tokio::test]
async fn a_key_that_went_away_is_not_believed_any_more_nor_are_tokens_that_were_remembered() {
    let server = MockServer::start().await;
    serve_keys(&server, keys(&[KEY_ID], "max-age=0")).await;
    let verifier = verifier_of(callers(&server).min_refresh_interval(Duration::ZERO));
    let token = good(ENDPOINT);
    assert_eq!(verify(&verifier, &token).await, Ok(()));

    serve_keys(&server, keys(&["key-2"], "max-age=3600")).await;

    until(&verifier, &token, Err(Refusal::UnknownKey)).await;
}

#[tokio::test]
async fn old_keys_serve_while_they_cannot_be_renewed_up_to_a_limit() {
    for (max_key_age, expected) in [
        (LONG, Ok(())),
        (Duration::ZERO, Err(Refusal::NoKeys(Duration::ZERO))),
    ] {
        for answer in [
            ResponseTemplate::new(500),
            ResponseTemplate::new(200).set_body_string("<html>Sign in to the hotel's network</html>"),
            ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
            ResponseTemplate::new(200).set_body_bytes(vec![b' '; 300 * 1024]),
            ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:9/certs"),
        ] {
            let server = MockServer::start().await;
            serve_keys(&server, keys(&[KEY_ID], "max-age=0")).await;
            let callers = callers(&server)
                .min_refresh_interval(Duration::ZERO)
                .max_key_age(max_key_age);
            let verifier = verifier_of(callers);
            let set = verifier.keys.with(KEY_ID).await;
            assert_eq!(set.is_ok(), max_key_age == LONG);
            serve_keys(&server, answer).await;

            for _ in 0..3 {
                assert_eq!(verify(&verifier, &good(ENDPOINT)).await, expected);
            }
        }
    }
}

#[tokio::test]
async fn a_good_token_never_waits_for_a_key_server_that_does_not_answer() {
    let server = MockServer::start().await;
    serve_keys(&server, keys(&[KEY_ID], "max-age=0")).await;
    let verifier = verifier_of(
        callers(&server)
            .min_refresh_interval(Duration::ZERO)
            .fetch_timeout(LONG),
    );
    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
    serve_keys(&server, keys(&[KEY_ID], "max-age=0").set_delay(LONG)).await;

    // If one waited, it would wait for an hour.
    for audience in [ENDPOINT, SECOND_AUDIENCE] {
        assert_eq!(verify(&verifier, &good(audience)).await, Ok(()));
    }
}

#[tokio::test]
async fn without_any_keys_callers_are_told_to_come_back_and_do_when_the_server_is_up_again() {
    let server = MockServer::start().await;
    serve_keys(&server, ResponseTemplate::new(503)).await;
    let verifier = verifier_of(callers(&server).min_refresh_interval(Duration::ZERO));
    assert_eq!(
        verify(&verifier, &good(ENDPOINT)).await,
        Err(Refusal::NoKeys(Duration::ZERO))
    );

    serve_keys(&server, keys(&[KEY_ID], "max-age=60")).await;

    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
}

#[tokio::test]
async fn a_key_server_that_is_slow_or_down_keeps_nobody_waiting_beyond_the_time_limit() {
    let server = MockServer::start().await;
    serve_keys(&server, keys(&[KEY_ID], "max-age=60").set_delay(LONG)).await;
    let slow = callers(&server).fetch_timeout(Duration::from_millis(20));
    let mut down = callers(&server);
    down.keys_url = "http://127.0.0.1:9/certs".to_owned();

    for callers in [slow, down] {
        let verifier = verifier_of(callers);
        let verdicts = join_all((0..10).map(|_| verify(&verifier, "e30.e30.c2ln"))).await;
        assert!(
            verdicts
                .iter()
                .all(|verdict| matches!(verdict, Err(Refusal::Malformed(_))))
        );
        let token = good(ENDPOINT);
        let verdicts = join_all((0..10).map(|_| verify(&verifier, &token))).await;
        assert_eq!(verdicts, [Err(Refusal::NoKeys(LONG)); 10]);
    }
}

#[tokio::test]
async fn times_without_end_are_taken() {
    let server = key_server().await;
    let callers = callers(&server)
        .min_refresh_interval(Duration::MAX)
        .max_key_age(Duration::MAX)
        .fetch_timeout(Duration::MAX);
    let verifier = verifier_of(callers);

    assert_eq!(verify(&verifier, &good(ENDPOINT)).await, Ok(()));
}

#[tokio::test]
async fn a_fetch_goes_on_when_the_caller_who_started_it_goes_away() {
    let server = MockServer::start().await;
    serve_keys(
        &server,
        keys(&[KEY_ID], "max-age=60").set_delay(Duration::from_millis(50)),
    )
    .await;
    let verifier = verifier_of(callers(&server));
    let token = good(ENDPOINT);

    let first = futures_util::FutureExt::now_or_never(verify(&verifier, &token));

    assert_eq!(first, None);
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    assert_eq!(fetches(&server).await, 1);
}
