//! The subscribers of the guide "Events from Google's services", as a user would write them. They return what they read.

use cloud_tasks::event::Attributes;
use cloud_tasks::{BoxError, Context, Message, SubscriberTask, TaskResult, task};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Reads a 64-bit integer that is a string, as in the JSON of most APIs of Google, or a number.
fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Int64 {
        Number(i64),
        Text(String),
    }
    match Int64::deserialize(deserializer)? {
        Int64::Number(number) => Ok(number),
        Int64::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// The attributes of a notification of Cloud Storage.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectChange {
    event_type: String,
    bucket_id: String,
    object_id: String,
    object_generation: i64,
    overwrote_generation: Option<i64>,
    overwritten_by_generation: Option<i64>,
}

/// An object of Cloud Storage: the payload `JSON_API_V1`, and the data of Eventarc's events.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredObject {
    bucket: String,
    name: String,
    content_type: Option<String>,
    #[serde(deserialize_with = "int64")]
    generation: i64,
    #[serde(deserialize_with = "int64")]
    size: i64,
}

pub(super) struct ImportObject;

#[task(
    topic = "projects/linden-shop/topics/uploads",
    filter = r#"attributes.eventType = "OBJECT_FINALIZE""#
)]
impl SubscriberTask for ImportObject {
    async fn run(
        message: Message<StoredObject, ObjectChange>,
        _cx: Context,
    ) -> TaskResult<(ObjectChange, StoredObject)> {
        Ok((message.attributes, message.content))
    }
}

/// A subscriber to notifications without a payload.
pub(super) struct ForgetObject;

#[task(
    topic = "projects/linden-shop/topics/uploads",
    filter = r#"attributes.eventType = "OBJECT_DELETE""#
)]
impl SubscriberTask for ForgetObject {
    async fn run(message: Message<(), ObjectChange>, _cx: Context) -> TaskResult<ObjectChange> {
        Ok(message.attributes)
    }
}

/// A subscriber whose messages become tasks.
pub(super) struct ScanObject;

#[task(
    topic = "projects/linden-shop/topics/uploads",
    use_cloud_tasks,
    queue = "scans"
)]
impl SubscriberTask for ScanObject {
    async fn run(
        message: Message<Option<StoredObject>>,
        _cx: Context,
    ) -> TaskResult<(Attributes, Option<i64>)> {
        let size = message.content.map(|object| object.size);
        Ok((message.attributes, size))
    }
}

/// A subscriber that ignores the payload.
pub(super) struct CountChanges;

#[task(topic = "projects/linden-shop/topics/uploads")]
impl SubscriberTask for CountChanges {
    async fn run(message: Message<IgnoredAny, ObjectChange>, _cx: Context) -> TaskResult<String> {
        Ok(message.attributes.object_id)
    }
}

/// A subscriber to notifications with a payload and without.
pub(super) struct WatchBucket;

