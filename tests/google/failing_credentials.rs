//! Credentials that fail, for a while and for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloud_tasks::ErrorKind;
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap};

use crate::retries::{AT_ONCE, api, names, runtime};
use crate::support::api::google;
use crate::tasks::welcome;

/// Credentials that fail, for good or for a while, and then give nothing to sign with.
#[derive(Debug)]
struct Failing {
    passing: bool,
    failures: AtomicUsize,
    asked: Arc<AtomicUsize>,
}

impl CredentialsProvider for Failing {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let left = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(CredentialsError::from_msg(self.passing, "no token today")),
            Err(_) => Ok(CacheableResource::New {
                entity_tag: google_cloud_auth::credentials::EntityTag::new(),
                data: HeaderMap::new(),
            }),
        }
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn credentials_that_fail_for_a_while_are_asked_again() {
    let api = api([]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = Failing {
        passing: true,
        failures: AtomicUsize::new(2),
        asked: Arc::clone(&asked),
    };
    let runtime = runtime(google(api.uri()).credentials(credentials), AT_ONCE).await;

    welcome().on(&runtime).await.unwrap();

    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(names(&api).await.len(), 1);
}

#[tokio::test]
async fn credentials_that_fail_for_good_are_asked_once_and_nothing_is_created() {
    let api = api([]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = Failing {
        passing: false,
        failures: AtomicUsize::new(usize::MAX),
        asked: Arc::clone(&asked),
    };
    let runtime = runtime(google(api.uri()).credentials(credentials), AT_ONCE).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert!(!error.may_have_taken_effect());
    assert!(format!("{error:#}").contains("no token today"), "{error:#}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(names(&api).await.len(), 0);
}
