//! Foreign peers: programs that others wrote, as producers and consumers of this library's tasks and messages.
//!
//! * Django with `django-google-cloud-tasks`, which this library is wire-compatible with
//! * `fastapi-gcp-tasks`, and `gcloud tasks`, as producers of tasks
//! * Google's own Pub/Sub client for Python, as publisher and subscriber
//!
//! Cloud Tasks is the local engine, which signs every token; messages go through Google's Pub/Sub emulator. The service is a
//! `Runtime::serve` that verifies its callers, and the Django project verifies its own with google-auth.
//!
//! `.ci/peers` installs the Python packages and runs these tests; anywhere else, and where its peer is not installed, a test
//! says `SKIPPED` on standard error. The Python peers are in the virtual environment that `CLOUD_TASKS_PEERS_VENV` names,
//! `gcloud` is on the `PATH`, and the emulator is the one that `PUBSUB_EMULATOR_HOST` names or that of the installed Cloud SDK.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod python;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod tasks;

mod django;
mod fastapi;
mod gcloud;
mod pubsub_client;