#[task(topic = "projects/linden-shop/topics/uploads")]
impl SubscriberTask for WatchBucket {
    async fn run(message: Message<Option<StoredObject>>, _cx: Context) -> TaskResult<(String, bool)> {
        let name = message.attribute("objectId").unwrap_or_default();
        Ok((name.to_owned(), message.content.is_some()))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEntry {
    timestamp: String,
    #[serde(default)]
    severity: String,
    json_payload: Option<Value>,
    text_payload: Option<String>,
    proto_payload: Option<AuditLog>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditLog {
    service_name: String,
    method_name: String,
    resource_name: String,
    authentication_info: Principal,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Principal {
    principal_email: String,
}

pub(super) struct WatchLogs;

#[task(topic = "projects/linden-shop/topics/logs", bare_body)]
impl SubscriberTask for WatchLogs {
    async fn run(message: Message<LogEntry>, _cx: Context) -> TaskResult<LogEntry> {
        Ok(message.content)
    }
}

/// The members of an audit log's event.
#[derive(Deserialize, Serialize)]
pub(super) struct Audited {
    #[serde(rename = "ce-methodname")]
    method: String,
    #[serde(rename = "ce-resourcename")]
    resource: String,
}

pub(super) struct WatchAuditLog;

#[task(topic = "audit-logs")]
impl SubscriberTask for WatchAuditLog {
    async fn run(message: Message<LogEntry, Audited>, _cx: Context) -> TaskResult<(Audited, String)> {
        let audit = message.content.proto_payload;
        let email = audit.map(|audit| audit.authentication_info.principal_email);
        Ok((message.attributes, email.unwrap_or_default()))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailboxChanged {
    email_address: String,
    #[serde(deserialize_with = "int64")]
    history_id: i64,
}

pub(super) struct SyncMailbox;

#[task(topic = "projects/linden-shop/topics/gmail", bare_body)]
impl SubscriberTask for SyncMailbox {
    async fn run(message: Message<MailboxChanged>, _cx: Context) -> TaskResult<MailboxChanged> {
        Ok(message.content)
    }
}

/// The attributes of a build's message.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuildChange {
    build_id: String,
    status: BuildStatus,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum BuildStatus {
    Success,
    Failure,
    /// A status that this subscriber does not treat.
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Build {
    #[serde(default)]
    steps: Vec<BuildStep>,
    log_url: String,
    finish_time: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuildStep {
    name: String,
    #[serde(default)]
    exit_code: i32,
}

pub(super) struct ReportBuild;

#[task(topic = "projects/linden-shop/topics/cloud-builds")]
impl SubscriberTask for ReportBuild {
    async fn run(message: Message<Build, BuildChange>, _cx: Context) -> TaskResult<(BuildChange, Build)> {
        Ok((message.attributes, message.content))
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct ImageChange {
    action: String,
    digest: Option<String>,
    tag: Option<String>,
}

pub(super) struct DeployImage;

#[task(topic = "projects/linden-shop/topics/gcr", bare_body)]
impl SubscriberTask for DeployImage {
    async fn run(message: Message<ImageChange>, _cx: Context) -> TaskResult<ImageChange> {
        Ok(message.content)
    }
}

pub(super) struct MakeReport;

#[task(topic = "projects/linden-shop/topics/reports", bare_body)]
impl SubscriberTask for MakeReport {
    fn parse(data: &[u8]) -> Result<String, BoxError> {
        Ok(String::from_utf8(data.to_vec())?)
    }

    async fn run(message: Message<String>, _cx: Context) -> TaskResult<(String, Option<String>)> {
        let report = message.attribute("report").map(str::to_owned);
        Ok((message.content, report))
    }
}

pub(super) struct IndexObject;

#[task(topic = "storage-events")]
impl SubscriberTask for IndexObject {
    async fn run(message: Message<StoredObject>, _cx: Context) -> TaskResult<(String, StoredObject)> {
        let subject = message.attribute("ce-subject").unwrap_or_default();
        Ok((subject.to_owned(), message.content))
    }
}

/// The members of an alert of Firebase.
#[derive(Deserialize, Serialize)]
pub(super) struct AlertKind {
    #[serde(rename = "ce-alerttype")]
    alert_type: String,
    #[serde(rename = "ce-appid")]
    app_id: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    create_time: String,
    end_time: Option<String>,
    payload: Value,
}

pub(super) struct PageOnCrash;

#[task(topic = "firebase-alerts")]
impl SubscriberTask for PageOnCrash {
    async fn run(message: Message<Alert, AlertKind>, _cx: Context) -> TaskResult<(AlertKind, String)> {
        let title = message.content.payload["issue"]["title"].as_str();
        Ok((message.attributes, title.unwrap_or_default().to_owned()))
    }
}

/// Returns everything that a message says besides its content.
pub(super) struct DescribeMessage;

#[task(topic = "descriptions", bare_body)]
impl SubscriberTask for DescribeMessage {
    fn parse(data: &[u8]) -> Result<usize, BoxError> {
        Ok(data.len())
    }

    async fn run(message: Message<usize>, _cx: Context) -> TaskResult<Value> {
        let published = message
            .publish_time
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(serde_json::json!({
            "bytes": message.content,
            "id": message.id,
            "subscription": message.subscription,
            "published": published.map(|time| time.as_nanos().to_string()),
            "attributes": message.attributes,
        }))
    }
}
